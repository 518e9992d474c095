"""Comparison and selection (PTX ISA 9.0, 9.7.6 and 9.7.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind, Op
from .rounding import flush, halves
from .types import LANE_BITS

V = Any
INT = ("u16", "u32", "u64", "s16", "s32", "s64")
RAW = ("b16", "b32", "b64")
FLOAT = ("f32", "f64", "f16", "bf16")
PACKED = ("f16x2", "bf16x2")
ORDERED = ("eq", "ne", "lt", "le", "gt", "ge")
UNSIGNED = ("lo", "ls", "hi", "hs")
UNORDERED = ("equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")
BOOL = ("and", "or", "xor")
_SAME_AS = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}


def holds(cmp: str, a: V, b: V) -> V:
    """The predicate `a cmp b` for one pair of values."""
    cmp = _SAME_AS.get(cmp, cmp)
    number: V = (a == a) & (b == b) if cmp in ("num", "nan", "ne") or cmp.endswith("u") else None
    if cmp == "num":
        return number
    if cmp == "nan":
        return ~number
    base = cmp[:2]
    result = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[base]
    if cmp == "ne":
        return result & number
    return result | ~number if cmp.endswith("u") else result


def compare(op: Op, a: V, b: V) -> V:
    """The compare of an op, after flushing subnormal inputs where it says .ftz."""
    return holds(op.mods["cmp"], flush(op, a), flush(op, b))


def combine(op: Op, p: V, c: V) -> V:
    """`p` combined with a third predicate by the op's .and, .or or .xor."""
    return {"and": lambda: p & c, "or": lambda: p | c, "xor": lambda: p ^ c}[op.mods["bool"]]()


def setp(op: Op, a: V, b: V) -> V:
    return compare(op, a, b)


def setp_both(op: Op, a: V, b: V) -> tuple[V, V]:
    p = compare(op, a, b)
    return p, ~p


def setp_bool(op: Op, a: V, b: V, c: V) -> V:
    return combine(op, compare(op, a, b), c)


def setp_bool_not(op: Op, a: V, b: V, c: V) -> V:
    return combine(op, compare(op, a, b), ~c)


def setp_bool_both(op: Op, a: V, b: V, c: V) -> tuple[V, V]:
    p = compare(op, a, b)
    return combine(op, p, c), combine(op, ~p, c)


def setp_bool_both_not(op: Op, a: V, b: V, c: V) -> tuple[V, V]:
    return setp_bool_both(op, a, b, ~c)


def _packed(op: Op, a: V, b: V) -> tuple[V, V]:
    t = op.mods["type"][:-2]
    (a0, a1), (b0, b1) = halves(a, t), halves(b, t)
    return compare(op, a0, b0), compare(op, a1, b1)


def setp_packed_low(op: Op, a: V, b: V) -> V:
    return _packed(op, a, b)[0]


def setp_packed_low_bool(op: Op, a: V, b: V, c: V) -> V:
    return combine(op, _packed(op, a, b)[0], c)


def setp_packed_low_bool_not(op: Op, a: V, b: V, c: V) -> V:
    return setp_packed_low_bool(op, a, b, ~c)


def setp_packed(op: Op, a: V, b: V) -> tuple[V, V]:
    return _packed(op, a, b)


def setp_packed_bool(op: Op, a: V, b: V, c: V) -> tuple[V, V]:
    p, q = _packed(op, a, b)
    return combine(op, p, c), combine(op, q, c)


def setp_packed_bool_not(op: Op, a: V, b: V, c: V) -> tuple[V, V]:
    return setp_packed_bool(op, a, b, ~c)


def _as(p: V, t: str, like: V) -> V:
    """A predicate as a number of type `t`: 1.0 for floats, all ones for integers."""
    zero = like.bits(f"u{LANE_BITS[like.t]}")
    if t == "f32":
        word = zero.to("u32")
        return p.where(word.const(0x3F800000), word.const(0)).bits("f32")
    if t in ("f16", "bf16"):
        word = zero.to("u16")
        return p.where(word.const(0x3C00 if t == "f16" else 0x3F80), word.const(0)).bits(t)
    word = zero.to(t)
    return p.where(word.const(-1), word.const(0))


def set_(op: Op, a: V, b: V) -> V:
    return _as(compare(op, a, b), op.mods["dtype"], a)


def set_bool(op: Op, a: V, b: V, c: V) -> V:
    return _as(combine(op, compare(op, a, b), c), op.mods["dtype"], a)


def set_bool_not(op: Op, a: V, b: V, c: V) -> V:
    return set_bool(op, a, b, ~c)


def set_packed(op: Op, a: V, b: V) -> V:
    return _pair_as(op, a, *_packed(op, a, b))


def set_packed_bool(op: Op, a: V, b: V, c: V) -> V:
    return _pair_as(op, a, *(combine(op, p, c) for p in _packed(op, a, b)))


def set_packed_bool_not(op: Op, a: V, b: V, c: V) -> V:
    return set_packed_bool(op, a, b, ~c)


def _pair_as(op: Op, a: V, p: V, q: V) -> V:
    """Two predicates as the halves of a packed result."""
    ones = 0xFFFF if op.mods["dtype"] in ("u32", "s32") else 0x3C00 if op.mods["dtype"] == "f16x2" else 0x3F80
    low = p.where(a.const(ones), a.const(0))
    result = low | q.where(a.const(ones << 16), a.const(0))
    return result.bits("s32") if op.mods["dtype"] == "s32" else result


def selp(op: Op, a: V, b: V, c: V) -> V:
    return c.where(a, b)


def slct(op: Op, a: V, b: V, c: V) -> V:
    c = flush(op, c)
    return (c >= c.const(0)).where(a, b)


def compare_is_defined(mods: Mapping[str, str]) -> str | None:
    """Which compares exist for which operand types."""
    t, cmp = mods.get("stype", mods["type"] if "stype" not in mods else ""), mods["cmp"]
    if t[0] == "b" and t[1] != "f" and cmp not in ("eq", "ne"):
        return f".{t} values compare with .eq and .ne only"
    if t[0] in "us" and cmp in UNORDERED:
        return f".{cmp} is a floating-point compare"
    if t[0] != "u" and cmp in UNSIGNED:
        return f".{cmp} compares unsigned integers"
    if "ftz" in mods and t not in ("f32", "f16", "f16x2"):
        return f".ftz is not for .{t}"
    return None


_ALL = (*ORDERED, *UNSIGNED, *UNORDERED)
_SETP = {"cmp": _ALL, "type": (*INT, *RAW, *FLOAT)}
_C = {"c": "pred"}


def _setp(syntax: str, slots: dict[str, tuple[str, ...]], form: str, lane: Any, meaning: str) -> Instr:
    types = _C if syntax.endswith("c") else {}
    return Instr(syntax, slots, Kind.LANE, "alu", meaning, "PTX ISA 9.0, 9.7.6.2", lane, operand_types=types,
                 check=compare_is_defined, form=form)  # fmt: skip


def _setp_rows() -> list[Instr]:
    more = {**_SETP, "bool": BOOL}
    pairs = {"cmp": _ALL, "type": (*INT, *RAW, "f32", "f64")}
    more_pairs, packed = {**pairs, "bool": BOOL}, {"cmp": (*ORDERED, *UNORDERED), "type": PACKED}
    one = "p = a cmp b"
    two = "p = a cmp b; q = not (a cmp b)"
    third = ", each combined with c"
    pair = "p, q = compare of the low and of the high halves"
    low = "p = compare of the low halves"
    return [
        _setp("setp.cmp{.ftz}.type p, a, b", _SETP, "", setp, one),
        _setp("setp.cmp{.ftz}.type p|q, a, b", pairs, "both", setp_both, two),
        _setp("setp.cmp.bool{.ftz}.type p, a, b, c", more, "", setp_bool, one + third),
        _setp("setp.cmp.bool{.ftz}.type p, a, b, !c", more, "not", setp_bool_not, one + third + " inverted"),
        _setp("setp.cmp.bool{.ftz}.type p|q, a, b, c", more_pairs, "both", setp_bool_both, two + third),
        _setp("setp.cmp.bool{.ftz}.type p|q, a, b, !c", more_pairs, "both_not", setp_bool_both_not,
              two + third + " inverted"),
        _setp("setp.cmp{.ftz}.type p, a, b", packed, "low", setp_packed_low, low),
        _setp("setp.cmp.bool{.ftz}.type p, a, b, c", {**packed, "bool": BOOL}, "low", setp_packed_low_bool, low + third),
        _setp("setp.cmp.bool{.ftz}.type p, a, b, !c", {**packed, "bool": BOOL}, "low_not", setp_packed_low_bool_not,
              low + third + " inverted"),
        _setp("setp.cmp{.ftz}.type p|q, a, b", packed, "", setp_packed, pair),
        _setp("setp.cmp.bool{.ftz}.type p|q, a, b, c", {**packed, "bool": BOOL}, "", setp_packed_bool, pair + third),
        _setp("setp.cmp.bool{.ftz}.type p|q, a, b, !c", {**packed, "bool": BOOL}, "not", setp_packed_bool_not,
              pair + third + " inverted"),
    ]  # fmt: skip


def _set_rows() -> list[Instr]:
    numbers = {"cmp": _ALL, "dtype": ("u32", "s32", "f32", "f16", "bf16"), "stype": (*INT, *RAW, "f32", "f64")}
    half = {
        "cmp": (*ORDERED, *UNORDERED),
        "dtype": ("u16", "s16", "u32", "s32", "f16", "bf16"),
        "stype": ("f16", "bf16"),
    }
    packed = {"cmp": (*ORDERED, *UNORDERED), "dtype": ("f16x2", "bf16x2", "u32", "s32"), "type": PACKED}
    types = {"d": "dtype", "a": "stype", "b": "stype"}
    text, source = "d = all ones or 1.0 where a cmp b, else 0", "PTX ISA 9.0, 9.7.6.1"

    def row(syntax: str, slots: dict[str, tuple[str, ...]], form: str, lane: Any, meaning: str, kinds: Any) -> Instr:
        return Instr(syntax, slots, Kind.LANE, "alu", meaning, source, lane, operand_types=kinds, form=form,
                     check=_set_is_defined)  # fmt: skip

    out = []
    for slots in (numbers, half):
        more = {**slots, "bool": BOOL}
        out.append(row("set.cmp{.ftz}.dtype.stype d, a, b", slots, "", set_, text, types))
        out.append(row("set.cmp.bool{.ftz}.dtype.stype d, a, b, c", more, "", set_bool, text, {**types, **_C}))
        out.append(row("set.cmp.bool{.ftz}.dtype.stype d, a, b, !c", more, "not", set_bool_not, text, {**types, **_C}))
    both, text = {"d": "dtype"}, "set for both halves"
    more = {**packed, "bool": BOOL}
    out.append(row("set.cmp{.ftz}.dtype.type d, a, b", packed, "", set_packed, text, both))
    out.append(row("set.cmp.bool{.ftz}.dtype.type d, a, b, c", more, "", set_packed_bool, text, {**both, **_C}))
    out.append(row("set.cmp.bool{.ftz}.dtype.type d, a, b, !c", more, "not", set_packed_bool_not, text, {**both, **_C}))
    return out


def _set_is_defined(mods: Mapping[str, str]) -> str | None:
    source, dest = mods.get("stype", mods.get("type", "")), mods["dtype"]
    if dest == "bf16" and "ftz" in mods:
        return ".ftz is not for .bf16 results"
    if (dest, source) == ("bf16", "f16"):
        return compare_is_defined(mods)
    if source in ("f16", "bf16", *PACKED) and dest in ("f16", "bf16", *PACKED) and dest != source:
        return f".{dest} results come from .{dest} operands"
    return compare_is_defined(mods)


_SELECT = (*RAW, *INT, "f32", "f64")
ROWS = (
    *_setp_rows(),
    *_set_rows(),
    Instr("selp.type d, a, b, c", {"type": _SELECT}, Kind.LANE, "alu", "d = a where c holds, else b",
          "PTX ISA 9.0, 9.7.6.3",
          selp, operand_types=_C),
    Instr("slct{.ftz}.type.ctype d, a, b, c", {"type": _SELECT, "ctype": ("s32", "f32")}, Kind.LANE, "alu",
          "d = a where c >= 0, else b (b where c is NaN)", "PTX ISA 9.0, 9.7.6.4", slct, operand_types={"c": "ctype"},
          check=lambda m: ".ftz needs .f32 to test" if "ftz" in m and m["ctype"] != "f32" else None),
)  # fmt: skip
