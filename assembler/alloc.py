"""Virtual registers to physical slots: liveness on the control flow graph, then a linear scan.

Why per-lane liveness is enough although the lanes of a warp share physical registers: a register holds 32 separate
values and a masked write leaves the other lanes alone, so two virtual registers of the same width may share a slot
whenever no *lane* can need both. Lanes that wait on the other side of a branch keep their values because nobody writes
their part of the slot. (Of different widths they may not: lanes lie elsewhere then. `layout` sees to it.) A guarded
write does not end the life of the old value.

An interval covers everything from the first to the last position where the register is live, holes included. A value
counts as live only where some definition may have reached it, so a register first written under a guard does not become
live all the way up to the entry.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assembler.flow import BasicBlock

MAX_SLOTS = 255
"""32-bit registers one thread may have (PTX ISA: maxnreg; sm_90 register file)."""


class Access(NamedTuple):
    """Registers one instruction reads and writes, as virtual register numbers.

    `partial`: the write may leave lanes alone (guard). `early`: results may not share a slot with the instruction's own
    sources, because it has several results or mixes register widths.
    """

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    partial: bool
    early: bool


class Interval(NamedTuple):
    """Life of a virtual register in half steps: 2*i before instruction i reads, 2*i+1 when it writes."""

    start: int
    end: int
    register: int


class Allocation(NamedTuple):
    """First slot of each virtual register (-1: never used) and the number of slots in use."""

    slots: list[int]
    used: int


def bit_numbers(mask: int) -> Iterator[int]:
    """Numbers of the bits set in `mask`, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class _Sets(NamedTuple):
    exposed: int  # read before any full write of the block
    killed: int  # fully written
    defined: int  # written at all


def _block_sets(accesses: Sequence[Access], block: BasicBlock) -> _Sets:
    exposed = killed = defined = 0
    for reads, writes, partial, _ in accesses[block.start : block.end]:
        for register in reads:
            bit = 1 << register
            if not killed & bit:
                exposed |= bit
        for register in writes:
            defined |= 1 << register
            if not partial:
                killed |= 1 << register
    return _Sets(exposed, killed, defined)


def liveness(
    accesses: Sequence[Access], blocks: Sequence[BasicBlock], at_entry: int = 0, at_exit: int = 0
) -> list[tuple[int, int]]:
    """(live at start, live at end) of each block, as bit sets of registers.

    `at_entry` holds registers with a value on entry (parameters), `at_exit` those read after blocks without successor.
    """
    sets = [_block_sets(accesses, block) for block in blocks]
    starts, ends = [0] * len(blocks), [0] * len(blocks)
    todo, queued = list(range(len(blocks))), [True] * len(blocks)
    while todo:
        i = todo.pop()
        queued[i] = False
        end = 0 if blocks[i].successors else at_exit
        for successor in blocks[i].successors:
            end |= starts[successor]
        ends[i] = end
        start = sets[i].exposed | (end & ~sets[i].killed)
        if start != starts[i]:
            starts[i] = start
            for predecessor in blocks[i].predecessors:
                if not queued[predecessor]:
                    queued[predecessor] = True
                    todo.append(predecessor)
    reached = _reaching(sets, blocks, at_entry)
    return [(starts[i] & into, ends[i] & out) for i, (into, out) in enumerate(reached)]


def _reaching(sets: Sequence[_Sets], blocks: Sequence[BasicBlock], at_entry: int) -> list[tuple[int, int]]:
    """(at start, at end) of each block: registers that some path from the entry has written."""
    into, out = [0] * len(blocks), [0] * len(blocks)
    todo, queued = list(range(len(blocks) - 1, -1, -1)), [True] * len(blocks)
    while todo:
        i = todo.pop()
        queued[i] = False
        start = at_entry if i == 0 else 0
        for predecessor in blocks[i].predecessors:
            start |= out[predecessor]
        into[i] = start
        end = start | sets[i].defined
        if end != out[i]:
            out[i] = end
            for successor in blocks[i].successors:
                if not queued[successor]:
                    queued[successor] = True
                    todo.append(successor)
    return list(zip(into, out, strict=True))


def intervals(
    accesses: Sequence[Access], blocks: Sequence[BasicBlock], count: int, at_entry: int = 0, at_exit: int = 0
) -> list[Interval]:
    """One interval for each of the `count` virtual registers that is ever named, sorted by start."""
    first, last = [1 << 60] * count, [-1] * count
    for block, (start, end) in zip(blocks, liveness(accesses, blocks, at_entry, at_exit), strict=True):
        at = 2 * block.start
        for register in bit_numbers(start):
            first[register] = min(first[register], at)
            last[register] = max(last[register], at)
        at = 2 * block.end - 1
        for register in bit_numbers(end):
            first[register] = min(first[register], at)
            last[register] = max(last[register], at)
    for register in bit_numbers(at_entry):
        first[register] = 0
        last[register] = max(last[register], 0)
    for register in bit_numbers(at_exit):  # results of a body without instructions, too
        first[register] = min(first[register], max(0, 2 * len(accesses) - 1))
        last[register] = max(last[register], first[register])
    for i, (reads, writes, _, early) in enumerate(accesses):
        at = 2 * i
        for register in reads:
            first[register] = min(first[register], at)
            last[register] = max(last[register], at)
        for register in writes:
            first[register] = min(first[register], at if early else at + 1)
            last[register] = max(last[register], at + 1)
    return sorted(Interval(first[r], last[r], r) for r in range(count) if last[r] >= 0)


_ALIGNED = {1: ~0, 2: sum(1 << (2 * i) for i in range(1 << 12)), 4: sum(1 << (4 * i) for i in range(1 << 11))}
"""Slots where a register of so many slots may start, as bit sets; room for far more registers than a program has."""


def _take(free: int, size: int) -> int:
    """Lowest aligned run of `size` slots in the bit set `free`."""
    candidates = free & _ALIGNED[size]
    if size >= 2:
        candidates &= free >> 1
    if size == 4:
        candidates &= (free >> 2) & (free >> 3)
    return (candidates & -candidates).bit_length() - 1


def scan(lives: Sequence[Interval], sizes: Sequence[int], first_slot: int = 0, taken: int = 0) -> Allocation:
    """Give every interval the lowest free slot from `first_slot` on that is not in the bit set `taken`.

    `sizes` in slots (1, 2 or 4) by register.
    """
    slots = [-1] * len(sizes)
    used = first_slot
    free = (1 << (1 << 13)) - 1 & ~((1 << first_slot) - 1) & ~taken
    active: list[tuple[int, int]] = []
    for start, end, register in lives:
        while active and active[0][0] < start:
            _, old = heapq.heappop(active)
            free |= ((1 << sizes[old]) - 1) << slots[old]
        size = sizes[register]
        slot = _take(free, size)
        if slot < 0:
            raise OverflowError("more than 8192 registers live at once")
        slots[register] = slot
        free &= ~(((1 << size) - 1) << slot)
        used = max(used, slot + size)
        heapq.heappush(active, (end, register))
    return Allocation(slots, used)
