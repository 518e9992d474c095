"""Approximate functions (PTX ISA 9.0, 9.7.3 and 9.7.4), to the bits of a Hopper GPU.

The multi-function unit does the work (``mufu.py``); around it are the steps that NVIDIA's assembler adds, mostly to keep
subnormal numbers where .ftz does not give them up. The bounds in the table are the manual's.
"""

from __future__ import annotations

import math
from typing import Any

from . import mufu
from .instr import Instr, Kind, Op
from .rounding import canonical, flush, halves, joined, narrow, raw

V = Any


def _scale(p: V, a: V, by: float) -> V:
    """``a * by`` where ``p`` holds."""
    return p.where(a * a.const(by), a)


def _tiny(a: V) -> V:
    """Whether a number is subnormal or 0."""
    return a.abs() < a.const(2.0**-126)


def _around(op: Op, a: V, f: Any, after: Any) -> V:
    """A function of the unit; without .ftz subnormal arguments are scaled by 2**24, their results mended by ``after``."""
    if "ftz" in op.mods:
        return canonical(f(a))
    tiny = _tiny(a)
    d = f(_scale(tiny, a, 2.0**24))
    return canonical(tiny.where(after(d), d))


def ex2(op: Op, a: V) -> V:
    """Without .ftz, results that may be subnormal are squares."""
    if "ftz" in op.mods:
        return canonical(mufu.ex2(a))
    low = a < a.const(-126)
    d = mufu.ex2(_scale(low, a, 0.5))
    return canonical(low.where(d * d, d))


def ex2_half(op: Op, a: V) -> V:
    """A 16-bit result is cut; bf16 flushes subnormals, f16 has them."""
    d = mufu.exp2(flush(op, a).to("f32"))
    if a.t == "bf16":
        d = _scale(d < d.const(2.0**-126), d, 0.0)
    top = d.const(2.0**16 if a.t == "f16" else 2.0**128)
    result = (d >= top).where(a.const(math.inf), narrow(d, a.t, "rz"))
    return canonical((a == a).where(result, a.const(math.nan)))


def ex2_packed(op: Op, a: V) -> V:
    return joined(*(ex2_half(op, x) for x in halves(a, op.mods["type"][:-2])))


def lg2(op: Op, a: V) -> V:
    return _around(op, a, mufu.lg2, lambda d: d - d.const(24))


def sin(op: Op, a: V) -> V:
    return canonical(mufu.circular(a, 0))


def cos(op: Op, a: V) -> V:
    return canonical(mufu.circular(a, 1))


def tanh(op: Op, a: V) -> V:
    return canonical(mufu.tanh(a))


def tanh_half(op: Op, a: V) -> V:
    """A 16-bit result is cut."""
    return canonical(narrow(mufu.tanh(a.to("f32")).to("f64"), a.t, "rz"))


def tanh_packed(op: Op, a: V) -> V:
    return joined(*(tanh_half(op, x) for x in halves(a, op.mods["type"][:-2])))


def rcp(op: Op, a: V) -> V:
    """Without .ftz, arguments whose reciprocal is subnormal are scaled, too."""
    if "ftz" in op.mods:
        return canonical(mufu.rcp(a))
    one = a.const(1)
    by = _tiny(a).where(one.const(2.0**24), (a.abs() > a.const(2.0**126)).where(one.const(0.25), one))
    return canonical(mufu.rcp(a * by) * by)


def rsqrt(op: Op, a: V) -> V:
    return _around(op, a, mufu.rsqrt, lambda d: d * d.const(2.0**12))


def sqrt(op: Op, a: V) -> V:
    return _around(op, a, mufu.sqrt, lambda d: d * d.const(2.0**-12))


def div(op: Op, a: V, b: V) -> V:
    """A product with the reciprocal, which is 0 for divisors above 2**126, whose reciprocal is subnormal."""
    if "ftz" not in op.mods:
        tiny = _tiny(b)
        a, b = _scale(tiny, a, 2.0**24), _scale(tiny, b, 2.0**24)
    return canonical(flush(op, flush(op, a) * mufu.rcp(b)))


def div_full(op: Op, a: V, b: V) -> V:
    """As ``div``, but both operands are scaled where the divisor is large."""
    a, b = flush(op, a), flush(op, b)
    huge = b.abs() > b.const(2.0**126)
    return div(op, _scale(huge, a, 0.25), _scale(huge, b, 0.25))


def rcp64(op: Op, a: V) -> V:
    return mufu.rcp64(a)


def rsqrt64(op: Op, a: V) -> V:
    """Without .ftz, one step of Halley's iteration from the unit's approximation follows."""
    if "ftz" in op.mods:
        return mufu.rsqrt64(a)
    tiny = a.abs() < a.const(2.0**-1022)
    x = _scale(tiny, a, 2.0**54)
    y = mufu.rsqrt64(x)
    rest = x.fma(-(y * y), y.const(1))
    d = rest.fma(y.const(0.375), y.const(0.5)).fma(y * rest, y)
    zero, infinity = a.const(0), a.const(math.inf)
    exact = ((a == zero) | (a == infinity)).where(y, _scale(tiny, d, 2.0**27))
    return (a == a).where((a >= zero).where(exact, raw(a).const(0xFFF8000000000000).bits("f64")), a)


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
