"""Which GPU and row every token of a mixture-of-experts layer goes to: the initialiser ``routing`` of launch specs.

Each token of each GPU picks ``topk`` different experts of ``experts`` with odds (e + 1) ** -``alpha``; expert e is on GPU
e // (experts / gpus). Rows of a GPU lie in the order of their source GPU, token and choice.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hash32 import hash32

Array = NDArray[Any]
GPU_BITS = 24
"""A word is GPU << 24 | row."""


def _choices(gpu: int, tokens: int, topk: int, experts: int, alpha: float, seed: int) -> Array:
    """Experts of each token: the first of exponential clocks whose rates are the odds."""
    bits = hash32(np.arange(tokens * experts), seed + gpu) >> np.uint32(8)
    clock = -np.log((bits.astype(np.float64) + 0.5) * 2.0**-24).reshape(tokens, experts)
    clock *= np.arange(1, experts + 1, dtype=np.float64) ** alpha
    chosen: Array = np.argsort(clock, axis=1, kind="stable")[:, :topk]
    return chosen


@lru_cache(maxsize=4)
def _routes(
    gpus: int, tokens: int, topk: int, experts: int, alpha: float, seed: int
) -> tuple[list[Array], list[Array]]:
    """Per GPU: where each of its rows goes, and where each row it receives came from."""
    there: list[Array] = []
    back: list[list[Array]] = [[] for _ in range(gpus)]
    held = [0] * gpus
    for gpu in range(gpus):
        owner = (_choices(gpu, tokens, topk, experts, alpha, seed) // (experts // gpus)).reshape(-1)
        words = np.zeros(owner.size, np.int64)
        for target in range(gpus):
            rows = np.flatnonzero(owner == target)
            words[rows] = target << GPU_BITS | held[target] + np.arange(rows.size)
            back[target].append(gpu << GPU_BITS | rows)
            held[target] += rows.size
        there.append(words)
    return there, [np.concatenate(parts) for parts in back]


def routing(init: Mapping[str, Any]) -> Array:
    """The words of ``init``: ``side`` there or back, of GPU ``gpu``."""
    key = (init[name] for name in ("gpus", "tokens", "topk", "experts", "alpha", "seed"))
    there, back = _routes(*key)
    return (there if init["side"] == "there" else back)[init["gpu"]]
