"""Where things go: registers of every body, frames in local memory, shared memory of every kernel, module variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from assembler.alloc import Allocation, intervals, scan
from assembler.flow import cycles, reached_bodies
from assembler.liveness import accesses, body_blocks, entry_set, exit_set
from assembler.pressure import registers_alive
from assembler.program import KIND, VALUE, Body, Program, Register
from assembler.stack import place_variables
from assembler.uniform import uniform_registers
from isa.image import OperandKind

SYM, MEM_SYM = int(OperandKind.SYM), int(OperandKind.MEM_SYM)
_DYNAMIC_ALIGN = 16
"""Alignment that dynamic shared memory has anyway."""


Claims: TypeAlias = dict[int, int]
"""Slots, as a bit set, that hold registers of a width."""


@dataclass(slots=True)
class Extent:
    """Resources of a body: its own slots and predicates [first, end), frame bytes [frame, frame_end).

    `pressure`: registers its thread would need on silicon, where all widths share them and what all lanes have in
    common lies elsewhere.
    """

    first_reg: int = 0
    end_reg: int = 0
    first_pred: int = 0
    end_pred: int = 0
    frame: int = 0
    frame_end: int = 0
    pressure: int = 0


@dataclass(slots=True)
class Layout:
    """Extents by body number, the bodies each body reaches (itself included), shared bytes by body number."""

    extents: list[Extent]
    reached: list[set[int]]
    shared_bytes: dict[int, int] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)


def place(program: Program, graph: Sequence[Sequence[int]]) -> Layout:
    """Decide all places; registers get their `slot`, variables their `offset`."""
    layout = Layout([Extent() for _ in program.bodies], reached_bodies(graph))
    groups = _groups(program)
    nodes = _with_groups(graph, groups)
    callers: list[list[int]] = [[] for _ in nodes]
    for caller, callees in enumerate(nodes):
        for callee in callees:
            callers[callee].append(caller)
    layout.extents += [Extent() for _ in groups]
    order = cycles(nodes)[::-1]
    order.sort(key=lambda component: component[0] >= len(graph) or not program.bodies[component[0]].is_kernel)
    for component in order:
        _place_component(program, component, groups, callers, layout)
    pointer = program.stack_pointer
    if pointer is not None and pointer.slot < 0:  # there are only kernels
        pointer.slot = max(extent.end_reg for extent in layout.extents)
        for body in program.bodies:
            layout.extents[body.number].end_reg = pointer.slot + 1
    _place_shared(program, layout)
    for space in ("global", "const"):
        place_variables([v for v in program.variables if v.space == space and not v.extern], 0)
    return layout


def _groups(program: Program) -> list[list[Body]]:
    """Functions that share parameter registers."""
    groups: dict[int, list[Body]] = {}
    for body in program.bodies:
        if body.group:
            groups.setdefault(id(body.group), []).append(body)
    return list(groups.values())


def _with_groups(graph: Sequence[Sequence[int]], groups: Sequence[Sequence[Body]]) -> list[list[int]]:
    """The call graph with a node for each group's registers, between callers and the group's functions."""
    node = {body.number: len(graph) + i for i, group in enumerate(groups) for body in group}
    nodes = [sorted({node.get(callee, callee) for callee in callees}) for callees in graph]
    return nodes + [[body.number for body in group] for group in groups]


def _place_component(
    program: Program,
    component: Sequence[int],
    groups: Sequence[Sequence[Body]],
    callers: Sequence[Sequence[int]],
    layout: Layout,
) -> None:
    """Place bodies that may call each other, above everything that calls one of them."""
    outside = [layout.extents[c] for number in component for c in callers[number] if c not in component]
    reg = max((e.end_reg for e in outside), default=0)
    pred = max((e.end_pred for e in outside), default=0)
    frame = max((e.frame_end for e in outside), default=0)
    pressure = max((e.pressure for e in outside), default=0)
    bodies = program.bodies
    is_kernel = component[0] < len(bodies) and bodies[component[0]].is_kernel
    if program.stack_pointer is not None and not is_kernel:
        if program.stack_pointer.slot < 0:
            program.stack_pointer.slot = max(
                (layout.extents[b.number].end_reg for b in bodies if b.is_kernel), default=0
            )
        reg = max(reg, program.stack_pointer.slot + 1)
    for number in sorted(component, reverse=True):  # groups first
        if number >= len(bodies):
            reg = _place_group(groups[number - len(bodies)][0].group, reg, layout.claims)
            extent = Extent(reg, reg, pred, pred, frame, frame, pressure)
        else:
            claims = {} if is_kernel else layout.claims
            extent = _place_body(program, bodies[number], Extent(reg, reg, pred, pred, frame, frame, pressure), claims)
        layout.extents[number] = extent
        reg, pred, frame, pressure = extent.end_reg, extent.end_pred, extent.frame_end, extent.pressure


def _place_group(registers: Sequence[Register], start: int, claims: Claims) -> int:
    """Slots of registers all functions of a signature share; no other register may have them."""
    for register in registers:
        register.slot = -(-start // register.size) * register.size
        start = register.slot + register.size
        for width in (1, 2, 4):
            claims[width] = claims.get(width, 0) | ((1 << register.size) - 1) << register.slot
    return start


def _place_body(program: Program, body: Body, extent: Extent, claims: Claims) -> Extent:
    """Places of one body; `claims` holds the slots of each width that registers of other widths may not have.

    Lanes of a wide register do not lie where those of narrow ones do, so lanes that wait elsewhere in a diverged warp
    would lose what they keep in a slot that is used at another width. Kernels never run in one warp: each has its own
    claims; all functions share theirs.
    """
    given = body.physical
    local = [] if body.recursive else [v for v in program.variables if v.body == body.number and v.space == "local"]
    if given is not None:
        regs = given.first_reg, given.first_reg + given.nregs
        preds = given.first_pred, given.first_pred + given.npreds
        extent = Extent(*regs, *preds, given.frame_offset)
    if local:
        align = max(v.align for v in local)
        extent.frame = -(-extent.frame // align) * align
    extent.frame_end = place_variables(local, max(extent.frame, 0))
    if given is not None:
        extent.frame_end = extent.frame + given.frame_bytes
        return extent
    lives = intervals(accesses(body), body_blocks(body), len(body.registers), entry_set(body), exit_set(body))
    sizes = [register.size for register in body.registers]
    predicates = [i for i in lives if not body.registers[i.register].bits]
    extent.pressure += registers_alive(body, uniform_registers(body))
    extent.end_pred = max(extent.end_pred, _give(body, scan(predicates, sizes, extent.first_pred)))
    for width in (1, 2, 4):
        chosen = [i for i in lives if body.registers[i.register].bits and sizes[i.register] == width]
        first, second = (claims.get(w, 0) for w in (1, 2, 4) if w != width)
        extent.end_reg = max(extent.end_reg, _give(body, scan(chosen, sizes, extent.first_reg, first | second)))
        for interval in chosen:
            slot = body.registers[interval.register].slot
            claims[width] = claims.get(width, 0) | ((1 << width) - 1) << slot
    return extent


def _give(body: Body, allocation: Allocation) -> int:
    """Write slots into the body's registers; returns the end of the slots in use."""
    for register, slot in zip(body.registers, allocation.slots, strict=True):
        register.slot = slot if slot >= 0 else register.slot
    return allocation.used if any(slot >= 0 for slot in allocation.slots) else 0


def _place_shared(program: Program, layout: Layout) -> None:
    """Offsets in shared memory: a variable of several kernels lies at one offset that is free in all of them."""
    users = _shared_users(program, layout)
    ends = {body.number: 0 for body in program.bodies if body.is_kernel}
    for variable in program.variables:
        if variable.space != "shared":
            continue
        if variable.extern:
            variable.offset = -1
            continue
        kernels = users.get(variable.number, set())
        end = max((ends[k] for k in kernels), default=0)
        variable.offset = -(-end // variable.align) * variable.align
        for kernel in kernels:
            ends[kernel] = variable.offset + variable.size
    for variable in program.variables:
        if variable.space == "shared" and variable.extern and variable.align > _DYNAMIC_ALIGN:
            for kernel in users.get(variable.number, set()):
                ends[kernel] = -(-ends[kernel] // variable.align) * variable.align
    layout.shared_bytes = ends


def _shared_users(program: Program, layout: Layout) -> dict[int, set[int]]:
    """Kernels that can reach a use of each shared variable; those of a kernel's own body always count."""
    in_body: dict[int, set[int]] = {}
    for body in program.bodies:
        for step in body.steps:
            for entry in step.entries:
                if entry[KIND] in (SYM, MEM_SYM) and entry[VALUE] >= 0:
                    in_body.setdefault(entry[VALUE], set()).add(body.number)
    kernels = [body.number for body in program.bodies if body.is_kernel]
    return {
        v.number: {k for k in kernels if k == v.body or layout.reached[k] & in_body.get(v.number, set())}
        for v in program.variables
        if v.space == "shared"
    }
