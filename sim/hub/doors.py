"""The hub's queue as the SMs see it: it holds so many packets of all SMs; more wait, in order, at the door of their SM.

Whenever there is room the doors open in turn, so a packet of an SM that sends little waits for the queue and one
turn, however much the others have sent. On an H200 the latency of a request grows with the number of SMs that store, by
14 KB an SM, until about 350 KB lie before it (h200_microbench: peer_loaded_latency_ns, flag_one_way_loaded_ns).
"""

from ..jit import inline, outline
from ..layout import Layout
from ..net.packet import TAG
from ..net.queues import list_pop, list_push
from ..params import HUB_QUEUE
from ..raw import ctz
from .blocks import BLOCKS_END, DOOR_BLOCK
from .order import SMS_MAX

_WORDS = SMS_MAX // 32

_d = Layout(DOOR_BLOCK)
QUEUED = _d.field()
"""Packets of SMs in the hub's queue: in front of the RPM, in it, or in front of the uplinks."""
WAITING = _d.field()
"""Packets at doors."""
_TURN = _d.field()
"""The SM whose door opened last."""
_CROWDED = _d.field(_WORDS)
"""Bit i % 32 of word i // 32: somebody waits at the door of SM i."""
_DOOR = _d.field(2 * SMS_MAX)
"""List of packets of each SM."""
assert _d.words <= BLOCKS_END


@inline
def _sm(A, row):
    return A[row + TAG] >> 16


@inline
def has_room(A, P, g):
    """Whether the queue takes another packet."""
    return P[HUB_QUEUE] == 0 or A[g + QUEUED] < P[HUB_QUEUE]


@inline
def must_wait(A, P, g, row):
    """Whether a packet of an SM has to wait at its door."""
    sm = _sm(A, row)
    return A[g + _CROWDED + (sm >> 5)] >> (sm & 31) & 1 or not has_room(A, P, g)


@inline
def wait(A, g, row):
    """The packet waits behind those of its SM."""
    sm = _sm(A, row)
    list_push(A, g + _DOOR + 2 * sm, row)
    A[g + _CROWDED + (sm >> 5)] |= 1 << (sm & 31)
    A[g + WAITING] += 1


@outline
def _next_crowded(A, g):
    """The next SM in turn at whose door somebody waits; there is one."""
    first = A[g + _TURN] + 1
    word = first >> 5
    bits = A[g + _CROWDED + word % _WORDS] >> (first & 31) << (first & 31)
    while bits == 0:
        word += 1
        bits = A[g + _CROWDED + word % _WORDS]
    return word % _WORDS * 32 + ctz(bits)


@outline
def let_in(A, g):
    """The packet at the next door, which enters the queue; somebody waits."""
    sm = _next_crowded(A, g)
    A[g + _TURN] = sm
    row = list_pop(A, g + _DOOR + 2 * sm)
    if A[g + _DOOR + 2 * sm] == 0:
        A[g + _CROWDED + (sm >> 5)] &= ~(1 << (sm & 31))
    A[g + WAITING] -= 1
    A[g + QUEUED] += 1
    return row
