"""The memory step: at the end of a quantum, serve in time order what SMs asked for and what arrived from other GPUs.

No request can be answered before the quantum is over (the L2 round trip is longer), so serving late changes nothing, and
serving in time order makes the shared L2, HBM and hub see the same traffic whatever the order in which SMs were run.
"""

from traces.records import Stall

from ..far import far
from ..hub import hub
from ..hub.dam import WATCHES, ack_mask
from ..jit import inline, outline
from ..net.packet import ADDR, DATA, MASK_HI, MASK_LO, TAG
from ..params import (
    FENCE_SYS_CYCLES,
    FN_LOAD,
    HUB_REPLY,
    L1_CYCLES,
    L2_ATOMIC_CYCLES,
    L2_REQUEST_CYCLES,
    L2_STORE_QUEUE,
    MSHRS,
    REMOTE_CREDITS,
    SMS,
    TICKS,
)
from ..raw import BIG, address_of, call, popcount
from ..sm.async_copy import copy_done
from ..sm.cta import free_warp
from ..sm.emit import complete
from ..sm.l1 import l1_fill
from ..sm.lsu import LSU_PIPE
from ..sm.operands import answered
from ..sm.requests import free_load
from ..sm.scoreboard import schedule, set_ready
from ..sm.tma import hold_back, tma_answer
from ..sm.tma_send import tma_requests
from ..state import (
    BLOCK,
    BUCKET,
    COLD,
    COLD_ARENA,
    COLD_WORDS,
    FENCE_COUNT,
    FENCE_SM,
    FENCE_TICKET,
    FENCE_TIME,
    FENCE_WARP,
    L1_FILLED,
    LAST,
    LIVE,
    LOAD_ADDRESSES,
    LOAD_MASK,
    LOAD_REASON,
    LOAD_RECORD,
    LOAD_REMAIN,
    LOAD_ROW,
    LOAD_TIME,
    LOAD_WARP,
    LOADS_USED,
    NEXT,
    PACKET_COUNT,
    PACKETS_SENT,
    PENDING,
    R_SUB,
    READY,
    REASON,
    REGS,
    REQUEST,
    REQUEST_COUNT,
    REQUEST_WORDS,
    SCRATCH,
    SM_ARENA,
    SM_INDEX,
    SM_WORDS,
    SORTED,
    THROTTLED,
    WAKE,
    WARPS,
    Block,
    Request,
)
from .l2 import (
    atomic_ticks,
    l2_atomic,
    l2_demote,
    l2_discard,
    l2_hint,
    l2_prefetch,
    l2_read,
    l2_write,
    side,
)

_HUB_HEARS = ~(1 << Request.LOAD | 1 << Request.MERGED | 1 << Request.TMA_LOAD)
"""Requests after which the hub may expect another packet first."""
_AHEAD = 8
"""Requests by which L2's tags are brought near before they are needed."""
QUANTUM = 128
"""Cycles an SM runs between two memory steps."""


@far
def hub_egress(A, P, g, gpu, t, row):
    """Hand a packet to the hub."""
    hub.egress(A, P, g, gpu, t, row)
    return 0


@far
def hub_ingress(A, P, g, gpu, t, row):
    """A packet arrived; 1 if it is a reply for an SM."""
    return hub.ingress(A, P, g, gpu, t, row)


@inline
def _sm_at(A, P, gpu, index):
    """Arena index of SM ``index`` of the GPU."""
    return A[SM_ARENA] + (gpu * P[SMS] + index) * SM_WORDS


@inline
def _sender(A, at):
    """Arena index of the SM that has a request at ``at``."""
    return A[SM_ARENA] + (at - A[COLD_ARENA]) // COLD_WORDS * SM_WORDS


@outline
def _sort(A, P, g, gpu, q):
    """Order this quantum's requests by cycle (then SM, then sequence). Returns how many there are."""
    for i in range(QUANTUM + 1):
        A[g + BUCKET + i] = 0
    total = 0
    for index in range(P[SMS]):
        s = _sm_at(A, P, gpu, index)
        first = A[s + COLD] + REQUEST
        n = A[s + REQUEST_COUNT]
        total += n
        for i in range(n):
            A[g + BUCKET + 1 + _bucket(A[first + REQUEST_WORDS * i], q)] += 1
    if total == 0:
        return 0
    for i in range(QUANTUM):
        A[g + BUCKET + i + 1] += A[g + BUCKET + i]
    for index in range(P[SMS]):
        s = _sm_at(A, P, gpu, index)
        first = A[s + COLD] + REQUEST
        for i in range(A[s + REQUEST_COUNT]):
            bucket = g + BUCKET + _bucket(A[first + REQUEST_WORDS * i], q)
            A[g + SORTED + A[bucket]] = first + REQUEST_WORDS * i
            A[bucket] += 1
        A[s + REQUEST_COUNT] = 0
    return total


@inline
def _bucket(t, q):
    """Position of a cycle in the quantum; what the LSU sends after its end counts as its last cycle."""
    return min(max(t - q, 0), QUANTUM - 1)


@outline
def _answer(A, g, s, index, when):
    """One of a load's requests is answered at cycle ``when``. The last one makes its registers ready."""
    A[s + LOAD_TIME + index] = max(A[s + LOAD_TIME + index], when)
    A[s + LOAD_REMAIN + index] -= 1
    if A[s + LOAD_REMAIN + index] > 0:
        return
    when = A[s + LOAD_TIME + index]
    w = A[s + LOAD_WARP + index]
    row = A[s + LOAD_ROW + index]
    A[s + PENDING + w] -= 1
    free_load(A, s, index)
    if A[s + LOAD_RECORD + index * 8] >= 0:
        complete(A, g, s + LOAD_RECORD + index * 8, when)
    if A[s + BLOCK + w] == Block.DRAIN:
        if A[s + PENDING + w] == 0:
            free_warp(A, s, w)
        return
    if row < 0:
        copy_done(A, s, w, -1 - row, when)
    else:
        set_ready(A, s, w, row, when, A[s + LOAD_REASON + index])
        if A[s + BLOCK + w] == Block.NONE and A[s + WAKE + w] >= BIG:
            _resume(A, s, w)
    A[s + NEXT] = min(A[s + NEXT], A[s + WAKE + w])


@inline
def _resume(A, s, w):
    """A warp whose wake-up time was unknown: compute it again."""
    schedule(A, s, w, A[s + LAST + w], Stall.WAIT)


@inline
def _hold_lsu(A, P, s, t, begun):
    """L2 took what the SM stored at ``t`` at cycle ``begun``: when what is between them is full, the LSU waits."""
    if begun > t + P[L2_STORE_QUEUE]:
        A[s + LSU_PIPE] = max(A[s + LSU_PIPE], begun - P[L2_STORE_QUEUE])


@inline
def _serve(A, P, g, gpu, s, at):
    """Serve one request of SM ``s``."""
    t = A[at]
    line = A[at + 1] >> 4
    sectors = A[at + 1] & 15
    word = A[at + 2]
    kind = word & 15
    index = word >> 8 & 0xFFFFFF
    if kind == Request.LOAD:
        when = l2_read(A, P, g, t, line, sectors) + side(P, A[s + SM_INDEX], line)
        if A[at + 3] >= 0:
            l1_fill(A, s, A[at + 3], line, when)
        _answer(A, g, s, index, when)
    elif kind == Request.STORE:
        when = l2_write(A, P, g, t, line, sectors, word >> 32)
        _hold_lsu(A, P, s, t, when - P[L2_REQUEST_CYCLES])
        if A[at + 4] | A[at + 5]:
            ack_mask(A, P, g, when, gpu + 1 << 38 | line << 7, A[at + 4], A[at + 5])
    elif kind == Request.MERGED:
        filled = A[s + L1_FILLED + A[at + 3]]
        when = l2_read(A, P, g, t, line, sectors) if filled >= BIG else max(filled, t + P[L1_CYCLES])
        _answer(A, g, s, index, when)
    elif kind >= Request.TMA_LOAD:
        _serve_tma(A, P, g, gpu, s, kind, t, line, sectors, index)
    elif kind == Request.PREFETCH:
        if sectors == 0:
            l2_demote(A, P, g, t, line)
        else:
            when = l2_read(A, P, g, t, line, sectors)
            if A[at + 3] >= 0:
                l1_fill(A, s, A[at + 3], line, when)
    elif kind == Request.DISCARD:
        l2_discard(A, P, g, t, line)
    elif kind == Request.EGRESS:
        hub_egress(A, P, g, gpu, t, A[at + 3])
    elif kind == Request.FENCE:
        _begin_fence(A, P, g, s, A[at + 3], t, t + (word >> 32))
    else:
        when = l2_atomic(A, P, g, t, line, word >> 32 & 255, word >> 40)
        if kind == Request.ATOM:
            _answer(A, g, s, index, when + side(P, A[s + SM_INDEX], line))
        else:
            _hold_lsu(A, P, s, t, when - P[L2_ATOMIC_CYCLES])
    if word & 0xF0:
        l2_hint(A, P, g, t, line, sectors, word >> 4 & 3, word >> 6 & 3)


@inline
def _sector_bytes(sectors):
    """Byte mask of two sectors."""
    low = (1 << 32) - 1 if sectors & 1 else 0
    return low | (-1 << 32 if sectors & 2 else 0)


@inline
def _serve_tma(A, P, g, gpu, s, kind, t, line, sectors, index):
    """A request of the tensor memory accelerator. A store that L2 cannot take in time holds the engine back."""
    if kind == Request.TMA_LOAD:
        tma_answer(A, P, g, s, index, l2_read(A, P, g, t, line, sectors))
        return
    if kind == Request.TMA_STORE:
        written = l2_write(A, P, g, t, line, sectors, 0)
        begun = written - P[L2_REQUEST_CYCLES]
        if A[g + WATCHES]:  # a sector counts as whole
            low, high = _sector_bytes(sectors & 3), _sector_bytes(sectors >> 2)
            ack_mask(A, P, g, written, gpu + 1 << 38 | line << 7, low, high)
    else:
        busy = atomic_ticks(P, popcount(sectors), 0, 0, 0)
        begun = l2_atomic(A, P, g, t, line, index, busy) - P[L2_ATOMIC_CYCLES] - busy // TICKS
    hold_back(A, s, begun)


@inline
def _begin_fence(A, P, g, s, w, t, begin):
    """A system fence: flush the hub and remember what has been sent so far; its turn comes at cycle ``begin``."""
    n = A[g + FENCE_COUNT]
    A[g + FENCE_COUNT] = n + 1
    A[g + FENCE_SM + n] = s
    A[g + FENCE_WARP + n] = w
    A[g + FENCE_TIME + n] = begin + P[FENCE_SYS_CYCLES]
    A[g + FENCE_TICKET + n] = hub.flush(A, P, g, t)


@outline
def _end_fences(A, P, g, q):
    """Let warps go on whose fence is done: everything sent before it has been acknowledged."""
    kept = 0
    for i in range(A[g + FENCE_COUNT]):
        s, w = A[g + FENCE_SM + i], A[g + FENCE_WARP + i]
        if hub.flushed(A, P, g, A[g + FENCE_TICKET + i]):
            A[s + BLOCK + w] = Block.NONE
            schedule(A, s, w, max(A[g + FENCE_TIME + i], q + P[HUB_REPLY] - QUANTUM // 2), Stall.MEMBAR)
            A[s + NEXT] = min(A[s + NEXT], A[s + WAKE + w])
            continue
        for field in (FENCE_SM, FENCE_WARP, FENCE_TIME, FENCE_TICKET):
            A[g + field + kept] = A[g + field + i]
        kept += 1
    A[g + FENCE_COUNT] = kept


@outline
def _deliver(A, P, g, gpu, row, when):
    """A reply packet: its bytes go to the registers of the lanes that asked for them."""
    s = _sm_at(A, P, gpu, A[row + TAG] >> 16)
    index = A[row + TAG] & 1023
    only = (A[row + TAG] >> 10 & 63) - 1
    w = A[s + LOAD_WARP + index]
    instruction = A[s + LOAD_ROW + index]
    sub = A[instruction + R_SUB]
    size = 1 << (sub & 15)
    line = A[row + ADDR] >> 7
    lanes = 0
    for lane in range(32):
        address = A[A[s + COLD] + LOAD_ADDRESSES + index * 32 + lane]
        offset = address & 127
        wanted = A[row + MASK_LO] >> offset if offset < 64 else A[row + MASK_HI] >> (offset - 64)
        asked = A[s + LOAD_MASK + index] >> lane & 1 and (only < 0 or only == lane)
        if asked and address >> 7 == line and wanted & 1:
            lanes |= 1 << lane
            A[s + SCRATCH + lane] = address_of(A, row + DATA) + offset
    for i in range(max(1, sub >> 16 & 15)):
        target = answered(A, instruction, i, A[s + REGS + w])
        call(P[FN_LOAD], target, address_of(A, s + SCRATCH), i * size, sub & 63, lanes, 0, 0, 0)
    _answer(A, g, s, index, when)


@far
def arrivals(A, P, g, gpu, until, q):
    """Packets from other GPUs that arrive before cycle ``until``."""
    while hub.arrival_time(A, g) < until:
        t = hub.arrival_time(A, g)
        row = hub.take_arrival(A, g)
        if hub_ingress(A, P, g, gpu, t, row) == 1:
            when = max(t + P[HUB_REPLY], q + QUANTUM)
            _deliver(A, P, g, gpu, row, when)
    return 0


@outline
def _end_throttle(A, P, g, gpu, q):
    """Warps that found no room for a memory instruction try again."""
    for index in range(P[SMS]):
        s = _sm_at(A, P, gpu, index)
        A[s + PACKET_COUNT] = 0
        if A[s + THROTTLED] == 0 or A[s + LOADS_USED] >= P[MSHRS]:
            continue
        if A[s + PACKETS_SENT] - hub.packets_left(A, g, index) >= P[REMOTE_CREDITS]:
            continue
        A[s + THROTTLED] = 0
        for w in range(WARPS):
            if A[s + BLOCK + w] == Block.THROTTLE and A[s + LIVE + w]:
                A[s + BLOCK + w] = Block.NONE
                A[s + READY + w] = q + QUANTUM << REASON | Stall.LG_THROTTLE
                A[s + WAKE + w] = q + QUANTUM
                A[s + NEXT] = min(A[s + NEXT], q + QUANTUM)


@far
def memory_step(A, P, g, gpu, q):
    """Serve quantum ``[q, q + QUANTUM)`` of a GPU. Returns the earliest cycle at which anything here happens again."""
    busy = tma_requests(A, P, g, gpu, q)
    total = _sort(A, P, g, gpu, q)
    arrival = hub.arrival_time(A, g)
    for i in range(total):
        at = A[g + SORTED + i]
        if i + _AHEAD < total:
            l2_prefetch(A, P, g, A[A[g + SORTED + i + _AHEAD] + 1] >> 4)
        if arrival <= A[at]:
            arrivals(A, P, g, gpu, A[at] + 1, q)
            arrival = hub.arrival_time(A, g)
        _serve(A, P, g, gpu, _sender(A, at), at)
        if 1 << (A[at + 2] & 15) & _HUB_HEARS:
            arrival = hub.arrival_time(A, g)
    if hub.arrival_time(A, g) < q + QUANTUM:
        arrivals(A, P, g, gpu, q + QUANTUM, q)
    hub.advance(A, P, g, gpu, q + QUANTUM)
    if A[g + FENCE_COUNT] > 0:
        _end_fences(A, P, g, q + QUANTUM)
    _end_throttle(A, P, g, gpu, q)
    return min(hub.next_event(A, P, g), q + QUANTUM) if busy else hub.next_event(A, P, g)
