"""The uplink of a GPU: credits, two virtual channel classes, serialisation.

A plane's uplink sends one packet at a time. It takes turns between responses and requests, and among requests between
the queue of plain requests and what the RPM offers. A packet leaves when the switch's input buffer has room for it
(credits per class), a request also not sooner after the last one than the hub makes packets of requests; a credit
returns one hop after the last copy left the buffer. What was sent goes into the outbox of the window, which the switch
ports of the destinations read in the next one (switch.py).
"""

from ..jit import inline, outline
from ..params import CREDIT_FLITS, HOP, PLANES, REQUEST_TICKS, TICKS
from ..raw import ctz
from .interface import (
    CREDITS,
    DELAYED,
    EPOCH,
    MAX_GPUS,
    NOW,
    OUT_COUNT,
    OUT_HEAD,
    OUT_NODE,
    OUT_TAIL,
    OUTBOX_NODES,
    PEER_FLITS,
    SENT_BYTES,
    SENT_FLITS,
    SENT_PACKETS,
    SEQUENCE,
    UP_BUSY,
    UP_FREE,
    UP_REQUEST_FREE,
    UP_REQUESTS,
    UP_RESPONSES,
    UP_TURN,
    UP_USED,
    outbox,
    retire_row,
    uplink,
)
from .packet import (
    BYTES,
    COPIES,
    DST,
    FLITS,
    KEY,
    KIND,
    LEFT,
    MULTICAST_KINDS,
    PLANE,
    RESPONSE,
    SEQ,
    TIME,
    VC,
    bit,
    is_in,
    wire_ticks,
)
from .queues import heap_pop, heap_push, list_pop, list_push

MEMBERS = KEY
"""Before the wire: set of GPUs a multicast request goes to."""


@inline
def plane_of(P, address):
    """The switch plane that carries a line: the same on every GPU, so that answers to one request meet."""
    line = address >> 7
    return (line ^ line >> 4 ^ line >> 11 ^ line >> 19) % P[PLANES]


@inline
def has_credit(A, P, u, row):
    """Whether the switch has room for the packet."""
    return A[u + UP_USED + A[row + VC]] + A[row + FLITS] <= P[CREDIT_FLITS]


@inline
def next_row(A, P, g, u, offered, tick):
    """The row the uplink would send at ``tick``, or 0; ``offered`` is the RPM's choice, or 0."""
    if A[outbox(g, A[g + EPOCH] & 1) + OUT_COUNT] > OUTBOX_NODES - MAX_GPUS:
        return 0
    response = A[u + UP_RESPONSES]
    if response > 0 and not has_credit(A, P, u, response):
        response = 0
    request = A[u + UP_REQUESTS]
    early = tick < A[u + UP_REQUEST_FREE]
    if request > 0 and (early or not has_credit(A, P, u, request)):
        request = 0
    turn = A[u + UP_TURN]
    if offered > 0 and not early and (request == 0 or turn & 2 == 0) and has_credit(A, P, u, offered):
        request = offered
    if response > 0 and (request == 0 or turn & 1 == 0):
        return response
    return request


@inline
def _post(A, box, plane, dst, row):
    """Append one copy of the packet to an outbox list."""
    n = A[box + OUT_COUNT]
    A[box + OUT_COUNT] = n + 1
    node = box + OUT_NODE + 3 * n
    A[node] = row
    A[node + 1] = 0
    A[node + 2] = 0
    at = plane * MAX_GPUS + dst
    if A[box + OUT_HEAD + at] == 0:
        A[box + OUT_HEAD + at] = n + 1
    else:
        A[box + OUT_NODE + 3 * (A[box + OUT_TAIL + at] - 1) + 1] = n + 1
    A[box + OUT_TAIL + at] = n + 1


@inline
def _post_members(A, box, row):
    """One copy for every member of a multicast request. Returns how many."""
    left = A[row + MEMBERS]
    copies = 0
    while left != 0:
        dst = ctz(left)
        _post(A, box, A[row + PLANE], dst, row)
        left &= ~bit(dst)
        copies += 1
    return copies


@outline
def send(A, P, g, u, row, t, from_rpm):
    """Put a packet on the wire at tick ``t``; it is in none of the uplink's queues any more."""
    flits = A[row + FLITS]
    kind = A[row + KIND]
    busy = wire_ticks(A, P, row, flits)
    if A[row + VC] == RESPONSE:
        A[u + UP_TURN] |= 1
    else:
        A[u + UP_TURN] = 2 if from_rpm else 0
        A[u + UP_REQUEST_FREE] = t + P[REQUEST_TICKS]
    A[u + UP_FREE] = t + busy
    A[u + UP_BUSY] += busy
    A[u + UP_USED + A[row + VC]] += flits
    A[row + TIME] = t
    A[row + SEQ] = A[g + SEQUENCE]
    A[g + SEQUENCE] += 1
    box = outbox(g, A[g + EPOCH] & 1)
    if is_in(kind, MULTICAST_KINDS):
        A[row + COPIES] = _post_members(A, box, row)
    else:
        _post(A, box, A[row + PLANE], A[row + DST], row)
        A[row + COPIES] = 1
        A[g + PEER_FLITS + A[row + DST]] += flits
    A[row + LEFT] = 0
    A[g + SENT_PACKETS + kind] += 1
    A[g + SENT_FLITS + kind] += flits
    A[g + SENT_BYTES + kind] += A[row + BYTES]


@inline
def pop_queue(A, u, row):
    """Take ``row``, which is the head of one of the two lists, off its list."""
    if A[row + VC] == RESPONSE:
        list_pop(A, u + UP_RESPONSES)
    else:
        list_pop(A, u + UP_REQUESTS)


@outline
def collect_credits(A, P, g, gpus):
    """At the start of a window: read when the copies sent two windows ago left the switch, and empty that outbox."""
    box = outbox(g, A[g + EPOCH] & 1)
    for n in range(A[box + OUT_COUNT]):
        row = A[box + OUT_NODE + 3 * n]
        A[row + COPIES] -= 1
        A[row + LEFT] = max(A[row + LEFT], A[box + OUT_NODE + 3 * n + 2])
        if A[row + COPIES] == 0:
            heap_push(A, g + CREDITS, A[row + LEFT] + P[HOP] * TICKS, row)
    if A[box + OUT_COUNT] > 0:
        A[box + OUT_COUNT] = 0
        for plane in range(P[PLANES]):
            for dst in range(gpus):
                A[box + OUT_HEAD + plane * MAX_GPUS + dst] = 0


@inline
def take_credit(A, g):
    """Return the credit of the first packet in line, and its row."""
    row = heap_pop(A, g + CREDITS)
    u = uplink(g, A[row + PLANE])
    A[u + UP_USED + A[row + VC]] -= A[row + FLITS]
    if not is_in(A[row + KIND], MULTICAST_KINDS):
        A[g + PEER_FLITS + A[row + DST]] -= A[row + FLITS]
    retire_row(A, g, row)


@inline
def take_delayed(A, g):
    """An answer has its data: it joins the responses of its plane."""
    row = heap_pop(A, g + DELAYED)
    list_push(A, uplink(g, A[row + PLANE]) + UP_RESPONSES, row)


@inline
def start_tick(A, g, u):
    """Earliest tick at which the uplink can send."""
    return max(A[u + UP_FREE], A[g + NOW])


@inline
def request_tick(A, g, u):
    """Earliest tick at which the uplink can send a request."""
    return max(start_tick(A, g, u), A[u + UP_REQUEST_FREE])


@inline
def delay_response(A, g, cycle, row):
    """Queue an answer that is ready at ``cycle``."""
    heap_push(A, g + DELAYED, cycle, row)
