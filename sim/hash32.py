"""The hash that buffers of validation specs are made from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def hash32(index: Any, seed: int) -> Array:
    """A 32-bit hash of each index; all arithmetic modulo 2^32."""
    with np.errstate(over="ignore"):
        x = np.asarray(index, np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed * 0x85EBCA6B & 0xFFFFFFFF)
        for multiplier, shift in ((0x7FEB352D, 15), (0x846CA68B, 16)):
            x = (x ^ x >> np.uint32(16 if shift == 15 else 15)) * np.uint32(multiplier)
    result: Array = x ^ x >> np.uint32(16)
    return result
