"""Tensor memory accelerator, one per SM: turns bulk copies into requests for lines, in order, at the pace of its path to L2.

A copy moves its data when it is issued, a store to another GPU when its packets leave and arrive; what a program can observe
is when it is told that the copy is complete. The engine is a serialiser: when a copy's requests leave is known at its
issue, and the memory step asks for those of a quantum (tma_send.py).
"""

from ..far import far
from ..jit import inline, outline
from ..layout import Layout
from ..params import TICKS, TMA_COPY_CYCLES, TMA_LINE_TICKS, TMA_REDUCE_TICKS, TMA_SECTOR_TICKS, TMA_START
from ..raw import popcount
from ..state import (
    CLUSTER_CTAS,
    CLUSTER_MEMBER,
    COLD,
    CTAS,
    TMA,
    TMA_BUSY,
    TMA_WORDS,
    Request,
)
from .cluster import OFFSET, shared_base
from .mailbox import PHASE, post
from .mbarrier_object import TX, add

COPIES = 128
LINES = 16384
_t = Layout(TMA)
ENGINE_FREE = _t.field()
"""Ticks at which the engine can begin another copy."""
TAIL = _t.field()
"""Copies ever queued; entry ``number % COPIES``."""
SENT = _t.field()
"""Copies whose requests have all been sent."""
OLDEST = _t.field()
"""Copies before this one are complete."""
LINE_TAIL = _t.field()
LINE_HEAD = _t.field()
BEGIN = _t.field(COPIES)
"""Ticks of the copy's next request."""
KIND = _t.field(COPIES)
LEFT = _t.field(COPIES)
"""Requests not sent."""
WAITING = _t.field(COPIES)
"""Requests not answered."""
DONE = _t.field(COPIES)
"""Cycle of the latest answer."""
OBJECT = _t.field(COPIES)
"""mbarrier that a load signals: host address, or offset in each CTA of a multicast."""
TARGET = _t.field(COPIES)
"""Arena index of the object's SM; of a multicast, record of the cluster << 16 | mask of ranks."""
BYTES = _t.field(COPIES)
"""Bytes the mbarrier counts; negative: a multicast; 0: nobody is told (prefetch)."""
PEER_ADDRESS = _t.field(COPIES)
"""Of a store to another GPU: address of its next byte there; OBJECT is that of its source, TARGET the group << 8 | warp."""
PEER_BYTES = _t.field(COPIES)
"""Bytes of it that are not sent."""
PEER_FREE = _t.field()
"""Tick at which the next line of a store to another GPU can leave."""
GROUPS = _t.field(1152)
"""Words of bulk_groups.py."""
LINE = _t.field(LINES)
"""Requests to come: line << 4 | sectors, in a ring."""
assert _t.words <= TMA + TMA_WORDS


@inline
def unit(A, s):
    """Arena index of the SM's accelerator; its words are at ``unit + NAME``."""
    return A[s + COLD]


@inline
def has_room(A, s):
    """Whether another copy of any size can be queued."""
    u = unit(A, s)
    return A[u + TAIL] - A[u + OLDEST] <= COPIES - 32 and A[u + LINE_TAIL] - A[u + LINE_HEAD] < LINES // 2


@inline
def begin(A, P, s, kind, t):
    """Queue a copy of ``Request`` kind ``kind`` issued at ``t``, without lines so far. Its entry."""
    u = unit(A, s)
    i = A[u + TAIL] % COPIES
    A[u + TAIL] += 1
    A[u + KIND + i] = kind
    A[u + BEGIN + i] = max(A[u + ENGINE_FREE], (t + P[TMA_START]) * TICKS)
    for field in (LEFT, WAITING, DONE, OBJECT, TARGET, BYTES):
        A[u + field + i] = 0
    return i


@inline
def interval(P, kind, sectors):
    """Ticks the engine takes for a request."""
    if kind == Request.TMA_LOAD:
        return P[TMA_LINE_TICKS]
    return popcount(sectors) * (P[TMA_SECTOR_TICKS] if kind == Request.TMA_STORE else P[TMA_REDUCE_TICKS])


@outline
def touch(A, P, s, i, address, nbytes):
    """Requests for the sectors of ``nbytes`` from an address on, all within the GPU's memory; at most half the ring."""
    u = unit(A, s)
    first, end = address >> 5, (address + nbytes + 31) >> 5
    while first < end and A[u + LINE_TAIL] - A[u + LINE_HEAD] < LINES:
        line = first >> 2
        last = min(end, (line + 1) << 2)
        sectors = (1 << (last - (line << 2))) - (1 << (first - (line << 2)))
        A[u + LINE + A[u + LINE_TAIL] % LINES] = line << 4 | sectors
        A[u + LINE_TAIL] += 1
        A[u + LEFT + i] += 1
        first = last


@outline
def enter(A, P, s, i):
    """All requests of the copy are known. Returns the cycle at which the engine has sent the last one."""
    u = unit(A, s)
    n = A[u + LEFT + i]
    A[u + WAITING + i] = n if A[u + KIND + i] == Request.TMA_LOAD else 0
    ticks = A[u + BEGIN + i]
    for k in range(n):
        word = A[u + LINE + (A[u + LINE_TAIL] - n + k) % LINES]
        ticks += interval(P, A[u + KIND + i], word & 15)
    A[u + ENGINE_FREE] = max(ticks, A[u + BEGIN + i] + P[TMA_COPY_CYCLES] * TICKS)
    A[s + TMA_BUSY] += 1
    return ticks // TICKS


@inline
def hold_back(A, s, t):
    """L2 took a request of the engine only at cycle ``t``: its next copy begins no earlier."""
    u = unit(A, s)
    A[u + ENGINE_FREE] = max(A[u + ENGINE_FREE], t * TICKS)


@inline
def forget(A, s):
    """Entries of copies that are complete may be used again, in order."""
    u = unit(A, s)
    while A[u + OLDEST] < A[u + SENT] and A[u + WAITING + A[u + OLDEST] % COPIES] == 0:
        A[u + OLDEST] += 1


@inline
def _signal(A, s, address, nbytes, when):
    """complete_tx on an mbarrier of SM ``s`` at cycle ``when``."""
    if not post(A, s, when, PHASE, address, -(nbytes << TX)):
        add(A, s, address, -(nbytes << TX), when)


@outline
def signal(A, P, g, s, i, when):
    """Tell the mbarriers of a load that it is complete at cycle ``when``."""
    u = unit(A, s)
    nbytes, target = A[u + BYTES + i], A[u + TARGET + i]
    if nbytes > 0:
        _signal(A, target, A[u + OBJECT + i], nbytes, when)
    elif nbytes < 0:
        for rank in range(CLUSTER_CTAS):
            if target >> rank & 1:
                who = A[g + CLUSTER_MEMBER + (target >> CLUSTER_CTAS) * CLUSTER_CTAS + rank]
                _signal(A, who // CTAS, shared_base(A, who) + (A[u + OBJECT + i] & OFFSET), -nbytes, when)


@far
def tma_answer(A, P, g, s, i, when):
    """A request of load ``i`` is answered at cycle ``when``; the last one completes it."""
    u = unit(A, s)
    A[u + DONE + i] = max(A[u + DONE + i], when)
    A[u + WAITING + i] -= 1
    if A[u + WAITING + i] == 0:
        signal(A, P, g, s, i, A[u + DONE + i])
        forget(A, s)
    return 0
