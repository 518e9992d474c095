"""Exact rounding over the lane algebra: directed modes, flushing, saturation, canonical NaNs, halves of packed values.

Results narrower than f64 are computed in f64 "rounded to odd" (the last bit is 1 when something was cut off) and then
rounded once to their type; results in f64 are rounded to nearest and corrected by the sign of the exact error.
Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008; Boldo and Muller, "Exact and
approximated error of the FMA", IEEE TC 2011.
"""

from __future__ import annotations

from typing import Any

from .instr import Op

V = Any
BITS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}
_EXPONENT = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F800000, "f64": 0x7FF0000000000000}
_NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0x7FF8000000000000}


def raw(a: V) -> V:
    """The bits of a float as an unsigned integer."""
    return a.bits(f"u{BITS[a.t]}")


def is_float(a: V) -> bool:
    """Whether `a` is of a floating-point type."""
    return a.t in BITS


def sign_mask(a: V) -> V:
    """The sign bit alone, as an integer constant like `raw(a)`."""
    return raw(a).const(1 << BITS[a.t] - 1)


def negative(a: V) -> V:
    """Whether the sign bit is set (also for -0 and NaN)."""
    bits = raw(a)
    return (bits & sign_mask(a)) != bits.const(0)


def finite(a: V) -> V:
    """Neither infinite nor NaN."""
    bits = raw(a)
    exponent = bits.const(_EXPONENT[a.t])
    return (bits & exponent) != exponent


def nan(like: V) -> V:
    """The canonical NaN of a type."""
    return raw(like).const(_NAN[like.t]).bits(like.t)


def canonical(d: V) -> V:
    """`d`, NaNs of formats up to f32 replaced by the canonical one; f64 keeps payloads."""
    return d if d.t == "f64" else (d == d).where(d, nan(d))


def flush_always(a: V) -> V:
    """Subnormals replaced by zero of the same sign."""
    bits = raw(a)
    small = (bits & bits.const(_EXPONENT[a.t])) == bits.const(0)
    return small.where(bits & sign_mask(a), bits).bits(a.t)


def flush(op: Op, a: V) -> V:
    """`a` with subnormals flushed when the op says .ftz (integers, and f64 beside f32, unchanged)."""
    return flush_always(a) if "ftz" in op.mods and is_float(a) and a.t != "f64" else a


def saturate(d: V) -> V:
    """`d` clamped to [0, 1]; NaN and -0 become +0."""
    one, zero = d.const(1), d.const(0)
    return (d > zero).where((d < one).where(d, one), zero)


def relu(d: V) -> V:
    """Negative numbers and -0 become +0; NaN stays, canonical."""
    return (d <= d.const(0)).where(d.const(0), canonical(d))


def finish(op: Op, d: V) -> V:
    """What every floating-point result goes through: .ftz, then .sat or .relu, else a canonical NaN."""
    d = flush(op, d)
    if "sat" in op.mods:
        return saturate(d)
    return relu(d) if "relu" in op.mods else canonical(d)


def halves(a: V, t: str) -> tuple[V, V]:
    """Low and high half of a packed u32 as values of type `t`."""
    return a.lo16().bits(t), a.hi16().bits(t)


def joined(low: V, high: V) -> V:
    """Two 16-bit values packed into a u32."""
    return low.bits("u16").pack16(high.bits("u16"))


def number(p: V, bits: V) -> V:
    """1 where `p` holds else 0, as an integer like `bits`."""
    return p.where(bits.const(1), bits.const(0))


def away(a: V, p: V) -> V:
    """`a` one unit in the last place further from zero where `p` holds."""
    bits = raw(a)
    return (bits + number(p, bits)).bits(a.t)


def towards(a: V, p: V) -> V:
    """`a` one unit in the last place nearer to zero where `p` holds."""
    bits = raw(a)
    return (bits - number(p, bits)).bits(a.t)


def odd(near: V, error: V) -> V:
    """`near`, rounded to nearest with exact value near + error, rounded to odd instead (of error the sign counts)."""
    bits = raw(near)
    inexact = ((error < error.const(0)) | (error > error.const(0))) & finite(near)
    back = inexact & (negative(error) ^ negative(near))
    return ((bits - number(back, bits)) | number(inexact, bits)).bits(near.t)


def directed(near: V, error: V, rnd: str) -> V:
    """`near`, rounded to nearest with exact value near + error, rounded in direction `rnd` (rn, rz, rm, rp) instead."""
    if rnd == "rn":
        return near
    low, high, minus = error < error.const(0), error > error.const(0), negative(near)
    if rnd == "rz":
        return towards(near, (low & ~minus) | (high & minus))
    if rnd == "rm":
        return away(towards(near, low & ~minus), low & minus)
    return away(towards(near, high & minus), high & ~minus)


def narrow(x: V, t: str, rnd: str) -> V:
    """The f64 `x`, exact or rounded to odd, rounded to type `t`."""
    near = x.to(t)
    return near if rnd == "rn" else directed(near, _sign_of_error(near.to("f64"), x), rnd)


def _sign_of_error(near: V, exact: V) -> V:
    """A number with the sign of exact - near (their difference would be NaN where near is infinite)."""
    zero = near.const(0)
    return (near > exact).where(zero.const(-1), (near < exact).where(zero.const(1), zero))


def sum_error(a: V, b: V, total: V) -> V:
    """a + b - total, exactly, for the rounded sum (Knuth)."""
    virtual = total - a
    return (a - (total - virtual)) + (b - virtual)


def sum_odd(a: V, b: V) -> V:
    """a + b in f64 rounded to odd."""
    total = a + b
    return odd(total, sum_error(a, b, total))


def zero_down(d: V, exact_zero: V, a: V, b: V, rnd: str) -> V:
    """Round-down makes the zero of a cancelling sum a + b negative."""
    if rnd != "rm":
        return d
    return (exact_zero & (negative(a) | negative(b))).where(-d.const(0).abs(), d)


def true_error(near: V, error: V, regular: V) -> V:
    """`error`, or one that points back from infinity where `regular` inputs overflowed; 0 for other inputs."""
    back = negative(near).where(near.const(1), near.const(-1))
    return regular.where(finite(near).where(error, back), near.const(0))


def add(a: V, b: V, rnd: str) -> V:
    """a + b rounded as `rnd`."""
    if rnd == "rn":
        return a + b
    if a.t != "f64":
        d = narrow(sum_odd(a.to("f64"), b.to("f64")), a.t, rnd)
    else:
        near = a + b
        d = directed(near, true_error(near, sum_error(a, b, near), finite(a) & finite(b)), rnd)
    return zero_down(d, d == d.const(0), a, b, rnd)


def mul(a: V, b: V, rnd: str) -> V:
    """a * b rounded as `rnd`."""
    if rnd == "rn":
        return a * b
    if a.t != "f64":
        return narrow(a.to("f64") * b.to("f64"), a.t, rnd)
    near = a * b
    x, y = raised(a), raised(b)
    exact = x.fma(y, -(near * factor(a) * factor(b)))
    error = (near.abs() < near.const(2.0**-900)).where(exact, a.fma(b, -near))
    return directed(near, true_error(near, error, finite(a) & finite(b)), rnd)


def factor(a: V) -> V:
    """2**600 for magnitudes below 1, else 1: keeps error terms of tiny products representable."""
    return (a.abs() < a.const(1)).where(a.const(2.0**600), a.const(1))


def raised(a: V) -> V:
    """`a` times its `factor`, exact."""
    return a * factor(a)


def fma(a: V, b: V, c: V, rnd: str) -> V:
    """a * b + c rounded once, as `rnd`."""
    if rnd == "rn":
        return a.fma(b, c)
    if a.t != "f64":
        product, wide = a.to("f64") * b.to("f64"), c.to("f64")
        total = sum_odd(product, wide)
        return zero_down(narrow(total, a.t, rnd), total == total.const(0), product, wide, rnd)
    near = a.fma(b, c)
    error = true_error(near, _fma_error(a, b, c, near), finite(a) & finite(b) & finite(c))
    zero = near.const(0)
    return zero_down(directed(near, error, rnd), (near == zero) & (error == zero), a * b, c, rnd)


def _fma_error(a: V, b: V, c: V, near: V) -> V:
    """A number with the sign of a * b + c - near (Boldo and Muller), scaled where terms would over- or underflow."""
    zero, one = near.const(0), near.const(1)
    product = a * b
    sign = (negative(a) ^ negative(b)).where(-one, one)
    lost = product.abs() < c.abs() * near.const(2.0**-120)
    vanishes = (a == zero) | (b == zero)
    error = _scaled_error(a, b, c, near)
    return vanishes.where(zero, lost.where(sign, error))


def _scaled_error(a: V, b: V, c: V, near: V) -> V:
    """The error where neither the product is lost beside c nor a factor is 0."""
    one = near.const(1)
    small = (near.abs() < near.const(2.0**-690)) & (c.abs() < near.const(2.0**-690))
    big = near.const(2.0**900)
    large = (near.abs() > big) | (c.abs() > big)
    first = a.abs() >= b.abs()
    up, down = near.const(2.0**600), near.const(2.0**-200)
    x = a * small.where(up, (large & first).where(down, one))
    y = b * small.where(up, (large & ~first).where(down, one))
    addend, rounded = (v * small.where(up, one) * small.where(up, large.where(down, one)) for v in (c, near))
    least = near.const(2.0**-900)
    tiny = large & (addend.abs() < least) & (c != c.const(0))
    addend = tiny.where(negative(c).where(-least, least), addend)
    return _fma_rest(x, y, addend, rounded)


def _fma_rest(a: V, b: V, c: V, near: V) -> V:
    """a * b + c - near, near being the rounded value, when no term leaves the range."""
    product = a * b
    low = a.fma(b, -product)
    s = c + low
    s_low = sum_error(c, low, s)
    t = product + s
    t_low = sum_error(product, s, t)
    return ((t - near) + t_low) + s_low


def div(a: V, b: V, rnd: str) -> V:
    """a / b rounded as `rnd`."""
    if rnd == "rn":
        return a / b
    if a.t != "f64":
        x, y = a.to("f64"), b.to("f64")
        near = x / y
        return narrow(odd(near, _quotient_error(x, y, near)), a.t, rnd)
    return _div64(a, b, rnd)


def _quotient_error(a: V, b: V, near: V) -> V:
    """A number with the sign of a / b - near."""
    rest = (-near).fma(b, a)
    return negative(b).where(-rest, rest)


def _div64(a: V, b: V, rnd: str) -> V:
    """Directed f64 division; operands and quotient are scaled by powers of two so that the remainder is exact."""
    near = a / b
    exact = finite(a) & finite(b) & (b != b.const(0))
    up, down = _towards_one(a), _towards_one(b)
    half = up * (near.const(1) / down)
    rest = (-(near * half * half)).fma(b * down * down, a * up * up)
    error = negative(b).where(-rest, rest)
    return directed(near, true_error(near, error, exact), rnd)


def _towards_one(a: V) -> V:
    """2**300, 1 or 2**-300: twice multiplied with `a` it brings very small and very large numbers near 1, exactly."""
    large, small = a.abs() > a.const(2.0**300), a.abs() < a.const(2.0**-300)
    return large.where(a.const(2.0**-300), small.where(a.const(2.0**300), a.const(1)))


def sqrt(a: V, rnd: str) -> V:
    """Square root rounded as `rnd`."""
    if rnd == "rn":
        return a.sqrt()
    if a.t != "f64":
        x = a.to("f64")
        near = x.sqrt()
        return narrow(odd(near, (-near).fma(near, x)), a.t, rnd)
    near = a.sqrt()
    tiny = a.abs() < a.const(2.0**-600)
    root = tiny.where(near * near.const(2.0**200), near)
    value = tiny.where(a * a.const(2.0**400), a)
    return directed(near, (-root).fma(root, value), rnd)
