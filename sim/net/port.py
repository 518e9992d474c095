"""A switch output port towards a GPU: serialisation, and the packets on their way to the GPU."""

from ..jit import inline, outline
from ..params import HOP, HUB_REQUEST, TICKS
from ..raw import BIG
from .faults import HubFault, fault
from .interface import (
    ARRIVAL,
    ARRIVAL_FREED,
    ARRIVAL_FRESH,
    ARRIVAL_HEAD,
    ARRIVAL_TAIL,
    ARRIVALS,
    ARRIVALS_MAX,
    LOCAL_ARRIVALS,
    LOCAL_ARRIVALS_MAX,
    PLANE_COUNT,
    PORT_BUSY,
    PORT_FREE,
    RECEIVED_FLITS,
    RECEIVED_PACKETS,
    is_own_row,
    retire_row,
)
from .packet import ADDR, FLITS, KIND, PLANE, REQUEST, VC, target_flits, wire_ticks
from .queues import heap_first, heap_pop, heap_push

LOCAL = -1
"""Plane of a row that never was on the wire: the interface itself made it for its own GPU."""


@outline
def arrive(A, P, g, plane, row, at_gpu):
    """A packet that leaves the port of a plane, the last one so far, reaches the GPU at cycle ``at_gpu``. The hub takes
    longer over a request."""
    cycle = at_gpu + (P[HUB_REQUEST] if A[row + VC] == REQUEST else 0)
    which = 2 * plane + A[row + VC]
    node = A[g + ARRIVAL_FREED] - 1
    if node >= 0:
        A[g + ARRIVAL_FREED] = A[g + ARRIVAL + 3 * node + 2]
    elif A[g + ARRIVAL_FRESH] < ARRIVALS_MAX:
        node = A[g + ARRIVAL_FRESH]
        A[g + ARRIVAL_FRESH] = node + 1
    else:
        fault(A, g, HubFault.POOL, A[row + ADDR], ARRIVALS_MAX, cycle)
        return
    at = g + ARRIVAL + 3 * node
    A[at] = cycle
    A[at + 1] = row
    A[at + 2] = 0
    if A[g + ARRIVAL_HEAD + which] == 0:
        A[g + ARRIVAL_HEAD + which] = node + 1
    else:
        A[g + ARRIVAL + 3 * (A[g + ARRIVAL_TAIL + which] - 1) + 2] = node + 1
    A[g + ARRIVAL_TAIL + which] = node + 1
    A[g + ARRIVALS] += 1


@outline
def arrive_locally(A, g, row, cycle):
    """A packet of the GPU to itself is there at ``cycle``; it never uses the links."""
    if A[g + LOCAL_ARRIVALS] >= LOCAL_ARRIVALS_MAX:
        fault(A, g, HubFault.POOL, A[row + ADDR], LOCAL_ARRIVALS_MAX, cycle)
        return
    A[row + PLANE] = LOCAL
    heap_push(A, g + LOCAL_ARRIVALS, cycle, row)
    A[g + ARRIVALS] += 1


@inline
def _list_time(A, g, which):
    """Cycle at which the next packet of a list arrives; BIG when there is none."""
    head = A[g + ARRIVAL_HEAD + which]
    return A[g + ARRIVAL + 3 * (head - 1)] if head > 0 else BIG


@inline
def arrival_time(A, g):
    """Cycle at which the next packet reaches this GPU; BIG when none is on its way from the switch."""
    first = heap_first(A, g + LOCAL_ARRIVALS)
    for which in range(2 * A[g + PLANE_COUNT]):
        first = min(first, _list_time(A, g, which))
    return first


@outline
def take_arrival(A, g):
    """Remove the next packet and return its row, which stays readable until the end of this window."""
    first = arrival_time(A, g)
    A[g + ARRIVALS] -= 1
    for which in range(2 * A[g + PLANE_COUNT]):
        if _list_time(A, g, which) == first:
            node = A[g + ARRIVAL_HEAD + which]
            at = g + ARRIVAL + 3 * (node - 1)
            A[g + ARRIVAL_HEAD + which] = A[at + 2]
            A[at + 2] = A[g + ARRIVAL_FREED]
            A[g + ARRIVAL_FREED] = node
            return _taken(A, g, A[at + 1])
    return _taken(A, g, heap_pop(A, g + LOCAL_ARRIVALS))


@inline
def _taken(A, g, row):
    """The interface's own rows are done with once they have been read; those that were on the wire come back with
    their credit."""
    if is_own_row(g, row) and A[row + PLANE] == LOCAL:
        retire_row(A, g, row)
    return row


@inline
def occupy_port(A, P, g, plane, row, tick):
    """Send a packet whose first flit is there at ``tick`` through the port. Returns when its last flit has left the
    switch: not before it came in. The target list of a dynamic multicast stays behind."""
    flits = A[row + FLITS] - target_flits(A, row)
    start = max(tick, A[g + PORT_FREE + plane])
    busy = wire_ticks(A, P, row, flits)
    left = max(start + busy, tick + wire_ticks(A, P, row, A[row + FLITS]))
    A[g + PORT_FREE + plane] = left
    A[g + PORT_BUSY + plane] += busy
    A[g + RECEIVED_PACKETS + A[row + KIND]] += 1
    A[g + RECEIVED_FLITS + A[row + KIND]] += flits
    return left


@inline
def gpu_cycle(P, tick):
    """Cycle at which a packet that left the switch at ``tick`` is at the GPU."""
    return (tick + TICKS - 1) // TICKS + P[HOP]


@inline
def forward(A, P, g, plane, row, tick):
    """Send a packet on to the GPU. Returns when its last flit has left the switch."""
    left = occupy_port(A, P, g, plane, row, tick)
    arrive(A, P, g, plane, row, gpu_cycle(P, left))
    return left
