"""The Image: an assembled program as numpy columns, one row per instruction, plus kernels, symbols and spans.

An Image is what the assembler hands to the machine. It is plain data: it can be compared, printed, and saved without
pickle (`np.savez` for columns and bytes, JSON for the rest). NumPy is imported where it is used: messages about a wrong
program come without it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 2
"""Version of the saved form; `load` refuses others."""


class OperandKind(IntEnum):
    """What `o_value` and `o_offset` of an operand entry mean."""

    REG = 0  # value: first physical 32-bit slot (64-bit registers start at an even slot, 128-bit at a multiple of 4)
    PRED = 1  # value: predicate number
    NPRED = 2  # value: predicate number, read inverted
    CONST = 3  # value: raw bits, zero-extended from the width of o_type (128-bit: not possible)
    SREG = 4  # value: special register number (isa SPECIAL)
    LABEL = 5  # value: instruction index
    FUNC = 6  # value: function index; as a value it reads as the function's entry instruction index
    SYM = 7  # value: symbol index, offset: bytes; reads as the address in the symbol's own space
    MEM_REG = 8  # value: slot of the address register, offset: bytes, type: b32 or b64 = width of the register
    MEM_SYM = 9  # value: symbol index or -1 (absolute), offset: bytes
    MEM_PARAM = 10  # offset: byte in the kernel's parameter block
    SINK = 11  # a destination `_`
    STR = 12  # value: index into Image.strings


class Role(IntEnum):
    """How an instruction uses an operand entry (`o_role`)."""

    READ = 0
    WRITE = 1
    BOTH = 2


class Param(NamedTuple):
    """One kernel parameter: PTX type name without dot; byte offset in the parameter block, size, alignment in bytes."""

    name: str
    type: str
    offset: int
    size: int
    align: int


class RegisterName(NamedTuple):
    """Where a source register of a kernel or function lives: `bank` is "r" (32-bit slots) or "p" (predicates)."""

    name: str
    type: str
    bank: str
    slot: int


@dataclass
class Kernel:
    """An entry point: instructions [entry, end), resources in 32-bit slots, predicates and bytes."""

    name: str
    entry: int
    end: int
    params: list[Param]
    param_bytes: int
    nregs: int  # 32-bit slots, including those of the functions it calls
    npreds: int
    shared_bytes: int  # static
    local_bytes: int  # per thread, including the frames of the functions it calls
    maxntid: tuple[int, int, int] | None = None
    reqntid: tuple[int, int, int] | None = None
    cluster: tuple[int, int, int] | None = None  # .reqnctapercluster
    pressure: int = (
        0  # slots needed if registers of all widths could share them, as on silicon: what occupancy depends on
    )
    registers: list[RegisterName] = field(default_factory=list)


@dataclass
class Function:
    """A `.func`: instructions [entry, end); its registers lie above those of every caller.

    Parameters and results are bytes at `params[i].offset` of the thread's local memory; promoted scalars have offset -1
    (the caller moves them between registers). `entry` is -1 for an external function without a body.
    """

    name: str
    entry: int
    end: int
    frame_offset: int  # first byte of its frame in the thread's local memory
    frame_bytes: int
    first_reg: int
    nregs: int
    first_pred: int
    npreds: int
    calls: list[int] = field(default_factory=list)  # function indices
    registers: list[RegisterName] = field(default_factory=list)


@dataclass
class Symbol:
    """A variable. `offset` is in its space (shared, local: in the kernel's static block; -1: dynamic shared memory).

    `relocs` are (byte offset, symbol index): the loader adds the symbol's address to the 8 (or 4, at the end) bytes of
    `init` there; an index -1-f means the entry instruction index of function f.
    """

    name: str
    space: str  # global, const, shared, local, param
    offset: int
    size: int
    align: int
    init: bytes | None = None
    relocs: list[tuple[int, int]] = field(default_factory=list)
    kernel: int = -1  # index of the kernel it belongs to, -1: none
    function: int = -1  # index of the function it belongs to, -1: none
    extern: bool = False
    opaque: bool = False


COLUMNS: dict[str, str] = {
    "op": "uint16",
    "guard": "int16",
    "first": "int32",
    "file": "uint16",
    "line": "uint32",
    "col": "uint16",
    "end": "uint16",
    "o_kind": "uint8",
    "o_role": "uint8",
    "o_type": "uint8",
    "o_group": "uint8",
    "o_value": "int64",
    "o_offset": "int64",
}
"""Name and element type of every column; `o_` columns have one row per operand entry."""

PREFIX = "column_"  # of column names in the archive: np.savez has a parameter called file
SPANS = ("file", "line", "col", "end")


class Operand(NamedTuple):
    """One operand entry, as read back from the columns."""

    kind: OperandKind
    role: Role
    type: int
    group: int
    value: int
    offset: int


@dataclass(eq=False)
class Image:
    """An assembled program."""

    isa_digest: str
    targets: list[str]
    files: list[str]  # source files by number
    texts: list[str]
    ops: list[str]  # distinct canonical op names
    op: NDArray[np.uint16]  # index into ops
    guard: NDArray[np.int16]  # 0 none, p+1 for @p, -(p+1) for @!p
    first: NDArray[np.int32]  # operand entries of instruction i are first[i]:first[i + 1]
    file: NDArray[np.uint16]
    line: NDArray[np.uint32]
    col: NDArray[np.uint16]
    end: NDArray[np.uint16]  # column after the last character of the instruction on its line
    o_kind: NDArray[np.uint8]
    o_role: NDArray[np.uint8]
    o_type: NDArray[np.uint8]  # isa type code
    o_group: NDArray[np.uint8]  # index of the syntactic operand (vectors: several entries of one group)
    o_value: NDArray[np.int64]
    o_offset: NDArray[np.int64]
    kernels: list[Kernel] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    host: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)  # with place, source line and caret

    def __len__(self) -> int:
        return len(self.op)

    def name(self, pc: int) -> str:
        """Canonical op name of instruction `pc`."""
        return self.ops[int(self.op[pc])]

    def operands(self, pc: int) -> Iterator[Operand]:
        """Operand entries of instruction `pc`."""
        for i in range(int(self.first[pc]), int(self.first[pc + 1])):
            yield Operand(
                OperandKind(int(self.o_kind[i])),
                Role(int(self.o_role[i])),
                int(self.o_type[i]),
                int(self.o_group[i]),
                int(self.o_value[i]),
                int(self.o_offset[i]),
            )

    def kernel(self, name: str) -> Kernel:
        """The kernel called `name`; KeyError if there is none."""
        for kernel in self.kernels:
            if kernel.name == name:
                return kernel
        raise KeyError(name)

    def source(self, pc: int) -> tuple[str, int, int]:
        """(file, line, column) of instruction `pc`."""
        return self.files[self.file[pc]], int(self.line[pc]), int(self.col[pc])

    def same_code(self, other: Image) -> bool:
        """True if instructions, operands, kernels' layout and data agree; spans and register names may differ."""
        import numpy as np

        columns = [c for c in COLUMNS if c not in SPANS]
        return (
            [self.name(i) for i in range(len(self))] == [other.name(i) for i in range(len(other))]
            and all(np.array_equal(getattr(self, c), getattr(other, c)) for c in columns if c != "op")
            and _shape(self) == _shape(other)
        )


def _shape(image: Image) -> list[dict[str, Any]]:
    parts: list[Any] = [*image.kernels, *image.functions, *image.symbols]
    return [{k: v for k, v in asdict(part).items() if k != "registers"} for part in parts]


def empty_columns() -> dict[str, list[int]]:
    """A list for every column, to be filled row by row and given to `pack`; `first` starts with 0."""
    columns: dict[str, list[int]] = {name: [] for name in COLUMNS}
    columns["first"].append(0)
    return columns


def pack(columns: dict[str, list[int]]) -> dict[str, NDArray[Any]]:
    """Columns as numpy arrays of their element types."""
    import numpy as np

    return {name: np.array(columns[name], dtype=dtype) for name, dtype in COLUMNS.items()}


def save(image: Image, path: str | Path) -> None:
    """Write `image` to `path` (an .npz archive)."""
    Path(path).write_bytes(to_bytes(image))


def to_bytes(image: Image) -> bytes:
    """The .npz archive that `load` reads."""
    import numpy as np

    inits = [symbol.init for symbol in image.symbols]
    meta = {
        "format": FORMAT,
        "isa_digest": image.isa_digest,
        "targets": image.targets,
        "files": image.files,
        "texts": image.texts,
        "ops": image.ops,
        "kernels": [vars(kernel) for kernel in image.kernels],
        "functions": [vars(function) for function in image.functions],
        "symbols": [{**vars(symbol), "init": None} for symbol in image.symbols],
        "init_sizes": [-1 if init is None else len(init) for init in inits],
        "strings": image.strings,
        "host": image.host,
        "warnings": image.warnings,
    }
    arrays = {PREFIX + name: getattr(image, name) for name in COLUMNS}
    arrays["init"] = np.frombuffer(b"".join(init or b"" for init in inits), np.uint8)
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    archive = io.BytesIO()
    np.savez(archive, **arrays)
    return archive.getvalue()


def load(path: str | Path) -> Image:
    """Read an Image written by `save`; ValueError if the file is of another format."""
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(arrays.pop("meta").tobytes())
    if meta["format"] != FORMAT:
        raise ValueError(f"{path}: image format {meta['format']}, expected {FORMAT}")
    data = arrays.pop("init").tobytes()
    columns = {name: arrays[PREFIX + name] for name in COLUMNS}
    symbols, at = [], 0
    for fields, size in zip(meta["symbols"], meta["init_sizes"], strict=True):
        fields["relocs"] = [tuple(r) for r in fields["relocs"]]
        fields["init"] = None if size < 0 else data[at : at + size]
        at += max(size, 0)
        symbols.append(Symbol(**fields))
    return Image(
        **{key: meta[key] for key in ("isa_digest", "targets", "files", "texts", "ops", "strings", "host", "warnings")},
        **columns,
        kernels=[_kernel(fields) for fields in meta["kernels"]],
        functions=[_with_registers(Function(**fields)) for fields in meta["functions"]],
        symbols=symbols,
    )


def _kernel(fields: dict[str, Any]) -> Kernel:
    for key in ("maxntid", "reqntid", "cluster"):
        fields[key] = fields[key] and tuple(fields[key])
    fields["params"] = [Param(*param) for param in fields["params"]]
    kernel: Kernel = _with_registers(Kernel(**fields))
    return kernel


def _with_registers(part: Any) -> Any:
    part.registers = [RegisterName(*name) for name in part.registers]
    return part
