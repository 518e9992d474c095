"""Bulk copies: cp.async.bulk, cp.reduce.async.bulk and their tensor forms, each by one thread.

Data moves when the copy is issued, that of a store to another GPU when it arrives; tma.py has its time. bulk_operands.py
says where the operands are.
"""

from traces.records import Stall

from ..addresses import OFFSET_MASK
from ..far import far
from ..jit import inline, outline
from ..params import DSMEM_SEND_CYCLES, TICKS, TMA_ISSUE_CYCLES
from ..raw import ctz
from ..state import (
    BLOCK,
    CLUSTER_PORT,
    CTA_SLOT,
    CTAS,
    FUNCTIONAL,
    LAST_EFFECT,
    PC,
    R_SUB,
    THROTTLED,
    Block,
    Request,
)
from .bulk_operands import (
    MULTICAST,
    REDUCE,
    TENSOR,
    BulkOp,
    address_operand,
    complete_now,
    finish_load,
    finish_store,
    global_operand,
    lane_value,
    mbarrier_operand,
    move,
    ranks_exist,
    shared_operand,
    to_shared,
)
from .bulk_peer import is_peer, peer_store
from .cluster import OFFSET, distributed_time, shared_base
from .mailbox import PHASE, post
from .mbarrier_object import TX, add
from .opaque import copied_opaque, copy_out, share_opaque
from .operands import registers
from .scoreboard import park, schedule
from .tensor_copy import tensor_copy
from .tma import begin, enter, has_room, touch


@outline
def _load(A, P, g, gpu, s, w, row, lane, nbytes, t):
    """Global to shared memory, of one CTA or several."""
    sub, regs = A[row + R_SUB], registers(A, s, w)
    target = address_operand(A, row, regs, 0, 0, lane)
    address = address_operand(A, row, regs, 1, 1, lane)
    if shared_operand(A, g, s, w, lane, target, nbytes, 16, t) < 0:
        return False
    source = global_operand(A, g, gpu, s, w, lane, address, nbytes, t)
    barrier = mbarrier_operand(A, g, s, w, row, regs, lane, t) if source else -1
    mask = lane_value(A, row, regs, 4, lane) & 0xFFFF if sub >> MULTICAST & 1 else 0
    if barrier < 0 or not ranks_exist(A, g, s, w, mask, lane, t):
        return False
    hidden = copied_opaque(A, gpu, address, nbytes)
    to_shared(A, P, g, s, w, sub, mask, target & OFFSET_MASK, source, nbytes, hidden)
    if A[FUNCTIONAL]:
        complete_now(A, g, s, w, sub, mask, barrier, nbytes, t)
        return True
    i = begin(A, P, s, Request.TMA_LOAD, t)
    touch(A, P, s, i, address & OFFSET_MASK, nbytes)
    finish_load(A, P, g, s, w, i, sub, mask, barrier, nbytes)
    return True


@outline
def _store(A, P, g, gpu, s, w, row, lane, nbytes, t):
    """Shared to global memory, or a reduction."""
    sub, regs = A[row + R_SUB], registers(A, s, w)
    address = address_operand(A, row, regs, 0, 0, lane)
    source = address_operand(A, row, regs, 1, 1, lane)
    who = shared_operand(A, g, s, w, lane, source, nbytes, 16, t)
    if who < 0:
        return False
    at = shared_base(A, who) + (source & OFFSET)
    if sub >> REDUCE & 1 == 0 and is_peer(A, gpu, address):
        return peer_store(A, P, g, s, w, row, lane, address, at, nbytes, t)
    target = global_operand(A, g, gpu, s, w, lane, address, nbytes, t)
    if target == 0:
        return False
    really = copy_out(A, g, s, w, gpu, address, at, nbytes, lane, t)
    if really < 0:
        return False
    if really:
        move(A, P, sub, target, at, nbytes)
    if A[FUNCTIONAL] == 0:
        i = begin(A, P, s, Request.TMA_REDUCE if sub >> REDUCE & 1 else Request.TMA_STORE, t)
        touch(A, P, s, i, address & OFFSET_MASK, nbytes)
        finish_store(A, P, s, w, i)
    return True


@outline
def _share(A, P, g, s, w, row, lane, nbytes, t):
    """Own shared memory to that of another CTA, or a reduction there."""
    sub, regs = A[row + R_SUB], registers(A, s, w)
    target = address_operand(A, row, regs, 0, 0, lane)
    source = address_operand(A, row, regs, 1, 1, lane)
    to = shared_operand(A, g, s, w, lane, target, nbytes, 16, t)
    who = shared_operand(A, g, s, w, lane, source, nbytes, 16, t) if to >= 0 else -1
    barrier = address_operand(A, row, regs, 3, 2, lane)
    told = shared_operand(A, g, s, w, lane, barrier, 8, 8, t) if who >= 0 else -1
    if told < 0:
        return False
    here, there = shared_base(A, who) + (source & OFFSET), shared_base(A, to) + (target & OFFSET)
    if share_opaque(A, there, here, nbytes, sub >> REDUCE & 1):
        move(A, P, sub, there, here, nbytes)
    when = t
    if A[FUNCTIONAL] == 0:
        distributed_time(A, P, g, s, A[s + CTA_SLOT + w], target & OFFSET_MASK, nbytes, t)
        when = A[s + CLUSTER_PORT] // TICKS + P[DSMEM_SEND_CYCLES]
    address = shared_base(A, told) + (barrier & OFFSET)
    if A[FUNCTIONAL] or not post(A, told // CTAS, when, PHASE, address, -(nbytes << TX)):
        add(A, told // CTAS, address, -(nbytes << TX), t)
    return True


@outline
def _prefetch(A, P, g, gpu, s, w, row, lane, nbytes, t):
    """Global memory to L2: requests that nobody waits for."""
    address = address_operand(A, row, registers(A, s, w), 1, 1, lane)
    if global_operand(A, g, gpu, s, w, lane, address, nbytes, t) == 0:
        return False
    if A[FUNCTIONAL] == 0:
        i = begin(A, P, s, Request.TMA_LOAD, t)
        touch(A, P, s, i, address & OFFSET_MASK, nbytes)
        enter(A, P, s, i)
    return True


@inline
def _one(A, P, g, gpu, s, w, row, lane, t):
    """The copy of one lane. Returns False after a fault."""
    sub = A[row + R_SUB]
    if sub >> TENSOR & 1:
        return tensor_copy(A, P, g, gpu, s, w, row, lane, t)
    nbytes = lane_value(A, row, registers(A, s, w), 2, lane)
    op = sub & 255
    if op == BulkOp.LOAD:
        return _load(A, P, g, gpu, s, w, row, lane, nbytes, t)
    if op == BulkOp.STORE:
        return _store(A, P, g, gpu, s, w, row, lane, nbytes, t)
    if op == BulkOp.SHARE:
        return _share(A, P, g, s, w, row, lane, nbytes, t)
    return _prefetch(A, P, g, gpu, s, w, row, lane, nbytes, t)


@far
def bulk(A, P, g, gpu, s, w, row, mask, pc, t):
    """Execute a bulk copy of each active lane. Returns the warp's next issue cycle."""
    if A[FUNCTIONAL] == 0 and not has_room(A, s):
        A[s + PC + w] = pc
        A[s + BLOCK + w] = Block.THROTTLE
        A[s + THROTTLED] += 1
        return park(A, s, w)
    A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
    left = mask
    while left:
        if not _one(A, P, g, gpu, s, w, row, ctz(left), t):
            return park(A, s, w)
        left &= left - 1
    if A[row + R_SUB] & 255 == BulkOp.LOAD:
        return schedule(A, s, w, t + P[TMA_ISSUE_CYCLES], Stall.SHORT_SCOREBOARD)
    return schedule(A, s, w, t + 1, Stall.WAIT)
