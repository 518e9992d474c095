"""The sending side of the hub: from an SM through the RPM, or past it, to the uplinks."""

from ..addresses import REGION_BITS
from ..far import far
from ..jit import inline, outline
from ..net.bytes import copy_masked
from ..net.interface import CREDITS, DELAYED, NOW, UP_REQUESTS, UP_USED, free_row, new_row, uplink
from ..net.link import MEMBERS, next_row, plane_of, pop_queue, request_tick, send, start_tick, take_credit, take_delayed
from ..net.packet import (
    ADDR,
    AUX,
    BYTES,
    COUNTED_KINDS,
    DATA,
    DST,
    ENTERED,
    FLITS,
    KIND,
    MASK_HI,
    MASK_LO,
    MAX_FLITS,
    MULTICAST_KINDS,
    ORDER,
    PACKET_WORDS,
    PLANE,
    RESPONSE,
    SRC,
    TAG,
    TARGETS,
    VC,
    Packet,
    bit,
    is_in,
    wire_flits,
)
from ..net.port import arrive_locally
from ..net.queues import heap_first, list_pop, list_push
from ..net.reduction import has_answer, new_answer
from ..params import CREDIT_FLITS, HUB_LOCAL_CYCLES, PLANES, RPM_ENABLED, RPM_MERGING, RPM_PEER_FLITS, TICKS
from ..raw import BIG, address_of, ctz, popcount
from . import doors, rpm
from .masks import mask_bytes
from .multimem import members
from .order import GENERATION_BYTES, INPUT, INPUT_COUNT, LOCAL_ROWS, SM_DONE, settle, stamp

_FAR = BIG // TICKS
"""A cycle that never comes and can be counted in ticks."""


@outline
def accept(A, P, g, gpu, t, source):
    """Copy an SM's packet into the pool and fill in what the hub knows. Returns the row, or 0 after a fault."""
    row = new_row(A, g)
    kind = A[source + KIND]
    for i in range(TARGETS if not is_in(kind, MULTICAST_KINDS) else DATA):
        A[row + i] = A[source + i]
    for i in range(DATA, PACKET_WORDS):
        A[row + i] = A[source + i]
    A[row + SRC] = gpu
    A[row + ENTERED] = t
    A[row + PLANE] = plane_of(P, A[row + ADDR])
    A[row + BYTES] = mask_bytes(A[row + MASK_LO], A[row + MASK_HI])
    if is_in(kind, MULTICAST_KINDS):
        group = members(A, g, row, t)
        if group == 0:
            free_row(A, g, row)
            A[g + SM_DONE + (A[row + TAG] >> 16)] += 1
            return 0
        A[row + MEMBERS] = group
    elif kind == Packet.ROWSP:
        A[row + DST] = A[row + ADDR] >> 56
    elif kind != Packet.EOS:
        A[row + DST] = (A[row + ADDR] >> REGION_BITS) - 1
    if is_in(kind, COUNTED_KINDS) or kind == Packet.LOAD:
        stamp(A, g, row)
    return row


@inline
def _sm_done(A, g, row):
    """The packet no longer takes room of its SM."""
    if A[row + KIND] != Packet.EOS:
        A[g + SM_DONE + (A[row + TAG] >> 16)] += 1
        A[g + doors.QUEUED] -= 1


@inline
def _count_bytes(A, g, row, nbytes):
    """``nbytes`` of the current generation will arrive at each destination of the packet."""
    if is_in(A[row + KIND], MULTICAST_KINDS):
        left = A[row + MEMBERS]
        while left != 0:
            dst = ctz(left)
            A[g + GENERATION_BYTES + dst] += nbytes
            left &= ~bit(dst)
    else:
        A[g + GENERATION_BYTES + A[row + DST]] += nbytes


@inline
def _to_queue(A, g, row):
    """The packet waits for the uplink, in order."""
    A[row + FLITS] = wire_flits(A, row)
    list_push(A, uplink(g, A[row + PLANE]) + UP_REQUESTS, row)


@outline
def _store(A, P, g, row, t):
    """A plain or row store: merge it, or give it an entry. False when its partition is full."""
    entry = rpm.find(A, g, row)
    if entry > 0 and P[RPM_MERGING] == 0:
        rpm.remove(A, g, entry)
        _to_queue(A, g, entry)
        entry = 0
    if entry > 0:
        lo, hi = A[row + MASK_LO], A[row + MASK_HI]
        copy_masked(address_of(A, entry + DATA), address_of(A, row + DATA), lo, hi)
        new = rpm.merge(A, P, g, entry, row)
        A[entry + BYTES] += new
        _count_bytes(A, g, entry, new)
        settle(A, g, A[row + ORDER])
        _sm_done(A, g, row)
        free_row(A, g, row)
        return True
    if not rpm.has_room(A, P, g, A[row + DST]):
        return False
    rpm.insert(A, P, g, row, t)
    _count_bytes(A, g, row, A[row + BYTES])
    return True


@inline
def _overtake(A, g, row):
    """A request must not overtake a buffered store to its line: the store goes into the queue in front of it."""
    entry = rpm.find_line(A, g, A[row + ADDR])
    if entry > 0:
        rpm.remove(A, g, entry)
        _to_queue(A, g, entry)


@inline
def _local(A, P, g, row, t):
    """A packet to the own GPU does not use the links."""
    A[g + LOCAL_ROWS] += 1
    _sm_done(A, g, row)
    arrive_locally(A, g, row, t + P[HUB_LOCAL_CYCLES])


@outline
def _place(A, P, g, gpu, row, t):
    """Give the packet its place in the RPM or the uplink's queue. False when there is none: the input waits."""
    kind = A[row + KIND]
    multicast = is_in(kind, MULTICAST_KINDS)
    if kind == Packet.EOS:
        A[row + AUX] = A[g + GENERATION_BYTES + A[row + DST]]
        A[g + GENERATION_BYTES + A[row + DST]] = 0
    if not multicast and A[row + DST] == gpu:
        if is_in(kind, COUNTED_KINDS):
            _count_bytes(A, g, row, A[row + BYTES])
        _local(A, P, g, row, t)
        return True
    if P[RPM_ENABLED] and (kind == Packet.STORE or kind == Packet.ROWSP):
        return _store(A, P, g, row, t)
    if multicast:
        if not has_answer(A, g):
            return False
        A[row + AUX] = new_answer(A, g, popcount(A[row + MEMBERS]))
    if is_in(kind, COUNTED_KINDS) and kind != Packet.ATOM:
        _count_bytes(A, g, row, A[row + BYTES])
    _overtake(A, g, row)
    _to_queue(A, g, row)
    return True


@outline
def _enter(A, P, g, gpu, row, t):
    """A packet joins the queue; it waits behind those that found no place."""
    if A[g + INPUT] == 0 and _place(A, P, g, gpu, row, t):
        return
    if A[g + INPUT] == 0:
        A[g + rpm.STALLED] += 1
    list_push(A, g + INPUT, row)
    A[g + INPUT_COUNT] += 1


@outline
def _let_in(A, P, g, gpu, t):
    """The queue may have room for packets that wait at the doors of their SMs."""
    while A[g + doors.WAITING] > 0 and doors.has_room(A, P, g):
        _enter(A, P, g, gpu, doors.let_in(A, g), t)


@far
def hub_enter(A, P, g, gpu, row, t):
    """A packet comes in at cycle ``t``. The end of a source's stores follows all of them."""
    if A[row + KIND] == Packet.EOS:
        while A[g + doors.WAITING] > 0:
            _enter(A, P, g, gpu, doors.let_in(A, g), t)
    elif doors.must_wait(A, P, g, row):
        doors.wait(A, g, row)
        return 0
    else:
        A[g + doors.QUEUED] += 1
    _enter(A, P, g, gpu, row, t)
    return 0


@outline
def _drain_input(A, P, g, gpu, t):
    """Places may have become free: take in what waits, in order."""
    while A[g + INPUT] > 0 and _place_first(A, P, g, gpu, t):
        A[g + INPUT_COUNT] -= 1


@inline
def _place_first(A, P, g, gpu, t):
    """Try to place the first waiting packet. True when it has left the input."""
    row = list_pop(A, g + INPUT)
    if _place(A, P, g, gpu, row, t):
        return True
    # Still the head: it goes back in front, where its NEXT word points already.
    A[g + INPUT] = row
    return False


@outline
def _depart(A, P, g, gpu, plane, t):
    """The uplink of a plane can send at tick ``t``: put its next packet on the wire."""
    u = uplink(g, plane)
    offered = _offered(A, P, g, plane)
    row = next_row(A, P, g, u, offered, t)
    from_rpm = row == offered
    if from_rpm:
        rpm.remove(A, g, row)
        rpm.served(A, g, row)
    else:
        pop_queue(A, u, row)
    send(A, P, g, u, row, t, from_rpm)
    if A[row + VC] != RESPONSE:
        _sm_done(A, g, row)
    if from_rpm and A[g + INPUT] > 0:
        _drain_input(A, P, g, gpu, t // TICKS)
    if A[g + doors.WAITING] > 0:
        _let_in(A, P, g, gpu, t // TICKS)


@inline
def _offered(A, P, g, plane):
    """The RPM's choice for a plane, with its size on the wire; 0 if it has none."""
    row = rpm.offer(A, P, g, plane)
    if row > 0:
        A[row + FLITS] = wire_flits(A, row)
    return row


@inline
def _can_send(A, P, g, plane, tick):
    """Whether the plane has a packet for ``tick`` for which the switch has room."""
    return next_row(A, P, g, uplink(g, plane), _offered(A, P, g, plane), tick) > 0


@inline
def _next_send(A, P, g, plane, before):
    """The tick at which the plane's uplink sends next if nothing else happens; ``before`` or later: not before that."""
    now, request = start_tick(A, g, uplink(g, plane)), request_tick(A, g, uplink(g, plane))
    if now >= before or _can_send(A, P, g, plane, now):
        return now
    if request > now and request < before and _can_send(A, P, g, plane, request):
        return request
    return before


@inline
def _is_tight(A, P, g):
    """Whether a credit may decide what happens next. If not, credits may come back late, which saves time."""
    limit = P[CREDIT_FLITS] - MAX_FLITS
    tight = P[RPM_PEER_FLITS] > 0
    for plane in range(P[PLANES]):
        u = uplink(g, plane)
        tight = tight or A[u + UP_USED] > limit or A[u + UP_USED + 1] > limit
    return tight


@outline
def next_step(A, P, g):
    """``(tick, action)`` of the next thing that happens here: 0 a credit returns, 1 a response is ready, else
    ``2 + 2 * plane`` an RPM timer runs out, ``3 + 2 * plane`` the uplink sends."""
    now = A[g + NOW]
    tick = heap_first(A, g + CREDITS) if _is_tight(A, P, g) else BIG
    action = 0
    ready = min(heap_first(A, g + DELAYED), _FAR) * TICKS
    if ready < tick:
        tick = ready
        action = 1
    for plane in range(P[PLANES]):
        timer = min(rpm.next_timer(A, g, plane), _FAR) * TICKS
        if timer < tick:
            tick = timer
            action = 2 + 2 * plane
        start = _next_send(A, P, g, plane, tick)
        if start < tick:
            tick = start
            action = 3 + 2 * plane
    return max(tick, now), action


@far
def hub_advance(A, P, g, gpu, until):
    """Simulate the sending side up to cycle ``until``: timers, scheduler, uplinks, credits."""
    end = until * TICKS
    if A[g + INPUT] > 0:
        _drain_input(A, P, g, gpu, A[g + NOW] // TICKS)
    if A[g + doors.WAITING] > 0:
        _let_in(A, P, g, gpu, A[g + NOW] // TICKS)
    tick, action = next_step(A, P, g)
    while tick < end:
        A[g + NOW] = tick
        if action == 0:
            take_credit(A, g)
        elif action == 1:
            take_delayed(A, g)
        elif action & 1:
            _depart(A, P, g, gpu, (action - 3) >> 1, tick)
        else:
            rpm.expire(A, P, g, (action - 2) >> 1)
        tick, action = next_step(A, P, g)
    while heap_first(A, g + CREDITS) < end:
        take_credit(A, g)
    A[g + NOW] = max(A[g + NOW], end)
    return 0
