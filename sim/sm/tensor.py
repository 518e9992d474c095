"""Tensor cores and the loads that feed them: ``mma.sync``, and the moves of 8 x 8 matrices."""

from isa.instr import Kind
from traces.records import Stall

from ..addresses import SHARED_REGION
from ..far import far
from ..jit import inline
from ..params import FN_LDMATRIX, FN_MMA, FN_MOVMATRIX, FN_STMATRIX, SMEM_CYCLES, TENSOR_CHAINED
from ..raw import address_of, call
from ..state import (
    CONSTS,
    LAST_EFFECT,
    R_HEAD,
    R_IMM,
    R_REASON,
    R_SIDE,
    R_SUB,
    R_TIME,
    SCRATCH,
    SIDE,
    TENSOR_BUSY,
    Fault,
)
from ..wgmma_format import CHAINED_MMA
from .lsu import lane_addresses, reserve_lsu
from .memory_space import enter_window, fault, misaligned_lane, window_base
from .opaque import load_shared, store_shared, values_opaque
from .operands import CONSTANT, registers, scratch
from .scoreboard import park, schedule, set_ready

_POINTERS = 64
_ROW_BYTES = 16
"""A row of an 8 x 8 matrix of 16-bit elements."""


@inline
def _pointers(A, s, w, row):
    """Host addresses of the instruction's operands, from the side table into scratch. Returns where they are."""
    regs = registers(A, s, w)
    table = A[SIDE] + A[row + R_SIDE]
    for i in range(A[row + R_SUB] >> 16 & 0xFF):
        ref = A[table + i]
        A[s + SCRATCH + _POINTERS + i] = A[CONSTS] + ref - CONSTANT if ref & CONSTANT else regs + ref
    return address_of(A, s + SCRATCH + _POINTERS)


@inline
def _move_matrix(A, P, g, s, w, row, function, pointers, t):
    """``ldmatrix`` or ``stmatrix``, as the library's ``function`` is: sub bits 0-2 matrices, bit 8 transposed. Returns True
    unless it faulted."""
    n = A[row + R_SUB] & 7
    lanes = (1 << 8 * n) - 1
    lane_addresses(A, P, s, w, row, lanes, 0)
    bad = enter_window(A, P, g, s, w, SHARED_REGION, _ROW_BYTES, lanes)
    if bad < 0:
        bad = misaligned_lane(A, s, _ROW_BYTES, lanes)
    if bad >= 0:
        fault(A, g, s, w, Fault.SHARED_ADDRESS, bad, A[s + SCRATCH + bad], _ROW_BYTES, t)
        return False
    delta = window_base(A, g, s, w, SHARED_REGION)
    if A[row + R_HEAD] & 255 == Kind.LDMATRIX:
        load_shared(A, s, w, row, lanes, delta, _ROW_BYTES, 1)
    if A[row + R_HEAD] & 255 == Kind.LDMATRIX or store_shared(A, s, lanes, delta, _ROW_BYTES):
        call(function, pointers, scratch(A, s), delta, n, A[row + R_SUB] >> 8 & 1, 0, 0, 0)
    reserve_lsu(A, s, t, n)
    return True


@far
def tensor(A, P, g, s, w, row, kind, mask, t):
    """Execute a matrix instruction; all 32 lanes must be there. Returns the next issue cycle."""
    if mask != 0xFFFFFFFF:
        fault(A, g, s, w, Fault.DIVERGENT, 0, 0, 0, t)
        return park(A, s, w)
    pointers = _pointers(A, s, w, row)
    if kind == Kind.MMA:
        if not values_opaque(A, s):
            call(P[FN_MMA], pointers, A[row + R_IMM] | P[TENSOR_CHAINED] << CHAINED_MMA, 0, 0, 0, 0, 0, 0)
        A[s + TENSOR_BUSY] += A[row + R_TIME] >> 16 & 0xFFFF
        when = t + (A[row + R_TIME] & 0xFFFF)
    elif kind == Kind.MOVMATRIX:
        call(P[FN_MOVMATRIX], pointers, 0, 0, 0, 0, 0, 0, 0)
        when = t + (A[row + R_TIME] & 0xFFFF)
    else:
        function = P[FN_LDMATRIX] if kind == Kind.LDMATRIX else P[FN_STMATRIX]
        if not _move_matrix(A, P, g, s, w, row, function, pointers, t):
            return park(A, s, w)
        when = t + P[SMEM_CYCLES] + 5 + 7 * ((A[row + R_SUB] & 7) >> 1)
        if kind == Kind.STMATRIX:
            A[s + LAST_EFFECT] = t
            return schedule(A, s, w, t + 1, Stall.WAIT)
    set_ready(A, s, w, row, when, A[row + R_REASON])
    return schedule(A, s, w, t + 1, Stall.WAIT)
