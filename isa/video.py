"""Scalar video instructions (PTX ISA 9.0, 9.7.17): parts of registers, saturation, a second operation or a merge.

Hopper has none of them in hardware: NVIDIA's assembler writes a sequence of ordinary instructions. Some of its
sequences differ from the manual where an intermediate result does not fit 32 bits (.sat, .min and .max of sums and shifts):
there these functions follow the manual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .arith import clamp_to
from .compare import ORDERED, holds
from .instr import Instr, Kind, Op
from .selectors import PART, negated, selector

V = Any
TYPES = ("u32", "s32")
SECOND = ("add", "min", "max")


def part(op: Op, name: str, a: V) -> V:
    """The selected byte, half or word of a source, extended by its type to s64."""
    chosen = selector(op, name)
    bits = {"b": 8, "h": 16, "": 32}[chosen[:1]]
    place = bits * int(chosen[1:] or "0")
    return ((a << a.const(32 - bits - place)) >> a.const(32 - bits)).to("s64")


def saturated(op: Op, wide: V) -> V:
    """Under .sat clamped to the range of the destination, whose selector says how wide it is."""
    if "sat" not in op.mods:
        return wide
    return clamp_to(wide, op.mods.get("dtype", "u32")[0], {"b": 8, "h": 16, "": 32}[selector(op, "d")[:1]])


def second(op: Op, wide: V, c: V) -> V:
    """The secondary operation of the s64 result and c, whose sign the first type says (as on silicon)."""
    name = op.mods["op2"]
    other = c.bits(op.mods.get("dtype", op.mods["atype"])).to("s64")
    if name == "add":
        return wide + other
    return ((wide < other) if name == "min" else (wide > other)).where(wide, other)


def merged(op: Op, d: V, c: V) -> V:
    """The low bits of a result in the selected part of c."""
    chosen = selector(op, "d")
    if not chosen:
        return d
    if chosen == "h1":
        d = d >> d.const(16)  # NVIDIA's assembler takes the upper half of the result here
    bits = {"b": 8, "h": 16}[chosen[0]]
    mask, place = (1 << bits) - 1, bits * int(chosen[1])
    return ((d & d.const(mask)) << d.const(place)) | (c & c.const(~(mask << place)))


def _finish(op: Op, wide: V, rest: tuple[V, ...]) -> V:
    t = op.mods.get("dtype", "u32")
    wide = saturated(op, wide)
    if "op2" in op.mods:
        return second(op, wide, rest[0]).to(t)
    return merged(op, wide.to(t), rest[0]) if rest else wide.to(t)


def add(op: Op, a: V, b: V, *c: V) -> V:
    return _finish(op, part(op, "a", a) + part(op, "b", b), c)


def sub(op: Op, a: V, b: V, *c: V) -> V:
    return _finish(op, part(op, "a", a) - part(op, "b", b), c)


def absdiff(op: Op, a: V, b: V, *c: V) -> V:
    return _finish(op, (part(op, "a", a) - part(op, "b", b)).abs(), c)


def minimum(op: Op, a: V, b: V, *c: V) -> V:
    x, y = part(op, "a", a), part(op, "b", b)
    return _finish(op, (x < y).where(x, y), c)


def maximum(op: Op, a: V, b: V, *c: V) -> V:
    x, y = part(op, "a", a), part(op, "b", b)
    return _finish(op, (x > y).where(x, y), c)


def _amount(op: Op, b: V) -> V:
    """A shift amount: modulo 32, or at most 32."""
    n = part(op, "b", b)
    if op.mods["mode"] == "wrap":
        return n & n.const(31)
    return (n > n.const(32)).where(n.const(32), n)


def shl(op: Op, a: V, b: V, *c: V) -> V:
    return _finish(op, part(op, "a", a) << _amount(op, b), c)


def shr(op: Op, a: V, b: V, *c: V) -> V:
    return _finish(op, part(op, "a", a) >> _amount(op, b), c)


def compare(op: Op, a: V, b: V, *c: V) -> V:
    x, y = part(op, "a", a), part(op, "b", b)
    return _finish(op, holds(op.mods["cmp"], x, y).where(x.const(1), x.const(0)), c)


def mad(op: Op, a: V, b: V, c: V) -> V:
    """In 64 signed bits: words count as signed whatever their type says, as on silicon."""
    product = part(op, "a", a).to("s32").to("s64") * part(op, "b", b).to("s32").to("s64")
    addend = c.bits("s32").to("s64")
    minus = negated(op, "a") != negated(op, "b")
    total = (-product if minus else product) + (-addend if negated(op, "c") else addend)
    if "po" in op.mods:
        total = total + total.const(1)
    d = total >> total.const(int(op.mods.get("scale", "shr0")[3:]))
    signed = minus or negated(op, "c") or "s32" in (op.mods["atype"], op.mods["btype"])
    if "sat" in op.mods:
        d = clamp_to(d, "s" if signed else "u", 32)
    return d.to(op.mods["dtype"])


def _signs(imm: Mapping[str, int], mods: Mapping[str, str]) -> str | None:
    """What is wrong with the signs of the sources of vmad."""
    factors, addend = ("a_neg" in imm) != ("b_neg" in imm), "c_neg" in imm
    if factors and addend:
        return "either a factor or the addend has a minus sign"
    return "no source has a minus sign beside .po" if "po" in mods and (factors or addend) else None


_SOURCES = {"a": PART, "b": PART}


def _row(syntax: str, slots: Mapping[str, tuple[str, ...]], meaning: str, section: str, lane: Callable[..., V],
         types: dict[str, str], **more: Any) -> Instr:  # fmt: skip
    return Instr(syntax, slots, Kind.LANE, "video", meaning, f"PTX ISA 9.0, 9.7.17.{section}", lane, operand_types=types,
                 **{"selectors": _SOURCES, **more})  # fmt: skip


def _forms(head: str, slots: Mapping[str, tuple[str, ...]], meaning: str, section: str, lane: Callable[..., V],
           types: dict[str, str]) -> list[Instr]:  # fmt: skip
    """The three forms of an operation: alone, with a second operation, merged into c."""
    types_c = {**types, "c": types["d"]}
    return [
        _row(f"{head} d, a, b", slots, meaning, section, lane, types),
        _row(f"{head}.op2 d, a, b, c", {**slots, "op2": SECOND}, f"{meaning}, then op2 with c", section, lane, types_c),
        _row(f"{head} d, a, b, c", slots, f"{meaning}, as the selected part of d; the rest from c", section, lane,
             types_c, form="merge", selectors={**_SOURCES, "d": PART}),
    ]  # fmt: skip


def _rows() -> list[Instr]:
    typed = {"d": "dtype", "a": "atype", "b": "btype"}
    slots = {"dtype": TYPES, "atype": TYPES, "btype": TYPES}
    rows: list[Instr] = []
    for name, text, section, lane in (
        ("vadd", "d = a + b", "1", add), ("vsub", "d = a - b", "1", sub), ("vabsdiff", "d = |a - b|", "1", absdiff),
        ("vmin", "d = the smaller of a and b", "1", minimum), ("vmax", "d = the larger of a and b", "1", maximum),
    ):  # fmt: skip
        rows += _forms(f"{name}.dtype.atype.btype{{.sat}}", slots, text, section, lane, typed)
    shift = {"dtype": TYPES, "atype": TYPES, "mode": ("clamp", "wrap")}
    kinds = {"d": "dtype", "a": "atype", "b": "u32"}
    for name, text, lane in (("vshl", "d = a << b", shl), ("vshr", "d = a >> b", shr)):
        text += ", b at most 32 or modulo 32"
        rows += _forms(f"{name}.dtype.atype.u32{{.sat}}.mode", shift, text, "2", lane, kinds)
    rows.append(
        _row("vmad.dtype.atype.btype{.po}{.sat}{.scale} d, a, b, c", {**slots, "scale": ("shr7", "shr15")},
             "d = a * b + c, with signs; .po: plus one; shifted right", "3", mad, {**typed, "c": "dtype"},
             signs=("a", "b", "c"), check_imm=_signs)
    )  # fmt: skip
    compares = {"atype": TYPES, "btype": TYPES, "cmp": ORDERED}
    kinds = {"d": "u32", "a": "atype", "b": "btype"}
    rows += _forms("vset.atype.btype.cmp", compares, "d = 1 where a cmp b, else 0", "4", compare, kinds)
    return rows


ROWS = tuple(_rows())
