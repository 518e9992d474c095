"""Approximate functions (PTX ISA 9.0, 9.7.3 and 9.7.4): polynomials in the lane algebra.

The hardware's own results differ from these in the last bits; the bounds are the manual's.
"""

from __future__ import annotations

import math
from typing import Any

from .instr import Instr, Kind, Op
from .rounding import canonical, finite, flush, flush_always, halves, joined, mul, negative, raw

V = Any
_EX2 = (1.0, 0.6931471824645996, 0.24022646248340607, 0.05550328642129898, 0.009618489071726799, 0.0013399930903688073,
        0.0001534580806037411)  # fmt: skip
"""2**x on [-1/2, 1/2], relative error 2**-29."""
_LG2 = (2.8853900817901312, 0.9617966733221915, 0.5770835872847803, 0.4116726184260053, 0.3407315507784006)
"""log2((1 + s) / (1 - s)) / s in s**2, |s| <= 0.1716, relative error 2**-37."""
_SIN = (0.9999999999954499, -0.16666666630445912, 0.008333328690124672, -0.0001983917834725206, 2.7171527287539885e-06)
"""sin(x) / x in x**2, |x| <= pi/4, relative error 2**-37."""
_COS = (0.9999999999439381, -0.4999999957155724, 0.04166661323349516, -0.0013886529147748448, 2.4372679231708692e-05)
"""cos(x) in x**2, |x| <= pi/4, relative error 2**-34."""
_TANH = (0.999999926867633, -0.33332309962767753, 0.13310173497461936, -0.05210147301228176, 0.015475417651138534)
"""tanh(x) / x in x**2, |x| <= 0.6, relative error 2**-23."""


def polynomial(x: V, coefficients: tuple[float, ...]) -> V:
    """Horner's rule, lowest coefficient first."""
    d = x.const(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        d = d.fma(x, x.const(c))
    return d


def power_of_two(n: V) -> V:
    """2.0**n for s32 n in [-126, 127]."""
    return ((n + n.const(127)) << n.const(23)).bits("f32")


def exp2(x: V) -> V:
    """2**x in f32, subnormal results included."""
    limit = x.const(300)
    inside = (x > limit).where(limit, (x < -limit).where(-limit, x))
    whole = inside.rint()
    p = polynomial(inside - whole, _EX2)
    n = whole.to("s32")
    first = n >> n.const(1)
    first = (first > first.const(127)).where(
        first.const(127), (first < first.const(-126)).where(first.const(-126), first)
    )
    second = n - first
    second = (second > second.const(127)).where(second.const(127), second)
    second = (second < second.const(-126)).where(second.const(-126), second)
    return (x == x).where(p * power_of_two(first) * power_of_two(second), x)


def ex2(op: Op, a: V) -> V:
    return canonical(flush(op, exp2(flush(op, a))))


def _half(op: Op, a: V, f: Any) -> V:
    """A function of f32 applied to a 16-bit float; bf16 flushes subnormals under .ftz, f16 never has to."""
    return canonical(flush(op, f(flush(op, a).to("f32")).to(a.t)))


def ex2_half(op: Op, a: V) -> V:
    return _half(op, a, exp2)


def ex2_packed(op: Op, a: V) -> V:
    return joined(*(_half(op, x, exp2) for x in halves(a, op.mods["type"][:-2])))


def lg2(op: Op, a: V) -> V:
    """Exponent plus log2 of a mantissa in [sqrt(1/2), sqrt(2)), the latter as a series in (m - 1) / (m + 1)."""
    a = flush(op, a)
    one = a.const(1)
    tiny = a < a.const(2.0**-126)
    scaled = tiny.where(a * a.const(2.0**24), a)
    bits = raw(scaled).bits("s32")
    exponent = (bits - bits.const(0x3F3504F3)) >> bits.const(23)
    m = (bits - (exponent << bits.const(23))).bits("f32")
    s = (m - one) / (m + one)
    offset = tiny.where(exponent.const(-24), exponent.const(0))
    d = s.fma(polynomial(s * s, _LG2), (exponent + offset).to("f32"))
    zero, infinity = a.const(0), a.const(math.inf)
    d = (a == zero).where(-infinity, (a == infinity).where(infinity, d))
    return canonical((a >= zero).where(d, a.const(math.nan)))


def _circular(op: Op, a: V, shift: int) -> V:
    """sin(a) for shift 0, cos(a) for shift 1.

    As on silicon the angle becomes turns by a product truncated to f32, so that the error grows with the angle.
    """
    angle = flush(op, a).abs()
    turns = flush_always(mul(angle, a.const(0.15915493667125702), "rz"))
    turns = turns - turns.trunc()
    quarter = (turns * turns.const(4)).rint()
    x = (turns - quarter * quarter.const(0.25)) * turns.const(2 * math.pi)
    count = quarter.to("s32")
    count = count + count.const(shift)
    square = x * x
    one, two = count.const(1), count.const(2)
    d = ((count & one) == one).where(polynomial(square, _COS), x * polynomial(square, _SIN))
    d = ((count & two) == two).where(-d, d)
    if shift == 0:
        d = negative(a).where(-d, d)
    return canonical(finite(a).where(d, a.const(math.nan)))


def sin(op: Op, a: V) -> V:
    return _circular(op, a, 0)


def cos(op: Op, a: V) -> V:
    return _circular(op, a, 1)


def tanh32(a: V) -> V:
    """tanh in f32: a polynomial near 0, else from exp(-2 |a|)."""
    x = a.abs()
    e = exp2(x * x.const(-2 / math.log(2)))
    one = x.const(1)
    large = (one - e) / (one + e)
    square = x * x
    small = x * polynomial(square, _TANH)
    d = (x < x.const(0.6)).where(small, large)
    sign = raw(a) & raw(a).const(0x80000000)
    return (a == a).where((raw(d) | sign).bits("f32"), a)


def tanh(op: Op, a: V) -> V:
    return canonical(tanh32(a))


def tanh_half(op: Op, a: V) -> V:
    return _half(op, a, tanh32)


def tanh_packed(op: Op, a: V) -> V:
    return joined(*(_half(op, x, tanh32) for x in halves(a, op.mods["type"][:-2])))


def rcp(op: Op, a: V) -> V:
    return canonical(flush(op, a.const(1) / flush(op, a)))


def rsqrt(op: Op, a: V) -> V:
    x = flush(op, a).to("f64")
    return canonical(flush(op, (x.const(1) / x.sqrt()).to("f32")))


def sqrt(op: Op, a: V) -> V:
    return canonical(flush(op, flush(op, a).sqrt()))


def div(op: Op, a: V, b: V) -> V:
    """A product with the reciprocal, which is 0 for divisors above 2**126, whose reciprocal is subnormal."""
    if "ftz" not in op.mods:
        huge = (b.abs() > b.const(2.0**126)) & (b.abs() < b.const(float("inf")))
        return canonical(huge.where(a * flush_always(b.const(1) / b), a / b))
    b = flush(op, b)
    return canonical(flush(op, flush(op, a) * flush_always(b.const(1) / b)))


def div_full(op: Op, a: V, b: V) -> V:
    return canonical(flush(op, flush(op, a) / flush(op, b)))


def _upper(a: V) -> V:
    """An f64 with the low 32 bits cleared."""
    bits = raw(a)
    return (bits & bits.const(0xFFFFFFFF00000000)).bits("f64")


def rcp64(op: Op, a: V) -> V:
    """Gross approximation from and to the upper 32 bits."""
    x = flush_always(_upper(a))
    return (a == a).where(flush_always(_upper(x.const(1) / x)), a)


def rsqrt64(op: Op, a: V) -> V:
    x = flush_always(a) if "ftz" in op.mods else a
    if "ftz" in op.mods:
        x = _upper(x)
    d = x.const(1) / x.sqrt()
    return (a == a).where(_upper(d) if "ftz" in op.mods else d, a)


def _row(syntax: str, types: tuple[str, ...], meaning: str, section: str, lane: Any, latency: str = "mufu") -> Instr:
    return Instr(syntax, {"type": types}, Kind.LANE, latency, meaning, f"PTX ISA 9.0, {section}", lane)


ROWS = (
    _row("div.approx{.ftz}.type d, a, b", ("f32",), "d = a / b within 2 ulp; .ftz: 0 for |b| > 2**126", "9.7.3.8", div),
    _row("div.full{.ftz}.type d, a, b", ("f32",), "d = a / b within 2 ulp", "9.7.3.8", div_full),
    _row("rcp.approx{.ftz}.type d, a", ("f32",), "d = 1 / a within 1 ulp", "9.7.3.13", rcp),
    _row("rcp.approx.ftz.type d, a", ("f64",), "d = 1 / a, upper 32 bits only", "9.7.3.14", rcp64),
    _row("sqrt.approx{.ftz}.type d, a", ("f32",), "d = square root of a within 2**-23", "9.7.3.15", sqrt),
    _row("rsqrt.approx{.ftz}.type d, a", ("f32",), "d = 1 / sqrt(a) within 2**-22.9", "9.7.3.16", rsqrt),
    _row("rsqrt.approx{.ftz}.type d, a", ("f64",), "d = 1 / sqrt(a); .ftz: upper 32 bits only", "9.7.3.16", rsqrt64),
    _row("sin.approx{.ftz}.type d, a", ("f32",), "d = sin(a), absolute error 2**-20.5 on [-pi, pi]", "9.7.3.18", sin),
    _row("cos.approx{.ftz}.type d, a", ("f32",), "d = cos(a), absolute error 2**-20.5 on [-pi, pi]", "9.7.3.19", cos),
    _row("lg2.approx{.ftz}.type d, a", ("f32",), "d = log2(a), error 2**-22", "9.7.3.20", lg2),
    _row("ex2.approx{.ftz}.type d, a", ("f32",), "d = 2**a within 2 ulp", "9.7.3.21", ex2),
    _row("ex2.approx.type d, a", ("f16",), "d = 2**a, relative error 2**-9.9", "9.7.4.11", ex2_half),
    _row("ex2.approx.type d, a", ("f16x2",), "d = 2**a of both halves", "9.7.4.11", ex2_packed),
    _row("ex2.approx.ftz.type d, a", ("bf16",), "d = 2**a, relative error 2**-7", "9.7.4.11", ex2_half),
    _row("ex2.approx.ftz.type d, a", ("bf16x2",), "d = 2**a of both halves", "9.7.4.11", ex2_packed),
    _row("tanh.approx.type d, a", ("f32",), "d = tanh(a), relative error 2**-11", "9.7.3.22", tanh),
    _row("tanh.approx.type d, a", ("f16", "bf16"), "d = tanh(a), absolute error 2**-10.9 (.bf16: 2**-8)", "9.7.4.10",
         tanh_half),
    _row("tanh.approx.type d, a", ("f16x2", "bf16x2"), "d = tanh(a) of both halves", "9.7.4.10", tanh_packed),
)  # fmt: skip
