"""Runtime Packet Manager: merges remote stores and decides in which order they leave (MoE-Hub section IV-B).

One fully associative partition per peer. Key of an entry: the line address of a plain store, {MallocID, RowID,
RowOffset line} of a row store. A store that hits an entry of the same priority is merged: its bytes and its byte mask
are added. The scheduler goes round robin over the peers that have something ready; in a partition it takes full
entries first, then those whose timer ran out; high priority before ``.nop``; smallest RowID first; oldest first.

Assumptions: the key includes the MallocID, because two experts of one GPU may be sent the same RowID; plain stores rank
as RowID 0; entries flushed by a fence rank as full; stores of different end-of-store generations are not merged.
Each switch plane has a scheduler of its own, the partitions are shared.
"""

from ..jit import inline, outline
from ..layout import Layout
from ..net.interface import MAX_GPUS, MAX_PLANES, PEER_FLITS
from ..net.packet import (
    ADDR,
    AUX,
    CHAIN,
    DST,
    ENTERED,
    EXPIRES,
    KEY,
    KIND,
    MASK_HI,
    MASK_LO,
    NEXT,
    ORDER,
    PLACE,
    PLANE,
    PREV,
    Packet,
    bit,
    is_full,
    low_bits,
)
from ..params import (
    RPM_ENTRIES,
    RPM_PEER_FLITS,
    RPM_PRIORITIES,
    RPM_ROUND_ROBIN,
    RPM_ROW_ORDER,
    RPM_TIMER,
)
from ..raw import BIG, ctz, popcount
from .blocks import AAU_BLOCK, RPM_BLOCK

MAX_ENTRIES = 1024
BUCKETS = 8192
HEAP_WORDS = 1 + MAX_ENTRIES
FULL, PARTIAL = 0, 1
"""Rank of a ready entry."""

_r = Layout(RPM_BLOCK)
COUNT = _r.field(MAX_GPUS)
"""Entries in each partition."""
ENTRIES = _r.field()
BUCKET = _r.field(BUCKETS)
"""Hash chains over all entries, through the rows' CHAIN word."""
READY = _r.field(MAX_PLANES)
"""Peers with ready entries, per plane."""
TURN = _r.field(MAX_PLANES)
"""Peer served last, per plane."""
WAIT_HEAD = _r.field(MAX_PLANES)
"""Entries that are not ready, oldest first, doubly linked."""
WAIT_TAIL = _r.field(MAX_PLANES)
AGE = _r.field()
FLUSHED = _r.field()
"""Stores accepted before this cycle do not wait for company."""
HEAP = _r.field(MAX_PLANES * MAX_GPUS * HEAP_WORDS)
"""Ready entries by ``plane * MAX_GPUS + peer``: count, then rows in heap order of their KEY."""
MERGED = _r.field()
FULL_SENT = _r.field()
PARTIAL_SENT = _r.field()
TIMED_OUT = _r.field()
STALLED = _r.field()
"""Stores that found their partition full."""
assert _r.words <= AAU_BLOCK


@inline
def _bucket(g, address):
    """Hash chain of a line."""
    line = address >> 7
    folded = (line ^ line >> 30) & 0x3FFFFFFF
    return g + BUCKET + ((folded * 0x9E3779B1) >> 24 & BUCKETS - 1)


@inline
def _heap(g, plane, peer):
    """Heap of a partition's ready entries."""
    return g + HEAP + (plane * MAX_GPUS + peer) * HEAP_WORDS


@outline
def find(A, g, row):
    """The entry that ``row`` may be merged into, or 0."""
    entry = A[_bucket(g, A[row + ADDR])]
    while entry > 0:
        if (
            A[entry + ADDR] == A[row + ADDR]
            and A[entry + KIND] == A[row + KIND]
            and A[entry + AUX] == A[row + AUX]
            and A[entry + ORDER] >> 32 == A[row + ORDER] >> 32
        ):
            return entry
        entry = A[entry + CHAIN]
    return 0


@outline
def find_line(A, g, address):
    """A buffered plain store to the line, or 0."""
    entry = A[_bucket(g, address)]
    while entry > 0 and (A[entry + ADDR] != address or A[entry + KIND] != Packet.STORE):
        entry = A[entry + CHAIN]
    return entry


@inline
def has_room(A, P, g, peer):
    """Whether the peer's partition has a free entry."""
    return A[g + COUNT + peer] < min(P[RPM_ENTRIES], MAX_ENTRIES)


# --- the heaps


@inline
def _put(A, heap, i, row):
    A[heap + 1 + i] = row
    A[row + PLACE] = i + 1


@inline
def _rise(A, heap, i, row):
    """Place ``row`` at ``i`` or nearer to the top."""
    key = A[row + KEY]
    while i > 0 and A[A[heap + 1 + (i - 1) // 2] + KEY] > key:
        _put(A, heap, i, A[heap + 1 + (i - 1) // 2])
        i = (i - 1) // 2
    _put(A, heap, i, row)


@inline
def _sink(A, heap, i, row):
    """Place ``row`` at ``i`` or farther from the top."""
    n = A[heap]
    key = A[row + KEY]
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and A[A[heap + 2 + child] + KEY] < A[A[heap + 1 + child] + KEY]:
            child += 1
        if A[A[heap + 1 + child] + KEY] >= key:
            break
        _put(A, heap, i, A[heap + 1 + child])
        i = child
    _put(A, heap, i, row)


@outline
def _leave_heap(A, g, row):
    """Remove a ready entry from its heap."""
    plane = A[row + PLANE]
    peer = A[row + DST]
    heap = _heap(g, plane, peer)
    at = A[row + PLACE] - 1
    n = A[heap] - 1
    A[heap] = n
    A[row + PLACE] = 0
    if n == 0:
        A[g + READY + plane] &= ~bit(peer)
    if at < n:
        last = A[heap + 1 + n]
        if A[last + KEY] < A[row + KEY]:
            _rise(A, heap, at, last)
        else:
            _sink(A, heap, at, last)


@outline
def _make_ready(A, P, g, row, rank):
    """An entry may leave from now on; or it may leave earlier than it could before."""
    low = A[row + AUX] & 1 if P[RPM_PRIORITIES] else 0
    row_id = A[row + ADDR] >> 16 & 0xFFFFFF if P[RPM_ROW_ORDER] and A[row + KIND] == Packet.ROWSP else 0
    A[row + KEY] = rank << 61 | low << 60 | row_id << 36 | A[row + KEY] & low_bits(36)
    plane = A[row + PLANE]
    peer = A[row + DST]
    heap = _heap(g, plane, peer)
    at = A[row + PLACE] - 1
    if at < 0:
        at = A[heap]
        A[heap] = at + 1
        A[g + READY + plane] |= bit(peer)
    _rise(A, heap, at, row)


# --- the list of waiting entries


@inline
def _wait(A, g, row):
    """Append to the entries of its plane that are not ready."""
    plane = A[row + PLANE]
    tail = A[g + WAIT_TAIL + plane]
    A[row + NEXT] = 0
    A[row + PREV] = tail
    if tail > 0:
        A[tail + NEXT] = row
    else:
        A[g + WAIT_HEAD + plane] = row
    A[g + WAIT_TAIL + plane] = row


@inline
def _stop_waiting(A, g, row):
    """Unlink an entry that is not ready."""
    plane = A[row + PLANE]
    before = A[row + PREV]
    after = A[row + NEXT]
    if before > 0:
        A[before + NEXT] = after
    else:
        A[g + WAIT_HEAD + plane] = after
    if after > 0:
        A[after + PREV] = before
    else:
        A[g + WAIT_TAIL + plane] = before


# --- what the hub calls


@outline
def insert(A, P, g, row, t):
    """A new entry at cycle ``t``; DST, PLANE and ENTERED of the row are set, and its partition has room."""
    bucket = _bucket(g, A[row + ADDR])
    A[row + CHAIN] = A[bucket]
    A[bucket] = row
    A[g + COUNT + A[row + DST]] += 1
    A[g + ENTRIES] += 1
    A[row + KEY] = A[g + AGE] & low_bits(36)
    A[g + AGE] += 1
    A[row + PLACE] = 0
    A[row + EXPIRES] = t + P[RPM_TIMER]
    if is_full(A, row) or A[row + ENTERED] < A[g + FLUSHED]:
        _make_ready(A, P, g, row, FULL)
    else:
        _wait(A, g, row)


@outline
def merge(A, P, g, entry, row):
    """Add the mask of ``row`` to an entry whose data was merged already. Returns how many bytes are new."""
    new = popcount(A[row + MASK_LO] & ~A[entry + MASK_LO]) + popcount(A[row + MASK_HI] & ~A[entry + MASK_HI])
    A[entry + MASK_LO] |= A[row + MASK_LO]
    A[entry + MASK_HI] |= A[row + MASK_HI]
    A[g + MERGED] += 1
    if is_full(A, entry) and new > 0:
        if A[entry + PLACE] == 0:
            _stop_waiting(A, g, entry)
        _make_ready(A, P, g, entry, FULL)
    return new


@inline
def next_timer(A, g, plane):
    """Cycle at which the oldest waiting entry becomes ready; BIG when none waits."""
    head = A[g + WAIT_HEAD + plane]
    return A[head + EXPIRES] if head > 0 else BIG


@inline
def expire(A, P, g, plane):
    """The timer of the oldest waiting entry ran out."""
    row = A[g + WAIT_HEAD + plane]
    _stop_waiting(A, g, row)
    _make_ready(A, P, g, row, PARTIAL)
    A[g + TIMED_OUT] += 1


@outline
def flush(A, P, g, planes, t):
    """Everything buffered at cycle ``t``, or waiting for a place, leaves as soon as the link takes it."""
    A[g + FLUSHED] = t + 1
    for plane in range(planes):
        while A[g + WAIT_HEAD + plane] > 0:
            row = A[g + WAIT_HEAD + plane]
            _stop_waiting(A, g, row)
            _make_ready(A, P, g, row, FULL)


@outline
def offer(A, P, g, plane):
    """The entry that the plane's scheduler would send next, or 0."""
    peers = A[g + READY + plane]
    after = ~low_bits(A[g + TURN + plane] + 1)
    best = 0
    while peers != 0:
        peer = ctz(peers & after) if peers & after else ctz(peers)
        if P[RPM_PEER_FLITS] == 0 or A[g + PEER_FLITS + peer] < P[RPM_PEER_FLITS]:
            row = A[_heap(g, plane, peer) + 1]
            if P[RPM_ROUND_ROBIN]:
                return row
            if best == 0 or A[row + KEY] < A[best + KEY]:
                best = row
        peers &= ~bit(peer)
    return best


@outline
def remove(A, g, row):
    """Take an entry out of the RPM."""
    if A[row + PLACE] > 0:
        _leave_heap(A, g, row)
    else:
        _stop_waiting(A, g, row)
    at = _bucket(g, A[row + ADDR])
    if A[at] == row:
        A[at] = A[row + CHAIN]
    else:
        entry = A[at]
        while A[entry + CHAIN] != row:
            entry = A[entry + CHAIN]
        A[entry + CHAIN] = A[row + CHAIN]
    A[g + COUNT + A[row + DST]] -= 1
    A[g + ENTRIES] -= 1
    if is_full(A, row):
        A[g + FULL_SENT] += 1
    else:
        A[g + PARTIAL_SENT] += 1


@inline
def served(A, g, row):
    """The scheduler has sent the entry: the next peer's turn."""
    A[g + TURN + A[row + PLANE]] = A[row + DST]
