"""A switch output port towards a GPU: serialisation, and the heap of packets on their way to the GPU."""

from ..jit import inline, outline
from ..params import FLIT_TICKS, HOP, TICKS
from ..raw import BIG
from .faults import HubFault, fault
from .interface import (
    ARRIVAL_SEQUENCE,
    ARRIVALS,
    ARRIVALS_MAX,
    PORT_BUSY,
    PORT_FREE,
    RECEIVED_FLITS,
    RECEIVED_PACKETS,
    is_own_row,
    retire_row,
)
from .packet import ADDR, FLITS, KIND, PLANE, target_flits
from .queues import heap_first, heap_pop, heap_push

LOCAL = -1
"""Plane of a row that never was on the wire: the interface itself made it for its own GPU."""


@outline
def arrive(A, g, row, cycle):
    """The packet reaches the GPU at ``cycle``."""
    if A[g + ARRIVALS] >= ARRIVALS_MAX:
        fault(A, g, HubFault.POOL, A[row + ADDR], ARRIVALS_MAX, cycle)
        return
    sequence = A[g + ARRIVAL_SEQUENCE]
    A[g + ARRIVAL_SEQUENCE] = sequence + 1
    heap_push(A, g + ARRIVALS, cycle << 20 | sequence & 0xFFFFF, row)


@inline
def arrival_time(A, g):
    """Cycle at which the next packet reaches this GPU; BIG when none is on its way from the switch."""
    first = heap_first(A, g + ARRIVALS)
    return first >> 20 if first < BIG else BIG


@inline
def take_arrival(A, g):
    """Remove the next packet and return its row, which stays readable until the end of this window."""
    row = heap_pop(A, g + ARRIVALS)
    if is_own_row(g, row) and A[row + PLANE] == LOCAL:
        retire_row(A, g, row)
    return row


@inline
def occupy_port(A, P, g, plane, row, tick):
    """Send a packet whose first flit is there at ``tick`` through the port. Returns when its last flit has left the
    switch: not before it came in. The target list of a dynamic multicast stays behind."""
    flits = A[row + FLITS] - target_flits(A, row)
    start = max(tick, A[g + PORT_FREE + plane])
    busy = flits * P[FLIT_TICKS]
    left = max(start + busy, tick + A[row + FLITS] * P[FLIT_TICKS])
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
    arrive(A, g, row, gpu_cycle(P, left))
    return left
