"""Floating-point arithmetic in f16, bf16, f32 and f64 (PTX ISA 9.0, 9.7.3 and 9.7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import rounding
from .instr import Instr, Kind, Op
from .rounding import canonical, finish, finite, flush, nan, raw, sign_mask
from .selectors import negated

V = Any
RND = ("rn", "rz", "rm", "rp")
_SCALE = {"f32": (2.0**60, 2.0**-126), "f16": (2.0**8, 2.0**-14)}
"""Formats that .ftz is for: a factor that makes small numbers normal ones, and the smallest normal number."""


def _rnd(op: Op) -> str:
    return op.mods.get("rnd", "rn")


def add(op: Op, a: V, b: V) -> V:
    return finish(op, rounding.add(flush(op, a), flush(op, b), _rnd(op)))


def sub(op: Op, a: V, b: V) -> V:
    d = finish(op, rounding.add(flush(op, a), -flush(op, b), _rnd(op)))
    return ((a == a) & (b != b)).where(b, d) if d.t == "f64" else d  # the sign of a NaN stays


def _without_tiny(op: Op, d: V, scaled: V) -> V:
    """Under .ftz a result below the normal numbers is 0, even if rounding makes it the smallest one.

    `scaled` is the result of scaled operands, which has all its bits where the result itself has fewer.
    """
    if "ftz" not in op.mods or d.t not in _SCALE:
        return d
    scale, least = _SCALE[d.t]
    return (scaled.abs() < d.const(scale * least)).where((raw(d) & sign_mask(d)).bits(d.t), d)


def _scaled(a: V) -> V:
    return a * a.const(_SCALE[a.t][0]) if a.t in _SCALE else a


def mul(op: Op, a: V, b: V) -> V:
    x, y, rnd = flush(op, a), flush(op, b), _rnd(op)
    d = rounding.mul(x, y, rnd)
    return finish(op, _without_tiny(op, d, rounding.mul(_scaled(x), y, rnd) if "ftz" in op.mods else d))


def fma(op: Op, a: V, b: V, c: V) -> V:
    """With the signs that the assembler gives an operation it made of a product and a sum."""
    x, y, z = (-v if negated(op, n) else v for n, v in zip("abc", (flush(op, v) for v in (a, b, c)), strict=True))
    rnd = _rnd(op)
    d = rounding.fma(x, y, z, rnd)
    d = finish(op, _without_tiny(op, d, rounding.fma(_scaled(x), y, _scaled(z), rnd) if "ftz" in op.mods else d))
    return ((a == a) & (b == b) & (c != c)).where(c, d) if d.t == "f64" else d  # also where a * b is invalid


def fma_oob(op: Op, a: V, b: V, c: V) -> V:
    """0 where a or b is the NaN 0x7ff7 or 0xfff7, which marks elements out of bounds."""
    mark, magnitude = raw(a).const(0x7FF7), raw(a).const(0x7FFF)
    return (((raw(a) & magnitude) == mark) | ((raw(b) & magnitude) == mark)).where(a.const(0), fma(op, a, b, c))


def div(op: Op, a: V, b: V) -> V:
    x, y, rnd = flush(op, a), flush(op, b), _rnd(op)
    d = rounding.div(x, y, rnd)
    return finish(op, _without_tiny(op, d, rounding.div(_scaled(x), y, rnd) if "ftz" in op.mods else d))


def rcp(op: Op, a: V) -> V:
    return div(op, a.const(1), a)


def sqrt(op: Op, a: V) -> V:
    return finish(op, rounding.sqrt(flush(op, a), _rnd(op)))


def absolute(op: Op, a: V) -> V:
    d = canonical(flush(op, a).abs())
    return (a == a).where(d, a) if a.t == "f64" else d  # a NaN of f64 keeps its sign


def neg(op: Op, a: V) -> V:
    d = canonical(-flush(op, a))
    return (a == a).where(d, a) if a.t == "f64" else d


def _extreme(op: Op, a: V, b: V, larger: bool) -> V:
    """min or max: -0 is below +0, a NaN loses against a number unless the op says .NaN."""
    a, b = flush(op, a), flush(op, b)
    if "xorsign" in op.mods:
        sign = (raw(a) ^ raw(b)) & sign_mask(a)
        a, b = a.abs(), b.abs()
    both = (raw(a) & raw(b)) if larger else (raw(a) | raw(b))
    chosen = ((a > b) if larger else (a < b)).where(a, b)
    d = (a == b).where(both.bits(a.t), chosen)
    a_is_number, b_is_number = a == a, b == b
    if "NaN" in op.mods:
        d = (a_is_number & b_is_number).where(d, nan(a))
    else:
        d = b_is_number.where(a_is_number.where(d, b), a if a.t == "f64" else a_is_number.where(a, nan(a)))
    if "xorsign" in op.mods:
        d = (d == d).where((raw(d) | sign).bits(d.t), d)
    return rounding.relu(d) if "relu" in op.mods else d


def minimum(op: Op, a: V, b: V) -> V:
    return _extreme(op, a, b, larger=False)


def maximum(op: Op, a: V, b: V) -> V:
    return _extreme(op, a, b, larger=True)


def copysign(op: Op, a: V, b: V) -> V:
    sign = sign_mask(a)
    return ((raw(a) & sign) | (raw(b) & ~sign)).bits(a.t)


def testp(op: Op, a: V) -> V:
    zero = a == a.const(0)
    subnormal = (rounding.flush_always(a) == a.const(0)) & ~zero
    tests = {
        "finite": lambda: finite(a),
        "infinite": lambda: ~finite(a) & (a == a),
        "number": lambda: a == a,
        "notanumber": lambda: a != a,
        "normal": lambda: finite(a) & ~subnormal,  # zero counts as normal
        "subnormal": lambda: subnormal,
    }
    return tests[op.mods["test"]]()


def xorsign_is_whole(mods: Mapping[str, str]) -> str | None:
    """.xorsign and .abs come together."""
    return None if ("xorsign" in mods) == ("abs" in mods) else ".xorsign and .abs go together"


def _row(
    syntax: str, types: tuple[str, ...], latency: str, meaning: str, section: str, lane: Any, **more: Any
) -> Instr:
    slots: dict[str, tuple[str, ...]] = {"type": types}
    if ".rnd" in syntax:
        slots["rnd"] = more.pop("rnd", RND)
    slots.update(more.pop("slots", {}))
    return Instr(syntax, slots, Kind.LANE, latency, meaning, f"PTX ISA 9.0, {section}", lane, **more)


def _three(name: str, section: str, half: str, text: str, lane: Any, latency: str) -> list[Instr]:
    """add, sub and mul: one line for each format."""
    tail = ".type d, a, b"
    return [
        _row(f"{name}{{.rnd}}{{.ftz}}{{.sat}}{tail}", ("f32",), latency, text, f"9.7.3.{section}", lane),
        _row(f"{name}{{.rnd}}{tail}", ("f64",), "fp64", text, f"9.7.3.{section}", lane),
        _row(f"{name}{{.rnd}}{{.ftz}}{{.sat}}{tail}", ("f16",), "half", text, f"9.7.4.{half}", lane, rnd=("rn",)),
        _row(f"{name}{{.rnd}}{tail}", ("bf16",), "half", text, f"9.7.4.{half}", lane, rnd=("rn",)),
    ]


def _extremes(name: str, section: str, half: str, word: str, lane: Any) -> list[Instr]:
    text = f"d = the {word} of a and b; a number beats NaN unless .NaN; .xorsign.abs: of magnitudes, sign by xor"
    sign = "{.NaN}{.xorsign}{.abs}"
    return [
        _row(
            f"{name}{{.ftz}}{sign}.type d, a, b",
            ("f32",),
            "alu",
            text,
            f"9.7.3.{section}",
            lane,
            check=xorsign_is_whole,
        ),
        _row(f"{name}.type d, a, b", ("f64",), "fp64", text, f"9.7.3.{section}", lane),
        _row(
            f"{name}{{.ftz}}{sign}.type d, a, b", ("f16",), "half", text, f"9.7.4.{half}", lane, check=xorsign_is_whole
        ),
        _row(f"{name}{sign}.type d, a, b", ("bf16",), "half", text, f"9.7.4.{half}", lane, check=xorsign_is_whole),
    ]


_FMA = "d = a * b + c, rounded once"
_SIGNS = ("a", "c")
OOB = "d = a * b + c, rounded once; 0 where a or b is the NaN 0x7ff7 or 0xfff7"
ROWS = (
    *_three("add", "3", "1", "d = a + b", add, "fadd"),
    *_three("sub", "4", "2", "d = a - b", sub, "fadd"),
    *_three("mul", "5", "3", "d = a * b", mul, "ffma"),
    _row("fma.rnd{.ftz}{.sat}.type d, a, b, c", ("f32",), "ffma", _FMA, "9.7.3.6", fma, inner_signs=_SIGNS),
    _row("fma.rnd.type d, a, b, c", ("f64",), "fp64", _FMA, "9.7.3.6", fma, inner_signs=_SIGNS),
    _row("fma.rnd{.ftz}{.sat}.type d, a, b, c", ("f16",), "half", _FMA, "9.7.4.4", fma, rnd=("rn",), inner_signs=_SIGNS),
    _row("fma.rnd{.ftz}.relu.type d, a, b, c", ("f16",), "half", _FMA + ", at least 0", "9.7.4.4", fma, rnd=("rn",)),
    _row("fma.rnd{.relu}.type d, a, b, c", ("bf16",), "half", _FMA + "; .relu: at least 0", "9.7.4.4", fma,
         rnd=("rn",), inner_signs=_SIGNS),
    _row("fma.rnd.oob{.sat}.type d, a, b, c", ("f16",), "half", OOB, "9.7.4.4", fma_oob, rnd=("rn",)),
    _row("fma.rnd.oob.relu.type d, a, b, c", ("f16",), "half", OOB + ", at least 0", "9.7.4.4", fma_oob, rnd=("rn",)),
    _row("fma.rnd.oob{.relu}.type d, a, b, c", ("bf16",), "half", OOB + "; .relu: at least 0", "9.7.4.4", fma_oob,
         rnd=("rn",)),
    _row("mad.rnd{.ftz}{.sat}.type d, a, b, c", ("f32",), "ffma", _FMA, "9.7.3.7", fma),
    _row("mad.rnd.type d, a, b, c", ("f64",), "fp64", _FMA, "9.7.3.7", fma),
    _row("div.rnd{.ftz}.type d, a, b", ("f32",), "fdiv32", "d = a / b, rounded exactly", "9.7.3.8", div),
    _row("div.rnd.type d, a, b", ("f64",), "fdiv64", "d = a / b, rounded exactly", "9.7.3.8", div),
    _row("rcp.rnd{.ftz}.type d, a", ("f32",), "fdiv32", "d = 1 / a, rounded exactly", "9.7.3.13", rcp),
    _row("rcp.rnd{.ftz}.type d, a", ("f64",), "fdiv64", "d = 1 / a, rounded exactly", "9.7.3.13", rcp),
    _row("sqrt.rnd{.ftz}.type d, a", ("f32",), "fdiv32", "d = square root of a, rounded exactly", "9.7.3.15", sqrt),
    _row("sqrt.rnd.type d, a", ("f64",), "fsqrt64", "d = square root of a, rounded exactly", "9.7.3.15", sqrt),
    _row("abs{.ftz}.type d, a", ("f32", "f16"), "alu", "d = |a|", "9.7.3.9", absolute),
    _row("abs.type d, a", ("f64", "bf16"), "alu", "d = |a|", "9.7.3.9", absolute),
    _row("neg{.ftz}.type d, a", ("f32", "f16"), "alu", "d = -a", "9.7.3.10", neg),
    _row("neg.type d, a", ("f64", "bf16"), "alu", "d = -a", "9.7.3.10", neg),
    *_extremes("min", "11", "8", "smaller", minimum),
    *_extremes("max", "12", "9", "larger", maximum),
    _row("copysign.type d, a, b", ("f32", "f64"), "alu", "d = b with the sign of a", "9.7.3.2", copysign),
    _row("testp.test.type p, a", ("f32", "f64"), "alu", "p = a is of the named kind", "9.7.3.1", testp,
         slots={"test": ("finite", "infinite", "number", "notanumber", "normal", "subnormal")}),
)  # fmt: skip
