"""Where the words about opaque values are in the machine block, and how an instruction's registers are listed for them."""

from .addresses import MAX_GPUS, OFFSET_MASK
from .jit import inline
from .layout import MACHINE_WORDS, Layout
from .raw import load_u8
from .state import SINK

_o = Layout(MACHINE_WORDS - 128)
OPAQUE = _o.field()
"""1 if any buffer of the machine is opaque; without, nothing of this is looked at."""
FLAGS = _o.field()
"""Host address of a byte per register of every warp slot of the machine: 1 if its value is opaque."""
TABLE = _o.field()
"""Host address of the byte offset of every instruction's entry, then the entries."""
SHARED_BITS = _o.field()
"""Host address of a bit per 4 bytes of the machine's shared memory."""
SHARED_FIRST = _o.field()
"""Host address of the shared memory that the first of these bits is for."""
LINES = _o.field(MAX_GPUS)
"""By GPU: host address of a byte per 128-byte line of its memory, 1 if opaque; 0: none is."""
assert _o.words <= MACHINE_WORDS

WARP_FLAGS = 1024 + 64
"""Bytes of register flags of a warp slot: predicates first, slots from 96 + 7 on."""
FLAG_OPAQUE_BIT = 62
"""Bit of an instruction's head: it may meet opaque values, so its entry of the table is looked at."""
GROUP_AT = WARP_FLAGS - 8
"""Offset among a warp's flags: number of the list of results all of which are opaque, 0 if none is known to be."""
GROUP = 1
"""Bit of the first word of an entry from which on the number of its list of results is, 0 for short ones."""
PROPAGATES = 1
"""Bit of the first word of an entry: its results are opaque if its values are. Then the number of runs (first flag, count) of
control operands, values, results, and results that are known in any case."""


def flag_index(ref: int) -> int:
    """Flag of the register at a byte offset of a warp's registers; 64-bit registers have that of their first slot."""
    return ref >> 2 if ref < SINK else SINK // 4 + (ref >> 7)


@inline
def line_opaque(A, gpu, address):
    """Whether an address of a GPU's memory is in an opaque buffer."""
    return A[LINES + gpu] != 0 and load_u8(A[LINES + gpu] + ((address & OFFSET_MASK) >> 7)) != 0
