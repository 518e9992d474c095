"""Extended-precision integer arithmetic (PTX ISA 9.0, 9.7.2).

PTX has one condition code, which these instructions read and write without naming it. Here it is a predicate like any
other: `q` is the carry out, `carry` the carry in. The assembler adds it to text that follows PTX, so that
`add.cc.u32 %r1, %r2, %r3;` is read as `add.cc.u32 %r1|%cc, %r2, %r3;`.
"""

from __future__ import annotations

from typing import Any

from .instr import Instr, Kind, Op

V = Any
_TYPES = ("u32", "s32", "u64", "s64")
_READERS, _WRITERS = ("addc", "subc", "madc"), ("add", "sub", "mad")


def condition_code(opcode: str) -> tuple[bool, bool]:
    """Whether an opcode reads the condition code, and whether it writes it."""
    mnemonic, *modifiers = opcode.split(".")
    reads = mnemonic in _READERS
    return reads, "cc" in modifiers and (reads or mnemonic in _WRITERS)


def _one(p: V, like: V) -> V:
    return p.where(like.const(1), like.const(0))


def _sum(a: V, b: V, carry: V | None) -> tuple[V, V]:
    """a + b + carry of unsigned values, and its carry out."""
    first = a + b
    out = first < a
    if carry is None:
        return first, out
    total = first + _one(carry, a)
    return total, out | (total < first)


def _difference(a: V, b: V, carry: V | None) -> tuple[V, V]:
    """a - b - 1 + carry of unsigned values (carry 1 if there is none), and the carry of a + ~b + carry.

    The manual calls the condition code a borrow here, but silicon subtracts by adding: code that nvcc emits reads what
    `sub.cc` left by `addc` and expects 1 where nothing was borrowed.
    """
    first = a - b
    if carry is None:
        return first, ~(a < b)
    total = first - _one(~carry, a)
    return total, ~((a < b) | (first < total))


def _unsigned(a: V) -> V:
    return a.bits(f"u{a.t[1:]}")


def _finish(op: Op, result: tuple[V, V], t: str) -> V | tuple[V, V]:
    d = result[0].bits(t)
    return (d, result[1]) if "cc" in op.mods else d


def add(op: Op, a: V, b: V, carry: V | None = None) -> Any:
    return _finish(op, _sum(_unsigned(a), _unsigned(b), carry), a.t)


def sub(op: Op, a: V, b: V, carry: V | None = None) -> Any:
    return _finish(op, _difference(_unsigned(a), _unsigned(b), carry), a.t)


def mad(op: Op, a: V, b: V, c: V, carry: V | None = None) -> Any:
    product = a * b if op.mods["half"] == "lo" else a.mulhi(b)
    return _finish(op, _sum(_unsigned(product), _unsigned(c), carry), a.t)


def mad_sat(op: Op, a: V, b: V, c: V, carry: V) -> V:
    """Not saturated: NVIDIA's assembler takes .sat and ignores it."""
    return a.mulhi(b) + c + _one(carry, a)


def _rows(name: str, operands: str, meaning: str, section: str, lane: Any, latency: str, half: str = "") -> list[Instr]:
    """The three forms of one operation: carry out, carry in, both."""
    slots = {"type": _TYPES, **({"half": ("lo", "hi")} if half else {})}
    with_halves = slots if half else {**slots, "type": (*_TYPES, "u16", "s16")}
    carry = {"carry": "pred"}
    source = f"PTX ISA 9.0, 9.7.2.{section}"

    def row(syntax: str, text: str, types: dict[str, str], slots: dict[str, tuple[str, ...]] = slots) -> Instr:
        return Instr(syntax, slots, Kind.LANE, latency, text, source, lane, operand_types=types)

    return [
        row(f"{name}{half}.cc.type d|q, {operands}", f"d = {meaning}; q = the carry out", {}),
        row(f"{name}c{half}.type d, {operands}, carry", f"d = {meaning}, and the carry", carry, with_halves),
        row(f"{name}c{half}.cc.type d|q, {operands}, carry", f"d = {meaning}, and the carry; q = the carry out", carry),
    ]


ROWS = (
    *_rows("add", "a, b", "a + b", "1", add, "alu"),
    *_rows("sub", "a, b", "a - b", "3", sub, "alu"),
    *_rows("mad", "a, b, c", "a half of a * b, plus c", "5", mad, "imad", ".half"),
    Instr("madc.hi.sat.type d, a, b, c, carry", {"type": ("s32",)}, Kind.LANE, "imad_hi",
          "d = high half of a * b, plus c and the carry (.sat is ignored, as on silicon)", "PTX ISA 9.0, 9.7.2.6", mad_sat,
          operand_types={"carry": "pred"}),
)  # fmt: skip
