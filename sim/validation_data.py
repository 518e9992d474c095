"""Buffers of validation specs: pure functions of a 32-bit hash, the same as those the measured GPU was given."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hash32 import hash32
from .routing_data import routing
from .specdata import DTYPES

Array = NDArray[Any]


def _bf16(values: Array) -> Array:
    bits = values.view(np.uint32)
    return (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)) >> np.uint32(16)).astype(np.uint16)


def _uniform(n: int, dtype: str, init: Mapping[str, Any]) -> Array:
    low, high = np.float32(init["lo"]), np.float32(init["hi"])
    unit = (hash32(np.arange(n), init["seed"]) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    values = low + (high - low) * unit
    return _bf16(values) if dtype == "bf16" else values.astype(DTYPES[dtype])


def _integers(n: int, dtype: str, init: Mapping[str, Any]) -> Array:
    span = init["hi"] - init["lo"]
    return (init["lo"] + hash32(np.arange(n), init["seed"]).astype(np.int64) % span).astype(DTYPES[dtype])


def _next(n: int, dtype: str, init: Mapping[str, Any]) -> Array:
    """One cycle through all n (a power of two) elements: (a i + c) mod n."""
    index = np.arange(n, dtype=np.uint64)
    return ((index * np.uint64(init["a"]) + np.uint64(init["c"])) % np.uint64(n)).astype(DTYPES[dtype])


def _permutation(n: int, dtype: str, init: Mapping[str, Any]) -> Array:
    return np.argsort(hash32(np.arange(n), init["seed"]), kind="stable").astype(DTYPES[dtype])


def _row_starts(n: int, dtype: str, init: Mapping[str, Any]) -> Array:
    lengths = init["lo"] + hash32(np.arange(n - 1), init["seed"]).astype(np.int64) % init["span"]
    return np.concatenate([[0], np.cumsum(lengths)]).astype(DTYPES[dtype])


_KINDS: dict[str, Callable[[int, str, Mapping[str, Any]], Array]] = {
    "zeros": lambda n, dtype, init: np.zeros(n, DTYPES[dtype]),
    "fill": lambda n, dtype, init: np.full(n, init["value"], DTYPES[dtype]),
    "values": lambda n, dtype, init: np.array(init["values"], DTYPES[dtype]),
    "uniform": _uniform,
    "hash_u32": lambda n, dtype, init: hash32(np.arange(n), init["seed"]).astype(DTYPES[dtype]),
    "hash_int": _integers,
    "lcg_next": _next,
    "hash_argsort": _permutation,
    "csr_rowptr": _row_starts,
    "routing": lambda n, dtype, init: routing(init).astype(DTYPES[dtype]),
}


def make(buffer: Mapping[str, Any]) -> Array:
    """The data of a buffer of a launch spec (``dtype``, ``count``, ``init``). ValueError for an unknown initialiser."""
    kind = buffer["init"]["kind"]
    if kind not in _KINDS:
        raise ValueError(f"unknown initialiser `{kind}`")
    return _KINDS[kind](buffer["count"], buffer["dtype"], buffer["init"])
