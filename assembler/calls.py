"""Parameter passing of functions: where `.param` variables live, and the moves around every call.

A scalar that is only ever accessed at its start lives in a register; everything else lives in the thread's local frame.
The parameters of a function whose address is taken are passed in registers shared by all functions of one signature, so
that a call through a register knows where to put them. Return addresses are the machine's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from assembler import moves
from assembler.flow import cycles
from assembler.program import (
    KIND,
    NEXT_MEM,
    OFFSET,
    READ,
    TYPE,
    VALUE,
    WRITE,
    Body,
    Call,
    Entry,
    Place,
    Program,
    Register,
    Step,
    Variable,
)
from isa.image import OperandKind
from isa.instr import Kind

SYM, MEM_SYM = int(OperandKind.SYM), int(OperandKind.MEM_SYM)
Signature = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Uses:
    """Accesses of one `.param` variable: step indices, and whether a register can stand for it."""

    loads: list[int] = field(default_factory=list)
    stores: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    simple: bool = True


def signature(results: Sequence[Variable], formals: Sequence[Variable]) -> Signature:
    """What a caller must know of a function: how many results and parameters, the size and alignment of each."""
    return ((len(results), len(formals)), *((v.size, v.align) for v in (*results, *formals)))


def edges(program: Program) -> list[list[int]]:
    """For each body, the bodies it may call."""
    return [sorted({callee for call in body.calls.values() for callee in call.callees}) for body in program.bodies]


def lower_calls(program: Program) -> None:
    """Replace accesses of `.param` variables and the arguments of calls by plain moves, loads and stores."""
    graph = edges(program)
    for component in cycles(graph):
        for number in component:
            body = program.bodies[number]
            # text with physical registers keeps its own frames
            body.recursive = body.physical is None and (len(component) > 1 or number in graph[number])
    uses = _find_uses(program)
    for variable in program.variables:
        if variable.space == "param" and variable.body >= 0:
            if _fits(variable, uses[variable.number]):
                bits = 8 * variable.size
                variable.home = program.bodies[variable.body].new_register(variable.name, f"b{bits}", bits)
            else:
                variable.space = "local"
    shared: dict[Signature, list[Register]] = {}
    for body in program.bodies:
        _choose_abi(body, shared)
    for body in program.bodies:
        _Rewrite(program, body, uses).run()


def _find_uses(program: Program) -> dict[int, _Uses]:
    uses: dict[int, _Uses] = defaultdict(_Uses)
    params = {v.number: v for v in program.variables if v.space == "param"}
    for body in program.bodies:
        for index, step in enumerate(body.steps):
            for entry in step.entries:
                if entry[KIND] in (SYM, MEM_SYM) and entry[VALUE] in params:
                    _note(uses[entry[VALUE]], index, step, entry, params[entry[VALUE]])
        for index, call in body.calls.items():
            for item, _ in (*call.results, *call.arguments):
                if isinstance(item, Variable):
                    uses[item.number].calls.append(index)
    return uses


def _note(use: _Uses, index: int, step: Step, entry: Entry, variable: Variable) -> None:
    if entry[KIND] == SYM or step.kind not in (Kind.LD, Kind.ST):
        use.simple = False
        return
    (use.loads if step.kind == Kind.LD else use.stores).append(index)
    whole = len(step.entries) == 2 and entry[OFFSET] == 0 and _access(step)[0] <= 8 * variable.size
    use.simple = use.simple and whole


def _access(step: Step) -> tuple[int, bool]:
    """Bits an `ld`/`st` moves per element, and whether it is signed."""
    name = step.op.rsplit(".", 1)[1]
    return moves.bits(name), name[0] == "s"


def _fits(variable: Variable, use: _Uses) -> bool:
    return variable.scalar and use.simple and variable.size in (1, 2, 4, 8)


def _choose_abi(body: Body, shared: dict[Signature, list[Register]]) -> None:
    variables = [*body.results, *body.formals]
    if not body.address_taken:
        for variable in variables:
            variable.abi = variable.home
        if body.recursive:  # a result set before a further call must survive that call's result
            for result in body.results:
                result.abi = result.home and body.new_register("%result", result.home.type, result.home.bits)
        return
    key = signature(body.results, body.formals)
    if key not in shared:
        sizes = [max(32, 8 * v.size) for v in variables]
        shared[key] = [Register(f"%abi{i}", f"b{bits}", bits, -1) for i, bits in enumerate(sizes)]
    body.group = shared[key]
    for variable, register in zip(variables, shared[key], strict=True):
        variable.abi = register


class _Rewrite:
    """Rewrites one body; `new` grows while the old steps are walked."""

    def __init__(self, program: Program, body: Body, uses: dict[int, _Uses]):
        self.program, self.body, self.uses = program, body, uses
        self.new: list[Step] = []
        self.variables = program.variables
        self.stored: dict[int, Step] = {}  # the move that filled a variable, by variable number
        self.alias: dict[int, Register] = {}  # variables that still are in the callee's result register
        self.segments = _segments(body)

    def run(self) -> None:
        """Replace the body's steps."""
        body, moved = self.body, []
        for formal in body.formals if body.steps else ():
            if formal.abi is not formal.home and formal.abi is not None:
                self._fill(formal, moves.register(body, formal.abi, READ, formal.abi.type), body.place, 0)
        for index, step in enumerate(body.steps):
            moved.append(len(self.new))
            if index in body.calls:
                self._call(index, step, body.calls[index])
            else:
                self._plain(index, step)
        moved.append(len(self.new))
        body.labels = [moved[at] for at in body.labels]
        body.calls = {}
        body.steps = self.new

    def _plain(self, index: int, step: Step) -> None:
        if step.kind == Kind.RET and not self.body.is_kernel:
            for result in self.body.results:
                if result.abi is not result.home and result.abi is not None:
                    self._fetch(
                        moves.register(self.body, result.abi, WRITE, result.abi.type), result, step.place, step.guard
                    )
        for entry in step.entries:
            if entry[KIND] == MEM_SYM and entry[VALUE] >= 0:
                variable = self.variables[entry[VALUE]]
                if variable.home is not None:
                    self._promoted(index, step, variable)
                    return
                if variable.space == "local" and "param" in step.op.split("."):
                    self.new.append(moves.renamed(step, step.op.replace(".param", ".local", 1)))
                    return
        self.new.append(step)

    def _promoted(self, index: int, step: Step, variable: Variable) -> None:
        """A load or store of a variable that lives in a register becomes a move."""
        home = variable.home
        assert home is not None
        bits, signed = _access(step)
        data = next(e for e in step.entries if e[KIND] != MEM_SYM)
        here = moves.register(self.body, self.alias.get(variable.number, home), READ, home.type)
        if step.kind == Kind.LD:
            to_bits = self.body.registers[data[VALUE]].bits if data[KIND] == OperandKind.REG else bits
            self.new.append(moves.copy(data, to_bits, here, min(bits, home.bits), signed, step.place, step.guard))
            return
        move = moves.copy(here, home.bits, data, bits, False, step.place, step.guard)
        self.new.append(move)
        self.stored[variable.number] = move

    def _fill(self, variable: Variable, source: Entry, place: Place, guard: int) -> None:
        """variable = source, for a parameter of this body that arrives in another register."""
        if variable.home is not None:
            target = moves.register(self.body, variable.home, WRITE, variable.home.type)
            self.new.append(moves.copy(target, variable.home.bits, source, variable.home.bits, False, place, guard))
        else:
            self.new.append(moves.store(moves.memory(variable, 0), source, 8 * variable.size, place, guard))

    def _fetch(self, target: Entry, variable: Variable, place: Place, guard: int) -> None:
        """target = variable, for a result of this body that leaves in another register."""
        if variable.home is not None:
            source = moves.register(self.body, variable.home, READ, variable.home.type)
            self.new.append(moves.copy(target, variable.home.bits, source, variable.home.bits, False, place, guard))
        else:
            self.new.append(moves.load(target, moves.memory(variable, 0), 8 * variable.size, place, guard))

    # -- calls

    def _call(self, index: int, step: Step, call: Call) -> None:
        self.alias = {}
        start = len(self.new)
        callee = self.program.bodies[call.callees[0]] if call.callees else None
        if callee is not None:
            for (item, _), formal in zip(call.arguments, callee.formals, strict=True):
                if not self._in_place(index, item, formal):
                    self._transfer(item, formal, True, step)
            step.sets = tuple(v.abi.number for v in callee.results if v.abi in self.body.registers)
        at = len(self.new)
        self.new.append(step)
        if callee is not None:
            for (item, _), formal in zip(call.results, callee.results, strict=True):
                if not self._left_in_place(index, item, formal):
                    self._transfer(item, formal, False, step)
        self.body.sequences.append((start, at, len(self.new), call.callees))

    def _local_uses(self, item: Variable | Entry) -> _Uses | None:
        """Uses of a register-held variable of this body that only one call names; None for anything else."""
        if self.body.recursive or not isinstance(item, Variable) or item.home is None:
            return None
        uses = self.uses[item.number]
        return uses if len(uses.calls) == 1 else None

    def _in_place(self, index: int, item: Variable | Entry, formal: Variable) -> bool:
        """Try to let the store before the call write the callee's register directly."""
        uses = self._local_uses(item)
        if uses is None or formal.abi is None or len(uses.stores) != 1 or uses.loads:
            return False
        assert isinstance(item, Variable)
        if self.segments[uses.stores[0]] != self.segments[index] or formal.abi.size != item.home.size:  # type: ignore[union-attr]
            return False
        move = self.stored[item.number]
        target = move.entries[0]
        move.entries[0] = (
            moves.register(None, formal.abi, WRITE, formal.abi.type)[:TYPE] + target[TYPE:VALUE] + (formal.abi, 0)
        )
        return True

    def _left_in_place(self, index: int, item: Variable | Entry, formal: Variable) -> bool:
        """Try to let the loads after the call read the callee's register directly."""
        uses = self._local_uses(item)
        if uses is None or formal.abi is None or uses.stores:
            return False
        assert isinstance(item, Variable)
        if any(self.segments[load] != self.segments[index] + 1 for load in uses.loads):
            return False
        self.alias[item.number] = formal.abi
        return True

    def _transfer(self, item: Variable | Entry, formal: Variable, forward: bool, step: Step) -> None:
        """Copy an argument to its parameter (`forward`) or a result back."""
        if formal.abi is not None:
            outer = moves.register(self.body, formal.abi, WRITE if forward else READ, formal.abi.type)
            if isinstance(item, Variable):
                (self._fetch if forward else lambda t, v, p, g: self._fill(v, t, p, g))(
                    outer, item, step.place, step.guard
                )
            else:
                target, source = (outer, item) if forward else (item, outer)
                self.new.append(
                    moves.copy(target, formal.abi.bits, source, formal.abi.bits, False, step.place, step.guard)
                )
            return
        callee_recursive = self.program.bodies[formal.body].recursive
        kind = NEXT_MEM if callee_recursive and self.body.recursive else MEM_SYM
        for offset, bits in _pieces(formal):
            there = (kind, READ, moves.code("b64"), 0, formal.number, offset)
            self._copy_piece(item, there, offset, bits, forward, step)

    def _copy_piece(
        self, item: Variable | Entry, there: Entry, offset: int, bits: int, forward: bool, step: Step
    ) -> None:
        place, guard = step.place, step.guard
        if isinstance(item, Variable) and item.home is None:
            word = self.body.new_register("%copy", f"b{bits}", bits)
            pair = (there, moves.memory(item, offset))
            target, source = pair if forward else pair[::-1]
            self.new.append(moves.load(moves.register(self.body, word, WRITE, word.type), source, bits, place, guard))
            self.new.append(moves.store(target, moves.register(self.body, word, READ, word.type), bits, place, guard))
            return
        if isinstance(item, Variable):
            assert item.home is not None
            item = moves.register(self.body, item.home, READ, item.home.type)
        self.new.append(
            moves.store(there, item, bits, place, guard) if forward else moves.load(item, there, bits, place, guard)
        )


def _segments(body: Body) -> list[int]:
    """For each step, a number that grows after every call and at every label."""
    labels, number, numbers = set(body.labels), 0, []
    for index, step in enumerate(body.steps):
        number += index in labels
        numbers.append(number)
        number += step.kind == Kind.CALL
    return numbers


def _pieces(variable: Variable) -> list[tuple[int, int]]:
    """(offset, bits) of the largest aligned words a variable consists of."""
    word = min(8, variable.align)
    pieces, offset = [], 0
    while offset < variable.size:
        width = word
        while offset % width or offset + width > variable.size:
            width //= 2
        pieces.append((offset, 8 * width))
        offset += width
    return pieces
