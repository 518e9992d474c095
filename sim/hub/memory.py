"""What arriving packets do to this GPU's memory, and when that is done: L2 decides (sim/mem/l2.py)."""

from ..addresses import OFFSET_MASK
from ..jit import inline, outline
from ..mem.l2 import l2_access, l2_atomic
from ..net.bytes import copy_masked
from ..net.packet import ADDR, AUX, DATA, MASK_HI, MASK_LO, OP
from ..params import FN_ATOM_ONE
from ..raw import address_of, call
from ..state import MEMORY
from .masks import mask_end, mask_first

_SIZES = sum(size << 4 * i for i, size in enumerate((4, 4, 8, 8, 4, 8, 2, 2, 4, 4, 2, 4, 8)))
"""Bytes of each ValType, a nibble each."""


@inline
def host_address(A, g, address):
    """Host address of a byte of this GPU's memory."""
    return A[g + MEMORY] + (address & OFFSET_MASK)


@outline
def access_time(A, P, g, t, address, lo, hi, write):
    """When the bytes of a mask counted from ``address`` have been read or written. Rows need not be line-aligned."""
    first = address + mask_first(lo, hi)
    last = address + mask_end(lo, hi) - 1
    if first >> 7 == last >> 7:
        return l2_access(A, P, g, t, first, last - first + 1, write)
    split = last >> 7 << 7
    done = l2_access(A, P, g, t, first, split - first, write)
    return max(done, l2_access(A, P, g, t, split, last - split + 1, write))


@inline
def write_line(A, P, g, t, row, address):
    """Write a packet's bytes. Returns when they are written."""
    lo = A[row + MASK_LO]
    hi = A[row + MASK_HI]
    copy_masked(host_address(A, g, address), address_of(A, row + DATA), lo, hi)
    return access_time(A, P, g, t, address, lo, hi, 1)


@inline
def read_line(A, P, g, t, row, address, reply):
    """Read the bytes a packet asks for into its reply. Returns when they are there."""
    lo = A[row + MASK_LO]
    hi = A[row + MASK_HI]
    copy_masked(address_of(A, reply + DATA), host_address(A, g, address), lo, hi)
    return access_time(A, P, g, t, address, lo, hi, 0)


@inline
def element_bytes(op):
    """Size of the values of an operation word (AtomOp | ValType << 8)."""
    return _SIZES >> (op >> 8 & 15) * 4 & 15


@outline
def atomic_line(A, P, g, t, row, address, reply):
    """Perform a packet's atomic operations in order of their addresses; old values go into the reply if there is one.
    Returns when that is done."""
    size = element_bytes(A[row + OP])
    memory = host_address(A, g, address)
    operands = address_of(A, row + DATA)
    lanes = 0
    for at in range(0, 128, size):
        if (A[row + MASK_LO] if at < 64 else A[row + MASK_HI]) >> (at & 63) & 1:
            old = address_of(A, reply + DATA) + at if reply > 0 else 0
            call(P[FN_ATOM_ONE], old, memory + at, operands + at, address_of(A, row + AUX), A[row + OP], 0, 0, 0)
            lanes += 1
    return l2_atomic(A, P, g, t, (address & OFFSET_MASK) >> 7, lanes)
