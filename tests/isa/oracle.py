"""Independent arithmetic for the tests: exact fractions rounded by the definition, Python integers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from isa.algebra import Value
from isa.table import resolve
from isa.types import LANE_BITS


class Format(NamedTuple):
    """A binary format: precision in bits, exponents of the smallest and largest normal number, width."""

    precision: int
    lowest: int
    highest: int
    bits: int


FORMATS = {
    "f16": Format(11, -14, 15, 16),
    "bf16": Format(8, -126, 127, 16),
    "f32": Format(24, -126, 127, 32),
    "f64": Format(53, -1022, 1023, 64),
}


def decode(bits: int, t: str) -> Fraction | float:
    """The number that `bits` mean: exact, or inf, -inf, nan."""
    f = FORMATS[t]
    fraction_bits = f.precision - 1
    sign = -1 if bits >> f.bits - 1 else 1
    exponent = bits >> fraction_bits & (1 << f.bits - 1 - fraction_bits) - 1
    fraction = bits & (1 << fraction_bits) - 1
    if exponent == f.highest - f.lowest + 2:
        return math.nan if fraction else sign * math.inf
    if exponent:
        fraction |= 1 << fraction_bits
    return sign * fraction * Fraction(2) ** (max(exponent, 1) + f.lowest - 1 - fraction_bits)


def encode(x: Fraction, t: str, rnd: str, negative_zero: bool = False) -> int:
    """Bits of `x` rounded as `rnd` says; a zero result has the sign of `x`, or of `negative_zero` when x is 0."""
    f = FORMATS[t]
    sign = 1 << f.bits - 1 if x < 0 or (x == 0 and negative_zero) else 0
    if x == 0:
        return sign
    top, bottom = abs(x.numerator), x.denominator
    exponent = top.bit_length() - bottom.bit_length()
    if top << max(-exponent, 0) < bottom << max(exponent, 0):
        exponent -= 1
    unit = max(exponent, f.lowest) - (f.precision - 1)
    whole, rest = divmod(top << max(-unit, 0), bottom << max(unit, 0))
    rest, full = 2 * rest, bottom << max(unit, 0)
    up = {"rn": rest > full or (rest == full and whole % 2 == 1), "rz": False,
          "rm": rest > 0 and x < 0, "rp": rest > 0 and x > 0}[rnd]  # fmt: skip
    whole += up
    if whole == 1 << f.precision:
        whole, unit = whole >> 1, unit + 1
    biased = unit - (f.lowest - (f.precision - 1)) + (whole >> f.precision - 1)
    if biased > f.highest - f.lowest + 1:
        away = {"rn": True, "rz": False, "rm": x < 0, "rp": x > 0}[rnd]
        infinity = (1 << f.bits - 1) - (1 << f.precision - 1)
        return sign | (infinity if away else infinity - 1)
    return sign | biased << f.precision - 1 | whole & (1 << f.precision - 1) - 1


def root(x: Fraction) -> Fraction:
    """The square root of `x`, exact where it is rational, else so close that no rounding can tell."""
    shift = 2600
    scaled = (x.numerator << 2 * shift) // x.denominator
    whole = math.isqrt(scaled)
    exact = whole * whole == scaled and (x.numerator << 2 * shift) % x.denominator == 0
    return Fraction(2 * whole + (not exact), 2 << shift)


def apply(opcode: str, *sources: Any, imm: dict[str, int] | None = None) -> Any:
    """The lane function of `opcode` on arrays of raw bits (or bools); raw bits, as Python integers in object arrays."""
    op = resolve(opcode)
    op = op.with_imm(imm) if imm else op
    _, read = op.lane_types()
    values = []
    for bits, t in zip(sources, read, strict=True):
        if t == "pred":
            values.append(Value(np.asarray(bits, bool), t))
        else:
            width = LANE_BITS[t]
            raw = np.array([int(b) & (1 << width) - 1 for b in bits], dtype=f"u{width // 8}")
            values.append(Value(raw, f"u{width}").bits(t))
    assert op.instr.lane is not None
    result = op.instr.lane(op, *values)
    return tuple(map(_raw, result)) if isinstance(result, tuple) else _raw(result)


def _raw(value: Value) -> list[int]:
    if value.t == "pred":
        return [int(b) for b in value.v]
    return [int(b) for b in value.bits(f"u{LANE_BITS[value.t]}").v]


def signed(bits: int, width: int) -> int:
    """Two's complement value."""
    bits &= (1 << width) - 1
    return bits - (1 << width) if bits >> width - 1 else bits


def number(bits: int, t: str) -> int:
    """The integer of type `t` that `bits` mean."""
    width = int(t[1:])
    return signed(bits, width) if t[0] == "s" else bits & (1 << width) - 1


def integers(width: int, seed: int, extra: int = 30) -> list[int]:
    """0, ±1, min, max and their neighbours, small numbers, and random ones."""
    top = 1 << width - 1
    edges = [
        0,
        1,
        2,
        3,
        7,
        31,
        32,
        33,
        63,
        64,
        100,
        top - 1,
        top,
        top + 1,
        2 * top - 1,
        2 * top - 2,
        0x55 * (top // 128),
    ]
    random = np.random.default_rng(seed).integers(0, 2**63, extra, dtype=np.uint64)
    return [e & 2 * top - 1 for e in edges] + [int(r) * 0x9E3779B97F4A7C15 >> 20 & 2 * top - 1 for r in random]


def floats(t: str, seed: int, extra: int = 40) -> list[int]:
    """Zeros, ones, the largest, subnormals, infinities, NaN, numbers near each other, and random bits."""
    f = FORMATS[t]
    top, infinity = 1 << f.bits - 1, (1 << f.bits - 1) - (1 << f.precision - 1)
    one = (-f.lowest + 1) << f.precision - 1
    least_normal = 1 << f.precision - 1
    positive = [0, 1, 2, least_normal - 1, least_normal, least_normal + 1, one, one + 1, one - 1, one + least_normal,
                infinity - 1, infinity - 2, infinity, infinity | 1 << f.precision - 2]  # fmt: skip
    random = [int(r) & 2 * top - 1 for r in np.random.default_rng(seed).integers(0, 2**64, extra, dtype=np.uint64)]
    near_one = [one - (r % 4096) if r % 2 else one + r % 4096 for r in random[: extra // 4]]
    return positive + [p | top for p in positive[:-1]] + random + near_one
