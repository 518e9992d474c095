"""Scoreboard: when a warp's next instruction has its operands, known at the moment the previous one issues."""

from ..jit import inline
from ..raw import BIG
from ..state import (
    CODE,
    FLAG_MORE_WAITS,
    LAST,
    PC,
    R_DSTS,
    R_DSTS2,
    R_HEAD,
    R_WAITS,
    R_WAITS2,
    R_WAITS3,
    R_WAITS4,
    READY,
    REASON,
    ROW_WORDS,
    SCORE,
    WAKE,
)


@inline
def _latest(A, score, waits):
    """The latest of four scoreboard entries named by a packed word."""
    a = max(A[score + (waits & 0xFFFF)], A[score + (waits >> 16 & 0xFFFF)])
    b = max(A[score + (waits >> 32 & 0xFFFF)], A[score + (waits >> 48 & 0xFFFF)])
    return max(a, b)


@inline
def operands_ready(A, s, w, pc):
    """``cycle << REASON | Stall`` when the operands of the instruction at ``pc`` are ready."""
    row = A[CODE] + pc * ROW_WORDS
    score = A[s + SCORE + w]
    ready = _latest(A, score, A[row + R_WAITS])
    if A[row + R_HEAD] >> 32 & FLAG_MORE_WAITS:
        ready = max(ready, _latest(A, score, A[row + R_WAITS2]))
        ready = max(ready, _latest(A, score, A[row + R_WAITS3]))
        ready = max(ready, _latest(A, score, A[row + R_WAITS4]))
    return ready


@inline
def schedule(A, s, w, earliest, reason):
    """Set when warp ``w`` can issue its next instruction: not before ``earliest``, which is ``reason``'s doing."""
    ready = max(operands_ready(A, s, w, A[s + PC + w]), earliest << REASON | reason)
    A[s + READY + w] = ready
    wake = ready >> REASON
    A[s + WAKE + w] = wake
    return wake


@inline
def set_ready(A, s, w, row, when, reason):
    """The destinations of the instruction in ``row`` are ready at cycle ``when``."""
    score = A[s + SCORE + w]
    value = when << REASON | reason
    dsts = A[row + R_DSTS]
    A[score + (dsts & 0xFFFF)] = value
    A[score + (dsts >> 16 & 0xFFFF)] = value
    A[score + (dsts >> 32 & 0xFFFF)] = value
    A[score + (dsts >> 48 & 0xFFFF)] = value
    if A[row + R_HEAD] >> 32 & FLAG_MORE_WAITS:
        dsts = A[row + R_DSTS2]
        A[score + (dsts & 0xFFFF)] = value
        A[score + (dsts >> 16 & 0xFFFF)] = value
        A[score + (dsts >> 32 & 0xFFFF)] = value
        A[score + (dsts >> 48 & 0xFFFF)] = value
    A[score] = 0


@inline
def park(A, s, w):
    """Nothing is known about when the warp goes on."""
    A[s + WAKE + w] = BIG
    return BIG


@inline
def since_last(A, s, w):
    """First cycle after the warp's previous issue."""
    return A[s + LAST + w]
