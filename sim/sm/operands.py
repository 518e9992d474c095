"""Where the operands of a packed instruction are: host addresses of registers, predicates and constants."""

from ..jit import inline
from ..raw import address_of, load_u32
from ..state import ACTIVE, CONSTS, R_HEAD, R_OP01, REGS, SCRATCH

CONSTANT = 1 << 31
"""Bit of an operand reference: offset into the constant pool instead of the warp's registers."""


@inline
def operand(A, row, index, regs):
    """Host address of operand ``index`` (0..5) of the instruction in ``row``."""
    ref = A[row + R_OP01 + (index >> 1)] >> (32 * (index & 1)) & 0xFFFFFFFF
    if ref & CONSTANT:
        return A[CONSTS] + (ref & CONSTANT - 1)
    return regs + ref


@inline
def guard_mask(A, s, w, row, regs):
    """Lanes of the active path whose guard predicate holds."""
    mask = A[s + ACTIVE + w]
    guard = A[row + R_HEAD] >> 8 & 0xFFFFFF
    if guard:
        held = load_u32(regs + (guard & ~3))
        if guard & 2:
            held = ~held
        mask &= held
    return mask


@inline
def registers(A, s, w):
    """Host address of the warp's registers."""
    return A[s + REGS + w]


@inline
def scratch(A, s):
    """Host address of the SM's scratch words: lane addresses first."""
    return address_of(A, s + SCRATCH)
