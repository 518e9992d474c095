"""Registers that ptxas keeps outside the threads' register file: values that all lanes of a warp share.

sm_90 has an own datapath for them with 63 registers a warp, and reads kernel parameters from the constant bank as
operands. A value is kept there (found by reading the machine code of small kernels) if

* it is a kernel parameter, or computed from such, from constants, symbols' addresses and indices of the thread block by
  integer operations that the uniform datapath has;
* every lane of the warp computes it: its block does not depend on a branch that lanes take differently, or it is
  computed in one place only;
* it is not the 64-bit base that a product is added to, nor the address of an access: these operands are registers.
"""

from __future__ import annotations

from assembler.facts import CONST, MEM_REG, NAMES, NPRED, PRED, REG, SREG, SYM, immediate_dominators
from assembler.flow import BasicBlock
from assembler.liveness import body_blocks
from assembler.program import KIND, READ, ROLE, VALUE, WRITE, Body, Step
from isa.image import OperandKind
from isa.instr import Kind
from isa.special import SPECIAL

MEM_PARAM = int(OperandKind.MEM_PARAM)
_SHARED_NUMBERS = frozenset(r.number for r in SPECIAL.values() if r.kind in ("cta", "grid", "gpu"))
_OPERATIONS = frozenset(
    ("mov", "add", "sub", "mul", "mad", "shl", "shr", "and", "or", "xor", "not", "lop3", "setp", "selp", "cvt", "cvta")
)
_SOURCES = frozenset((REG, PRED, NPRED, CONST, SYM))


def uniform_registers(body: Body) -> set[int]:
    """Numbers of a kernel's registers whose values lie outside the register file; none of other bodies."""
    if not body.is_kernel:
        return set()
    writers: dict[int, list[int]] = {}
    for index, step in enumerate(body.steps):
        for entry in step.entries:
            if entry[KIND] in NAMES and entry[ROLE] != READ:
                writers.setdefault(entry[VALUE], []).append(index)
        for number in step.sets:
            writers.setdefault(number, []).append(-1)
    blocks = body_blocks(body)
    parted: set[int] = set()
    while True:
        shared = _shared(body, writers, parted)
        found = _parted_blocks(body, blocks, shared)
        steps = {i for b in found for i in range(blocks[b].start, blocks[b].end)}
        if steps == parted:
            return _placeable(body, shared)
        parted = steps


def _shared(body: Body, writers: dict[int, list[int]], parted: set[int]) -> set[int]:
    """Registers that have one value in all lanes; ``parted``: steps that some lanes may run without others."""
    shared = {n for n, at in writers.items() if -1 not in at and (len(at) == 1 or not parted.intersection(at))}
    results = [[e[VALUE] for e in step.entries if e[KIND] in NAMES and e[ROLE] != READ] for step in body.steps]
    changed = True
    while changed:
        changed = False
        for step, written in zip(body.steps, results, strict=True):
            if not shared.isdisjoint(written) and not _keeps(step, shared):
                shared.difference_update(written)
                changed = True
    return shared


def _keeps(step: Step, shared: set[int]) -> bool:
    """Whether a step gives all lanes the same if its sources in ``shared`` are the same in all."""
    if step.guard and abs(step.guard) - 1 not in shared:
        return False
    if step.kind == Kind.LD:
        return step.op.startswith("ld.param") and any(e[KIND] == MEM_PARAM for e in step.entries)
    if step.kind != Kind.LANE or step.op.split(".")[0] not in _OPERATIONS or _is_float(step):
        return False
    for entry in step.entries:
        kind = entry[KIND]
        if kind in (REG, PRED, NPRED) and entry[ROLE] != WRITE and entry[VALUE] not in shared:
            return False
        if kind == SREG and entry[VALUE] not in _SHARED_NUMBERS:
            return False
        if kind not in _SOURCES and kind != SREG:
            return False
    return True


def _is_float(step: Step) -> bool:
    return any(part.startswith(("f16", "f32", "f64", "bf16")) for part in step.op.split(".")[1:])


def _parted_blocks(body: Body, blocks: list[BasicBlock], shared: set[int]) -> set[int]:
    """Blocks that depend on a branch whose predicate is not the same in all lanes.

    An early exit does not count: those lanes never come back.
    """
    after = _postdominators(blocks)
    found: set[int] = set()
    for number, block in enumerate(blocks):
        step = body.steps[block.end - 1]
        is_branch = step.kind == Kind.BRX or (
            step.kind == Kind.BRA and step.guard and abs(step.guard) - 1 not in shared
        )
        if not is_branch or len(block.successors) < 2:
            continue
        todo = [s for s in block.successors if not (after[number] < 0 and _only_leaves(body, blocks, s))]
        if after[number] < 0 and len(todo) < len(block.successors):
            continue
        seen = {after[number]}
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += blocks[at].successors
        found |= seen - {after[number]}
    return found


def _only_leaves(body: Body, blocks: list[BasicBlock], number: int) -> bool:
    block = blocks[number]
    return not block.successors and block.end - block.start <= 2


def _postdominators(blocks: list[BasicBlock]) -> list[int]:
    """The next block that every path from a block to the end passes; -1 if that is the end itself, or no path ends."""
    reverse = [BasicBlock(0, 0) for _ in range(len(blocks) + 1)]  # the end, and the blocks behind it
    for i, block in enumerate(blocks):
        reverse[i + 1].successors = [p + 1 for p in block.predecessors]
        reverse[i + 1].predecessors = [s + 1 for s in block.successors] or [0]
        if not block.successors:
            reverse[0].successors.append(i + 1)
    return [above - 1 if above > 0 else -1 for above in immediate_dominators(reverse)[1:]]


def _placeable(body: Body, shared: set[int]) -> set[int]:
    """Those of the shared registers that no step needs in a register of the thread."""
    for step in body.steps:
        for place, entry in enumerate(step.entries):
            if entry[KIND] not in NAMES or entry[ROLE] == WRITE or entry[VALUE] not in shared:
                continue
            is_base = step.op.startswith("mad.wide") and place == 3
            if (entry[KIND] == MEM_REG or is_base) and not _keeps(step, shared):
                shared.discard(entry[VALUE])
    return {n for n in shared if body.registers[n].bits}
