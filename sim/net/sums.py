"""Accumulators of load-reduce: 256 bytes that hold a line of partial results, as f32 if ``.acc::f32`` asks for that."""

from isa.types import ValType

from ..jit import inline, outline
from ..params import FN_REDUCE_BYTES
from ..raw import call
from .bytes import copy_masked
from .halves import narrow, widen

ACC_F32 = 1 << 13
"""Bit of OP: half-precision values are added up in f32."""
SUM_WORDS = 32
_OPERATION = (1 << 13) - 1


@inline
def _is_bf16(op):
    value = op >> 8 & 15
    return value == ValType.BF16 or value == ValType.BF16X2


@outline
def sum_begin(total, data, op, lo, hi):
    """Start with the first line (host addresses of accumulator and data)."""
    if op & ACC_F32:
        widen(total, data, _is_bf16(op))
    else:
        copy_masked(total, data, lo, hi)


@outline
def sum_add(P, total, data, scratch, op, lo, hi):
    """Combine another line; ``scratch``: 256 bytes."""
    if op & ACC_F32:
        widen(scratch, data, _is_bf16(op))
        f32 = op & 255 | ValType.F32 << 8
        call(P[FN_REDUCE_BYTES], total, scratch, f32, 128, -1, -1, 0, 0)
        call(P[FN_REDUCE_BYTES], total + 128, scratch + 128, f32, 128, -1, -1, 0, 0)
    else:
        call(P[FN_REDUCE_BYTES], total, data, op & _OPERATION, 128, lo, hi, 0, 0)


@outline
def sum_result(data, total, op, lo, hi):
    """Write the result as a line of the operand type."""
    if op & ACC_F32:
        narrow(data, total, _is_bf16(op))
    else:
        copy_masked(data, total, lo, hi)
