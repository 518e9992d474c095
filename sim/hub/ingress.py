"""The receiving side of the hub: what each kind of packet does on arrival, and what it is answered with."""

from traces.records import PACKET_WORDS as RECORD_WORDS

from ..addresses import DYMULTIMEM_REGION, REGION_BITS
from ..jit import inline, outline
from ..net.interface import new_row
from ..net.link import delay_response, plane_of
from ..net.packet import (
    ADDR,
    AUX,
    BYTES,
    COUNT,
    DATA,
    DST,
    ENTERED,
    FLITS,
    KIND,
    MASK_HI,
    MASK_LO,
    MULTICAST_KINDS,
    OP,
    ORDER,
    PLANE,
    RESPONSE,
    SEQ,
    SRC,
    TAG,
    TIME,
    VC,
    Packet,
    is_in,
    wire_flits,
)
from ..net.port import LOCAL, arrive
from ..params import FLIT_TICKS, FN_REDUCE_BYTES, HOP, TICKS, TRACE_PACKETS
from ..raw import address_of, call, store_64
from ..state import GPUS
from . import aau, multimem
from .dam import ack_mask
from .endings import announced, written
from .memory import atomic_line, host_address, read_line, write_line, access_time
from .order import RECORD_ADDRESS, RECORD_COUNT, RECORD_ROOM, settle


@outline
def new_reply(A, P, g, gpu, row, kind):
    """An answer to a packet, without its data and not yet queued."""
    reply = new_row(A, g)
    for field in (ADDR, TAG, OP, ORDER):
        A[reply + field] = A[row + field]
    if kind != Packet.ACK:
        for field in (MASK_LO, MASK_HI, BYTES):
            A[reply + field] = A[row + field]
    if is_in(A[row + KIND], MULTICAST_KINDS):
        A[reply + AUX] = A[row + AUX]
    A[reply + KIND] = kind
    A[reply + SRC] = gpu
    A[reply + DST] = A[row + SRC]
    A[reply + VC] = RESPONSE
    A[reply + PLANE] = plane_of(P, A[row + ADDR])
    A[reply + FLITS] = wire_flits(A, reply)
    return reply


@inline
def send_reply(A, g, gpu, row, reply, cycle):
    """Queue an answer that is ready at ``cycle``. One to the own GPU does not use the links, unless it is combined in
    the switch."""
    A[reply + ENTERED] = cycle
    if A[reply + DST] == gpu and not is_in(A[row + KIND], MULTICAST_KINDS):
        A[reply + PLANE] = LOCAL
        arrive(A, g, reply, cycle)
    else:
        delay_response(A, g, cycle, reply)


@inline
def _performed(A, P, g, gpu, row, address, cycle):
    """A store was performed at ``cycle``: thread blocks may depend on it, its source waits for the acknowledgement."""
    ack_mask(A, P, g, cycle, address, A[row + MASK_LO], A[row + MASK_HI])
    written(A, P, g, A[GPUS], cycle, A[row + SRC], A[row + ORDER] >> 32, A[row + BYTES])
    send_reply(A, g, gpu, row, new_reply(A, P, g, gpu, row, Packet.ACK), cycle)


@inline
def _store(A, P, g, gpu, t, row, address):
    """Write and acknowledge."""
    _performed(A, P, g, gpu, row, address, write_line(A, P, g, t, row, address))


@inline
def _row_store(A, P, g, gpu, t, row):
    """The AAU says where a row store goes."""
    address, known = aau.translate(A, P, g, t, row)
    if address >= 0:
        _store(A, P, g, gpu, known, row, address)


@inline
def _load(A, P, g, gpu, t, row):
    """Read and answer."""
    reply = new_reply(A, P, g, gpu, row, Packet.LOAD_RESP)
    send_reply(A, g, gpu, row, reply, read_line(A, P, g, t, row, A[row + ADDR], reply))


@inline
def _atomic(A, P, g, gpu, t, row):
    """Operate at L2; ``atom`` is answered with the old values, ``red`` with an acknowledgement."""
    if A[row + KIND] == Packet.RED:
        _performed(A, P, g, gpu, row, A[row + ADDR], atomic_line(A, P, g, t, row, A[row + ADDR], 0))
        return
    reply = new_reply(A, P, g, gpu, row, Packet.ATOM_RESP)
    send_reply(A, g, gpu, row, reply, atomic_line(A, P, g, t, row, A[row + ADDR], reply))


@inline
def _record(A, P, row, gpu, t, at):
    """Write a packet record (traces/records.py) at host address ``at``."""
    sent = A[row + ENTERED]
    alone = 2 * P[HOP] + (A[row + FLITS] * P[FLIT_TICKS] + TICKS - 1) // TICKS
    waited = max(t - sent - alone, 0) if A[row + PLANE] != LOCAL else 0
    word = A[row + SRC] | gpu << 8 | A[row + KIND] << 16 | A[row + VC] << 24 | A[row + FLITS] << 32
    store_64(at, sent)
    store_64(at + 8, t)
    store_64(at + 16, word)
    store_64(at + 24, A[row + ADDR])
    store_64(at + 32, A[row + BYTES])
    store_64(at + 40, waited)
    store_64(at + 48, A[row + TAG])
    store_64(at + 56, A[row + SEQ])


@inline
def _trace(A, P, g, gpu, t, row):
    """Record the packet if packets are recorded."""
    if P[TRACE_PACKETS] and A[g + RECORD_ADDRESS] != 0 and A[g + RECORD_COUNT] < A[g + RECORD_ROOM]:
        n = A[g + RECORD_COUNT]
        A[g + RECORD_COUNT] = n + 1
        _record(A, P, row, gpu, t, A[g + RECORD_ADDRESS] + 8 * RECORD_WORDS * n)


@outline
def ingress(A, P, g, gpu, t, row):
    """A packet arrived at cycle ``t``. 1: it answers an SM's load or atomic, and the core takes its data; 0: done."""
    kind = A[row + KIND]
    _trace(A, P, g, gpu, t, row)
    if kind == Packet.STORE or kind == Packet.STORE_SYNC:
        _store(A, P, g, gpu, t, row, A[row + ADDR])
    elif kind == Packet.ACK:
        settle(A, g, A[row + ORDER])
    elif kind == Packet.LOAD_RESP:
        return 1
    elif kind == Packet.ROWSP:
        _row_store(A, P, g, gpu, t, row)
    elif kind == Packet.LOAD:
        _load(A, P, g, gpu, t, row)
    elif kind == Packet.ATOM_RESP:
        settle(A, g, A[row + ORDER])
        return 1
    elif kind == Packet.ATOM or kind == Packet.RED:
        _atomic(A, P, g, gpu, t, row)
    elif kind == Packet.EOS:
        announced(A, P, g, A[GPUS], t, A[row + SRC], A[row + ORDER] >> 32, A[row + AUX], A[row + TAG])
    return 0
