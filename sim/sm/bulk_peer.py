"""Bulk stores to the memory of another GPU: the engine reads shared memory line by line and hands packets to the hub.

A line is read when its packet leaves, which credits of the SM may delay. The copy is complete as soon as its source is free,
as on an H200 (nvlink_p2p: peer_bulk_store_done): only fences wait for what other GPUs acknowledge.
"""

from ..addresses import REGION_BITS
from ..hub.order import SM_DONE
from ..jit import inline, outline
from ..layout import gpu_base
from ..net.packet import BYTES as PACKET_BYTES
from ..net.packet import DATA, MASK_HI, MASK_LO, Packet, span_bits
from ..params import REMOTE_CREDITS, TICKS, TMA_COPY_CYCLES, TMA_PEER_TICKS, TMA_READ_CYCLES, TMA_WRITTEN_CYCLES
from ..raw import address_of, load_i64, store_64
from ..state import (
    FUNCTIONAL,
    PACKET_COUNT,
    PACKET_ROWS,
    PACKETS_SENT,
    R_SUB,
    REQUEST_COUNT,
    REQUESTS,
    SM_INDEX,
    TMA_BUSY,
    Fault,
    Request,
)
from .bulk_groups import group_progress, in_group, open_copy
from .bulk_operands import move
from .cta import free_warp
from .mailbox import READ, WRITTEN, post
from .memory_space import allocated_range, fault, memory_delta
from .opaque import copy_out
from .remote import head_packet, peer_of
from .requests import request
from .tma import (
    BEGIN,
    ENGINE_FREE,
    LEFT,
    OBJECT,
    PEER_ADDRESS,
    PEER_BYTES,
    PEER_FREE,
    TARGET,
    begin,
    unit,
)


@inline
def is_peer(A, gpu, address):
    """Whether the address is in the memory of another GPU."""
    peer = peer_of(A, address >> REGION_BITS)
    return peer >= 0 and peer != gpu


@inline
def _lines(address, nbytes):
    """How many lines a range touches."""
    return (address + nbytes + 127 >> 7) - (address >> 7)


@outline
def _enter(A, P, s, w, address, source, nbytes, t):
    """Queue the copy behind those of the SM's engine."""
    u = unit(A, s)
    i = begin(A, P, s, Request.TMA_PEER, t)
    A[u + OBJECT + i] = source
    A[u + PEER_ADDRESS + i] = address
    A[u + PEER_BYTES + i] = nbytes
    A[u + TARGET + i] = open_copy(A, s, w) << 8 | w
    A[u + LEFT + i] = _lines(address, nbytes)
    ticks = A[u + BEGIN + i] + A[u + LEFT + i] * P[TMA_PEER_TICKS]
    A[u + ENGINE_FREE] = max(ticks, A[u + BEGIN + i] + P[TMA_COPY_CYCLES] * TICKS)
    A[s + TMA_BUSY] += 1


@outline
def peer_store(A, P, g, s, w, row, lane, address, source, nbytes, t):
    """A bulk store from host address ``source`` of shared memory to a peer. Returns False after a fault."""
    region = address >> REGION_BITS
    peer = gpu_base(region - 1)
    if address & 15 or nbytes & 15:
        fault(A, g, s, w, Fault.MISALIGNED, lane, address, 16, t)
        return False
    if not allocated_range(A, peer, address, nbytes):
        fault(A, g, s, w, Fault.ADDRESS, lane, address, nbytes, t)
        return False
    really = copy_out(A, g, s, w, region - 1, address, source, nbytes, lane, t)
    if really < 0:
        return False
    if A[FUNCTIONAL]:
        if really:
            move(A, P, A[row + R_SUB], address + memory_delta(A, peer, region), source, nbytes)
    elif nbytes == 0:
        in_group(A, s, w, t, t)
    else:
        _enter(A, P, s, w, address, source, nbytes, t)
    return True


@outline
def _packet(A, P, gpu, s, i, t):
    """The packet of the copy's next line."""
    u = unit(A, s)
    address, source = A[u + PEER_ADDRESS + i], A[u + OBJECT + i]
    at = address & 127
    n = min(128 - at, A[u + PEER_BYTES + i])
    packet = head_packet(A, s, gpu, t, Packet.STORE_SYNC, (address >> REGION_BITS) - 1, address >> 7)
    A[packet + MASK_LO] = span_bits(at, at + n)
    A[packet + MASK_HI] = span_bits(at - 64, at + n - 64)
    A[packet + PACKET_BYTES] = n
    data = address_of(A, packet + DATA) + at
    for k in range(0, n, 8):
        store_64(data + k, load_i64(source + k))
    request(A, s, t, 0, 0, Request.EGRESS, 0, 0, packet)
    A[u + PEER_ADDRESS + i] = address + n
    A[u + OBJECT + i] = source + n
    A[u + PEER_BYTES + i] -= n
    A[u + LEFT + i] -= 1


@inline
def _may_send(A, P, g, s):
    """Whether the SM has room for another packet, and a credit."""
    waiting = A[s + PACKETS_SENT] - A[g + SM_DONE + A[s + SM_INDEX]]
    room = A[s + REQUEST_COUNT] < REQUESTS - 200 and A[s + PACKET_COUNT] < PACKET_ROWS - 1
    return room and waiting < P[REMOTE_CREDITS]


@inline
def _tell(A, s, kind, i, when):
    """The copy has read its source, or is complete."""
    owner = A[unit(A, s) + TARGET + i]
    w, group = owner & 255, owner >> 8
    if not post(A, s, when, kind, w, group) and group_progress(A, s, w, kind, group, when):
        free_warp(A, s, w)


@outline
def send_lines(A, P, g, gpu, s, i, begin, end):
    """Send what leaves from cycle ``begin`` to ``end``. Returns the tick at which the next line can leave."""
    u = unit(A, s)
    ticks = max(A[u + BEGIN + i], A[u + PEER_FREE], begin * TICKS)
    while A[u + LEFT + i] > 0 and ticks < end * TICKS and _may_send(A, P, g, s):
        _packet(A, P, gpu, s, i, ticks // TICKS)
        ticks += P[TMA_PEER_TICKS]
    A[u + PEER_FREE] = ticks
    if A[u + LEFT + i] == 0:
        A[u + ENGINE_FREE] = max(A[u + ENGINE_FREE], ticks)
        read = max(ticks // TICKS + P[TMA_READ_CYCLES], end)
        _tell(A, s, READ, i, read)
        _tell(A, s, WRITTEN, i, read + P[TMA_WRITTEN_CYCLES])
    return ticks
