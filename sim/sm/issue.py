"""Warp schedulers: four per SM, each issues one instruction per cycle from its 16 warp slots, greedy then oldest.

A warp's next issue time is known when it issues (scoreboard.py), so nothing is scanned per cycle. A pipe that is busy is
reserved: the warp comes back at the time it was given, in the order in which warps asked, like a queue in front of the unit.
"""

from isa.instr import Kind
from traces.records import Stall

from ..far import far
from ..jit import inline, outline
from ..opaque_layout import FLAG_OPAQUE_BIT
from ..raw import BIG, argmin16, call_lane, popcount
from ..state import (
    BLOCK,
    CODE,
    INSTRUCTIONS,
    ISSUE_FREE,
    ISSUED,
    KIND_COUNT,
    LANES,
    LAST,
    LAST_LOAD,
    LIVE,
    MAIL_NEXT,
    NEXT,
    PATH_COUNT,
    PC,
    PIPE_FREE,
    R_DSTS,
    R_FN,
    R_HEAD,
    R_REASON,
    R_SUB,
    R_TIME,
    READY,
    REASON,
    REASONS,
    REGS,
    RESERVED,
    ROW_WORDS,
    SCORE,
    SCRATCH,
    STALL,
    THROTTLED,
    WAKE,
    Block,
)
from .delivery import deliver
from .emit import emit, traced
from .execute import MEMORY_KINDS, other
from .lsu import LSU_PIPE
from .opaque import opaque_operands
from .operands import guard_mask, operand
from .paths import step_diverged
from .requests import has_room
from .scoreboard import park, schedule, set_ready
from .units import LSU_GIVEN, LSU_TAKES, LSU_TOOK

STEP = 8
"""Cycles a scheduler runs before the next one; they share the LSU and L1, so this bounds how far they drift apart."""
_ACCESSES = MEMORY_KINDS | 1 << Kind.LDMATRIX | 1 << Kind.STMATRIX
"""Kinds that say how long they keep the LSU."""
SHARED_PIPES = 16
"""Pipes from this number on belong to the SM, those below to each scheduler."""


@inline
def _pipe(s, scheduler, pipe):
    """Arena index of a pipe's next free cycle."""
    return s + PIPE_FREE + (4 * 16 + pipe - SHARED_PIPES if pipe >= SHARED_PIPES else scheduler * 16 + pipe)


@inline
def reserve(A, s, w, scheduler, row, is_access, t):
    """Whether the instruction gets its pipe at ``t``. If not, the warp is put off to the slot it was given.

    How long an access keeps the LSU is known when it issues; until then it is taken to need what the last one did.
    """
    time = A[row + R_TIME]
    interval = time >> 16 & 0xFFFF
    if A[s + RESERVED + w]:
        A[s + LSU_GIVEN] = A[s + RESERVED + w] >> 8
        A[s + RESERVED + w] = 0
        return True
    if is_access:
        interval = max(interval, A[s + LSU_TAKES])
    pipe = time >> 32 & 0xFFFF
    at = _pipe(s, scheduler, pipe)
    free = A[at]
    if free > t:
        A[at] = free + interval
        A[s + RESERVED + w] = 1 + pipe | interval << 8
        A[s + WAKE + w] = free
        return False
    A[at] = t + interval
    A[s + LSU_GIVEN] = interval
    return True


@far
def record(A, P, g, s, w, row, pc, kind, mask, stall, queue, reasons, t):
    """Trace record of an instruction; a load in flight keeps it until it completes. ``reasons``: stall | queue << 8."""
    sub = A[row + R_SUB]
    target = A[row + R_DSTS] & 0xFFFF
    done = A[A[s + SCORE + w] + target] >> REASON if target else t + 1
    address, nbytes = 0, 0
    if mask and 1 << kind & MEMORY_KINDS:
        address = A[s + SCRATCH + 32]
        nbytes = (1 << (sub & 15)) * max(1, sub >> 16 & 15) * popcount(mask)
    emit(A, g, s, w, t, done, pc, kind, mask, stall, reasons & 255, queue, reasons >> 8, address, nbytes)
    return 0


@inline
def _has_its_turn(A, P, s, w, scheduler, row, kind, hub_left, t):
    """Whether the instruction can issue: its pipe is free, and a memory instruction has room. If not, the warp waits."""
    if not reserve(A, s, w, scheduler, row, 1 << kind & _ACCESSES, t):
        return False
    if 1 << kind & MEMORY_KINDS and not has_room(A, P, s, hub_left):
        A[s + LSU_PIPE] -= A[s + LSU_GIVEN]  # its turn is another's
        A[s + BLOCK + w] = Block.THROTTLE
        A[s + THROTTLED] += 1
        A[s + WAKE + w] = BIG
        return False
    return True


@inline
def _lane_operation(A, P, g, s, w, row, regs, mask, t):
    """An instruction that every lane executes for itself."""
    if A[row + R_HEAD] >> FLAG_OPAQUE_BIT & 1 and opaque_operands(A, P, g, s, w, row, mask, t) != 1:
        set_ready(A, s, w, row, t + (A[row + R_TIME] & 0xFFFF), A[row + R_REASON])
        return
    call_lane(
        A[row + R_FN],
        operand(A, row, 0, regs),
        operand(A, row, 1, regs),
        operand(A, row, 2, regs),
        operand(A, row, 3, regs),
        operand(A, row, 4, regs),
        operand(A, row, 5, regs),
        mask,
    )
    set_ready(A, s, w, row, t + (A[row + R_TIME] & 0xFFFF), A[row + R_REASON])


@outline
def keep_order(A, s, w, t):
    """After an instruction of a warp with several paths: the one that comes first in order goes on."""
    if A[s + BLOCK + w] != 0 or A[s + LIVE + w] == 0:
        return
    pc = A[s + PC + w]
    step_diverged(A, s, w)
    if A[s + PC + w] != pc:
        ready = A[s + READY + w]
        earliest = ready >> REASON if ready >> REASON < BIG else t + 1
        schedule(A, s, w, earliest, ready & REASONS)


@inline
def issue(A, P, g, gpu, s, w, scheduler, hub_left, t):
    """Try to issue the next instruction of warp ``w`` at cycle ``t``. Returns the cycles it issued for, 0 if it did not."""
    pc = A[s + PC + w]
    row = A[CODE] + pc * ROW_WORDS
    kind = A[row + R_HEAD] & 255
    given = A[s + RESERVED + w] & 255
    if not _has_its_turn(A, P, s, w, scheduler, row, kind, hub_left, t):
        return 0
    regs = A[s + REGS + w]
    mask = guard_mask(A, s, w, row, regs)
    ready = A[s + READY + w]
    last = A[s + LAST + w]
    since = max(ready >> REASON, last)
    waited = Stall.NOT_SELECTED
    if given:
        waited = Stall.LG_THROTTLE if given > SHARED_PIPES else Stall.MATH_PIPE_THROTTLE
    A[s + STALL + (ready & REASONS)] += since - last
    A[s + STALL + waited] += t - since
    A[s + LAST + w] = t + 1
    A[s + ISSUED + w] += 1
    A[s + KIND_COUNT + kind] += 1
    A[s + LANES] += popcount(mask)
    A[s + PC + w] = pc + 1
    tracing = traced(A, g, s, t)
    A[s + LAST_LOAD] = -1
    if kind == Kind.LANE:
        _lane_operation(A, P, g, s, w, row, regs, mask, t)
        schedule(A, s, w, t + 1, Stall.WAIT)
    else:
        if tracing and (kind == Kind.EXIT or kind == Kind.RET):
            record(A, P, g, s, w, row, pc, kind, mask, since - last, t - since, (ready & REASONS) | waited << 8, t)
            tracing = False
        if A[row + R_HEAD] >> FLAG_OPAQUE_BIT & 1 == 0 or opaque_operands(A, P, g, s, w, row, mask, t):
            A[s + LSU_TOOK] = 1
            other(A, P, g, gpu, s, w, row, kind, mask, pc, t)
            if 1 << kind & _ACCESSES:
                A[s + LSU_PIPE] += A[s + LSU_TOOK] - A[s + LSU_GIVEN]
                A[s + LSU_TAKES] = A[s + LSU_TOOK]
        else:
            park(A, s, w)
    if tracing:
        record(A, P, g, s, w, row, pc, kind, mask, since - last, t - since, (ready & REASONS) | waited << 8, t)
    if A[s + PATH_COUNT + w] > 0:
        keep_order(A, s, w, t)
    return A[row + R_TIME] >> 48


@inline
def _run_scheduler(A, P, g, gpu, s, scheduler, until, hub_left):
    """Issue what one scheduler can before cycle ``until``. Returns when its next warp can issue."""
    free = A[s + ISSUE_FREE + scheduler]
    w = -1
    t = free
    while True:
        if w >= 0 and A[s + WAKE + w] <= free:
            t = free
        else:
            key = argmin16(A, s + WAKE + scheduler * 16)
            w = scheduler * 16 + (key & 15)
            t = max(key >> 4, free)
        if t >= until:
            break
        slots = issue(A, P, g, gpu, s, w, scheduler, hub_left, t)
        if slots > 0:
            free = t + slots
            A[s + INSTRUCTIONS] += 1
        else:
            w = -1
    A[s + ISSUE_FREE + scheduler] = free
    return t


@far
def run_sm(A, P, g, gpu, s, begin, end, hub_left):
    """Run an SM from cycle ``begin`` to ``end``. Afterwards ``A[s + NEXT]`` says when it can issue next."""
    now = begin
    following = BIG
    while now < end:
        step = min((now | STEP - 1) + 1, end)
        if A[s + MAIL_NEXT] < step:
            deliver(A, P, s, step)
        following = BIG
        A[s + NEXT] = BIG
        for scheduler in range(4):
            following = min(following, _run_scheduler(A, P, g, gpu, s, scheduler, step, hub_left))
        following = min(following, A[s + NEXT], A[s + MAIL_NEXT])  # warps of other schedulers that a barrier let go
        now = step if following < step + STEP else min(following, end)
        if following >= end:
            break
    A[s + NEXT] = following
    return 0
