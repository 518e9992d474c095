"""What an opcode with operands of some shapes wants, and whether registers and constants fit a type.

The rules are PTX's (ISA 9.0, 9.4): sizes must agree; untyped bits go with everything, signed with unsigned, a
float only with the same float. Loads, stores and conversions also take registers wider than their type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from assembler.program import BOTH, READ, WRITE
from assembler.syntax import (
    Address,
    Apply,
    ArgList,
    Binary,
    Name,
    Not,
    Number,
    Operand,
    PredPair,
    Sink,
    Unary,
    Vector,
)
from assembler.variables import float_bits
from isa.instr import Kind, Op
from isa.instr import Operand as Wanted
from isa.table import resolve
from isa.types import TYPES, Type

SPACES = {
    "global",
    "const",
    "shared",
    "local",
    "param",
    "shared::cta",
    "shared::cluster",
    "param::entry",
    "param::func",
}
EXACT = frozenset(("bf16", "bf16x2", "tf32", "e4m3x2", "e5m2x2"))
"""Types whose conversions take registers of just their width, as ptxas has it."""
ROLES = {"r": READ, "w": WRITE, "rw": BOTH}
_SHAPES = {
    Name: "r",
    Number: "r",
    Unary: "r",
    Binary: "r",
    Apply: "r",
    Sink: "r",
    Not: "!r",
    Address: "[]",
    ArgList: "()",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One operand a plan wants: its description, number, role and type, whether wider registers will do."""

    wanted: Wanted
    group: int
    role: int
    type: Type | None
    code: int
    wide: bool
    space: str = ""  # of an address; "" is generic

    @property
    def form(self) -> str:
        """Form of the operand ("reg", "mem", …)."""
        return self.wanted.form


@dataclass(frozen=True, slots=True)
class Plan:
    """An opcode resolved for operands of given shapes; `specs` has one entry, or a pair, for each written operand."""

    op: Op
    name: str
    kind: int
    specs: tuple[tuple[Spec, ...], ...]
    immediates: bool
    inverted: frozenset[int] = field(default_factory=frozenset)  # written operands whose `!` needs a step of its own


def shape(operand: Operand) -> str:
    """Shape of an operand as `resolve` knows it."""
    if type(operand) is Vector:
        return f"{{{len(operand.items)}}}" if len(operand.items) > 1 else "r"  # `{a}` is `a`
    if type(operand) is PredPair:
        return "r|r"
    return _SHAPES[type(operand)]


@lru_cache(maxsize=65536)
def plan(opcode: str, shapes: tuple[str, ...]) -> Plan:
    """What `opcode` wants with operands of these shapes; raises IsaError."""
    inverted: frozenset[int] = frozenset()
    try:
        op = resolve(opcode, shapes)
    except Exception:
        if "!r" not in shapes:
            raise
        op = resolve(opcode, tuple("r" if s == "!r" else s for s in shapes))
        inverted = frozenset(i for i, s in enumerate(shapes) if s == "!r")
        shapes = tuple("r" if s == "!r" else s for s in shapes)
    wide = op.kind in (Kind.LD, Kind.ST, Kind.ROWSP_ST, Kind.DYMM_ST, Kind.DYMM_LDRED)
    wide |= op.instr.mnemonic == "cvt" and not set(op.types) & EXACT
    spaces = _spaces(op)
    specs = tuple(
        tuple(_spec(w, number, wide, spaces.get(number, "")) for number, w in group) for group in _align(op, shapes)
    )
    immediates = op.kind == Kind.LANE and any(o.form == "imm" for o in op.operands)
    return Plan(op, op.name, int(op.kind), specs, immediates, inverted)


def _spaces(op: Op) -> dict[int, str]:
    """State space of each address by operand number; `.shared.global` are those of the first and second one."""
    spaces = [m for m in op.mods.values() if m in SPACES]
    if any(operand.form == "tensor" for operand in op.operands):  # the tensor itself is global, its map generic
        spaces.remove("global")
    memory = [n for n, operand in enumerate(op.operands) if operand.form == "mem" and operand.name != "m"]
    barriers = {n: "shared::cluster" for n, operand in enumerate(op.operands) if operand.name == "m" and spaces}
    if not spaces or op.kind in (Kind.DYMM_ST, Kind.DYMM_LDRED):
        return {}
    return {**{number: spaces[min(i, len(spaces) - 1)] for i, number in enumerate(memory)}, **barriers}


def _spec(wanted: Wanted, group: int, wide: bool, space: str) -> Spec:
    kind = TYPES.get(wanted.type)
    role = READ if wanted.form in ("mem", "tensor") else ROLES[wanted.role]
    return Spec(wanted, group, role, kind, kind.code if kind else 0, wide, space)


def _align(op: Op, shapes: tuple[str, ...]) -> list[list[tuple[int, Wanted]]]:
    """The op's operands that are written, pairs together, each with its number among all of them."""
    groups: list[list[tuple[int, Wanted]]] = []
    for number, wanted in enumerate(op.operands):
        if wanted.paired:
            groups[-1].append((number, wanted))
        else:
            groups.append([(number, wanted)])
    taken = _take(groups, shapes)
    assert taken is not None, (op.name, shapes)
    return taken


def _take(groups: list[list[tuple[int, Wanted]]], shapes: tuple[str, ...]) -> list[list[tuple[int, Wanted]]] | None:
    if not groups:
        return None if shapes else []
    first = groups[0]
    if shapes and _written(first, shapes[0]):
        rest = _take(groups[1:], shapes[1:])
        if rest is not None:
            return [first if shapes[0] == "r|r" else first[:1], *rest]
    return _take(groups[1:], shapes) if first[0][1].optional else None


def _written(group: list[tuple[int, Wanted]], text: str) -> bool:
    wanted = group[0][1]
    if wanted.form in ("mem", "tensor") or text == "[]":
        return wanted.form in ("mem", "tensor") and text == "[]"
    if wanted.form == "args" or text == "()":
        return wanted.form == "args" and text == "()"
    if wanted.form == "vec":
        return text == f"{{{wanted.count}}}" or text == "r"
    return text in ("r", "!r") or (text == "r|r" and len(group) == 2)


@lru_cache(maxsize=4096)
def fits(wanted: str, bits: int, register_type: str, wide: bool) -> bool:
    """Whether a register of `register_type` may stand for an operand of type `wanted`."""
    kind, own = TYPES[wanted], TYPES[register_type]
    if kind.cls == "pred" or bits == 0:
        return kind.cls == "pred" and bits == 0
    if bits != kind.bits and not (wide and bits > kind.bits):
        return False
    if kind.cls == "b":
        return True
    if kind.cls == "f":
        return own.cls == "b" or own.name == kind.name
    return own.cls != "f" and (own.cls != "pred")


def constant_bits(number: Number, kind: Type) -> tuple[int | None, str]:
    """(raw bits of a constant as an operand of type `kind`, what to complain about); None if it cannot be one."""
    if kind.cls == "pred":
        return (int(number.value != 0), "") if number.kind == "int" else (None, "")
    if kind.cls == "f":
        if kind.name not in ("f32", "f64"):
            return None, f"there are no constants of type .{kind.name}; move one into a register with mov.b{kind.bits}"
        bits = float_bits(number, kind)
        return bits, "" if bits is not None else f"write it as {number.value}.0"
    if number.kind != "int":
        typed = (
            kind.cls == "b"
            and number.kind == f"f{kind.bits}"
            and number.span.text.lower().lstrip("-").startswith(("0f", "0d"))
        )
        return (number.value, "") if typed else (None, f"a floating-point constant is not a .{kind.name}")
    value, limit = number.value, 1 << kind.bits
    lost = (
        ""
        if -(limit >> 1) <= value < limit
        else f"{value} does not fit .{kind.name}; its low {kind.bits} bits are used"
    )
    return value % limit, lost
