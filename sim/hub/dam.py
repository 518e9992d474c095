"""Data Availability Manager: counts the bytes that arrived and releases thread blocks (MoE-Hub section IV-C).

A gate holds the thread block groups of one launch. Its watches say which bytes of a buffer belong to which group; every
acknowledged write adds to the groups it touches. At the threshold the group is released. When the gate closes, because
it has seen all bytes it expects or because every source has declared the end of its stores and all they announced has
arrived (endings.py), groups that received nothing are retired without running and partly filled ones are released.

Assumptions: bytes are counted, not packets, so that merging does not matter; release takes ``dam.release_latency_ns``.
"""

from typing import Any

from ..jit import inline, outline
from ..layout import Layout
from ..net.packet import low_bits
from ..net.queues import heap_first, heap_pop, heap_push
from ..params import DAM_CYCLES, DAM_EARLY_RELEASE, DAM_INTERVAL
from .blocks import DAM_BLOCK, MULTIMEM_BLOCK
from .masks import bytes_within, mask_bytes

WATCHES_MAX = 1024
GATES_MAX = 256
GROUPS_MAX = 1 << 18
KEYS_MAX = 4096
WAITING, RELEASED, RETIRED = 0, 1, 2
OPEN, BY_KEY, BY_BYTES = 0, 1, 2

_d = Layout(DAM_BLOCK)
WATCHES = _d.field()
LOW = _d.field(WATCHES_MAX)
HIGH = _d.field(WATCHES_MAX)
GROUP_SPAN = _d.field(WATCHES_MAX)
"""Bytes of the buffer per group."""
STRIDE = _d.field(WATCHES_MAX)
COLUMN_LOW = _d.field(WATCHES_MAX)
COLUMN_HIGH = _d.field(WATCHES_MAX)
GATE = _d.field(WATCHES_MAX)
FIRST = _d.field(WATCHES_MAX)
"""Group that the first byte of the watch belongs to."""
GATES = _d.field()
GROUPS = _d.field(GATES_MAX)
THRESHOLD = _d.field(GATES_MAX)
GROUP_BASE = _d.field(GATES_MAX)
CLOSE_BY = _d.field(GATES_MAX)
CLOSE_VALUE = _d.field(GATES_MAX)
"""Key of the endings it waits for, or bytes it expects."""
TOTAL = _d.field(GATES_MAX)
"""Bytes counted by the gate."""
CLOSED = _d.field(GATES_MAX)
GROUPS_USED = _d.field()
LOOKUP_FREE = _d.field()
KEY_CLOSED = _d.field(KEYS_MAX)
"""Cycle + 1 at which an ending was complete; 0: not yet."""
ACKS = _d.field()
ACK_BYTES = _d.field()
RELEASES = _d.field()
RETIRES = _d.field()
PARTIAL_RELEASES = _d.field()
CHANGES = _d.field()
"""Grows whenever a group changes, so that a waiting scheduler need not look at all groups."""
GOT = _d.field(GROUPS_MAX)
DECIDED = _d.field(GROUPS_MAX)
"""State the group will have when the scheduler hears of it | cycle of the decision << 2; 0: none yet."""
STATE = _d.field(GROUPS_MAX)
NEWS = _d.field(1 + 2 * GROUPS_MAX)
"""Heap of decisions on their way to the scheduler: cycle, group."""
DAM_REST = _d.words
assert _d.words <= MULTIMEM_BLOCK


def add_gate(
    A: Any,
    g: int,
    groups: int,
    threshold: int,
    watches: list[tuple[int, int, int, int, int, int]],
    closes_key: int = -1,
    expects_bytes: int = -1,
) -> int:
    """A gate of ``groups`` groups, each released at ``threshold`` bytes.

    Watch: (address, group bytes, row stride, first column byte, column byte after the last, first group). Bytes outside
    the columns are not counted. Closes when the ending ``closes_key`` is complete, or after ``expects_bytes``.
    """
    gate, base = int(A[g + GATES]), int(A[g + GROUPS_USED])
    if gate >= GATES_MAX or base + groups > GROUPS_MAX or int(A[g + WATCHES]) + len(watches) > WATCHES_MAX:
        raise ValueError(f"the dependency table is full: {GATES_MAX} gates, {GROUPS_MAX} groups, {WATCHES_MAX} watches")
    if closes_key >= KEYS_MAX:
        raise ValueError(f"ending {closes_key} is beyond the {KEYS_MAX} a run can have")
    A[g + GATES], A[g + GROUPS_USED] = gate + 1, base + groups
    A[g + GROUPS + gate], A[g + THRESHOLD + gate], A[g + GROUP_BASE + gate] = groups, threshold, base
    for watch in watches:
        _add_watch(A, g, gate, groups, *watch)
    if closes_key >= 0:
        A[g + CLOSE_BY + gate], A[g + CLOSE_VALUE + gate] = BY_KEY, closes_key
        if A[g + KEY_CLOSED + closes_key]:
            A[g + CLOSED + gate] = 1
            for group in range(base, base + groups):
                A[g + DECIDED + group] = A[g + STATE + group] = RETIRED
    elif expects_bytes >= 0:
        A[g + CLOSE_BY + gate], A[g + CLOSE_VALUE + gate] = BY_BYTES, expects_bytes
    return gate


def _add_watch(
    A: Any, g: int, gate: int, groups: int, base: int, span: int, stride: int, low: int, high: int, first: int
) -> None:
    """Append a row to the dependency table."""
    if span % stride or not 0 <= low < high <= stride:
        raise ValueError(f"watch: {span} bytes per group must be whole rows of {stride}, columns {low}..{high} inside")
    w = int(A[g + WATCHES])
    A[g + WATCHES] = w + 1
    A[g + LOW + w], A[g + HIGH + w] = base, base + (groups - first) * span
    A[g + GROUP_SPAN + w], A[g + STRIDE + w] = span, stride
    A[g + COLUMN_LOW + w], A[g + COLUMN_HIGH + w] = low, high
    A[g + GATE + w], A[g + FIRST + w] = gate, first


@inline
def _set_state(A, P, g, t, group, state):
    """The scheduler hears of the group's state after the release latency."""
    A[g + DECIDED + group] = state | t << 2
    heap_push(A, g + NEWS, t + P[DAM_CYCLES], group)


@outline
def close(A, P, g, t, gate):
    """AllReady: retire the gate's empty groups, release the others."""
    if A[g + CLOSED + gate]:
        return
    A[g + CLOSED + gate] = 1
    base = A[g + GROUP_BASE + gate]
    for group in range(base, base + A[g + GROUPS + gate]):
        if A[g + DECIDED + group] == WAITING:
            if A[g + GOT + group] > 0:
                A[g + PARTIAL_RELEASES] += 1
                _set_state(A, P, g, t, group, RELEASED)
            else:
                A[g + RETIRES] += 1
                _set_state(A, P, g, t, group, RETIRED)


@outline
def close_key(A, P, g, t, key):
    """The ending ``key`` is complete: close the gates that wait for it."""
    A[g + KEY_CLOSED + key] = t + 1
    for gate in range(A[g + GATES]):
        if A[g + CLOSE_BY + gate] == BY_KEY and A[g + CLOSE_VALUE + gate] == key:
            close(A, P, g, t, gate)


@outline
def _count(A, P, g, t, gate, group, nbytes):
    """Bytes of a group arrived."""
    at = A[g + GROUP_BASE + gate] + group
    A[g + GOT + at] += nbytes
    A[g + TOTAL + gate] += nbytes
    if P[DAM_EARLY_RELEASE] and A[g + DECIDED + at] == WAITING and A[g + GOT + at] >= A[g + THRESHOLD + gate]:
        A[g + RELEASES] += 1
        _set_state(A, P, g, t, at, RELEASED)
    if A[g + CLOSE_BY + gate] == BY_BYTES and A[g + TOTAL + gate] >= A[g + CLOSE_VALUE + gate]:
        close(A, P, g, t, gate)


@outline
def _watch(A, P, g, t, w, addr, lo, hi):
    """Add the bytes of a write that a watch covers to its groups, row by row."""
    base = A[g + LOW + w]
    stride = A[g + STRIDE + w]
    first = (max(addr, base) - base) // stride
    last = (min(addr + 128, A[g + HIGH + w]) - 1 - base) // stride
    for r in range(first, last + 1):
        start = base + r * stride - addr
        nbytes = bytes_within(lo, hi, start + A[g + COLUMN_LOW + w], start + A[g + COLUMN_HIGH + w])
        if nbytes > 0:
            _count(A, P, g, t, A[g + GATE + w], A[g + FIRST + w] + r * stride // A[g + GROUP_SPAN + w], nbytes)


@outline
def ack_mask(A, P, g, t, addr, lo, hi):
    """A write to the bytes of a mask, counted from ``addr``, was performed at cycle ``t``."""
    if A[g + WATCHES] == 0:
        return
    if P[DAM_INTERVAL] > 0:
        t = max(t, A[g + LOOKUP_FREE])
        A[g + LOOKUP_FREE] = t + P[DAM_INTERVAL]
    A[g + ACKS] += 1
    A[g + ACK_BYTES] += mask_bytes(lo, hi)
    for w in range(A[g + WATCHES]):
        if addr < A[g + HIGH + w] and addr + 128 > A[g + LOW + w]:
            _watch(A, P, g, t, w, addr, lo, hi)


@inline
def ack(A, P, g, t, addr, nbytes):
    """A write to ``nbytes`` <= 128 contiguous bytes was performed at cycle ``t``."""
    ack_mask(A, P, g, t, addr, low_bits(min(nbytes, 64)), low_bits(max(nbytes - 64, 0)))


@inline
def next_news(A, g):
    """Cycle at which the scheduler next hears of a group; BIG when nothing is on its way."""
    return heap_first(A, g + NEWS)


@outline
def tell(A, g, until):
    """What the scheduler knows by cycle ``until``."""
    while heap_first(A, g + NEWS) <= until:
        group = heap_pop(A, g + NEWS)
        A[g + STATE + group] = A[g + DECIDED + group] & 3
        A[g + CHANGES] += 1


@inline
def group_ready(A, g, gate, group):
    """0 the group waits, 1 it may run, 2 it is retired without running."""
    return A[g + STATE + A[g + GROUP_BASE + gate] + group]
