"""Steps nobody needs: results that no step reads, copies into a register that could have been written at once, and old
values of atomics that nobody looks at."""

from __future__ import annotations

from functools import lru_cache

from assembler.facts import NAMES, REG, Facts, has_effect
from assembler.program import GROUP, KIND, READ, ROLE, VALUE, WRITE, Step
from isa.instr import IsaError, Kind
from isa.table import resolve

_MOVES = frozenset(("mov.b32", "mov.u32", "mov.s32", "mov.f32", "mov.b64", "mov.u64", "mov.s64", "mov.f64"))


def dead_steps(facts: Facts) -> set[int]:
    """Indices of steps that only write registers nobody reads, and of those that only these need."""
    gone: set[int] = set()
    todo = [i for i, step in enumerate(facts.steps) if not has_effect(step)]
    while todo:
        index = todo.pop()
        step = facts.steps[index]
        if index in gone or has_effect(step):
            continue
        results = [e[VALUE] for e in step.entries if e[KIND] in NAMES and e[ROLE] != READ]
        if not results or any(r in facts.kept or facts.reads.get(r) for r in results):
            continue
        gone.add(index)
        facts.forget(index, step)
        for entry in step.entries:
            if entry[KIND] in NAMES and entry[ROLE] != WRITE:
                todo += facts.writes.get(entry[VALUE], ())
        if step.guard:
            todo += facts.writes.get(abs(step.guard) - 1, ())
    return gone


def drop_old_values(facts: Facts) -> None:
    """An `atom` whose old value no step reads is a `red`, which nobody waits for."""
    for index, step in enumerate(facts.steps):
        if step.kind != Kind.ATOM or len(step.entries) != 3:
            continue
        old = step.entries[0]
        name = _reduction(step.op)
        if name is None or old[KIND] != REG or old[VALUE] in facts.kept or facts.reads.get(old[VALUE]):
            continue
        entries = [(*e[:GROUP], group, *e[VALUE:]) for group, e in enumerate(step.entries[1:])]
        facts.replace(index, Step(name, int(Kind.RED), step.guard, entries, step.place))


@lru_cache(maxsize=1024)
def _reduction(name: str) -> str | None:
    """The `red` that does what an `atom` does; None for exchanges, vectors and what has no such form."""
    op = resolve(name)
    if op.mods.get("op") in ("exch", "cas") or "vec" in op.mods or ";" in name:
        return None
    try:
        found = resolve("red" + name.removeprefix("atom"))
    except IsaError:
        return None
    return found.name if found.kind == Kind.RED and [o.form for o in found.operands] == ["mem", "reg"] else None


def coalesce(facts: Facts, gone: set[int]) -> None:
    """`mov x, t` where t is computed for x alone: the step that computes t writes x. The moves are added to ``gone``.

    It does for the loop variables of SSA form what ptxas' register allocation does.
    """
    for index, step in enumerate(facts.steps):
        if index in gone or step.op not in _MOVES or step.guard or len(step.entries) != 2:
            continue
        target, source = step.entries
        if target[KIND] != REG or source[KIND] != REG or target[VALUE] == source[VALUE]:
            continue
        found = _origin(facts, index, target[VALUE], source[VALUE])
        if found < 0:
            continue
        readers = [r for r in facts.reads[source[VALUE]] if r != index]
        for at in {found, *readers}:
            facts.replace(at, _renamed(facts.steps[at], source[VALUE], target[VALUE]))
        facts.forget(index, step)
        gone.add(index)


def _origin(facts: Facts, index: int, x: int, t: int) -> int:
    """The step that computes `t` for the move to `x` at `index`, if it may write `x` itself; or -1."""
    registers = facts.body.registers
    if x in facts.kept or t in facts.kept or registers[x].bits != registers[t].bits:
        return -1
    writes = facts.writes.get(t, [])
    if len(writes) != 1 or facts.block_of[writes[0]] != facts.block_of[index] or writes[0] >= index:
        return -1
    found = writes[0]
    step = facts.steps[found]
    if step.guard or any(e[ROLE] != READ and e[ROLE] != WRITE for e in step.entries):
        return -1
    last = max(facts.reads[t])
    if min(facts.reads[t]) <= found or facts.block_of[last] != facts.block_of[index]:
        return -1
    if any(found <= w <= last and w != index for w in facts.writes.get(x, ())):
        return -1
    return -1 if any(found < r <= index for r in facts.reads.get(x, ())) else found


def _renamed(step: Step, old: int, new: int) -> Step:
    """The step with another register in the place of one."""
    entries = [(*e[:VALUE], new, e[-1]) if e[KIND] in NAMES and e[VALUE] == old else e for e in step.entries]
    return Step(step.op, step.kind, step.guard, entries, step.place, step.early, step.sets, step.added)
