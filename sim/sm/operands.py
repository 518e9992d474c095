"""Where the operands of a packed instruction are: host addresses of registers, predicates and constants."""

from isa.instr import Kind

from ..jit import inline
from ..raw import address_of, load_u32
from ..state import ACTIVE, CONSTS, R_HEAD, R_OP01, R_SIDE, R_SUB, REGS, SCRATCH, SIDE

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
def listed(A, row, index, regs):
    """Host address of an operand that the side table lists: those of instructions with more than a row has room for."""
    ref = A[A[SIDE] + A[row + R_SIDE] + index]
    if ref & CONSTANT:
        return A[CONSTS] + (ref & CONSTANT - 1)
    return regs + ref


@inline
def datum(A, row, index, regs):
    """Host address of element ``index`` of a load's or store's data; vectors of eight have theirs in the side table."""
    if A[row + R_SUB] >> 19 & 1:
        return listed(A, row, index, regs)
    return operand(A, row, index, regs)


@inline
def answered(A, row, index, regs):
    """Host address of element ``index`` of what comes back to a load or an atomic."""
    if A[row + R_HEAD] & 255 == Kind.ATOM and A[row + R_SUB] >> 16 & 15 > 1:
        return listed(A, row, index, regs)
    return datum(A, row, index, regs)


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
