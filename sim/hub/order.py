"""What the sending side of a hub keeps order by: fence epochs and store generations.

A fence must wait for the stores before it, not for those after it, although the RPM reorders. So stores carry the epoch
in which they were accepted, a fence opens a new epoch, and it is done when no store of its epoch or an older one is
outstanding. Generations are the same idea for end-of-store announcements (endings.py).
"""

from ..jit import inline
from ..layout import Layout
from ..net.interface import MAX_GPUS
from ..net.packet import ORDER
from ..net.sums import SUM_WORDS
from .blocks import DOOR_BLOCK, ORDER_BLOCK

EPOCHS = 256
EPOCH_MASK = (1 << 32) - 1
SMS_MAX = 1024

_o = Layout(ORDER_BLOCK)
FENCE_EPOCH = _o.field()
OLDEST = _o.field()
"""Epoch of the oldest outstanding store, or the current one."""
OUTSTANDING = _o.field(EPOCHS)
"""Stores and atomics of an epoch that have not been acknowledged."""
GENERATION = _o.field()
GENERATION_BYTES = _o.field(MAX_GPUS)
"""Bytes of the current generation for each GPU."""
SM_DONE = _o.field(SMS_MAX)
"""Packets of each SM that left the RPM or the request queue, or were merged."""
INPUT = _o.field(2)
"""List of packets in front of the RPM."""
INPUT_COUNT = _o.field()
FENCES = _o.field()
LOCAL_ROWS = _o.field()
"""Row stores to the own GPU."""
RECORD_ADDRESS = _o.field()
"""Host address of the ring of packet records (traces/records.py), set by the machine; 0: packets are not recorded."""
RECORD_COUNT = _o.field()
RECORD_ROOM = _o.field()
LINE = _o.field(16)
"""Work space for load-reduce: a line, and two accumulators."""
LINE_SUM = _o.field(SUM_WORDS, align=8)
LINE_SCRATCH = _o.field(SUM_WORDS, align=8)
assert _o.words <= DOOR_BLOCK


@inline
def stamp(A, g, row):
    """Mark a store or load as belonging to the current epoch and generation."""
    epoch = A[g + FENCE_EPOCH]
    A[row + ORDER] = epoch | A[g + GENERATION] << 32
    A[g + OUTSTANDING + epoch % EPOCHS] += 1


@inline
def settle(A, g, order):
    """A store has been acknowledged, a load answered, or it has become part of an older one."""
    A[g + OUTSTANDING + (order & EPOCH_MASK) % EPOCHS] -= 1
    while A[g + OLDEST] < A[g + FENCE_EPOCH] and A[g + OUTSTANDING + A[g + OLDEST] % EPOCHS] == 0:
        A[g + OLDEST] += 1


@inline
def open_epoch(A, g):
    """A fence: returns its ticket for ``fence_done``, and lets later stores count as later."""
    A[g + FENCES] += 1
    epoch = A[g + FENCE_EPOCH]
    if A[g + OUTSTANDING + epoch % EPOCHS] == 0:
        return epoch - 1
    if epoch - A[g + OLDEST] < EPOCHS - 1:
        A[g + FENCE_EPOCH] = epoch + 1
    return epoch


@inline
def fence_done(A, g, ticket):
    """Whether everything accepted before the fence has been acknowledged."""
    oldest = A[g + OLDEST]
    return oldest > ticket or (oldest == ticket and A[g + OUTSTANDING + ticket % EPOCHS] == 0)
