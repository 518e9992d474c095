"""Copying the masked bytes of a 128-byte line."""

from ..jit import inline, outline
from ..raw import load_i64, load_u8, store_8, store_64


@inline
def _copy_word(dst, src, enabled):
    """Copy the bytes of one 8-byte word that an 8-bit mask enables."""
    if enabled == 0xFF:
        store_64(dst, load_i64(src))
    elif enabled:
        for i in range(8):
            if enabled >> i & 1:
                store_8(dst + i, load_u8(src + i))


@outline
def copy_masked(dst, src, lo, hi):
    """Copy the bytes of a line at host address ``src`` to ``dst`` whose bits are set in the two mask words."""
    for word in range(8):
        _copy_word(dst + 8 * word, src + 8 * word, lo >> 8 * word & 0xFF)
    for word in range(8):
        _copy_word(dst + 64 + 8 * word, src + 64 + 8 * word, hi >> 8 * word & 0xFF)
