"""``wgmma``: matrix products of warpgroups on the four tensor cores of the SM.

A product begins when all four warps of the group have issued it and their tensor cores are free: B is read from shared
memory once for all of them. It is computed then; the program learns of it at ``wait_group``, when it would be complete.
"""

from isa.instr import Kind
from traces.records import Stall

from ..addresses import SHARED_REGION
from ..far import far
from ..jit import inline, outline
from ..opaque_layout import OPAQUE
from ..params import FN_WGMMA, TENSOR_CHAINED, WGMMA_COLUMNS, WGMMA_LINE_BYTES, WGMMA_REGISTER_CYCLES
from ..raw import BIG, address_of, call, largest16, load_i64, load_u32
from ..state import (
    BLOCK,
    COLD,
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    FUNCTIONAL,
    LAST_EFFECT,
    LAUNCH_WARPS,
    LIVE,
    NEXT,
    PC,
    PIPE_FREE,
    R_IMM,
    R_SIDE,
    R_SUB,
    R_TIME,
    REASON,
    SCORE,
    SCRATCH,
    SIDE,
    SLOTS,
    TENSOR_BUSY,
    WAKE,
    WARP_IN_CTA,
    WARPS,
    Block,
    Fault,
)
from ..wgmma_format import CHAINED, REGISTERS, SPARSE, TILES, TRANS_A, TRANS_B
from .lsu import LSU_PIPE
from .memory_space import fault, window_base
from .opaque import results_opaque, shared_opaque, values_opaque
from .operands import listed, registers
from .scoreboard import park, schedule
from .wgmma_groups import ARRIVED, FENCED, commit, in_open_group, wait_groups

_MEMBERS, _POINTERS, _METADATA = 64, 68, 84
"""Places in scratch: the four warps' registers, the registers of A of each, metadata; afterwards their warp slots."""
_SLOTS = 96
_HIDDEN = 3
"""Bit of an arrival count from which on warps with opaque values are counted."""
_TENSOR_PIPE = 5
_ROW_BYTES = 32
"""Bytes along k of a row of A or a column of B."""
SLOT_GROUPS, FIRST_SLOT, SCORES = 8, 16, 32
"""Bits of the sub word from which on are: how many groups of 16 register slots the accumulator is in, the first of these
slots, the scoreboard entry of register slot 0. Bits 0-7: registers of the accumulator."""


@inline
def _start(descriptor):
    return (descriptor & 0x3FFF) << 4


@inline
def _extent(descriptor, rows, across, wide):
    """Bytes from the start to the end of a matrix of ``rows`` rows, whatever is between. ``wide``: rows of 64 bytes, not 32."""
    leading, stride, mode = (descriptor >> 16 & 0x3FFF) << 4, (descriptor >> 32 & 0x3FFF) << 4, descriptor >> 62 & 3
    width = 16 if mode == 0 else 256 >> mode
    if across == 0:
        nbytes = _ROW_BYTES << wide
        return (rows // 8 - 1) * stride + 7 * width + (nbytes - 1) // width * leading + min(nbytes, width)
    steps = 1 + 2 * wide
    if mode == 0:
        return (rows // 8 - 1) * stride + steps * leading + 128
    return (rows * 2 - 1) // width * leading + steps * stride + 8 * width


@inline
def _members(A, s, w):
    """Find the warps of the group that wait, in order, and this one."""
    c = A[s + CTA_SLOT + w]
    group = A[s + WARP_IN_CTA + w] >> 2
    for i in range(WARPS):
        here = i == w or A[s + BLOCK + i] == Block.WGMMA
        if here and A[s + CTA_SLOT + i] == c and A[s + WARP_IN_CTA + i] >> 2 == group:
            A[s + SCRATCH + _SLOTS + (A[s + WARP_IN_CTA + i] & 3)] = i


@outline
def _multiply(A, P, g, s, w, row, hidden, t):
    """Compute the product of the group's four warps, unless values are opaque (``hidden``). Returns False after a fault."""
    n = A[row + R_SUB] & 255
    fmt = A[row + R_IMM]
    in_registers = fmt >> REGISTERS & 1
    for i in range(4):
        member = A[s + SCRATCH + _SLOTS + i]
        regs = registers(A, s, member)
        A[s + SCRATCH + _MEMBERS + i] = regs
        for k in range(4 * in_registers):
            A[s + SCRATCH + _POINTERS + 4 * i + k] = listed(A, row, n + k, regs)
        if fmt >> SPARSE & 1:
            A[s + SCRATCH + _METADATA + i] = listed(A, row, n + (6 if in_registers else 3), regs)
    regs = registers(A, s, w)
    after = n + (4 if in_registers else 1)
    a = 0 if in_registers else load_i64(listed(A, row, n, regs))
    columns = load_i64(listed(A, row, after, regs))
    scale = load_u32(listed(A, row, after + 1, regs)) != 0
    table = address_of(A, A[SIDE] + A[row + R_SIDE])
    shared = window_base(A, g, s, w, SHARED_REGION)
    if A[OPAQUE]:
        hidden |= shared_opaque(
            A,
            shared + _start(columns),
            _extent(columns, 8 * (fmt >> TILES & 63), fmt >> TRANS_B & 1, fmt >> SPARSE & 1),
        )
        if in_registers == 0:
            hidden |= shared_opaque(A, shared + _start(a), _extent(a, 64, fmt >> TRANS_A & 1, 0))
        if hidden:
            for i in range(4):
                results_opaque(A, s, A[s + SCRATCH + _SLOTS + i], row)
            return True
    fmt |= P[TENSOR_CHAINED] << CHAINED
    end = call(P[FN_WGMMA], table, address_of(A, s + SCRATCH + _MEMBERS), fmt, a, columns, shared, scale, 0)
    if end > A[s + CTA_SHARED + A[s + CTA_SLOT + w]]:
        fault(A, g, s, w, Fault.SHARED_ADDRESS, 0, end - 16, 16, t)
        return False
    return True


@inline
def _all_before(A, score, sub, t):
    """Whether the accumulator's registers, and those between, are ready at ``t``: quickly, as they mostly are."""
    first = score + (sub >> FIRST_SLOT & 0xFFFF)
    latest = 0
    for i in range(sub >> SLOT_GROUPS & 255):
        latest = max(latest, largest16(A, first + 16 * i))
    return latest >> REASON <= t


@inline
def _registers_ready(A, s, w, row, t):
    """Cycle at which the registers of the product have what earlier instructions write to them; BIG: not known yet."""
    if A[A[s + COLD] + FENCED + w] == 0:
        return t
    sub = A[row + R_SUB]
    n = (sub & 255) + 4 * (A[row + R_IMM] >> REGISTERS & 1)
    table = A[SIDE] + A[row + R_SIDE]
    score = A[s + SCORE + w] + (sub >> SCORES)
    if n == sub & 255 and _all_before(A, score, sub, t):
        return t
    ready = t
    for i in range(n):
        ready = max(ready, A[score + (A[table + i] - SLOTS) // 128] >> REASON)
    return ready


@outline
def _begin(A, P, s, row, t):
    """Take the tensor cores. Returns the cycle at which the product begins."""
    fmt = A[row + R_IMM]
    columns = 8 * (fmt >> TILES & 63)
    wide = fmt >> SPARSE & 1
    lines = ((columns << wide) + (0 if fmt >> REGISTERS & 1 else 64)) * _ROW_BYTES // P[WGMMA_LINE_BYTES]
    busy = max(columns // P[WGMMA_COLUMNS], lines)
    begin = t
    for i in range(4):
        w = A[s + SCRATCH + _SLOTS + i]
        begin = max(begin, _registers_ready(A, s, w, row, t))
        A[A[s + COLD] + FENCED + w] = 0
        begin = max(begin, A[s + PIPE_FREE + (w >> 4) * 16 + _TENSOR_PIPE])
    for i in range(4):
        w = A[s + SCRATCH + _SLOTS + i]
        A[s + PIPE_FREE + (w >> 4) * 16 + _TENSOR_PIPE] = begin + busy
    A[s + LSU_PIPE] = max(A[s + LSU_PIPE], begin) + lines
    A[s + TENSOR_BUSY] += 4 * busy
    done = begin + (A[row + R_TIME] & 0xFFFF) + columns // P[WGMMA_COLUMNS]
    if fmt >> REGISTERS & 1:
        done += P[WGMMA_REGISTER_CYCLES]
    for i in range(4):
        in_open_group(A, s, A[s + SCRATCH + _SLOTS + i], done)
    return begin


@inline
def _product(A, P, g, s, w, row, t):
    """One warp arrives at a wgmma; the last of its group lets all go on."""
    c = A[s + CTA_SLOT + w]
    group = A[s + WARP_IN_CTA + w] >> 2
    warps = A[g + LAUNCH_WARPS + A[s + CTA_LAUNCH + c]]
    if 4 * group + 4 > warps:
        fault(A, g, s, w, Fault.WARPGROUP, 0, warps & 3, 0, t)
        return park(A, s, w)
    arrived = A[s + COLD] + ARRIVED + c * (WARPS // 4) + group
    A[arrived] += 1 | values_opaque(A, s) << _HIDDEN
    hidden = A[arrived] >> _HIDDEN
    if A[arrived] & 7 < 4:
        A[s + BLOCK + w] = Block.WGMMA
        return park(A, s, w)
    A[arrived] = 0
    _members(A, s, w)
    if not _multiply(A, P, g, s, w, row, hidden != 0, t):
        return park(A, s, w)
    A[s + LAST_EFFECT] = t
    begin = t if A[FUNCTIONAL] else _begin(A, P, s, row, t)
    for i in range(4):
        member = A[s + SCRATCH + _SLOTS + i]
        if member != w:
            A[s + BLOCK + member] = Block.NONE
            A[s + NEXT] = min(A[s + NEXT], schedule(A, s, member, max(t + 1, begin), Stall.GMMA))
    schedule(A, s, w, max(t + 1, begin), Stall.MATH_PIPE_THROTTLE)
    return A[s + WAKE + w]


@far
def wgmma(A, P, g, s, w, row, kind, mask, t):
    """``wgmma`` and what orders it; all 32 lanes must be there. Returns the next issue cycle."""
    if mask != 0xFFFFFFFF or A[s + LIVE + w] != mask:
        fault(A, g, s, w, Fault.DIVERGENT, 0, 0, 0, t)
        return park(A, s, w)
    if kind == Kind.WGMMA:
        if A[FUNCTIONAL] == 0 and _registers_ready(A, s, w, row, t) >= BIG:
            A[s + PC + w] -= 1  # a load is under way: the warp tries again when it is answered
            return park(A, s, w)
        return _product(A, P, g, s, w, row, t)
    if kind == Kind.WGMMA_WAIT:
        return wait_groups(A, s, w, A[row + R_IMM], t)
    if kind == Kind.WGMMA_FENCE:
        A[A[s + COLD] + FENCED + w] = 1
    else:
        commit(A, s, w)
    return schedule(A, s, w, t + 1, Stall.WAIT)
