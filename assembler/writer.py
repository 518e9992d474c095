"""Steps that are written for an instruction which the assembler takes apart (`wmma.py`, `quads.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from assembler import moves
from assembler.program import KIND, OFFSET, READ, ROLE, TYPE, VALUE, WRITE, Body, Entry, Place, Step
from isa.image import OperandKind
from isa.special import SPECIAL
from isa.table import resolve
from isa.types import TYPES

_REG = int(OperandKind.REG)


@dataclass
class Writer:
    """Appends steps that share a place and a guard."""

    body: Body
    place: Place
    guard: int

    def lane(self) -> tuple[Entry, Entry]:
        """Lane / 4 and lane % 4, which the fragments of a basic block share."""
        steps, start = self.body.steps, max(self.body.labels, default=0)
        for n in range(max(start, 0), len(steps) - 2):
            if steps[n].added and any(entry[KIND] == OperandKind.SREG for entry in steps[n].entries):
                return read(steps[n + 1].entries[0][VALUE], 32), read(steps[n + 2].entries[0][VALUE], 32)
        lane, outer, inner = (self.new(32) for _ in range(3))
        for opcode, target, sources in (
            ("mov.u32", lane, [(int(OperandKind.SREG), READ, moves.code("u32"), 0, SPECIAL["%laneid"].number, 0)]),
            ("shr.u32", outer, [read(lane, 32), constant(2)]),
            ("and.b32", inner, [read(lane, 32), constant(3)]),
        ):
            self.add(opcode, written(target, 32), *sources)
            steps[-1].guard, steps[-1].added = 0, True
        return read(outer, 32), read(inner, 32)

    def add(self, opcode: str, *operands: list[Entry] | Entry) -> None:
        """A step with these operands; a list is a vector."""
        op = resolve(opcode)
        entries = [
            self._fitted(entry, number, wanted.type)
            for number, (wanted, operand) in enumerate(zip(op.operands, operands, strict=True))
            for entry in (operand if isinstance(operand, list) else [operand])
        ]
        self.body.steps.append(Step(op.name, int(op.kind), self.guard, entries, self.place))

    def _fitted(self, entry: Entry, number: int, wanted: str) -> Entry:
        """`entry` as operand `number`, of the type that the instruction has there if the width is the same."""
        type_ = moves.code(wanted)
        if entry[KIND] == OperandKind.MEM_REG:
            type_ = entry[TYPE]
        elif entry[KIND] == _REG and self.body.registers[entry[VALUE]].bits != TYPES[wanted].bits:
            type_ = moves.code(f"b{self.body.registers[entry[VALUE]].bits}")
        return (entry[KIND], entry[ROLE], type_, number, entry[VALUE], entry[OFFSET])

    def new(self, bits: int) -> int:
        """Number of a new register."""
        return self.body.new_register("%wmma", f"b{bits}", bits).number

    def word(self, bits: int, opcode: str, *operands: Entry) -> Entry:
        """A new register that `opcode` fills."""
        number = self.new(bits)
        self.add(opcode, written(number, bits), *operands)
        return read(number, bits)


def read(number: int, bits: int) -> Entry:
    """A register that is read."""
    return (_REG, READ, moves.code(f"b{bits}"), 0, number, 0)


def written(number: int, bits: int) -> Entry:
    """A register that is written."""
    return (_REG, WRITE, moves.code(f"b{bits}"), 0, number, 0)


def constant(value: int) -> Entry:
    """An immediate."""
    return moves.constant(value, "u32")


def turned(entry: Entry, role: int) -> Entry:
    """An operand in another role."""
    return (entry[KIND], role, *entry[TYPE:])


def apart(d: list[Entry], factors: list[Entry], c: list[Entry]) -> bool:
    """Whether no tile's sums overwrite what a later tile reads."""
    targets = {entry[VALUE]: n for n, entry in enumerate(d) if entry[KIND] == _REG}
    if len(targets) < len(d) or any(entry[KIND] == _REG and entry[VALUE] in targets for entry in factors):
        return False
    return all(entry[KIND] != _REG or targets.get(entry[VALUE], n) == n for n, entry in enumerate(c))
