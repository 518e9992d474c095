"""Load/store unit: loads and stores of every state space, as data and as time.

Data of the own GPU moves when the instruction issues; time comes from L1, from the requests the memory step serves at the
end of the quantum, and for a peer's memory from the reply packet, which also brings the data.
"""

from isa.special import RANK_BITS
from traces.records import Stall

from ..addresses import LOCAL_REGION, PARAM_REGION, SHARED_REGION
from ..far import far
from ..hub.dam import WATCHES
from ..jit import inline
from ..params import (
    FN_ADDRESSES,
    FN_COALESCE,
    FN_LINE_MASKS,
    FN_LOAD,
    FN_SPLAT32,
    FN_SPLAT64,
    FN_STORE,
    L1_CYCLES,
    L2_CYCLES,
    LOAD_TICKS_EACH,
    MEM_INTERVAL,
    SMEM_CYCLES,
    STORE_INTERVAL,
    TICKS,
)
from ..raw import BIG, address_of, call, ctz, load_i8, load_i16, load_i64, load_u8, load_u16, load_u32, popcount
from ..state import (
    COLD,
    CONFLICTS,
    CTA_LAUNCH,
    CTA_SLOT,
    FLAG_STRONG,
    FUNCTIONAL,
    L1_FILLED,
    LAST_EFFECT,
    LAUNCH_ID,
    LAUNCH_PARAMS,
    LOAD_REMAIN,
    PIPE_FREE,
    R_HEAD,
    R_IMM,
    R_SUB,
    REQUEST,
    REQUEST_COUNT,
    REQUEST_WORDS,
    SCRATCH,
    Fault,
    Request,
    Space,
)
from .cache_hints import Priority, l1_prioritise, l1_priority, l2_hints
from .cluster import distributed_time
from .l1 import l1_lookup
from .memory_space import (
    aligned,
    allocated,
    enter_window,
    fault,
    in_shared,
    is_own,
    lanes_in_region,
    memory_delta,
    misaligned_lane,
    region_of,
    window_base,
    window_fault,
)
from .opaque import load_shared, loaded_lanes, store_shared, stored_lanes, values_opaque
from .operands import datum, operand, registers, scratch
from .remote import remote_load, remote_store
from .requests import new_load, request, settle_load
from .scoreboard import set_ready
from .shared import wavefronts
from .units import LOAD_TICKS, LSU_TOOK, PARAM_LAUNCH, PARAM_READY

ADDRESS = 4
"""The address is operand 4 of every memory instruction; up to four registers of data come before it."""
LSU_PIPE = PIPE_FREE + 4 * 16
_LINES, _MASKS = 64, 160
"""Scratch offset of the coalescer's result: line, sectors, line, sectors, …"""


@inline
def element_bytes(sub):
    """Bytes of one element of a vector access."""
    return 1 << (sub & 15)


@inline
def elements(sub):
    """Elements of a vector access."""
    return sub >> 16 & 15


@inline
def lane_addresses(A, P, s, w, row, mask, extra):
    """Write the lanes' addresses (plus ``extra``) to scratch. Returns 1 if they are contiguous."""
    sub = A[row + R_SUB]
    pointer = operand(A, row, ADDRESS, registers(A, s, w))
    nbytes = element_bytes(sub) * elements(sub)
    return call(P[FN_ADDRESSES], scratch(A, s), pointer, sub >> 40 & 1, A[row + R_IMM] + extra, nbytes, mask, 0, 0)


@inline
def reserve_lsu(A, s, t, cycles):
    """The access at issue keeps the LSU for ``cycles``."""
    A[s + LSU_TOOK] += cycles - 1


@inline
def _uniform_param(A, P, g, s, w, row, mask):
    """A kernel parameter at a constant offset: the same value in every lane."""
    sub = A[row + R_SUB]
    regs = registers(A, s, w)
    size = element_bytes(sub)
    base = A[g + LAUNCH_PARAMS + A[s + CTA_LAUNCH + A[s + CTA_SLOT + w]]] + A[row + R_IMM]
    for i in range(elements(sub)):
        at = base + i * size
        if size == 8:
            value = load_i64(at)
        elif size == 4:
            value = load_u32(at)
        elif size == 2:
            value = load_i16(at) if sub >> 4 & 1 else load_u16(at)
        else:
            value = load_i8(at) if sub >> 4 & 1 else load_u8(at)
        splat = P[FN_SPLAT64] if sub >> 5 & 1 else P[FN_SPLAT32]
        call(splat, datum(A, row, i, regs), value, mask, 0, 0, 0, 0, 0)


@inline
def _param_time(A, P, g, s, w, t):
    """When a kernel parameter is there: the first that an SM reads of a launch brings them from L2."""
    launch = A[g + LAUNCH_ID + A[s + CTA_LAUNCH + A[s + CTA_SLOT + w]]] + 1
    if A[s + PARAM_LAUNCH] != launch:
        A[s + PARAM_LAUNCH] = launch
        A[s + PARAM_READY] = t + P[L2_CYCLES]
    return max(t + P[SMEM_CYCLES], A[s + PARAM_READY])


@inline
def _move(A, P, s, w, row, mask, delta, unit, function):
    """Move the elements between memory and registers: ``function`` is the library's load or store."""
    sub = A[row + R_SUB]
    regs = registers(A, s, w)
    n = elements(sub)
    hint = 64 if unit and n == 1 else 0
    for i in range(n):
        at = delta + i * element_bytes(sub)
        call(function, datum(A, row, i, regs), scratch(A, s), at, (sub & 63) | hint, mask, 0, 0, 0)


@inline
def coalesce(A, P, s, nbytes, mask):
    """The distinct lines that active lanes touch, at scratch ``_LINES``. Returns their number."""
    return call(P[FN_COALESCE], address_of(A, s + SCRATCH + _LINES), scratch(A, s), nbytes, mask, 0, 0, 0, 0)


@inline
def _load_cycles(A, P, s, lines):
    """Cycles of the LSU that a load of so many lines takes; parts of a cycle are saved up."""
    ticks = A[s + LOAD_TICKS] + max(lines * P[MEM_INTERVAL] * TICKS, P[LOAD_TICKS_EACH])
    A[s + LOAD_TICKS] = ticks % TICKS
    return ticks // TICKS


@inline
def _load_own(A, P, s, w, row, mask, index, t):
    """Time of a load from the own GPU's memory: L1, or requests to L2. Returns the latest time known now."""
    sub = A[row + R_SUB]
    n = coalesce(A, P, s, element_bytes(sub) * elements(sub), mask)
    reserve_lsu(A, s, t, _load_cycles(A, P, s, n))
    priority = l1_priority(A, row)
    strong = A[row + R_HEAD] >> 32 & FLAG_STRONG or priority == Priority.BYPASS
    when = t + P[L1_CYCLES]
    for i in range(n):
        line = A[s + SCRATCH + _LINES + 2 * i]
        sectors = A[s + SCRATCH + _LINES + 2 * i + 1]
        at = t + i
        hints = l2_hints(A, s, w, row, mask, line)
        if strong:
            request(A, s, at, line, sectors, Request.LOAD | hints, index, 0, -1)
            A[s + LOAD_REMAIN + index] += 1
            continue
        found = l1_lookup(A, P, s, at, line, sectors)
        way = found >> 8
        l1_prioritise(A, s, way, priority)
        if found & 255:
            request(A, s, at, line, found & 255, Request.LOAD | hints, index, 0, way)
            A[s + LOAD_REMAIN + index] += 1
        elif A[s + L1_FILLED + way] >= BIG:
            request(A, s, at, line, sectors, Request.MERGED, index, 0, way)
            A[s + LOAD_REMAIN + index] += 1
        else:
            when = max(when, max(A[s + L1_FILLED + way], at + P[L1_CYCLES] + i))  # the answer takes a cycle a line, too
    return when


@far
def load(A, P, g, gpu, s, w, row, mask, t):
    """Execute a load. Returns True unless it faulted."""
    sub = A[row + R_SUB]
    space = sub >> 8 & 255
    if space == Space.UNIFORM:
        _uniform_param(A, P, g, s, w, row, mask)
        set_ready(A, s, w, row, _param_time(A, P, g, s, w, t), Stall.SHORT_SCOREBOARD)
        return True
    nbytes = element_bytes(sub) * elements(sub)
    unit = lane_addresses(A, P, s, w, row, mask, 0)
    timed = A[FUNCTIONAL] == 0
    index = -1
    when = t
    reason = Stall.LONG_SCOREBOARD
    left = mask
    while left:
        region = region_of(A, s, space, left)
        now = left
        if space <= Space.GLOBAL and A[s + SCRATCH + 32] >> 38 != A[s + SCRATCH + 33] >> 38:
            now = lanes_in_region(A, s, region, left)
            unit = 0
        left &= ~now
        if nbytes > 1 and not aligned(A, s, nbytes, now):
            fault(A, g, s, w, Fault.MISALIGNED, misaligned_lane(A, s, nbytes, now), A[s + SCRATCH + 32], nbytes, t)
            return False
        if is_own(region, gpu):
            bad = allocated(A, g, s, nbytes, now, unit)
            if bad >= 0:
                fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], nbytes, t)
                return False
            if timed:
                if index < 0:
                    index = new_load(A, s, w, row, Stall.LONG_SCOREBOARD)
                when = max(when, _load_own(A, P, s, w, row, now, index, t))
            known = loaded_lanes(A, s, w, row, gpu, now, unit)
            _move(A, P, s, w, row, known, memory_delta(A, g, region), unit, P[FN_LOAD])
        elif region >= SHARED_REGION and region <= PARAM_REGION:
            bad = -1 if in_shared(A, s, w, region, nbytes) else enter_window(A, P, g, s, w, region, nbytes, now)
            if bad >= 0:
                window_fault(A, g, s, w, region, bad, nbytes, t)
                return False
            if timed:
                when = max(when, _window_time(A, P, g, s, w, region, nbytes, now, unit, t))
                if region == SHARED_REGION:
                    reason = Stall.SHORT_SCOREBOARD
            base = window_base(A, g, s, w, region)
            load_shared(A, s, w, row, now, base, nbytes, region == SHARED_REGION)
            _move(A, P, s, w, row, now, base, unit * (region == SHARED_REGION), P[FN_LOAD])
        else:
            if index < 0:
                index = new_load(A, s, w, row, Stall.REMOTE)
            if not remote_load(A, P, g, gpu, s, w, row, now, region, index, t):
                return False
        if left:
            lane_addresses(A, P, s, w, row, mask, 0)
    if index >= 0:
        settle_load(A, s, w, row, index, when, Stall.LONG_SCOREBOARD)
    elif timed:
        set_ready(A, s, w, row, when, reason)
    return True


@inline
def _window_time(A, P, g, s, w, region, nbytes, mask, unit, t):
    """When a load from shared, local or parameter memory is done."""
    if region == LOCAL_REGION or region == PARAM_REGION:
        return t + P[L1_CYCLES]
    if A[s + SCRATCH + 33] >> RANK_BITS:
        c = A[s + CTA_SLOT + w]
        return distributed_time(A, P, g, s, c, A[s + SCRATCH + 33], nbytes * popcount(mask), t)
    n = wavefronts(A, s, nbytes, mask, unit)
    reserve_lsu(A, s, t, n)
    A[s + CONFLICTS] += n - max(1, nbytes >> 2)
    return t + P[SMEM_CYCLES] + 2 * (n - 1)


@far
def store(A, P, g, gpu, s, w, row, mask, t):
    """Execute a store. Returns True unless it faulted."""
    sub = A[row + R_SUB]
    space = sub >> 8 & 255
    nbytes = element_bytes(sub) * elements(sub)
    unit = lane_addresses(A, P, s, w, row, mask, 0)
    timed = A[FUNCTIONAL] == 0
    A[s + LAST_EFFECT] = t
    left = mask
    while left:
        region = region_of(A, s, space, left)
        now = left
        if space <= Space.GLOBAL and A[s + SCRATCH + 32] >> 38 != A[s + SCRATCH + 33] >> 38:
            now = lanes_in_region(A, s, region, left)
            unit = 0
        left &= ~now
        if nbytes > 1 and not aligned(A, s, nbytes, now):
            fault(A, g, s, w, Fault.MISALIGNED, misaligned_lane(A, s, nbytes, now), A[s + SCRATCH + 32], nbytes, t)
            return False
        if is_own(region, gpu):
            bad = allocated(A, g, s, nbytes, now, unit)
            if bad >= 0:
                fault(A, g, s, w, Fault.ADDRESS, bad, A[s + SCRATCH + bad], nbytes, t)
                return False
            stored = stored_lanes(A, g, s, w, gpu, now, unit, t)
            if stored < 0:
                return False
            if timed:
                _store_own(A, P, s, w, row, nbytes, now, A[g + WATCHES], t)
            _move(A, P, s, w, row, stored, memory_delta(A, g, region), unit, P[FN_STORE])
        elif region == SHARED_REGION or region == LOCAL_REGION:
            bad = -1 if in_shared(A, s, w, region, nbytes) else enter_window(A, P, g, s, w, region, nbytes, now)
            if bad >= 0:
                window_fault(A, g, s, w, region, bad, nbytes, t)
                return False
            if timed:
                _window_time(A, P, g, s, w, region, nbytes, now, unit, t)
            base = window_base(A, g, s, w, region)
            if region == LOCAL_REGION and values_opaque(A, s):
                fault(A, g, s, w, Fault.OPAQUE_STORE, ctz(now), A[s + SCRATCH + ctz(now)], nbytes, t)
                return False
            if region == LOCAL_REGION or store_shared(A, s, now, base, nbytes):
                _move(A, P, s, w, row, now, base, unit * (region == SHARED_REGION), P[FN_STORE])
        elif not remote_store(A, P, g, gpu, s, w, row, now, region, t):
            return False
        if left:
            lane_addresses(A, P, s, w, row, mask, 0)
    return True


@inline
def _add_byte_mask(A, P, s, nbytes, line, mask, watched):
    """Bytes of the line that the newest request stores; only the DAM wants to know."""
    at = A[s + COLD] + REQUEST + (A[s + REQUEST_COUNT] - 1) * REQUEST_WORDS
    A[at + 4] = 0
    A[at + 5] = 0
    if watched:
        result = address_of(A, s + SCRATCH + _MASKS)
        call(P[FN_LINE_MASKS], result, scratch(A, s), nbytes, line, mask, 0, 0, 0)
        A[at + 4] = A[s + SCRATCH + _MASKS]
        A[at + 5] = A[s + SCRATCH + _MASKS + 1]


@inline
def _store_own(A, P, s, w, row, nbytes, mask, watched, t):
    """Requests of a store to the own GPU's memory."""
    n = coalesce(A, P, s, nbytes, mask)
    busy = 0
    stored = 0
    for i in range(n):
        stored += 32 * popcount(A[s + SCRATCH + _LINES + 2 * i + 1])
    partial = 1 if nbytes * popcount(mask) < stored else 0
    for i in range(n):
        sectors = A[s + SCRATCH + _LINES + 2 * i + 1]
        line = A[s + SCRATCH + _LINES + 2 * i]
        kind = Request.STORE | l2_hints(A, s, w, row, mask, line)
        request(A, s, t + busy, line, sectors, kind, 0, partial, popcount(mask))
        _add_byte_mask(A, P, s, nbytes, line, mask, watched)
        busy += popcount(sectors) * P[STORE_INTERVAL]
    reserve_lsu(A, s, t, max(n, busy))
