"""How bulk copies, tensor copies and tensor map instructions are packed (sim/sm/bulk_operands.py, sim/sm/tensormap.py)."""

from typing import TYPE_CHECKING

from isa.image import Operand, OperandKind
from isa.types import BY_CODE, TYPES, AtomOp, valtype

from .errors import UnmodelledError
from .sm.bulk_operands import DIMS, FMT, MULTICAST, REDUCE, SIZE_LOG, TENSOR, WIDE, BulkOp
from .sm.tensormap import COPY, FIELDS

if TYPE_CHECKING:
    from .load import Row

_PLACES = {"d": (0, 0), "a": (1, 1), "m": (3, 2), "t": (5, 3)}
"""Reference and position in the side table of each address operand."""


def _put_address(row: "Row", operand: Operand, ref: int) -> int:
    """An address to a reference, its width to the sub word. Returns its offset."""
    wide, offset = True, operand.offset
    if operand.kind == OperandKind.MEM_REG:
        row.refs[ref] = row.ref(operand)
        wide = BY_CODE[operand.type].bits == 64
    else:
        row.refs[ref] = row.program.constant(0, 64)
        offset = operand.offset if operand.kind == OperandKind.MEM_PARAM else row.value(operand)
    row.sub |= wide << (WIDE + ref)
    return offset


def _reduction(row: "Row") -> None:
    """Operation and, unless a tensor map names it, type of a reduction."""
    operation = AtomOp[row.op.mods["op"].upper()]
    row.sub |= 1 << REDUCE | operation << FMT
    if "type" not in row.op.mods:
        return
    name = row.op.mods["type"]
    bits = TYPES[name].bits
    value = valtype(f"b{bits}" if operation >= AtomOp.AND else name)
    row.sub |= (bits // 8).bit_length() - 1 << SIZE_LOG | value << 8 << FMT


def bulk(row: "Row") -> None:
    words = row.op.text.split(".")
    if "im2col" in words or "im2col_no_offs" in words:
        raise UnmodelledError(f"`{row.op.text}`: the im2col mode of tensor copies is not modelled")
    named = row.named()
    offsets = [0, 0, 0, 0]
    for name, (ref, position) in _PLACES.items():
        if name in named:
            offsets[position] = _put_address(row, named[name][0], ref)
    for name, ref in (("size", 2), ("mask", 4)):
        if name in named:
            row.refs[ref] = row.ref(named[name][0])
    row.side = offsets
    spaces = [word for word in words if word in ("global", "shared::cta", "shared::cluster")]
    if "prefetch" in words:
        row.sub |= BulkOp.PREFETCH
    elif spaces[0] == "global":
        row.sub |= BulkOp.STORE
    else:
        row.sub |= BulkOp.LOAD if spaces[1] == "global" else BulkOp.SHARE
    row.sub |= ("multicast::cluster" in words) << MULTICAST
    if row.op.instr.syntax.startswith("cp.reduce"):
        _reduction(row)
    if "t" in named:
        coordinates = named["t"][1:]
        row.side += [row.ref(operand) for operand in coordinates]
        row.sub |= 1 << TENSOR | len(coordinates) << DIMS


def bulk_wait(row: "Row") -> None:
    row.imm = row.operands[0].value
    row.sub = int("read" in row.op.text.split("."))


def tensormap(row: "Row") -> None:
    words = row.op.text.split(".")
    named = row.named()
    if "cp_fenceproxy" in words:
        row.side = [_put_address(row, named["d"][0], 0), _put_address(row, named["a"][0], 1), 0]
        row.sub |= COPY
        return
    index = named["n"][0].value if "n" in named else 0
    row.side = [_put_address(row, named["a"][0], 0), 0, index]
    row.refs[2] = row.ref(named["b"][0])
    row.sub |= FIELDS.index(next(word for word in words if word in FIELDS))
    row.sub |= (BY_CODE[named["b"][0].type].bits == 64) << (WIDE + 2)
