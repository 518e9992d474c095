"""Thread blocks on an SM: admission, start, and what happens when warps and blocks end."""

from traces.records import Stall

from ..addresses import SHARED_START
from ..far import far
from ..jit import inline
from ..opaque_layout import OPAQUE
from ..params import CTA_START_CYCLES, MAX_CTAS, MAX_WARPS, REGISTERS, SMEM_BYTES, SMEM_RESERVED_BYTES
from ..raw import BIG, ctz, store_64
from ..state import (
    ACTIVE,
    BAR_ARRIVED,
    BAR_EXPECT,
    BAR_TIME,
    BARRIERS,
    BLOCK,
    BLOCK_X,
    BLOCK_Y,
    BLOCK_Z,
    CLUSTER_LANES,
    CLUSTER_READY,
    COPY_DONE,
    COPY_GROUP,
    COPY_PENDING,
    CTA_CLUSTER,
    CTA_ENDED,
    CTA_LAUNCH,
    CTA_LINEAR,
    CTA_LIVE,
    CTA_SHARED,
    CTA_SLOT,
    CTA_X,
    CTA_Y,
    CTA_Z,
    CTAS,
    CTAS_USED,
    DEPTH,
    FIRST_SCHEDULER,
    FUNCTIONAL,
    GRID_X,
    GRID_Y,
    ISSUED,
    JOIN,
    LAST,
    LAST_EFFECT,
    LAUNCH_DONE,
    LAUNCH_END,
    LAUNCH_ID,
    LAUNCH_INSTRUCTIONS,
    LAUNCH_PC,
    LAUNCH_REGISTERS,
    LAUNCH_SHARED,
    LAUNCH_WARPS,
    LIVE,
    LOCAL,
    LOCAL_LANE_BYTES,
    PATH_COUNT,
    PC,
    PENDING,
    PHASE,
    PINNED,
    POLL_COUNT,
    POLL_PC,
    REGISTER_BYTES,
    REGISTERS_USED,
    REGS,
    RESERVED,
    SCORE,
    SCORE_WORDS,
    SHARED_USED,
    SLOTS_USED,
    SM_INDEX,
    SM_LOCAL,
    SM_REGS,
    SM_SCORES,
    STARTED,
    WAIT_OBJECT,
    WAIT_UNTIL,
    WAKE,
    WARP_IN_CTA,
    WARP_RECORD_COUNT,
    WARP_RECORD_ROOM,
    WARP_RECORDS,
    WARPS_USED,
    Block,
)
from .barrier import warp_left
from .bulk_groups import forget_groups
from .opaque import forget_shared, forget_warp
from .scoreboard import schedule
from .wgmma_groups import forget_products


@inline
def room(A, P, g, s, launch):
    """How many more CTAs of the launch the SM can take."""
    warps = A[g + LAUNCH_WARPS + launch]
    shared = A[g + LAUNCH_SHARED + launch] + P[SMEM_RESERVED_BYTES]
    n = min(P[MAX_CTAS] - A[s + CTAS_USED], (P[MAX_WARPS] - A[s + WARPS_USED]) // warps)
    n = min(n, (P[REGISTERS] - A[s + REGISTERS_USED]) // (warps * A[g + LAUNCH_REGISTERS + launch]))
    return max(0, min(n, (P[SMEM_BYTES] - A[s + SHARED_USED]) // max(1, shared)))


@inline
def fits(A, P, g, s, launch):
    """Whether the SM can take another CTA of the launch: warps, CTA slots, registers, shared memory."""
    warps = A[g + LAUNCH_WARPS + launch]
    shared = A[g + LAUNCH_SHARED + launch] + P[SMEM_RESERVED_BYTES]
    return (
        A[s + CTAS_USED] < P[MAX_CTAS]
        and A[s + WARPS_USED] + warps <= P[MAX_WARPS]
        and A[s + REGISTERS_USED] + warps * A[g + LAUNCH_REGISTERS + launch] <= P[REGISTERS]
        and A[s + SHARED_USED] + shared <= P[SMEM_BYTES]
    )


@inline
def _free_cta_slot(A, s):
    for c in range(CTAS):
        if A[s + CTA_LIVE + c] == 0:
            return c
    return -1


@inline
def _take_warp_slot(A, s, scheduler):
    """A free warp slot, of ``scheduler`` if it has one."""
    for i in range(4):
        k = (scheduler + i) & 3
        free = ~A[s + SLOTS_USED + k] & 0xFFFF
        if free:
            slot = ctz(free)
            A[s + SLOTS_USED + k] |= 1 << slot
            return k * 16 + slot
    return -1


@inline
def _start_warp(A, g, s, w, c, index, launch, lanes, t):
    """Initial state of a warp: all lanes at the entry, nothing pending."""
    A[s + PC + w] = A[g + LAUNCH_PC + launch]
    A[s + ACTIVE + w] = lanes
    A[s + LIVE + w] = lanes
    A[s + JOIN + w] = BIG
    for field in (
        PATH_COUNT,
        PINNED,
        DEPTH,
        RESERVED,
        BLOCK,
        PHASE,
        PENDING,
        COPY_GROUP,
        COPY_DONE,
        POLL_COUNT,
        ISSUED,
        CLUSTER_LANES,
        CLUSTER_READY,
        WAIT_OBJECT,
        WAIT_UNTIL,
    ):
        A[s + field + w] = 0
    for i in range(16):
        A[s + COPY_PENDING + w * 16 + i] = 0
    forget_groups(A, s, w)
    if A[OPAQUE]:
        forget_warp(A, s, w)
    forget_products(A, s, w)
    A[s + POLL_PC + w] = -1
    A[s + CTA_SLOT + w] = c
    A[s + WARP_IN_CTA + w] = index
    A[s + REGS + w] = A[s + SM_REGS] + w * A[REGISTER_BYTES]
    A[s + LOCAL + w] = A[s + SM_LOCAL] + w * (32 * LOCAL_LANE_BYTES)
    score = A[s + SM_SCORES] + w * A[SCORE_WORDS]
    A[s + SCORE + w] = score
    if A[FUNCTIONAL] == 0:
        for i in range(A[SCORE_WORDS]):
            A[score + i] = 0
    A[s + STARTED + w] = t
    A[s + LAST + w] = t
    schedule(A, s, w, t, Stall.DISPATCH)


@far
def start_cta(A, P, g, s, launch, linear, t):
    """Place CTA ``linear`` of a launch on the SM at cycle ``t``; the SM must have room. Returns the CTA's slot."""
    c = _free_cta_slot(A, s)
    warps = A[g + LAUNCH_WARPS + launch]
    x, y = A[g + GRID_X + launch], A[g + GRID_Y + launch]
    A[s + CTA_LAUNCH + c] = launch
    A[s + CTA_LINEAR + c] = linear
    A[s + CTA_X + c] = linear % x
    A[s + CTA_Y + c] = linear // x % y
    A[s + CTA_Z + c] = linear // (x * y)
    A[s + CTA_LIVE + c] = warps
    A[s + CTA_SHARED + c] = SHARED_START + A[g + LAUNCH_SHARED + launch]
    A[s + CTA_CLUSTER + c] = 0
    if A[OPAQUE]:
        forget_shared(A, s, c, A[s + CTA_SHARED + c])
    for i in range(BARRIERS):
        A[s + BAR_ARRIVED + c * BARRIERS + i] = 0
        A[s + BAR_EXPECT + c * BARRIERS + i] = 0
        A[s + BAR_TIME + c * BARRIERS + i] = 0
    A[s + CTAS_USED] += 1
    A[s + WARPS_USED] += warps
    A[s + REGISTERS_USED] += warps * A[g + LAUNCH_REGISTERS + launch]
    A[s + SHARED_USED] += A[g + LAUNCH_SHARED + launch] + P[SMEM_RESERVED_BYTES]
    threads = A[g + BLOCK_X + launch] * A[g + BLOCK_Y + launch] * A[g + BLOCK_Z + launch]
    first = A[s + FIRST_SCHEDULER]
    A[s + FIRST_SCHEDULER] = (first + warps) & 3
    for i in range(warps):
        w = _take_warp_slot(A, s, (first + i) & 3)
        lanes = 0xFFFFFFFF if threads - 32 * i >= 32 else (1 << (threads - 32 * i)) - 1
        _start_warp(A, g, s, w, c, i, launch, lanes, t + P[CTA_START_CYCLES])
    return c


@inline
def _record_warp(A, g, s, w, c, end):
    """Append to the table of warps: sm, slot, launch, CTA, start, end, instructions."""
    n = A[g + WARP_RECORD_COUNT]
    if n >= A[g + WARP_RECORD_ROOM]:
        return
    A[g + WARP_RECORD_COUNT] = n + 1
    at = A[g + WARP_RECORDS] + 64 * n
    store_64(at, A[s + SM_INDEX])
    store_64(at + 8, w)
    store_64(at + 16, A[g + LAUNCH_ID + A[s + CTA_LAUNCH + c]])
    store_64(at + 24, A[s + CTA_LINEAR + c])
    store_64(at + 32, A[s + STARTED + w])
    store_64(at + 40, end)
    store_64(at + 48, A[s + ISSUED + w])


@inline
def free_warp(A, s, w):
    """The slot can hold another warp."""
    A[s + SLOTS_USED + (w >> 4)] &= ~(1 << (w & 15))
    A[s + WARPS_USED] -= 1
    A[s + BLOCK + w] = Block.NONE


@far
def end_warp(A, P, g, s, w, t):
    """All lanes have exited at cycle ``t``: free the slot (once no load is in flight), maybe end the CTA."""
    c = A[s + CTA_SLOT + w]
    launch = A[s + CTA_LAUNCH + c]
    A[s + WAKE + w] = BIG
    A[s + LAST_EFFECT] = t
    _record_warp(A, g, s, w, c, t + 1)
    A[g + LAUNCH_INSTRUCTIONS + launch] += A[s + ISSUED + w]
    A[g + LAUNCH_END + launch] = max(A[g + LAUNCH_END + launch], t + 1)
    A[s + REGISTERS_USED] -= A[g + LAUNCH_REGISTERS + launch]
    A[s + CTA_LIVE + c] -= 1
    if A[s + PENDING + w] > 0:
        A[s + BLOCK + w] = Block.DRAIN
    else:
        free_warp(A, s, w)
    if A[s + CTA_LIVE + c] > 0:
        warp_left(A, P, s, c)
        return 0
    A[s + CTAS_USED] -= 1
    A[s + SHARED_USED] -= A[s + CTA_SHARED + c] - SHARED_START + P[SMEM_RESERVED_BYTES]
    A[g + LAUNCH_DONE + launch] += 1
    A[g + CTA_ENDED] = 1
    return 0
