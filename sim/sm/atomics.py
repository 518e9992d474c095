"""Atomics and reductions: shared memory, the own GPU's L2, a peer's L2."""

from isa.instr import Kind
from isa.special import RANK_BITS
from isa.types import AtomOp, ValType
from traces.records import Stall

from ..addresses import REGION_BITS, SHARED_REGION
from ..far import far
from ..ir.atomics import FLUSH
from ..jit import inline, outline
from ..layout import gpu_base
from ..mem.l2 import atomic_ticks
from ..net.packet import AUX, DATA, MASK_HI, MASK_LO, OP, TAG, Packet
from ..params import (
    ATOM_CYCLES,
    FN_ATOM,
    FN_GATHER_LINE,
    FN_LINE_MASKS,
    RED_CYCLES,
    SMEM_ATOM_CYCLES,
    SMEM_CYCLES,
    SMEM_FLOAT_CYCLES,
    SMEM_FLOAT_INTERVAL,
    SMEM_FLOAT_ROUND,
)
from ..raw import address_of, call, ctz, load_i64, load_u16, load_u32, popcount
from ..state import (
    CTA_SLOT,
    FUNCTIONAL,
    LAST_EFFECT,
    LOAD_REMAIN,
    R_HEAD,
    R_OP01,
    R_SUB,
    SCRATCH,
    Fault,
    Request,
    Space,
)
from .cache_hints import l2_hints
from .cluster import distributed_time
from .lsu import coalesce, element_bytes, elements, lane_addresses, reserve_lsu
from .memory_space import (
    aligned,
    allocated,
    enter_window,
    fault,
    in_shared,
    is_own,
    lanes_in_region,
    memory_delta,
    misaligned_lane,
    region_of,
    window_base,
)
from .opaque import atomic_lanes, atomic_shared
from .operands import listed, operand, registers, scratch
from .remote import check_peer, element_addresses, head_packet, send, translate
from .requests import new_load, note_addresses, request, settle_load
from .scoreboard import set_ready
from .shared import atomic_wavefronts, wavefronts

CAS = AtomOp.CAS
"""The only operation with two operands."""
_LINES, _MASKS = 64, 160


@inline
def _format(A, row, region):
    """Operation and type; f32 sums flush subnormals everywhere but in shared memory (PTX ISA 9.0, 9.7.13.6)."""
    fmt = A[row + R_SUB] >> 48 & 0xFFFF
    return fmt | FLUSH if fmt == AtomOp.ADD | ValType.F32 << 8 and region != SHARED_REGION else fmt


@inline
def _apply(A, P, s, w, row, mask, delta, returns, fmt):
    """Do the operation in lane order, element by element; old values go to the first operands if it returns them."""
    regs = registers(A, s, w)
    n = elements(A[row + R_SUB])
    if n == 1:
        old = operand(A, row, 0, regs) if returns else 0
        call(P[FN_ATOM], old, scratch(A, s), delta, operand(A, row, 1, regs), operand(A, row, 2, regs), fmt, mask, 0)
        return
    size = element_bytes(A[row + R_SUB])
    for i in range(n):
        old = listed(A, row, i, regs) if returns else 0
        source = listed(A, row, returns * n + i, regs)
        call(P[FN_ATOM], old, scratch(A, s), delta + i * size, source, 0, fmt, mask, 0)


@inline
def _adds_floats(fmt):
    """Whether an operation and type is a sum of floating-point numbers."""
    return fmt & 255 == AtomOp.ADD and fmt >> 8 >= ValType.F32 and fmt >> 8 <= ValType.BF16X2


@inline
def _own_time(A, P, s, w, row, mask, nbytes, index, returns, t):
    """Requests of an atomic on the own GPU's memory: one per line, as many operations as elements of lanes in it."""
    n = coalesce(A, P, s, nbytes, mask)
    result = address_of(A, s + SCRATCH + _MASKS)
    size = element_bytes(A[row + R_SUB])
    is_float = _adds_floats(A[row + R_SUB] >> 48 & 0xFFFF)
    sent = 0
    for i in range(n):
        line = A[s + SCRATCH + _LINES + 2 * i]
        call(P[FN_LINE_MASKS], result, scratch(A, s), nbytes, line, mask, 0, 0, 0)
        lanes = popcount(A[s + SCRATCH + _MASKS + 2]) * elements(A[row + R_SUB])
        kind = (Request.ATOM if returns else Request.RED) | l2_hints(A, s, w, row, mask, line)
        distinct = (popcount(A[s + SCRATCH + _MASKS]) + popcount(A[s + SCRATCH + _MASKS + 1])) // size
        sectors = A[s + SCRATCH + _LINES + 2 * i + 1]
        busy = atomic_ticks(P, popcount(sectors), lanes - distinct, is_float, returns)
        request(A, s, t + sent, line, 15, kind, max(index, 0), min(lanes, 255) | busy << 8, -1)
        sent += popcount(sectors) + (lanes - distinct) * (1 + returns)
        if returns:
            A[s + LOAD_REMAIN + index] += 1
    reserve_lsu(A, s, t, max(sent, P[ATOM_CYCLES] if returns else P[RED_CYCLES]))


@inline
def _read(address, size):
    """``size`` bytes at a host address."""
    if size == 8:
        return load_i64(address)
    return load_u32(address) if size == 4 else load_u16(address)


@inline
def _atomic_packet(A, P, gpu, s, w, row, lanes, size, line, kind, peer, index, k, t):
    """A packet for the operations of ``lanes`` on one line: operands at their byte offsets, a swap value in AUX."""
    regs = registers(A, s, w)
    n = elements(A[row + R_SUB])
    fmt = _format(A, row, 0)
    packet = head_packet(A, s, gpu, t, kind, peer, line)
    A[packet + TAG] |= index | (ctz(lanes) + 1 << 10 if lanes & lanes - 1 == 0 else 0)
    A[packet + OP] = fmt
    data = address_of(A, packet + DATA)
    element = size // n
    for i in range(n):
        if n > 1:
            element_addresses(A, P, s, w, row, lanes, i, element)
        source = operand(A, row, 1, regs) if n == 1 else listed(A, row, (kind == Packet.ATOM) * n + i, regs)
        call(P[FN_GATHER_LINE], data, scratch(A, s), 0, source, element, line, lanes, 0)
    if n > 1:
        element_addresses(A, P, s, w, row, lanes, 0, size)
    if fmt & 255 == CAS:
        slot = max(size, 4)
        A[packet + AUX] = _read(operand(A, row, 2, regs) + ctz(lanes) * slot, slot)
    call(P[FN_LINE_MASKS], address_of(A, s + SCRATCH + _MASKS), scratch(A, s), size, line, lanes, 0, 0, 0)
    A[packet + MASK_LO] = A[s + SCRATCH + _MASKS]
    A[packet + MASK_HI] = A[s + SCRATCH + _MASKS + 1]
    send(A, P, s, packet, t, k)


@outline
def remote_atomic(A, P, gpu, s, w, row, mask, size, peer, index, returns, t):
    """Packets of an atomic on a peer's memory: lanes of a line share one unless they collide or swap."""
    kind = Packet.ATOM if returns else Packet.RED
    if index >= 0:
        note_addresses(A, s, index, mask)
    left = mask
    k = 0
    while left:
        line = A[s + SCRATCH + ctz(left)] >> 7
        call(P[FN_LINE_MASKS], address_of(A, s + SCRATCH + _MASKS), scratch(A, s), size, line, left, 0, 0, 0)
        lanes = A[s + SCRATCH + _MASKS + 2]
        nbytes = popcount(A[s + SCRATCH + _MASKS]) + popcount(A[s + SCRATCH + _MASKS + 1])
        if nbytes < popcount(lanes) * size or A[row + R_SUB] >> 48 & 255 == CAS:
            lanes = left & -left
        _atomic_packet(A, P, gpu, s, w, row, lanes, size, line, kind, peer, max(index, 0), k, t)
        left &= ~lanes
        k += 1
    translate(A, P, s, A[s + SCRATCH + ctz(mask)] >> 7, line, returns)
    if index >= 0:
        A[s + LOAD_REMAIN + index] += k


@inline
def _shared_time(A, P, g, s, w, row, size, mask, unit, t):
    """When an atomic on shared memory, the own or another CTA's, has its old value."""
    if A[s + SCRATCH + 33] >> RANK_BITS:
        done = distributed_time(A, P, g, s, A[s + CTA_SLOT + w], A[s + SCRATCH + 33], size * popcount(mask), t)
        return done + P[SMEM_ATOM_CYCLES] - P[SMEM_CYCLES]
    if _counts(A, P, s, w, row, mask):
        n = wavefronts(A, s, size, mask, unit)
    else:
        n = atomic_wavefronts(A, s, size, mask, unit)
    fmt = A[row + R_SUB] >> 48 & 0xFFFF
    if _adds_floats(fmt):
        reserve_lsu(A, s, t, P[SMEM_FLOAT_INTERVAL] * (n + 1))
        return t + P[SMEM_FLOAT_CYCLES] + P[SMEM_FLOAT_ROUND] * (n - 1)
    if fmt & 255 == CAS:
        n *= 2
    reserve_lsu(A, s, t, n)
    return t + P[SMEM_ATOM_CYCLES] + 2 * (n - 1)


@inline
def _counts(A, P, s, w, row, mask):
    """Whether lanes only add the constant 1 and want no old value: those on one address are counted and added at once, as
    ATOMS.POPC.INC does."""
    sub = A[row + R_SUB]
    integer = sub >> 56 & 255 == ValType.U32 or sub >> 56 & 255 == ValType.S32
    if A[row + R_HEAD] & 255 != Kind.RED or sub >> 48 & 255 != AtomOp.ADD or not integer:
        return False
    return A[row + R_OP01] >> 63 & 1 and load_u32(operand(A, row, 1, registers(A, s, w)) + 4 * ctz(mask)) == 1


@inline
def _shared(A, P, g, s, w, row, mask, unit, returns, t):
    """Do an atomic on shared memory. When its old values are there, or -1 after a fault."""
    size = element_bytes(A[row + R_SUB]) * elements(A[row + R_SUB])
    bad = -1
    if not in_shared(A, s, w, SHARED_REGION, size):
        bad = enter_window(A, P, g, s, w, SHARED_REGION, size, mask)
    if bad >= 0:
        fault(A, g, s, w, Fault.SHARED_ADDRESS, bad, A[s + SCRATCH + bad], size, t)
        return -1
    when = _shared_time(A, P, g, s, w, row, size, mask, unit, t) if A[FUNCTIONAL] == 0 else t
    base = window_base(A, g, s, w, SHARED_REGION)
    if atomic_shared(A, s, w, row, mask, base, size):
        _apply(A, P, s, w, row, mask, base, returns, _format(A, row, SHARED_REGION))
    return when


@inline
def _memory(A, P, g, gpu, s, w, row, mask, region, unit, index, returns, t):
    """Do an atomic on the memory of one GPU. Returns False after a fault."""
    sub = A[row + R_SUB]
    size = element_bytes(sub) * elements(sub)
    timed = A[FUNCTIONAL] == 0
    peer = gpu
    if is_own(region, gpu):
        bad = allocated(A, g, s, size, mask, unit)
        if bad >= 0:
            fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], size, t)
            return False
    else:
        peer = check_peer(A, g, s, w, region, size, mask, t)
        if peer < 0:
            return False
        if sub & 15 == 4:
            fault(A, g, s, w, Fault.WIDE_ATOMIC, ctz(mask), A[s + SCRATCH + ctz(mask)], size, t)
            return False
    known = atomic_lanes(A, g, s, w, row, peer, mask, t)
    if known < 0:
        return False
    if timed and peer != gpu:
        remote_atomic(A, P, gpu, s, w, row, mask, size, peer, index, returns, t)
        return True
    if timed:
        _own_time(A, P, s, w, row, mask, size, index, returns, t)
    _apply(A, P, s, w, row, known, memory_delta(A, gpu_base(peer), region), returns, _format(A, row, region))
    return True


@far
def atomic(A, P, g, gpu, s, w, row, mask, returns, t):
    """Execute ``atom`` (``returns``) or ``red``, one region's lanes after the other's. Returns True unless it faulted."""
    sub = A[row + R_SUB]
    size = element_bytes(sub) * elements(sub)
    unit = lane_addresses(A, P, s, w, row, mask, 0)
    A[s + LAST_EFFECT] = t
    timed = A[FUNCTIONAL] == 0
    index = -1
    when = t
    left = mask
    while left:
        region = region_of(A, s, sub >> 8 & 255, left)
        now = left
        if sub >> 8 & 255 <= Space.GLOBAL and A[s + SCRATCH + 32] >> REGION_BITS != A[s + SCRATCH + 33] >> REGION_BITS:
            now = lanes_in_region(A, s, region, left)
            unit = 0
        rest = left & ~now
        if not aligned(A, s, size, now):
            fault(A, g, s, w, Fault.MISALIGNED, misaligned_lane(A, s, size, now), A[s + SCRATCH + 32], size, t)
            return False
        if region == SHARED_REGION:
            ready = _shared(A, P, g, s, w, row, now, unit, returns, t)
            if ready < 0:
                return False
            when = max(when, ready)
        else:
            if timed and returns and index < 0:
                index = new_load(A, s, w, row, Stall.LONG_SCOREBOARD if is_own(region, gpu) else Stall.REMOTE)
            if not _memory(A, P, g, gpu, s, w, row, now, region, unit, index, returns, t):
                return False
        left = rest
        if left:
            lane_addresses(A, P, s, w, row, left, 0)
    if index >= 0:
        settle_load(A, s, w, row, index, when, Stall.LONG_SCOREBOARD)
    elif timed:
        set_ready(A, s, w, row, when, Stall.SHORT_SCOREBOARD)
    return True
