"""Checks the statements of one kernel or function and writes its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from assembler import moves, selectors
from assembler.directives import check_registers
from assembler.entries import FUNC, LABEL, REG, SREG, EntryWriter
from assembler.operands import Plan, Spec, plan, shape
from assembler.program import READ, WRITE, Body, Call, Entry, Register, Step, Variable
from assembler.rewrites import append_conversion, check_barrier, ignored_source, invert_before
from assembler.scope import LabelName, Scope, VectorRegister
from assembler.source import Span
from assembler.syntax import (
    ArgList,
    Block,
    Callprototype,
    Instruction,
    Label,
    Name,
    Not,
    Number,
    Operand,
    PredPair,
    RegDecl,
    Sink,
    Statement,
    Targets,
    Var,
    Vector,
)
from assembler.wmma import expand
from isa.carry import condition_code
from isa.instr import IsaError, Kind
from isa.special import SpecialReg
from isa.types import TYPES, Type

if TYPE_CHECKING:
    from assembler.check import ModuleChecker

CONDITION_CODE = "%cc"
"""The predicate that stands for PTX's condition code."""
_ENDS = (Kind.RET, Kind.EXIT, Kind.BRA, Kind.BRX)
EXTENSIONS = ("rowsp", "dymultimem", "cais", "runtime")


_condition_code = lru_cache(maxsize=4096)(condition_code)


class BodyChecker:
    """Walks the blocks of one body."""

    def __init__(self, module: ModuleChecker, body: Body, scope: Scope):
        self.module, self.body, self.problems = module, body, module.problems
        self.entries = EntryWriter(module.problems, scope)
        self.scope = self.outermost = scope
        self.label_spans: list[Span | None] = []

    # -- blocks and declarations

    def block(self, block: Block) -> None:
        """Check a `{ }` and everything in it; its names are known in all of it."""
        outer = self.scope
        self.scope = self.entries.scope = Scope(outer, self.body)
        self.statements(block.items)
        self.scope = self.entries.scope = outer

    def statements(self, items: tuple[Statement, ...]) -> None:
        """Check statements in the current scope."""
        for item in items:
            self._declare(item)
        steps = self.body.steps
        for item in items:
            if type(item) is Instruction:
                self.instruction(item)
            elif type(item) is Label:
                thing = self.scope.names.get(item.name)
                if isinstance(thing, LabelName) and self.body.labels[thing.number] < 0:
                    self.body.labels[thing.number] = len(steps)
            elif type(item) is Block:
                self.block(item)

    def _declare(self, item: Statement) -> None:
        if isinstance(item, RegDecl):
            self._registers(item)
        elif isinstance(item, Label):
            if self.scope.declare(item.name, LabelName(len(self.body.labels))):
                self.body.labels.append(-1)
                self.label_spans.append(item.span)
            else:
                thing = self.scope.names[item.name]
                first = self.label_spans[thing.number] if isinstance(thing, LabelName) else None
                self.problems.duplicate(item.name, item.span, first)
        elif isinstance(item, Var):
            self.module.variable(item, self.scope, self.body)
        elif isinstance(item, Targets | Callprototype) and not self.scope.declare(item.name, item):
            self.problems.duplicate(item.name, item.span, None)

    def _registers(self, item: RegDecl) -> None:
        kind = TYPES.get(item.type)
        if kind is None:
            self.problems.error("bad-type", f"registers cannot have type .{item.type}", item.span)
            return
        if not check_registers(item, self.problems):
            return
        bits = 0 if kind.cls == "pred" else kind.bits
        for name in item.names:
            if name.count is not None and name.count < 0:
                self.problems.error("bad-size", f"`{name.name}<{name.count}>` has no names", name.span)
                continue
            if name.count is None:
                fresh = self.scope.declare_register(
                    name.name, item.type, bits, item.vec, self.body.physical is not None
                )
            else:
                fresh = self.scope.declare_range(name.name, item.type, bits, item.vec, name.count)
            if not fresh:
                self.problems.duplicate(name.name, name.span, None)

    # -- instructions

    def instruction(self, item: Instruction) -> None:
        """Check one instruction and append its step."""
        operands = self._with_condition_code(item)
        chosen: list[tuple[bool, str]] | None = None
        if selectors.has_selectors(item.opcode):
            operands, chosen = selectors.split(item)
        try:
            found = plan(item.opcode, tuple(map(shape, operands)))
        except IsaError as error:
            whole = self._whole_vectors(operands)
            if error.kind != "operands" or whole is operands:
                self._bad_opcode(item, error)
            else:
                self.instruction(replace(item, operands=whole))
            return
        op = found.op
        if op.instr.target and op.instr.target not in self.module.targets:
            self._missing_target(item, op.instr.target)
        guard = self._guard(item) if item.guard is not None else 0
        if found.kind == Kind.CALL:
            self._call(item, found, guard)
            return
        entries: list[Entry] = []
        immediates: dict[str, int] = {}
        if chosen is not None:
            immediates = selectors.constants(op, item, chosen, self.problems, self.body.physical is not None)
        if op.instr.mnemonic == "isspacep":
            operands = (operands[0], self._widened(operands[1], item))
        elif op.instr.mnemonic == "cvt" and all(spec.type and spec.type.cls in "us" for (spec,) in found.specs):
            operands = (operands[0], self._copied(operands[1], found.specs[1][0].type, item))
        for operand, specs in zip(operands, found.specs, strict=True):
            self._operand(operand, specs, found, entries, immediates)
        name = op.with_imm(immediates).name if immediates else found.name
        step = Step(name, found.kind, guard, entries, item.span)
        if found.inverted:
            invert_before(self.body, step, found)
        if found.kind == Kind.BAR:
            check_barrier(step, found, self.problems)
        if op.instr.mnemonic == "cvt":
            append_conversion(self.body, step, {spec.group: spec.type for specs in found.specs for spec in specs})
        elif found.kind == Kind.WMMA:
            expand(self.body, step, op, self.module.program.variables)
        else:
            self.body.steps.append(step)

    def _widened(self, operand: Operand, item: Instruction) -> Operand:
        """A register of 32 bits as one of 64, which a step before extends it to."""
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        if not isinstance(thing, Register) or thing.bits != 32:
            return operand
        word = self.body.new_register("%wide", "b64", 64)
        target, source = moves.register(self.body, word, WRITE, "b64"), moves.register(self.body, thing, READ, "b32")
        guard = self._guard(item) if item.guard is not None else 0
        self.body.steps.append(moves.copy(target, 64, source, 32, False, item.span, guard))
        name = f"%wide${word.number}"
        self.outermost.declare(name, word)
        return Name(name, operand.span)

    def _copied(self, operand: Operand, read_as: Type | None, item: Instruction) -> Operand:
        """A special register as a register that a step before copies it to."""
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        if not isinstance(thing, SpecialReg) or read_as is None or TYPES[thing.type].bits < read_as.bits:
            return operand
        word = self.body.new_register("%special", f"b{TYPES[thing.type].bits}", TYPES[thing.type].bits)
        source = (SREG, READ, moves.code(thing.type), 0, thing.number, 0)
        guard = self._guard(item) if item.guard is not None else 0
        target = moves.register(self.body, word, WRITE, thing.type)
        self.body.steps.append(moves.step(f"mov.{thing.type}", [target, source], item.span, guard))
        name = f"%special${word.number}"
        self.outermost.declare(name, word)
        return Name(name, operand.span)

    def _whole_vectors(self, operands: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """Operands with `.v2` and `.v4` registers written out as their elements; the same tuple if there are none."""
        things = [self.scope.find(o.name) if isinstance(o, Name) else None for o in operands]
        if not any(isinstance(thing, VectorRegister) for thing in things):
            return operands
        return tuple(
            Vector(tuple(Name(e.name, o.span) for e in thing.elements), o.span)
            if isinstance(thing, VectorRegister)
            else o
            for o, thing in zip(operands, things, strict=True)
        )

    def _with_condition_code(self, item: Instruction) -> tuple[Operand, ...]:
        """The operands, with the predicate `%cc` for a carry that PTX leaves unsaid."""
        operands = item.operands
        reads, writes = _condition_code(item.opcode)
        if not (reads or writes) or not operands:
            return operands
        plain = (4 if "mad" in item.opcode else 3) == len(operands)
        if not plain or type(operands[0]) is PredPair:
            return operands
        if CONDITION_CODE not in self.outermost.names:
            self.outermost.declare_register(CONDITION_CODE, "pred", 0, 0, False)
        code = Name(CONDITION_CODE, item.opcode_span)
        first = operands[0]
        if writes and isinstance(first, Name | Sink):
            operands = (PredPair(first, code, first.span), *operands[1:])
        return (*operands, code) if reads else operands

    def _guard(self, item: Instruction) -> int:
        assert item.guard is not None
        predicate = self.entries.register(Name(item.guard.name, item.guard.span), "predicate register")
        if predicate is None:
            return 0
        if predicate.bits:
            self.problems.error("bad-guard", f"guard `{item.guard.name}` is not a predicate", item.guard.span,
                                help=f"it is a .{predicate.type} register")  # fmt: skip
            return 0
        return -1 - predicate.number if item.guard.negated else 1 + predicate.number

    def _bad_opcode(self, item: Instruction, error: IsaError) -> None:
        if error.kind == "operands":
            self.problems.error("bad-operands", error.message, item.span, f"{len(item.operands)} operands")
            return
        self.problems.opcode(error, item.opcode, item.opcode_span, item.modifier_span(error.bad_modifier))

    def _missing_target(self, item: Instruction, target: str) -> None:
        what = "extension" if target in EXTENSIONS else "instruction"
        now = ", ".join(self.module.targets)
        help = f"write `.target {now}, {target}`" if target in EXTENSIONS else f"write `.target {target}`"
        self.problems.error("target", f"`{item.opcode}` is an {what} that needs `.target {target}`", item.opcode_span,
                            "not switched on", help)  # fmt: skip

    def end(self, span: Span) -> None:
        """After the last statement: a body that runs off its end returns."""
        steps = self.body.steps
        last = steps[-1] if steps else None
        if last is None or last.guard or last.kind not in _ENDS or len(steps) in self.body.labels:
            steps.append(moves.step("ret", [], span.part(span.end - span.start - 1, span.end - span.start)))

    # -- operands

    def _operand(
        self,
        operand: Operand,
        specs: tuple[Spec, ...],
        found: Plan,
        entries: list[Entry],
        immediates: dict[str, int],
    ) -> None:
        form, write = specs[0].wanted.form, self.entries
        if form == "mem":
            write.address(operand, specs[0], found, entries)
        elif form == "tensor":
            write.tensor(operand, specs[0], found, entries)
        elif form == "vec":
            write.vector(operand, specs[0], found, entries)
        elif form == "label":
            self._label(operand, specs[0], entries)
        elif form == "targets":
            self._targets(operand, specs[0], entries)
        elif specs[0].wanted.name == "src_size" and write.predicate(operand) is not None:
            ignored_source(self.body, write.predicate(operand), isinstance(operand, Not), specs[0], entries)
        elif form == "sink" and type(operand) is not Sink:
            message = f"`{found.op.text}` has no result: operand `{specs[0].wanted.name}` is `_`"
            self.problems.error("bad-sink", message, operand.span)
        elif form == "imm":
            write.immediate(operand, specs[0], found, entries, immediates)
        elif type(operand) is PredPair:
            write.pair(operand, specs, found, entries)
        else:
            write.value(operand, specs[0], found, entries)

    def _label(self, operand: Operand, spec: Spec, entries: list[Entry]) -> None:
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        if isinstance(thing, LabelName):
            entries.append((LABEL, READ, 0, spec.group, thing.number, 0))
        elif isinstance(operand, Name) and thing is None:
            self.problems.unknown(
                "label", operand.name, operand.span, self.scope.suggestion(operand.name, (LabelName,))
            )
        else:
            self.problems.error("not-a-label", "a branch goes to a label", operand.span, "not a label")

    def _targets(self, operand: Operand, spec: Spec, entries: list[Entry]) -> None:
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        if isinstance(thing, Targets) and thing.kind == "branchtargets":
            for label in thing.labels:
                self._label(label, spec, entries)
            return
        name = operand.name if isinstance(operand, Name) else operand.span.text
        self.problems.unknown("list of targets", name, operand.span, self.scope.suggestion(name, (Targets,)))

    # -- calls

    def _call(self, item: Instruction, found: Plan, guard: int) -> None:
        """`call (results), function, (arguments), prototype`: the step names the function, the rest goes to `calls`."""
        parts: dict[str, Operand] = {s[0].wanted.name: o for o, s in zip(item.operands, found.specs, strict=True)}
        group = next(s[0].group for s in found.specs if s[0].wanted.name == "func")
        target = parts["func"]
        thing = self.scope.find(target.name) if isinstance(target, Name) else None
        results, arguments = (self._arguments(parts.get(name), name == "ret") for name in ("ret", "params"))
        call = Call((), True, results, arguments)
        if isinstance(thing, Body) and not thing.is_kernel:
            call.callees = (thing.number,)
            entry: Entry = (FUNC, READ, TYPES["b64"].code, group, thing.number, 0)
        elif isinstance(thing, Register) and thing.bits == 64:
            call.direct = False
            self.module.indirect.append(
                (self.body, len(self.body.steps), self._prototype(parts.get("proto")), item.span)
            )
            entry = (REG, READ, TYPES["b64"].code, group, thing.number, 0)
        else:
            name = target.name if isinstance(target, Name) else target.span.text
            self.problems.unknown("function", name, target.span, self.scope.suggestion(name, (Body,)))
            return
        if call.direct:
            self.module.direct.append((self.body, len(self.body.steps), item.span))
        self.body.calls[len(self.body.steps)] = call
        self.body.steps.append(Step(found.name, found.kind, guard, [entry], item.span))

    def _prototype(self, operand: Operand | None) -> Callprototype | Targets | None:
        if operand is None:
            return None
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        if isinstance(thing, Callprototype | Targets):
            return thing
        name = operand.name if isinstance(operand, Name) else operand.span.text
        self.problems.unknown("prototype", name, operand.span, self.scope.suggestion(name, (Callprototype, Targets)))
        return None

    def _arguments(self, operand: Operand | None, written: bool) -> list[tuple[Variable | Entry, Span]]:
        """What is passed, each with its place; types are compared with the function's once all are known."""
        items = operand.items if isinstance(operand, ArgList) else (operand,) if operand is not None else ()
        passed: list[tuple[Variable | Entry, Span]] = []
        for item in items:
            thing = self.scope.find(item.name) if isinstance(item, Name) else None
            if isinstance(thing, Variable) and thing.space == "param":
                passed.append((thing, item.span))
            elif isinstance(thing, Register) and thing.bits:
                passed.append(
                    ((REG, WRITE if written else READ, moves.code(f"b{thing.bits}"), 0, thing.number, 0), item.span)
                )
            elif isinstance(item, Number) and item.kind == "int" and not written:
                passed.append((moves.constant(item.value, "b64"), item.span))
            elif isinstance(item, Name) and thing is None:
                self.problems.unknown(
                    "name", item.name, item.span, self.scope.suggestion(item.name, (Register, Variable))
                )
            else:
                self.problems.error(
                    "bad-argument", "calls pass .param variables, registers and whole numbers", item.span
                )
        return passed
