"""An SM's state on its way to the host's caches before its turn: a GPU's SMs are more than those hold.

Per-warp words of 16 warp slots are two cache lines for each scheduler; few kernels use more than the first eight slots.
"""

from ..jit import outline
from ..raw import prefetch_word
from ..state import (
    ACTIVE,
    BLOCK,
    CTA_SLOT,
    ISSUE_FREE,
    ISSUED,
    KIND_COUNT,
    LANES,
    LAST,
    LIVE,
    PATH_COUNT,
    PC,
    PIPE_FREE,
    READY,
    REGS,
    RESERVED,
    SCORE,
    SCRATCH,
    STALL,
    WAKE,
)

_OF_WARPS = (WAKE, PC, READY, LAST, RESERVED, REGS, ACTIVE, LIVE, ISSUED, SCORE, PATH_COUNT, BLOCK, CTA_SLOT, PIPE_FREE)
"""Fields of 16 words for each scheduler that every instruction reads or writes."""
_OF_SM = (ISSUE_FREE, PIPE_FREE + 64, PIPE_FREE + 72, SCRATCH, STALL, STALL + 8, KIND_COUNT, KIND_COUNT + 8, LANES)


@outline
def bring_near(A, s):
    """Prefetch what an SM that has something to do will touch first."""
    for scheduler in range(4):
        for field in _OF_WARPS:
            prefetch_word(A, s + field + 16 * scheduler)
    for field in _OF_SM:
        prefetch_word(A, s + field)
