"""Shared memory: 32 banks of 4 bytes; lanes that want different words of one bank wait for each other."""

from ..jit import inline, outline
from ..raw import BIG
from ..state import SCRATCH

_COUNTS = 64
_ROW = 128
"""Bytes in one word of every bank."""


@inline
def _in_one_row(low, high):
    """Whether the words between two addresses lie in different banks."""
    return high - (low & -4) < _ROW


@outline
def _passes(A, s, mask, first, end):
    """Passes for the lanes of ``mask`` among ``first`` to ``end - 1``: the most words that are wanted of one bank."""
    low, high = BIG, -1
    for lane in range(first, end):
        if mask >> lane & 1:
            low = min(low, A[s + SCRATCH + lane])
            high = max(high, A[s + SCRATCH + lane])
    if high < 0:
        return 0
    if _in_one_row(low, high):
        return 1
    for bank in range(32):
        A[s + SCRATCH + _COUNTS + bank] = 0
    worst = 0
    for lane in range(first, end):
        if mask >> lane & 1:
            word = A[s + SCRATCH + lane] >> 2
            seen = 0
            for other in range(first, lane):
                if mask >> other & 1 and A[s + SCRATCH + other] >> 2 == word:
                    seen = 1
                    break
            if seen == 0:
                bank = s + SCRATCH + _COUNTS + (word & 31)
                A[bank] += 1
                worst = max(worst, A[bank])
    return worst


@inline
def wavefronts(A, s, nbytes, mask, unit):
    """Passes through the banks that a shared access of ``nbytes`` per lane needs.

    Lanes are served in groups that together ask for at most 128 bytes; lanes of a group on the same word share it.
    """
    groups = max(1, nbytes >> 2)
    if unit or (groups == 1 and _in_one_row(A[s + SCRATCH + 32], A[s + SCRATCH + 33])):
        return groups
    lanes = 32 // groups
    total = 0
    for group in range(groups):
        total += _passes(A, s, mask, group * lanes, (group + 1) * lanes)
    return max(1, total)


@outline
def atomic_wavefronts(A, s, nbytes, mask, unit):
    """Passes that atomics of ``nbytes`` per lane need: the most lanes of one bank, for lanes do not share a word."""
    if unit:
        return max(1, nbytes >> 2)
    for bank in range(32):
        A[s + SCRATCH + _COUNTS + bank] = 0
    worst = 1
    for lane in range(32):
        if mask >> lane & 1:
            bank = s + SCRATCH + _COUNTS + (A[s + SCRATCH + lane] >> 2 & 31)
            A[bank] += max(1, nbytes >> 2)
            worst = max(worst, A[bank])
    return worst
