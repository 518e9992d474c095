"""The order of the steps inside a basic block: loads early, their uses late, as ptxas arranges code.

A list scheduler: of the steps whose sources are ready the one with the longest way to the end of the block goes first,
unless too many registers would be alive. What keeps its order:

* whatever names a register in common, unless both only read it;
* accesses to memory that may touch the same bytes, one of them writing; parameters, constants and `.nc` loads are never
  written. Barriers, fences, ordered accesses and asynchronous copies are passed by no other access to memory;
* warp-wide instructions among themselves; reads of clocks, calls and wgmma against everything.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import cached_property, lru_cache

from assembler.alloc import liveness
from assembler.facts import CONST, MEM_REG, NAMES, reads_clock
from assembler.liveness import accesses, body_blocks, entry_set, exit_set
from assembler.program import KIND, OFFSET, READ, ROLE, VALUE, WRITE, Body, Step
from assembler.uniform import uniform_registers
from isa.image import OperandKind
from isa.instr import Kind
from isa.table import resolve

MEM_PARAM = int(OperandKind.MEM_PARAM)
FREE_REGISTERS = 32 - 3
"""Registers that cost no occupancy: 64 warps of an SM have 32 a thread, of which ptxas uses three for other things."""
GRANULE = 8
"""Registers of a thread are given out in multiples of this (CUDA programming guide, compute capability 9.0)."""
LATENCY = {
    **{"ffma": 4, "fadd": 4, "imad": 4, "imad_hi": 9, "alu": 5, "half": 6, "fp64": 8, "mufu": 17, "cvt": 12},
    **{"cvt64": 18, "popc": 17, "idiv32": 130, "idiv64": 260, "fdiv32": 57, "fdiv64": 124, "fsqrt64": 92},
    **{"sreg": 24, "shfl": 24, "vote": 12, "redux": 44, "match": 369, "mma": 24, "mma_half": 17, "param": 4},
}
"""Cycles the scheduler expects from issue to use, by latency class; other classes: 20. The machine takes its own."""
FAR_CYCLES, NEAR_CYCLES, OTHER_CYCLES = 300, 24, 20
"""Expected of a load from global memory and from shared memory, and of everything not named."""
MOST_REGISTERS, MOST_PREDICATES = 255, 32
"""A block keeps the order of its text rather than need more of them at once: no thread has more registers; seven
predicates have a place of their own on silicon, the bits of more are kept in a register."""
ROOM = 16
"""Registers that no instruction needs more of."""
NEAREST = 32
"""Candidates looked at when registers are short."""
WINDOW = 48
"""Accesses to memory that are compared with one another; older ones count as in the way."""

_ALWAYS = frozenset((
    Kind.CALL, Kind.BRX, Kind.BRA, Kind.RET, Kind.EXIT, Kind.TRAP, Kind.BRKPT, Kind.NANOSLEEP, Kind.SERVICE, Kind.STACK,
    Kind.TENSORMAP, Kind.ROWSP_MALLOC, Kind.NOP,
))  # fmt: skip
_WARP = frozenset((Kind.SHFL, Kind.VOTE, Kind.MATCH, Kind.REDUX, Kind.ELECT, Kind.ACTIVEMASK, Kind.MOVMATRIX))
_PURE = frozenset((Kind.LANE, Kind.SREG, Kind.MMA, Kind.CTA_RANK))
_PLAIN_ACCESS = frozenset((Kind.LD, Kind.ST, Kind.LDMATRIX, Kind.STMATRIX))
FREE, ACCESS, BARRIER, WARP, FIXED = range(5)
"""How a step is bound: by its registers; as an access; as a barrier of accesses; in the order of a warp; in its place."""


@lru_cache(maxsize=8192)
def _class(name: str, kind: int) -> tuple[int, str, int, bool, int]:
    """(how the step is bound, space it accesses, bytes a lane accesses, whether it writes, expected latency)."""
    op = resolve(name)
    latency = LATENCY.get(op.instr.latency, OTHER_CYCLES)
    if kind in _PURE:
        return (FREE, "", 0, False, latency)
    if kind in _WARP:
        return (WARP, "", 0, False, latency)
    if kind in _ALWAYS or name.startswith("wgmma") or name.startswith("setmaxnreg"):
        return (FIXED, "", 0, False, latency)
    if kind not in _PLAIN_ACCESS or op.mods.get("sem", "weak") != "weak" or "mmio" in op.mods.values():
        return (BARRIER, "", 0, True, FAR_CYCLES if kind == Kind.ATOM else latency)
    space = op.mods.get("space", "").removesuffix("::cta")
    if kind in (Kind.LDMATRIX, Kind.STMATRIX):
        space, size = "shared", 16
    else:
        size = max(1, op.operands[0].count if kind == Kind.LD else op.operands[1].count) * _bytes(op.mods["type"])
    latency = NEAR_CYCLES if space == "shared" else FAR_CYCLES
    if "nc" in op.mods.values() or space == "const" or name.startswith("ldu"):
        space = "const"
    return (ACCESS, space, size, kind in (Kind.ST, Kind.STMATRIX), 1 if kind == Kind.ST else latency)


@lru_cache(maxsize=64)
def _bytes(type_name: str) -> int:
    return max(1, int("".join(c for c in type_name if c.isdigit())[:3] or 32) // 8)


def schedule(body: Body) -> None:
    """Put the steps of every block of a body in a better order."""
    blocks = body_blocks(body)
    if not any(block.end - block.start > 2 for block in blocks):
        return
    outside = uniform_registers(body)
    sizes = [r.size if r.bits and r.number not in outside else 0 for r in body.registers]
    weights = [(n, sum(1 << r for r, size in enumerate(sizes) if size == n)) for n in (1, 2, 4)]
    lives = liveness(accesses(body), blocks, entry_set(body), exit_set(body))
    made = [
        _Block(
            body.steps[block.start : block.end], sizes, start, end, sum(n * (start & w).bit_count() for n, w in weights)
        )
        for block, (start, end) in zip(blocks, lives, strict=True)
    ]
    orders = _orders(made)
    new: list[Step] = []
    calls = {}
    for block, order in zip(blocks, orders, strict=True):
        for at in order:
            if block.start + at in body.calls:
                calls[len(new)] = body.calls[block.start + at]
            new.append(body.steps[block.start + at])
    body.steps, body.calls = new, calls


def _orders(blocks: list[_Block]) -> list[list[int]]:
    """New orders of all blocks: with few registers if that is possible, else with as many as the old ones need."""
    orders, most = _attempt(blocks, FREE_REGISTERS)
    if most <= FREE_REGISTERS:
        return orders
    needs = max(block.pressure() for block in blocks)
    return _attempt(blocks, -(-needs // GRANULE) * GRANULE)[0] if needs > FREE_REGISTERS else orders


def _attempt(blocks: list[_Block], budget: int) -> tuple[list[list[int]], int]:
    """Orders that try to keep to so many registers, and the number they need."""
    orders = [block.order(budget) for block in blocks]
    return orders, max(block.most for block in blocks)


class _Block:
    """Steps of a block, what each must follow, and the registers alive."""

    def __init__(self, steps: list[Step], sizes: list[int], live_in: int, live_out: int, alive: int):
        self.steps, self.sizes, self.alive_at_start = steps, sizes, alive
        self.uses = [self._registers(step) for step in steps]
        self.counts: dict[int, int] = {}
        named: set[int] = set()
        for reads, writes in self.uses:
            for number in reads:
                self.counts[number] = self.counts.get(number, 0) + 1
            named.update(reads, writes)
        self.live_out = {number for number in named if live_out >> number & 1}
        self.live_in = {number for number in named if live_in >> number & 1}
        self.most = 0
        """Registers alive at once in the order made last."""

    def _start(self) -> None:
        """Before the first step."""
        self.left, self.live = dict(self.counts), set(self.live_in)
        self.alive = self.most = self.alive_at_start
        self.predicates = self.most_predicates = sum(self.sizes[number] == 0 for number in self.live)

    @staticmethod
    def _registers(step: Step) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(registers read, registers written), each once; what a guard may leave alone counts as read."""
        reads, writes = set(), set(step.sets)
        for entry in step.entries:
            if entry[KIND] in NAMES:
                if entry[ROLE] != WRITE:
                    reads.add(entry[VALUE])
                if entry[ROLE] != READ:
                    writes.add(entry[VALUE])
        if step.guard:
            reads.add(abs(step.guard) - 1)
            reads |= writes
        return tuple(reads), tuple(writes)

    def _issue(self, at: int) -> None:
        """Account for the registers that a step begins and ends to need."""
        reads, writes = self.uses[at]
        for number in reads:
            self.left[number] -= 1
            if self.left[number] == 0 and number not in self.live_out and number in self.live and number not in writes:
                self._end(number)
        for number in writes:
            needed = self.left.get(number, 0) > 0 or number in self.live_out
            if needed and number not in self.live:
                self.live.add(number)
                self.alive += self.sizes[number]
                self.predicates += self.sizes[number] == 0
            elif not needed and number in self.live:
                self._end(number)
        self.most = max(self.most, self.alive)
        self.most_predicates = max(self.most_predicates, self.predicates)

    def _end(self, number: int) -> None:
        """A register is needed no longer."""
        self.live.discard(number)
        self.alive -= self.sizes[number]
        self.predicates -= self.sizes[number] == 0

    def _change(self, at: int) -> int:
        """Registers alive after a step less those before."""
        reads, writes = self.uses[at]
        change = 0
        for number in reads:
            if self.left[number] == 1 and number not in self.live_out and number not in writes:
                change -= self.sizes[number]
        for number in writes:
            if number not in self.live:
                change += self.sizes[number]
        return change

    def pressure(self) -> int:
        """Most registers alive in the order of the text."""
        self._start()
        for at in range(len(self.steps)):
            self._issue(at)
        return self.most

    def order(self, budget: int) -> list[int]:
        """The steps' new order, or the old one if the new one needs too many registers or predicates."""
        order = self._new_order(budget) if len(self.steps) > 2 else []
        if not order or self.most > MOST_REGISTERS or self.most_predicates > MOST_PREDICATES:
            self.pressure()
            return list(range(len(self.steps)))
        return order

    def _new_order(self, budget: int) -> list[int]:
        """The order that a list scheduler finds."""
        count = len(self.steps)
        self._start()
        successors, waiting = self.dependences
        waiting = list(waiting)
        rank = [0] * count
        for at in range(count - 1, -1, -1):
            rank[at] = max((rank[to] + cycles for to, cycles in successors[at].items()), default=0)
        earliest = [0] * count
        ready: list[tuple[int, int]] = [(-rank[at], at) for at in range(count) if waiting[at] == 0]
        heapq.heapify(ready)
        later: list[tuple[int, int]] = []
        order: list[int] = []
        now = 0
        while len(order) < count:
            while later and later[0][0] <= now:
                at = heapq.heappop(later)[1]
                heapq.heappush(ready, (-rank[at], at))
            if not ready:
                now = later[0][0]
                continue
            at = self._choose(ready, later, budget)
            now = max(now, earliest[at])
            order.append(at)
            self._issue(at)
            for to, cycles in successors[at].items():
                earliest[to] = max(earliest[to], now + cycles)
                waiting[to] -= 1
                if waiting[to] == 0:
                    heapq.heappush(later, (earliest[to], to))
            now += 1
        return order

    def _choose(self, ready: list[tuple[int, int]], later: list[tuple[int, int]], budget: int) -> int:
        """The most urgent step; with too many registers alive, the one that frees most, though it must be waited for."""
        if self.alive <= budget - ROOM or self.alive + self._change(ready[0][1]) <= budget:
            return heapq.heappop(ready)[1]
        queues = [(item, ready) for item in heapq.nsmallest(NEAREST, ready)]
        queues += [(item, later) for item in heapq.nsmallest(NEAREST, later)]
        item, queue = min(queues, key=lambda found: (self._change(found[0][1]), found[0][1]))
        queue.remove(item)
        heapq.heapify(queue)
        return item[1]

    @cached_property
    def dependences(self) -> tuple[list[dict[int, int]], list[int]]:
        """For each step those that must follow it, with the cycles expected between; and how many it must follow."""
        successors: list[dict[int, int]] = [{} for _ in self.steps]
        waiting = [0] * len(self.steps)

        def edge(before: int, after: int, cycles: int) -> None:
            old = successors[before].get(after)
            if old is None:
                waiting[after] += 1
            if old is None or old < cycles:
                successors[before][after] = cycles

        writer: dict[int, int] = {}
        readers: dict[int, list[int]] = {}
        memory = _Memory()
        for at, step in enumerate(self.steps):
            reads, writes = self.uses[at]
            for number in reads:
                if number in writer:
                    before = writer[number]
                    edge(before, at, _class(self.steps[before].op, self.steps[before].kind)[4])
                readers.setdefault(number, []).append(at)
            for number in writes:
                if number in writer and writer[number] != at:
                    edge(writer[number], at, 1)
                for before in readers.pop(number, ()):
                    if before != at:
                        edge(before, at, 0)
                writer[number] = at
                if number in reads:
                    readers[number] = [at]
            bases = tuple(writer.get(e[VALUE], -1) for e in step.entries if e[KIND] == MEM_REG)
            for before in memory.follow(at, step, bases):
                edge(before, at, 0)
        last = len(self.steps) - 1
        if _bound(self.steps[last])[0] == FIXED:
            for at in range(last):
                edge(at, last, 0)
        return successors, waiting


def _bound(step: Step) -> tuple[int, str, int, bool, int]:
    """`_class` of a step, with what depends on its operands."""
    found = _class(step.op, step.kind)
    if reads_clock(step):
        return (FIXED, *found[1:])
    if found[0] == ACCESS and step.op.startswith("ld.param"):
        is_kernel = any(e[KIND] == MEM_PARAM for e in step.entries)
        return (FREE if is_kernel else FIXED, *found[1:])
    return (FIXED, *found[1:]) if found[1] == "param" else found


class _Memory:
    """The accesses of a block so far, and which of them a new one must follow."""

    def __init__(self) -> None:
        self.accesses: list[tuple[int, str, bool, tuple[object, ...]]] = []
        self.everything: list[int] = []
        """Steps since the last that is fixed in its place."""
        self.fixed = self.barrier = self.warp = -1

    def follow(self, at: int, step: Step, bases: tuple[int, ...]) -> Iterator[int]:
        """The steps that step `at` must follow because of memory, warps, or its place; and note it."""
        bound, space, size, writes, _ = _bound(step)
        if self.fixed >= 0:
            yield self.fixed
        if bound == FIXED:
            yield from self.everything
            self.everything, self.accesses = [], []
            self.fixed, self.barrier, self.warp = at, -1, -1
            return
        self.everything.append(at)
        if bound == WARP:
            if self.warp >= 0:
                yield self.warp
            self.warp = at
        elif bound == BARRIER:
            if self.barrier >= 0:
                yield self.barrier
            yield from (before for before, *_ in self.accesses)
            if step.kind == Kind.BAR:  # work from before a barrier is done while others are on their way to it
                yield from (before for before in self.everything if before not in (at, self.barrier))
                self.everything = [at]
            self.accesses, self.barrier = [], at
        elif bound == ACCESS and space != "const":
            yield from self._access(at, step, space, size, writes, bases)

    def _access(
        self, at: int, step: Step, space: str, size: int, writes: bool, bases: tuple[int, ...]
    ) -> Iterator[int]:
        if self.barrier >= 0:
            yield self.barrier
        place = _place(step, size, bases)
        for before, other_space, other_writes, other in self.accesses:
            if (writes or other_writes) and _may_meet(space, other_space) and not _apart(place, other):
                yield before
        self.accesses.append((at, space, writes, place))
        if len(self.accesses) > WINDOW:
            self.barrier = at
            yield from (before for before, *_ in self.accesses[:-1])
            self.accesses = []


def _place(step: Step, size: int, bases: tuple[int, ...]) -> tuple[object, ...]:
    """What an access is relative to, and its first byte and the one after its last."""
    for entry in step.entries:
        if entry[KIND] == MEM_REG:
            return (entry[KIND], entry[VALUE], bases, entry[OFFSET], entry[OFFSET] + size)
        if entry[KIND] not in NAMES and entry[KIND] != CONST and entry[OFFSET] is not None and entry[ROLE] == READ:
            return (entry[KIND], entry[VALUE], (), entry[OFFSET], entry[OFFSET] + size)
    return (None, None, (), 0, 0)


def _apart(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    """Whether two accesses relative to the same value touch different bytes."""
    same = a[0] is not None and a[:3] == b[:3]
    return same and (a[4] <= b[3] or b[4] <= a[3])  # type: ignore[operator]


def _may_meet(a: str, b: str) -> bool:
    """Whether accesses to two spaces may be to the same memory; the empty one is the generic space."""
    return a == b or "" in (a, b) or {a, b} == {"shared", "shared::cluster"}
