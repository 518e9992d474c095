"""Byte masks of a 128-byte line: two words, bit ``i`` is byte ``i``."""

from ..jit import inline
from ..net.packet import span_bits
from ..raw import ctz, popcount


@inline
def _top(x):
    """Number of the highest set bit + 1 of a word; 0 for zero."""
    x |= x >> 1
    x |= x >> 2
    x |= x >> 4
    x |= x >> 8
    x |= x >> 16
    x |= x >> 32
    return popcount(x)


@inline
def mask_first(lo, hi):
    """First byte of a mask that is not empty."""
    return ctz(lo) if lo != 0 else 64 + ctz(hi)


@inline
def mask_end(lo, hi):
    """Byte after the last one of a mask; 0 when it is empty."""
    return 64 + _top(hi) if hi != 0 else _top(lo)


@inline
def mask_bytes(lo, hi):
    """How many bytes are set."""
    return popcount(lo) + popcount(hi)


@inline
def bytes_within(lo, hi, first, last):
    """How many of the bytes ``first`` .. ``last - 1`` are set."""
    return popcount(lo & span_bits(first, last)) + popcount(hi & span_bits(first - 64, last - 64))
