"""tensormap.replace and tensormap.cp_fenceproxy: tensor maps that kernels change themselves.

Operands: 0 the tensor map (its copy), 1 what is copied, 2 the new value; the side table has the offsets of 0 and 1 and the
dimension that a value is for.
"""

from traces.records import Stall

from ..addresses import OFFSET_MASK, REGION_BITS, SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..params import FENCE_GPU_CYCLES, SMEM_ATOM_CYCLES
from ..raw import ctz, load_i64, store_8, store_16, store_64
from ..state import FUNCTIONAL, LAST_EFFECT, R_SIDE, R_SUB, SIDE, Fault
from ..tensormap_layout import (
    ADDRESS,
    BOX,
    BYTES,
    DIM,
    ELEMENT_STRIDE,
    FILL,
    INTERLEAVE,
    MAGIC,
    MAGIC_AT,
    RANK,
    STRIDE,
    SWIZZLE,
    TYPE,
)
from .bulk_operands import address_operand, lane_value, shared_operand
from .cluster import OFFSET, shared_base
from .memory_space import allocated_range, fault, is_own, memory_delta
from .operands import registers
from .scoreboard import park, schedule

FIELDS = ("global_address", "rank", "box_dim", "global_dim", "global_stride", "element_stride", "elemtype",
          "interleave_layout", "swizzle_mode", "fill_mode")  # fmt: skip
"""What replace changes; the position is the low byte of the sub word."""
COPY = len(FIELDS)
"""Low byte of the sub word: cp_fenceproxy."""
(
    _GLOBAL_ADDRESS,
    _RANK,
    _BOX_DIM,
    _GLOBAL_DIM,
    _GLOBAL_STRIDE,
    _ELEMENT_STRIDE,
    _ELEMTYPE,
    _INTERLEAVE,
    _SWIZZLE,
    _FILL,
) = range(10)


@outline
def _find(A, g, gpu, s, w, row, ref, lane, t):
    """Host address of the 128 bytes that operand ``ref`` names in shared or global memory; 0 after a fault."""
    address = address_operand(A, row, registers(A, s, w), ref, ref, lane)
    region = address >> REGION_BITS
    if region == 0 or region == SHARED_REGION:
        who = shared_operand(A, g, s, w, lane, address, BYTES, 64, t)
        return shared_base(A, who) + (address & OFFSET_MASK & OFFSET) if who >= 0 else 0
    if not is_own(region, gpu) or address & 63 or not allocated_range(A, g, address, BYTES):
        fault(A, g, s, w, Fault.ADDRESS, lane, address, BYTES, t)
        return 0
    return address + memory_delta(A, g, region)


@inline
def _replace(m, field, index, value):
    """Set a field of the map at host address ``m``."""
    if field == _GLOBAL_ADDRESS:
        store_64(m + ADDRESS, value)
    elif field == _GLOBAL_DIM:
        store_64(m + DIM + 8 * index, value)
    elif field == _GLOBAL_STRIDE:
        store_64(m + STRIDE + 8 * index, value)
    elif field == _BOX_DIM:
        store_16(m + BOX + 2 * index, value)
    elif field == _ELEMENT_STRIDE:
        store_16(m + ELEMENT_STRIDE + 2 * index, value)
    elif field == _RANK:
        store_8(m + RANK, value + 1)
    elif field == _ELEMTYPE:
        store_8(m + TYPE, value)
    elif field == _INTERLEAVE:
        store_8(m + INTERLEAVE, value)
    elif field == _SWIZZLE:
        store_8(m + SWIZZLE, value)
    else:
        store_8(m + FILL, value)
    store_64(m + MAGIC_AT, MAGIC)


@far
def tensormap(A, P, g, gpu, s, w, row, mask, t):
    """Execute. Returns the warp's next issue cycle."""
    field = A[row + R_SUB] & 255
    regs = registers(A, s, w)
    A[s + LAST_EFFECT] = max(A[s + LAST_EFFECT], t)
    left = mask
    while left:
        lane = ctz(left)
        m = _find(A, g, gpu, s, w, row, 0, lane, t)
        if m == 0:
            return park(A, s, w)
        if field == COPY:
            source = _find(A, g, gpu, s, w, row, 1, lane, t)
            if source == 0:
                return park(A, s, w)
            for i in range(0, BYTES, 8):
                store_64(m + i, load_i64(source + i))
            break
        _replace(m, field, A[A[SIDE] + A[row + R_SIDE] + 2], lane_value(A, row, regs, 2, lane))
        left &= left - 1
    if A[FUNCTIONAL]:
        return schedule(A, s, w, t + 1, Stall.WAIT)
    return schedule(A, s, w, t + (P[FENCE_GPU_CYCLES] if field == COPY else P[SMEM_ATOM_CYCLES]), Stall.MEMBAR)
