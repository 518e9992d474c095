"""Instructions in which lanes of a warp see one another: shuffles, votes, matches, reductions."""

from enum import IntEnum

from ..jit import inline, outline
from ..params import FN_MATCH, FN_REDUX, FN_SHFL, FN_SPLAT32
from ..raw import call, ctz, load_u32, store_32
from ..state import ACTIVE, LIVE, R_SUB, Fault
from .memory_space import fault
from .operands import operand, registers
from .paths import gather_parked, park_path, unpark


class Vote(IntEnum):
    """Mode of a vote (low byte of its sub word; bit 8: the predicate is negated)."""

    ALL, ANY, UNI, BALLOT = range(4)


@inline
def members(A, s, w, row, mask):
    """The membermask operand (operand 5), as the first executing lane gives it."""
    return load_u32(operand(A, row, 5, registers(A, s, w)) + 4 * ctz(mask))


@outline
def all_members(A, s, w, row, mask):
    """The lanes that the membermasks of all executing lanes name together."""
    at = operand(A, row, 5, registers(A, s, w))
    named = 0
    for lane in range(32):
        if mask >> lane & 1:
            named |= load_u32(at + 4 * lane)
    return named


@outline
def gather_members(A, g, s, w, needed, pc, is_barrier, t):
    """Whether all lanes the instruction names are here. If not, the active path waits at ``pc`` for them."""
    needed &= A[s + LIVE + w]
    if needed & ~A[s + ACTIVE + w] == 0:
        return True
    gather_parked(A, s, w, pc)
    if needed & ~A[s + ACTIVE + w] == 0:
        return True
    if not park_path(A, s, w, pc):
        if is_barrier:
            unpark(A, s, w)
        else:
            fault(A, g, s, w, Fault.DIVERGENT, ctz(needed), 0, 0, t)
    return False


@outline
def shuffle(A, P, s, w, row, mask):
    """``shfl.sync``: sub bits 0-7 mode, bit 8: a predicate destination follows."""
    regs = registers(A, s, w)
    sub = A[row + R_SUB]
    predicate = operand(A, row, 1, regs) if sub >> 8 & 1 else 0
    a, b, c = operand(A, row, 2, regs), operand(A, row, 3, regs), operand(A, row, 4, regs)
    call(P[FN_SHFL], operand(A, row, 0, regs), predicate, a, b, c, sub & 255, mask, 0)


@inline
def _write_predicate(address, mask, value):
    store_32(address, load_u32(address) & ~mask | value & mask)


@outline
def vote(A, P, s, w, row, mask):
    """``vote.sync``: the predicates of executing lanes."""
    regs = registers(A, s, w)
    sub = A[row + R_SUB]
    held = load_u32(operand(A, row, 1, regs))
    if sub >> 8 & 1:
        held = ~held
    held &= mask
    mode = sub & 255
    target = operand(A, row, 0, regs)
    if mode == Vote.BALLOT:
        call(P[FN_SPLAT32], target, held, mask, 0, 0, 0, 0, 0)
    elif mode == Vote.ALL:
        _write_predicate(target, mask, -(held == mask))
    elif mode == Vote.ANY:
        _write_predicate(target, mask, -(held != 0))
    else:
        _write_predicate(target, mask, -((held == mask) | (held == 0)))


@outline
def match(A, P, s, w, row, mask):
    """``match.sync``: sub bit 0 .all, bit 1 64-bit values, bit 8 predicate destination."""
    regs = registers(A, s, w)
    sub = A[row + R_SUB]
    predicate = operand(A, row, 1, regs) if sub >> 8 & 1 else 0
    values = operand(A, row, 2, regs)
    call(P[FN_MATCH], operand(A, row, 0, regs), predicate, values, sub >> 1 & 1, sub & 1, mask, 0, 0)


@outline
def redux(A, P, s, w, row, mask):
    """``redux.sync``: sub = AtomOp | ValType << 8."""
    regs = registers(A, s, w)
    fmt = A[row + R_SUB] & 0xFFFF
    call(P[FN_REDUX], operand(A, row, 0, regs), operand(A, row, 2, regs), fmt, mask, 0, 0, 0, 0)


@outline
def active_mask(A, P, s, w, row, mask):
    """``activemask``: the lanes of the active path."""
    target = operand(A, row, 0, registers(A, s, w))
    call(P[FN_SPLAT32], target, A[s + ACTIVE + w], mask, 0, 0, 0, 0, 0)


@outline
def elect(A, P, s, w, row, mask, named):
    """``elect.sync``: the lowest named lane is the leader."""
    regs = registers(A, s, w)
    leader = ctz(named & mask)
    call(P[FN_SPLAT32], operand(A, row, 0, regs), leader, mask, 0, 0, 0, 0, 0)
    _write_predicate(operand(A, row, 1, regs), mask, 1 << leader)
