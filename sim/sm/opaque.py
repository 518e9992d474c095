"""Opaque values: those of buffers that are never stored. Arithmetic on them is skipped, its time is not.

A byte per register of a warp and a bit per 4 bytes of shared memory say what is opaque; of global memory, whole buffers are.
An instruction whose guard, address or other control operand is opaque is a fault, and so is a store of an opaque value to
a buffer that is not. Flags are of warps: a register is opaque if it is in any lane.
"""

from ..far import far
from ..jit import inline, outline
from ..opaque_layout import (
    FLAGS,
    GROUP,
    GROUP_AT,
    LINES,
    OPAQUE,
    PROPAGATES,
    SHARED_BITS,
    SHARED_FIRST,
    TABLE,
    WARP_FLAGS,
    line_opaque,
)
from ..raw import load_i64, load_u8, load_u32, store_8, store_64
from ..state import CODE, LIVE, ROW_WORDS, SCRATCH, SHARED_STRIDE, SM_ARENA, SM_SHARED, SM_WORDS, WARPS, Fault
from .memory_space import fault

VALUES = SCRATCH + 191
"""Whether the values of the instruction at hand are opaque; set for every instruction with an entry that matters."""
_CONTROL, _VALUES, _RESULTS, _KNOWN = range(4)


@inline
def _flags(A, s, w):
    """Host address of the warp's flags."""
    return A[FLAGS] + ((s - A[SM_ARENA]) // SM_WORDS * WARPS + w) * WARP_FLAGS


@inline
def _entry(A, row):
    """Host address of the instruction's entry."""
    return A[TABLE] + load_i64(A[TABLE] + (row - A[CODE]) // ROW_WORDS * 8)


@inline
def _runs(entry, which):
    """Host address of the first run of a list; `_count` is how many it has."""
    before = 0
    for i in range(which):
        before += load_u32(entry + 4 + 4 * i)
    return entry + 20 + 8 * before


@inline
def _count(entry, which):
    return load_u32(entry + 4 + 4 * which)


@outline
def _any(flags, entry, which):
    """Whether a register of the list is opaque."""
    runs = _runs(entry, which)
    for i in range(_count(entry, which)):
        at, n = flags + load_u32(runs + 8 * i), load_u32(runs + 8 * i + 4)
        while n >= 8:
            if load_i64(at) != 0:
                return True
            at += 8
            n -= 8
        for k in range(n):
            if load_u8(at + k):
                return True
    return False


@outline
def _set(flags, entry, which, value):
    """Make all registers of the list opaque (1) or known (0)."""
    runs = _runs(entry, which)
    for i in range(_count(entry, which)):
        at, n = flags + load_u32(runs + 8 * i), load_u32(runs + 8 * i + 4)
        while n >= 8:
            store_64(at, value * 0x0101010101010101)
            at += 8
            n -= 8
        for k in range(n):
            store_8(at + k, value)


@outline
def _set_results(flags, entry, value):
    """Make the results opaque or known. Long lists, which are the same for many instructions, are not written again."""
    group = load_u32(entry) >> GROUP
    if value and group and load_i64(flags + GROUP_AT) == group:
        return
    _set(flags, entry, _RESULTS, value)
    if value == 0:
        store_64(flags + GROUP_AT, 0)
    elif group:
        store_64(flags + GROUP_AT, group)


@far
def opaque_operands(A, P, g, s, w, row, mask, t):
    """Before an instruction: check its control operands, pass opaqueness on from values to results.

    Returns 0 after a fault, 1 if its values are known, 2 if they are opaque."""
    flags, entry = _flags(A, s, w), _entry(A, row)
    if _any(flags, entry, _CONTROL):
        fault(A, g, s, w, Fault.OPAQUE_CONTROL, 0, 0, 0, t)
        return 0
    opaque = 1 if _any(flags, entry, _VALUES) else 0
    A[s + VALUES] = opaque
    whole = mask & A[s + LIVE + w] == A[s + LIVE + w]
    if opaque and load_u32(entry) & PROPAGATES:
        _set_results(flags, entry, 1)
    elif whole:
        _set_results(flags, entry, 0)
    if whole and _count(entry, _KNOWN):
        _set(flags, entry, _KNOWN, 0)
        store_64(flags + GROUP_AT, 0)
    return 1 + opaque


@inline
def values_opaque(A, s):
    """Whether the instruction at hand has opaque values."""
    return A[OPAQUE] != 0 and A[s + VALUES] != 0


@outline
def results_opaque(A, s, w, row):
    """What the instruction read was opaque."""
    _set_results(_flags(A, s, w), _entry(A, row), 1)


@outline
def _opaque_lanes(A, s, gpu, mask):
    lanes = 0
    for lane in range(32):
        if mask >> lane & 1 and line_opaque(A, gpu, A[s + SCRATCH + lane]):
            lanes |= 1 << lane
    return lanes


@inline
def opaque_lanes(A, s, gpu, mask, unit):
    """The lanes whose address, in scratch, is in an opaque buffer of the GPU. ``unit``: lanes are contiguous."""
    if A[OPAQUE] == 0 or A[LINES + gpu] == 0:
        return 0
    if unit:
        return mask if line_opaque(A, gpu, A[s + SCRATCH + 32]) else 0
    return _opaque_lanes(A, s, gpu, mask)


@inline
def loaded_lanes(A, s, w, row, gpu, mask, unit):
    """Lanes of a load from a GPU's memory whose data is known; the result is opaque if any lane's is not."""
    hidden = opaque_lanes(A, s, gpu, mask, unit)
    if hidden:
        results_opaque(A, s, w, row)
    return mask & ~hidden


@outline
def _store_fault(A, g, s, w, lanes, t):
    lane = 0
    while lanes >> lane & 1 == 0:
        lane += 1
    fault(A, g, s, w, Fault.OPAQUE_STORE, lane, A[s + SCRATCH + lane], 0, t)


@inline
def stored_lanes(A, g, s, w, gpu, mask, unit, t):
    """Lanes of a store to a GPU's memory that really store; -1 after a fault: an opaque value for a buffer that is not."""
    if A[OPAQUE] == 0:
        return mask
    left = mask & ~opaque_lanes(A, s, gpu, mask, unit)
    if left and A[s + VALUES]:
        _store_fault(A, g, s, w, left, t)
        return -1
    return left


# --- shared memory
@inline
def _word(A, granule):
    """Host address of the 64 bits with the one of a 4-byte granule, counted from the first shared memory."""
    return A[SHARED_BITS] + (granule >> 6 << 3)


@outline
def mark_shared(A, address, nbytes, opaque):
    """Bytes at a host address of shared memory are opaque from now on, or known (granules that are covered wholly)."""
    at = address - A[SHARED_FIRST]
    first, end = (at >> 2, (at + nbytes + 3) >> 2) if opaque else ((at + 3) >> 2, (at + nbytes) >> 2)
    while first < end:
        n = min(end - first, 64 - (first & 63))
        bits = -1 if n == 64 else ((1 << n) - 1) << (first & 63)
        word = _word(A, first)
        old = load_i64(word)
        new = old | bits if opaque else old & ~bits
        if new != old:
            store_64(word, new)
        first += n


@outline
def shared_opaque(A, address, nbytes):
    """Whether any of the bytes at a host address of shared memory is opaque."""
    at = address - A[SHARED_FIRST]
    first, end = at >> 2, (at + nbytes + 3) >> 2
    while first < end:
        n = min(end - first, 64 - (first & 63))
        bits = -1 if n == 64 else ((1 << n) - 1) << (first & 63)
        if load_i64(_word(A, first)) & bits:
            return True
        first += n
    return False


@outline
def _shared_loads(A, s, w, row, mask, base, nbytes):
    for lane in range(32):
        if mask >> lane & 1 and shared_opaque(A, base + A[s + SCRATCH + lane], nbytes):
            results_opaque(A, s, w, row)
            return


@inline
def load_shared(A, s, w, row, mask, base, nbytes, is_shared):
    """A load of ``nbytes`` per lane from the offsets in scratch: its result is opaque if any of them is. Local and
    parameter memory (not ``is_shared``) is always known."""
    if A[OPAQUE] and is_shared:
        _shared_loads(A, s, w, row, mask, base, nbytes)


@outline
def _shared_stores(A, s, mask, base, nbytes):
    for lane in range(32):
        if mask >> lane & 1:
            mark_shared(A, base + A[s + SCRATCH + lane], nbytes, A[s + VALUES])
    return A[s + VALUES] == 0


@inline
def store_shared(A, s, mask, base, nbytes):
    """Note what a store of ``nbytes`` per lane to the offsets in scratch leaves there. Whether it really stores."""
    return A[OPAQUE] == 0 or _shared_stores(A, s, mask, base, nbytes)


@outline
def atomic_lanes(A, g, s, w, row, gpu, mask, t):
    """Lanes of an atomic on a GPU's memory that are carried out; old values of others are opaque. -1 after a fault."""
    if A[OPAQUE] == 0:
        return mask
    left = stored_lanes(A, g, s, w, gpu, mask, 0, t)
    if left >= 0 and left != mask:
        results_opaque(A, s, w, row)
    return left


@outline
def atomic_shared(A, s, w, row, mask, base, nbytes):
    """Whether an atomic on shared memory is carried out; what it leaves and gives back is opaque otherwise."""
    if A[OPAQUE] == 0:
        return True
    opaque = A[s + VALUES]
    for lane in range(32):
        if mask >> lane & 1 and shared_opaque(A, base + A[s + SCRATCH + lane], nbytes):
            opaque = 1
    if opaque == 0:
        return True
    results_opaque(A, s, w, row)
    for lane in range(32):
        if mask >> lane & 1:
            mark_shared(A, base + A[s + SCRATCH + lane], nbytes, 1)
    return False


@inline
def copied_opaque(A, gpu, address, nbytes):
    """Whether a bulk copy of a range of the GPU's memory brings opaque values."""
    return A[OPAQUE] != 0 and (line_opaque(A, gpu, address) or line_opaque(A, gpu, address + max(nbytes, 1) - 1))


@inline
def mark_copied(A, target, nbytes, opaque):
    """What a copy to shared memory at a host address leaves there."""
    if A[OPAQUE]:
        mark_shared(A, target, nbytes, opaque)


@outline
def copy_out(A, g, s, w, gpu, address, source, nbytes, lane, t):
    """Before a bulk store of shared memory at host address ``source``: 1 if it really stores, 0 if not, -1 after a fault."""
    if A[OPAQUE] == 0:
        return 1
    if line_opaque(A, gpu, address):
        return 0
    if shared_opaque(A, source, nbytes):
        fault(A, g, s, w, Fault.OPAQUE_STORE, lane, address, 0, t)
        return -1
    return 1


@outline
def share_opaque(A, target, source, nbytes, reduces):
    """Before a copy from shared memory to shared memory (host addresses): whether it really moves anything."""
    if A[OPAQUE] == 0:
        return True
    opaque = 1 if shared_opaque(A, source, nbytes) or (reduces and shared_opaque(A, target, nbytes)) else 0
    mark_shared(A, target, nbytes, opaque)
    return opaque == 0


# --- starts
@outline
def forget_warp(A, s, w):
    """The registers of a new warp are known."""
    flags = _flags(A, s, w)
    for i in range(0, WARP_FLAGS, 8):
        store_64(flags + i, 0)


@outline
def forget_shared(A, s, c, nbytes):
    """The shared memory of a new CTA is known."""
    mark_shared(A, A[s + SM_SHARED] + c * SHARED_STRIDE, nbytes + 4, 0)
