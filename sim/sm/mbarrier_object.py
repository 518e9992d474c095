"""The mbarrier object in shared memory, and the warps that wait for its phase.

The 64-bit object is ours (PTX leaves it opaque): bits 0-19 arrivals still missing, 20-39 arrivals expected, 40 parity of
the phase, 41-63 transaction bytes still missing, as a signed number: complete_tx may come before its expect_tx.
"""

from traces.records import Stall

from ..jit import inline, outline
from ..raw import load_i64, store_64
from ..state import BLOCK, LAST_EFFECT, LIVE, NEXT, WAIT_OBJECT, WARPS, Block
from .scoreboard import schedule

COUNT = (1 << 20) - 1
TX = 41
PARITY = 40


@inline
def initial(count):
    """The object of an mbarrier that expects ``count`` arrivals."""
    return count << 20 | count


@outline
def _wake(A, s, address, t):
    """Warps that wait for a phase of the object look at it again."""
    for w in range(WARPS):
        if A[s + BLOCK + w] == Block.MBARRIER and A[s + WAIT_OBJECT + w] == address and A[s + LIVE + w]:
            A[s + BLOCK + w] = Block.NONE
            A[s + NEXT] = min(A[s + NEXT], schedule(A, s, w, t, Stall.BARRIER))


@outline
def add(A, s, address, delta, t):
    """Arrivals and bytes (``delta`` of the object) at cycle ``t``; a phase with nothing missing completes."""
    state = load_i64(address) + delta
    complete = state & COUNT == 0 and state >> TX == 0
    if complete:
        state = (state ^ 1 << PARITY) | (state >> 20 & COUNT)
    store_64(address, state)
    A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
    if complete:
        _wake(A, s, address, t)
