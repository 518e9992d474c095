"""Calls of functions that the device runtime provides become its instructions (isa/runtime.py)."""

from __future__ import annotations

from assembler import moves
from assembler.program import READ, WRITE, Body, Call, Entry, Program, Step, Variable
from isa.runtime import SERVICES, Service

TARGET = "runtime"


def service_of(body: Body) -> Service | None:
    """What the runtime does for a function without a body; None if it knows none of that name and shape."""
    service = None if body.defined else SERVICES.get(body.name)
    if service is None:
        return None
    shape = (tuple(v.size for v in body.results), tuple(v.size for v in body.formals))
    return service if shape == (service.results, service.params) else None


def lower_services(program: Program) -> None:
    """Replace direct calls of the runtime's functions, in all bodies."""
    found = {body.number: service for body in program.bodies if (service := service_of(body))}
    for body in program.bodies:
        if any(call.direct and call.callees[0] in found for call in body.calls.values()):
            _rewrite(body, found)
            program.targets += [TARGET] * (TARGET not in program.targets)


def _rewrite(body: Body, found: dict[int, Service]) -> None:
    old, calls, moved = body.steps, body.calls, []
    body.steps, body.calls = [], {}
    for index, step in enumerate(old):
        moved.append(len(body.steps))
        call = calls.get(index)
        service = found.get(call.callees[0]) if call is not None and call.direct else None
        if call is not None and service is None:
            body.calls[len(body.steps)] = call
        if call is None or service is None:
            body.steps.append(step)
        else:
            _service(body, step, call, service)
    moved.append(len(body.steps))
    body.labels = [moved[at] for at in body.labels]


def _service(body: Body, step: Step, call: Call, service: Service) -> None:
    """Arguments to registers, the instruction, the result to its variable."""
    entries: list[Entry] = []
    after: list[Step] = []
    for (item, _), size in zip(call.results, service.results, strict=True):
        entries.append(_operand(body, item, size, WRITE))
        if isinstance(item, Variable):
            source = (*entries[-1][:1], READ, *entries[-1][2:])
            after.append(moves.step(f"st.param.b{8 * size}", [moves.memory(item, 0), source], step.place, step.guard))
    for (item, _), size in zip(call.arguments, service.params, strict=True):
        entries.append(_operand(body, item, size, READ))
        if isinstance(item, Variable):
            target = (*entries[-1][:1], WRITE, *entries[-1][2:])
            body.steps.append(moves.step(f"ld.param.b{8 * size}", [target, moves.memory(item, 0)], step.place))
    body.steps.append(moves.step(service.opcode, entries, step.place, step.guard))
    body.steps += after


def _operand(body: Body, item: Variable | Entry, size: int, role: int) -> Entry:
    """The register or constant that the instruction names for something passed."""
    kind = f"b{8 * size}"
    if not isinstance(item, Variable):
        return moves.converted(item, role, kind)
    return moves.register(body, body.new_register("%service", kind, 8 * size), role, kind)
