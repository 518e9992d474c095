"""Checked program to Image: calls and stack made explicit, places decided, columns written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from assembler.calls import edges, lower_calls
from assembler.columns import entry_columns, head_columns, span_columns
from assembler.constant_functions import fold_functions
from assembler.contract import contract
from assembler.dynamic_stack import allocates
from assembler.flow import cycles, reached_bodies
from assembler.layout import Layout, place
from assembler.optimise import optimise
from assembler.program import (
    KIND,
    OUTER,
    OUTER_MEM,
    PREDICATE_KINDS,
    REGISTER_KINDS,
    ROLE,
    VALUE,
    Body,
    Entry,
    Program,
    Step,
    Variable,
)
from assembler.services import lower_services
from assembler.source import Span
from assembler.stack import DEFAULT_STACK_BYTES, lower_stack
from isa.image import Function, Image, Kernel, OperandKind, Param, RegisterName, Symbol
from isa.table import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL, FUNC = int(OperandKind.LABEL), int(OperandKind.FUNC)
REG, MEM_REG, SYM, MEM_SYM = (int(getattr(OperandKind, k)) for k in ("REG", "MEM_REG", "SYM", "MEM_SYM"))


def lower(program: Program, files: Sequence[str], texts: Sequence[str], optimised: bool = False) -> Image:
    """The Image of a program that has no errors. The program is consumed: its bodies are rewritten."""
    lower_services(program)
    graph = edges(program)
    fold_functions(program)
    contract(program)
    if optimised:
        optimise(program)
    lower_calls(program)
    layout = place_after_stack(program, graph)
    for body in program.bodies:
        _drop_idle_moves(body)
    order = _order(program, graph)
    return _Writer(program, layout, order, files, texts).image()


def place_after_stack(program: Program, graph: Sequence[Sequence[int]]) -> Layout:
    """Lower the stack, then decide all places and give the stack pointer its start."""
    reached = reached_bodies(graph)
    moving = {body.number for body in program.bodies if body.recursive or allocates(body)}
    lower_stack(program, [bool(r & moving) for r in reached])
    layout = place(program, graph)
    for body in program.bodies:
        if body.stack_start is not None:
            end = max(layout.extents[n].frame_end for n in layout.reached[body.number])
            entry = body.stack_start.entries[1]
            body.stack_start.entries[1] = (*entry[:VALUE], _round(end, 16), 0)
    return layout


def _drop_idle_moves(body: Body) -> None:
    """Remove added moves of a register to the same place."""
    if not any(step.added for step in body.steps):
        return
    kept, moved = list[Step](), []
    for step in body.steps:
        moved.append(len(kept))
        if not (step.added and step.op.startswith("mov.") and _same_place(body, *step.entries)):
            kept.append(step)
    moved.append(len(kept))
    body.labels = [moved[at] for at in body.labels]
    body.steps = kept


def _same_place(body: Body, target: Entry, source: Entry) -> bool:
    places = [
        body.registers[e[VALUE]].slot if e[KIND] == REG else e[VALUE].slot if e[KIND] == OUTER else -1 - e[ROLE]
        for e in (target, source)
    ]
    return places[0] == places[1]


def _round(value: int, to: int) -> int:
    return -(-value // to) * to


def _order(program: Program, graph: Sequence[Sequence[int]]) -> list[Body]:
    """Functions before their callers, then kernels in source order.

    The machine runs the lowest instruction of a diverged warp first, so lanes inside a function return and rejoin the
    others before those go on.
    """
    functions = [n for component in cycles(graph) for n in sorted(component) if not program.bodies[n].is_kernel]
    kernels = [body for body in program.bodies if body.is_kernel]
    return [program.bodies[n] for n in functions if program.bodies[n].defined] + kernels


def _unique_names(things: Sequence[Variable | Body]) -> dict[int, str]:
    """Names by number; those of inner scopes, and those of other modules' own, get a suffix where they are taken."""
    names: dict[int, str] = {}
    taken: set[tuple[int, str]] = set()
    for thing in sorted(things, key=lambda thing: not thing.linkage):
        name, count = thing.name, 0
        owner = thing.body if isinstance(thing, Variable) else -1
        while (owner, name) in taken:
            count += 1
            name = f"{thing.name}${count}"
        taken.add((owner, name))
        names[thing.number] = name
    return names


class _Writer:
    """Fills the columns and the tables beside them."""

    def __init__(
        self, program: Program, layout: Layout, order: Sequence[Body], files: Sequence[str], texts: Sequence[str]
    ):
        self.program, self.layout, self.order = program, layout, order
        self.files, self.texts = list(files), list(texts)
        self.starts: dict[int, int] = {}
        start = 0
        for body in order:
            self.starts[body.number] = start
            start += len(body.steps)
        functions = [body for body in program.bodies if not body.is_kernel]
        self.function_index = {body.number: i for i, body in enumerate(functions)}
        self.kernel_index = {body.number: i for i, body in enumerate(order) if body.is_kernel}
        first_kernel = len(order) - len(self.kernel_index)
        self.kernel_index = {number: i - first_kernel for number, i in self.kernel_index.items()}
        named = [v for v in program.variables if v.space not in ("param", "reg")]
        self.symbols = sorted(named, key=self._owner)  # the order in which a text declares them
        self.symbol_index = {v.number: i for i, v in enumerate(self.symbols)}
        self.names = _unique_names(self.symbols)
        self.function_names = _unique_names(functions)

    def _owner(self, variable: Variable) -> tuple[int, int]:
        """Module variables first, then those of each function, then of each kernel."""
        if variable.body in self.function_index:
            return 1, self.function_index[variable.body]
        return (2, self.kernel_index[variable.body]) if variable.body in self.kernel_index else (0, 0)

    def image(self) -> Image:
        """The finished Image."""
        columns, ops = self._columns()
        bodies = self.program.bodies
        return Image(
            isa_digest=digest(),
            targets=list(self.program.targets),
            files=self.files,
            texts=self.texts,
            ops=ops,
            **columns,
            kernels=[self._kernel(body) for body in bodies if body.is_kernel],
            functions=[self._function(body) for body in bodies if not body.is_kernel],
            symbols=[self._symbol(v) for v in self.symbols],
            strings=list(self.program.strings),
            host=self.program.host,
            warnings=[],  # `assemble` knows them
        )

    def _columns(self) -> tuple[dict[str, NDArray[Any]], list[str]]:
        op: list[int] = []
        guard: list[int] = []
        first = [0]
        numbers: dict[str, int] = {}
        entries: list[Entry] = []
        spans: list[Span] = []
        for body in self.order:
            slots = [register.slot for register in body.registers]
            resolve = self._resolver(body, slots, self.starts[body.number])
            for step in body.steps:
                op.append(numbers.setdefault(step.op, len(numbers)))
                g = step.guard
                guard.append(0 if g == 0 else slots[g - 1] + 1 if g > 0 else -slots[-g - 1] - 1)
                entries.extend([resolve(entry) for entry in step.entries])
                first.append(len(entries))
                spans.append(step.place)
        heads = {"op": op, "guard": guard, "first": first}
        columns = head_columns(heads)
        return {**columns, **span_columns(spans), **entry_columns(entries)}, list(numbers)

    def _resolver(self, body: Body, slots: Sequence[int], base: int) -> Callable[[Entry], Entry]:
        """A function from a checked entry to the entry of an Image."""
        labels, symbols, functions = body.labels, self.symbol_index, self.function_index
        registers = REGISTER_KINDS | PREDICATE_KINDS
        foreign = {  # parameters in a callee's frame have no name here
            v.number: v.offset for v in self.program.variables if v.space == "local" and v.body not in (-1, body.number)
        }

        def resolve(entry: Entry) -> Entry:
            kind, value = entry[KIND], entry[VALUE]
            if kind in registers:
                return (kind, entry[1], entry[2], entry[3], slots[value], entry[5])
            if kind == LABEL:
                return (kind, entry[1], entry[2], entry[3], base + labels[value], entry[5])
            if kind == FUNC:
                return (kind, entry[1], entry[2], entry[3], functions[value], entry[5])
            if kind == MEM_SYM and value in foreign:
                return (kind, entry[1], entry[2], entry[3], -1, foreign[value] + entry[5])
            if kind in (SYM, MEM_SYM) and value >= 0:
                return (kind, entry[1], entry[2], entry[3], symbols[value], entry[5])
            if kind in (OUTER, OUTER_MEM):
                return (REG if kind == OUTER else MEM_REG, entry[1], entry[2], entry[3], value.slot, entry[5])
            return entry

        return resolve

    def _registers(self, body: Body) -> list[RegisterName]:
        return [RegisterName(r.name, r.type, "r" if r.bits else "p", r.slot) for r in body.registers if r.slot >= 0]

    def _kernel(self, body: Body) -> Kernel:
        reached = [self.layout.extents[n] for n in self.layout.reached[body.number]]
        stack = DEFAULT_STACK_BYTES if body.stack_start is not None else 0
        params = [Param(v.name, v.type, v.offset, v.size, v.align) for v in body.formals]
        given = body.physical
        return Kernel(
            name=body.name,
            entry=self.starts[body.number],
            end=self.starts[body.number] + len(body.steps),
            params=params,
            param_bytes=max((p.offset + p.size for p in params), default=0),
            nregs=given.nregs if given else max(e.end_reg for e in reached),
            npreds=given.npreds if given else max(e.end_pred for e in reached),
            shared_bytes=self.layout.shared_bytes[body.number],
            local_bytes=given.frame_bytes if given else _round(max(e.frame_end for e in reached), 16) + stack,
            pressure=given.pressure if given else max(e.pressure for e in reached),
            registers=self._registers(body),
            **body.limits,
        )

    def _function(self, body: Body) -> Function:
        extent = self.layout.extents[body.number]
        start, given = self.starts.get(body.number, -1), body.physical
        frame = body.frame_bytes if body.recursive else extent.frame_end - extent.frame
        if not body.defined:
            return Function(self.function_names[body.number], -1, -1, 0, 0, 0, 0, 0, 0)
        called = sorted({self.function_index[n] for n in self._callees(body)})
        return Function(
            name=self.function_names[body.number],
            entry=start,
            end=start + len(body.steps) if start >= 0 else -1,
            frame_offset=-1 if body.recursive else given.frame_offset if given else extent.frame,
            frame_bytes=frame,
            first_reg=extent.first_reg,
            nregs=extent.end_reg - extent.first_reg,
            first_pred=extent.first_pred,
            npreds=extent.end_pred - extent.first_pred,
            calls=called,
            registers=self._registers(body),
        )

    def _callees(self, body: Body) -> set[int]:
        return set(chain.from_iterable(s[3] for s in body.sequences))

    def _symbol(self, variable: Variable) -> Symbol:
        relocs = [
            (at, self.symbol_index[to] if to >= 0 else -1 - self.function_index[-1 - to]) for at, to in variable.relocs
        ]
        return Symbol(
            name=self.names[variable.number],
            space="param" if variable.space == "entry" else variable.space,
            offset=variable.offset,
            size=variable.size,
            align=variable.align,
            init=variable.init,
            relocs=relocs,
            kernel=self.kernel_index.get(variable.body, -1),
            function=self.function_index.get(variable.body, -1),
            extern=variable.extern,
            opaque=variable.opaque,
        )
