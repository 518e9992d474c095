"""mbarrier objects in shared memory: arrivals, phases, transaction bytes.

The 64-bit object is ours (PTX leaves it opaque): bits 0-19 arrivals still missing, 20-39 arrivals expected, 40 parity of
the phase, 41-62 transaction bytes still missing.
"""

from enum import IntEnum

from traces.records import Stall

from ..far import far
from ..jit import inline
from ..params import SMEM_ATOM_CYCLES, SMEM_CYCLES
from ..raw import load_i64, load_u32, store_32, store_64
from ..state import CTA_SHARED, CTA_SLOT, FUNCTIONAL, LAST_EFFECT, R_IMM, R_SUB, Fault
from .memory_space import fault, window_base
from .operands import operand, registers
from .scoreboard import set_ready

_COUNT = (1 << 20) - 1
_TX = 41
_OFFSET = (1 << 38) - 1


class MbarrierOp(IntEnum):
    """What a MBARRIER instruction does (low byte of its sub word)."""

    INIT, INVAL, ARRIVE, ARRIVE_EXPECT_TX, EXPECT_TX, COMPLETE_TX, TEST_WAIT, TEST_WAIT_PARITY, ARRIVE_DROP = range(9)


@inline
def _settle(address, state):
    """Store the object; a phase with nothing missing completes and the next one begins."""
    if state & _COUNT == 0 and state >> _TX == 0:
        expected = state >> 20 & _COUNT
        state = (state ^ 1 << 40) | expected
    store_64(address, state)


@inline
def _lane(op, address, count):
    """The operation of one lane. Returns the object before it."""
    state = load_i64(address)
    if op == MbarrierOp.INIT:
        store_64(address, count << 20 | count)
    elif op == MbarrierOp.INVAL:
        store_64(address, 0)
    elif op == MbarrierOp.ARRIVE:
        _settle(address, state - count)
    elif op == MbarrierOp.ARRIVE_EXPECT_TX:
        _settle(address, state + (count << _TX) - 1)
    elif op == MbarrierOp.EXPECT_TX:
        store_64(address, state + (count << _TX))
    elif op == MbarrierOp.COMPLETE_TX:
        _settle(address, state - (count << _TX))
    elif op == MbarrierOp.ARRIVE_DROP:
        _settle(address, state - count - (count << 20))
    return state


@far
def mbarrier(A, P, g, s, w, row, mask, t):
    """Execute: operand 4 the object, operand 1 a count, state or parity, operand 0 a state or predicate destination.

    Sub bits: 8 there is a destination, 9 operand 1 exists, 40 the address register is 64 bits wide.
    """
    sub = A[row + R_SUB]
    op = sub & 255
    regs = registers(A, s, w)
    base = window_base(A, g, s, w, 96)
    limit = A[s + CTA_SHARED + A[s + CTA_SLOT + w]]
    done = 0
    for lane in range(32):
        if mask >> lane & 1 == 0:
            continue
        pointer = operand(A, row, 4, regs)
        offset = (load_i64(pointer + 8 * lane) if sub >> 40 & 1 else load_u32(pointer + 4 * lane)) + A[row + R_IMM]
        offset &= _OFFSET
        if offset + 8 > limit or offset & 7:
            fault(A, g, s, w, Fault.SHARED_ADDRESS, lane, offset, 8, t)
            return False
        value = 1
        if sub >> 9 & 1:
            slot = 8 if op == MbarrierOp.TEST_WAIT else 4
            at = operand(A, row, 1, regs) + slot * lane
            value = load_i64(at) if slot == 8 else load_u32(at)
        old = _lane(op, base + offset, value)
        if op == MbarrierOp.TEST_WAIT or op == MbarrierOp.TEST_WAIT_PARITY:
            waited = value >> 40 & 1 if op == MbarrierOp.TEST_WAIT else value & 1
            done |= ((old >> 40 & 1) != waited) << lane
        elif sub >> 8 & 1:
            store_64(operand(A, row, 0, regs) + 8 * lane, old)
    _finish(A, P, s, w, row, mask, op, done, t)
    return True


@inline
def _finish(A, P, s, w, row, mask, op, done, t):
    """Deliver the predicate of a wait; note arrivals as progress."""
    cycles = P[SMEM_ATOM_CYCLES]
    if op == MbarrierOp.TEST_WAIT or op == MbarrierOp.TEST_WAIT_PARITY:
        target = operand(A, row, 0, registers(A, s, w))
        store_32(target, load_u32(target) & ~mask | done)
        cycles = P[SMEM_CYCLES]
    else:
        A[s + LAST_EFFECT] = t
    if A[FUNCTIONAL] == 0:
        set_ready(A, s, w, row, t + cycles, Stall.SHORT_SCOREBOARD)
