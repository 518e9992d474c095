"""Aligned buffers, and calls of compiled functions with Python integers and arrays."""

import ctypes

import numpy as np

_LIBRARY = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 8)
_LANE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6, ctypes.c_uint32)
FULL = 0xFFFFFFFF


def buffer(n, dtype, fill=None):
    """``n`` zeroed (or filled) elements, 64-byte aligned."""
    size = n * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    out = raw[start : start + size].view(dtype)
    if fill is not None:
        out[:] = fill
    return out


def address(x):
    """An argument as compiled code wants it."""
    value = x.ctypes.data if isinstance(x, np.ndarray) else int(x)
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class Functions:
    """Library functions as attributes that take arrays and integers."""

    def __init__(self, table):
        self._table = table

    def __getattr__(self, name):
        function = _LIBRARY(self._table[name])

        def call(*args):
            padded = [address(a) for a in args] + [0] * (8 - len(args))
            return function(*padded)

        return call


def call_lane(pointer, operands, mask):
    """Call a lane operation on arrays."""
    _LANE(pointer)(*[address(a) for a in operands], *[0] * (6 - len(operands)), mask)


def lanes_of(mask):
    """Set lanes, lowest first."""
    return [lane for lane in range(32) if mask >> lane & 1]


def masks(rng, n):
    """Masks worth trying: none, all, one lane, and ``n`` random ones."""
    return [0, FULL, 1, 1 << 31, 0xFFFF, *(int(m) for m in rng.integers(0, 1 << 32, n))]
