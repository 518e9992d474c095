"""The receiving side of the hub: what each kind of packet does on arrival, and what it is answered with."""

from traces.records import PACKET_WORDS as RECORD_WORDS

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
    VC,
    Packet,
    is_in,
    wire_flits,
)
from ..net.port import LOCAL, arrive_locally
from ..net.sums import sum_add, sum_begin, sum_result
from ..params import FLIT_TICKS, HOP, HUB_REQUEST, L2_CYCLES, L2_REQUEST_CYCLES, TICKS, TRACE_PACKETS
from ..raw import address_of, store_64
from ..state import GPUS
from . import aau, multimem
from .dam import ack_mask
from .endings import announced, written
from .masks import mask_end
from .memory import atomic_line, read_line, reduce_line, write_line
from .order import LINE, LINE_SCRATCH, LINE_SUM, RECORD_ADDRESS, RECORD_COUNT, RECORD_ROOM, settle


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
        arrive_locally(A, g, reply, cycle)
    else:
        delay_response(A, g, cycle, reply)


@inline
def _acknowledge(A, P, g, gpu, row, cycle):
    """All of a store was performed by ``cycle``: an ending may wait for that; its source hears of it as of what it reads."""
    written(A, P, g, A[GPUS], cycle, A[row + SRC], A[row + ORDER] >> 32, A[row + BYTES])
    send_reply(A, g, gpu, row, new_reply(A, P, g, gpu, row, Packet.ACK), cycle + P[L2_CYCLES] - P[L2_REQUEST_CYCLES])


@inline
def _write(A, P, g, t, row, address):
    """Write a packet's bytes; thread blocks may depend on them. Returns when they are written."""
    done = write_line(A, P, g, t, row, address)
    ack_mask(A, P, g, done, address, A[row + MASK_LO], A[row + MASK_HI])
    return done


@outline
def _store(A, P, g, gpu, t, row, address):
    """Write and acknowledge; a negative address is a fault that was reported already."""
    if address >= 0:
        _acknowledge(A, P, g, gpu, row, _write(A, P, g, t, row, address))


@outline
def _load(A, P, g, gpu, t, row, address, kind):
    """Read and answer with a packet of ``kind``."""
    if address < 0:
        return
    reply = new_reply(A, P, g, gpu, row, kind)
    send_reply(A, g, gpu, row, reply, read_line(A, P, g, t, row, address, address_of(A, reply + DATA)))


@inline
def _reduce(A, P, g, gpu, row, address, done):
    """A reduction was performed on memory at cycle ``done``."""
    ack_mask(A, P, g, done, address, A[row + MASK_LO], A[row + MASK_HI])
    _acknowledge(A, P, g, gpu, row, done)


@outline
def _atomic(A, P, g, gpu, t, row):
    """Operate at L2; ``atom`` is answered with the old values, ``red`` with an acknowledgement."""
    if A[row + KIND] == Packet.RED:
        _reduce(A, P, g, gpu, row, A[row + ADDR], atomic_line(A, P, g, t, row, A[row + ADDR], 0))
        return
    reply = new_reply(A, P, g, gpu, row, Packet.ATOM_RESP)
    send_reply(A, g, gpu, row, reply, atomic_line(A, P, g, t, row, A[row + ADDR], reply))


@outline
def _multicast(A, P, g, gpu, t, row):
    """A copy of a static multicast request: this GPU's own buffer is meant."""
    kind = A[row + KIND]
    address = multimem.member_address(A, g, t, A[row + ADDR], mask_end(A[row + MASK_LO], A[row + MASK_HI]))
    if kind == Packet.MM_ST:
        _store(A, P, g, gpu, t, row, address)
    elif kind == Packet.MM_LDRED:
        _load(A, P, g, gpu, t, row, address, Packet.MM_RESP)
    elif address >= 0:
        _reduce(A, P, g, gpu, row, address, reduce_line(A, P, g, t, row, address))


@outline
def _dynamic_store(A, P, g, gpu, t, row):
    """Write to the layout block of every target expert on this GPU, acknowledge once."""
    done = t
    for i in range(A[row + COUNT]):
        local = multimem.local_expert(A, g, gpu, row, i)
        if local >= 0:
            address, known = multimem.translate(A, P, g, t, A[row + ADDR], local, True)
            if address < 0:
                return
            done = max(done, _write(A, P, g, known, row, address))
    _acknowledge(A, P, g, gpu, row, done)


@outline
def _dynamic_load(A, P, g, gpu, t, row):
    """Add up the blocks of the target experts on this GPU and answer once. Assumption: the hub reduces
    its own experts first; the partial result has the operand type on the wire."""
    line, scratch, total = address_of(A, g + LINE), address_of(A, g + LINE_SCRATCH), address_of(A, g + LINE_SUM)
    lo, hi = A[row + MASK_LO], A[row + MASK_HI]
    done = t
    found = 0
    for i in range(A[row + COUNT]):
        local = multimem.local_expert(A, g, gpu, row, i)
        if local >= 0:
            address, known = multimem.translate(A, P, g, t, A[row + ADDR], local, False)
            if address < 0:
                return
            done = max(done, read_line(A, P, g, known, row, address, line))
            if found == 0:
                sum_begin(total, line, A[row + OP], lo, hi)
            else:
                sum_add(P, total, line, scratch, A[row + OP], lo, hi)
            found += 1
    reply = new_reply(A, P, g, gpu, row, Packet.DYMM_RESP)
    sum_result(address_of(A, reply + DATA), total, A[row + OP], lo, hi)
    send_reply(A, g, gpu, row, reply, done)


@inline
def _record(A, P, row, gpu, t, at):
    """Write a packet record (traces/records.py) at host address ``at``."""
    sent = A[row + ENTERED]
    alone = 2 * P[HOP] + (A[row + FLITS] * P[FLIT_TICKS] + TICKS - 1) // TICKS
    if A[row + VC] != RESPONSE:
        alone += P[HUB_REQUEST]
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
    """A packet arrived at cycle ``t``. 1: it answers an SM's load or atomic, which the core sees to; 0: done."""
    kind = A[row + KIND]
    _trace(A, P, g, gpu, t, row)
    if kind == Packet.STORE or kind == Packet.STORE_SYNC:
        _store(A, P, g, gpu, t, row, A[row + ADDR])
    elif kind == Packet.ACK:
        settle(A, g, A[row + ORDER])
    elif kind == Packet.LOAD_RESP:
        settle(A, g, A[row + ORDER])
        return 1
    elif kind == Packet.ROWSP:
        address, known = aau.translate(A, P, g, t, row)
        _store(A, P, g, gpu, known, row, address)
    elif kind == Packet.LOAD:
        _load(A, P, g, gpu, t, row, A[row + ADDR], Packet.LOAD_RESP)
    elif kind == Packet.ATOM_RESP:
        settle(A, g, A[row + ORDER])
        return 1
    elif kind == Packet.ATOM or kind == Packet.RED:
        _atomic(A, P, g, gpu, t, row)
    elif kind == Packet.EOS:
        announced(A, P, g, A[GPUS], t, A[row + SRC], A[row + ORDER] >> 32, A[row + AUX], A[row + TAG])
    elif kind == Packet.DYMM_ST:
        _dynamic_store(A, P, g, gpu, t, row)
    elif kind == Packet.DYMM_LDRED:
        _dynamic_load(A, P, g, gpu, t, row)
    else:
        _multicast(A, P, g, gpu, t, row)
    return 0
