"""Conversions between floating-point formats that never round twice.

A value on its way to a narrower format passes through f32 with its last bit odd whenever something was cut off ("round
to odd"); the final rounding then comes out as if it were the only one (Boldo & Melquiond, "Emulation of FMA and
correctly rounded sums", IEEE TC 2008). Vectors of any length; f16 and bf16 travel as their bits in i16.
"""

from typing import Any

from llvmlite import ir

from .build import F32, F64, HALF, I1, I16, I32, I64, Builder, constant, every, intrinsic, shuffle, undefined, vector

BF16_NAN = 0x7FFF
_TOWARDS_ZERO = 11
"""Rounding mode of AVX-512: towards zero, no exceptions."""


def half_to_single(b: Builder, x: Any) -> Any:
    """f16 bits to f32, exact."""
    n = x.type.count
    return b.fpext(b.bitcast(x, vector(HALF, n)), vector(F32, n))


def single_to_half(b: Builder, x: Any) -> Any:
    """f32 to f16 bits, nearest even."""
    n = x.type.count
    return b.bitcast(b.fptrunc(x, vector(HALF, n)), vector(I16, n))


def brain_to_single(b: Builder, x: Any) -> Any:
    """bf16 bits to f32, exact."""
    n = x.type.count
    return b.bitcast(b.shl(b.zext(x, vector(I32, n)), constant(I32, 16, n)), vector(F32, n))


def single_to_brain(b: Builder, x: Any) -> Any:
    """f32 to bf16 bits, nearest even; NaN becomes 0x7fff."""
    n = x.type.count
    raw = b.bitcast(x, vector(I32, n))
    odd = b.and_(b.lshr(raw, constant(I32, 16, n)), constant(I32, 1, n))
    rounded = b.lshr(b.add(b.add(raw, constant(I32, 0x7FFF, n)), odd), constant(I32, 16, n))
    kept = b.select(b.fcmp_unordered("uno", x, x), constant(I32, BF16_NAN, n), rounded)
    return b.trunc(kept, vector(I16, n))


def int_to_single_cut(b: Builder, x: Any) -> Any:
    """Signed i32 to f32, rounded towards zero."""
    if b.avx512:
        parts = [shuffle(b, x, undefined(x.type), range(i, i + 16)) for i in range(0, x.type.count, 16)]
        name, wide, mode = "x86.avx512.sitofp.round.v16f32.v16i32", vector(F32, 16), ir.Constant(I32, _TOWARDS_ZERO)
        low, high = (intrinsic(b, name, wide, [part, mode]) for part in parts)
        return shuffle(b, low, high, range(x.type.count))
    sign = b.and_(x, constant(I32, 1 << 31))
    magnitude = intrinsic(b, "abs", x.type, [x, ir.Constant(I1, 0)], x.type)
    near = b.uitofp(magnitude, vector(F32))
    too_far = b.icmp_unsigned(">", b.fptoui(near, x.type), magnitude)
    return b.bitcast(b.or_(b.sub(b.bitcast(near, x.type), b.zext(too_far, x.type)), sign), near.type)


def _force_odd(b: Builder, value: Any, inexact: Any, too_far: Any) -> Any:
    """Make the last bit odd where ``inexact``; where also ``too_far`` from zero, first step back towards zero."""
    n = value.type.count
    integer = I32 if value.type.element == F32 else I64
    raw = b.bitcast(value, vector(integer, n))
    raw = b.sub(raw, b.zext(b.and_(inexact, too_far), raw.type))
    return b.bitcast(b.or_(raw, b.zext(inexact, raw.type)), value.type)


def double_to_single_odd(b: Builder, x: Any) -> Any:
    """f64 to f32, rounded to odd."""
    n = x.type.count
    near = b.fptrunc(x, vector(F32, n))
    back = b.fpext(near, vector(F64, n))
    inexact = b.fcmp_ordered("!=", back, x)
    too_far = b.fcmp_ordered(">", absolute(b, back), absolute(b, x))
    return _force_odd(b, near, inexact, too_far)


def sum_odd(b: Builder, x: Any, y: Any) -> Any:
    """``x + y`` rounded to odd (the error of the rounded sum is exact: Knuth's TwoSum)."""
    n = x.type.count
    total = b.fadd(x, y)
    virtual = b.fsub(total, x)
    error = b.fadd(b.fsub(x, b.fsub(total, virtual)), b.fsub(y, virtual))
    zero = constant_zero(x.type)
    inexact = b.fcmp_ordered("!=", error, zero)
    integer = I32 if x.type.element == F32 else I64
    signs = b.xor(b.bitcast(error, vector(integer, n)), b.bitcast(total, vector(integer, n)))
    return _force_odd(b, total, inexact, b.icmp_signed("<", signs, constant(integer, 0, n)))


def fma_odd(b: Builder, x: Any, y: Any, z: Any) -> Any:
    """``x * y + z`` of bf16 values held in f32, rounded to odd. Their product is exact in f32 unless it leaves the
    range of normal numbers; a vector in which one does is done in f64."""
    n = x.type.count
    product = b.fmul(x, y)
    size, zero = absolute(b, product), constant_zero(x.type)
    is_zero = b.or_(b.fcmp_ordered("==", x, zero), b.fcmp_ordered("==", y, zero))
    in_range = b.or_(b.fcmp_ordered(">", size, ir.Constant(x.type, [2.0**-100] * n)), is_zero)
    in_range = b.and_(in_range, b.fcmp_ordered("<", size, ir.Constant(x.type, [2.0**126] * n)))
    with b.if_else(every(b, in_range)) as (single, double):
        with single:
            total, from_single = sum_odd(b, product, z), b.block
        with double:
            wide = [b.fpext(v, vector(F64, n)) for v in (x, y, z)]
            exact = sum_odd(b, b.fmul(wide[0], wide[1]), wide[2])
            cut, from_double = double_to_single_odd(b, exact), b.block
    result = b.phi(x.type)
    result.add_incoming(total, from_single)
    result.add_incoming(cut, from_double)
    return result


def constant_zero(type_: ir.VectorType) -> ir.Constant:
    """A vector of 0.0."""
    return ir.Constant(type_, [0.0] * type_.count)


def absolute(b: Builder, x: Any) -> Any:
    """Clear the sign."""
    return intrinsic(b, "fabs", x.type, [x], x.type)


def int_to_double_odd(b: Builder, x: Any) -> Any:
    """Unsigned i64 to f64 rounded to odd: the bits that do not fit leave a trace in the last one that does."""
    n = x.type.count
    tail = b.and_(x, constant(I64, 0x7FF, n))
    trace = b.shl(b.zext(b.icmp_unsigned("!=", tail, constant(I64, 0, n)), x.type), constant(I64, 11, n))
    cut = b.or_(b.and_(x, constant(I64, -0x800, n)), trace)
    wide = b.icmp_unsigned(">=", x, constant(I64, 1 << 53, n))
    return b.uitofp(b.select(wide, cut, x), vector(F64, n))
