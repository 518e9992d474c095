"""What is known of the registers of a body: who writes and reads them, which steps come before which on every path.

Registers are a lane's own, so what holds along the lane's path through the control flow graph holds for the lane,
whatever the other lanes of its warp do.
"""

from __future__ import annotations

from assembler.flow import BasicBlock
from assembler.liveness import asynchronous_registers, body_blocks
from assembler.program import KIND, PREDICATE_KINDS, READ, REGISTER_KINDS, ROLE, VALUE, WRITE, Body, Program, Step
from isa.image import OperandKind
from isa.instr import Kind
from isa.special import SPECIAL

REG, PRED, NPRED, CONST, SREG, SYM, MEM_REG, MEM_SYM = (
    int(getattr(OperandKind, name)) for name in ("REG", "PRED", "NPRED", "CONST", "SREG", "SYM", "MEM_REG", "MEM_SYM")
)
NAMES = REGISTER_KINDS | PREDICATE_KINDS


def kept_registers(program: Program, body: Body) -> set[int]:
    """Registers that others than the body's steps know: parameters, what calls pass, what works on after its issue."""
    kept = {v.home.number for v in program.variables if v.home is not None and v.body == body.number}
    kept |= {r.number for v in (*body.formals, *body.results) for r in (v.home, v.abi) if r is not None}
    for call in body.calls.values():
        for item, _ in (*call.results, *call.arguments):
            if isinstance(item, tuple):
                kept.add(item[VALUE])
    kept.update(asynchronous_registers(body.steps))
    for step in body.steps:
        kept.update(step.sets)
    return kept


class Facts:
    """Writes and reads of registers by step index, blocks and their dominators."""

    def __init__(self, program: Program, body: Body):
        self.body, self.steps = body, body.steps
        self.kept = kept_registers(program, body)
        self.blocks = body_blocks(body)
        self.block_of = [i for i, block in enumerate(self.blocks) for _ in range(block.start, block.end)]
        self.writes: dict[int, list[int]] = {}
        self.reads: dict[int, list[int]] = {}
        for index, step in enumerate(body.steps):
            self.note(index, step)
        self._orders = _dominator_orders(self.blocks)

    def note(self, index: int, step: Step) -> None:
        """Add what a step writes and reads."""
        for entry in step.entries:
            if entry[KIND] in NAMES:
                if entry[ROLE] != WRITE:
                    self.reads.setdefault(entry[VALUE], []).append(index)
                if entry[ROLE] != READ:
                    self.writes.setdefault(entry[VALUE], []).append(index)
        if step.guard:
            self.reads.setdefault(abs(step.guard) - 1, []).append(index)

    def forget(self, index: int, step: Step) -> None:
        """Take back what `note` added."""
        for entry in step.entries:
            if entry[KIND] in NAMES:
                if entry[ROLE] != WRITE:
                    self.reads[entry[VALUE]].remove(index)
                if entry[ROLE] != READ:
                    self.writes[entry[VALUE]].remove(index)
        if step.guard:
            self.reads[abs(step.guard) - 1].remove(index)

    def replace(self, index: int, step: Step) -> None:
        """Put another step in the place of one."""
        self.forget(index, self.steps[index])
        self.steps[index] = step
        self.note(index, step)

    def definition(self, number: int, at: int) -> int:
        """The step whose value of a register step `at` reads, -1 if there is no such one step.

        Either it is the only one that writes the register and comes before on every path, or it is the last in the
        block of `at`. Steps with a guard write only some lanes.
        """
        if number in self.kept:
            return -1
        writes = self.writes.get(number, ())
        if len(writes) == 1:
            found = writes[0]
        else:
            start = self.blocks[self.block_of[at]].start
            found = max((w for w in writes if start <= w < at), default=-1)
            if found < 0:
                return -1
        step = self.steps[found]
        if step.guard or found == at or any(e[ROLE] != READ and e[ROLE] != WRITE and e[VALUE] == number
                                            and e[KIND] in NAMES for e in step.entries):  # fmt: skip
            return -1
        return found if self.precedes(found, at) else -1

    def unchanged(self, number: int, since: int, at: int) -> bool:
        """Whether a register has at step `at` the value that step `since`, which comes before, has read."""
        if number in self.kept:
            return False
        writes = self.writes.get(number, ())
        if len(writes) == 1 and not self.steps[writes[0]].guard:
            return self.precedes(writes[0], since)
        if self.block_of[since] != self.block_of[at] or since > at:
            return False
        return not any(since <= w < at for w in writes)

    def only_reader(self, number: int, reader: int) -> bool:
        """Whether no other step reads a register, and this one only once."""
        return number not in self.kept and self.reads.get(number) == [reader]

    def precedes(self, first: int, then: int) -> bool:
        """Whether every path to step `then` passes step `first` before."""
        a, b = self.block_of[first], self.block_of[then]
        if a == b:
            return first < then
        begin, end = self._orders[a]
        return begin <= self._orders[b][0] < end


def _dominator_orders(blocks: list[BasicBlock]) -> list[tuple[int, int]]:
    """For each block the interval it has in a walk of the dominator tree: it dominates those that begin inside."""
    parent = immediate_dominators(blocks)
    children: list[list[int]] = [[] for _ in blocks]
    for block, above in enumerate(parent):
        if above >= 0 and block != 0:
            children[above].append(block)
    orders = [(-1, -1)] * len(blocks)  # unreachable blocks dominate nothing
    clock, todo = 0, [(0, False)] if blocks else []
    while todo:
        block, left = todo.pop()
        if left:
            orders[block] = orders[block][0], clock
            continue
        orders[block] = clock, clock
        clock += 1
        todo.append((block, True))
        todo += [(child, False) for child in children[block]]
    return orders


def immediate_dominators(blocks: list[BasicBlock]) -> list[int]:
    """The nearest block that every path from block 0 to a block passes (itself for block 0); -1 if no path reaches it.

    Cooper, Harvey and Kennedy's iteration.
    """
    if not blocks:
        return []
    order = _postorder(blocks)
    rank = [-1] * len(blocks)
    for i, block in enumerate(order):
        rank[block] = i
    parent = [-1] * len(blocks)
    parent[0] = 0
    changed = True
    while changed:
        changed = False
        for block in reversed(order):
            if block == 0:
                continue
            new = -1
            for other in blocks[block].predecessors:
                if parent[other] < 0:
                    continue
                new = other if new < 0 else _common(parent, rank, new, other)
            if new != parent[block]:
                parent[block] = new
                changed = True
    return parent


def _common(parent: list[int], rank: list[int], a: int, b: int) -> int:
    while a != b:
        while rank[a] < rank[b]:
            a = parent[a]
        while rank[b] < rank[a]:
            b = parent[b]
    return a


def _postorder(blocks: list[BasicBlock]) -> list[int]:
    seen = [False] * len(blocks)
    order: list[int] = []
    seen[0] = True
    todo = [(0, iter(blocks[0].successors))]
    while todo:
        block, successors = todo[-1]
        for successor in successors:
            if not seen[successor]:
                seen[successor] = True
                todo.append((successor, iter(blocks[successor].successors)))
                break
        else:
            order.append(block)
            todo.pop()
    return order


def remove_steps(body: Body, gone: set[int]) -> None:
    """Take steps out; labels and calls move along."""
    if not gone:
        return
    kept: list[Step] = []
    moved: list[int] = []
    for index, step in enumerate(body.steps):
        moved.append(len(kept))
        if index not in gone:
            kept.append(step)
    moved.append(len(kept))
    body.labels = [moved[at] for at in body.labels]
    body.calls = {moved[at]: call for at, call in body.calls.items()}
    body.steps = kept


def has_effect(step: Step) -> bool:
    """Whether a step does more than give registers a value that depends on registers and parameters alone."""
    if step.kind == Kind.LANE:
        return reads_clock(step)
    return not (step.kind == Kind.LD and step.op.startswith("ld.param."))


def reads_clock(step: Step) -> bool:
    """Whether a step reads a register that has another value each time."""
    return step.kind == Kind.LANE and any(e[KIND] == SREG and e[VALUE] in _CLOCKS for e in step.entries)


_CLOCKS = frozenset(register.number for register in SPECIAL.values() if register.kind == "clock")
