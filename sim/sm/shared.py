"""Shared memory: 32 banks of 4 bytes; lanes that want different words of one bank wait for each other."""

from ..jit import outline
from ..state import SCRATCH

_COUNTS = 64


@outline
def wavefronts(A, s, nbytes, mask, unit):
    """Passes through the banks that a shared access of ``nbytes`` per lane needs.

    Lanes are served in groups that together ask for at most 128 bytes; lanes of a group on the same word share it.
    """
    groups = max(1, nbytes >> 2)
    if unit:
        return groups
    lanes = 32 // groups
    total = 0
    for group in range(groups):
        worst = 0
        for bank in range(32):
            A[s + SCRATCH + _COUNTS + bank] = 0
        for lane in range(group * lanes, (group + 1) * lanes):
            if mask >> lane & 1:
                word = A[s + SCRATCH + lane] >> 2
                bank = word & 31
                seen = 0
                for other in range(group * lanes, lane):
                    if mask >> other & 1 and A[s + SCRATCH + other] >> 2 == word:
                        seen = 1
                        break
                if seen == 0:
                    A[s + SCRATCH + _COUNTS + bank] += 1
                    worst = max(worst, A[s + SCRATCH + _COUNTS + bank])
        total += worst
    return max(1, total)
