"""PTX forms that are written as plainer ones: wide conversions, `!p` anywhere, ignored sources; ranges of barriers."""

from __future__ import annotations

from collections.abc import Mapping

from assembler import moves
from assembler.entries import CONST, PRED, REG
from assembler.operands import Plan, Spec
from assembler.problems import Problems
from assembler.program import GROUP, KIND, READ, ROLE, TYPE, VALUE, WRITE, Body, Entry, Register, Step
from assembler.syntax import Name
from isa.types import TYPES, Type


def append_conversion(body: Body, step: Step, types: Mapping[int, Type | None]) -> None:
    """Append a `cvt`; registers wider than its types (by operand) are narrowed before and extended after."""
    place, guard = step.place, step.guard
    after: list[Step] = []
    for i, entry in enumerate(step.entries):
        kind = types[entry[GROUP]]
        bits = body.registers[entry[VALUE]].bits if entry[KIND] == REG else 0
        if kind is None or bits <= kind.bits:
            continue
        sign = "s" if kind.cls == "s" else "u"
        if entry[ROLE] == READ:
            if bits > 32 >= kind.bits:
                word = body.new_register("%narrow", "b32", 32)
                target = moves.register(body, word, WRITE, "b32")
                body.steps.append(moves.copy(target, 32, entry, bits, False, place, guard))
                entry = (REG, READ, kind.code, entry[GROUP], word.number, 0)
            step.entries[i] = (*entry[:TYPE], kind.code, *entry[GROUP:])
        elif bits > 32 or sign == "s":
            word = body.new_register("%narrow", f"b{max(kind.bits, 16)}", max(kind.bits, 16))
            step.entries[i] = (REG, WRITE, kind.code, entry[GROUP], word.number, 0)
            source = moves.register(body, word, READ, f"{sign}{kind.bits}")
            after.append(moves.copy(entry, bits, source, kind.bits, sign == "s", place, guard))
        else:
            step.entries[i] = (*entry[:TYPE], kind.code, *entry[GROUP:])
    body.steps.append(step)
    body.steps.extend(after)


def invert_before(body: Body, step: Step, found: Plan) -> None:
    """A `!p` that the instruction has no form for is computed by a step before it."""
    groups = {found.specs[i][0].group for i in found.inverted}
    for i, entry in enumerate(step.entries):
        if entry[GROUP] in groups and entry[KIND] == PRED:
            word = body.new_register("%not", "pred", 0)
            target = (PRED, WRITE, entry[TYPE], 0, word.number, 0)
            body.steps.append(moves.step("not.pred", [target, entry], step.place, step.guard))
            step.entries[i] = (*entry[:VALUE], word.number, 0)


def ignored_source(
    body: Body, named: tuple[Name, Register] | None, inverted: bool, spec: Spec, entries: list[Entry]
) -> None:
    """`cp.async …, size, p`: where p holds nothing is read, as with a source size of 0."""
    size = next((entry for entry in entries if entry[KIND] == CONST), None)
    if size is None or named is None:
        return
    name, predicate = named
    word = body.new_register("%size", "b32", 32)
    zero, whole = moves.constant(0, "b32"), moves.constant(size[VALUE], "b32")
    test = (PRED, READ, TYPES["pred"].code, 0, predicate.number, 0)
    choice = [whole, zero] if inverted else [zero, whole]
    target = moves.register(body, word, WRITE, "b32")
    body.steps.append(moves.step("selp.b32", [target, *choice, test], name.span))
    entries.append((REG, READ, spec.code, spec.group, word.number, 0))


def check_barrier(step: Step, found: Plan, problems: Problems) -> None:
    """Ranges of a barrier's constants: number 0 to 15, threads a multiple of the warp size."""
    names = [operand.name for operand in found.op.operands]
    for kind, _, _, group, value, _ in step.entries:
        if kind == CONST and names[group] == "a" and not 0 <= value < 16:
            problems.error("bad-barrier", f"there is no barrier {value}: they are 0 to 15", step.place)
        elif kind == CONST and names[group] == "b" and value % 32:
            problems.error("bad-barrier", f"{value} threads are not whole warps", step.place)
