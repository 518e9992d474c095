"""Mistakes that the hub or the network finds: the first one stops the run, through the GPU's fault words (state.py)."""

from enum import IntEnum

from ..jit import outline
from ..state import FAULT

HUB_FAULTS = 64
"""Fault codes from here on are `HubFault` + HUB_FAULTS."""


class HubFault(IntEnum):
    """What a simulated program, or the host that set the hub up, did wrong."""

    NONE = 0
    NO_REGION = 1
    """A row store names a MallocID that this GPU does not have."""
    ROWS = 2
    """More rows than the region has."""
    ROW_OFFSET = 3
    """A row store beyond the region's row size."""
    SPILL = 4
    """More rows than the AAU's spill table can map."""
    MULTIMEM = 5
    """A multimem address outside its object, or an object this GPU does not know."""
    EXPERT = 6
    """A target that is no expert of the object."""
    AL_ROWS = 7
    """An expert was sent more blocks than were bound for it."""
    AL_UNMAPPED = 8
    """ld_reduce of a block that was never stored to."""
    POOL = 9
    """Too many packets in flight for the simulator's tables."""


@outline
def fault(A, g, code, address, nbytes, t):
    """Record a fault: code, address, bytes (or the count that was too big), cycle. The first one counts."""
    if A[g + FAULT] == 0:
        A[g + FAULT] = HUB_FAULTS + code
        for i in range(1, 5):
            A[g + FAULT + i] = -1
        A[g + FAULT + 5] = address
        A[g + FAULT + 6] = nbytes
        A[g + FAULT + 7] = t
