"""cp.async.mbarrier.arrive: an arrival at an mbarrier when the thread's cp.async copies so far are complete."""

from traces.records import Stall

from ..far import far
from ..state import (
    COLD,
    COPY_ARRIVAL,
    COPY_ARRIVALS,
    COPY_ARRIVING,
    COPY_DONE,
    COPY_GROUP,
    FUNCTIONAL,
    LAST_EFFECT,
    R_SUB,
)
from .async_copy import complete
from .mbarrier import object_of
from .mbarrier_object import add
from .scoreboard import park, schedule

NOINC = 16
"""Bit of the sub word: the arrival counts among those the mbarrier expects."""


@far
def copy_arrive(A, P, g, s, w, row, mask, t):
    """Execute: operand 4 the object. Returns the warp's next issue cycle.

    Copies that the thread starts later without a commit_group in between are waited for too.
    """
    A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
    target = A[s + COPY_GROUP + w] + 1
    now = A[FUNCTIONAL] != 0 or (complete(A, s, w, target) and A[s + COPY_DONE + w] <= t)
    cold = A[s + COLD]
    for lane in range(32):
        if mask >> lane & 1 == 0:
            continue
        sm, address = object_of(A, g, s, w, row, lane, t)
        if sm < 0:
            return park(A, s, w)
        if A[row + R_SUB] >> NOINC & 1 == 0:
            add(A, s, address, 1, t)
        n = A[s + COPY_ARRIVING]
        if now or n >= COPY_ARRIVALS:
            add(A, s, address, -1, t)
            continue
        A[cold + COPY_ARRIVAL + 3 * n] = w
        A[cold + COPY_ARRIVAL + 3 * n + 1] = target
        A[cold + COPY_ARRIVAL + 3 * n + 2] = address
        A[s + COPY_ARRIVING] = n + 1
    return schedule(A, s, w, t + 1, Stall.WAIT)
