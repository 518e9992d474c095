"""Steps the assembler itself adds: moves, loads and stores for parameters, calls and the stack."""

from __future__ import annotations

from functools import lru_cache

from assembler.program import OUTER, OUTER_MEM, READ, WRITE, Body, Entry, Place, Register, Step, Variable
from isa.image import OperandKind
from isa.table import resolve
from isa.types import TYPES


@lru_cache(maxsize=1024)
def _canonical(opcode: str) -> tuple[str, int]:
    op = resolve(opcode)
    return op.name, int(op.instr.kind)


def code(type_name: str) -> int:
    """Number of a PTX type in the columns."""
    return int(TYPES[type_name].code)


def step(opcode: str, entries: list[Entry], place: Place, guard: int = 0, early: bool = False) -> Step:
    """A step of `opcode`; its entries' groups are their positions."""
    name, kind = _canonical(opcode)
    placed = [(k, role, t, i, value, offset) for i, (k, role, t, _, value, offset) in enumerate(entries)]
    return Step(name, kind, guard, placed, place, early, added=True)


def renamed(old: Step, opcode: str) -> Step:
    """`old` with another opcode and the same operands."""
    name, kind = _canonical(opcode)
    return Step(name, kind, old.guard, old.entries, old.place, old.early)


def register(body: Body | None, target: Register, role: int, type_name: str) -> Entry:
    """An entry that names `target`, of `body` if it is one of that body's registers."""
    if body is not None and target.number >= 0 and body.registers[target.number : target.number + 1] == [target]:
        return (int(OperandKind.REG), role, code(type_name), 0, target.number, 0)
    return (OUTER, role, code(type_name), 0, target, 0)


def constant(value: int, type_name: str) -> Entry:
    """An immediate."""
    return (int(OperandKind.CONST), READ, code(type_name), 0, value, 0)


def memory(variable: Variable, offset: int) -> Entry:
    """The address of `variable` plus `offset`."""
    return (int(OperandKind.MEM_SYM), READ, code("b64"), 0, variable.number, offset)


def at(base: Register, offset: int) -> Entry:
    """The address in `base`, a register outside the body, plus `offset`."""
    return (OUTER_MEM, READ, code("b32"), 0, base, offset)


def converted(entry: Entry, role: int, type_name: str) -> Entry:
    """`entry` with another role and type."""
    return (entry[0], role, code(type_name), 0, entry[4], entry[5])


def copy_opcode(to_bits: int, to_type: str, from_bits: int, signed: bool) -> tuple[str, str, str]:
    """(opcode, type of the result, type of the source) that copies an integer or raw value between widths."""
    to_bits = max(to_bits, 16)
    if to_bits == from_bits:
        return f"mov.b{to_bits}", f"b{to_bits}", f"b{from_bits}"
    sign = "s" if signed and to_bits > from_bits else "u"
    return f"cvt.{sign}{to_bits}.{sign}{from_bits}", f"{sign}{to_bits}", f"{sign}{from_bits}"


def copy(
    target: Entry, to_bits: int, source: Entry, from_bits: int, signed: bool, place: Place, guard: int = 0
) -> Step:
    """target = source, widened or cut to `to_bits`."""
    opcode, to_type, from_type = copy_opcode(to_bits, "", from_bits, signed)
    entries = [converted(target, WRITE, to_type), converted(source, READ, from_type)]
    return step(opcode, entries, place, guard, early=to_bits != from_bits)


def bits(type_name: str) -> int:
    """Width of a PTX type."""
    return int(TYPES[type_name].bits)


def load(target: Entry, address: Entry, width: int, place: Place, guard: int = 0) -> Step:
    """target = `width` bits of local memory at `address`."""
    return step(f"ld.local.b{width}", [converted(target, WRITE, f"b{width}"), address], place, guard)


def store(address: Entry, source: Entry, width: int, place: Place, guard: int = 0) -> Step:
    """`width` bits of local memory at `address` = source."""
    return step(f"st.local.b{width}", [address, converted(source, READ, f"b{width}")], place, guard)
