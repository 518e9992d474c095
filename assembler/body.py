"""Checks the statements of one kernel or function and writes its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assembler import moves
from assembler.entries import CONST, FUNC, LABEL, PRED, REG, EntryWriter
from assembler.operands import Plan, Spec, plan, shape
from assembler.program import GROUP, KIND, READ, ROLE, TYPE, VALUE, WRITE, Body, Call, Entry, Register, Step, Variable
from assembler.scope import LabelName, Scope
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
    Statement,
    Targets,
    Var,
)
from isa.instr import IsaError, Kind
from isa.types import TYPES, Type

if TYPE_CHECKING:
    from assembler.check import ModuleChecker

_ENDS = (Kind.RET, Kind.EXIT, Kind.BRA, Kind.BRX)
EXTENSIONS = ("rowsp", "dymultimem", "cais")


class BodyChecker:
    """Walks the blocks of one body."""

    def __init__(self, module: ModuleChecker, body: Body, scope: Scope):
        self.module, self.body, self.problems = module, body, module.problems
        self.entries = EntryWriter(module.problems, scope)
        self.scope = scope
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
        bits = 0 if kind.cls == "pred" else kind.bits
        for name in item.names:
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
        operands = item.operands
        try:
            found = plan(item.opcode, tuple(map(shape, operands)))
        except IsaError as error:
            self._bad_opcode(item, error)
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
        for operand, specs in zip(operands, found.specs, strict=True):
            self._operand(operand, specs, found, entries, immediates)
        name = op.with_imm(immediates).name if immediates else found.name
        step = Step(name, found.kind, guard, entries, item.span)
        if found.inverted:
            self._invert(step, found)
        if op.instr.mnemonic == "cvt":
            self._convert(step, {spec.group: spec.type for specs in found.specs for spec in specs})
        else:
            self.body.steps.append(step)

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
        head = item.opcode.split(".")[0]
        what = "extension" if target in EXTENSIONS else "instruction"
        now = ", ".join(self.module.targets)
        help = f"write `.target {now}, {target}`" if target in EXTENSIONS else f"write `.target {target}`"
        self.problems.error("target", f"`{item.opcode}` is an {what} that needs `.target {target}`", item.opcode_span,
                            f"`{head}` of {target} is not switched on", help)  # fmt: skip

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
        elif form == "vec":
            write.vector(operand, specs[0], found, entries)
        elif form == "label":
            self._label(operand, specs[0], entries)
        elif form == "targets":
            self._targets(operand, specs[0], entries)
        elif specs[0].wanted.name == "src_size" and self._is_predicate(operand):
            self._ignored_source(operand, specs[0], found, entries)
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

    def _is_predicate(self, operand: Operand) -> bool:
        name = operand.name if isinstance(operand, Not) else operand
        thing = self.scope.find(name.name) if isinstance(name, Name) else None
        return isinstance(thing, Register) and not thing.bits

    def _ignored_source(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """`cp.async …, size, p`: where p holds nothing is read, as with a source size of 0."""
        name, inverted = (operand.name, True) if isinstance(operand, Not) else (operand, False)
        assert isinstance(name, Name)
        predicate = self.entries.register(name)
        size = next((e for e in entries if e[KIND] == CONST), None)
        if predicate is None or size is None:
            return
        word = self.body.new_register("%size", "b32", 32)
        zero, whole = moves.constant(0, "b32"), moves.constant(size[VALUE], "b32")
        test = (PRED, READ, TYPES["pred"].code, 0, predicate.number, 0)
        choice = [whole, zero] if inverted else [zero, whole]
        target = moves.register(self.body, word, WRITE, "b32")
        self.body.steps.append(moves.step("selp.b32", [target, *choice, test], name.span))
        entries.append((REG, READ, spec.code, spec.group, word.number, 0))

    # -- conversions and inversions that take a step of their own

    def _convert(self, step: Step, types: Mapping[int, Type | None]) -> None:
        """Append a `cvt`; registers wider than its types are narrowed before and extended after."""
        steps, place, guard = self.body.steps, step.place, step.guard
        after: list[Step] = []
        for i, entry in enumerate(step.entries):
            if entry[0] != REG:
                continue
            kind = types[entry[GROUP]]
            bits = self.body.registers[entry[VALUE]].bits
            if kind is None or bits <= kind.bits:
                continue
            sign = "s" if kind.cls == "s" else "u"
            if entry[ROLE] == READ:
                if bits > 32 >= kind.bits:
                    word = self.body.new_register("%narrow", "b32", 32)
                    steps.append(
                        moves.copy(moves.register(self.body, word, WRITE, "b32"), 32, entry, bits, False, place, guard)
                    )
                    entry = (REG, READ, kind.code, entry[3], word.number, 0)
                step.entries[i] = (*entry[:TYPE], kind.code, *entry[3:])
            elif bits > 32 or sign == "s":
                word = self.body.new_register("%narrow", f"b{max(kind.bits, 16)}", max(kind.bits, 16))
                step.entries[i] = (REG, WRITE, kind.code, entry[3], word.number, 0)
                source = moves.register(self.body, word, READ, f"{sign}{kind.bits}")
                after.append(moves.copy(entry, bits, source, kind.bits, sign == "s", place, guard))
            else:
                step.entries[i] = (*entry[:TYPE], kind.code, *entry[3:])
        steps.append(step)
        steps.extend(after)

    def _invert(self, step: Step, found: Plan) -> None:
        """A `!p` that the instruction has no form for is computed before it."""
        groups = {found.specs[i][0].group for i in found.inverted}
        for i, entry in enumerate(step.entries):
            if entry[3] in groups and entry[0] == PRED:
                word = self.body.new_register("%not", "pred", 0)
                target = (PRED, WRITE, entry[TYPE], 0, word.number, 0)
                self.body.steps.append(moves.step("not.pred", [target, entry], step.place, step.guard))
                step.entries[i] = (*entry[:VALUE], word.number, 0)

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
