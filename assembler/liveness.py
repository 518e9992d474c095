"""What the steps of a body read, write and jump to, in the form `alloc` and `flow` work on."""

from __future__ import annotations

from collections.abc import Sequence

from assembler.alloc import Access
from assembler.flow import BasicBlock, basic_blocks
from assembler.program import KIND, PREDICATE_KINDS, READ, REGISTER_KINDS, VALUE, WRITE, Body, Step
from isa.image import OperandKind
from isa.instr import Kind

LABEL = int(OperandKind.LABEL)
NAMES = REGISTER_KINDS | PREDICATE_KINDS
ASYNC = "wgmma.mma_async"
ASYNC_WAIT = "wgmma.wait_group"


def targets_and_ends(body: Body) -> tuple[dict[int, list[int]], dict[int, bool]]:
    """Steps each step may jump to, and the steps that end a block -> whether the next one may follow."""
    targets: dict[int, list[int]] = {}
    ends: dict[int, bool] = {}
    for index, step in enumerate(body.steps):
        if step.kind in (Kind.BRA, Kind.BRX):
            targets[index] = [body.labels[e[VALUE]] for e in step.entries if e[KIND] == LABEL]
            ends[index] = step.guard != 0
        elif step.kind in (Kind.RET, Kind.EXIT):
            ends[index] = step.guard != 0
    return targets, ends


def body_blocks(body: Body) -> list[BasicBlock]:
    """Basic blocks of a body."""
    return basic_blocks(len(body.steps), *targets_and_ends(body))


def accesses(body: Body) -> list[Access]:
    """Registers read and written by each step; numbers are the body's register numbers."""
    asynchronous = asynchronous_registers(body.steps)
    result = []
    for step in body.steps:
        reads, writes = [], []
        for kind, role, _, _, value, _ in step.entries:
            if kind in NAMES:
                if role != WRITE:
                    reads.append(value)
                if role != READ:
                    writes.append(value)
        writes.extend(step.sets)
        guard = step.guard
        if guard:
            reads.append(guard - 1 if guard > 0 else -guard - 1)
        if asynchronous and step.op.startswith(ASYNC_WAIT):
            reads.extend(asynchronous)
        result.append(Access(tuple(reads), tuple(writes), guard != 0, step.early or len(writes) > 1))
    return result


def asynchronous_registers(steps: Sequence[Step]) -> list[int]:
    """Registers an asynchronous instruction goes on using after its issue, until it is waited for."""
    return sorted(
        {e[VALUE] for s in steps if s.op.startswith(ASYNC) for e in s.entries if e[KIND] == int(OperandKind.REG)}
    )


def entry_set(body: Body) -> int:
    """Registers that hold a value when the body starts, as a bit set."""
    return _own(body, [v.abi for v in body.formals])


def exit_set(body: Body) -> int:
    """Registers whose value is used after the body returns, as a bit set."""
    return _own(body, [v.abi for v in body.results])


def _own(body: Body, registers: Sequence[object]) -> int:
    return sum(1 << r.number for r in body.registers if r in registers)
