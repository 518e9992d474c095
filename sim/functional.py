"""Functional mode: results without time. Warps run until they wait for one another; SMs are only a place for CTAs.

Basic blocks that are visited often are compiled (translate/); all else, and whatever a compiled block leaves in front of,
is executed by the core as in the timing mode (sm/execute.py). ``A[FUNCTIONAL]``, when not 0, is the number of SMs in use. It
starts at one, which keeps the state in cache, and grows while CTAs wait for CTAs that have not started.
"""

from isa.instr import Kind

from .dispatch import DONE, QUEUED, RUNNING, dispatch
from .jit import entry, inline, outline
from .layout import MACHINE_WORDS, Layout, gpu_base
from .mem.step import QUANTUM
from .opaque_layout import OPAQUE
from .params import BLOCKS, SMS
from .raw import BIG, address_of, call, call_lane, load_i64, load_u32, store_64
from .sm.barrier import SYNC, WARP, waits_on
from .sm.cta import end_warp
from .sm.execute import other
from .sm.operands import guard_mask, operand
from .sm.paths import path_key, step_diverged, unpark
from .state import (
    ACTIVE,
    BAR_ARRIVED,
    BAR_EXPECT,
    BARRIERS,
    BLOCK,
    CODE,
    CTA_CLUSTER,
    CTA_LIVE,
    CTA_SLOT,
    DEPTH,
    FAULT,
    FUNCTIONAL,
    GPUS,
    INSTRUCTIONS,
    JOIN,
    LAST_EFFECT,
    LAUNCH_BEGIN,
    LAUNCH_COUNT,
    LAUNCH_DONE,
    LAUNCH_STATE,
    LIVE,
    NOW,
    PATH_COUNT,
    PC,
    PINNED,
    POLL_COUNT,
    R_FN,
    R_HEAD,
    R_IMM,
    R_SUB,
    REGS,
    ROW_WORDS,
    STOP,
    WAIT_UNTIL,
    WARPS,
    Block,
    Stop,
    sm_base,
)
from .translate.frame import GPU_SHIFT, PATHS_BIT, TURN_OVER

TURN = 4096
"""Instructions after which, at its next branch or the like, another warp has its turn, if this one does not wait before."""
_f = Layout(MACHINE_WORDS - 256)
IDLE = _f.field()
"""Passes since a CTA finished: kept in the machine, so that nothing depends on how often `run` returns."""
FINISHED = _f.field()
"""CTAs that had finished."""
PATIENCE = 16
"""Passes without a finished CTA after which one more SM is used."""

_WITHIN_BLOCKS = sum(
    1 << k
    for k in (
        *(Kind.LANE, Kind.SREG, Kind.LD, Kind.ST, Kind.ATOM, Kind.RED, Kind.SHFL, Kind.VOTE, Kind.REDUX),
        Kind.ACTIVEMASK,
    )
)


@inline
def _lane_operation(A, s, w, row, regs, mask):
    """An instruction that every lane executes for itself."""
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


@inline
def _run_blocks(A, P, g, gpu, s, w, function, pc, budget, now):
    """Run compiled blocks from ``pc`` on (translate/emit.py says what comes back)."""
    who = w | gpu << GPU_SHIFT
    stop = 0xFFFFFFFF
    if A[s + PATH_COUNT + w] > 0:
        who |= 1 << PATHS_BIT
        stop = min(stop, max(0, A[s + JOIN + w] - path_key(A[s + DEPTH + w], 0)))
    where = pc << 32 | stop
    return call(
        function, address_of(A, s), address_of(A, g), address_of(P, 0), who, A[s + ACTIVE + w], where, budget, now
    )


@inline
def _count_visit(P, pc, visits):
    """A warp came to a block that is not compiled."""
    if visits < -1:
        store_64(P[BLOCKS] + 8 * pc, visits + 1)
    else:
        store_64(P[BLOCKS] - 8, 1)


@inline
def _ends_warp(A, s, w, kind, mask):
    """Whether an instruction ends all that is left of a warp, of a CTA without a cluster."""
    ends = kind == Kind.EXIT or (kind == Kind.RET and A[s + DEPTH + w] == 0)
    return ends and mask == A[s + LIVE + w] and A[s + CTA_CLUSTER + A[s + CTA_SLOT + w]] == 0


@inline
def _is_plain_barrier(A, s, w, row, mask):
    """Whether all lanes of a warp arrive at a barrier for all warps of the CTA."""
    at = s + BAR_EXPECT + A[s + CTA_SLOT + w] * BARRIERS
    regs = A[s + REGS + w]
    number = load_u32(operand(A, row, 3, regs))
    plain = A[row + R_SUB] & 255 == SYNC and mask == A[s + LIVE + w]
    return plain and load_u32(operand(A, row, 4, regs)) == 0 and number < BARRIERS and A[at + number] == 0


@outline
def _arrive(A, s, w, row, now):
    """A warp arrives at a plain barrier, as in sm/barrier.py. Returns whether it has to wait."""
    c = A[s + CTA_SLOT + w]
    number = load_u32(operand(A, row, 3, A[s + REGS + w]))
    at = s + BAR_ARRIVED + c * BARRIERS + number
    A[s + LAST_EFFECT] = now
    A[s + POLL_COUNT + w] = 0
    A[at] += 1
    if A[at] < A[s + CTA_LIVE + c]:
        A[s + BLOCK + w] = waits_on(number) | row << 16
        return True
    A[at] = 0
    for other_warp in range(WARPS):
        held = A[s + BLOCK + other_warp] & 0xFFFF == waits_on(number)
        if held and A[s + CTA_SLOT + other_warp] == c and A[s + LIVE + other_warp] != 0:
            A[s + BLOCK + other_warp] = Block.NONE
            if A[s + ACTIVE + other_warp] == 0:
                unpark(A, s, other_warp)
    return False


@inline
def _ends_turn(kind):
    """Whether a warp's turn may end with the instruction: those within compiled blocks do not end it."""
    return 1 << kind & _WITHIN_BLOCKS == 0


@outline
def run_warp(A, P, g, gpu, s, w, now):
    """Run a warp until it waits, ends or has had its turn. Returns the number of instructions."""
    regs = A[s + REGS + w]
    code = A[CODE]
    pc = A[s + PC + w]
    count = 0
    kind = Kind.LANE
    while count < TURN or not _ends_turn(kind):
        kind = Kind.LANE
        block = load_i64(P[BLOCKS] + 8 * pc)
        if block < 0:
            _count_visit(P, pc, block)
        elif block > 0 and A[s + PINNED + w] == 0 and A[OPAQUE] == 0:
            result = _run_blocks(A, P, g, gpu, s, w, block, pc, TURN - count, now)
            executed = result >> 32 & (1 << TURN_OVER - 32) - 1
            if executed > 0:
                count += executed
                pc = result & 0xFFFFFFFF
                kind = Kind.BRA if result >> TURN_OVER else Kind.LANE
                if A[s + PATH_COUNT + w] > 0:
                    A[s + PC + w] = pc
                    step_diverged(A, s, w)
                    pc = A[s + PC + w]
                continue
        count += 1
        row = code + pc * ROW_WORDS
        kind = A[row + R_HEAD] & 255
        mask = guard_mask(A, s, w, row, regs)
        if kind == Kind.LANE:
            _lane_operation(A, s, w, row, regs, mask)
            pc += 1
        elif kind == Kind.BRA and mask == A[s + ACTIVE + w] and A[s + PATH_COUNT + w] == 0:
            pc = A[row + R_IMM]
        elif kind == Kind.BAR and _is_plain_barrier(A, s, w, row, mask):
            pc += 1
            if _arrive(A, s, w, row, now):
                A[s + PC + w] = pc
                return count
        elif kind == Kind.BAR and A[row + R_SUB] & 255 == WARP and mask == A[s + LIVE + w]:
            pc += 1
        elif _ends_warp(A, s, w, kind, mask):
            A[s + PC + w] = pc + 1
            A[s + LIVE + w] = 0
            A[s + ACTIVE + w] = 0
            end_warp(A, P, g, s, w, now)
            return count
        else:
            A[s + PC + w] = pc + 1
            # clocks go on: with the passes, and with what the SM has executed
            t = now + A[s + INSTRUCTIONS] + count if kind == Kind.SREG else now
            other(A, P, g, gpu, s, w, row, kind, mask, pc, t)
            if A[s + BLOCK + w] != 0 or A[s + LIVE + w] == 0 or A[g + FAULT] != 0:
                return count
            pc = A[s + PC + w]
        if A[s + PATH_COUNT + w] > 0:
            A[s + PC + w] = pc
            step_diverged(A, s, w)
            pc = A[s + PC + w]
    A[s + PC + w] = pc
    return count


@outline
def _run_gpu(A, P, g, gpu, now):
    """One pass over the warps of a GPU. Returns the number of instructions."""
    dispatch(A, P, g, gpu, now, now + QUANTUM)
    total = 0
    for index in range(A[FUNCTIONAL]):
        s = sm_base(A, P, gpu, index)
        for w in range(WARPS):
            block = A[s + BLOCK + w]
            if A[s + LIVE + w] != 0 and (block == 0 or (block == Block.MBARRIER and A[s + WAIT_UNTIL + w] <= now)):
                count = run_warp(A, P, g, gpu, s, w, now)
                A[s + INSTRUCTIONS] += count
                total += count
    return total


@inline
def _progress(A):
    """Finished CTAs of all launches, whether a launch is not done, and when the next one that waits for its time begins."""
    finished = 0
    pending = False
    begin = BIG
    for gpu in range(A[GPUS]):
        g = gpu_base(gpu)
        for launch in range(A[g + LAUNCH_COUNT]):
            state = A[g + LAUNCH_STATE + launch]
            finished += A[g + LAUNCH_DONE + launch] + (state == DONE)
            pending |= state == QUEUED or state == RUNNING
            if state == QUEUED and A[g + LAUNCH_BEGIN + launch] >= A[NOW]:
                begin = min(begin, A[g + LAUNCH_BEGIN + launch])
    return finished, pending, begin


@entry
def run(A, P, passes):
    """Run up to ``passes`` passes over all GPUs."""
    stop = Stop.SLICE
    for _ in range(passes):
        total = 0
        for gpu in range(A[GPUS]):
            total += _run_gpu(A, P, gpu_base(gpu), gpu, A[NOW])
            if A[gpu_base(gpu) + FAULT] != 0:
                stop = Stop.FAULT
        A[NOW] += QUANTUM
        finished, pending, begin = _progress(A)
        if stop == Stop.FAULT or not pending:
            stop = stop if stop == Stop.FAULT else Stop.DONE
            A[IDLE] = 0
            break
        A[IDLE] = A[IDLE] + 1 if finished == A[FINISHED] else 0
        A[FINISHED] = finished
        if total == 0 and begin < BIG:
            A[NOW] = begin // QUANTUM * QUANTUM
            A[IDLE] = 0
        elif A[IDLE] > PATIENCE and A[FUNCTIONAL] < P[SMS]:
            A[FUNCTIONAL] += 1
        elif total == 0 and A[IDLE] > PATIENCE:
            stop = Stop.DEADLOCK
            break
        if load_i64(P[BLOCKS] - 8) != 0:
            break
    A[STOP] = stop
