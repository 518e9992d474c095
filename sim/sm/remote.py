"""Accesses that leave the GPU: an instruction becomes packets of at most 128 bytes, one per line it touches."""

from ..jit import inline, outline
from ..layout import gpu_base
from ..net.packet import ADDR, AUX, BYTES, DATA, DST, KIND, MASK_HI, MASK_LO, OP, SRC, TAG, TIME, Packet
from ..params import (
    FN_ADDRESSES,
    FN_COALESCE,
    FN_GATHER_LINE,
    FN_LINE_MASKS,
    FN_LOAD,
    FN_STORE,
    REMOTE_INTERVAL,
    REMOTE_PAGE,
    REMOTE_PAGE_LOAD,
    REMOTE_PAGES,
    REMOTE_RED,
    REMOTE_REQUEST,
    TICKS,
)
from ..raw import address_of, call, ctz, popcount
from ..state import (
    FLAG_STRONG,
    FUNCTIONAL,
    GPUS,
    LOAD_REMAIN,
    PEER_PAGE,
    R_HEAD,
    R_IMM,
    R_SUB,
    SCRATCH,
    SM_INDEX,
    Fault,
    Request,
)
from .memory_space import allocated, fault, memory_delta
from .opaque import loaded_lanes, stored_lanes
from .operands import datum, operand, registers, scratch
from .requests import new_packet, note_addresses, request
from .units import LOAD_TICKS, LSU_TOOK

_LINES = 64
_MASKS = 160
_PAGE_LINES = 14
"""Logarithm of the lines of a page of 2 MB."""
_ROWSP_GPU = 56 - 7
"""The top byte of a rowsp register is the GPU of its MallocID; here it is seen as a line number."""


@inline
def coalesced(A, P, s, w, row, mask, nbytes):
    """Lines that active lanes touch with ``nbytes`` each (scratch ``_LINES``). Returns their number."""
    return call(P[FN_COALESCE], address_of(A, s + SCRATCH + _LINES), scratch(A, s), nbytes, mask, 0, 0, 0, 0)


@inline
def element_addresses(A, P, s, w, row, mask, index, size):
    """Lane addresses of element ``index`` of a vector access, in scratch."""
    pointer = operand(A, row, 4, registers(A, s, w))
    offset = A[row + R_IMM] + index * size
    call(P[FN_ADDRESSES], scratch(A, s), pointer, A[row + R_SUB] >> 40 & 1, offset, size, mask, 0, 0)


@inline
def add_mask(A, P, s, packet, size, line, mask):
    """Add the bytes of ``line`` that lanes touch to the packet's byte mask."""
    result = address_of(A, s + SCRATCH + _MASKS)
    call(P[FN_LINE_MASKS], result, scratch(A, s), size, line, mask, 0, 0, 0)
    A[packet + MASK_LO] |= A[s + SCRATCH + _MASKS]
    A[packet + MASK_HI] |= A[s + SCRATCH + _MASKS + 1]


@inline
def head_packet(A, s, gpu, t, kind, dst, line):
    """A new packet with its fixed fields."""
    packet = new_packet(A, s)
    A[packet + TIME] = t
    A[packet + KIND] = kind
    A[packet + SRC] = gpu
    A[packet + DST] = dst
    A[packet + ADDR] = line << 7
    A[packet + TAG] = A[s + SM_INDEX] << 16
    return packet


@inline
def _port_ticks(P, kind, nbytes):
    """How long a packet occupies the SM's port to the hub; one with data by its sectors."""
    if kind == Packet.LOAD or (kind == Packet.RED and nbytes <= 16):
        return P[REMOTE_RED] * TICKS
    least = P[REMOTE_REQUEST] * TICKS
    return least + ((nbytes + 31) // 32 - 1) * (P[REMOTE_INTERVAL] - least) // 3


@inline
def translate(A, P, s, first, last, waits):
    """The access at issue touches lines ``first`` to ``last`` of a peer's memory: a page that is not among those the SM
    has at hand takes time, more if the access waits for an answer."""
    page = last >> _PAGE_LINES
    slot = s + PEER_PAGE + page % P[REMOTE_PAGES]
    if A[slot] != page or first >> _PAGE_LINES != page:
        A[slot] = page
        if waits:
            A[s + LSU_TOOK] = max(A[s + LSU_TOOK], P[REMOTE_PAGE_LOAD])
        else:
            A[s + LSU_TOOK] += P[REMOTE_PAGE]


@inline
def send(A, P, s, packet, t, count):
    """Hand a finished packet to the hub as the ``count``-th of its instruction. The LSU serves nobody else meanwhile."""
    nbytes = popcount(A[packet + MASK_LO]) + popcount(A[packet + MASK_HI])
    A[packet + BYTES] = nbytes
    ticks = _port_ticks(P, A[packet + KIND], nbytes)
    at = t + count * ticks // TICKS
    A[packet + TIME] = at
    request(A, s, at, 0, 0, Request.EGRESS, 0, 0, packet)
    took = A[s + LOAD_TICKS] + ticks
    A[s + LOAD_TICKS] = took % TICKS
    A[s + LSU_TOOK] += took // TICKS - (1 if count == 0 else 0)


@inline
def _translate_all(A, P, s, n, waits):
    """`translate` for the ``n`` lines found last."""
    translate(A, P, s, A[s + SCRATCH + _LINES], A[s + SCRATCH + _LINES + 2 * n - 2], waits)


@outline
def data_packets(A, P, gpu, s, w, row, mask, kind, dst, aux, t):
    """One packet per line with the data operands of the instruction. Returns the first packet's row, or -1."""
    sub = A[row + R_SUB]
    size = 1 << (sub & 15)
    n_elements = sub >> 16 & 15
    regs = registers(A, s, w)
    n = coalesced(A, P, s, w, row, mask, size * n_elements)
    first = -1
    for k in range(n):
        line = A[s + SCRATCH + _LINES + 2 * k]
        packet = head_packet(A, s, gpu, t, kind, line >> _ROWSP_GPU if dst < 0 else dst, line)
        if first < 0:
            first = packet
        A[packet + AUX] = aux
        A[packet + OP] = sub >> 48 & 0xFFFF
        for i in range(n_elements):
            element_addresses(A, P, s, w, row, mask, i, size)
            data = address_of(A, packet + DATA)
            call(P[FN_GATHER_LINE], data, scratch(A, s), 0, datum(A, row, i, regs), size, line, mask, 0)
            add_mask(A, P, s, packet, size, line, mask)
        send(A, P, s, packet, t, k)
    if kind == Packet.STORE or kind == Packet.STORE_SYNC:
        _translate_all(A, P, s, n, False)
    return first


@inline
def peer_of(A, region):
    """The GPU whose memory the region is, or -1."""
    return region - 1 if region >= 1 and region <= A[GPUS] else -1


@outline
def check_peer(A, g, s, w, region, nbytes, mask, t):
    """The peer GPU of an access, after checking its bounds; -1 after a fault."""
    peer = peer_of(A, region)
    if peer < 0:
        lane = ctz(mask)
        code = Fault.MULTIMEM if region >= 128 else Fault.ADDRESS
        fault(A, g, s, w, code, lane, A[s + SCRATCH + lane], nbytes, t)
        return -1
    bad = allocated(A, gpu_base(peer), s, nbytes, mask, 0)
    if bad >= 0:
        fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], nbytes, t)
        return -1
    return peer


@inline
def _move_now(A, P, s, w, row, mask, peer, region, function):
    """Functional mode: the data moves at once."""
    sub = A[row + R_SUB]
    delta = memory_delta(A, gpu_base(peer), region)
    for i in range(sub >> 16 & 15):
        at = delta + i * (1 << (sub & 15))
        call(function, datum(A, row, i, registers(A, s, w)), scratch(A, s), at, sub & 63, mask, 0, 0, 0)


@outline
def remote_store(A, P, g, gpu, s, w, row, mask, region, t):
    """A store to a peer's memory. Returns False after a fault."""
    sub = A[row + R_SUB]
    peer = check_peer(A, g, s, w, region, (1 << (sub & 15)) * (sub >> 16 & 15), mask, t)
    if peer < 0 or stored_lanes(A, g, s, w, peer, mask, 0, t) < 0:
        return False
    if A[FUNCTIONAL]:
        _move_now(A, P, s, w, row, mask, peer, region, P[FN_STORE])
        return True
    kind = Packet.STORE_SYNC if A[row + R_HEAD] >> 32 & FLAG_STRONG else Packet.STORE
    data_packets(A, P, gpu, s, w, row, mask, kind, peer, 0, t)
    return True


@outline
def request_packets(A, P, gpu, s, w, row, mask, kind, dst, index, t):
    """One request per line for data that comes back to load entry ``index``. Returns the first packet's row."""
    sub = A[row + R_SUB]
    size = (1 << (sub & 15)) * (sub >> 16 & 15)
    note_addresses(A, s, index, mask)
    n = coalesced(A, P, s, w, row, mask, size)
    first = -1
    for k in range(n):
        line = A[s + SCRATCH + _LINES + 2 * k]
        packet = head_packet(A, s, gpu, t, kind, dst, line)
        if first < 0:
            first = packet
        A[packet + TAG] |= index
        A[packet + OP] = sub >> 48 & 0xFFFF
        add_mask(A, P, s, packet, size, line, mask)
        send(A, P, s, packet, t, k)
        A[s + LOAD_REMAIN + index] += 1
    if kind == Packet.LOAD:
        _translate_all(A, P, s, n, True)
    return first


@outline
def remote_load(A, P, g, gpu, s, w, row, mask, region, index, t):
    """A load from a peer's memory. Returns False after a fault."""
    sub = A[row + R_SUB]
    peer = check_peer(A, g, s, w, region, (1 << (sub & 15)) * (sub >> 16 & 15), mask, t)
    if peer < 0:
        return False
    loaded_lanes(A, s, w, row, peer, mask, 0)
    if A[FUNCTIONAL]:
        _move_now(A, P, s, w, row, mask, peer, region, P[FN_LOAD])
        return True
    request_packets(A, P, gpu, s, w, row, mask, Packet.LOAD, peer, index, t)
    return True
