"""The code of one basic block, instruction by instruction."""

from functools import cache
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from isa.instr import Kind, Op
from isa.table import resolve

from ..addresses import REGION_BITS
from ..ir.algebra import Value, element_type, width_of
from ..ir.build import (
    FULL,
    I32,
    I64,
    Builder,
    bits,
    constant,
    iota,
    lanes,
    load,
    load_slot,
    nonzero,
    splat,
    vector,
    word,
)
from ..params import FN_FILL_TID
from ..sm.special import Special
from ..state import BLOCK_X, BLOCK_Y, CTA_X, CTA_Y, GRID_X, WARP_IN_CTA, Space
from . import warp
from .atomics import atomic
from .blocks import AMONG_LANES, Block, Instruction
from .memory import Access, call_library
from .registers import Registers

if TYPE_CHECKING:
    from .emit import ChunkWriter

_LANE_CONSTANTS = {
    Special.LANEID: lambda lane: lane,
    Special.LANEMASK_EQ: lambda lane: 1 << lane,
    Special.LANEMASK_LE: lambda lane: (2 << lane) - 1,
    Special.LANEMASK_LT: lambda lane: (1 << lane) - 1,
    Special.LANEMASK_GE: lambda lane: 0xFFFFFFFF & -(1 << lane),
    Special.LANEMASK_GT: lambda lane: 0xFFFFFFFF & -(2 << lane),
}


class BlockWriter:
    """Writes a block of a chunk."""

    def __init__(self, chunk: "ChunkWriter", block: Block) -> None:
        self.chunk, self.block = chunk, block
        self.frame = chunk.frame
        self.b: Builder = chunk.place(block.first)
        self.registers = Registers(self.b, self.frame, chunk.pool)

    def write(self) -> None:
        """All of it."""
        writers = {
            Kind.LANE: self._lane,
            Kind.SREG: self._special,
            Kind.LD: self._load,
            Kind.ST: self._store,
            Kind.ATOM: self._atomic,
            Kind.RED: self._atomic,
            **dict.fromkeys(AMONG_LANES, self._warp),
        }
        for index, instruction in enumerate(self.block.instructions):
            if instruction.kind == Kind.BRA:
                self._branch(index, instruction)
                return
            writers[Kind(instruction.kind)](index, instruction)
        self.registers.write_back(self.block.live[-1])
        self.chunk.count(self.b, len(self.block.instructions))
        self.chunk.go(self.b, self.block.end)

    def _held(self, instruction: Instruction) -> Any:
        """Lanes in which the guard holds (i32; those outside the mask may be anything), or None."""
        if not instruction.guard:
            return None
        held = self.registers.read(4 * (abs(instruction.guard) - 1), 1)
        return self.b.not_(held) if instruction.guard < 0 else held

    def _executing(self, instruction: Instruction) -> Any:
        """Lanes of the mask in which the guard holds, or None for all of the mask."""
        held = self._held(instruction)
        return None if held is None else self.b.and_(held, self.frame.mask)

    # --- arithmetic
    def _lane(self, index: int, instruction: Instruction) -> None:
        row, b = instruction.row, self.b
        op = _resolved(row.lane_name)
        written, read = op.lane_types()
        sources = [self._source(ref, t) for ref, t in zip(row.refs[len(written) :], read, strict=False)]
        held = self._held(instruction)
        for result, ref in zip(self.chunk.operation(b, op, sources), row.refs, strict=False):
            self.registers.write(ref, self._stored(result), held)

    def _source(self, ref: int, t: str) -> Value:
        b, width = self.b, width_of(t)
        if t == "pred":
            return Value(b, lanes(b, self.registers.read(ref, 1)), t)
        raw = self.registers.read(ref, max(width, 32))
        if width < 32:
            return Value(b, b.trunc(raw, vector(element_type(t))), t)
        return Value(b, raw if element_type(t) == raw.type.element else b.bitcast(raw, vector(element_type(t))), t)

    def _stored(self, result: Value) -> Any:
        """A result as the registers hold it."""
        b, width = self.b, width_of(result.t)
        if result.t == "pred":
            return bits(b, result.v)
        if width < 32:
            return b.zext(result.v, vector(I32))
        integer = vector(ir.IntType(width))
        return result.v if result.v.type == integer else b.bitcast(result.v, integer)

    # --- special registers and parameters
    def _special(self, index: int, instruction: Instruction) -> None:
        row, b = instruction.row, self.b
        what = Special(row.sub & 0xFF)
        if what in _LANE_CONSTANTS:
            value: Any = constant(I32, [_LANE_CONSTANTS[what](lane) for lane in range(32)])
        elif what <= Special.TID_Z:
            value = self._thread(what)
        else:
            scalar = self._scalar(what, row.imm)
            value = splat(b, scalar if row.sub >> 32 & 1 else b.trunc(scalar, I32))
        self.registers.write(row.refs[0], value, self._held(instruction))

    def _scalar(self, what: Special, imm: int) -> Any:
        frame = self.frame
        if what == Special.SYMBOL:
            return self.b.add(self.b.shl(frame.own_region, word(REGION_BITS)), word(imm))
        if what == Special.VALUE:
            return word(imm)
        if what == Special.GPUID:
            return frame.gpu_number
        if what <= Special.NTID_Z:
            return frame.launch_word(_axis(BLOCK_X, what - Special.NTID_X))
        if what <= Special.CTAID_Z:
            return frame.cta_word(_axis(CTA_X, what - Special.CTAID_X))
        return frame.launch_word(_axis(GRID_X, what - Special.NCTAID_X))

    def _thread(self, what: Special) -> Any:
        """Thread index: simple in the first row of a block."""
        b, frame = self.b, self.frame
        first = b.shl(frame.sm_word(WARP_IN_CTA, frame.warp), word(5))
        columns, rows = frame.launch_word(BLOCK_X), frame.launch_word(BLOCK_Y)
        simple, general, end = (b.append_basic_block(name) for name in ("row", "rows", "thread"))
        b.cbranch(b.icmp_unsigned("<", b.add(first, frame.top), columns), simple, general)
        b.position_at_end(simple)
        along = b.add(splat(b, b.trunc(first, I32)), iota(I32)) if what == Special.TID_X else constant(I32, 0)
        b.branch(end)
        b.position_at_end(general)
        call_library(b, frame, FN_FILL_TID, [frame.scratch, first, columns, rows, word(what), word(FULL)])
        anywhere = load_slot(b, frame.scratch)
        b.branch(end)
        b.position_at_end(end)
        value = b.phi(vector(I32))
        value.add_incoming(along, simple)
        value.add_incoming(anywhere, general)
        return value

    def _parameter(self, instruction: Instruction) -> None:
        """A kernel parameter at a constant offset."""
        row, b = instruction.row, self.b
        size, slot = 1 << (row.sub & 15), I64 if row.sub >> 5 & 1 else I32
        held = self._held(instruction)
        for i in range(row.sub >> 16 & 15):
            address = b.add(self.frame.kernel_params, word(row.imm + i * size))
            value = load(b, address, ir.IntType(8 * size), 1)
            if 8 * size < slot.width:
                value = (b.sext if row.sub >> 4 & 1 else b.zext)(value, slot)
            self.registers.write(row.refs[i], splat(b, value), held)

    # --- memory
    def _leave_before(self, index: int, instruction: Instruction) -> ir.Block:
        """Where control goes if the core has to execute an instruction: registers are written back."""
        start = self.b.append_basic_block("slow")
        b = Builder(start, self.chunk.features)
        self.registers.write_back_rarely(b, self.registers.changed(self.block.live[index]))
        self.chunk.exit(b, instruction.pc, index)
        return start

    def _load(self, index: int, instruction: Instruction) -> None:
        if instruction.row.sub >> 8 & 255 == Space.UNIFORM:
            self._parameter(instruction)
            return
        access = Access(self.b, self.frame, self.registers, instruction, self._executing(instruction))
        access.load(self._leave_before(index, instruction))

    def _store(self, index: int, instruction: Instruction) -> None:
        access = Access(self.b, self.frame, self.registers, instruction, self._executing(instruction))
        access.store(self._leave_before(index, instruction))

    def _atomic(self, index: int, instruction: Instruction) -> None:
        access = Access(self.b, self.frame, self.registers, instruction, self._executing(instruction))
        atomic(access, self._leave_before(index, instruction), self.block.live[index + 1])

    def _warp(self, index: int, instruction: Instruction) -> None:
        leave = self._leave_before(index, instruction)
        warp.write(self.b, self.frame, self.registers, instruction.row, leave)

    # --- control
    def _branch(self, index: int, instruction: Instruction) -> None:
        """Lanes that do not agree, and jumps backwards while others wait (which may spin), are left to the core."""
        b, frame, chunk = self.b, self.frame, self.chunk
        taken = self._executing(instruction)
        self.registers.write_back(self.block.live[index])
        target = instruction.targets()[0]
        if target <= instruction.pc:
            alone, others = b.append_basic_block("alone"), b.append_basic_block("others")
            b.cbranch(frame.has_paths, others, alone)
            b.position_at_end(others)
            chunk.exit(b, instruction.pc, index)
            b.position_at_end(alone)
        if taken is None:
            chunk.go(b, target, chunk.count(b, index + 1))
            return
        all_, none, some, maybe = (b.append_basic_block(name) for name in ("all", "none", "some", "maybe"))
        b.cbranch(b.icmp_unsigned("==", taken, frame.mask), all_, maybe)
        b.position_at_end(maybe)
        b.cbranch(nonzero(b, taken), some, none)
        b.position_at_end(some)
        chunk.exit(b, instruction.pc, index)
        for place, pc in ((all_, target), (none, instruction.pc + 1)):
            b.position_at_end(place)
            chunk.go(b, pc, chunk.count(b, index + 1))


def _axis(first: int, axis: int) -> int:
    """Word of an axis of a size or index: three fields of the same length follow one another."""
    return first + axis * ((BLOCK_Y - BLOCK_X) if first in (BLOCK_X, GRID_X) else (CTA_Y - CTA_X))


@cache
def _resolved(name: str) -> Op:
    return resolve(name)
