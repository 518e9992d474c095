"""barrier.cluster, counted in threads, and getctarank."""

from isa.instr import Kind
from isa.special import RANK_BITS
from traces.records import Stall

from ..far import far
from ..jit import inline, outline
from ..params import CLUSTER_BAR_CYCLES, CLUSTER_BAR_STEP, CLUSTER_RELEASE
from ..raw import load_i64, load_u32, popcount, store_32
from ..state import (
    BLOCK,
    CLUSTER_ARRIVED,
    CLUSTER_CTAS,
    CLUSTER_LANES,
    CLUSTER_LIVE,
    CLUSTER_MEMBER,
    CLUSTER_READY,
    CLUSTER_TIME,
    CTA_CLUSTER,
    CTA_LAUNCH,
    CTA_SLOT,
    CTAS,
    FUNCTIONAL,
    LAST_EFFECT,
    LIVE,
    NEXT,
    PATH_COUNT,
    PC,
    POLL_COUNT,
    POLL_PC,
    R_SUB,
    WARPS,
    Block,
)
from .cluster import cluster_of, cluster_size, own_rank
from .operands import operand, registers
from .paths import give_way
from .scoreboard import park, schedule, set_ready

ARRIVE, ARRIVE_RELEASE, WAIT = range(3)
"""Forms of a barrier.cluster (low byte of its sub word)."""
_RETRY = 16
"""Cycles after which a path of a diverged warp looks again."""


@outline
def _complete(A, P, g, k, size):
    """All threads are there: warps that wait go on, those that do not will find the barrier open."""
    when = A[g + CLUSTER_TIME + k] + P[CLUSTER_BAR_CYCLES]
    doubled = 1
    while doubled < size:
        when += P[CLUSTER_BAR_STEP]
        doubled *= 2
    A[g + CLUSTER_ARRIVED + k] = 0
    A[g + CLUSTER_TIME + k] = 0
    for rank in range(size):
        who = A[g + CLUSTER_MEMBER + k * CLUSTER_CTAS + rank]
        s, c = who // CTAS, who % CTAS
        for w in range(WARPS):
            if A[s + CTA_SLOT + w] != c or A[s + LIVE + w] == 0 or A[s + CTA_CLUSTER + c] != k + 1:
                continue
            A[s + CLUSTER_LANES + w] = 0
            A[s + CLUSTER_READY + w] = when
            if A[s + BLOCK + w] == Block.CLUSTER:
                A[s + BLOCK + w] = Block.NONE
                A[s + NEXT] = min(A[s + NEXT], schedule(A, s, w, when, Stall.BARRIER))


@outline
def _maybe_complete(A, P, g, s, c, k):
    if A[g + CLUSTER_ARRIVED + k] > 0 and A[g + CLUSTER_ARRIVED + k] >= A[g + CLUSTER_LIVE + k]:
        _complete(A, P, g, k, cluster_size(A, g, A[s + CTA_LAUNCH + c]))


@far
def cluster_left(A, P, g, s, w, lanes, t):
    """Lanes of a warp exit: the cluster's barrier does not wait for them any more."""
    c = A[s + CTA_SLOT + w]
    k = A[s + CTA_CLUSTER + c] - 1
    A[g + CLUSTER_ARRIVED + k] -= popcount(lanes & A[s + CLUSTER_LANES + w])
    A[s + CLUSTER_LANES + w] &= ~lanes
    A[g + CLUSTER_LIVE + k] -= popcount(lanes)
    A[g + CLUSTER_TIME + k] = max(A[g + CLUSTER_TIME + k], t)
    _maybe_complete(A, P, g, s, c, k)
    return 0


@inline
def _wait(A, s, w, mask, pc, t):
    """Returns the next issue cycle; BIG while threads are missing."""
    if mask & A[s + CLUSTER_LANES + w] == 0:
        return schedule(A, s, w, max(t + 1, A[s + CLUSTER_READY + w]), Stall.BARRIER)
    A[s + PC + w] = pc
    if A[s + PATH_COUNT + w] == 0:
        A[s + BLOCK + w] = Block.CLUSTER
        return park(A, s, w)
    if A[s + POLL_PC + w] != pc:
        A[s + POLL_COUNT + w] = 0
    A[s + POLL_PC + w] = pc
    A[s + POLL_COUNT + w] += 1
    give_way(A, s, w)
    return schedule(A, s, w, t + _RETRY, Stall.BARRIER)


@inline
def _ranks(A, g, s, w, row, mask, t):
    """``getctarank``: operand 4 the address, operand 0 the rank; sub bit 40: the address has 64 bits."""
    regs = registers(A, s, w)
    at, target = operand(A, row, 4, regs), operand(A, row, 0, regs)
    for lane in range(32):
        if mask >> lane & 1:
            address = load_i64(at + 8 * lane) if A[row + R_SUB] >> 40 & 1 else load_u32(at + 4 * lane)
            rank = address >> RANK_BITS & 63
            store_32(target + 4 * lane, rank - 1 if rank else own_rank(A, g, s, A[s + CTA_SLOT + w]))


@far
def cluster_instruction(A, P, g, s, w, row, kind, mask, pc, t):
    """Execute ``barrier.cluster`` or ``getctarank``. Returns the warp's next issue cycle."""
    if kind == Kind.CTA_RANK:
        _ranks(A, g, s, w, row, mask, t)
        set_ready(A, s, w, row, t + 4, Stall.WAIT)
        return schedule(A, s, w, t + 1, Stall.WAIT)
    form = A[row + R_SUB] & 255
    if form == WAIT:
        return _wait(A, s, w, mask, pc, t)
    c = A[s + CTA_SLOT + w]
    k = cluster_of(A, g, s, c)
    when = t + (P[CLUSTER_RELEASE] if form == ARRIVE_RELEASE and A[FUNCTIONAL] == 0 else 0)
    A[s + LAST_EFFECT] = t
    A[s + CLUSTER_LANES + w] |= mask
    A[g + CLUSTER_ARRIVED + k] += popcount(mask)
    A[g + CLUSTER_TIME + k] = max(A[g + CLUSTER_TIME + k], when)
    _maybe_complete(A, P, g, s, c, k)
    return schedule(A, s, w, t + 1, Stall.WAIT)
