"""Fences: what a warp waits for before its earlier accesses count as performed."""

from enum import IntEnum

from traces.records import Stall

from ..jit import inline
from ..params import FENCE_CTA_CYCLES, FENCE_GPU_CYCLES, FENCE_PROXY_CYCLES
from ..state import BLOCK, FUNCTIONAL, Block, Request
from .requests import request
from .scoreboard import park, schedule


class Scope(IntEnum):
    """Scope of a fence or of a release (low byte of the sub word of a FENCE)."""

    CTA, GPU, SYS, PROXY = range(4)


@inline
def fence(A, P, s, w, scope, t):
    """Returns the next issue cycle; BIG for a system fence, which the memory step ends when the hub is drained."""
    if A[FUNCTIONAL]:
        return schedule(A, s, w, t + 1, Stall.MEMBAR)
    if scope == Scope.CTA:
        return schedule(A, s, w, t + P[FENCE_CTA_CYCLES], Stall.MEMBAR)
    if scope == Scope.PROXY:
        return schedule(A, s, w, t + P[FENCE_PROXY_CYCLES], Stall.MEMBAR)
    if scope == Scope.GPU:
        return schedule(A, s, w, t + P[FENCE_GPU_CYCLES], Stall.MEMBAR)
    A[s + BLOCK + w] = Block.FENCE
    request(A, s, t, 0, 0, Request.FENCE, 0, 0, w)
    return park(A, s, w)
