"""Control flow of a warp: branches, calls, exits."""

from isa.instr import Kind
from traces.records import Stall

from ..addresses import FUNCTION_BYTES
from ..far import far
from ..jit import inline
from ..params import BRANCH_CYCLES
from ..raw import ctz, load_i64, load_u32, store_32
from ..state import (
    ACTIVE,
    CALL_DEPTH,
    CTA_CLUSTER,
    CTA_LAUNCH,
    CTA_SLOT,
    DEPTH,
    LAUNCH_LOCAL,
    PATH_COUNT,
    PC,
    R_IMM,
    R_SIDE,
    R_SUB,
    RETURN_BYTES,
    SIDE,
    SM_RETURNS,
    SPIN,
    STACK_BYTES,
    Fault,
)
from .cluster_barrier import cluster_left
from .cta import end_warp
from .memory_space import fault
from .operands import operand, registers
from .paths import SPIN_COUNT, SPIN_LIMIT, add_path, give_way, next_path, path_key, retire, split
from .scoreboard import park, schedule


@inline
def branch(A, P, s, w, row, mask, pc, t):
    """``bra``: lanes of ``mask`` jump. Returns the next issue cycle."""
    if mask == 0:
        return schedule(A, s, w, t + 1, Stall.BRANCH_RESOLVE)
    target = A[row + R_IMM]
    if mask == A[s + ACTIVE + w]:
        A[s + PC + w] = target
    else:
        split(A, s, w, target, mask)
    if target <= pc and A[s + PATH_COUNT + w] > 0:
        A[s + SPIN + w] += 1
        if A[s + SPIN + w] & SPIN_COUNT > SPIN_LIMIT:
            give_way(A, s, w)
    return schedule(A, s, w, t + P[BRANCH_CYCLES], Stall.BRANCH_RESOLVE)


@inline
def branch_indexed(A, P, g, s, w, row, mask, t):
    """``brx.idx``: operand 0 indexes the list of targets in the side table; sub: its length."""
    index = operand(A, row, 0, registers(A, s, w))
    n = A[row + R_SUB]
    table = A[SIDE] + A[row + R_SIDE]
    depth = A[s + DEPTH + w]
    rest = A[s + ACTIVE + w] & ~mask
    through = A[s + PC + w]
    left = mask
    first = True
    while left:
        value = load_u32(index + 4 * ctz(left))
        if value >= n:
            fault(A, g, s, w, Fault.BRANCH, ctz(left), value, n, t)
            return park(A, s, w)
        group = 0
        for lane in range(32):
            if left >> lane & 1 and load_u32(index + 4 * lane) == value:
                group |= 1 << lane
        left &= ~group
        target = A[table + value]
        if first:
            A[s + PC + w] = target
            A[s + ACTIVE + w] = group
            first = False
        else:
            add_path(A, s, w, path_key(depth, target), group)
    if rest:
        add_path(A, s, w, path_key(depth, through), rest)
    return schedule(A, s, w, t + P[BRANCH_CYCLES], Stall.BRANCH_RESOLVE)


@inline
def _is_callee(A, row, address):
    """Whether a function that the call at ``row`` may reach begins at ``address``."""
    table = A[SIDE] + A[row + R_SIDE]
    for i in range(A[row + R_SUB]):
        if A[table + i] == address:
            return True
    return False


@inline
def _call_indirect(A, P, g, s, w, row, mask, t):
    """Lanes of ``mask``, whose depth counts the call already, go where the addresses in operand 0 say."""
    addresses = operand(A, row, 0, registers(A, s, w))
    left = mask
    first = True
    while left:
        leader = ctz(left)
        address = load_i64(addresses + 8 * leader)
        if not _is_callee(A, row, address):
            fault(A, g, s, w, Fault.CALL, leader, address, 0, t)
            return park(A, s, w)
        group = 0
        for lane in range(32):
            if left >> lane & 1 and load_i64(addresses + 8 * lane) == address:
                group |= 1 << lane
        left &= ~group
        target = address // FUNCTION_BYTES - 1
        if first:
            A[s + PC + w] = target
            A[s + ACTIVE + w] = group
            first = False
        else:
            add_path(A, s, w, path_key(A[s + DEPTH + w], target), group)
    return schedule(A, s, w, t + P[BRANCH_CYCLES], Stall.BRANCH_RESOLVE)


@inline
def _returns(A, s, w, depth):
    """Host address of the lanes' return addresses at a call depth."""
    return A[s + SM_RETURNS] + (w * CALL_DEPTH + depth) * 128


@inline
def call(A, P, g, s, w, row, mask, t):
    """``call``: lanes of ``mask`` enter the function; their return addresses are kept per lane.

    sub: length of the list of functions in the side table that a call through operand 0 may reach; 0 for a direct call.
    """
    depth = A[s + DEPTH + w]
    stack = max(STACK_BYTES, A[g + LAUNCH_LOCAL + A[s + CTA_LAUNCH + A[s + CTA_SLOT + w]]])
    if depth >= stack // RETURN_BYTES:
        fault(A, g, s, w, Fault.STACK, ctz(mask), depth, stack, t)
        return park(A, s, w)
    back = A[s + PC + w]
    for lane in range(32):
        if mask >> lane & 1:
            store_32(_returns(A, s, w, depth) + 4 * lane, back)
    rest = A[s + ACTIVE + w] & ~mask
    if rest:
        add_path(A, s, w, path_key(depth, back), rest)
    A[s + DEPTH + w] = depth + 1
    if A[row + R_SUB] > 0:
        return _call_indirect(A, P, g, s, w, row, mask, t)
    A[s + ACTIVE + w] = mask
    A[s + PC + w] = A[row + R_IMM]
    return schedule(A, s, w, t + P[BRANCH_CYCLES], Stall.BRANCH_RESOLVE)


@inline
def return_(A, P, s, w, mask, t):
    """``ret`` inside a function: every lane goes back to where it came from."""
    depth = A[s + DEPTH + w] - 1
    rest = A[s + ACTIVE + w] & ~mask
    through = A[s + PC + w]
    back = _returns(A, s, w, depth)
    left = mask
    first = True
    while left:
        target = load_u32(back + 4 * ctz(left))
        group = 0
        for lane in range(32):
            if left >> lane & 1 and load_u32(back + 4 * lane) == target:
                group |= 1 << lane
        left &= ~group
        if first:
            A[s + PC + w] = target
            A[s + ACTIVE + w] = group
            A[s + DEPTH + w] = depth
            first = False
        else:
            add_path(A, s, w, path_key(depth, target), group)
    if rest:
        add_path(A, s, w, path_key(depth + 1, through), rest)
    return schedule(A, s, w, t + P[BRANCH_CYCLES], Stall.BRANCH_RESOLVE)


@inline
def exit_(A, P, g, s, w, mask, t):
    """``exit``: lanes of ``mask`` are done. Returns the next issue cycle of what is left of the warp."""
    if A[s + CTA_CLUSTER + A[s + CTA_SLOT + w]]:
        cluster_left(A, P, g, s, w, mask, t)
    live = retire(A, s, w, mask)
    if live == 0:
        end_warp(A, P, g, s, w, t)
        return park(A, s, w)
    if A[s + ACTIVE + w] == 0:
        next_path(A, s, w)
    return schedule(A, s, w, t + 1, Stall.BRANCH_RESOLVE)


@far
def control_instruction(A, P, g, s, w, row, kind, mask, t):
    """Execute ``call``, ``ret``, ``exit`` or ``brx.idx``. Returns the next issue cycle."""
    if kind == Kind.EXIT or (kind == Kind.RET and A[s + DEPTH + w] == 0):
        return exit_(A, P, g, s, w, mask, t)
    if kind == Kind.RET:
        return return_(A, P, s, w, mask, t)
    if kind == Kind.CALL:
        return call(A, P, g, s, w, row, mask, t)
    return branch_indexed(A, P, g, s, w, row, mask, t)
