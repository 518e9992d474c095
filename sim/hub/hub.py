"""The hub of a GPU: what SMs send goes through the RPM to the links, what arrives goes to AAU, memory and DAM.

All functions take ``g``, the base of the GPU's block. The core calls ``egress`` for every packet an SM sends and
``ingress`` for every packet that arrives, in order of time, and ``advance`` to let the sending side run; ``flush``
and ``flushed`` for fences, ``end`` for the end of a source's stores, ``idle`` and ``next_event`` for skipping time.
"""

from ..far import far
from ..jit import inline, outline
from ..net.interface import (
    ARRIVALS,
    DELAYED,
    EPOCH,
    LIVE,
    NOW,
    OUT_COUNT,
    UP_REQUESTS,
    UP_RESPONSES,
    new_row,
    outbox,
    uplink,
)
from ..net.packet import DST, ENTERED, KIND, ORDER, PLANE, SRC, TAG, Packet
from ..net.port import arrival_time, take_arrival
from ..params import PLANES, TICKS
from ..raw import BIG
from . import doors, rpm
from .dam import NEWS, group_ready, next_news, tell
from .egress import accept, hub_advance, hub_enter, next_step
from .ingress import ingress
from .order import GENERATION, INPUT, INPUT_COUNT, SM_DONE, fence_done, open_epoch

__all__ = [
    "advance",
    "arrival_time",
    "egress",
    "end",
    "flush",
    "flushed",
    "group_ready",
    "idle",
    "ingress",
    "next_event",
    "packets_left",
    "take_arrival",
]


@outline
def egress(A, P, g, gpu, t, source):
    """Take a packet from an SM (arena index of its row) at cycle ``t``."""
    hub_advance(A, P, g, gpu, t)
    row = accept(A, P, g, gpu, t, source)
    if row > 0:
        hub_enter(A, P, g, gpu, row, max(t, A[g + NOW] // TICKS))


@outline
def advance(A, P, g, gpu, until):
    """Simulate timers, scheduler and uplinks up to cycle ``until``."""
    if A[g + LIVE] > 0:
        hub_advance(A, P, g, gpu, until)
    else:
        A[g + NOW] = max(A[g + NOW], until * TICKS)
    tell(A, g, until)


@inline
def packets_left(A, g, sm):
    """How many packets of an SM have left the hub's buffers so far."""
    return A[g + SM_DONE + sm]


@far
def flush(A, P, g, t):
    """A system fence at cycle ``t``: what is buffered leaves as soon as possible. Returns the ticket for
    ``flushed``."""
    rpm.flush(A, P, g, P[PLANES], t)
    return open_epoch(A, g)


@inline
def flushed(A, P, g, ticket):
    """Whether everything sent before the fence has been performed and acknowledged."""
    return fence_done(A, g, ticket)


@outline
def end(A, P, g, gpu, gpus, t, key):
    """This GPU has sent all its stores of ending ``key``: tell every GPU how many bytes to expect (endings.py)."""
    hub_advance(A, P, g, gpu, t)
    rpm.flush(A, P, g, P[PLANES], t)
    for dst in range(gpus):
        row = new_row(A, g)
        A[row + KIND] = Packet.EOS
        A[row + SRC] = gpu
        A[row + DST] = dst
        A[row + TAG] = key
        A[row + ORDER] = A[g + GENERATION] << 32
        A[row + ENTERED] = t
        A[row + PLANE] = dst % P[PLANES]
        hub_enter(A, P, g, gpu, row, max(t, A[g + NOW] // TICKS))
    A[g + GENERATION] += 1


@inline
def _sent(A, g, ago):
    """Packets sent in this window (0), which their destinations have yet to see, or in the one before (1), whose
    credits are yet to be collected."""
    return A[outbox(g, A[g + EPOCH] + ago & 1) + OUT_COUNT]


@outline
def idle(A, P, g):
    """1 when no packet waits or is on its way here, and the scheduler knows all the DAM knows."""
    waiting = (
        A[g + doors.WAITING]
        + A[g + INPUT_COUNT]
        + A[g + rpm.ENTRIES]
        + A[g + ARRIVALS]
        + A[g + DELAYED]
        + A[g + NEWS]
        + _sent(A, g, 0)
    )
    for plane in range(P[PLANES]):
        waiting += A[uplink(g, plane) + UP_REQUESTS] + A[uplink(g, plane) + UP_RESPONSES]
    return 1 if waiting == 0 else 0


@inline
def next_event(A, P, g):
    """Earliest cycle at which anything here can happen; BIG if nothing can before other GPUs are heard."""
    return hub_next(A, P, g) if A[g + LIVE] > 0 else min(arrival_time(A, g), next_news(A, g))


@far
def hub_next(A, P, g):
    """`next_event` while the hub has packets."""
    if _sent(A, g, 0) + _sent(A, g, 1) > 0 or A[g + INPUT] > 0:
        return A[g + NOW] // TICKS
    tick, _ = next_step(A, P, g)
    cycle = tick // TICKS if tick < BIG else BIG
    return min(cycle, min(arrival_time(A, g), next_news(A, g)))
