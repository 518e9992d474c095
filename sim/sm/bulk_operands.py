"""Operands of bulk copies, what they move, and who is told that they are complete.

Operands: 0 destination, 1 source, 2 bytes, 3 mbarrier, 4 mask of
ranks, 5 tensor map; the side table has the offsets of 0, 1, 3 and 5, then the references of the coordinates.
"""

from enum import IntEnum

from ..addresses import OFFSET_MASK, REGION_BITS, SHARED_REGION
from ..jit import inline, outline
from ..params import FN_ATOM_ONE, L2_CYCLES, TMA_READ_CYCLES, TMA_WRITTEN_CYCLES
from ..raw import call, load_i64, load_u8, load_u16, load_u32, store_64
from ..state import (
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    CTAS,
    R_SIDE,
    R_SUB,
    SIDE,
    Fault,
)
from .bulk_groups import in_group
from .cluster import OFFSET, cluster_of, cluster_size, member, owner, shared_base
from .mbarrier_object import TX, add
from .memory_space import allocated_range, fault, is_own, memory_delta
from .opaque import mark_copied
from .operands import operand
from .tma import BYTES, OBJECT, TARGET, WAITING, enter, signal, unit


class BulkOp(IntEnum):
    """What a bulk copy does (low bits of its sub word)."""

    LOAD, STORE, SHARE, PREFETCH = range(4)


WIDE, MULTICAST, TENSOR, REDUCE, DIMS, SIZE_LOG, FMT = 8, 16, 17, 18, 20, 24, 48
"""Bits of the sub word: operand i has 64 bits; other options; dimensions; log2 of an element's bytes; the reduction."""


@inline
def lane_value(A, row, regs, index, lane):
    """Operand ``index`` of a lane, with its offset if it is an address."""
    at = operand(A, row, index, regs)
    return load_i64(at + 8 * lane) if A[row + R_SUB] >> (WIDE + index) & 1 else load_u32(at + 4 * lane)


@inline
def address_operand(A, row, regs, index, position, lane):
    """Address operand: register and the offset at ``position`` of the side table."""
    return lane_value(A, row, regs, index, lane) + A[A[SIDE] + A[row + R_SIDE] + position]


@outline
def shared_operand(A, g, s, w, lane, address, nbytes, align, t):
    """``SM * CTAS + CTA slot`` of an address in shared memory, which must hold ``nbytes``; -1 after a fault."""
    region, at = address >> REGION_BITS, address & OFFSET_MASK
    who = owner(A, g, s, A[s + CTA_SLOT + w], at)
    inside = who >= 0 and (at & OFFSET) + nbytes <= A[who // CTAS + CTA_SHARED + who % CTAS]
    if not inside or (region != 0 and region != SHARED_REGION):
        fault(A, g, s, w, Fault.SHARED_ADDRESS, lane, at, nbytes, t)
        return -1
    if at & (align - 1):
        fault(A, g, s, w, Fault.MISALIGNED, lane, address, align, t)
        return -1
    return who


@outline
def global_operand(A, g, gpu, s, w, lane, address, nbytes, t):
    """Host address of a range of the GPU's memory, or 0 after a fault."""
    region = address >> REGION_BITS
    if not is_own(region, gpu):
        fault(A, g, s, w, Fault.PEER_COPY, lane, address, nbytes, t)
        return 0
    if address & 15 or nbytes & 15:
        fault(A, g, s, w, Fault.MISALIGNED, lane, address, 16, t)
        return 0
    if not allocated_range(A, g, address, nbytes):
        fault(A, g, s, w, Fault.ADDRESS, lane, address, nbytes, t)
        return 0
    return address + memory_delta(A, g, region)


@inline
def _element(address, size_log):
    if size_log == 3:
        return load_i64(address)
    return load_u32(address) if size_log == 2 else load_u16(address) if size_log == 1 else load_u8(address)


@outline
def move(A, P, sub, target, source, nbytes):
    """Copy or reduce ``nbytes`` between host addresses."""
    if sub >> REDUCE & 1 == 0:
        for i in range(0, nbytes, 8):
            store_64(target + i, load_i64(source + i))
        return
    size = 1 << (sub >> SIZE_LOG & 7)
    for i in range(0, nbytes, size):
        call(P[FN_ATOM_ONE], target + i, sub >> FMT & 0xFFFF, _element(source + i, sub >> SIZE_LOG & 7), 0, 0, 0, 0, 0)


@inline
def mbarrier_operand(A, g, s, w, row, regs, lane, t):
    """Offset of the mbarrier operand in the shared window; -1 after a fault."""
    address = address_operand(A, row, regs, 3, 2, lane)
    return address & OFFSET_MASK if shared_operand(A, g, s, w, lane, address, 8, 8, t) >= 0 else -1


@inline
def set_signal(A, g, s, w, i, sub, mask, barrier, nbytes):
    """Who is told that load ``i`` is complete."""
    u = unit(A, s)
    c = A[s + CTA_SLOT + w]
    if sub >> MULTICAST & 1:
        A[u + TARGET + i] = cluster_of(A, g, s, c) << 16 | mask
        A[u + OBJECT + i] = barrier
        A[u + BYTES + i] = -nbytes
        return
    who = owner(A, g, s, c, barrier)
    A[u + TARGET + i] = who // CTAS
    A[u + OBJECT + i] = shared_base(A, who) + (barrier & OFFSET)
    A[u + BYTES + i] = nbytes


@outline
def complete_now(A, g, s, w, sub, mask, barrier, nbytes, t):
    """complete_tx of a load without time."""
    c = A[s + CTA_SLOT + w]
    if sub >> MULTICAST & 1 == 0:
        who = owner(A, g, s, c, barrier)
        add(A, who // CTAS, shared_base(A, who) + (barrier & OFFSET), -(nbytes << TX), t)
        return
    for rank in range(16):
        if mask >> rank & 1:
            who = member(A, g, s, c, rank)
            add(A, who // CTAS, shared_base(A, who) + (barrier & OFFSET), -(nbytes << TX), t)


@outline
def ranks_exist(A, g, s, w, mask, lane, t):
    """Whether a multicast names CTAs of the cluster only; False after a fault."""
    size = cluster_size(A, g, A[s + CTA_LAUNCH + A[s + CTA_SLOT + w]])
    if mask >> size:
        fault(A, g, s, w, Fault.RANKS, lane, mask, size, t)
        return False
    return True


@outline
def _arrive(A, P, sub, target, source, nbytes, hidden):
    """Move bytes to a host address of shared memory, unless they are opaque."""
    mark_copied(A, target, nbytes, hidden)
    if not hidden:
        move(A, P, sub, target, source, nbytes)


@outline
def to_shared(A, P, g, s, w, sub, mask, target, source, nbytes, hidden):
    """Move bytes (``hidden``: opaque ones) to an offset in the shared window, of a multicast in every CTA of the mask."""
    c = A[s + CTA_SLOT + w]
    if sub >> MULTICAST & 1 == 0:
        base = shared_base(A, owner(A, g, s, c, target))
        _arrive(A, P, sub, base + (target & OFFSET), source, nbytes, hidden)
        return
    for rank in range(16):
        if mask >> rank & 1:
            base = shared_base(A, member(A, g, s, c, rank))
            _arrive(A, P, sub, base + (target & OFFSET), source, nbytes, hidden)


@outline
def finish_load(A, P, g, s, w, i, sub, mask, barrier, nbytes):
    """All lines of load ``i`` are known: send them. With none (fill values only) it is complete after L2's latency."""
    set_signal(A, g, s, w, i, sub, mask, barrier, nbytes)
    end = enter(A, P, s, i)
    if A[unit(A, s) + WAITING + i] == 0:
        signal(A, P, g, s, i, end + P[L2_CYCLES])


@outline
def finish_store(A, P, s, w, i):
    """All lines of store or reduction ``i`` are known: send them, and say when its group has it."""
    read = enter(A, P, s, i) + P[TMA_READ_CYCLES]
    in_group(A, s, w, read, read + P[TMA_WRITTEN_CYCLES])
