"""Instructions in which lanes see one another, in compiled blocks: for whole warps whose membermask is all ones.

If lanes are missing, the core executes the instruction: it knows how they wait for one another (sm/warp_ops.py).
"""

from typing import Any

from llvmlite import ir

from isa.instr import Kind

from ..ir.build import FULL, I32, Builder, bits, constant, load_slot, splat, store, word
from ..ir.warp import permute, source_lanes
from ..load import Row
from ..params import FN_REDUX
from ..sm.warp_ops import Vote
from .frame import Frame
from .memory import call_library
from .registers import Registers

_DATA = 512


def write(b: Builder, frame: Frame, registers: Registers, row: Row, leave: ir.Block) -> None:
    """Write the instruction; control goes to ``leave`` if the core has to execute it."""
    if row.kind == Kind.ACTIVEMASK:
        registers.write(row.refs[0], splat(b, frame.mask), None)
        return
    whole = b.append_basic_block("whole")
    b.cbranch(frame.is_full, whole, leave).set_weights((2000, 1))
    b.position_at_end(whole)
    if row.kind == Kind.SHFL:
        _shuffle(b, registers, row)
    elif row.kind == Kind.VOTE:
        _vote(b, registers, row)
    else:
        data, result = (b.add(frame.scratch, word(_DATA + 128 * i)) for i in range(2))
        store(b, registers.read(row.refs[2], 32), data, 64)
        call_library(b, frame, FN_REDUX, [result, data, word(row.sub & 0xFFFF), word(FULL)])
        registers.write(row.refs[0], load_slot(b, result), None)


def _shuffle(b: Builder, registers: Registers, row: Row) -> None:
    """``shfl.sync``: sub bits 0-7 mode, bit 8: a predicate destination follows."""
    value, offset, clamp = (registers.read(row.refs[i], 32) for i in (2, 3, 4))
    segment = b.and_(b.lshr(clamp, constant(I32, 8)), constant(I32, 31))
    source, in_range = source_lanes(b, row.sub & 255, offset, clamp, segment)
    found = permute(b, value, b.and_(source, constant(I32, 31)))
    registers.write(row.refs[0], b.select(in_range, found, value), None)
    if row.sub >> 8 & 1:
        registers.write(row.refs[1], bits(b, in_range), None)


def _vote(b: Builder, registers: Registers, row: Row) -> None:
    """``vote.sync``: sub bits 0-7 mode, bit 8: the predicate is negated."""
    held = registers.read(row.refs[1], 1)
    if row.sub >> 8 & 1:
        held = b.not_(held)
    mode = row.sub & 255
    if mode == Vote.BALLOT:
        registers.write(row.refs[0], splat(b, held), None)
        return
    every = b.icmp_unsigned("==", held, ir.Constant(I32, FULL))
    none = b.icmp_unsigned("==", held, ir.Constant(I32, 0))
    flag: Any = every if mode == Vote.ALL else b.not_(none) if mode == Vote.ANY else b.or_(every, none)
    registers.write(row.refs[0], b.sext(flag, I32), None)
