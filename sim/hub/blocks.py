"""Where each unit of the hub keeps its state (offsets from a GPU's base), and how it reports a program's mistake."""

from enum import IntEnum

from ..jit import outline
from ..layout import HUB_BLOCK, NET_BLOCK, Layout

RPM_BLOCK = HUB_BLOCK
AAU_BLOCK = HUB_BLOCK + (1 << 21)
DAM_BLOCK = HUB_BLOCK + (3 << 21)
MULTIMEM_BLOCK = HUB_BLOCK + (1 << 23)
ORDER_BLOCK = HUB_BLOCK + (5 << 21)
BLOCKS_END = NET_BLOCK


class HubFault(IntEnum):
    """What a simulated program, or the host that set the hub up, did wrong."""

    NONE = 0
    NO_REGION = 1
    """A row store names a MallocID that this GPU does not have."""
    ROWS = 2
    """More rows than the region has."""
    ROW_OFFSET = 3
    """RowOffset beyond the region's row size."""
    TABLE = 4
    """More rows than the hub's spill table can map."""
    MULTIMEM = 5
    """A multimem address outside its object, or an object this GPU does not know."""
    EXPERT = 6
    """A target that is no expert of the object."""
    AL_ROWS = 7
    """An expert was sent more blocks than were bound for it."""
    AL_UNMAPPED = 8
    """ld_reduce of a block that was never stored to."""


_b = Layout(ORDER_BLOCK)
FAULT = _b.field(4)
"""Code, address, bytes, cycle of this hub's first fault."""
ORDER_REST = _b.words


@outline
def fault(A, g, code, address, nbytes, t):
    """Record a fault; the first one counts."""
    if A[g + FAULT] == 0:
        A[g + FAULT] = code
        A[g + FAULT + 1] = address
        A[g + FAULT + 2] = nbytes
        A[g + FAULT + 3] = t
