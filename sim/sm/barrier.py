"""CTA barriers: 16 per CTA, counted in warps; a warp arrives when all its lanes that still live have arrived."""

from traces.records import Stall

from ..far import far
from ..jit import inline, outline
from ..params import BAR_CYCLES, BAR_WARP_CYCLES
from ..raw import store_32
from ..state import (
    ACTIVE,
    BAR_ARRIVED,
    BAR_EXPECT,
    BAR_TIME,
    BAR_VALUE,
    BARRIERS,
    BLOCK,
    CTA_LIVE,
    CTA_SLOT,
    LIVE,
    NEXT,
    R_OP01,
    R_SUB,
    REGS,
    WAKE,
    WARPS,
    Block,
    Fault,
)
from .memory_space import fault
from .paths import park_path, unpark
from .scoreboard import park, schedule

SYNC, ARRIVE, RED_POPC, RED_AND, RED_OR, WARP = range(6)
"""Forms of a barrier instruction (low byte of its sub word)."""


@inline
def waits_on(barrier):
    """Value of BLOCK for a warp that waits on a barrier."""
    return Block.BARRIER | barrier << 8


@inline
def _deliver(A, s, w, row, form, value):
    """Write the result of a barrier reduction to all lanes of the warp."""
    if form == RED_POPC:
        for lane in range(32):
            store_32(A[s + REGS + w] + (A[row + R_OP01] & 0xFFFFFFFF) + 4 * lane, value)
    elif form != SYNC:
        store_32(A[s + REGS + w] + (A[row + R_OP01] & 0xFFFFFFFF), -1 if value else 0)


@far
def release(A, P, s, c, barrier):
    """All warps have arrived: let those that wait go on."""
    at = c * BARRIERS + barrier
    arrived = A[s + BAR_ARRIVED + at]
    when = A[s + BAR_TIME + at] + P[BAR_CYCLES] + P[BAR_WARP_CYCLES] * arrived
    A[s + BAR_ARRIVED + at] = 0
    A[s + BAR_EXPECT + at] = 0
    A[s + BAR_TIME + at] = 0
    for w in range(WARPS):
        if A[s + BLOCK + w] & 0xFFFF == waits_on(barrier) and A[s + CTA_SLOT + w] == c and A[s + LIVE + w]:
            row = A[s + BLOCK + w] >> 16
            _deliver(A, s, w, row, A[row + R_SUB] & 255, A[s + BAR_VALUE + at])
            A[s + BLOCK + w] = Block.NONE
            if A[s + ACTIVE + w] == 0:
                unpark(A, s, w)
            A[s + NEXT] = min(A[s + NEXT], schedule(A, s, w, when, Stall.BARRIER))
    return 0


@inline
def _expected(A, s, c, at):
    """Warps the barrier waits for: as its arrivals say, otherwise all of the CTA that have not exited."""
    return A[s + BAR_EXPECT + at] if A[s + BAR_EXPECT + at] else A[s + CTA_LIVE + c]


@inline
def _combine(A, s, at, form, predicate_lanes, all_lanes):
    """Fold the warp's predicate into the barrier's value."""
    first = A[s + BAR_ARRIVED + at] == 0
    old = 0 if first else A[s + BAR_VALUE + at]
    if form == RED_POPC:
        A[s + BAR_VALUE + at] = old + predicate_lanes
    elif form == RED_OR:
        A[s + BAR_VALUE + at] = old | (predicate_lanes > 0)
    else:
        A[s + BAR_VALUE + at] = (predicate_lanes == all_lanes) & (1 if first else old)


@outline
def arrive(A, P, g, s, w, row, barrier, threads, lanes_true, lanes, pc, t):
    """The active path arrives. Returns the warp's next issue cycle, BIG while it waits."""
    c = A[s + CTA_SLOT + w]
    at = c * BARRIERS + barrier
    form = A[row + R_SUB] & 255
    if threads & 31:
        fault(A, g, s, w, Fault.BARRIER, 0, threads, barrier, t)
        return park(A, s, w)
    if A[s + ACTIVE + w] != A[s + LIVE + w] and form != ARRIVE:
        if form != SYNC:
            fault(A, g, s, w, Fault.DIVERGENT, 0, 0, barrier, t)
            return park(A, s, w)
        if park_path(A, s, w, pc):
            return schedule(A, s, w, t + 1, Stall.BARRIER)
    _combine(A, s, at, form, lanes_true, lanes)
    expect = threads >> 5
    if expect and A[s + BAR_EXPECT + at] and A[s + BAR_EXPECT + at] != expect:
        fault(A, g, s, w, Fault.BARRIER, 0, threads, barrier, t)
        return park(A, s, w)
    if expect:
        A[s + BAR_EXPECT + at] = expect
    A[s + BAR_ARRIVED + at] += 1
    A[s + BAR_TIME + at] = max(A[s + BAR_TIME + at], t)
    if form != ARRIVE:
        A[s + BLOCK + w] = waits_on(barrier) | row << 16
        park(A, s, w)
    full = A[s + BAR_ARRIVED + at] >= _expected(A, s, c, at)
    if full:
        release(A, P, s, c, barrier)
    if form == ARRIVE:
        return schedule(A, s, w, t + 1, Stall.WAIT)
    return A[s + WAKE + w]


@outline
def warp_left(A, P, s, c):
    """A warp of the CTA exited: barriers that waited only for it are complete."""
    for barrier in range(BARRIERS):
        at = c * BARRIERS + barrier
        if (
            A[s + BAR_ARRIVED + at] > 0
            and A[s + BAR_EXPECT + at] == 0
            and A[s + BAR_ARRIVED + at] >= A[s + CTA_LIVE + c]
        ):
            release(A, P, s, c, barrier)
