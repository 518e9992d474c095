"""L2 cache and HBM of a GPU: slices and channels as serialisers, tags that decide between them.

An access is served when the memory step gets to it, in time order; its completion time is known at once. State lies at
``g + L2_BLOCK``.
"""

from ..addresses import OFFSET_MASK, REGION_BITS
from ..jit import inline, outline
from ..layout import HUB_BLOCK, L2_BLOCK, Layout, gpu_of
from ..params import (
    GPCS,
    HBM_ACCESS_TICKS,
    HBM_CHANNELS,
    HBM_CYCLES,
    HBM_SECTOR_TICKS,
    HBM_TURN_TICKS,
    HBM_WRITE_QUEUE,
    HBM_WRITE_TICKS,
    L2_ATOMIC_CYCLES,
    L2_ATOMIC_FLOAT_TICKS,
    L2_ATOMIC_RETURN_TICKS,
    L2_ATOMIC_SAME_TICKS,
    L2_ATOMIC_TICKS,
    L2_CYCLES,
    L2_LINES,
    L2_REQUEST_CYCLES,
    L2_REQUEST_TICKS,
    L2_SECTOR_TICKS,
    L2_SIDE_CYCLES,
    L2_SLICES,
    L2_WAYS,
    L2_WRITE_REQUEST_TICKS,
    L2_WRITE_TICKS,
    TICKS,
)
from ..raw import ctz, match8, popcount, prefetch_word
from ..sm.cache_hints import AGE, Priority

MAX_LINES = 1 << 20
_DUEL_MOST = 512
"""Bound of the difference of misses that decides where new lines go."""
_l = Layout(L2_BLOCK)
SETS = _l.field(3 * MAX_LINES, align=8)
"""For each set three words of each of its ways, one kind after the other: tags, ``(line + 1) << 8 | dirty << 4 | valid
sectors``; when the ways were last used; the cycle at which the line's last missing sectors reach the SM that asked first.
A way is known by where its tag is."""
TAG_LINE = 8
SLICE_FREE = _l.field(256)
"""Ticks at which the slice can take the next request."""
CHANNEL_FREE = _l.field(1024)
CHANNEL_WRITES = _l.field(1024)
"""Whether the channel's last transfer was a write."""
DUEL = _l.field()
"""Misses in sets that keep what was used last less misses in sets that keep what they have."""
INSERTED = _l.field()
"""Lines brought in at the end of the order in which lines leave."""
WRITTEN = _l.field()
"""Cycle at which the last store or atomic so far is performed."""
READ_SECTORS = _l.field()
WRITE_SECTORS = _l.field()
HITS = _l.field()
MISSES = _l.field()
ATOMICS = _l.field()
HBM_READ_BYTES = _l.field()
HBM_WRITE_BYTES = _l.field()
assert _l.words <= HUB_BLOCK


@inline
def _hash(line):
    """Spread lines over slices and channels: neighbouring lines differ, power-of-two strides do not collide."""
    return line ^ line >> 5 ^ line >> 11 ^ line >> 17


@inline
def _occupy(A, index, ticks, busy):
    """Reserve a serialiser from ``ticks`` on for ``busy`` ticks. Returns when the service starts."""
    start = max(A[index], ticks)
    A[index] = start + busy
    return start


@inline
def _channel(A, P, g, t, line, sectors, write):
    """Move sectors between a channel and L2, not before cycle ``t``. Returns the cycle at which the transfer starts.

    Few bytes take as long as many: a channel opens a row for them.
    """
    channel = _hash(line >> 1) % P[HBM_CHANNELS]
    busy = max(sectors * P[HBM_SECTOR_TICKS], P[HBM_WRITE_TICKS] if write else P[HBM_ACCESS_TICKS])
    if A[g + CHANNEL_WRITES + channel] != write:
        A[g + CHANNEL_WRITES + channel] = write
        busy += P[HBM_TURN_TICKS]
    return _occupy(A, g + CHANNEL_FREE + channel, t * TICKS, busy) // TICKS


@inline
def halves(sectors):
    """The 64-byte halves of a line in which sectors lie: what a miss brings."""
    return sectors | sectors >> 1 & 5 | sectors << 1 & 10


@inline
def _fill(A, P, g, t, line, way, missing):
    """Bring what is missing of a line from memory. Returns when it is in L2 and at the SM that asked."""
    wanted = halves(missing) & ~A[way] & 15
    A[way] |= wanted
    A[g + HBM_READ_BYTES] += 32 * popcount(wanted)
    return _channel(A, P, g, t, line, popcount(wanted), 0) + P[HBM_CYCLES] - P[L2_REQUEST_CYCLES]


@inline
def side(P, sm, line):
    """Cycles by which an SM's access to a line is off the mean latency: the GPU's two sides have half of each."""
    far = line >> 1 ^ line >> 4 ^ line >> 9 ^ line >> 15 ^ (sm // 2 % P[GPCS] >= P[GPCS] // 2)
    return P[L2_SIDE_CYCLES] if far & 1 else -P[L2_SIDE_CYCLES]


@inline
def atomic_ticks(P, sectors, repeated, is_float, returns):
    """How long a slice is busy with atomics on sectors, of which so many find their address taken by another."""
    same = P[L2_ATOMIC_FLOAT_TICKS] if is_float else P[L2_ATOMIC_SAME_TICKS]
    each = P[L2_ATOMIC_TICKS] + (P[L2_ATOMIC_RETURN_TICKS] if returns else 0)
    return sectors * each + repeated * same


@inline
def _set(P, g, line):
    """Arena index of the first tag of the set in which a line may be."""
    ways = P[L2_WAYS]
    return g + SETS + _hash(line) % (P[L2_LINES] // ways) * (3 * ways)


@inline
def _find(A, P, g, line):
    """Arena index of the tag of ``line``, or -1 - index of the tag to replace (least recently used)."""
    ways = P[L2_WAYS]
    first = _set(P, g, line)
    for i in range(0, ways, 8):
        here = match8(A, first + i, TAG_LINE, line + 1) & (1 << ways - i) - 1
        if here:
            return first + i + ctz(here)
    victim = first
    for way in range(first, first + ways):
        if A[way + ways] < A[victim + ways]:
            victim = way
    return -1 - victim


@inline
def _insert(A, P, g, t, line, way):
    """The place of a new line in the order in which lines of its set leave: last, or next.

    Reading 67 MB again and again is measured at 8.4 TB/s, 134 MB at 6.0: the part of them that fits stays, where
    replacing the least recently used would leave nothing. So most lines that loads bring leave first unless used again, where
    that misses less: of 32 sets one does always the one, one always the other (Qureshi and others, ISCA 2007).
    """
    leader = _hash(line) % (P[L2_LINES] // P[L2_WAYS]) & 31
    if leader == 0:
        A[g + DUEL] = min(A[g + DUEL] + 1, _DUEL_MOST)
    elif leader == 1:
        A[g + DUEL] = max(A[g + DUEL] - 1, -_DUEL_MOST)
    used = way + P[L2_WAYS]
    if leader != 0 and (leader == 1 or A[g + DUEL] >= 0) and A[way]:
        A[g + INSERTED] += 1
        if A[g + INSERTED] & 31:
            A[used] = min(A[used], t)
            return
    A[used] = t


@inline
def l2_prefetch(A, P, g, line):
    """Bring near what `_find` will read for ``line``, and more of the set."""
    first = _set(P, g, line)
    for i in range(0, 3 * P[L2_WAYS], 8):
        prefetch_word(A, first + i)


@inline
def _allocate(A, P, g, t, line, way):
    """Give ``way`` to ``line``; a dirty line is written back first. Returns the cycle from which the way can be used."""
    old = A[way]
    free = t
    if old >> 4 & 1:
        dirty = popcount(old & 15)
        free = max(t, _channel(A, P, g, t, (old >> TAG_LINE) - 1, dirty, 1) - P[HBM_WRITE_QUEUE])
        A[g + HBM_WRITE_BYTES] += 32 * dirty
    _insert(A, P, g, t, line, way)
    A[way] = (line + 1) << TAG_LINE
    A[way + 2 * P[L2_WAYS]] = 0
    return free


@outline
def l2_read(A, P, g, t, line, sectors):
    """A load of 32-byte ``sectors`` (4-bit mask) of a 128-byte line that left its SM at cycle ``t``. Returns when the
    data is back at the SM."""
    count = popcount(sectors)
    A[g + READ_SECTORS] += count
    slice_ = g + SLICE_FREE + _hash(line) % P[L2_SLICES]
    arrived = (t + P[L2_REQUEST_CYCLES]) * TICKS
    start = _occupy(A, slice_, arrived, max(count * P[L2_SECTOR_TICKS], P[L2_REQUEST_TICKS])) // TICKS
    way = _find(A, P, g, line)
    if way < 0:
        way = -1 - way
        start = _allocate(A, P, g, start, line, way)
    elif A[way + 2 * P[L2_WAYS]] <= t:
        A[way + P[L2_WAYS]] = t
    missing = sectors & ~A[way]
    if missing == 0:
        A[g + HITS] += count
        return max(start + P[L2_CYCLES] - P[L2_REQUEST_CYCLES], A[way + 2 * P[L2_WAYS]])
    A[g + MISSES] += popcount(missing)
    A[way + 2 * P[L2_WAYS]] = _fill(A, P, g, start, line, way, missing)
    return A[way + 2 * P[L2_WAYS]]


@outline
def l2_write(A, P, g, t, line, sectors, partial):
    """A store to ``sectors`` of a line that left its SM (or the hub) at ``t``; ``partial``: not to all of their bytes.
    Returns when it has been written."""
    count = popcount(sectors)
    A[g + WRITE_SECTORS] += count
    slice_ = g + SLICE_FREE + _hash(line) % P[L2_SLICES]
    arrived = (t + P[L2_REQUEST_CYCLES]) * TICKS
    busy = P[L2_WRITE_REQUEST_TICKS] + count * P[L2_WRITE_TICKS]
    start = _occupy(A, slice_, arrived, busy) // TICKS
    way = _find(A, P, g, line)
    if way < 0:
        way = -1 - way
        start = _allocate(A, P, g, start, line, way)
    A[way + P[L2_WAYS]] = t
    if partial and sectors & ~A[way]:
        A[way + 2 * P[L2_WAYS]] = max(A[way + 2 * P[L2_WAYS]], _fill(A, P, g, start, line, way, sectors & ~A[way]))
    A[way] |= 16 | sectors
    A[g + WRITTEN] = max(A[g + WRITTEN], start)
    return start


@outline
def l2_atomic(A, P, g, t, line, lanes, busy):
    """An atomic of ``lanes`` lane operations on one line, for which its slice needs ``busy`` ticks. Returns when old values
    are back at the SM."""
    A[g + ATOMICS] += lanes
    slice_ = g + SLICE_FREE + _hash(line) % P[L2_SLICES]
    arrived = (t + P[L2_REQUEST_CYCLES]) * TICKS
    start = (_occupy(A, slice_, arrived, busy) + busy) // TICKS
    way = _find(A, P, g, line)
    ready = start
    if way >= 0:
        ready = max(start, A[way + 2 * P[L2_WAYS]] - P[L2_CYCLES] + P[L2_REQUEST_CYCLES])
    else:
        way = -1 - way
        _allocate(A, P, g, start, line, way)
        A[way + 2 * P[L2_WAYS]] = _fill(A, P, g, start, line, way, 1)
        ready = A[way + 2 * P[L2_WAYS]] - P[L2_CYCLES] + P[L2_REQUEST_CYCLES]
    A[way + P[L2_WAYS]] = t
    A[way] |= 31
    A[g + WRITTEN] = max(A[g + WRITTEN], ready)
    return ready + P[L2_ATOMIC_CYCLES] - P[L2_REQUEST_CYCLES]


@outline
def l2_hint(A, P, g, t, line, sectors, priority, fetch):
    """After an access: the line's eviction priority, and what else of its 64, 128 or 256 bytes (``fetch`` 1 to 3) comes
    from memory when it missed. Fetching ahead takes bandwidth of the channel and delays nobody else."""
    way = _find(A, P, g, line)
    if way >= 0 and priority == Priority.FIRST:
        A[way + P[L2_WAYS]] -= AGE
    elif way >= 0 and priority == Priority.LAST:
        A[way + P[L2_WAYS]] += AGE
    if fetch == 0:
        return
    wanted = halves(sectors) if fetch == 1 else 15
    _fetch(A, P, g, t, line, wanted)
    if fetch == 3:
        _fetch(A, P, g, t, line ^ 1, wanted)


@inline
def _fetch(A, P, g, t, line, sectors):
    """Bring sectors of a line from memory that nobody waits for."""
    way = _find(A, P, g, line)
    if way < 0:
        way = -1 - way
        _allocate(A, P, g, t, line, way)
        A[way + P[L2_WAYS]] = t
    missing = sectors & ~A[way]
    if missing:
        A[way + 2 * P[L2_WAYS]] = max(A[way + 2 * P[L2_WAYS]], _fill(A, P, g, t, line, way, missing))


@outline
def l2_demote(A, P, g, t, line):
    """Give a line that was to be evicted last the normal priority."""
    way = _find(A, P, g, line)
    if way >= 0:
        A[way + P[L2_WAYS]] = min(A[way + P[L2_WAYS]], t)


@outline
def l2_discard(A, P, g, t, line):
    """Forget a line without writing it back."""
    _occupy(A, g + SLICE_FREE + _hash(line) % P[L2_SLICES], (t + P[L2_REQUEST_CYCLES]) * TICKS, P[L2_SECTOR_TICKS])
    way = _find(A, P, g, line)
    if way >= 0:
        A[way] = 0
        A[way + P[L2_WAYS]] = 0


@inline
def line_here(g, address):
    """The line of an address in this GPU's memory, as its SMs know it."""
    return (gpu_of(g) + 1 << REGION_BITS - 7) | (address & OFFSET_MASK) >> 7


@inline
def l2_access(A, P, g, t, addr, nbytes, write):
    """Access to ``nbytes`` <= 128 contiguous bytes within a line by the hub. Returns its completion cycle."""
    first = addr >> 5 & 3
    last = (addr + nbytes - 1) >> 5 & 3
    sectors = (2 << last) - (1 << first)
    line = line_here(g, addr)
    if write:
        return l2_write(A, P, g, t, line, sectors, (addr | nbytes) & 31)
    return l2_read(A, P, g, t, line, sectors)
