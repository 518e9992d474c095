"""Image → what the core executes: packed instruction rows, constant pool, side table, addresses of compiled lane code.

One packer per kind of instruction says which operand goes where; the core's files document what they expect.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from isa.image import Image, Kernel, Operand, OperandKind, Role
from isa.instr import Kind, Op
from isa.table import resolve
from isa.types import BY_CODE
from traces.records import Stall

from .addresses import OWN_REGION, REGION_BITS, SHARED_START, function_address
from .latency import FIXED, Pipes, latency_class
from .packers import PACKERS, UnmodelledError
from .state import FLAG_MORE_WAITS, ROW_WORDS, SINK, SLOTS

CONSTANT = 1 << 31
GUARD_WINDOW = 32
"""Instructions looked at for the use of a predicate."""
_WAITS = (5, 10, 11, 12)
_DSTS = (6, 13)


@dataclass
class Row:
    """A packed instruction while it is put together; sim/state.py says what the words mean."""

    op: Op
    kernel: Kernel | None
    operands: list[Operand]
    program: "Program"
    refs: list[int] = field(default_factory=lambda: [SINK] * 6)
    waits: list[int] = field(default_factory=list)
    latency: str = ""
    dsts: list[int] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    flags: int = 0
    imm: int = 0
    sub: int = 0
    lane_name: str = ""
    kind: int = 0

    def groups(self) -> list[list[Operand]]:
        """Operand entries by syntactic operand."""
        out: dict[int, list[Operand]] = {}
        for operand in self.operands:
            out.setdefault(operand.group, []).append(operand)
        return [out[g] for g in sorted(out)]

    def named(self) -> dict[str, list[Operand]]:
        """Operand entries by the name the table gives the operand (optional ones may be missing)."""
        return {self.op.operands[g[0].group].name: g for g in self.groups() if g[0].group < len(self.op.operands)}

    def ref(self, operand: Operand) -> int:
        """Operand reference as the core reads it."""
        kind = operand.kind
        if kind in (OperandKind.REG, OperandKind.MEM_REG):
            return SLOTS + 128 * operand.value
        if kind in (OperandKind.PRED, OperandKind.NPRED):
            return 4 * operand.value
        if kind == OperandKind.SINK:
            return SINK
        return self.program.constant(self.value(operand), BY_CODE[operand.type].bits)

    def halves(self, operand: Operand) -> list[int]:
        """References to the two 64-bit halves of an operand of 128 bits."""
        low = self.ref(operand)
        return [low, low if operand.kind == OperandKind.SINK else low + 2 * 128]

    def value(self, operand: Operand) -> int:
        """Constant value of an operand that is not a register."""
        if operand.kind == OperandKind.SYM or (operand.kind == OperandKind.MEM_SYM and operand.value >= 0):
            return self.program.symbol_address(operand.value, self.kernel) + operand.offset
        if operand.kind == OperandKind.MEM_SYM:
            return operand.offset
        if operand.kind == OperandKind.FUNC:
            return function_address(self.program.image.functions[operand.value].entry)
        return operand.value


@dataclass
class Program:
    """A loaded program. ``kernels`` by name; ``module_bytes`` of data that every GPU gets at ``MODULE_OFFSET``."""

    image: Image
    offsets: dict[int, int] = field(default_factory=dict)
    module_bytes: int = 0
    constants: dict[tuple[int, int], int] = field(default_factory=dict)
    pool: bytearray = field(default_factory=bytearray)
    approximations: set[str] = field(default_factory=set)

    MODULE_OFFSET = 128

    @property
    def predicates(self) -> int:
        """Predicates of a thread of the kernel that has most."""
        return max((k.npreds for k in self.image.kernels), default=0)

    @property
    def slots(self) -> int:
        """Register slots of a thread of the kernel that has most."""
        return max((k.nregs for k in self.image.kernels), default=0)

    @property
    def register_bytes(self) -> int:
        """Register storage of a warp. Not a power of two: registers of different warps go to different cache sets."""
        return (SLOTS + 128 * self.slots) | 128

    def __post_init__(self) -> None:
        for index, symbol in enumerate(self.image.symbols):
            if symbol.opaque:
                raise UnmodelledError(f"`{symbol.name}`: opaque variables are not modelled; use an opaque buffer")
            if symbol.space in ("global", "const"):
                self.module_bytes += -self.module_bytes % max(symbol.align, 1)
                self.offsets[index] = self.MODULE_OFFSET + self.module_bytes
                self.module_bytes += symbol.size

    def constant(self, value: int, bits: int) -> int:
        """Reference to a constant in the pool, the same in all 32 lanes; 16-bit values fill a slot, 1 bit is a predicate."""
        wide = bits == 64
        value &= (1 << (64 if wide else 32)) - 1
        if bits == 1:
            value = 0xFFFFFFFF if value & 1 else 0
        key = (value, 64 if wide else 32)
        if key not in self.constants:
            self.constants[key] = len(self.pool)
            self.pool += np.full(32, value, np.uint64 if wide else np.uint32).tobytes()
        return CONSTANT | self.constants[key]

    def symbol_address(self, index: int, kernel: Kernel | None) -> int:
        """Address of a variable in its own space; module variables in the region every GPU sees as its own."""
        symbol = self.image.symbols[index]
        if index in self.offsets:
            return (OWN_REGION << REGION_BITS) + self.offsets[index]
        if symbol.offset < 0:
            static = kernel.shared_bytes if kernel else 0
            return SHARED_START + dynamic_offset(static)
        return symbol.offset + (SHARED_START if symbol.space == "shared" else 0)

    def module_data(self, gpu: int) -> bytes:
        """Initial bytes of the module's variables on a GPU, addresses filled in."""
        data = bytearray(self.module_bytes)
        for index, offset in self.offsets.items():
            symbol = self.image.symbols[index]
            at = offset - self.MODULE_OFFSET
            if symbol.init:
                data[at : at + len(symbol.init)] = symbol.init
            for where, target in symbol.relocs:
                width = min(8, symbol.size - where)
                old = int.from_bytes(data[at + where : at + where + width], "little")
                new = (old + self._target(target, gpu)) & (1 << 8 * width) - 1
                data[at + where : at + where + width] = new.to_bytes(width, "little")
        return bytes(data)

    def _target(self, index: int, gpu: int) -> int:
        if index < 0:
            return function_address(self.image.functions[-1 - index].entry)
        if index in self.offsets:
            return (gpu + 1 << REGION_BITS) + self.offsets[index]
        return self.symbol_address(index, None)


def dynamic_offset(static: int) -> int:
    """Where dynamic shared memory begins behind ``static`` bytes."""
    return static + -static % 16


@cache
def _resolved(name: str) -> Op:
    return resolve(name)


def _score(operand: Operand, predicates: int) -> list[int]:
    """Scoreboard entries of an operand, in a program whose threads have ``predicates``."""
    if operand.kind in (OperandKind.REG, OperandKind.MEM_REG):
        return [1 + predicates + operand.value]
    if operand.kind in (OperandKind.PRED, OperandKind.NPRED):
        return [1 + operand.value]
    return []


def _set_scores(row: Row) -> None:
    """Registers the instruction waits for (read or written) and those it makes ready."""
    for operand in row.operands:
        if row.op.kind == Kind.WGMMA and row.op.operands[operand.group].form == "vec":
            continue  # sm/wgmma.py looks at those
        scores = _score(operand, row.program.predicates)
        if row.op.kind != Kind.MMA or operand.role == Role.READ:  # an mma takes sums of the one before it in order
            row.waits += [x for x in scores if x not in row.waits]
        if operand.role != Role.READ:
            row.dsts += scores


def _pack4(values: list[int]) -> int:
    word = sum(v << 16 * i for i, v in enumerate(values))
    return word - (1 << 64) if word >> 63 else word


def _words(row: Row, guard: int, time: tuple[int, int, int, int], fn: int, side: list[int], where: str) -> list[int]:
    """The 16 words of a row."""
    if guard:
        row.waits.append(abs(guard))
    if (
        len(row.waits) > 16
    ):  # v8 atomics: what is only written need not be awaited for the data, just for the order of writes
        row.waits = [x for x in row.waits if x not in row.dsts]
    if len(row.waits) > 16 or len(row.dsts) > 8:
        raise UnmodelledError(f"{where}: `{row.op.text}` has more registers than the scoreboard of the model can track")
    if len(row.waits) > 4 or len(row.dsts) > 4:
        row.flags |= FLAG_MORE_WAITS
    guard_word = 4 * (abs(guard) - 1) | (2 if guard < 0 else 0) | 1 if guard else 0
    words = [0] * ROW_WORDS
    words[0] = row.kind | guard_word << 8 | row.flags << 32
    words[1] = fn
    for i in range(3):
        word = row.refs[2 * i] | row.refs[2 * i + 1] << 32
        words[2 + i] = word - (1 << 64) if word >> 63 else word
    for k, word_index in enumerate(_WAITS):
        words[word_index] = _pack4(row.waits[4 * k : 4 * k + 4])
    for k, word_index in enumerate(_DSTS):
        words[word_index] = _pack4(row.dsts[4 * k : 4 * k + 4])
    latency, interval, slots, pipe = time
    words[7] = latency | interval << 16 | pipe << 32 | slots << 48
    words[8] = row.imm
    words[9] = row.sub
    words[14] = len(side)
    side += row.side
    words[15] = Stall.WAIT if row.latency in FIXED else Stall.SHORT_SCOREBOARD
    return words


def _kernel_at(image: Image) -> Callable[[int], Kernel | None]:
    spans = sorted((k.entry, k.end, k) for k in image.kernels) if image.kernels else []

    def find(pc: int) -> Kernel | None:
        return next((k for entry, end, k in spans if entry <= pc < end), None)

    return find


def _guards(image: Image, pc: int, row: Row) -> bool:
    """Whether a predicate that the instruction writes next guards an instruction, rather than being an operand."""
    for operand in row.operands:
        if operand.kind != OperandKind.PRED or operand.role == Role.READ:
            continue
        for at in range(pc + 1, min(pc + 1 + GUARD_WINDOW, len(image))):
            if abs(int(image.guard[at])) == operand.value + 1:
                return True
            if any(
                o.kind in (OperandKind.PRED, OperandKind.NPRED) and o.value == operand.value for o in image.operands(at)
            ):
                break
    return False


def _scales(row: Row) -> bool:
    """Whether the second factor of a multiply-add is a constant power of two."""
    return any(
        o.kind == OperandKind.CONST and o.value > 0 and o.value & o.value - 1 == 0
        for o in row.operands
        if o.group == 2 and row.op.instr.mnemonic == "mad"
    )


@dataclass
class Code:
    """Packed program: ``rows`` int64[n, 16], ``side`` int64, ``pool`` bytes of constants."""

    program: Program
    rows: Any
    side: Any
    pool: bytes


def row_at(image: Image, program: Program, pc: int) -> Row:
    """The instruction at ``pc`` of a program that has been packed, once more."""
    op = _resolved(image.name(pc))
    row = Row(op, _kernel_at(image)(pc), list(image.operands(pc)), program, kind=int(op.kind))
    PACKERS[op.kind](row)
    return row


def pack(image: Image, timing: Callable[[str], tuple[int, int, int]], compile_ops: Any) -> Code:
    """Pack an image.

    ``timing(latency class)`` gives latency, interval and issue slots in cycles; ``compile_ops(names)`` the address of each
    lane operation. UnmodelledError names an instruction the machine cannot execute.
    """
    program = Program(image)
    rows: list[tuple[Row, int, tuple[int, int, int, int], str]] = []
    side: list[int] = []
    kernel_at, pipes = _kernel_at(image), Pipes()
    for pc in range(len(image)):
        op = _resolved(image.name(pc))
        row = Row(op, kernel_at(pc), list(image.operands(pc)), program, kind=int(op.kind))
        file, line, column = image.source(pc)
        where = f"{file}:{line}:{column}"
        _set_scores(row)
        PACKERS[op.kind](row)
        row.latency = latency_class(op, _guards(image, pc, row), _scales(row))
        time = timing(row.latency)
        rows.append((row, int(image.guard[pc]), (*time, pipes.take(row.latency, time[1])), where))
        if op.kind in (Kind.BRA, Kind.BRX, Kind.RET, Kind.EXIT):
            pipes.block()
    names = sorted({row.lane_name for row, *_ in rows if row.lane_name})
    addresses = compile_ops(names)
    words = [_words(row, guard, time, addresses.get(row.lane_name, 0), side, where) for row, guard, time, where in rows]
    return Code(
        program, np.array(words, np.int64).reshape(-1, ROW_WORDS), np.array(side, np.int64), bytes(program.pool)
    )
