"""Floating-point arithmetic against exact fractions rounded by the definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from oracle import FORMATS, apply, decode, encode, floats, root

NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF}
RND = ("rn", "rz", "rm", "rp")
Real = Any  # Fraction, or float for infinities and NaN


def is_nan(bits: int, t: str) -> bool:
    x = decode(bits, t)
    return isinstance(x, float) and math.isnan(x)


def negative(bits: int, t: str) -> bool:
    return bool(bits >> FORMATS[t].bits - 1)


def special(x: float, t: str) -> int:
    """Bits of an infinity, or -1 for any NaN."""
    if math.isnan(x):
        return -1
    infinity = encode(Fraction(2) ** 5000, t, "rn")
    return infinity | (1 << FORMATS[t].bits - 1 if x < 0 else 0)


def total(a: Real, b: Real) -> Real:
    """a + b, infinities and NaN included."""
    if isinstance(a, float) or isinstance(b, float):
        return (a if isinstance(a, float) else 0.0) + (b if isinstance(b, float) else 0.0)
    return a + b


def product(a: Real, b: Real) -> Real:
    if isinstance(a, float) or isinstance(b, float):
        sign = lambda x: x if isinstance(x, float) else float((x > 0) - (x < 0))  # noqa: E731
        return sign(a) * sign(b)
    return a * b


def added(x: int, y: int, t: str, rnd: str) -> int:
    a, b = decode(x, t), decode(y, t)
    s = total(a, b)
    if isinstance(s, float):
        return special(s, t)
    both = negative(x, t) and negative(y, t)
    differ = negative(x, t) != negative(y, t)
    return encode(s, t, rnd, both or (rnd == "rm" and differ))


def multiplied(x: int, y: int, t: str, rnd: str) -> int:
    p = product(decode(x, t), decode(y, t))
    return special(p, t) if isinstance(p, float) else encode(p, t, rnd, negative(x, t) != negative(y, t))


def fused(x: int, y: int, z: int, t: str, rnd: str) -> int:
    p, c = product(decode(x, t), decode(y, t)), decode(z, t)
    s = total(p, c)
    if isinstance(s, float):
        return special(s, t)
    minus = negative(x, t) != negative(y, t)
    return encode(s, t, rnd, (minus and negative(z, t)) or (rnd == "rm" and minus != negative(z, t)))


def divided(x: int, y: int, t: str, rnd: str) -> int:
    a, b = decode(x, t), decode(y, t)
    minus = -1 if negative(x, t) != negative(y, t) else 1
    if is_nan(x, t) or is_nan(y, t):
        return -1
    if isinstance(a, float):
        return -1 if isinstance(b, float) else special(minus * math.inf, t)
    if isinstance(b, float):
        return encode(Fraction(0), t, rnd, minus < 0)
    if b == 0:
        return -1 if a == 0 else special(minus * math.inf, t)
    return encode(a / b, t, rnd, minus < 0)


def rooted(x: int, t: str, rnd: str) -> int:
    a = decode(x, t)
    if isinstance(a, float):
        return special(a if a > 0 else math.nan, t)
    if a < 0:
        return -1
    return encode(root(a), t, rnd, negative(x, t)) if a else x


def check(opcode: str, t: str, got: list[int], want: list[int], *sources: list[int]) -> None:
    """Equal bits; NaN is the canonical one where the format has one."""
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        ok = (g == NAN[t] if t in NAN else is_nan(g, t)) if w == -1 else g == w
        assert ok, (opcode, [hex(s[i]) for s in sources], hex(g), hex(w) if w >= 0 else "nan")


def operands(t: str, count: int, seed: int) -> list[list[int]]:
    """Columns of operands: all pairs of edges, and random rows among which close ones cancel."""
    edges = floats(t, seed, 8)
    rows = [(a, b, edges[(i * 7 + j * 3) % len(edges)]) for i, a in enumerate(edges) for j, b in enumerate(edges)]
    lists = [floats(t, seed + k, 150) for k in range(3)]
    rows += list(zip(*lists, strict=True))
    near = lists[0]
    rows += [
        (a, a ^ 1 << FORMATS[t].bits - 1 ^ (i & 3), b) for i, (a, b) in enumerate(zip(near, lists[1], strict=True))
    ]
    return [list(column) for column in zip(*rows, strict=True)][:count]


BOTH = [(t, rnd) for t in ("f32", "f64") for rnd in RND] + [("f16", "rn"), ("bf16", "rn")]


@pytest.mark.parametrize(("t", "rnd"), BOTH)
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_sums_and_products(name: str, t: str, rnd: str):
    a, b = operands(t, 2, 1)
    sign = 1 << FORMATS[t].bits - 1
    f: Callable[..., int] = multiplied if name == "mul" else added
    want = [f(x, y ^ (sign if name == "sub" else 0), t, rnd) for x, y in zip(a, b, strict=True)]
    check(name, t, apply(f"{name}.{rnd}.{t}", a, b), want, a, b)


@pytest.mark.parametrize(("t", "rnd"), BOTH)
def test_fused_multiply_add(t: str, rnd: str):
    a, b, c = operands(t, 3, 2)
    want = [fused(x, y, z, t, rnd) for x, y, z in zip(a, b, c, strict=True)]
    check("fma", t, apply(f"fma.{rnd}.{t}", a, b, c), want, a, b, c)


@pytest.mark.parametrize(("t", "one"), [("f16", 0x3C00), ("bf16", 0x3F80)])
def test_elements_out_of_bounds(t: str, one: int):
    """As an H100 has it: one NaN of either sign in a or b gives zero."""
    nans = [n for n in range(1 << 16) if is_nan(n, t)]
    found = apply(f"fma.rn.oob.{t}", nans, [one] * len(nans), [one] * len(nans))
    assert [(n, d) for n, d in zip(nans, found, strict=True) if d != 0x7FFF] == [(0x7FF7, 0), (0xFFF7, 0)]
    assert list(apply(f"fma.rn.oob.{t}", [one, one], [0x7FF7, one], [one, 0x7FF7])) == [0, 0x7FFF]


@pytest.mark.parametrize(("t", "rnd"), BOTH[:8])
def test_products_that_nearly_cancel(t: str, rnd: str):
    """a * b - rounded(a * b): the exact error of a product, and what adding a half of it does."""
    a, b = operands(t, 2, 3)
    p = apply(f"mul.rn.{t}", a, b)
    c = [x ^ 1 << FORMATS[t].bits - 1 ^ (i % 3) for i, x in enumerate(p)]
    want = [fused(x, y, z, t, rnd) for x, y, z in zip(a, b, c, strict=True)]
    check("fma", t, apply(f"fma.{rnd}.{t}", a, b, c), want, a, b, c)


@pytest.mark.parametrize(("t", "rnd"), BOTH[:8])
def test_quotients(t: str, rnd: str):
    a, b = operands(t, 2, 4)
    one = encode(Fraction(1), t, "rn")
    check("div", t, apply(f"div.{rnd}.{t}", a, b), [divided(x, y, t, rnd) for x, y in zip(a, b, strict=True)], a, b)
    check("rcp", t, apply(f"rcp.{rnd}.{t}", a), [divided(one, x, t, rnd) for x in a], a)


@pytest.mark.parametrize(("t", "rnd"), BOTH[:8])
def test_square_roots(t: str, rnd: str):
    a = [x & ~(1 << FORMATS[t].bits - 1) if i % 2 else x for i, x in enumerate(floats(t, 5, 300))]
    a += [encode(Fraction(n * n), t, "rn") for n in range(1, 40)]
    check("sqrt", t, apply(f"sqrt.{rnd}.{t}", a), [rooted(x, t, rnd) for x in a], a)


@pytest.mark.parametrize("t", ["f16", "bf16", "f32", "f64"])
def test_smaller_and_larger(t: str):
    a, b = operands(t, 2, 6)

    def pick(x: int, y: int, larger: bool, strict: bool) -> int:
        if is_nan(x, t) or is_nan(y, t):
            return -1 if strict or (is_nan(x, t) and is_nan(y, t)) else y if is_nan(x, t) else x
        key = lambda v: (decode(v, t), not negative(v, t))  # noqa: E731
        return max(x, y, key=key) if larger else min(x, y, key=key)

    pairs = list(zip(a, b, strict=True))
    check("min", t, apply(f"min.{t}", a, b), [pick(x, y, False, False) for x, y in pairs], a, b)
    check("max", t, apply(f"max.{t}", a, b), [pick(x, y, True, False) for x, y in pairs], a, b)
    if t != "f64":
        check("min", t, apply(f"min.NaN.{t}", a, b), [pick(x, y, False, True) for x, y in pairs], a, b)
        check("max", t, apply(f"max.NaN.{t}", a, b), [pick(x, y, True, True) for x, y in pairs], a, b)


def flushed(x: int, t: str) -> int:
    f = FORMATS[t]
    exponent = x >> f.precision - 1 & (1 << f.bits - f.precision) - 1
    return x if exponent else x & 1 << f.bits - 1


def tiny(x: int, y: int, t: str) -> bool:
    """Whether a product is below the normal numbers, rounded as if exponents had no lower end."""
    p, q = decode(x, t), decode(y, t)
    if isinstance(p, float) or isinstance(q, float):
        return False
    f = FORMATS[t]
    return abs(p * q) < Fraction(2) ** f.lowest * (1 - Fraction(1, 2 << f.precision))


@pytest.mark.parametrize("t", ["f32", "f16"])
def test_flushed_subnormals(t: str):
    a, b = operands(t, 2, 7)
    pairs = [(flushed(x, t), flushed(y, t)) for x, y in zip(a, b, strict=True)]
    exact = [multiplied(x, y, t, "rn") for x, y in pairs]
    sign = 1 << FORMATS[t].bits - 1
    want = [w & sign if w >= 0 and tiny(x, y, t) else w for w, (x, y) in zip(exact, pairs, strict=True)]
    check("mul.ftz", t, apply(f"mul.ftz.{t}", a, b), want, a, b)
    check("abs.ftz", t, apply(f"abs.ftz.{t}", a), [-1 if is_nan(x, t) else flushed(x, t) & ~(1 << FORMATS[t].bits - 1)
                                                   for x in a], a)  # fmt: skip


@pytest.mark.parametrize("t", ["f32", "f16"])
def test_saturated_results(t: str):
    a, b = operands(t, 2, 8)
    one = encode(Fraction(1), t, "rn")
    exact = [added(x, y, t, "rn") for x, y in zip(a, b, strict=True)]
    want = [0 if w < 0 or negative(w, t) else min(w, one) for w in exact]
    check("add.sat", t, apply(f"add.sat.{t}", a, b), want, a, b)


def test_relu_keeps_nan_and_drops_negatives():
    for t in ("f16", "bf16"):
        a, b, c = operands(t, 3, 9)
        exact = [fused(x, y, z, t, "rn") for x, y, z in zip(a, b, c, strict=True)]
        want = [w if w < 0 else 0 if negative(w, t) else w for w in exact]
        check("fma.relu", t, apply(f"fma.rn.relu.{t}", a, b, c), want, a, b, c)


@pytest.mark.parametrize("t", ["f16", "bf16"])
def test_both_halves_of_a_packed_value(t: str):
    a, b, c = operands(t, 3, 10)
    pair = [[v[i] | v[i - 1] << 16 for i in range(len(v))] for v in (a, b, c)]
    one = apply(f"fma.rn.{t}", a, b, c)
    assert apply(f"fma.rn.{t}x2", *pair) == [one[i] | one[i - 1] << 16 for i in range(len(one))]
    low = apply(f"min.{t}", a, b)
    assert apply(f"min.{t}x2", *pair[:2]) == [low[i] | low[i - 1] << 16 for i in range(len(low))]


@pytest.mark.parametrize("t", ["f32", "f64"])
def test_kinds_of_number(t: str):
    a = floats(t, 11)
    f = FORMATS[t]
    exponent = [x >> f.precision - 1 & (1 << f.bits - f.precision) - 1 for x in a]
    top = (1 << f.bits - f.precision) - 1
    magnitude = [x & (1 << f.bits - 1) - 1 for x in a]
    assert apply(f"testp.finite.{t}", a) == [int(e != top) for e in exponent]
    assert apply(f"testp.notanumber.{t}", a) == [int(is_nan(x, t)) for x in a]
    assert apply(f"testp.infinite.{t}", a) == [
        int(e == top and not is_nan(x, t)) for x, e in zip(a, exponent, strict=True)
    ]
    assert apply(f"testp.subnormal.{t}", a) == [
        int(e == 0 and m != 0) for e, m in zip(exponent, magnitude, strict=True)
    ]
    assert apply(f"testp.normal.{t}", a) == [
        int(e not in (0, top) or m == 0) for e, m in zip(exponent, magnitude, strict=True)
    ]
    sign = 1 << f.bits - 1
    assert apply(f"copysign.{t}", a, list(reversed(a))) == [
        y & ~sign | x & sign for x, y in zip(a, reversed(a), strict=True)
    ]
