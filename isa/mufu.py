"""The multi-function unit of a Hopper GPU, to the last bit: quadratic interpolation in tables, results cut, not rounded.

The design is that of Oberman and Siu, "A High-Performance Area-Efficient Multifunction Interpolator" (ARITH 2005): the
leading bits of the argument pick a piece, the other 17 are the offset d in it, and c0 + c1 * d + c2 * d**2 is the result.
The squarer leaves out the low columns of its partial products. Tables, squarer, constants and cuts were found from all
results of an H100 over a period of each function (mantissas of one or two octaves, a quarter turn, every octave of tanh)
and give each of them, as they give 2**17 arguments of every size and sign.

Values between these functions are f64, in which all steps are exact.
"""

from __future__ import annotations

import math
from typing import Any

from . import mufu_tables
from .rounding import finite, flush_always, mul, negative, raw

V = Any
Row = tuple[int, int, int]
_LEADING = 0xFFFFFFFFE0000000
"""The bits of an f64 that an f32 keeps."""


def _table(rows: tuple[Row, ...], bias: int) -> tuple[tuple[int, ...], ...]:
    """Columns of a table in units of 2**-41: c0 with what the unit adds below its last place, c1, c2."""
    return tuple(c0 * 2**15 + bias for c0, _, _ in rows), tuple(r[1] for r in rows), tuple(r[2] for r in rows)


_RCP, _RSQ = _table(mufu_tables.RCP, 8092), _table(mufu_tables.RSQ, -1)
_SQRT, _EX2 = _table(mufu_tables.SQRT, -1), _table(mufu_tables.EX2, -8310)
_LG2, _SIN, _TANH = _table(mufu_tables.LG2, 6696), _table(mufu_tables.SIN, 0), _table(mufu_tables.TANH, 0)
_TANH_BITS = (0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 3)
"""Leading bits of the mantissa that pick the piece, in the octaves from 2**-8 on."""
_TANH_FIRST = (0, 1, 2, 3, 5, 7, 11, 15, 19, 27, 43)
"""First piece of each octave."""


def _square(d: V) -> V:
    """d**2 / 2**19 for s32 d below 2**17: partial products of bits i < j are in column i + j + 1; columns from 19 count."""
    total = d.const(0)
    for j in range(10, 17):
        row = ((d & d.const((1 << j) - 1)) >> d.const(18 - j)) + d.const(1 << 2 * j - 19)
        total = total + (row & -((d >> d.const(j)) & d.const(1)))
    return total


def _interpolate(table: tuple[tuple[int, ...], ...], piece: V, d: V) -> V:
    """A function in units of 2**-41, for s32 ``piece`` and offset ``d``."""
    c0, c1, c2 = (piece.lookup(column, "f64") for column in table)
    return c0 + c1 * d.to("f64") + c2 * _square(d).to("f64")


def _cut(x: V) -> V:
    """An f64 cut to the 24 leading bits that f32 has."""
    bits = raw(x)
    return (bits & bits.const(_LEADING)).bits("f64")


def _scaled(x: V, n: V, unit: int = 0) -> V:
    """x * 2**(n + unit) for s32 n."""
    exponent = n.to("s64")
    return x * ((exponent + exponent.const(1023 + unit)) << exponent.const(52)).bits("f64")


def _fields(a: V) -> tuple[V, V]:
    """Exponent of an f32 as it is stored, and its mantissa, as s32."""
    bits = raw(a).bits("s32")
    return (bits >> bits.const(23)) & bits.const(0xFF), bits & bits.const(0x7FFFFF)


def _single(d: V) -> V:
    """An f64 of 24 bits as f32; subnormal results become 0."""
    return (d.abs() < d.const(2.0**-126)).where(d.const(0), d).to("f32")


def _signed(a: V, d: V) -> V:
    """``d`` with its sign turned where ``a`` is negative."""
    return negative(a).where(-d, d)


def _nan_unless(p: V, d: V) -> V:
    return p.where(d, d.const(math.nan))


def rcp(a: V) -> V:
    """1 / a in f32; subnormals count as 0 here and in the functions below."""
    a = flush_always(a)
    exponent, m = _fields(a)
    d = _interpolate(_RCP, m >> m.const(16), (m & m.const(0xFFFF)) << m.const(1))
    size = _single(_scaled(_cut(d), exponent.const(127) - exponent, -41))
    zero, infinity = a.const(0), a.const(math.inf)
    size = (a == zero).where(infinity, (a.abs() == infinity).where(zero, size))
    return _nan_unless(a == a, _signed(a, size))


def _root(table: tuple[tuple[int, ...], ...], exponent: V, m: V) -> tuple[V, V]:
    """A table over two octaves, and the exponent halved; ``exponent`` without bias, mantissa of 23 bits."""
    odd = exponent & exponent.const(1)
    piece = (m >> m.const(17)) + (odd << odd.const(6))
    return _interpolate(table, piece, m & m.const(0x1FFFF)), (exponent - odd) >> odd.const(1)


def _rsqrt(exponent: V, m: V) -> V:
    """1 / sqrt(m * 2**exponent) before it is cut; even powers of two are exact."""
    d, half = _root(_RSQ, exponent, m)
    power = (m == m.const(0)) & ((exponent & exponent.const(1)) == m.const(0))
    return _scaled(power.where(d.const(2.0**41), d), -half, -41)


def rsqrt(a: V) -> V:
    """1 / sqrt(a) in f32."""
    a = flush_always(a)
    exponent, m = _fields(a)
    d = _single(_cut(_rsqrt(exponent - exponent.const(127), m)))
    zero, infinity = a.const(0), a.const(math.inf)
    d = (a == zero).where(_signed(a, infinity), (a == infinity).where(zero, d))
    return _nan_unless(a >= zero, d)


def sqrt(a: V) -> V:
    """sqrt(a) in f32."""
    a = flush_always(a)
    exponent, m = _fields(a)
    d, half = _root(_SQRT, exponent - exponent.const(127), m)
    root = _single(_scaled(_cut(d), half, -40))
    zero, infinity = a.const(0), a.const(math.inf)
    return _nan_unless(a >= zero, ((a == zero) | (a == infinity)).where(a, root))


def exp2(a: V) -> V:
    """2**a in f64 with 24 bits, for f32 ``a`` (NaN: some number).

    The argument becomes a fixed-point number with 23 bits of fraction, cut; a negative one is the complement of its
    magnitude unless that is a whole number. Below 2**-23 it is 0.
    """
    x = a.to("f64").abs()
    x = (x < x.const(1000)).where(x, x.const(1000))
    limited = (x < x.const(200)).where(x, x.const(200)) * x.const(2.0**23)
    k = limited.to("s32")
    mantissa = k.const(0x7FFFFF)
    whole = ((k & mantissa) == k.const(0)) & (k.to("f64") == limited)
    k = negative(a).where(whole.where(-k, ~k), k)
    k = (limited < limited.const(1)).where(k.const(0), k)
    d = _interpolate(_EX2, (k & mantissa) >> k.const(17), k & k.const(0x1FFFF))
    return _scaled(_cut(d), k >> k.const(23), -40)


def ex2(a: V) -> V:
    """2**a in f32."""
    return _nan_unless(a == a, _single(exp2(flush_always(a))))


def lg2(a: V) -> V:
    """log2(a) in f32: fixed point with 36 bits of fraction; a negative sum is complemented, then cut like the others."""
    a = flush_always(a)
    exponent, m = _fields(a)
    fraction = (_interpolate(_LG2, m >> m.const(17), m & m.const(0x1FFFF)) * a.to("f64").const(2.0**-5)).floor()
    one = a.const(1)
    fraction = (a == one).where(fraction.const(0), fraction)
    total = (exponent - exponent.const(127)).to("f64") * fraction.const(2.0**36) + fraction
    below = total < total.const(0)
    size = _cut(below.where(-total - total.const(1), total)) * total.const(2.0**-36)
    d = below.where(-size, size).to("f32")
    zero, infinity = a.const(0), a.const(math.inf)
    d = (a == zero).where(-infinity, (a == infinity).where(infinity, d))
    return _nan_unless(a >= zero, d)


def circular(a: V, shift: int) -> V:
    """sin(a) for shift 0, cos(a) for shift 1, in f32.

    A product cut to f32 turns the angle into turns, of which 25 bits of fraction count: an error that grows with the
    angle. In odd quarters the argument is the complement of the other bits.
    """
    angle = flush_always(a).abs()
    turns = flush_always(mul(angle, a.const(0.15915493667125702), "rz")).to("f64")
    count = ((turns - turns.trunc()) * turns.const(2.0**25)).to("s32")
    quarter, rest = (count >> count.const(23)) + count.const(shift), count & count.const(0x7FFFFF)
    one, two = count.const(1), count.const(2)
    rest = ((quarter & one) == one).where(rest.const(0x7FFFFF) - rest, rest)
    d = (_cut(_interpolate(_SIN, rest >> rest.const(17), rest & rest.const(0x1FFFF))) * turns.const(2.0**-41)).to("f32")
    d = ((quarter & two) == two).where(-d, d)
    return _nan_unless(finite(a), d if shift else _signed(a, d))


def tanh(a: V) -> V:
    """tanh(a) in f32: the argument itself below 2**-8 (subnormals too), 1 from 8 on."""
    exponent, m = _fields(a)
    octave = exponent - exponent.const(119)
    inside = (octave < octave.const(0)).where(octave.const(0), octave)
    inside = (inside > octave.const(10)).where(octave.const(10), inside)
    bits = inside.lookup(_TANH_BITS, "s32")
    piece = inside.lookup(_TANH_FIRST, "s32") + (m >> (bits.const(23) - bits))
    d = _interpolate(_TANH, piece, (m >> (bits.const(6) - bits)) & m.const(0x1FFFF))
    size = (_cut(d) * d.const(2.0**-41)).to("f32")
    size = (octave > octave.const(10)).where(size.const(1), (octave < octave.const(0)).where(a.abs(), size))
    return _nan_unless(a == a, _signed(a, size))


def _high(a: V) -> tuple[V, V]:
    """Exponent of an f64 without bias and the leading 20 bits of its mantissa, extended to 23 bits by zeros."""
    high = raw(a).hi32().bits("s32")
    return ((high >> high.const(20)) & high.const(0x7FF)) - high.const(1023), (
        high & high.const(0xFFFFF)
    ) << high.const(3)


def _nan64_unless(p: V, d: V) -> V:
    bits = raw(d)
    return p.where(bits, bits.const(0x7FFFFFFF00000000)).bits("f64")


def upper(a: V) -> V:
    """An f64 with the low 32 bits cleared."""
    bits = raw(a)
    return (bits & bits.const(0xFFFFFFFF00000000)).bits("f64")


def rcp64(a: V) -> V:
    """1 / a from and to the upper half of an f64; subnormal arguments and results are 0."""
    x = flush_always(upper(a))
    exponent, m = _high(x)
    d = _interpolate(_RCP, m >> m.const(16), (m & m.const(0xFFFF)) << m.const(1))
    half = -exponent >> exponent.const(1)
    size = _scaled(_scaled(d, half, -41), -exponent - half)
    zero, infinity = x.const(0), x.const(math.inf)
    size = (x == zero).where(infinity, (x.abs() == infinity).where(zero, size))
    return _nan64_unless(a == a, flush_always(upper(_signed(x, size))))


def rsqrt64(a: V) -> V:
    """1 / sqrt(a) from and to the upper half of an f64; subnormal arguments are 0."""
    x = flush_always(upper(a))
    exponent, m = _high(x)
    zero, infinity = x.const(0), x.const(math.inf)
    d = (x == zero).where(_signed(x, infinity), (x == infinity).where(zero, upper(_rsqrt(exponent, m))))
    return _nan64_unless(x >= zero, d)
