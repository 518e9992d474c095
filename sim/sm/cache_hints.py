"""Cache hints of loads, stores and atomics. They move time only: nothing a program can read depends on them.

An instruction has its hints in its flags, at the places in `Hint`. What L2 has to know of them travels with each request, in
bits 4 to 7 of its kind: eviction priority, then how much a miss fetches. isa/cache.py says what a policy register holds.
"""

from enum import IntEnum

from isa.cache import FRACTION_BIT, PRIORITY_BIT

from ..jit import inline, outline
from ..raw import ctz, load_i64
from ..state import L1_USED, R_HEAD
from .operands import operand, registers


class Hint(IntEnum):
    """First bit of each hint among the flags: L1 priority (3 bits), L2 priority, size of an L2 prefetch (2 bits each), a
    policy in operand 5."""

    L1, L2, FETCH, POLICY = 8, 11, 13, 15


class Priority(IntEnum):
    """Which lines go first when room is needed. BYPASS: not kept in L1 at all."""

    NORMAL, FIRST, LAST, UNCHANGED, BYPASS = range(5)


AGE = 1 << 40
"""Cycles by which a line of another priority looks older or newer than it is."""
_POLICY_PRIORITIES = Priority.UNCHANGED | Priority.FIRST << 2 | Priority.LAST << 4 | Priority.NORMAL << 6


@inline
def l1_priority(A, row):
    """Priority an instruction asks for in L1."""
    return A[row + R_HEAD] >> 32 + Hint.L1 & 7


@inline
def l1_prioritise(A, s, way, priority):
    """Make a line that was just used look older or newer."""
    if priority == Priority.FIRST:
        A[s + L1_USED + way] -= AGE
    elif priority == Priority.LAST:
        A[s + L1_USED + way] += AGE


@outline
def _by_policy(A, s, w, row, mask, line):
    """Priority that the policy register of the first lane gives to an access."""
    policy = load_i64(operand(A, row, 5, registers(A, s, w)) + 8 * ctz(mask))
    if (line ^ line >> 4 ^ line >> 8) & 15 <= policy >> FRACTION_BIT & 15:
        return _POLICY_PRIORITIES >> 2 * (policy >> PRIORITY_BIT + 1 & 3) & 3
    return Priority.FIRST if policy >> PRIORITY_BIT & 1 else Priority.UNCHANGED


@inline
def l2_hints(A, s, w, row, mask, line):
    """What a request for a line tells L2, to be or'ed to its kind."""
    flags = A[row + R_HEAD] >> 32
    if flags >> Hint.L2 == 0:
        return 0
    if flags >> Hint.POLICY & 1:
        return (_by_policy(A, s, w, row, mask, line) | (flags >> Hint.FETCH & 3) << 2) << 4
    return (flags >> Hint.L2 & 15) << 4
