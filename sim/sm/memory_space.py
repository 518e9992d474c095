"""From lane addresses to host memory: which region an access is for, whether it is allowed, where the bytes are.

Lane addresses lie in the SM's scratch words: ``[0:32]`` addresses, ``[32]`` smallest, ``[33]`` largest of the active lanes,
``[34]`` their bits or'ed together.
"""

from isa.special import RANK_BITS

from ..addresses import LOCAL_REGION, OFFSET_MASK, OWN_REGION, PARAM_REGION, REGION_BITS, SHARED_REGION
from ..jit import inline, outline
from ..raw import BIG, ctz, load_u8
from ..state import (
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    FAULT,
    LAUNCH_LOCAL,
    LAUNCH_PARAM_BYTES,
    LAUNCH_PARAMS,
    LINE_LIMIT,
    LOCAL,
    LOCAL_LANE_BYTES,
    MEMORY,
    MEMORY_LINES,
    PC,
    SCRATCH,
    SHARED_STRIDE,
    SM_SHARED,
    WAKE,
    Fault,
    Space,
)
from .cluster import distributed


@outline
def fault(A, g, s, w, code, lane, address, nbytes, t):
    """Record the first fault of the GPU and stop the warp."""
    if A[g + FAULT] == 0:
        A[g + FAULT] = code
        A[g + FAULT + 1] = s
        A[g + FAULT + 2] = w
        A[g + FAULT + 3] = A[s + PC + w] - 1  # the pc moves on before an instruction executes
        A[g + FAULT + 4] = lane
        A[g + FAULT + 5] = address
        A[g + FAULT + 6] = nbytes
        A[g + FAULT + 7] = t
    A[s + WAKE + w] = BIG


@inline
def region_of(A, s, space, mask):
    """Region of the lowest active lane; windows of explicit state spaces have their own."""
    if space == Space.SHARED:
        return SHARED_REGION
    if space == Space.LOCAL:
        return LOCAL_REGION
    if space == Space.PARAM:
        return PARAM_REGION
    return A[s + SCRATCH + ctz(mask)] >> REGION_BITS


@inline
def is_own(region, gpu):
    """Whether the region is this GPU's memory."""
    return region == gpu + 1 or region == OWN_REGION


@outline
def lanes_in_region(A, s, region, mask):
    """The active lanes whose address is in ``region``; updates smallest and largest address to those lanes."""
    lanes, low, high = 0, BIG, 0
    for lane in range(32):
        address = A[s + SCRATCH + lane]
        if mask >> lane & 1 and address >> REGION_BITS == region:
            lanes |= 1 << lane
            low = min(low, address)
            high = max(high, address)
    A[s + SCRATCH + 32] = low
    A[s + SCRATCH + 33] = high
    return lanes


@inline
def _line_holds(A, g, address, nbytes, more):
    """Whether bytes of one line are allocated; with ``more``, also those from there to its end."""
    line = (address & OFFSET_MASK) >> 7
    if line >= A[g + MEMORY_LINES]:
        return False
    limit = load_u8(A[g + LINE_LIMIT] + line)
    return limit == 128 or (not more and (address & 127) + nbytes <= limit)


@inline
def holds(A, g, address):
    """Whether a byte of this GPU's memory is allocated."""
    return _line_holds(A, g, address, 1, False)


@outline
def bad_lane(A, g, s, nbytes, mask):
    """First active lane that touches memory that is not allocated, or -1."""
    for lane in range(32):
        if mask >> lane & 1 and not _line_holds(A, g, A[s + SCRATCH + lane], nbytes, False):
            return lane
    return -1


@inline
def allocated(A, g, s, nbytes, mask, unit):
    """First active lane outside allocated memory, or -1. ``unit``: lanes are contiguous."""
    low = A[s + SCRATCH + 32]
    high = A[s + SCRATCH + 33]
    if (unit or low >> 7 == high >> 7) and _line_holds(A, g, high, nbytes, False):
        if low >> 7 == high >> 7 or _line_holds(A, g, low, nbytes, True):
            return -1
    return bad_lane(A, g, s, nbytes, mask)


@outline
def allocated_range(A, g, address, nbytes):
    """Whether all of ``nbytes`` from an address on is allocated."""
    while nbytes > 0:
        n = min(nbytes, 128 - (address & 127))
        if not _line_holds(A, g, address, n, False):
            return False
        address += n
        nbytes -= n
    return True


@outline
def misaligned_lane(A, s, nbytes, mask):
    """First active lane whose address is not a multiple of the access size, or -1."""
    for lane in range(32):
        if mask >> lane & 1 and A[s + SCRATCH + lane] & (nbytes - 1):
            return lane
    return -1


@inline
def aligned(A, s, nbytes, mask):
    """Whether every active lane's address is a multiple of the access size, a power of two."""
    if A[s + SCRATCH + 34] & (nbytes - 1) == 0:
        return True
    return misaligned_lane(A, s, nbytes, mask) < 0


@outline
def _window_limit(A, P, g, s, w, region):
    """Bytes of the shared, local or parameter window of the warp."""
    c = A[s + CTA_SLOT + w]
    launch = A[s + CTA_LAUNCH + c]
    if region == SHARED_REGION:
        return A[s + CTA_SHARED + c]
    if region == LOCAL_REGION:
        return A[g + LAUNCH_LOCAL + launch]
    return A[g + LAUNCH_PARAM_BYTES + launch]


@inline
def window_base(A, g, s, w, region):
    """Host address of byte 0 of a window."""
    c = A[s + CTA_SLOT + w]
    if region == SHARED_REGION:
        return A[s + SM_SHARED] + c * SHARED_STRIDE
    if region == LOCAL_REGION:
        return A[s + LOCAL + w]
    return A[g + LAUNCH_PARAMS + A[s + CTA_LAUNCH + c]]


@outline
def enter_window(A, P, g, s, w, region, nbytes, mask):
    """Turn addresses of a window into offsets (local: per lane; other CTAs' shared memory: from the own one's start).
    Returns the first bad lane or -1."""
    limit = _window_limit(A, P, g, s, w, region)
    bad = -1
    for lane in range(32):
        offset = A[s + SCRATCH + lane] & OFFSET_MASK
        outside = offset + nbytes > limit
        if region == SHARED_REGION and offset >> RANK_BITS and mask >> lane & 1:
            mapped = distributed(A, g, s, A[s + CTA_SLOT + w], offset, nbytes)
            outside = mapped >= BIG
            offset = offset if outside else mapped
        if mask >> lane & 1 and outside and bad < 0:
            bad = lane
        A[s + SCRATCH + lane] = offset + (lane * LOCAL_LANE_BYTES if region == LOCAL_REGION else 0)
    A[s + SCRATCH + 32] &= OFFSET_MASK
    A[s + SCRATCH + 33] &= OFFSET_MASK
    return bad


@outline
def window_fault(A, g, s, w, region, lane, nbytes, t):
    """Record that a lane, found by `enter_window`, is outside its window."""
    local = region == LOCAL_REGION
    address = A[s + SCRATCH + lane] - (lane * LOCAL_LANE_BYTES if local else 0)
    fault(A, g, s, w, Fault.LOCAL_ADDRESS if local else Fault.SHARED_ADDRESS, lane, address, nbytes, t)


@inline
def in_shared(A, s, w, region, nbytes):
    """Whether all addresses are offsets within the CTA's shared memory already, as with ``ld.shared``."""
    return region == SHARED_REGION and A[s + SCRATCH + 33] + nbytes <= A[s + CTA_SHARED + A[s + CTA_SLOT + w]]


@inline
def memory_delta(A, g, region):
    """What to add to an address of this GPU's memory, as region ``region``, to get a host address."""
    return A[g + MEMORY] - (region << REGION_BITS)
