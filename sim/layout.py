"""Names for the words of a unit's state: each unit lays out its own block, and addresses it from its own base.

The arena is: the machine block, then one block of ``GPU_WORDS`` per GPU, then one block per SM. A GPU block is divided
at fixed places, so that units need not import one another: ``g + L2_BLOCK`` is the base of sim/mem/l2.py's state,
``g + HUB_BLOCK`` of the hub's (sim/hub), ``g + NET_BLOCK`` of the links' and switch port's (sim/net), ``g + CORE_BLOCK`` of
the rest (sim/state.py), where ``g = gpu_base(gpu)``. Functions that serve a whole GPU take ``g``. Words that are never
touched cost no memory, so blocks may be generous.
"""

from .jit import inline

MACHINE_WORDS = 4096
GPU_WORDS = 1 << 25
L2_BLOCK = 0
HUB_BLOCK = 1 << 22
NET_BLOCK = 1 << 24
CORE_BLOCK = 3 << 23
LINE_WORDS = 8
"""Words of a cache line of the host."""


class Layout:
    """Hands out word offsets, one field after the other. All words start as zero, which must mean "empty"."""

    def __init__(self, start: int = 0) -> None:
        self.words = start

    def field(self, count: int = 1, align: int = 1) -> int:
        """Reserve ``count`` int64 words (aligned to ``align`` words) and return the offset of the first."""
        self.words += -self.words % align
        offset = self.words
        self.words += count
        return offset

    def stride(self) -> int:
        """Words from one such block to the next: an odd number of cache lines, so that equal fields of many blocks do not
        compete for the same few places of a cache."""
        lines = -(-self.words // LINE_WORDS) | 1
        return lines * LINE_WORDS


@inline
def gpu_of(g):
    """Number of the GPU whose block is at ``g``."""
    return (g - MACHINE_WORDS) // GPU_WORDS


@inline
def gpu_base(gpu):
    """Arena index of a GPU's block."""
    return MACHINE_WORDS + gpu * GPU_WORDS
