"""State of a GPU's network interface at ``g + NET_BLOCK``, and its pool of packet rows.

A packet lives in one row of its sender's pool from the moment the hub accepts it until its receiver has used it;
queues hold row indices, and the receiver reads the row in place. Nobody writes a row that is on the wire. GPUs run on
different threads, so a row is reused five windows after the one in which its credit came back: its receiver, which gets
the packet in that window or at the very start of the next, is done with it.
"""

from ..jit import inline, outline
from ..layout import CORE_BLOCK, NET_BLOCK, Layout
from ..params import TICKS
from .faults import HubFault, fault
from .packet import NEXT, PACKET_WORDS, ROW_WORDS
from .sums import SUM_WORDS

MAX_GPUS = 64
MAX_PLANES = 18
POOL_ROWS = 1 << 17
ARRIVALS_MAX = 200_000
LOCAL_ARRIVALS_MAX = 1 << 15
OUTBOX_NODES = 1 << 16
ANSWERS = 8192
ANSWER_WORDS = 8 + SUM_WORDS
LIMBO_WINDOWS = 6

_n = Layout(NET_BLOCK)
EPOCH = _n.field()
"""Windows executed. All GPUs agree on it."""
NOW = _n.field()
"""Tick up to which the interface has been simulated."""
SEQUENCE = _n.field()
"""Packets sent."""
LIVE = _n.field()
"""Pool rows in use."""
_FRESH = _n.field()
_FREED = _n.field()
LIMBO = _n.field(LIMBO_WINDOWS)
"""Rows whose credit came back, by window."""
PLANE_COUNT = _n.field()
"""Planes in use, for functions that have no parameters at hand."""
PEER_FLITS = _n.field(MAX_GPUS)
"""Flits on the way to each peer that have not left the switch."""

# --- uplinks, one per plane
_u = Layout()
UP_FREE = _u.field()
"""Tick at which the next packet may start."""
UP_USED = _u.field(2)
"""Flits of the switch's input buffer in use, per virtual channel class."""
UP_REQUESTS = _u.field(2)
"""List of requests that wait for the uplink."""
UP_RESPONSES = _u.field(2)
UP_TURN = _u.field()
"""Bit 0: the class served last; bit 1: whether the RPM was served last among requests."""
UP_BUSY = _u.field()
"""Ticks spent sending."""
UP_REQUEST_FREE = _u.field()
"""Tick at which the next request may start: the hub makes so many packets of requests a second, however short."""
UP_WORDS = _u.field(0, align=8)
UPLINK = _n.field(MAX_PLANES * UP_WORDS, align=8)

# --- switch output port towards this GPU, one per plane
PORT_FREE = _n.field(MAX_PLANES)
REDUCE_FREE = _n.field(MAX_PLANES)
PORT_BUSY = _n.field(MAX_PLANES)
REDUCE_ENTRIES = _n.field(MAX_PLANES)
"""Reduction buffer entries in use."""

# --- outboxes: what was sent in a window, by plane and destination
_o = Layout()
OUT_COUNT = _o.field()
OUT_HEAD = _o.field(MAX_PLANES * MAX_GPUS)
"""First and last node + 1 of the list for ``plane * MAX_GPUS + destination``."""
OUT_TAIL = _o.field(MAX_PLANES * MAX_GPUS)
OUT_NODE = _o.field(3 * OUTBOX_NODES)
"""Row, next node + 1, and the tick at which the copy left the switch, which the destination writes."""
OUT_WORDS = _o.words
OUTBOX = _n.field(2 * OUT_WORDS)

# --- answers that multicast requests wait for: merged in the switch port of the requester
# fmt: off
(ANSWER_LEFT, ANSWER_BUFFERED, ANSWER_GOT, ANSWER_NEXT) = range(4)
# fmt: on
ANSWER_SUM = 8
ANSWER = _n.field(ANSWERS * ANSWER_WORDS, align=8)
ANSWER_FREED = _n.field()
ANSWER_FRESH = _n.field()

CREDITS = _n.field(1 + 2 * POOL_ROWS)
"""Heap: tick at which a credit is back, row."""
DELAYED = _n.field(1 + 2 * POOL_ROWS)
"""Heap: cycle at which an answer is ready for the uplink, row."""
ARRIVALS = _n.field()
"""Packets on their way to this GPU, from the ports and from itself."""
ARRIVAL_HEAD = _n.field(2 * MAX_PLANES)
"""First and last node + 1 of the lists of requests and of responses that a plane's port has sent, in order of arrival."""
ARRIVAL_TAIL = _n.field(2 * MAX_PLANES)
ARRIVAL_FREED = _n.field()
ARRIVAL_FRESH = _n.field()
ARRIVAL = _n.field(3 * ARRIVALS_MAX)
"""Nodes: arrival cycle, row of the sender, next node + 1."""
LOCAL_ARRIVALS = _n.field(1 + 2 * LOCAL_ARRIVALS_MAX)
"""Heap: arrival cycle, row; packets of this GPU to itself."""
MERGE = _n.field(1 + 2 * MAX_GPUS)
SUM_SCRATCH = _n.field(SUM_WORDS, align=8)
POOL = _n.field(POOL_ROWS * ROW_WORDS, align=8)

# --- statistics
SENT_PACKETS = _n.field(32)
"""By kind."""
SENT_FLITS = _n.field(32)
SENT_BYTES = _n.field(32)
RECEIVED_PACKETS = _n.field(32)
RECEIVED_FLITS = _n.field(32)
REDUCED = _n.field()
"""Responses added up in the switch."""
BYPASSED = _n.field()
"""Responses that found the reduction buffer full and went on alone."""
assert _n.words <= CORE_BLOCK


@inline
def uplink(g, plane):
    """State of an uplink."""
    return g + UPLINK + plane * UP_WORDS


@inline
def outbox(g, parity):
    """State of an outbox."""
    return g + OUTBOX + parity * OUT_WORDS


@inline
def answer(g, index):
    """State of an answer entry."""
    return g + ANSWER + index * ANSWER_WORDS


@outline
def new_row(A, g):
    """A pool row with zeroed header and queue words; data and targets are what they were."""
    row = A[g + _FREED]
    if row > 0:
        A[g + _FREED] = A[row + NEXT]
    elif A[g + _FRESH] < POOL_ROWS:
        row = g + POOL + A[g + _FRESH] * ROW_WORDS
        A[g + _FRESH] += 1
    else:
        fault(A, g, HubFault.POOL, 0, POOL_ROWS, A[g + NOW] // TICKS)
        return g + POOL
    A[g + LIVE] += 1
    for i in range(16):
        A[row + i] = 0
    for i in range(PACKET_WORDS, ROW_WORDS):
        A[row + i] = 0
    return row


@inline
def free_row(A, g, row):
    """Return a row that no other GPU knows of."""
    A[row + NEXT] = A[g + _FREED]
    A[g + _FREED] = row
    A[g + LIVE] -= 1


@inline
def retire_row(A, g, row):
    """Return a row that its receiver may still read in this window."""
    limbo = g + LIMBO + A[g + EPOCH] % LIMBO_WINDOWS
    A[row + NEXT] = A[limbo]
    A[limbo] = row


@outline
def reclaim_rows(A, g):
    """At the start of a window: free the rows retired five windows ago."""
    limbo = g + LIMBO + (A[g + EPOCH] + 1) % LIMBO_WINDOWS
    row = A[limbo]
    A[limbo] = 0
    while row > 0:
        following = A[row + NEXT]
        free_row(A, g, row)
        row = following


@inline
def is_own_row(g, row):
    """Whether the row belongs to this GPU's pool."""
    return row >= g + POOL and row < g + POOL + POOL_ROWS * ROW_WORDS
