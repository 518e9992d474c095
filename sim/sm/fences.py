"""Fences: what a warp waits for before its earlier accesses count as performed."""

from enum import IntEnum

from traces.records import Stall

from ..jit import inline
from ..params import FENCE_CTA_CYCLES, FENCE_GPU_CYCLES, FENCE_GPU_INTERVAL, FENCE_PROXY_CYCLES, FENCE_SYS_INTERVAL
from ..state import BLOCK, FUNCTIONAL, Block, Request
from .requests import request
from .scoreboard import park, schedule
from .units import FENCE_FREE


class Scope(IntEnum):
    """Scope of a fence or of a release (low byte of the sub word of a FENCE)."""

    CTA, GPU, SYS, PROXY = range(4)


@inline
def fence(A, P, s, w, scope, t):
    """Fences of an SM begin one after the other.

    Returns the next issue cycle; BIG for a system fence, which the memory step ends when the hub is drained.
    """
    if A[FUNCTIONAL]:
        return schedule(A, s, w, t + 1, Stall.MEMBAR)
    if scope == Scope.CTA:
        return schedule(A, s, w, t + P[FENCE_CTA_CYCLES], Stall.MEMBAR)
    begin = max(t, A[s + FENCE_FREE])
    A[s + FENCE_FREE] = begin + (P[FENCE_SYS_INTERVAL] if scope == Scope.SYS else P[FENCE_GPU_INTERVAL])
    if scope == Scope.PROXY:
        return schedule(A, s, w, begin + P[FENCE_PROXY_CYCLES], Stall.MEMBAR)
    if scope == Scope.GPU:
        return schedule(A, s, w, begin + P[FENCE_GPU_CYCLES], Stall.MEMBAR)
    A[s + BLOCK + w] = Block.FENCE
    request(A, s, t, 0, 0, Request.FENCE, 0, begin - t, w)
    return park(A, s, w)
