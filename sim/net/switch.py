"""The switch as each GPU's output port sees it: merging, multicast, reduction, serialisation.

``gather`` runs at the start of a window on the thread of the port's GPU. It merges what all GPUs sent to this port in
the previous window in order of (arrival at the switch, source), gives each packet the port in that order, and puts it
into the GPU's list of arrivals. That is exact: a packet sent in the window that starts now reaches the switch a hop
later, after everything merged here. Assumption: the port serves in order of arrival, whatever the virtual channel.

Ownership: an outbox node belongs to its sender in the window it is written, in the next one to its destination, which
writes when the copy left, and in the one after that to its sender again, which returns the credit. So credits are
exact, multicast included, and no two threads touch a word in one window.
"""

from ..jit import inline, outline
from ..layout import gpu_base
from ..params import HOP, PLANES, TICKS
from ..state import GPUS
from .interface import EPOCH, LIVE, MAX_GPUS, MERGE, OUT_HEAD, OUT_NODE, PLANE_COUNT, outbox, reclaim_rows
from .link import collect_credits
from .packet import AUX, KIND, TIME, Packet
from .port import forward
from .queues import heap_pop, heap_push
from .reduction import merge_ack, reduce_response


@inline
def _enqueue(A, g, src, node):
    """Put the packet of an outbox node (index of its words) among the heads of the sources."""
    heap_push(A, g + MERGE, A[A[node] + TIME] << 6 | src, node)


@inline
def _serve(A, P, g, plane, row):
    """One copy goes through the port. Returns when it has left the input buffer."""
    tick = A[row + TIME] + P[HOP] * TICKS
    kind = A[row + KIND]
    if kind == Packet.MM_RESP or kind == Packet.DYMM_RESP:
        return reduce_response(A, P, g, plane, row, tick)
    if kind == Packet.ACK and A[row + AUX] > 0:
        return merge_ack(A, P, g, plane, row, tick)
    return forward(A, P, g, plane, row, tick)


@outline
def _serve_port(A, P, g, gpu, plane):
    """Everything sent to this port in the previous window."""
    parity = A[g + EPOCH] & 1 ^ 1
    for src in range(A[GPUS]):
        box = outbox(gpu_base(src), parity)
        head = A[box + OUT_HEAD + plane * MAX_GPUS + gpu]
        if head > 0:
            _enqueue(A, g, src, box + OUT_NODE + 3 * (head - 1))
    while A[g + MERGE] > 0:
        src = A[g + MERGE + 1] & 63
        node = heap_pop(A, g + MERGE)
        following = A[node + 1]
        A[node + 2] = _serve(A, P, g, plane, A[node])
        if following > 0:
            _enqueue(A, g, src, outbox(gpu_base(src), parity) + OUT_NODE + 3 * (following - 1))


@inline
def may_carry(A, g):
    """Whether anything can have been sent to a GPU: with one GPU, only by itself."""
    return A[GPUS] > 1 or A[g + LIVE] > 0


@outline
def gather(A, P, gpu, begin, end):
    """Start window ``[begin, end)`` of a GPU: return credits, free rows, and take in what was sent to it in the
    previous window. All of that arrives at ``end`` or later."""
    g = gpu_base(gpu)
    A[g + EPOCH] += 1
    A[g + PLANE_COUNT] = P[PLANES]
    collect_credits(A, P, g, A[GPUS])
    reclaim_rows(A, g)
    for plane in range(P[PLANES]):
        _serve_port(A, P, g, gpu, plane)
