"""The lane algebra read with NumPy: the reference meaning of every lane instruction.

A `Value` is an array of any shape under one of the types u8 … s64, f16, bf16, f32, f64 and pred. Integers wrap; floats
round to nearest even, once. f16 is held as float16, bf16 as its bits in uint16, pred as bool.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import LANE_BITS

Array = NDArray[Any]
FLOATS = ("f16", "bf16", "f32", "f64")
_DTYPES: dict[str, Any] = {
    "pred": np.bool_, "f16": np.float16, "bf16": np.uint16, "f32": np.float32, "f64": np.float64,
    "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
    "s8": np.int8, "s16": np.int16, "s32": np.int32, "s64": np.int64,
}  # fmt: skip


def _quiet() -> Any:
    return np.errstate(all="ignore")


def _bf16_to_f32(bits: Array) -> Array:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _f32_to_bf16(x: Array) -> Array:
    raw = x.view(np.uint32)
    rounded = (raw + np.uint32(0x7FFF) + (raw >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded.astype(np.uint16))


def _to_odd(near: Array, below: Array, above: Array) -> Array:
    """The neighbour of `near` with an odd last bit where the exact value is `below` or `above` it in magnitude."""
    integer = np.uint32 if near.dtype == np.float32 else np.uint64
    raw = near.view(integer) - (below & (near != 0)).astype(integer)
    odd: Array = (raw | (below | above).astype(integer)).view(near.dtype)
    return odd


def _f64_to_f32_odd(x: Array) -> Array:
    near = x.astype(np.float32)
    back = near.astype(np.float64)
    return _to_odd(near, np.abs(back) > np.abs(x), np.abs(back) < np.abs(x))


def _f64_sum_odd(x: Array, y: Array) -> Array:
    """x + y in f64 rounded to odd (Boldo and Melquiond, IEEE TC 2008)."""
    total = x + y
    virtual = total - x
    error = (x - (total - virtual)) + (y - virtual)
    inexact = np.isfinite(total) & (error != 0)
    towards_zero = np.signbit(error) != np.signbit(total)
    return _to_odd(total, inexact & towards_zero, inexact & ~towards_zero)


def _int_to_f64_odd(x: Array) -> Array:
    near = x.astype(np.float64)
    if x.dtype.itemsize < 8:
        return near
    exact = np.array([int(v) for v in x.ravel()], dtype=object)
    back = np.array([int(v) for v in near.ravel()], dtype=object)
    below = (abs(back) > abs(exact)).astype(bool).reshape(x.shape)
    above = (abs(back) < abs(exact)).astype(bool).reshape(x.shape)
    return _to_odd(near, below, above)


def _fma64(a: Array, b: Array, c: Array) -> Array:
    """Fused multiply-add in f64 by exact rational arithmetic."""
    # a finite product never meets an infinite c as infinity, even where a * b overflows
    out = np.asarray(np.where(np.isfinite(a) & np.isfinite(b) & ~np.isfinite(c), c, a * b + c))
    exact = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    for i in np.ndindex(out.shape):
        if exact[i]:
            total = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(c[i]))
            if total:
                out[i] = _nearest(total)
    return out


def _nearest(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")


class Value:
    """An array of lanes of one type."""

    def __init__(self, v: Any, t: str) -> None:
        self.v: Array = np.asarray(v, dtype=_DTYPES[t])
        self.t = t

    def __repr__(self) -> str:
        return f"Value({self.v!r}, {self.t!r})"

    def _same(self, other: Value) -> None:
        if not isinstance(other, Value) or other.t != self.t:
            raise TypeError(f"operands of types {self.t} and {getattr(other, 't', type(other).__name__)}")

    def _only(self, what: str, *allowed: bool) -> None:
        if not any(allowed):
            raise TypeError(f"{what} is not defined for {self.t}")

    @property
    def _is_float(self) -> bool:
        return self.t in FLOATS

    @property
    def _is_int(self) -> bool:
        return not self._is_float and self.t != "pred"

    def const(self, number: float) -> Value:
        """The constant `number` in this value's type and shape (integers wrap)."""
        if self.t == "bf16":
            return Value(_f32_to_bf16(np.full(self.v.shape, number, np.float32)), "bf16")
        if self._is_int:
            return Value(np.full(self.v.shape, int(number) & (1 << LANE_BITS[self.t]) - 1, np.uint64), "u64").to(self.t)
        return Value(np.full(self.v.shape, number, self.v.dtype), self.t)

    def _wide(self) -> Array:
        """This float exactly, in f64 (f32 and f64 unchanged)."""
        if self.t == "bf16":
            return _bf16_to_f32(self.v).astype(np.float64)
        return self.v.astype(np.float64) if self.t == "f16" else self.v

    def _narrow(self, x: Array) -> Value:
        """The f64 (or own-width) result `x` rounded to this type."""
        if self.t == "bf16":
            return Value(_f32_to_bf16(_f64_to_f32_odd(np.asarray(x, np.float64))), "bf16")
        return Value(np.asarray(x).astype(self.v.dtype), self.t)

    def _arith(self, other: Value, f: Any) -> Value:
        self._same(other)
        self._only("arithmetic", self._is_float, self._is_int)
        with _quiet():
            if self._is_float:
                return self._narrow(f(self._wide(), other._wide()))
            return Value(f(self.v, other.v), self.t)

    def __add__(self, o: Value) -> Value:
        return self._arith(o, np.add)

    def __sub__(self, o: Value) -> Value:
        return self._arith(o, np.subtract)

    def __mul__(self, o: Value) -> Value:
        return self._arith(o, np.multiply)

    def __truediv__(self, o: Value) -> Value:
        self._only("/", self._is_float)
        return self._arith(o, np.divide)

    def div(self, o: Value) -> Value:
        """Integer quotient, truncated; all ones where the divisor is 0."""
        return self._divmod(o)[0]

    def rem(self, o: Value) -> Value:
        """Remainder with the sign of the dividend; the dividend where the divisor is 0."""
        return self._divmod(o)[1]

    def _divmod(self, o: Value) -> tuple[Value, Value]:
        self._same(o)
        self._only("integer division", self._is_int)
        zero = o.v == 0
        with _quiet():
            divisor = np.where(zero, self.v.dtype.type(1), o.v)
            floor = self.v // divisor
            off = (floor * divisor != self.v) & ((self.v < 0) != (divisor < 0))
            quotient = floor + off.astype(self.v.dtype)
            rest = self.v - quotient * divisor
        ones = self.const(-1).v
        return Value(np.where(zero, ones, quotient), self.t), Value(np.where(zero, self.v, rest), self.t)

    def __neg__(self) -> Value:
        if self._is_float:
            return self._flip(0, 1)
        return self.const(0) - self

    def _flip(self, keep: int, toggle: int) -> Value:
        """A float with its sign bit kept or cleared, then toggled."""
        bits = LANE_BITS[self.t]
        raw = self.bits(f"u{bits}")
        sign = raw.const(1 << bits - 1)
        return ((raw ^ sign) if toggle else (raw & ~sign)).bits(self.t)

    def abs(self) -> Value:
        """Magnitude (the most negative integer stays)."""
        if self._is_float:
            return self._flip(0, 0)
        return (self < self.const(0)).where(-self, self)

    def __invert__(self) -> Value:
        self._only("~", not self._is_float)
        return Value(~self.v, self.t)

    def _bitwise(self, o: Value, f: Any) -> Value:
        self._same(o)
        self._only("a bitwise operation", not self._is_float)
        return Value(f(self.v, o.v), self.t)

    def __and__(self, o: Value) -> Value:
        return self._bitwise(o, np.bitwise_and)

    def __or__(self, o: Value) -> Value:
        return self._bitwise(o, np.bitwise_or)

    def __xor__(self, o: Value) -> Value:
        return self._bitwise(o, np.bitwise_xor)

    def _shift(self, o: Value, f: Any) -> Value:
        self._same(o)
        self._only("a shift", self._is_int)
        amount = o.v & o.v.dtype.type(LANE_BITS[self.t] - 1)
        return Value(f(self.v, amount), self.t)

    def __lshift__(self, o: Value) -> Value:
        return self._shift(o, np.left_shift)

    def __rshift__(self, o: Value) -> Value:
        return self._shift(o, np.right_shift)

    def _compare(self, o: Value, f: Any) -> Value:
        self._same(o)
        with _quiet():
            return Value(f(self._wide(), o._wide()), "pred")

    def __eq__(self, o: Value) -> Value:  # type: ignore[override]
        return self._compare(o, np.equal)

    def __ne__(self, o: Value) -> Value:  # type: ignore[override]
        return self._compare(o, np.not_equal)

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, o: Value) -> Value:
        return self._compare(o, np.less)

    def __le__(self, o: Value) -> Value:
        return self._compare(o, np.less_equal)

    def __gt__(self, o: Value) -> Value:
        return self._compare(o, np.greater)

    def __ge__(self, o: Value) -> Value:
        return self._compare(o, np.greater_equal)

    def where(self, a: Value, b: Value) -> Value:
        """`a` where this predicate holds, else `b`."""
        self._only("where", self.t == "pred")
        a._same(b)
        return Value(np.where(self.v, a.v, b.v), a.t)

    def mulhi(self, o: Value) -> Value:
        """High half of the double-width product."""
        self._same(o)
        self._only("mulhi", self._is_int)
        bits = LANE_BITS[self.t]
        exact = self.v.astype(object) * o.v.astype(object)
        high = np.frompyfunc(lambda x: x >> bits & (1 << bits) - 1, 1, 1)(exact)
        return Value(np.asarray(high, dtype=f"u{bits // 8}"), f"u{bits}").bits(self.t)

    def fma(self, b: Value, c: Value) -> Value:
        """self * b + c, rounded once."""
        self._same(b)
        self._same(c)
        self._only("fma", self._is_float)
        with _quiet():
            if self.t == "f64":
                return Value(_fma64(self.v, b.v, c.v), "f64")
            x, y, z = (np.asarray(v._wide(), np.float64) for v in (self, b, c))
            return self._narrow(_f64_sum_odd(x * y, z))

    def lookup(self, table: tuple[float, ...], t: str) -> Value:
        """The element of ``table`` at this index (within the table) as type ``t``."""
        return Value(np.asarray(table)[self.v], t)

    def _unary(self, f: Any) -> Value:
        self._only(f.__name__, self._is_float)
        with _quiet():
            return self._narrow(f(self._wide()))

    def sqrt(self) -> Value:
        """Square root."""
        return self._unary(np.sqrt)

    def floor(self) -> Value:
        """Largest integral value not above."""
        return self._unary(np.floor)

    def ceil(self) -> Value:
        """Smallest integral value not below."""
        return self._unary(np.ceil)

    def trunc(self) -> Value:
        """Integral value next towards zero."""
        return self._unary(np.trunc)

    def rint(self) -> Value:
        """Nearest integral value, ties to even."""
        return self._unary(np.rint)

    def bits(self, t: str) -> Value:
        """The same bits under another type of the same width."""
        if LANE_BITS[t] != LANE_BITS[self.t] or "pred" in (t, self.t):
            raise TypeError(f"bits of {self.t} are not those of a {t}")
        return Value(np.ascontiguousarray(self.v).view(_DTYPES[t]).reshape(self.v.shape), t)

    def to(self, t: str) -> Value:
        """This value in another type: integers wrap or extend, floats round to nearest, float to integer truncates and
        saturates and takes NaN to 0."""
        if self.t == "pred" or t == "pred":
            raise TypeError("a predicate is not a number: use where and compares")
        with _quiet():
            if t in FLOATS:
                return self._to_float(t)
            if self._is_float:
                return self._to_int(t)
            return Value(self.v.astype(_DTYPES[t]), t)

    def _to_float(self, t: str) -> Value:
        if t == self.t:
            return self
        if t == "bf16":
            wide = self._wide() if self._is_float else _int_to_f64_odd(self.v)
            return Value(_f32_to_bf16(_f64_to_f32_odd(np.asarray(wide, np.float64))), "bf16")
        if t == "f16" and self._is_int:
            return Value(_int_to_f64_odd(self.v).astype(np.float16), "f16")
        return Value(self._wide().astype(_DTYPES[t]), t)

    def _to_int(self, t: str) -> Value:
        bits, signed = LANE_BITS[t], t[0] == "s"
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        x = np.trunc(np.asarray(self._wide(), np.float64))
        inside = (x > float(low) - 1) & (x < float(high) + 1) if bits < 64 else (x >= float(low)) & (x < float(high))
        whole = np.where(inside, x, 0).astype(_DTYPES[t])
        clamped = np.where(x >= float(high), self._int_like(t, high), self._int_like(t, low))
        return Value(np.where(inside, whole, np.where(np.isnan(x), _DTYPES[t](0), clamped)), t)

    def _int_like(self, t: str, number: int) -> Array:
        return np.full(self.v.shape, number, _DTYPES[t])

    def _count(self, f: Any) -> Value:
        self._only("bit counting", self.t in ("u32", "u64"))
        bits = LANE_BITS[self.t]
        return Value(np.asarray(np.frompyfunc(lambda x: f(int(x), bits), 1, 1)(self.v)).astype(_DTYPES[self.t]), self.t)

    def popc(self) -> Value:
        """Number of ones."""
        return self._count(lambda x, bits: x.bit_count())

    def clz(self) -> Value:
        """Number of leading zeros; the width for 0."""
        return self._count(lambda x, bits: bits - x.bit_length())

    def brev(self) -> Value:
        """Bits in reverse order."""
        return self._count(lambda x, bits: int(f"{x:0{bits}b}"[::-1], 2))

    def _part(self, t: str, shift: int) -> Value:
        self._only("a half", self.t == f"u{2 * LANE_BITS[t]}")
        return (self >> self.const(shift)).to(t)

    def lo16(self) -> Value:
        """Low half of a u32."""
        return self._part("u16", 0)

    def hi16(self) -> Value:
        """High half of a u32."""
        return self._part("u16", 16)

    def lo32(self) -> Value:
        """Low half of a u64."""
        return self._part("u32", 0)

    def hi32(self) -> Value:
        """High half of a u64."""
        return self._part("u32", 32)

    def _pack(self, high: Value, t: str, wide: str) -> Value:
        self._same(high)
        self._only("packing", self.t == t)
        upper = high.to(wide)
        return self.to(wide) | (upper << upper.const(LANE_BITS[t]))

    def pack16(self, high: Value) -> Value:
        """This u16 below `high` in a u32."""
        return self._pack(high, "u16", "u32")

    def pack32(self, high: Value) -> Value:
        """This u32 below `high` in a u64."""
        return self._pack(high, "u32", "u64")
