"""Conversions against exact fractions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from oracle import FORMATS, apply, decode, encode, floats, integers, number

INTS = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
FLOATS = ("f16", "bf16", "f32", "f64")
RND = ("rn", "rz", "rm", "rp")
ROUND = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}


def width(t: str) -> int:
    return FORMATS[t].bits if t in FORMATS else int(t[1:])


def limits(t: str) -> tuple[int, int]:
    n = int(t[1:])
    return (-(1 << n - 1), (1 << n - 1) - 1) if t[0] == "s" else (0, (1 << n) - 1)


def in_register(x: int, t: str) -> int:
    """Bits of an integer of type `t` in its register: narrow ones extended to 32 bits by their sign."""
    return x & (1 << max(32, width(t))) - 1


@pytest.mark.parametrize(("to", "of"), list(itertools.product(INTS, INTS)))
def test_between_integers(to: str, of: str):
    a = integers(width(of), 1)
    values = [number(x, of) for x in a]
    cut = [number(v & (1 << width(to)) - 1, to) for v in values]
    assert apply(f"cvt.{to}.{of}", a) == [in_register(v, to) for v in cut]
    low, high = limits(to)
    if not (low <= limits(of)[0] and limits(of)[1] <= high):
        assert apply(f"cvt.sat.{to}.{of}", a) == [in_register(max(low, min(high, v)), to) for v in values]


BYTES = ("u8", "s8")  # not converted from and to bf16


@pytest.mark.parametrize(
    ("to", "of"), [p for p in itertools.product(INTS, FLOATS) if p[0] not in BYTES or p[1] != "bf16"]
)
def test_float_to_integer(to: str, of: str):
    low, high = limits(to)
    a = floats(of, 2, 150)
    a += [
        encode(Fraction(n) + Fraction(k, 4), of, "rn")
        for n in (0, 1, -1, low, high, 5, -6, 2**31)
        for k in range(-4, 5)
    ]
    nan = 1 << width(to) - 1 if of == "f64" or width(to) == 64 else 0
    for rnd, f in ROUND.items():
        want = []
        for x in a:
            v = decode(x, of)
            if isinstance(v, float):
                want.append(number(nan, to) if math.isnan(v) else high if v > 0 else low)
            else:
                want.append(max(low, min(high, f(v))))
        assert apply(f"cvt.{rnd}.{to}.{of}", a) == [in_register(v, to) for v in want], rnd


@pytest.mark.parametrize(
    ("to", "of"), [p for p in itertools.product(FLOATS, INTS) if p[1] not in BYTES or p[0] != "bf16"]
)
def test_integer_to_float(to: str, of: str):
    a = integers(width(of), 3, 60)
    a += [(1 << k) + d & (1 << width(of)) - 1 for k in range(8, width(of)) for d in (-1, 0, 1, (1 << k - 8) // 2 + 1)]
    for rnd in RND:
        assert apply(f"cvt.{rnd}.{to}.{of}", a) == [encode(Fraction(number(x, of)), to, rnd) for x in a], rnd


@pytest.mark.parametrize(("to", "of"), [p for p in itertools.product(FLOATS, FLOATS) if p[0] != p[1]])
def test_between_floats(to: str, of: str):
    a = floats(of, 4, 200)
    narrow, wide = FORMATS[to], FORMATS[of]
    if wide.precision > narrow.precision:  # numbers around the ties of the narrow format
        scales = (0, narrow.lowest, narrow.lowest - narrow.precision + 2, narrow.highest)
        odd = [Fraction(2 * k + 1, 2 ** (narrow.precision + 1)) for k in range(5, 40)]
        ties = [encode(m * Fraction(2) ** e, of, "rn") for m in odd for e in scales]
        a += [t + d for t in ties for d in (-1, 0, 1) if t + d > 0]
    a = [x for x in a if decode(x, of) == decode(x, of)]
    exact = narrow.precision >= wide.precision and narrow.highest >= wide.highest and narrow.lowest <= wide.lowest
    for rnd in RND:
        want = []
        for x in a:
            v = decode(x, of)
            if isinstance(v, float):
                v = Fraction(2) ** 5000 * (1 if v > 0 else -1)
                want.append(encode(v, to, "rn"))
            else:
                want.append(encode(v, to, rnd, bool(x >> wide.bits - 1)))
        assert apply(f"cvt.{to}.{of}" if exact else f"cvt.{rnd}.{to}.{of}", a) == want, rnd


@pytest.mark.parametrize("t", FLOATS)
def test_integral_values(t: str):
    a = [x for x in floats(t, 5, 100) if not isinstance(decode(x, t), float)]
    a += [encode(Fraction(k, 4), t, "rn") for k in range(-20, 21)]
    for rnd, f in ROUND.items():
        want = [encode(Fraction(f(decode(x, t))), t, "rn", bool(x >> FORMATS[t].bits - 1)) for x in a]
        assert apply(f"cvt.{rnd}.{t}.{t}", a) == want, rnd


def test_nan_keeps_its_payload_only_from_f64_and_bf16():
    assert apply("cvt.rn.f32.f64", [0x7FF8000000000000, 0xFFF0000020000000]) == [0x7FC00000, 0xFFC00001]
    assert apply("cvt.f32.bf16", [0x7FC1, 0x7F81]) == [0x7FC10000, 0x7FC10000]
    assert apply("cvt.f32.f16", [0x7E00]) == [0x7FFFFFFF]
    assert apply("cvt.rn.f16.f32", [0x7FC00000]) == [0x7FFF]


def test_packed_halves():
    a, b = floats("f32", 6, 60), list(reversed(floats("f32", 6, 60)))
    for t in ("f16", "bf16"):
        high, low = apply(f"cvt.rn.{t}.f32", a), apply(f"cvt.rn.{t}.f32", b)
        assert apply(f"cvt.rn.{t}x2.f32", a, b) == [h << 16 | x for h, x in zip(high, low, strict=True)]
        relu = [x if x in (0x7FFF,) or not x >> 15 else 0 for x in high]
        assert apply(f"cvt.rn.relu.{t}.f32", a) == relu
    largest = apply("cvt.rn.satfinite.f16.f32", [0x7F7FFFFF, 0xFF800000, 0x3F800000])
    assert largest == [0x7BFF, 0xFBFF, 0x3C00]


def test_tf32_has_ten_bits_of_mantissa():
    one = 0x3F800000
    assert apply("cvt.rna.tf32.f32", [one + 0x1000, one + 0xFFF, -one & 0]) == [one + 0x2000, one, 0]
    assert apply("cvt.rn.tf32.f32", [one + 0x1000, one + 0x3000, one + 0x1001]) == [one, one + 0x4000, one + 0x2000]
    assert apply("cvt.rz.tf32.f32", [one + 0x1FFF]) == [one]
    assert apply("cvt.rz.relu.tf32.f32", [one | 0x80000000, one]) == [0, one]


def test_tf32_satfinite_of_what_is_not_finite():
    """Recorded on an H100: infinity becomes the largest number, and NaNs lose one in their last place too."""
    cases = {0x7F7FFFFF: 0x7F7FE000, 0x7F800000: 0x7F7FE000, 0xFF800000: 0xFF7FE000, 0x7FC00000: 0x7FBFE000,
             0x7F803800: 0x7F800000, 0x7FFFFFFF: 0x7FFFC000, 0xFFFFFFDE: 0xFFFFC000}  # fmt: skip
    assert apply("cvt.rna.satfinite.tf32.f32", list(cases)) == list(cases.values())


@pytest.mark.parametrize(("t", "dtype"), [("e4m3", ml_dtypes.float8_e4m3fn), ("e5m2", ml_dtypes.float8_e5m2)])
def test_eight_bit_floats(t: str, dtype: type):
    codes = list(range(256))
    values = np.array(codes, np.uint8).view(dtype).astype(np.float32)
    halves = apply(f"cvt.rn.f16x2.{t}x2", [c | 0x38 << 8 for c in codes])
    got = np.array([h & 0xFFFF for h in halves], np.uint16).view(np.float16).astype(np.float32)
    assert np.array_equal(got, values, equal_nan=True)
    largest = 448.0 if t == "e4m3" else 57344.0
    x = np.append(np.random.default_rng(7).normal(0, 30, 500), [0.0, -0.0]).astype(np.float32)
    tiny = (x * np.float32(2.0**-12)).astype(np.float32)
    huge = np.array([largest, largest * 1.01, 1e30, -1e30, np.inf, -np.inf], np.float32)
    for a in (x, tiny, huge, values[np.isfinite(values)]):
        want = np.clip(a, -largest, largest).astype(dtype).view(np.uint8).astype(int)
        bits = [int(v) for v in a.view(np.uint32)]
        zero = [0] * len(bits)
        assert apply(f"cvt.rn.satfinite.{t}x2.f32", zero, bits) == list(want)
        assert apply(f"cvt.rn.satfinite.{t}x2.f32", bits, zero) == [w << 8 for w in want]
    assert apply(f"cvt.rn.satfinite.{t}x2.f32", [0], [0x7FC00000]) == [0x7F]


def test_clamped_and_packed_integers():
    a, b = integers(32, 8), list(reversed(integers(32, 8)))

    def clamp(x: int, t: str) -> int:
        low, high = limits(t)
        return max(low, min(high, number(x, "s32"))) & (1 << width(t)) - 1

    pairs = list(zip(a, b, strict=True))
    for t in ("u16", "s16"):
        assert apply(f"cvt.pack.sat.{t}.s32", a, b) == [clamp(x, t) << 16 | clamp(y, t) for x, y in pairs]
    for t in ("u8", "s8"):
        want = [(x << 16 | clamp(x, t) << 8 | clamp(y, t)) & 0xFFFFFFFF for x, y in pairs]
        assert apply(f"cvt.pack.sat.{t}.s32.b32", a, b, a) == want
