"""Atomics in compiled blocks: addresses checked at once, then the library does the operations in the order of lanes."""

from llvmlite import ir

from isa.instr import Kind
from isa.types import AtomOp, ValType

from ..ir.atomics import FLUSH
from ..ir.build import I64, load, nonzero, store, vector, word
from ..params import FN_ATOM, FN_CHECK_GLOBAL, FN_CHECK_SHARED
from ..state import SINK
from .memory import Access, call_library
from .registers import Registers, set_of


def atomic(access: Access, leave: ir.Block, live: int) -> None:
    """Write an ``atom`` or ``red`` of one element; ``live``: registers that live behind it."""
    b, frame, row = access.b, access.frame, access.instruction.row
    width = access.slot.width
    returns = access.instruction.kind == Kind.ATOM and row.refs[0] != SINK
    returns = returns and bool(set_of(Registers.key(row.refs[0], width)) & live)
    operands = [access.registers.read(ref, width) for ref in row.refs[1:3] if ref != SINK]
    store(b, access.places(), frame.scratch, 8)
    mask = b.zext(access.who.mask, I64)
    size = word(access.bytes)
    if access.is_shared:
        ok = nonzero(b, call_library(b, frame, FN_CHECK_SHARED, [frame.scratch, frame.shared_bytes, size, mask]))
        delta = frame.shared
    else:
        args = [frame.memory, frame.line_limits, frame.memory_lines, frame.own_region, size, mask]
        delta = call_library(b, frame, FN_CHECK_GLOBAL, [frame.scratch, *args])
        ok = nonzero(b, delta)
    here = b.append_basic_block("atomic")
    b.cbranch(ok, here, leave).set_weights((2000, 1))
    b.position_at_end(here)
    for i, value in enumerate(operands):
        store(b, value, access.element_slot(i), 8)
    old = access.element_slot(2) if returns else word(0)
    args = [old, frame.scratch, delta, access.element_slot(0), access.element_slot(1), word(_format(access)), mask]
    call_library(b, frame, FN_ATOM, args)
    if returns:
        value = load(b, old, vector(access.slot), 8)
        access.registers.write(row.refs[0], value, access.guard)
    access.note_effect(access.asked_again if access.instruction.kind == Kind.ATOM else lambda: word(0))


def _format(access: Access) -> int:
    """Operation and type; f32 sums flush subnormals everywhere but in shared memory (PTX ISA 9.0, 9.7.13.6)."""
    fmt = access.instruction.row.sub >> 48 & 0xFFFF
    return fmt | FLUSH if fmt == AtomOp.ADD | ValType.F32 << 8 and not access.is_shared else fmt
