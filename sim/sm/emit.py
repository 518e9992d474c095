"""One trace record per warp instruction, into the GPU's ring. Format: traces/records.py."""

from traces.records import RECORD_WORDS

from ..jit import inline
from ..raw import address_of, store_64
from ..state import (
    CTA_LAUNCH,
    CTA_LINEAR,
    CTA_SLOT,
    LAST_LOAD,
    LAUNCH_ID,
    LOAD_RECORD,
    SM_INDEX,
    TRACE_ADDRESS,
    TRACE_COUNT,
    TRACE_FROM,
    TRACE_SM_HIGH,
    TRACE_SM_LOW,
    TRACE_UNTIL,
)


@inline
def traced(A, g, s, t):
    """Whether instructions of this SM are recorded at cycle ``t``."""
    sm = A[s + SM_INDEX]
    return (
        A[g + TRACE_ADDRESS] != 0
        and sm >= A[g + TRACE_SM_LOW]
        and sm <= A[g + TRACE_SM_HIGH]
        and t >= A[g + TRACE_FROM]
        and t < A[g + TRACE_UNTIL]
    )


@inline
def _append(A, g):
    """Host address of the ring's next record; the driver empties the ring before it can overflow."""
    n = A[g + TRACE_COUNT]
    A[g + TRACE_COUNT] = n + 1
    return A[g + TRACE_ADDRESS] + 64 * n


@inline
def emit(A, g, s, w, t, done, pc, kind, mask, stall, reason, queue, queue_reason, address, amount):
    """Write a record to the ring; that of a load in flight to its entry, until its completion is known."""
    entry = A[s + LAST_LOAD]
    at = address_of(A, s + LOAD_RECORD + entry * RECORD_WORDS) if entry >= 0 else _append(A, g)
    c = A[s + CTA_SLOT + w]
    store_64(at, t)
    store_64(at + 8, done)
    store_64(at + 16, A[s + SM_INDEX] | w << 16 | reason << 24 | queue_reason << 32 | kind << 40)
    store_64(at + 24, pc | A[g + LAUNCH_ID + A[s + CTA_LAUNCH + c]] << 32)
    store_64(at + 32, mask | A[s + CTA_LINEAR + c] << 32)
    store_64(at + 40, stall | queue << 32)
    store_64(at + 48, address)
    store_64(at + 56, amount)


@inline
def complete(A, g, entry, done):
    """Write the record of a load that completed at cycle ``done``."""
    at = _append(A, g)
    for i in range(RECORD_WORDS):
        store_64(at + 8 * i, A[entry + i] if i != 1 else done)
