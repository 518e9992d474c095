"""cp.async: copies from global to shared memory in groups, and what waits for them."""

from traces.records import Stall

from ..addresses import OFFSET_MASK, SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..params import FN_ADDRESSES, MEM_INTERVAL
from ..raw import call, ctz, load_u8, load_u32, store_8
from ..state import (
    ARRIVAL_WORDS,
    BLOCK,
    COLD,
    COPY_ARRIVAL,
    COPY_ARRIVING,
    COPY_DONE,
    COPY_GROUP,
    COPY_PENDING,
    COPY_TARGET,
    CTA_SHARED,
    CTA_SLOT,
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
from .memory_space import (
    aligned,
    allocated,
    allocated_range,
    fault,
    is_own,
    lanes_in_region,
    memory_delta,
    misaligned_lane,
    region_of,
    window_base,
)
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


@inline
def _valid(A, row, size, lane, regs):
    """Bytes that a lane copies: the source size, if there is one; no byte of the source beyond them is touched."""
    return min(size, load_u32(operand(A, row, 1, regs) + 4 * lane)) if A[row + R_SUB] >> 42 & 1 else size


@inline
def _readers(A, row, size, mask, regs):
    """Lanes of ``mask`` that read any byte of their source."""
    reads = mask
    if A[row + R_SUB] >> 42 & 1:
        for lane in range(32):
            if mask >> lane & 1 and _valid(A, row, size, lane, regs) == 0:
                reads &= ~(1 << lane)
    return reads


@inline
def _targets(A, P, s, w, row, size, mask):
    """Write the lanes' shared targets to scratch. Returns the first lane whose target is outside, or -1."""
    sub = A[row + R_SUB]
    call(
        P[FN_ADDRESSES],
        scratch(A, s),
        operand(A, row, 0, registers(A, s, w)),
        sub >> 41 & 1,
        sub >> 43,
        size,
        mask,
        0,
        0,
    )
    limit = A[s + CTA_SHARED + A[s + CTA_SLOT + w]]
    bad = -1
    for lane in range(32):
        A[s + SCRATCH + _TARGETS + lane] = A[s + SCRATCH + lane] & OFFSET_MASK
        if mask >> lane & 1 and bad < 0 and A[s + SCRATCH + _TARGETS + lane] + size > limit:
            bad = lane
    return bad


@inline
def _bad_source(A, g, s, row, size, reads, unit, regs):
    """First lane that reads memory that is not allocated, or -1."""
    bad = allocated(A, g, s, size, reads, unit) if reads else -1
    if bad < 0 or A[row + R_SUB] >> 42 & 1 == 0:
        return bad
    for lane in range(32):
        if reads >> lane & 1 and not allocated_range(A, g, A[s + SCRATCH + lane], _valid(A, row, size, lane, regs)):
            return lane
    return -1


@far
def copy_async(A, P, g, gpu, s, w, row, mask, t):
    """``cp.async``: operand 4 is the source, operand 0 the shared target, operand 1 an optional source size."""
    sub = A[row + R_SUB]
    size = 1 << (sub & 15)
    regs = registers(A, s, w)
    bad = _targets(A, P, s, w, row, size, mask)
    if bad >= 0:
        fault(A, g, s, w, Fault.SHARED_ADDRESS, bad, A[s + SCRATCH + _TARGETS + bad], size, t)
        return False
    reads = _readers(A, row, size, mask, regs)
    unit = lane_addresses(A, P, s, w, row, reads, 0)
    region = region_of(A, s, 1, reads) if reads else gpu + 1
    if reads and (not is_own(region, gpu) or lanes_in_region(A, s, region, reads) != reads):
        fault(A, g, s, w, Fault.REGION, ctz(reads), A[s + SCRATCH + 32], size, t)
        return False
    if reads and not aligned(A, s, size, reads):
        lane = misaligned_lane(A, s, size, reads)
        fault(A, g, s, w, Fault.MISALIGNED, lane, A[s + SCRATCH + lane], size, t)
        return False
    bad = _bad_source(A, g, s, row, size, reads, unit, regs)
    if bad >= 0:
        fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], size, t)
        return False
    delta = memory_delta(A, g, region)
    shared = window_base(A, g, s, w, SHARED_REGION)
    for lane in range(32):
        if mask >> lane & 1:
            target = shared + A[s + SCRATCH + _TARGETS + lane]
            valid = _valid(A, row, size, lane, regs)
            hidden = valid > 0 and copied_opaque(A, gpu, A[s + SCRATCH + lane], valid)
            mark_copied(A, target, size, hidden)
            if not hidden:
                _copy_lane(A, P, A[s + SCRATCH + lane] + delta, target, size, valid)
    if A[FUNCTIONAL] == 0 and reads:
        _copy_time(A, P, s, w, row, reads, size, t)
    return True


@inline
def _copy_time(A, P, s, w, row, mask, size, t):
    """Requests of the copy; the load entry's row is the group it belongs to, as -1 - number."""
    group = A[s + COPY_GROUP + w]
    index = new_load(A, s, w, -1 - group, Stall.LONG_SCOREBOARD)
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
        at = list_ + ARRIVAL_WORDS * i
        if A[at] == w and complete(A, s, w, A[at + 1]):
            if not post(A, s, A[s + COPY_DONE + w], PHASE, A[at + 2], -A[at + 3]):
                add(A, s, A[at + 2], -A[at + 3], A[s + COPY_DONE + w])
            continue
        for k in range(ARRIVAL_WORDS):
            A[list_ + ARRIVAL_WORDS * kept + k] = A[at + k]
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
