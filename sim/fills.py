"""What host programs fill buffers with: deterministic in the seed, the buffer's name and the GPU.

Random numbers come from numpy's PCG64, seeded with a digest of (seed, name, GPU), so that a value depends neither on
the order of statements nor on how many GPUs there are before its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

DTYPES: dict[str, Any] = {
    **{f"u{n}": np.dtype(f"u{n // 8}") for n in (8, 16, 32, 64)},
    **{f"b{n}": np.dtype(f"u{n // 8}") for n in (8, 16, 32, 64)},
    **{f"s{n}": np.dtype(f"i{n // 8}") for n in (8, 16, 32, 64)},
    "f16": np.dtype(np.float16), "f32": np.dtype(np.float32), "f64": np.dtype(np.float64),
    "bf16": np.dtype(ml_dtypes.bfloat16), "e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "e5m2": np.dtype(ml_dtypes.float8_e5m2),
}  # fmt: skip
"""Element types of buffers."""

_PIECE = 1 << 16
"""Random numbers drawn at a time."""


class FillError(ValueError):
    """A fill that cannot be made: wrong arguments, a file that does not fit."""


def generator(seed: int, name: str, gpu: int | str) -> np.random.Generator:
    """The random numbers of one buffer on one GPU (or "same" for all)."""
    digest = hashlib.sha256(f"{seed}/{name}/{gpu}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def is_float(dtype: Any) -> bool:
    """Whether a dtype is a floating-point one, ml_dtypes' included."""
    return dtype.kind == "f" or dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")


class Fill:
    """The place a fill writes to: shape, dtype, random numbers, and where files are."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, seed: int, name: str, gpu: int | str, folder: Path) -> None:
        self.shape, self.dtype, self.folder = shape, dtype, folder
        self.random = generator(seed, name, gpu)
        self.shared_random = generator(seed, name, "all")
        """The same on every GPU."""

    def zeros(self) -> Any:
        """All zero."""
        return np.zeros(self.shape, self.dtype)

    def ones(self) -> Any:
        """All one."""
        return np.ones(self.shape, self.dtype)

    def full(self, value: float) -> Any:
        """All `value`."""
        return np.full(self.shape, self._number(value), self.dtype)

    def iota(self, first: float = 0, step: float = 1) -> Any:
        """first, first + step, … in memory order."""
        count = int(np.prod(self.shape))
        return (first + step * np.arange(count)).reshape(self.shape).astype(self.dtype)

    def normal(self, mean: float = 0, std: float = 1) -> Any:
        """Normal distribution, rounded to the buffer's type."""
        self._need_float("normal")
        return self._drawn(self.random.standard_normal, std, mean)

    def uniform(self, low: float = 0, high: float = 1) -> Any:
        """Uniform on [low, high), rounded to the buffer's type."""
        self._need_float("uniform")
        return self._drawn(self.random.random, high - low, low)

    def randint(self, low: int, high: int) -> Any:
        """Integers from low to high - 1."""
        if high <= low:
            raise FillError(f"randint({low}, {high}) has no number to draw from")
        return self.random.integers(low, high, self.shape).astype(self.dtype)

    def npy(self, file: str) -> Any:
        """The array of a .npy file in the program's folder; it must have as many elements as the buffer."""
        path = (self.folder / file).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise FillError(f"`{file}` is outside the program's folder")
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise FillError(f"`{file}` cannot be read: {error}") from None
        if array.size != int(np.prod(self.shape)):
            raise FillError(f"`{file}` has {array.size} elements, the buffer {int(np.prod(self.shape))}")
        return array.reshape(self.shape).astype(self.dtype)

    def routing(self, kind: str = "uniform", experts: int = 0, std: float = 0.032, alpha: float = 1.5) -> Any:
        """Expert numbers [tokens, topk], all different in a row, drawn with the loads of `expert_loads`."""
        if len(self.shape) != 2 or is_float(self.dtype):
            raise FillError("routing fills an integer buffer [tokens, topk]")
        if experts < self.shape[1]:
            raise FillError(f"routing needs experts= of at least topk = {self.shape[1]}")
        loads = expert_loads(self.shared_random, kind, experts, std, alpha)
        keys = np.log(np.maximum(loads, 1e-30)) + self.random.gumbel(size=(self.shape[0], experts))
        return np.argsort(-keys, axis=1, kind="stable")[:, : self.shape[1]].astype(self.dtype)

    def load_bias(self, kind: str = "uniform", std: float = 0.032, alpha: float = 1.5, scale: float = 1) -> Any:
        """Logit bias per expert, ``scale * log(load * experts)``: added by a router, it makes loads uneven."""
        if len(self.shape) != 1 or not is_float(self.dtype):
            raise FillError("load_bias fills a floating-point buffer [experts]")
        loads = expert_loads(self.shared_random, kind, self.shape[0], std, alpha)
        return (scale * np.log(np.maximum(loads, 1e-6) * self.shape[0])).astype(self.dtype)

    def _drawn(self, draw: Callable[..., Any], scale: float, offset: float) -> Any:
        """scale * draw + offset in f32, rounded to the buffer's type: a piece that stays in the cache at a time, since
        whole arrays of every step would cost more in new pages than the numbers do."""
        array = np.empty(int(np.prod(self.shape)), self.dtype)
        room = np.empty(min(array.size, _PIECE), np.float32)
        for at in range(0, array.size, _PIECE):
            piece = array[at : at + _PIECE]
            draws = room[: piece.size]
            draw(out=draws, dtype=np.float32)
            draws *= np.float32(scale)
            draws += np.float32(offset)
            piece[...] = draws
        return array.reshape(self.shape)

    def _need_float(self, name: str) -> None:
        if not is_float(self.dtype):
            raise FillError(f"{name} fills floating-point buffers; use randint for {self.dtype}")

    def _number(self, value: float) -> float | int:
        if not is_float(self.dtype) and value != int(value):
            raise FillError(f"{value} is no value of an integer buffer")
        return value if is_float(self.dtype) else int(value)


def expert_loads(random: np.random.Generator, kind: str, experts: int, std: float = 0.032, alpha: float = 1.5) -> Any:
    """Fraction of the token-expert pairs that goes to each expert, summing to 1.

    uniform: all alike. normal: 1/experts plus a normal deviation of `std` (COMET measures 0.032), clipped at zero and
    renormalised. power: proportional to rank**-alpha, ranks in random order.
    """
    if kind == "uniform":
        loads = np.ones(experts)
    elif kind == "normal":
        loads = np.maximum(1 / experts + std * random.standard_normal(experts), 0)
        if loads.sum() == 0:
            loads = np.ones(experts)
    elif kind == "power":
        loads = random.permutation((1.0 + np.arange(experts)) ** -alpha)
    else:
        raise FillError(f'unknown kind of load "{kind}"; kinds are uniform, normal, power')
    return loads / loads.sum()


FILLS: dict[str, Callable[..., Any]] = {
    name: getattr(Fill, name)
    for name in ("zeros", "ones", "full", "iota", "normal", "uniform", "randint", "npy", "routing", "load_bias")
}
"""Fills by name; each takes a `Fill` and the arguments of the call. `addresses` and `values` need the host program."""
