"""`alloca`, `stacksave` and `stackrestore`: arithmetic on the stack pointer, which is always a multiple of 16.

The stack grows towards higher addresses. A function gives back what it allocated when it returns.
"""

from __future__ import annotations

from assembler import moves
from assembler.calls import edges
from assembler.flow import reached_bodies
from assembler.problems import Problems
from assembler.program import READ, ROLE, TYPE, VALUE, WRITE, Body, Entry, Program, Register, Step
from isa.image import OperandKind
from isa.instr import Kind
from isa.types import BY_CODE

ALIGN = 16
"""What the stack pointer is a multiple of."""


def allocates(body: Body) -> bool:
    """Whether a body changes the stack by itself."""
    return any(step.kind == Kind.STACK for step in body.steps)


def refuse_recursive(program: Program, problems: Problems) -> None:
    """An error for each recursive function that allocates: its frame could not be found any more."""
    found = [
        (body, next(step for step in body.steps if step.kind == Kind.STACK))
        for body in program.bodies
        if allocates(body)
    ]
    if not found:
        return
    graph = edges(program)
    reached = reached_bodies(graph)
    for body, step in found:
        if any(body.number in reached[callee] for callee in graph[body.number]):
            name = step.op.split(".")[0]
            problems.error("unmodelled", f"`{name}` in a recursive function is not modelled", step.place)


def lower_allocations(body: Body, pointer: Register) -> None:
    """Replace the stack instructions of a body that is not recursive."""
    if not allocates(body):
        return
    saved = None if body.is_kernel else body.new_register("%stack", "b32", 32)
    steps, moved = list[Step](), []
    if saved is not None:
        steps.append(_move(body, saved, pointer, body.steps[0], 0))
    for step in body.steps:
        moved.append(len(steps))
        if step.kind == Kind.STACK:
            steps.extend(_lowered(body, pointer, step))
            continue
        if step.kind == Kind.RET and saved is not None:
            steps.append(_move(body, pointer, saved, step, step.guard))
        steps.append(step)
    moved.append(len(steps))
    body.labels = [moved[at] for at in body.labels]
    body.steps = steps


def _move(body: Body, target: Register, source: Register, at: Step, guard: int) -> Step:
    entries = [moves.register(body, target, WRITE, "u32"), moves.register(body, source, READ, "u32")]
    return moves.step("mov.u32", entries, at.place, guard)


def _width(entry: Entry) -> int:
    return 64 if entry[0] == OperandKind.CONST else int(BY_CODE[entry[TYPE]].bits)


def _lowered(body: Body, pointer: Register, step: Step) -> list[Step]:
    """The steps of one stack instruction."""
    place, guard = step.place, step.guard
    top = moves.register(None, pointer, READ, "u32")
    new_top = moves.register(None, pointer, WRITE, "u32")
    operand = step.entries[0]
    if step.op.startswith("stacksave"):
        return [moves.copy(operand, _width(operand), top, 32, False, place, guard)]
    if step.op.startswith("stackrestore"):
        return [moves.copy(new_top, 32, operand, _width(operand), False, place, guard)]
    size = step.entries[1]
    align = step.entries[2][VALUE] if len(step.entries) > 2 else 8
    start, length = (body.new_register(name, "b32", 32) for name in ("%start", "%length"))
    steps = [_move(body, start, pointer, step, guard)]
    if align > ALIGN:
        steps += _rounded(body, start, align, step)
    steps.append(moves.copy(moves.register(body, length, WRITE, "u32"), 32, size, _width(size), False, place, guard)
                 if size[0] != OperandKind.CONST else
                 moves.step("mov.u32", [moves.register(body, length, WRITE, "u32"), moves.constant(size[VALUE], "u32")],
                            place, guard))  # fmt: skip
    steps += _rounded(body, length, ALIGN, step)
    sources = [moves.register(body, register, READ, "u32") for register in (start, length)]
    steps.append(moves.step("add.u32", [new_top, *sources], place, guard))
    steps.append(moves.copy(operand, _width(operand), sources[0], 32, False, place, guard))
    return steps


def _rounded(body: Body, register: Register, align: int, step: Step) -> list[Step]:
    """`register` rounded up to a multiple of `align`, a power of two."""
    target, source = (moves.register(body, register, role, "u32") for role in (WRITE, READ))
    bits = [moves.converted(entry, entry[ROLE], "b32") for entry in (target, source)]
    mask = moves.constant((1 << 32) - align, "b32")
    return [
        moves.step("add.u32", [target, source, moves.constant(align - 1, "u32")], step.place, step.guard),
        moves.step("and.b32", [*bits, mask], step.place, step.guard),
    ]
