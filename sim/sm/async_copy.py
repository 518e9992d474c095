"""cp.async: copies from global to shared memory in groups, and what waits for them."""

from traces.records import Stall

from ..addresses import OFFSET_MASK, SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..params import FN_ADDRESSES, MEM_INTERVAL
from ..raw import call, load_u8, load_u32, store_8
from ..state import (
    BLOCK,
    COLD,
    COPY_ARRIVAL,
    COPY_ARRIVING,
    COPY_DONE,
    COPY_GROUP,
    COPY_PENDING,
    COPY_TARGET,
    FUNCTIONAL,
    LOAD_REMAIN,
    PENDING,
    R_SUB,
    SCRATCH,
    Block,
    Fault,
    Request,
)
from .lsu import coalesce, lane_addresses, reserve_lsu
from .mailbox import PHASE, post
from .mbarrier_object import add
from .memory_space import allocated, fault, is_own, lanes_in_region, memory_delta, region_of, window_base
from .opaque import copied_opaque, mark_copied
from .operands import operand, registers, scratch
from .requests import free_load, new_load, request
from .scoreboard import park, schedule

_LINES, _TARGETS = 64, 160
WAIT_ALL = -1
"""Groups that may stay in flight, for cp.async.wait_all: not even the open one."""


@inline
def _copy_lane(A, P, source, target, size, valid):
    """Copy ``valid`` bytes and fill the rest of ``size`` with zeros."""
    for i in range(size):
        store_8(target + i, load_u8(source + i) if i < valid else 0)


@far
def copy_async(A, P, g, gpu, s, w, row, mask, t):
    """``cp.async``: operand 4 is the source, operand 0 the shared target, operand 1 an optional source size."""
    sub = A[row + R_SUB]
    size = 1 << (sub & 15)
    regs = registers(A, s, w)
    call(P[FN_ADDRESSES], scratch(A, s), operand(A, row, 0, regs), sub >> 41 & 1, sub >> 48, size, mask, 0, 0)
    for lane in range(32):
        A[s + SCRATCH + _TARGETS + lane] = A[s + SCRATCH + lane] & OFFSET_MASK
    unit = lane_addresses(A, P, s, w, row, mask, 0)
    region = region_of(A, s, 1, mask)
    if not is_own(region, gpu) or lanes_in_region(A, s, region, mask) != mask:
        fault(A, g, s, w, Fault.REGION, 0, A[s + SCRATCH + 32], size, t)
        return False
    bad = allocated(A, g, s, size, mask, unit)
    if bad >= 0:
        fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], size, t)
        return False
    delta = memory_delta(A, g, region)
    shared = window_base(A, g, s, w, SHARED_REGION)
    for lane in range(32):
        if mask >> lane & 1:
            valid = load_u32(operand(A, row, 1, regs) + 4 * lane) if sub >> 42 & 1 else size
            target = shared + A[s + SCRATCH + _TARGETS + lane]
            hidden = copied_opaque(A, gpu, A[s + SCRATCH + lane], size)
            mark_copied(A, target, size, hidden)
            if not hidden:
                _copy_lane(A, P, A[s + SCRATCH + lane] + delta, target, size, valid)
    if A[FUNCTIONAL] == 0:
        _copy_time(A, P, s, w, row, mask, size, t)
    return True


@inline
def _copy_time(A, P, s, w, row, mask, size, t):
    """Requests of the copy; the load entry's row is the group it belongs to, as -1 - number."""
    group = A[s + COPY_GROUP + w]
    index = new_load(A, s, w, -1 - group, mask, Stall.LONG_SCOREBOARD)
    n = coalesce(A, P, s, size, mask)
    reserve_lsu(A, s, t, n * P[MEM_INTERVAL])
    for i in range(n):
        line = A[s + SCRATCH + _LINES + 2 * i]
        request(A, s, t + i, line, A[s + SCRATCH + _LINES + 2 * i + 1], Request.LOAD, index, 0, -1)
        A[s + LOAD_REMAIN + index] += 1
    if n == 0:
        free_load(A, s, index)
        return
    A[s + PENDING + w] += 1
    A[s + COPY_PENDING + w * 16 + (group & 15)] += 1


@inline
def complete(A, s, w, target):
    """Whether no copy of a group below ``target`` is in flight."""
    first = max(target - 16, 0)
    for group in range(first, target):
        if A[s + COPY_PENDING + w * 16 + (group & 15)] > 0:
            return False
    return True


@inline
def commit(A, s, w):
    """``cp.async.commit_group``."""
    A[s + COPY_GROUP + w] += 1


@outline
def wait_group(A, s, w, target, t):
    """Go on when all groups below ``target`` are complete. Returns the next issue cycle or BIG."""
    if complete(A, s, w, target):
        return schedule(A, s, w, max(t + 1, A[s + COPY_DONE + w]), Stall.LONG_SCOREBOARD)
    A[s + BLOCK + w] = Block.COPY
    A[s + COPY_TARGET + w] = target
    return park(A, s, w)


@outline
def _arrive(A, s, w):
    """Arrivals (copy_arrive.py) that waited for the copies of a warp that are complete now."""
    list_ = A[s + COLD] + COPY_ARRIVAL
    kept = 0
    for i in range(A[s + COPY_ARRIVING]):
        at = list_ + 3 * i
        if A[at] == w and complete(A, s, w, A[at + 1]):
            if not post(A, s, A[s + COPY_DONE + w], PHASE, A[at + 2], -1):
                add(A, s, A[at + 2], -1, A[s + COPY_DONE + w])
            continue
        for k in range(3):
            A[list_ + 3 * kept + k] = A[at + k]
        kept += 1
    A[s + COPY_ARRIVING] = kept


@outline
def copy_done(A, s, w, group, when):
    """A copy of ``group`` is complete at cycle ``when``."""
    A[s + COPY_PENDING + w * 16 + (group & 15)] -= 1
    A[s + COPY_DONE + w] = max(A[s + COPY_DONE + w], when)
    if A[s + COPY_ARRIVING] > 0:
        _arrive(A, s, w)
    if A[s + BLOCK + w] == Block.COPY and complete(A, s, w, A[s + COPY_TARGET + w]):
        A[s + BLOCK + w] = Block.NONE
        schedule(A, s, w, A[s + COPY_DONE + w], Stall.LONG_SCOREBOARD)
