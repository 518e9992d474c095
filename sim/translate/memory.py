"""Loads and stores in compiled blocks.

Consecutive lanes are recognised when the instruction runs: such an access is one vector access, its bounds are checked
once. Other patterns go through the library (ir/access.py). What neither of them may do, such as an access that faults or
one to another GPU, leaves the block in front of the instruction: the core executes it.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ..addresses import OFFSET_MASK, OWN_REGION, REGION_BITS
from ..ir.build import (
    I1,
    I8,
    I32,
    I64,
    LANES,
    Builder,
    bits,
    constant,
    intrinsic,
    iota,
    lanes,
    load,
    masked_load,
    masked_store,
    nonzero,
    shuffle,
    splat,
    store,
    vector,
    word,
)
from ..ir.library import ARGUMENTS
from ..ir.warp import permute
from ..params import FN_FETCH_GLOBAL, FN_FETCH_SHARED, FN_SCATTER_GLOBAL, FN_SCATTER_SHARED
from ..state import FLAG_STRONG, LAST_EFFECT, POLL_COUNT, POLL_PC, Space
from .blocks import Instruction
from .frame import Frame
from .registers import Registers

_DATA = 64
"""Scratch word where the library's elements lie, behind the lane addresses."""
_ELEMENT = 256
_LINE = 128
_OFTEN = (2000, 1)
"""Weights of a branch whose second way is rare."""


@dataclass
class Lanes:
    """Lanes that execute an instruction: mask (i32), flags, highest lane (i64), whether lane 0 is one and all are (i1)."""

    mask: Any
    flags: Any
    top: Any
    has_first: Any
    is_full: Any


def lanes_of(b: Builder, frame: Frame, guard: Any) -> Lanes:
    """The lanes of the frame for which the guard (a mask or None) holds."""
    if guard is None:
        return Lanes(frame.mask, frame.active, frame.top, frame.has_first, frame.is_full)
    zeros = b.zext(intrinsic(b, "ctlz", I32, [guard, ir.Constant(I1, 0)], I32), I64)
    full = b.icmp_unsigned("==", guard, ir.Constant(I32, -1))
    return Lanes(guard, lanes(b, guard), b.sub(word(31), zeros), b.trunc(guard, I1), full)


class Access:
    """One load or store, while it is written."""

    def __init__(self, b: Builder, frame: Frame, registers: Registers, instruction: Instruction, guard: Any) -> None:
        self.b, self.frame, self.registers, self.instruction = b, frame, registers, instruction
        self.who = lanes_of(b, frame, guard)
        self.guard = guard
        sub, self.imm = instruction.row.sub, instruction.row.imm
        self.width, self.count = sub & 15, sub >> 16 & 15
        self.is_signed, self.slot = bool(sub >> 4 & 1), I64 if sub >> 5 & 1 else I32
        self.is_shared = sub >> 8 & 255 == Space.SHARED
        self.is_wide = bool(sub >> 40 & 1)
        self.element = ir.IntType(8 << self.width)
        self.bytes = self.count << self.width
        self.base = registers.read(instruction.row.refs[4], 64 if self.is_wide else 32)

    # --- addresses
    def _first(self) -> Any:
        """Address of lane 0 (i64)."""
        first = self.b.extract_element(self.base, ir.Constant(I32, 0))
        if self.is_wide:
            return self.b.add(first, word(self.imm))
        return self.b.zext(self.b.add(first, ir.Constant(I32, self.imm)), I64)  # 32 bits wrap

    def places(self) -> Any:
        """Addresses of all lanes (i64)."""
        b = self.b
        if self.is_wide:
            return b.add(self.base, constant(I64, self.imm))
        return b.zext(b.add(self.base, constant(I32, self.imm)), vector(I64))

    def _known(self, what: str, make: Callable[[], Any]) -> Any:
        """Something that depends on the address register and the lanes only: accesses of a block share it."""
        key = (what, self.bytes, id(self.base), id(self.who.mask))
        if key not in self.registers.derived:
            self.registers.derived[key] = make()
        return self.registers.derived[key]

    def _none(self, flags: Any) -> Any:
        """i1: no active lane has the flag."""
        b = self.b
        return b.icmp_unsigned("==", b.and_(self.who.mask, bits(b, flags)), ir.Constant(I32, 0))

    def _is_unit(self) -> Any:
        """i1: addresses of active lanes are consecutive from lane 0 on."""
        b, element = self.b, self.base.type.element
        first = splat(b, b.extract_element(self.base, ir.Constant(I32, 0)))
        expected = b.add(first, iota(element, self.bytes))
        return b.and_(self.who.has_first, self._none(b.icmp_unsigned("!=", self.base, expected)))

    def _both(self, *flags: Any) -> Any:
        out = flags[0]
        for flag in flags[1:]:
            out = self.b.and_(out, flag)
        return out

    def _is_aligned(self, address: Any) -> Any:
        return self.b.icmp_unsigned("==", self.b.and_(address, word(self.bytes - 1)), word(0))

    def _unit_global(self, first: Any) -> tuple[Any, Any]:
        """Whether consecutive lanes access allocated memory of the GPU, and the host address of the first byte."""
        b, frame = self.b, self.frame
        region, offset = b.lshr(first, word(REGION_BITS)), b.and_(first, word(OFFSET_MASK))
        own = b.or_(b.icmp_unsigned("==", region, frame.own_region), b.icmp_unsigned("==", region, word(OWN_REGION)))
        last = b.add(offset, b.mul(self.who.top, word(self.bytes)))
        low, high = (self._line(address) for address in (offset, last))
        low_limit, high_limit = (b.zext(load(b, b.add(frame.line_limits, line), I8, 1), I64) for line in (low, high))
        end = b.add(b.and_(last, word(_LINE - 1)), word(self.bytes))
        whole = b.or_(b.icmp_unsigned("==", low_limit, word(_LINE)), b.icmp_unsigned("==", low, high))
        ok = self._both(own, self._is_aligned(first), b.icmp_unsigned("<=", end, high_limit), whole)
        return ok, b.add(frame.memory, offset)

    def _line(self, offset: Any) -> Any:
        """The line of an offset; beyond memory, the last entry of the table, which is 0."""
        b = self.b
        line, lines = b.lshr(offset, word(7)), self.frame.memory_lines
        return b.select(b.icmp_unsigned("<", line, lines), line, lines)

    def _unit_shared(self, first: Any) -> tuple[Any, Any]:
        """The same for shared memory."""
        b = self.b
        end = b.add(first, b.mul(b.add(self.who.top, word(1)), word(self.bytes)))
        inside = self._both(
            b.icmp_unsigned("<=", end, self.frame.shared_bytes), b.icmp_unsigned("<", first, word(1 << 31))
        )
        return self._both(inside, self._is_aligned(first)), b.add(self.frame.shared, first)

    def _unit(self, is_first: bool = True) -> tuple[Any, Any]:
        """Whether one vector access does it, and where; ``is_first``: nothing else has been tried."""
        first = self._first()
        ok, host = self._unit_shared(first) if self.is_shared else self._unit_global(first)
        if self.count > 1 or (self.width < 2 and not self.b.avx512):
            ok = self._both(ok, self.who.is_full)
        return self._both(ok, self._known("unit", self._is_unit) if is_first else self._is_unit()), host

    # --- the library
    def _call(self, function: int, fmt: Any) -> Any:
        """i1: the library did the access, lane by lane."""
        b, frame = self.b, self.frame
        store(b, self.places(), frame.scratch, 8)
        data, mask = b.add(frame.scratch, word(8 * _DATA)), b.zext(self.who.mask, I64)
        if self.is_shared:
            args = [frame.scratch, data, frame.shared, frame.shared_bytes, fmt, mask]
        else:
            args = [frame.scratch, data, frame.memory, frame.line_limits, frame.memory_lines, frame.own_region]
            args += [fmt, mask]
        return nonzero(b, call_library(b, frame, function, args))

    def element_slot(self, index: int) -> Any:
        """Host address of an element of all lanes, for the library."""
        return self.b.add(self.frame.scratch, word(8 * _DATA + _ELEMENT * index))

    def _format(self) -> Any:
        return word(self.width | self.count << 4)

    # --- loads
    def load(self, leave: ir.Block) -> None:
        """Write the load; control goes to ``leave`` if the core has to execute it."""
        ways: list[tuple[list[Any], ir.Block]] = []
        end = self.b.append_basic_block("loaded")
        is_window = self.is_shared and self.width == 2 and self.count == 1 and not self.is_wide
        if is_window:
            self._load_window(ways, end)
        self._load_unit(ways, end, not is_window)
        self._load_any(ways, end, leave)
        b = self.b
        b.position_at_end(end)
        loaded = [b.phi(vector(self.element)) for _ in range(self.count)]
        for values, block in ways:
            for phi, value in zip(loaded, values, strict=True):
                phi.add_incoming(value, block)
        if self.instruction.row.flags & FLAG_STRONG:
            self._note_poll()
        for ref, value in zip(self.instruction.row.refs, loaded, strict=False):
            self.registers.write(ref, self._extended(value), self.guard)

    def _extended(self, value: Any) -> Any:
        if self.element.width >= self.slot.width:
            return value
        return (self.b.sext if self.is_signed else self.b.zext)(value, vector(self.slot))

    def _window(self) -> tuple[Any, Any, Any]:
        """Words of 128 bytes from lane 0's address on that lanes read (a vector); i1: no lane reads other ones; i1: all
        are in the first half."""
        b = self.b
        inside = b.sub(self.base, splat(b, b.extract_element(self.base, ir.Constant(I32, 0))))
        outside = b.icmp_unsigned("!=", b.and_(inside, constant(I32, ~(_LINE - 4))), constant(I32, 0))
        beyond = b.icmp_unsigned(">=", inside, constant(I32, _LINE // 2))
        picks = b.and_(b.lshr(inside, constant(I32, 2)), constant(I32, 31))
        return picks, self._both(self.who.has_first, self._none(outside)), self._none(beyond)

    def _load_window(self, ways: list[Any], end: ir.Block) -> None:
        """Shared memory, all lanes within 128 bytes from lane 0 on: a permutation of two or four vectors."""
        b, frame = self.b, self.frame
        picks, is_inside, is_near = self._known("window", self._window)
        first = self._first()
        fits = b.icmp_unsigned("<", first, frame.shared_below(_LINE))
        fits_half = b.and_(is_near, b.icmp_unsigned("<", first, frame.shared_below(_LINE // 2)))
        aligned = b.icmp_unsigned("==", b.and_(first, word(3)), word(0))
        here, there = b.append_basic_block("window"), b.append_basic_block("windows")
        b.cbranch(self._both(is_inside, aligned, b.or_(fits, fits_half)), here, there).set_weights(_OFTEN)
        b.position_at_end(here)
        words = load(b, b.add(frame.shared, first), vector(I32), 4)
        ways.append(([permute(b, words, picks)], b.block))
        b.branch(end)
        b.position_at_end(there)

    def _load_unit(self, ways: list[Any], end: ir.Block, is_first: bool) -> None:
        b = self.b
        ok, host = self._unit(is_first)
        here, there = b.append_basic_block("unit"), b.append_basic_block("scattered")
        b.cbranch(ok, here, there).set_weights(_OFTEN)
        b.position_at_end(here)
        if self.count > 1:
            whole = load(b, host, vector(self.element, LANES * self.count), self.element.width // 8)
            values = [shuffle(b, whole, whole, range(i, LANES * self.count, self.count)) for i in range(self.count)]
        elif self.width < 2 and not b.avx512:
            values = [load(b, host, vector(self.element), 1)]
        else:
            values = [masked_load(b, host, self.element, self.who.flags)]
        ways.append((values, b.block))
        b.branch(end)
        b.position_at_end(there)

    def _load_any(self, ways: list[Any], end: ir.Block, leave: ir.Block) -> None:
        b = self.b
        ok = self._call(FN_FETCH_SHARED if self.is_shared else FN_FETCH_GLOBAL, self._format())
        here = b.append_basic_block("fetched")
        b.cbranch(ok, here, leave).set_weights(_OFTEN)
        b.position_at_end(here)
        wide = I64 if self.width == 3 else I32
        values = [load(b, self.element_slot(i), vector(wide), 8) for i in range(self.count)]
        ways.append(([v if wide == self.element else b.trunc(v, vector(self.element)) for v in values], b.block))
        b.branch(end)

    # --- stores
    def store(self, leave: ir.Block) -> None:
        """Write the store; control goes to ``leave`` if the core has to execute it."""
        b, width = self.b, self.slot.width
        values = [self.registers.read(self.instruction.row.refs[i], width) for i in range(self.count)]
        end, here, there = (b.append_basic_block(name) for name in ("stored", "unit", "scattered"))
        ok, host = self._unit()
        b.cbranch(ok, here, there).set_weights(_OFTEN)
        b.position_at_end(here)
        self._store_unit([b.trunc(v, vector(self.element)) if width > self.element.width else v for v in values], host)
        b.branch(end)
        b.position_at_end(there)
        wide = I64 if self.width == 3 else I32
        for i, value in enumerate(values):
            store(
                b,
                b.trunc(value, vector(wide)) if value.type.element.width > wide.width else value,
                self.element_slot(i),
                8,
            )
        done = self._call(FN_SCATTER_SHARED if self.is_shared else FN_SCATTER_GLOBAL, self._format())
        b.cbranch(done, end, leave).set_weights(_OFTEN)
        b.position_at_end(end)
        self.note_effect(lambda: word(0))

    def note_effect(self, count: Callable[[], Any]) -> None:
        """Something that others may wait for has changed; ``count``: how often the warp has just asked again."""
        b, frame = self.b, self.frame
        with nullcontext() if self.guard is None else b.if_then(nonzero(b, self.guard)):
            store(b, frame.now, b.add(frame.sm, word(8 * LAST_EFFECT)), 8)
            store(b, count(), self.warp_word(POLL_COUNT), 8)

    def asked_again(self) -> Any:
        """How often in a row the warp has now executed this instruction, which may be a question."""
        b, pc = self.b, word(self.instruction.pc)
        again = b.icmp_unsigned("==", load(b, self.warp_word(POLL_PC), I64, 8), pc)
        store(b, pc, self.warp_word(POLL_PC), 8)
        return b.select(again, b.add(load(b, self.warp_word(POLL_COUNT), I64, 8), word(1)), word(0))

    def _note_poll(self) -> None:
        """A strong load may be a question."""
        b = self.b
        with nullcontext() if self.guard is None else b.if_then(nonzero(b, self.guard)):
            store(b, self.asked_again(), self.warp_word(POLL_COUNT), 8)

    def warp_word(self, offset: int) -> Any:
        """Host address of a word of the warp."""
        return self.b.add(self.frame.sm, self.b.shl(self.b.add(self.frame.warp, word(offset)), word(3)))

    def _store_unit(self, values: list[Any], host: Any) -> None:
        b = self.b
        if self.count > 1:
            whole = _interleaved(b, values)
            store(b, whole, host, self.element.width // 8)
        elif self.width < 2 and not b.avx512:
            store(b, values[0], host, 1)
        else:
            with b.if_else(self.who.is_full) as (full, partial):
                with full:
                    store(b, values[0], host, self.element.width // 8)
                with partial:
                    masked_store(b, values[0], host, self.who.flags)


def _interleaved(b: Builder, values: list[Any]) -> Any:
    """Element 0 of every vector, then element 1 of every vector, …"""
    while len(values) > 1:
        half = len(values) // 2
        pairs = []
        for x, y in zip(values[:half], values[half:], strict=True):
            n = x.type.count
            pairs.append(shuffle(b, x, y, [k for i in range(n) for k in (i, n + i)]))
        values = pairs
    return values[0]


def call_library(b: Builder, frame: Frame, function: int, args: list[Any]) -> Any:
    """Call the library function whose address is parameter ``function``."""
    args = [*args, *[word(0)] * (ARGUMENTS - len(args))]
    address = frame.param(function)
    return b.call(b.inttoptr(address, ir.FunctionType(I64, [I64] * ARGUMENTS).as_pointer()), args)
