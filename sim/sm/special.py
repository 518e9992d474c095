"""Special registers: what ``mov d, %name`` reads."""

from enum import IntEnum

from ..addresses import SHARED_START
from ..far import far
from ..jit import inline, outline
from ..params import CLOCK_KHZ, FN_FILL_LANE, FN_FILL_TID, FN_SPLAT32, FN_SPLAT64, SMEM_RESERVED_BYTES, SMS
from ..raw import call, load_u32, store_32
from ..state import (
    BLOCK_X,
    BLOCK_Y,
    BLOCK_Z,
    CLUSTER_EXPLICIT,
    CLUSTER_X,
    CLUSTER_Y,
    CLUSTER_Z,
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    CTA_X,
    CTA_Y,
    CTA_Z,
    GPUS,
    GRID_X,
    GRID_Y,
    GRID_Z,
    LAUNCH_ID,
    LAUNCH_STATIC,
    LAUNCH_WORKSPACE,
    R_IMM,
    R_SUB,
    SM_INDEX,
    WARP_IN_CTA,
    WARPS,
)
from .cluster import cluster_size, own_rank
from .operands import operand, registers


class Special(IntEnum):
    """What the sub word of a SREG instruction asks for (bit 32: the destination is 64 bits wide)."""

    (TID_X, TID_Y, TID_Z, LANEID, LANEMASK_EQ, LANEMASK_LE, LANEMASK_LT, LANEMASK_GE, LANEMASK_GT,
     NTID_X, NTID_Y, NTID_Z, CTAID_X, CTAID_Y, CTAID_Z, NCTAID_X, NCTAID_Y, NCTAID_Z,
     WARPID, NWARPID, SMID, NSMID, GRIDID, CLOCK, CLOCK_HI, CLOCK64, GLOBALTIMER, GLOBALTIMER_LO, GLOBALTIMER_HI,
     DYNAMIC_SMEM_SIZE, TOTAL_SMEM_SIZE, AGGR_SMEM_SIZE, GPUID, NGPUS, ENVREG, SYMBOL, VALUE,
     CLUSTER_CTAID_X, CLUSTER_CTAID_Y, CLUSTER_CTAID_Z, CLUSTER_NCTAID_X, CLUSTER_NCTAID_Y, CLUSTER_NCTAID_Z,
     CLUSTERID_X, CLUSTERID_Y, CLUSTERID_Z, NCLUSTERID_X, NCLUSTERID_Y, NCLUSTERID_Z,
     CLUSTER_CTARANK, CLUSTER_NCTARANK, IS_EXPLICIT_CLUSTER) = range(52)  # fmt: skip


@inline
def _geometry(A, g, s, c, what):
    """Thread and grid indices and sizes."""
    launch = A[s + CTA_LAUNCH + c]
    if what <= Special.NTID_Z:
        at = g + launch
        return (
            A[at + BLOCK_X]
            if what == Special.NTID_X
            else A[at + BLOCK_Y]
            if what == Special.NTID_Y
            else A[at + BLOCK_Z]
        )
    if what <= Special.CTAID_Z:
        at = s + c
        return A[at + CTA_X] if what == Special.CTAID_X else A[at + CTA_Y] if what == Special.CTAID_Y else A[at + CTA_Z]
    at = g + launch
    return (
        A[at + GRID_X] if what == Special.NCTAID_X else A[at + GRID_Y] if what == Special.NCTAID_Y else A[at + GRID_Z]
    )


@outline
def _cluster(A, g, s, c, what):
    """Indices and sizes of clusters."""
    launch = A[s + CTA_LAUNCH + c]
    if what == Special.CLUSTER_CTARANK:
        return own_rank(A, g, s, c)
    if what == Special.CLUSTER_NCTARANK:
        return cluster_size(A, g, launch)
    if what == Special.IS_EXPLICIT_CLUSTER:
        return A[g + CLUSTER_EXPLICIT + launch]
    axis = (what - Special.CLUSTER_CTAID_X) % 3
    of = A[g + (CLUSTER_X if axis == 0 else CLUSTER_Y if axis == 1 else CLUSTER_Z) + launch]
    cta = A[s + (CTA_X if axis == 0 else CTA_Y if axis == 1 else CTA_Z) + c]
    if what <= Special.CLUSTER_CTAID_Z:
        return cta % of
    if what <= Special.CLUSTER_NCTAID_Z:
        return of
    if what <= Special.CLUSTERID_Z:
        return cta // of
    return A[g + (GRID_X if axis == 0 else GRID_Y if axis == 1 else GRID_Z) + launch] // of


@inline
def _environment(workspace, number):
    """``%envreg``: 1 and 2 are the halves of the address of a cooperative grid's workspace, the driver sets no other."""
    if number == 1:
        return workspace >> 32
    return workspace & 0xFFFFFFFF if number == 2 else 0


@inline
def _machine(A, P, g, gpu, s, w, what, imm, t):
    """Everything that is the same for all lanes and is not geometry."""
    c = A[s + CTA_SLOT + w]
    if what == Special.CLOCK or what == Special.CLOCK64:
        return t
    if what == Special.CLOCK_HI:
        return t >> 32
    if what == Special.WARPID:
        return w
    if what == Special.NWARPID:
        return WARPS
    if what == Special.SMID:
        return A[s + SM_INDEX]
    if what == Special.NSMID:
        return P[SMS]
    if what == Special.GRIDID:
        return A[g + LAUNCH_ID + A[s + CTA_LAUNCH + c]]
    if what == Special.GPUID:
        return gpu
    if what == Special.NGPUS:
        return A[GPUS]
    if what == Special.DYNAMIC_SMEM_SIZE:
        return A[s + CTA_SHARED + c] - SHARED_START - A[g + LAUNCH_STATIC + A[s + CTA_LAUNCH + c]]
    if what == Special.TOTAL_SMEM_SIZE:
        return A[s + CTA_SHARED + c] - SHARED_START + 127 & ~127
    if what == Special.AGGR_SMEM_SIZE:
        return A[s + CTA_SHARED + c] - SHARED_START + P[SMEM_RESERVED_BYTES]
    if what == Special.SYMBOL:
        return gpu_address_of(gpu, imm)
    if what == Special.VALUE:
        return imm
    if what == Special.ENVREG:
        return _environment(A[g + LAUNCH_WORKSPACE + A[s + CTA_LAUNCH + c]], imm)
    nanoseconds = t * 1000000 // P[CLOCK_KHZ]
    return nanoseconds >> 32 if what == Special.GLOBALTIMER_HI else nanoseconds


@inline
def gpu_address_of(gpu, offset):
    """Address of byte ``offset`` of the GPU's memory."""
    return (gpu + 1 << 38) + offset


@far
def special_register(A, P, g, gpu, s, w, row, mask, t):
    """Execute ``mov d, %special`` (or the address of a module variable)."""
    sub = A[row + R_SUB]
    what = sub & 0xFF
    target = operand(A, row, 0, registers(A, s, w))
    c = A[s + CTA_SLOT + w]
    if what <= Special.TID_Z:
        launch = A[s + CTA_LAUNCH + c]
        first = A[s + WARP_IN_CTA + w] * 32
        call(P[FN_FILL_TID], target, first, A[g + BLOCK_X + launch], A[g + BLOCK_Y + launch], what, mask, 0, 0)
    elif what <= Special.LANEMASK_GT:
        call(P[FN_FILL_LANE], target, what - Special.LANEID, mask, 0, 0, 0, 0, 0)
    else:
        if what <= Special.NCTAID_Z:
            value = _geometry(A, g, s, c, what)
        elif what >= Special.CLUSTER_CTAID_X:
            value = _cluster(A, g, s, c, what)
        else:
            value = _machine(A, P, g, gpu, s, w, what, A[row + R_IMM], t)
        if what == Special.IS_EXPLICIT_CLUSTER:
            store_32(target, (load_u32(target) & ~mask) | (-value & mask))
        elif sub >> 32 & 1:
            call(P[FN_SPLAT64], target, value, mask, 0, 0, 0, 0, 0)
        else:
            call(P[FN_SPLAT32], target, value & 0xFFFFFFFF, mask, 0, 0, 0, 0, 0)
    return 0
