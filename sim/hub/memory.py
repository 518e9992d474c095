"""What arriving packets do to this GPU's memory, and when that is done: L2 decides (sim/mem/l2.py)."""

from ..addresses import OFFSET_MASK
from ..jit import inline, outline
from ..layout import gpu_of
from ..mem.l2 import atomic_ticks, l2_access, l2_atomic, line_here
from ..net.bytes import copy_masked
from ..net.packet import AUX, DATA, MASK_HI, MASK_LO, OP
from ..opaque_layout import OPAQUE, line_opaque
from ..params import FN_ATOM_ONE, FN_REDUCE_BYTES, HUB_ATOMIC_TICKS, HUB_NEAR, L2_ATOMIC_CYCLES, L2_CYCLES
from ..raw import address_of, call, load_i64, load_u16, load_u32, store_16, store_32, store_64
from ..state import MEMORY
from .masks import mask_bytes, mask_end, mask_first

_SIZES = sum(size << 4 * i for i, size in enumerate((4, 4, 8, 8, 4, 8, 2, 2, 4, 4, 2, 4, 8)))
"""Bytes of each ValType, a nibble each."""


@inline
def host_address(A, g, address):
    """Host address of a byte of this GPU's memory."""
    return A[g + MEMORY] + (address & OFFSET_MASK)


@inline
def _is_opaque(A, g, address):
    """Whether the memory at an address is that of an opaque buffer, which is never written."""
    return A[OPAQUE] != 0 and line_opaque(A, gpu_of(g), address)


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
    if not _is_opaque(A, g, address):
        copy_masked(host_address(A, g, address), address_of(A, row + DATA), lo, hi)
    return access_time(A, P, g, t, address, lo, hi, 1)


@inline
def read_line(A, P, g, t, row, address, data):
    """Read the bytes a packet asks for to host address ``data``. Returns when they are there."""
    lo = A[row + MASK_LO]
    hi = A[row + MASK_HI]
    copy_masked(data, host_address(A, g, address), lo, hi)
    return access_time(A, P, g, t, address, lo, hi, 0) - P[HUB_NEAR]


@inline
def element_bytes(op):
    """Size of the values of an operation word (AtomOp | ValType << 8)."""
    return _SIZES >> (op >> 8 & 15) * 4 & 15


@inline
def _read_element(address, size):
    if size == 8:
        return load_i64(address)
    return load_u32(address) if size == 4 else load_u16(address)


@inline
def _write_element(address, value, size):
    if size == 8:
        store_64(address, value)
    elif size == 4:
        store_32(address, value)
    else:
        store_16(address, value)


@inline
def _atomic_element(A, P, row, memory, operand, size):
    """One atomic; a compare-and-swap finds its new value in AUX. Returns the old bits."""
    return call(P[FN_ATOM_ONE], memory, A[row + OP], _read_element(operand, size), A[row + AUX], 0, 0, 0, 0)


@inline
def _time(A, P, g, t, address, nbytes, size, returns):
    """When atomics on ``nbytes`` different bytes of a line are done. They are answered as soon as reads are."""
    busy = max(atomic_ticks(P, nbytes + 31 >> 5, 0, 0, returns), P[HUB_ATOMIC_TICKS])
    done = l2_atomic(A, P, g, t, line_here(g, address), nbytes // size, busy)
    return done - P[L2_ATOMIC_CYCLES] + P[L2_CYCLES] - P[HUB_NEAR]


@outline
def atomic_line(A, P, g, t, row, address, reply):
    """Perform a packet's atomic operations in order of their addresses; old values go into the reply if there is one.
    Returns when that is done."""
    size = element_bytes(A[row + OP])
    memory = host_address(A, g, address)
    operands = address_of(A, row + DATA)
    lanes = 0
    if _is_opaque(A, g, address):
        return _time(A, P, g, t, address, mask_bytes(A[row + MASK_LO], A[row + MASK_HI]), size, reply)
    for at in range(0, 128, size):
        if (A[row + MASK_LO] if at < 64 else A[row + MASK_HI]) >> (at & 63) & 1:
            old = _atomic_element(A, P, row, memory + at, operands + at, size)
            if reply > 0:
                _write_element(address_of(A, reply + DATA) + at, old, size)
            lanes += 1
    return _time(A, P, g, t, address, lanes * size, size, reply)


@outline
def reduce_line(A, P, g, t, row, address):
    """Combine a packet's values with the line in memory (multimem.red). Returns when that is done."""
    lo = A[row + MASK_LO]
    hi = A[row + MASK_HI]
    line = host_address(A, g, address)
    if not _is_opaque(A, g, address):
        call(P[FN_REDUCE_BYTES], line, address_of(A, row + DATA), A[row + OP], 128, lo, hi, 0, 0)
    return _time(A, P, g, t, address, mask_bytes(lo, hi), element_bytes(A[row + OP]), 0)
