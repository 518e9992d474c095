"""mbarrier instructions: arrivals at objects of the own CTA and of others of the cluster, and waiting for a phase."""

from enum import IntEnum

from traces.records import Stall

from ..addresses import OFFSET_MASK, REGION_BITS, SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..params import (
    CLOCK_KHZ,
    CLUSTER_RELEASE,
    DSMEM_SEND_CYCLES,
    MBARRIER_CYCLES,
    MBARRIER_LIMIT,
    SMEM_ATOM_CYCLES,
)
from ..raw import ctz, load_i64, load_u32, store_32, store_64
from ..state import (
    BLOCK,
    CTA_SHARED,
    CTA_SLOT,
    CTAS,
    FUNCTIONAL,
    LAST_EFFECT,
    PATH_COUNT,
    PC,
    POLL_COUNT,
    POLL_PC,
    R_IMM,
    R_SUB,
    WAIT_OBJECT,
    WAIT_UNTIL,
    WAKE,
    Block,
    Fault,
)
from .cluster import OFFSET, owner, shared_base
from .mailbox import PHASE, post
from .mbarrier_object import PARITY, TX, add, initial
from .memory_space import fault
from .operands import operand, registers
from .scoreboard import park, schedule, set_ready


class MbarrierOp(IntEnum):
    """What a MBARRIER instruction does (low byte of its sub word)."""

    (INIT, INVAL, ARRIVE, ARRIVE_EXPECT_TX, EXPECT_TX, COMPLETE_TX, ARRIVE_DROP, ARRIVE_DROP_EXPECT_TX, TEST_WAIT,
     TRY_WAIT) = range(10)  # fmt: skip


HAS_STATE, HAS_VALUE, PARITY_WAIT, HAS_HINT, RELEASE = range(8, 13)
"""Bits of the sub word: operand 0 gets the state, operand 1 exists, it is a parity and no state, operand 2 limits the
suspension, the cluster must see what came before."""

_PATIENCE = 1024
"""Longest suspension without time: what other warps do is done long before."""


@inline
def _delta(op, value):
    """What an arrival or a count of bytes adds to the object."""
    if op == MbarrierOp.ARRIVE:
        return -value
    if op == MbarrierOp.ARRIVE_EXPECT_TX:
        return (value << TX) - 1
    if op == MbarrierOp.EXPECT_TX:
        return value << TX
    if op == MbarrierOp.COMPLETE_TX:
        return -(value << TX)
    if op == MbarrierOp.ARRIVE_DROP:
        return -value - (value << 20)
    return (value << TX) - 1 - (1 << 20)


@inline
def _apply(A, P, s, target, op, address, value, t):
    """The operation of one lane on an object of SM ``target``. Returns the object before it."""
    state = load_i64(address)
    if op == MbarrierOp.INIT:
        store_64(address, initial(value))
    elif op == MbarrierOp.INVAL:
        store_64(address, 0)
    elif op < MbarrierOp.TEST_WAIT:
        delta = _delta(op, value)
        if target == s or A[FUNCTIONAL] or not post(A, target, t + P[DSMEM_SEND_CYCLES], PHASE, address, delta):
            add(A, target, address, delta, t)
    return state


@inline
def object_of(A, g, s, w, row, lane, t):
    """``SM`` and host address of the object that a lane names, or (-1, 0) after a fault."""
    pointer = operand(A, row, 4, registers(A, s, w))
    address = load_i64(pointer + 8 * lane) if A[row + R_SUB] >> 40 & 1 else load_u32(pointer + 4 * lane)
    address += A[row + R_IMM]
    region, at = address >> REGION_BITS, address & OFFSET_MASK
    who = owner(A, g, s, A[s + CTA_SLOT + w], at)
    inside = who >= 0 and (at & OFFSET) + 8 <= A[who // CTAS + CTA_SHARED + who % CTAS]
    if not inside or at & 7 or (region != 0 and region != SHARED_REGION):
        fault(A, g, s, w, Fault.SHARED_ADDRESS, lane, address, 8, t)
        return -1, 0
    return who // CTAS, shared_base(A, who) + (at & OFFSET)


@inline
def _value(A, row, regs, op, lane):
    """A lane's count, state or parity."""
    sub = A[row + R_SUB]
    if sub >> HAS_VALUE & 1 == 0:
        return 1
    if op >= MbarrierOp.TEST_WAIT and sub >> PARITY_WAIT & 1 == 0:
        return load_i64(operand(A, row, 1, regs) + 8 * lane)
    return load_u32(operand(A, row, 1, regs) + 4 * lane)


@inline
def _limit(A, P, row, regs, mask):
    """Cycles a try_wait may take."""
    cycles = P[MBARRIER_LIMIT]
    if A[row + R_SUB] >> HAS_HINT & 1:
        cycles = load_u32(operand(A, row, 2, regs) + 4 * ctz(mask)) * P[CLOCK_KHZ] // 1000000
    return min(cycles, _PATIENCE) if A[FUNCTIONAL] else cycles


@outline
def _suspend(A, P, s, w, row, mask, address, pc, t):
    """A try_wait of an unfinished phase: look again when the phase completes or its time is over.

    Returns False when its time is over. A diverged warp is not suspended: its other lanes may have to arrive."""
    until = A[s + WAIT_UNTIL + w]
    if until == 0:
        until = t + _limit(A, P, row, registers(A, s, w), mask)
    if t >= until or A[s + PATH_COUNT + w] > 0:
        return False
    A[s + WAIT_UNTIL + w] = until
    A[s + WAIT_OBJECT + w] = address
    A[s + BLOCK + w] = Block.MBARRIER
    A[s + PC + w] = pc
    schedule(A, s, w, until, Stall.BARRIER)
    return True


@inline
def _note_poll(A, s, w, pc, done):
    """A warp that only looks at an unfinished phase makes no progress."""
    if A[s + POLL_PC + w] != pc or done:
        A[s + POLL_COUNT + w] = 0
    A[s + POLL_PC + w] = pc
    A[s + POLL_COUNT + w] += 1


@far
def mbarrier(A, P, g, s, w, row, mask, pc, t):
    """Execute: operand 4 the object, 1 a count, state or parity, 0 a state or predicate destination, 2 a time limit.

    Returns the warp's next issue cycle; BIG while a try_wait is suspended."""
    sub = A[row + R_SUB]
    op = sub & 255
    regs = registers(A, s, w)
    A[s + BLOCK + w] = Block.NONE
    done, address = 0, 0
    for lane in range(32):
        if mask >> lane & 1 == 0:
            continue
        target, address = object_of(A, g, s, w, row, lane, t)
        if target < 0:
            return park(A, s, w)
        value = _value(A, row, regs, op, lane)
        old = _apply(A, P, s, target, op, address, value, t)
        if op >= MbarrierOp.TEST_WAIT:
            waited = value & 1 if sub >> PARITY_WAIT & 1 else value >> PARITY & 1
            done |= ((old >> PARITY & 1) != waited) << lane
        elif sub >> HAS_STATE & 1:
            store_64(operand(A, row, 0, regs) + 8 * lane, old)
    if op < MbarrierOp.TEST_WAIT:
        A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
        if A[FUNCTIONAL] == 0:
            set_ready(A, s, w, row, t + P[SMEM_ATOM_CYCLES], Stall.SHORT_SCOREBOARD)
        if sub >> RELEASE & 1:
            return schedule(A, s, w, t + P[CLUSTER_RELEASE], Stall.MEMBAR)
        return schedule(A, s, w, t + 1, Stall.WAIT)
    _note_poll(A, s, w, pc, done)
    if op == MbarrierOp.TRY_WAIT and done == 0 and _suspend(A, P, s, w, row, mask, address, pc, t):
        return A[s + WAKE + w]
    A[s + WAIT_UNTIL + w] = 0
    predicate = operand(A, row, 0, regs)
    store_32(predicate, load_u32(predicate) & ~mask | done)
    if A[FUNCTIONAL] == 0:
        set_ready(A, s, w, row, t + P[MBARRIER_CYCLES], Stall.SHORT_SCOREBOARD)
    return schedule(A, s, w, t + 1, Stall.WAIT)
