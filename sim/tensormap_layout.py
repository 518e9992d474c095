"""Where the fields of a tensor map are in its 128 bytes. PTX leaves the layout opaque; this one is ours."""

BYTES = 128
ADDRESS = 0
"""Global address, 8 bytes."""
TYPE, RANK, INTERLEAVE, SWIZZLE, PROMOTION, FILL = range(8, 14)
"""One byte each; type, interleave, swizzle and fill as the values of tensormap.replace (PTX ISA 9.0, 9.7.9.27.3)."""
DIM = 16
"""Elements by dimension, 8 bytes each."""
STRIDE = 56
"""Bytes from an element to the next one of dimension 1 to 4, 8 bytes each."""
BOX = 88
"""Elements of a box by dimension, 2 bytes each."""
ELEMENT_STRIDE = 104
"""Every how many elements of a box are copied, 2 bytes each."""
MAGIC_AT = 120
MAGIC = 0x70616D726F736E74
"""Marks initialised memory: a copy that names anything else is a fault."""

TYPES = ("u8", "u16", "u32", "s32", "u64", "s64", "f16", "f32", "f32.ftz", "f64", "bf16", "tf32", "tf32.ftz")
"""Element types; the position is the number."""
ELEMENT_LOGS = sum(log << 4 * i for i, log in enumerate((0, 1, 2, 2, 3, 3, 1, 2, 2, 3, 1, 2, 2)))
"""Log2 of an element's bytes: four bits for each type."""
REDUCTION_TYPES = sum(kind << 4 * i for i, kind in enumerate((0, 10, 0, 1, 2, 3, 6, 4, 4, 5, 7, 4, 4)))
"""`ValType` of a reduction of such elements: four bits for each type."""
