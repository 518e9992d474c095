"""Control flow of a program: instructions decoded, basic blocks, and which registers live where.

Sets of registers are integers: bit n is predicate n, bit ``SLOT + n`` register slot n.
"""

from dataclasses import dataclass, field
from functools import cached_property

from isa.image import Image, Operand, OperandKind, Role
from isa.instr import Kind
from isa.types import BY_CODE

from ..ir.build import FULL
from ..load import CONSTANT, Program, Row, row_at
from ..sm.special import Special
from ..state import FLAG_RELEASE, Space

SLOT = 128
ALL = -1
"""Every register."""
CHUNK = 256
"""Instructions that are compiled together, at most."""
_SPACES = (Space.GENERIC, Space.GLOBAL, Space.SHARED, Space.CONST)
_SPECIAL = frozenset(range(Special.TID_X, Special.NCTAID_Z + 1)) | {Special.SYMBOL, Special.VALUE, Special.GPUID}
AMONG_LANES = (Kind.SHFL, Kind.VOTE, Kind.REDUX, Kind.ACTIVEMASK)
"""Instructions of warp.py."""
_ENDS = (Kind.EXIT, Kind.RET, Kind.TRAP)


def _registers(operand: Operand) -> int:
    """The registers an operand names."""
    if operand.kind in (OperandKind.PRED, OperandKind.NPRED):
        return 1 << operand.value
    if operand.kind in (OperandKind.REG, OperandKind.MEM_REG):
        return (1 << max(1, BY_CODE[operand.type].bits // 32)) - 1 << SLOT + operand.value
    return 0


def _names_all(row: Row) -> bool:
    """Whether the membermask is the constant of all lanes; ``activemask`` has none."""
    ref = row.refs[5]
    at = ref - CONSTANT
    known = bool(ref & CONSTANT) and bytes(row.program.pool[at : at + 4]) == FULL.to_bytes(4, "little")
    return known or row.kind == Kind.ACTIVEMASK


@dataclass
class Instruction:
    """A packed instruction and what it does to registers; ``guard`` as in an Image."""

    pc: int
    row: Row
    guard: int
    reads: int = 0
    writes: int = 0

    def __post_init__(self) -> None:
        for operand in self.row.operands:
            used = _registers(operand)
            if operand.role != Role.WRITE or operand.kind == OperandKind.MEM_REG:
                self.reads |= used
            if operand.role != Role.READ:
                self.writes |= used
        if self.guard:
            self.reads |= 1 << abs(self.guard) - 1

    @property
    def kind(self) -> int:
        """The `Kind` the core sees."""
        return self.row.kind

    @cached_property
    def is_translated(self) -> bool:
        """Whether compiled blocks may contain it. Everything else is left to the core."""
        row = self.row
        if self.kind in (Kind.LANE, Kind.BRA):
            return True
        if self.kind == Kind.SREG:
            return row.sub & 0xFF in _SPECIAL
        if self.kind in AMONG_LANES:
            return self.guard == 0 and _names_all(row)
        if self.kind not in (Kind.LD, Kind.ST, Kind.ATOM, Kind.RED):
            return False
        if row.flags & FLAG_RELEASE:
            return False
        space, elements = row.sub >> 8 & 255, row.sub >> 16 & 15
        if self.kind == Kind.LD and space == Space.UNIFORM:
            return elements <= 4
        return space in _SPACES and row.sub & 15 <= 3 and elements <= (4 if self.kind in (Kind.LD, Kind.ST) else 1)

    @property
    def falls_through(self) -> bool:
        """Whether the instruction behind it may follow."""
        return self.guard != 0 or self.kind not in (Kind.BRA, Kind.BRX, *_ENDS)

    def targets(self) -> list[int]:
        """Where it may jump."""
        return [o.value for o in self.row.operands if o.kind == OperandKind.LABEL]


@dataclass
class Block:
    """Instructions without a way in but the first, or out but the last; all of them can be translated."""

    instructions: list[Instruction]
    live: list[int] = field(default_factory=list)
    """Registers that live before each instruction, and behind the last one."""

    @property
    def first(self) -> int:
        """Its first instruction."""
        return self.instructions[0].pc

    @property
    def end(self) -> int:
        """The instruction behind it."""
        return self.instructions[-1].pc + 1


class Routine:
    """A kernel or function: instructions [entry, end)."""

    def __init__(self, image: Image, program: Program, entry: int, end: int, is_kernel: bool) -> None:
        self.entry, self.end, self.is_kernel = entry, end, is_kernel
        self.instructions = [
            Instruction(pc, row_at(image, program, pc), int(image.guard[pc])) for pc in range(entry, end)
        ]
        self.leaders = self._leaders()
        live = self._live()
        self.blocks = self._blocks(live)

    def _leaders(self) -> set[int]:
        """Where control may come from elsewhere: targets, and what follows a branch or what is not translated."""
        out = {self.entry}
        for instruction in self.instructions:
            out.update(instruction.targets())
            if instruction.kind == Kind.BRA or not instruction.is_translated:
                out.add(instruction.pc + 1)
        return out

    def _live(self) -> list[int]:
        """Registers that live before each instruction."""
        live = [0] * (len(self.instructions) + 1)
        live[-1] = 0 if self.is_kernel else ALL
        changed = True
        while changed:
            changed = False
            for i in range(len(self.instructions) - 1, -1, -1):
                now = self._live_before(self.instructions[i], live)
                changed |= now != live[i]
                live[i] = now
        return live

    def _live_before(self, instruction: Instruction, live: list[int]) -> int:
        if instruction.kind == Kind.CALL or (instruction.kind == Kind.RET and not self.is_kernel):
            return ALL
        after = live[instruction.pc + 1 - self.entry] if instruction.falls_through else 0
        for target in instruction.targets():
            inside = self.entry <= target < self.end
            after |= live[target - self.entry] if inside else ALL
        killed = 0 if instruction.guard or not instruction.is_translated else instruction.writes
        return after & ~killed | instruction.reads

    def _blocks(self, live: list[int]) -> list[Block]:
        out: list[Block] = []
        current: list[Instruction] = []

        def close() -> None:
            if current:
                first = current[0].pc - self.entry
                out.append(Block(list(current), live[first : first + len(current) + 1]))
                current.clear()

        for instruction in self.instructions:
            if instruction.pc in self.leaders or len(current) >= CHUNK:
                close()
            if instruction.is_translated:
                current.append(instruction)
        close()
        return out

    def chunks(self) -> list[list[Block]]:
        """Neighbouring blocks that are compiled together."""
        out: list[list[Block]] = []
        size = CHUNK
        for block in self.blocks:
            size += len(block.instructions)
            if size > CHUNK:
                out.append([])
                size = len(block.instructions)
            out[-1].append(block)
        return out
