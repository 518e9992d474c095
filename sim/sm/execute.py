"""What each kind of instruction does when it issues. Lane operations are in issue.py, next to the loop they dominate."""

from isa.instr import Kind
from traces.records import Stall

from ..far import far
from ..jit import inline, outline
from ..params import CLOCK_KHZ
from ..raw import ctz, load_u32, popcount
from ..state import (
    COPY_GROUP,
    FLAG_ACQUIRE,
    FLAG_RELEASE,
    FLAG_STRONG,
    FLAG_SYS,
    FUNCTIONAL,
    LAST_EFFECT,
    PC,
    PHASE,
    POLL_ADDRESS,
    POLL_COUNT,
    POLL_PC,
    POLL_SINCE,
    R_HEAD,
    R_IMM,
    R_REASON,
    R_SUB,
    R_TIME,
    SCRATCH,
    Fault,
)
from . import async_copy, barrier, warp_ops
from .atomics import atomic
from .bulk import bulk
from .bulk_groups import bulk_wait
from .cluster_barrier import cluster_instruction
from .control import branch, control_instruction
from .copy_arrive import copy_arrive
from .fences import Scope, fence
from .hub_ops import hub_instruction
from .l1 import l1_invalidate
from .lsu import load, store
from .mbarrier import mbarrier
from .memory_space import fault
from .operands import guard_mask, operand, registers
from .prefetch import prefetch
from .scoreboard import park, schedule, set_ready
from .services import service
from .special import special_register
from .store_async import store_async
from .tensor import tensor
from .tensormap import tensormap
from .wgmma import wgmma

MEMORY_KINDS = sum(
    1 << k
    for k in (
        *(Kind.LD, Kind.ST, Kind.ATOM, Kind.RED, Kind.CPASYNC, Kind.ROWSP_ST, Kind.DYMM_ST, Kind.DYMM_LDRED),
        *(Kind.MM_LDRED, Kind.MM_ST, Kind.MM_RED, Kind.PREFETCH),
    )
)
_TENSOR_KINDS = sum(1 << k for k in (Kind.MMA, Kind.LDMATRIX, Kind.STMATRIX, Kind.MOVMATRIX))
_WGMMA_KINDS = sum(1 << k for k in (Kind.WGMMA, Kind.WGMMA_FENCE, Kind.WGMMA_COMMIT, Kind.WGMMA_WAIT))
_CONTROL_KINDS = sum(1 << k for k in (Kind.EXIT, Kind.RET, Kind.CALL, Kind.BRX))


@inline
def _retry(A, s, w, pc):
    """The instruction issues again."""
    A[s + PC + w] = pc


@inline
def _memory(A, P, g, gpu, s, w, row, kind, mask, t):
    """Memory instructions, after what may hold them back. Returns False after a fault."""
    if kind == Kind.LD:
        return load(A, P, g, gpu, s, w, row, mask, t)
    if kind == Kind.ST:
        return store(A, P, g, gpu, s, w, row, mask, t)
    if kind == Kind.ATOM or kind == Kind.RED:
        return atomic(A, P, g, gpu, s, w, row, mask, kind == Kind.ATOM, t)
    if kind == Kind.CPASYNC:
        return async_copy.copy_async(A, P, g, gpu, s, w, row, mask, t)
    if kind == Kind.PREFETCH:
        return prefetch(A, P, g, gpu, s, w, row, mask, t)
    return hub_instruction(A, P, g, gpu, s, w, row, kind, mask, t)


@inline
def _note_poll(A, s, w, row, kind, pc):
    """Count repeated strong loads at one pc: a warp that only polls does not count as making progress."""
    if kind == Kind.ST or kind == Kind.RED:
        A[s + POLL_COUNT + w] = 0
    elif A[row + R_HEAD] >> 32 & FLAG_STRONG or kind == Kind.ATOM:
        if A[s + POLL_PC + w] == pc:
            A[s + POLL_COUNT + w] += 1
        else:
            A[s + POLL_PC + w] = pc
            A[s + POLL_COUNT + w] = 0


@outline
def memory_instruction(A, P, g, gpu, s, w, row, kind, mask, pc, t):
    """Issue a memory instruction. Returns the warp's next issue cycle."""
    flags = A[row + R_HEAD] >> 32
    if flags & FLAG_RELEASE and A[s + PHASE + w] == 0:
        _retry(A, s, w, pc)
        A[s + PHASE + w] = 1
        return fence(A, P, s, w, Scope.SYS if flags & FLAG_SYS else Scope.GPU, t)
    A[s + PHASE + w] = 0
    _note_poll(A, s, w, row, kind, pc)
    if not _memory(A, P, g, gpu, s, w, row, kind, mask, t):
        return park(A, s, w)
    if A[FUNCTIONAL]:
        return t
    if A[s + POLL_ADDRESS + w] != A[s + SCRATCH + 32]:
        A[s + POLL_ADDRESS + w] = A[s + SCRATCH + 32]
        A[s + POLL_SINCE + w] = t
    if flags & FLAG_ACQUIRE:
        l1_invalidate(A, s)
    return schedule(A, s, w, t + 1, Stall.WAIT)


@inline
def _lane_op_done(A, s, w, row, t):
    """Results after the latency in the row; next instruction from the next cycle on."""
    set_ready(A, s, w, row, t + (A[row + R_TIME] & 0xFFFF), A[row + R_REASON])
    return schedule(A, s, w, t + 1, Stall.WAIT)


@inline
def _among(A, P, s, w, row, kind, group, named):
    """One group of lanes that name one another executes."""
    if kind == Kind.SHFL:
        warp_ops.shuffle(A, P, s, w, row, group)
    elif kind == Kind.VOTE:
        warp_ops.vote(A, P, s, w, row, group)
    elif kind == Kind.MATCH:
        warp_ops.match(A, P, s, w, row, group)
    elif kind == Kind.REDUX:
        warp_ops.redux(A, P, s, w, row, group)
    else:
        warp_ops.elect(A, P, s, w, row, group, named)


@far
def warp_instruction(A, P, g, s, w, row, kind, mask, pc, t):
    """Instructions in which lanes see one another, in the groups that their membermasks form."""
    if kind == Kind.ACTIVEMASK:
        warp_ops.active_mask(A, P, s, w, row, mask)
        return _lane_op_done(A, s, w, row, t)
    needed = warp_ops.all_members(A, s, w, row, mask)
    if not warp_ops.gather_members(A, g, s, w, needed, pc, 0, t):
        return schedule(A, s, w, t + 1, Stall.BARRIER)
    left = guard_mask(A, s, w, row, registers(A, s, w))
    while left:
        named = warp_ops.members(A, s, w, row, left)
        group = left & (named | left & -left)
        _among(A, P, s, w, row, kind, group, named)
        left &= ~group
    return _lane_op_done(A, s, w, row, t)


@far
def barrier_instruction(A, P, g, s, w, row, mask, pc, t):
    """``bar``, ``barrier`` and ``bar.warp.sync``: operands 3 id, 4 thread count, 1 predicate."""
    sub = A[row + R_SUB]
    regs = registers(A, s, w)
    A[s + LAST_EFFECT] = t
    A[s + POLL_COUNT + w] = 0
    if sub & 255 == barrier.WARP:
        warp_ops.gather_members(A, g, s, w, warp_ops.members(A, s, w, row, mask), pc, 1, t)
        return schedule(A, s, w, t + 1, Stall.BARRIER)
    lane = ctz(mask)
    number = load_u32(operand(A, row, 3, regs) + 4 * lane)
    threads = load_u32(operand(A, row, 4, regs) + 4 * lane)
    held = load_u32(operand(A, row, 1, regs)) if sub & 255 >= barrier.RED_POPC else 0
    if sub >> 8 & 1:
        held = ~held
    if number > 15:
        fault(A, g, s, w, Fault.BARRIER, lane, threads, number, t)
        return park(A, s, w)
    return barrier.arrive(A, P, g, s, w, row, number, threads, popcount(held & mask), popcount(mask), pc, t)


@inline
def _sleep(A, P, s, w, row, mask, t):
    """``nanosleep``: at most the time given; ours sleeps exactly that long."""
    nanoseconds = load_u32(operand(A, row, 0, registers(A, s, w)) + 4 * ctz(mask))
    return schedule(A, s, w, t + 1 + nanoseconds * P[CLOCK_KHZ] // 1000000, Stall.SLEEPING)


@outline
def other(A, P, g, gpu, s, w, row, kind, mask, pc, t):
    """Issue an instruction that is not a lane operation. Returns the warp's next issue cycle (BIG: unknown)."""
    if kind == Kind.BRA:
        return branch(A, P, s, w, row, mask, pc, t)
    if mask == 0:
        return schedule(A, s, w, t + 1, Stall.WAIT)
    if kind < 64 and 1 << kind & MEMORY_KINDS:
        return memory_instruction(A, P, g, gpu, s, w, row, kind, mask, pc, t)
    if kind == Kind.SREG:
        special_register(A, P, g, gpu, s, w, row, mask, t)
        return _lane_op_done(A, s, w, row, t)
    if kind == Kind.BAR:
        return barrier_instruction(A, P, g, s, w, row, mask, pc, t)
    if 1 << kind & _CONTROL_KINDS:
        return control_instruction(A, P, g, s, w, row, kind, mask, t)
    if 1 << kind & _TENSOR_KINDS:
        return tensor(A, P, g, s, w, row, kind, mask, t)
    if 1 << kind & _WGMMA_KINDS:
        return wgmma(A, P, g, s, w, row, kind, mask, t)
    if kind == Kind.FENCE:
        return fence(A, P, s, w, A[row + R_SUB] & 255, t)
    if kind == Kind.MBARRIER:
        return mbarrier(A, P, g, s, w, row, mask, pc, t)
    if kind == Kind.CLUSTER_BAR or kind == Kind.CTA_RANK:
        return cluster_instruction(A, P, g, s, w, row, kind, mask, pc, t)
    if kind == Kind.ST_ASYNC:
        return store_async(A, P, g, s, w, row, mask, t)
    if kind == Kind.BULK:
        return bulk(A, P, g, gpu, s, w, row, mask, pc, t)
    if kind == Kind.TENSORMAP:
        return tensormap(A, P, g, gpu, s, w, row, mask, t)
    if kind == Kind.CPASYNC_ARRIVE:
        return copy_arrive(A, P, g, s, w, row, mask, t)
    if kind == Kind.BULK_COMMIT or kind == Kind.BULK_WAIT:
        return bulk_wait(A, P, s, w, row, kind, t)
    if kind == Kind.CPASYNC_COMMIT:
        async_copy.commit(A, s, w)
    elif kind == Kind.CPASYNC_WAIT:
        return async_copy.wait_group(A, s, w, max(0, A[s + COPY_GROUP + w] - A[row + R_IMM]), t)
    elif kind == Kind.SERVICE:
        return service(A, P, g, gpu, s, w, row, mask, t)
    elif kind == Kind.NANOSLEEP:
        return _sleep(A, P, s, w, row, mask, t)
    elif kind == Kind.TRAP or kind == Kind.BRKPT:
        fault(A, g, s, w, Fault.TRAP, ctz(mask), 0, 0, t)
        return park(A, s, w)
    elif kind != Kind.NOP:
        return warp_instruction(A, P, g, s, w, row, kind, mask, pc, t)
    return schedule(A, s, w, t + 1, Stall.WAIT)
