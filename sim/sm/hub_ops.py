"""Instructions that the hub and the switch carry out: row stores, multicast stores, in-switch reductions.

The SM only turns them into packets; what they mean is in sim/hub and sim/net.
"""

from isa.instr import Kind
from traces.records import Stall

from ..addresses import DYMULTIMEM_REGION, MULTIMEM_REGION, OFFSET_MASK, REGION_BITS, REGIONS, SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..net.packet import COUNT, PACKET_WORDS, TARGETS, Packet
from ..opaque_layout import OPAQUE
from ..params import MALLOCID_CYCLES, SMEM_CYCLES
from ..raw import ctz, load_i64, load_u32
from ..state import (
    COLD,
    CONSTS,
    FUNCTIONAL,
    GPUS,
    LAST_EFFECT,
    MEMORY,
    PACKET_COUNT,
    PACKETS,
    R_SIDE,
    R_SUB,
    SCRATCH,
    SIDE,
    Fault,
)
from .lsu import lane_addresses
from .memory_space import aligned, fault, misaligned_lane, window_base
from .opaque import values_opaque
from .operands import CONSTANT, operand, registers
from .remote import data_packets, request_packets
from .requests import new_load, settle_load

MAX_TARGETS = 32
NOP_FLAG = 1
"""Bit 32 of the sub word of a row store: low priority in the RPM."""


@inline
def _lane_value(A, ref, regs, lane, wide):
    """Value of an operand reference in one lane."""
    at = A[CONSTS] + ref - CONSTANT if ref & CONSTANT else regs + ref
    return load_i64(at + 8 * lane) if wide else load_u32(at + 4 * lane)


@outline
def _read_targets(A, P, g, gpu, s, w, row, mask, first, t):
    """Copy the target list of a dymultimem instruction into its packets from row ``first`` on. False after a fault."""
    regs = registers(A, s, w)
    lane = ctz(mask)
    count = load_u32(operand(A, row, 5, regs) + 4 * lane)
    side = A[SIDE] + A[row + R_SIDE]
    address = _lane_value(A, A[side], regs, lane, A[row + R_SUB] >> 41 & 1) + A[side + 1]
    region = SHARED_REGION if A[side + 2] else address >> REGION_BITS
    if region == SHARED_REGION:
        at = window_base(A, g, s, w, region) + (address & OFFSET_MASK)
    else:
        at = A[g + MEMORY] + (address & OFFSET_MASK)
    if count > MAX_TARGETS or (region != SHARED_REGION and region != gpu + 1):
        fault(A, g, s, w, Fault.MULTIMEM, lane, address, count, t)
        return False
    packet = first
    while packet < A[s + COLD] + PACKETS + A[s + PACKET_COUNT] * PACKET_WORDS:
        A[packet + COUNT] = count
        for i in range(count):
            A[packet + TARGETS + (i >> 2)] |= load_u32(at + 4 * i) << 16 * (i & 3)
        packet += PACKET_WORDS
    return True


@inline
def _low_region(kind):
    """First region that addresses of this kind of instruction may have."""
    return DYMULTIMEM_REGION if kind == Kind.DYMM_ST or kind == Kind.DYMM_LDRED else MULTIMEM_REGION


@inline
def _addresses_ok(A, g, s, w, kind, nbytes, mask, unit, t):
    """Whether all lanes name objects of the right kind, aligned."""
    if not aligned(A, s, nbytes, mask):
        fault(A, g, s, w, Fault.MISALIGNED, misaligned_lane(A, s, nbytes, mask), A[s + SCRATCH + 32], nbytes, t)
        return False
    if kind == Kind.ROWSP_ST:
        if A[s + SCRATCH + 33] >> 56 >= A[GPUS]:
            fault(A, g, s, w, Fault.ADDRESS, ctz(mask), A[s + SCRATCH + 33], nbytes, t)
            return False
        return True
    low = _low_region(kind)
    high = REGIONS if low == DYMULTIMEM_REGION else DYMULTIMEM_REGION
    if A[s + SCRATCH + 32] >> REGION_BITS < low or A[s + SCRATCH + 33] >> REGION_BITS >= high:
        fault(A, g, s, w, Fault.MULTIMEM, ctz(mask), A[s + SCRATCH + 32], nbytes, t)
        return False
    return True


@far
def hub_instruction(A, P, g, gpu, s, w, row, kind, mask, t):
    """Execute a row store or a multimem instruction. Returns True unless it faulted."""
    sub = A[row + R_SUB]
    nbytes = (1 << (sub & 15)) * (sub >> 16 & 15)
    unit = lane_addresses(A, P, s, w, row, mask, 0)
    A[s + LAST_EFFECT] = t
    if values_opaque(A, s) or (A[OPAQUE] and (kind == Kind.DYMM_LDRED or kind == Kind.MM_LDRED)):
        fault(A, g, s, w, Fault.OPAQUE_HUB, ctz(mask), A[s + SCRATCH + 32], nbytes, t)
        return False
    if A[FUNCTIONAL] or not _addresses_ok(A, g, s, w, kind, nbytes, mask, unit, t):
        return False
    if kind == Kind.DYMM_LDRED or kind == Kind.MM_LDRED:
        index = new_load(A, s, w, row, Stall.REMOTE)
        packet = Packet.DYMM_LDRED if kind == Kind.DYMM_LDRED else Packet.MM_LDRED
        first = request_packets(A, P, gpu, s, w, row, mask, packet, 0, index, t)
        ok = kind == Kind.MM_LDRED or _read_targets(A, P, g, gpu, s, w, row, mask, first, t)
        settle_load(A, s, w, row, index, t, Stall.REMOTE)
        return ok
    if kind == Kind.ROWSP_ST:
        data_packets(A, P, gpu, s, w, row, mask, Packet.ROWSP, -1, sub >> 32 & NOP_FLAG, t + P[MALLOCID_CYCLES])
        return True
    if kind == Kind.DYMM_ST:
        first = data_packets(A, P, gpu, s, w, row, mask, Packet.DYMM_ST, 0, 0, t + P[SMEM_CYCLES])
        return _read_targets(A, P, g, gpu, s, w, row, mask, first, t)
    packet = Packet.MM_ST if kind == Kind.MM_ST else Packet.MM_RED
    data_packets(A, P, gpu, s, w, row, mask, packet, 0, 0, t)
    return True
