"""f16 and bf16 to f32 and back on raw bits, with integers only: 64 values of a line at a time."""

from ..jit import inline, outline
from ..raw import load_u16, load_u32, store_16, store_32


@inline
def _round_off(x, n):
    """``x >> n``, rounded to nearest even."""
    kept = x >> n
    rest = x & (1 << n) - 1
    half = 1 << n - 1
    return kept + 1 if rest > half or (rest == half and kept & 1) else kept


@inline
def f16_to_f32(h):
    """Exact."""
    sign = (h & 0x8000) << 16
    exponent = h >> 10 & 31
    fraction = h & 1023
    if exponent == 31:
        return sign | 0x7F800000 | fraction << 13
    if exponent == 0:
        if fraction == 0:
            return sign
        exponent = 1
        while fraction < 1024:
            fraction <<= 1
            exponent -= 1
    return sign | exponent + 112 << 23 | (fraction & 1023) << 13


@inline
def f32_to_f16(x):
    """Rounded to nearest even; NaN becomes the canonical 0x7fff."""
    sign = x >> 16 & 0x8000
    exponent = (x >> 23 & 255) - 112
    fraction = x & 0x7FFFFF
    if exponent == 143:
        return sign | 0x7C00 if fraction == 0 else 0x7FFF
    if exponent >= 31:
        return sign | 0x7C00
    if exponent >= 1:
        return sign | _round_off(exponent << 23 | fraction, 13)
    if exponent < -10:
        return sign
    return sign | _round_off(fraction | 0x800000, 14 - exponent)


@inline
def f32_to_bf16(x):
    """Rounded to nearest even; NaN becomes the canonical 0x7fff."""
    if x & 0x7FFFFFFF > 0x7F800000:
        return 0x7FFF
    return _round_off(x, 16)


@outline
def widen(dst, src, is_bf16):
    """64 half-precision values at ``src`` to f32 at ``dst``."""
    for i in range(64):
        h = load_u16(src + 2 * i)
        store_32(dst + 4 * i, h << 16 if is_bf16 else f16_to_f32(h))


@outline
def narrow(dst, src, is_bf16):
    """64 f32 values at ``src`` to half precision at ``dst``."""
    for i in range(64):
        x = load_u32(src + 4 * i)
        store_16(dst + 2 * i, f32_to_bf16(x) if is_bf16 else f32_to_f16(x))
