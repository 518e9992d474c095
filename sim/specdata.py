"""Input data of conformance specs and how outputs are compared: pure functions of what a spec says; numpy only.

Random data come from a counter, so that any program can repeat them: element ``i`` of seed ``s`` is the splitmix64
finaliser of ``(s << 32) + i + 1`` times the golden ratio. bf16 and fp8 data are bit patterns. tests/conform/README.md
describes the format.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_PLAIN = {f"{kind}{8 << i}": f"{code}{1 << i}" for kind, code in (("u", "u"), ("b", "u"), ("s", "i")) for i in range(4)}
DTYPES = {
    name: np.dtype(code)
    for name, code in {
        **_PLAIN,
        "f16": "f2",
        "f32": "f4",
        "f64": "f8",
        "bf16": "u2",
        "e4m3": "u1",
        "e5m2": "u1",
    }.items()
}
_FLOATS = ("f16", "f32", "f64", "bf16")

_INTEGER_EDGES = {
    8: (0, 1, 2, 0x7F, 0x80, 0x81, 0xFF, 0xFE, 0x55, 0xAA, 7, 16),
    16: (0, 1, 2, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0xFFFE, 0xFF, 0x100, 0x5555, 0xAAAA, 10, 0x1234),
    32: (
        *(0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFF, 0x10000, 0x55555555),
        *(0xAAAAAAAA, 31, 32, 33, 0xFFFFFF, 0x800000, 0x12345678, 10, 255),
    ),
    64: (
        *(0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1, (1 << 64) - 2, (1 << 32) - 1, 1 << 32),
        *(1 << 31, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA, 63, 64, 0x123456789ABCDEF0, (1 << 53) + 1, 10),
        *(1000000007, 0xFFFFFFFF00000000),
    ),
}
_FLOAT_EDGES = {
    "f16": (
        *(0, 0x8000, 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x7E00, 1, 0x83FF, 0x400, 0x7BFF, 0xFBFF, 0x3E00, 0x2E66),
        *(0x3800, 0x6400, 0x3C01, 0xC100, 0x1400, 0x5BFF),
    ),
    "bf16": (
        *(0, 0x8000, 0x3F80, 0xBF80, 0x7F80, 0xFF80, 0x7FC0, 1, 0x807F, 0x80, 0x7F7F, 0xFF7F, 0x3FC0, 0x3DCD),
        *(0x3F00, 0x4B80, 0x3F81, 0xC020, 0x3300, 0x437F),
    ),
    "f32": (
        *(0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 1, 0x807FFFFF, 0x00800000),
        *(0x7F7FFFFF, 0xFF7FFFFF, 0x3FC00000, 0x3DCCCCCD, 0xD09DC5AD, 0x4B800001, 0x4F000000, 0x5F000000, 0x3F000000),
        *(0x3F800001, 0xC0200000, 0x4EFFFFFF, 0x42FF0000, 0x437F8000, 0xC3008000, 0x33800000, 0x477FE000, 0x477FF000),
    ),
    "f64": (
        *(0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000),
        *(0x7FF8000000000000, 1, 0x800FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF),
        *(0x3FF8000000000000, 0x3FB999999999999A, 0x41DFFFFFFFC00000, 0x41E0000000000000, 0x43E0000000000000),
        *(0xC3E0000000000000, 0x3FE0000000000000, 0xC004000000000000, 0x3690000000000000, 0x47EFFFFFE0000000),
        *(0x40EFFFE000000000, 0x405FE00000000000),
    ),
}


def _words(seed: int, index: Array) -> Array:
    """64 random bits for each index."""
    with np.errstate(over="ignore"):
        z = (np.uint64(seed << 32) + index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        result: Array = z ^ (z >> np.uint64(31))
    return result


def _unit(seed: int, index: Array) -> Array:
    """Random doubles in [0, 1)."""
    return (_words(seed, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _encode(values: Any, dtype: str) -> Array:
    """Real numbers as the data type; bf16: nearest even, through f32."""
    if dtype != "bf16":
        return np.asarray(values, np.float64).astype(DTYPES[dtype])
    single = np.asarray(values, np.float64).astype(np.float32)
    bits = single.view(np.uint32).astype(np.uint64)
    rounded = (bits + np.uint64(0x7FFF) + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    return np.where(np.isnan(single), np.uint64(0x7FFF), rounded).astype(np.uint16)


def _from_bits(bits: Array, dtype: str) -> Array:
    """The low bits of 64-bit words as the data type."""
    target = DTYPES[dtype]
    return bits.astype(f"u{target.itemsize}").view(target)


def _integers(values: Any, dtype: str) -> Array:
    """Whole numbers of any size, wrapped to the data type."""
    wrapped = [int(v) & (1 << 64) - 1 for v in values]
    return _from_bits(np.array(wrapped, np.uint64), dtype)


def _numbers(values: Any, dtype: str) -> Array:
    return _encode(values, dtype) if dtype in _FLOATS else _integers(values, dtype)


def _iota(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    start, step = init.get("start", 0), init.get("step", 1)
    if dtype in _FLOATS:
        return _encode(start + np.arange(n) * step, dtype)
    return _from_bits((np.arange(n, dtype=np.int64) * int(step) + int(start)).view(np.uint64), dtype)


def _uniform(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    return _encode(init["lo"] + (init["hi"] - init["lo"]) * _unit(init["seed"], index), dtype)


def _randint(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    span = np.uint64(init["hi"] - init["lo"])
    values = (_words(init["seed"], index) % span).astype(np.int64) + int(init["lo"])
    return _encode(values, dtype) if dtype in _FLOATS else _from_bits(values.view(np.uint64), dtype)


def _bits(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    return _from_bits(_words(init["seed"], index) >> np.uint64(64 - 8 * DTYPES[dtype].itemsize), dtype)


def _edges(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    """Special values of up to three operands in all combinations, then random bits (floats: half of them near 1)."""
    width = 8 * DTYPES[dtype].itemsize
    values = np.array(_FLOAT_EDGES[dtype] if dtype in _FLOATS else _INTEGER_EDGES[width], np.uint64)
    count = np.uint64(len(values))
    place = (index % count, index // count % count, (index * np.uint64(7) + index // count + np.uint64(3)) % count)
    random = _words(init["seed"], index) >> np.uint64(64 - width)
    if dtype in _FLOATS:
        middle = _encode((_unit(init["seed"] + 1000, index) - 0.5) * 8.0, dtype)
        near = middle.view(f"u{width // 8}").astype(np.uint64)
        random = np.where(index & np.uint64(1) == 0, near, random)
    chosen = values[place[init["axis"]].astype(np.int64)]
    return _from_bits(np.where(index < count * count, chosen, random), dtype)


def _choice(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    place = _words(init["seed"], index) % np.uint64(len(init["values"]))
    real = dtype in _FLOATS and dtype != "bf16"
    values = _encode(init["values"], dtype) if real else _integers(init["values"], dtype)
    return values[place.astype(np.int64)]


def _list(n: int, index: Array, dtype: str, init: Mapping[str, Any]) -> Array:
    data = np.zeros(n, DTYPES[dtype])
    values = _numbers(init["values"], dtype)
    data[: len(values)] = values
    return data


_FILLS: dict[str, Callable[[int, Array, str, Mapping[str, Any]], Array]] = {
    "zeros": lambda n, index, dtype, init: np.zeros(n, DTYPES[dtype]),
    "fill": lambda n, index, dtype, init: np.repeat(_numbers([init["value"]], dtype), n),
    "iota": _iota,
    "uniform": _uniform,
    "randint": _randint,
    "bits": _bits,
    "edges": _edges,
    "choice": _choice,
    "perm": lambda n, index, dtype, init: np.argsort(_words(init["seed"], index), kind="stable").astype(DTYPES[dtype]),
    "list": _list,
}


def initial(dtype: str, shape: list[int], init: Mapping[str, Any]) -> Array:
    """The data of one buffer, in C order. KeyError for an unknown data type or kind of data."""
    n = int(np.prod(shape, dtype=np.int64))
    data = _FILLS[init["kind"]](n, np.arange(n, dtype=np.uint64), dtype, init)
    return np.ascontiguousarray(data.reshape(shape))


def scalar(dtype: str, value: Any) -> bytes:
    """One number as bytes of the data type."""
    return _numbers([value], dtype).tobytes()


# --- comparing


def _real(data: Array, dtype: str) -> Array:
    if dtype == "bf16":
        data = (data.astype(np.uint32) << np.uint32(16)).view(np.float32)
    with np.errstate(invalid="ignore"):  # signaling NaNs
        return data.astype(np.float64)


def differences(rule: Mapping[str, Any], dtype: str, got: Array, want: Array) -> str:
    """Where two arrays differ by a rule of a spec: a sentence, or nothing if they do not."""
    got, want = got.reshape(-1), want.reshape(-1)
    if got.size != want.size:
        return f"{got.size} elements instead of {want.size}"
    first, last = rule.get("range", (0, got.size))
    got, want = got[first:last], want[first:last]
    bits = f"u{got.dtype.itemsize}"
    if rule["mode"] == "multiset":
        return "" if np.array_equal(np.sort(got.view(bits)), np.sort(want.view(bits))) else "another multiset of values"
    if rule["mode"] == "exact":
        wrong = got.view(bits) != want.view(bits)
        if rule.get("nan") == "any" and dtype in _FLOATS:
            wrong &= ~(np.isnan(_real(got, dtype)) & np.isnan(_real(want, dtype)))
        return _first(wrong, first, lambda i: f"{int(got.view(bits)[i]):#x} instead of {int(want.view(bits)[i]):#x}")
    x, y = _real(got, dtype), _real(want, dtype)
    with np.errstate(invalid="ignore"):
        close = np.abs(x - y) <= rule.get("atol", 0.0) + rule.get("rtol", 0.0) * np.abs(y)
    return _first(~(close | (x == y) | (np.isnan(x) & np.isnan(y))), first, lambda i: f"{x[i]!r} instead of {y[i]!r}")


def _first(wrong: Array, offset: int, show: Callable[[int], str]) -> str:
    """How many elements are wrong, and the first of them."""
    if not wrong.any():
        return ""
    i = int(np.argmax(wrong))
    return f"{int(wrong.sum())} of {wrong.size} differ, first [{i + offset}]: {show(i)}"
