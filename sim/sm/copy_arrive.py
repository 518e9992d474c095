"""cp.async.mbarrier.arrive: an arrival at an mbarrier when the thread's cp.async copies so far are complete."""

from traces.records import Stall

from ..far import far
from ..jit import inline
from ..state import (
    ARRIVAL_WORDS,
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
from .mailbox import PHASE, post
from .mbarrier import object_of
from .mbarrier_object import add
from .scoreboard import park, schedule

NOINC = 16
"""Bit of the sub word: the arrival counts among those the mbarrier expects."""


@inline
def _arrive(A, s, w, address, count, target, t):
    """``count`` arrivals of a warp: now, when its copies are complete, or once it is known when that is."""
    when = A[s + COPY_DONE + w]
    if A[FUNCTIONAL] or (complete(A, s, w, target) and when <= t):
        add(A, s, address, -count, t)
        return
    n = A[s + COPY_ARRIVING]
    if complete(A, s, w, target) or n >= COPY_ARRIVALS:
        if not post(A, s, max(when, t), PHASE, address, -count):
            add(A, s, address, -count, max(when, t))
        return
    at = A[s + COLD] + COPY_ARRIVAL + ARRIVAL_WORDS * n
    A[at], A[at + 1], A[at + 2], A[at + 3] = w, target, address, count
    A[s + COPY_ARRIVING] = n + 1


@far
def copy_arrive(A, P, g, s, w, row, mask, t):
    """Execute: operand 4 the object. Returns the warp's next issue cycle.

    Copies that the thread starts later without a commit_group in between are waited for too.
    """
    A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
    target = A[s + COPY_GROUP + w] + 1
    last, count = 0, 0
    for lane in range(32):
        if mask >> lane & 1 == 0:
            continue
        sm, address = object_of(A, g, s, w, row, lane, t)
        if sm < 0:
            return park(A, s, w)
        if A[row + R_SUB] >> NOINC & 1 == 0:
            add(A, s, address, 1, t)
        if address != last and count > 0:
            _arrive(A, s, w, last, count, target, t)
            count = 0
        last = address
        count += 1
    _arrive(A, s, w, last, count, target, t)
    return schedule(A, s, w, t + 1, Stall.WAIT)
