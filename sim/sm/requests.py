"""What an SM sends out: requests to the memory step, packets to the hub, and loads that wait for an answer."""

from ..jit import inline, outline
from ..params import MSHRS, REMOTE_CREDITS
from ..raw import BIG
from ..state import (
    COLD,
    LAST_LOAD,
    LOAD_ADDRESSES,
    LOAD_FREED,
    LOAD_FRESH,
    LOAD_MASK,
    LOAD_NEXT,
    LOAD_REASON,
    LOAD_RECORD,
    LOAD_REMAIN,
    LOAD_ROW,
    LOAD_TIME,
    LOAD_WARP,
    LOADS,
    LOADS_USED,
    PACKET_COUNT,
    PACKET_ROWS,
    PACKET_WORDS,
    PACKETS,
    PACKETS_SENT,
    PENDING,
    REQUEST,
    REQUEST_COUNT,
    REQUEST_WORDS,
    REQUESTS,
    SCRATCH,
)
from .scoreboard import set_ready


@inline
def request(A, s, t, line, sectors, kind, load, count, extra):
    """Queue a request of this quantum: sent at ``t``, for ``sectors`` of ``line``; ``extra`` depends on its kind."""
    n = A[s + REQUEST_COUNT]
    A[s + REQUEST_COUNT] = n + 1
    at = A[s + COLD] + REQUEST + n * REQUEST_WORDS
    A[at] = t
    A[at + 1] = line << 4 | sectors
    A[at + 2] = kind | load << 8 | count << 32
    A[at + 3] = extra


@inline
def new_load(A, s, w, row, reason):
    """An entry for a load instruction whose answers are on their way."""
    head = A[s + LOAD_FREED]
    if head > 0:
        index = head - 1
        A[s + LOAD_FREED] = A[s + LOAD_NEXT + index]
    else:
        index = A[s + LOAD_FRESH]
        A[s + LOAD_FRESH] = index + 1
    A[s + LOADS_USED] += 1
    A[s + LOAD_REMAIN + index] = 0
    A[s + LOAD_TIME + index] = 0
    A[s + LOAD_WARP + index] = w
    A[s + LOAD_ROW + index] = row
    A[s + LOAD_MASK + index] = 0
    A[s + LOAD_REASON + index] = reason
    A[s + LOAD_RECORD + index * 8] = -1
    return index


@inline
def note_addresses(A, s, index, mask):
    """Keep addresses of lanes that ask another GPU: a reply's bytes go to those of them that asked for its line."""
    A[s + LOAD_MASK + index] |= mask
    for lane in range(32):
        if mask >> lane & 1:
            A[A[s + COLD] + LOAD_ADDRESSES + index * 32 + lane] = A[s + SCRATCH + lane]


@inline
def free_load(A, s, index):
    """The entry may be used again."""
    A[s + LOAD_NEXT + index] = A[s + LOAD_FREED]
    A[s + LOAD_FREED] = index + 1
    A[s + LOADS_USED] -= 1


@inline
def settle_load(A, s, w, row, index, when, reason):
    """All requests of the load are queued; ``when`` is the latest answer known already."""
    if A[s + LOAD_REMAIN + index] == 0:
        free_load(A, s, index)
        set_ready(A, s, w, row, when, reason)
        return
    A[s + LOAD_TIME + index] = max(A[s + LOAD_TIME + index], when)
    A[s + PENDING + w] += 1
    A[s + LAST_LOAD] = index
    set_ready(A, s, w, row, BIG, reason)


@inline
def has_room(A, P, s, hub_left):
    """Whether the SM can take another memory instruction: load entry, request queue, hub credit."""
    if A[s + LOADS_USED] >= min(P[MSHRS], LOADS - 1) or A[s + REQUEST_COUNT] > REQUESTS - 160:
        return False
    waiting = A[s + PACKETS_SENT] - hub_left
    return waiting < P[REMOTE_CREDITS] and A[s + PACKET_COUNT] < PACKET_ROWS - 65


@outline
def new_packet(A, s):
    """Arena index of a zeroed packet row of this quantum."""
    n = A[s + PACKET_COUNT]
    A[s + PACKET_COUNT] = n + 1
    A[s + PACKETS_SENT] += 1
    row = A[s + COLD] + PACKETS + n * PACKET_WORDS
    for i in range(PACKET_WORDS):
        A[row + i] = 0
    return row
