"""st.async and red.async: stores to another CTA's shared memory that an mbarrier there counts."""

from traces.records import Stall

from ..addresses import OFFSET_MASK, SHARED_REGION
from ..far import far
from ..jit import inline
from ..params import DSMEM_SEND_CYCLES, FN_ADDRESSES, FN_ATOM, FN_STORE
from ..raw import call, popcount
from ..state import (
    CTA_SHARED,
    CTA_SLOT,
    CTAS,
    FUNCTIONAL,
    LAST_EFFECT,
    R_IMM,
    R_SIDE,
    R_SUB,
    SCRATCH,
    SIDE,
    Fault,
)
from .cluster import OFFSET, distributed_time, owner, shared_base
from .mailbox import PHASE, post
from .mbarrier_object import TX, add
from .memory_space import aligned, enter_window, fault, misaligned_lane, window_base
from .opaque import atomic_shared, store_shared
from .operands import operand, registers, scratch
from .scoreboard import park, schedule

_OBJECTS = 64
REDUCTION = 42
"""Bit of the sub word: a reduction, its operation in bits 48 and above."""


@inline
def _move(A, P, g, s, w, row, mask):
    """The data goes to the lanes' addresses at once; that it is there is known when the mbarrier says so."""
    sub = A[row + R_SUB]
    regs = registers(A, s, w)
    base = window_base(A, g, s, w, SHARED_REGION)
    if sub >> REDUCTION & 1:
        if not atomic_shared(A, s, w, row, mask, base, 1 << (sub & 15)):
            return
        value = operand(A, row, 0, regs)
        call(P[FN_ATOM], 0, scratch(A, s), base, value, value, sub >> 48 & 0xFFFF, mask, 0)
        return
    if not store_shared(A, s, mask, base, (1 << (sub & 15)) * max(1, sub >> 16 & 15)):
        return
    for i in range(sub >> 16 & 15):
        at = base + i * (1 << (sub & 15))
        call(P[FN_STORE], operand(A, row, i, regs), scratch(A, s), at, sub & 63, mask, 0, 0, 0)


@inline
def _objects(A, P, g, s, w, row, mask, t):
    """Host addresses of the lanes' mbarrier objects (operand 5) to scratch. False after a fault."""
    pointer = operand(A, row, 5, registers(A, s, w))
    offset = A[A[SIDE] + A[row + R_SIDE]]
    call(P[FN_ADDRESSES], scratch(A, s), pointer, A[row + R_SUB] >> 41 & 1, offset, 8, mask, 0, 0)
    for lane in range(32):
        if mask >> lane & 1:
            at = A[s + SCRATCH + lane] & OFFSET_MASK
            who = owner(A, g, s, A[s + CTA_SLOT + w], at)
            if who < 0 or at & 7 or (at & OFFSET) + 8 > A[who // CTAS + CTA_SHARED + who % CTAS]:
                fault(A, g, s, w, Fault.SHARED_ADDRESS, lane, at, 8, t)
                return False
            A[s + SCRATCH + lane] = shared_base(A, who) + (at & OFFSET)
            A[s + SCRATCH + _OBJECTS + lane] = who // CTAS
    return True


@inline
def _signal(A, P, s, mask, nbytes, when, t):
    """complete_tx of each mbarrier by what the lanes that name it have stored."""
    left = mask
    while left:
        first = 0
        while left >> first & 1 == 0:
            first += 1
        address = A[s + SCRATCH + first]
        lanes = 0
        for lane in range(first, 32):
            if left >> lane & 1 and A[s + SCRATCH + lane] == address:
                lanes |= 1 << lane
        left &= ~lanes
        target = A[s + SCRATCH + _OBJECTS + first]
        delta = -(popcount(lanes) * nbytes << TX)
        if A[FUNCTIONAL] or not post(A, target, when, PHASE, address, delta):
            add(A, target, address, delta, t)


@far
def store_async(A, P, g, s, w, row, mask, t):
    """Execute ``st.async`` or ``red.async``: operand 4 the address, 0 to 3 data, 5 the mbarrier.

    Returns the warp's next issue cycle."""
    sub = A[row + R_SUB]
    nbytes = (1 << (sub & 15)) * max(1, sub >> 16 & 15)
    pointer = operand(A, row, 4, registers(A, s, w))
    call(P[FN_ADDRESSES], scratch(A, s), pointer, sub >> 40 & 1, A[row + R_IMM], nbytes, mask, 0, 0)
    if not aligned(A, s, nbytes, mask):
        fault(A, g, s, w, Fault.MISALIGNED, misaligned_lane(A, s, nbytes, mask), A[s + SCRATCH + 32], nbytes, t)
        return park(A, s, w)
    highest = A[s + SCRATCH + 33] & OFFSET_MASK
    bad = enter_window(A, P, g, s, w, SHARED_REGION, nbytes, mask)
    if bad >= 0:
        fault(A, g, s, w, Fault.SHARED_ADDRESS, bad, A[s + SCRATCH + bad], nbytes, t)
        return park(A, s, w)
    _move(A, P, g, s, w, row, mask)
    if not _objects(A, P, g, s, w, row, mask, t):
        return park(A, s, w)
    A[s + LAST_EFFECT] = t
    when = t
    if A[FUNCTIONAL] == 0:
        distributed_time(A, P, g, s, A[s + CTA_SLOT + w], highest, nbytes * popcount(mask), t)
        when = t + P[DSMEM_SEND_CYCLES]
    _signal(A, P, s, mask, nbytes, when, t)
    return schedule(A, s, w, t + 1, Stall.WAIT)
