"""Syntax tree and instruction table to checked program: every name is resolved, every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assembler.body import EXTENSIONS, BodyChecker
from assembler.calls import signature
from assembler.directives import check_constant_bytes, check_debug, check_head, check_parameter_bytes, check_variable
from assembler.disassemble import PRAGMA
from assembler.dynamic_stack import refuse_recursive
from assembler.entries import FUNC
from assembler.host_check import check_host
from assembler.link import argument_difference, link, signature_difference
from assembler.problems import Problems
from assembler.program import KIND, ROLE, TYPE, VALUE, Body, Call, Physical, Place, Program, Variable
from assembler.scope import Scope, VectorRegister
from assembler.services import service_of
from assembler.stack import place_variables
from assembler.syntax import (
    Alias,
    Callprototype,
    Entry,
    Func,
    HostProgram,
    Module,
    Perf,
    Pragma,
    RegDecl,
    Statement,
    Targets,
    Var,
)
from assembler.unreachable import warn_unreachable
from assembler.variables import Initialiser, shape_of
from isa.image import OperandKind
from isa.table import did_you_mean
from isa.types import BY_CODE, TYPES

LIMITS = {"maxntid": "maxntid", "reqntid": "reqntid", "reqnctapercluster": "cluster"}
SPACES = ("global", "const", "shared", "local", "param")


def check_modules(modules: Sequence[Module], problems: Problems) -> Program:
    """The checked program that `modules` are together; it means something only if `problems` has no errors."""
    program = Program(list(dict.fromkeys(name.name for module in modules for name in module.targets)))
    checkers = [ModuleChecker(module, program, problems) for module in modules]
    for checker in checkers:
        checker.declare()
    link(checkers, program, problems)
    for checker in checkers:
        checker.define()
    for checker in checkers:
        checker.finish_calls()
    refuse_recursive(program, problems)
    check_constant_bytes(program.variables, problems)
    hosts = [item for module in modules for item in module.items if isinstance(item, HostProgram)]
    for item in hosts[1:]:
        problems.error(
            "repeated", "a program has one `.host` block", item.span, notes=((hosts[0].span, "the first is"),)
        )
    if hosts:
        first = hosts[0]
        sets = list(dict.fromkeys(name for module in modules for name in module.constants))
        file = first.span.file
        program.host = {"name": first.name, "statements": first.statements, "sets": sets, "file": file}
        check_host(first, program, problems)
    return program


class ModuleChecker:
    """Checks a module: declarations first, then, once modules are linked, bodies, then what needs all of them."""

    def __init__(self, module: Module, program: Program, problems: Problems):
        self.module, self.program, self.problems = module, program, problems
        self.targets = dict.fromkeys(name.name for name in module.targets)
        self.scope = Scope(None, None)
        self.aliases: dict[str, tuple[Body, Place]] = {}  # what was declared under an alias' name, and where it is one
        self.places: dict[str, Place] = {}
        self.pending: list[tuple[Variable, Var, Scope]] = []  # initialisers
        self.bodies: list[tuple[Body, Entry | Func, Scope]] = []
        self.direct: list[tuple[Body, int, Place]] = []
        self.indirect: list[tuple[Body, int, Callprototype | Targets | None, Place]] = []

    def declare(self) -> None:
        """Check what the module declares."""
        self._check_targets()
        check_debug(self.module, self.problems)
        for item in self.module.items:
            self._declare(item)
        for item in self.module.items:
            if isinstance(item, Alias):
                self._alias(item)

    def define(self) -> None:
        """Check bodies and initial values."""
        for body, item, scope in self.bodies:
            self._check_body(body, item, scope)
        for variable, var, scope in self.pending:
            self._initialise(variable, var, scope)

    def _check_targets(self) -> None:
        for name in self.module.targets:
            word = name.name
            if word in EXTENSIONS or word in ("debug", "texmode_unified", "texmode_independent", "map_f64_to_f32"):
                continue
            digits = word.removeprefix("sm_").rstrip("af")
            if not word.startswith("sm_") or not digits.isdigit():
                self.problems.unknown("target", word, name.span, did_you_mean(word, ["sm_90", "sm_90a", *EXTENSIONS]))
            elif int(digits) > 90 or (word[-1] == "f"):
                self.problems.error("target", f"the machine is an sm_90, it cannot run code for {word}", name.span)

    # -- declarations

    def _declare(self, item: Any) -> None:
        if isinstance(item, Entry | Func):
            self._declare_body(item)
        elif isinstance(item, Var):
            self.variable(item, self.scope, None)
        elif isinstance(item, RegDecl):
            self.problems.error("module-register", "registers are declared inside a kernel or function", item.span)

    def _declare_body(self, item: Entry | Func) -> None:
        check_head(item, self.problems)
        known = self.scope.names.get(item.name)
        is_kernel = isinstance(item, Entry)
        if isinstance(known, Body) and known.is_kernel == is_kernel and not (known.defined and item.body):
            body = known
        else:
            body = Body(item.name, len(self.program.bodies), is_kernel, item.name_span)
            if not self.scope.declare(item.name, body):
                self.problems.duplicate(item.name, item.name_span, self.places.get(item.name))
                return
            self.program.bodies.append(body)
            self.places[item.name] = item.name_span
        declared = replace(body) if body is known and (body.formals or body.results) else None
        if body is known and body.defined:
            self.problems.duplicate(item.name, item.name_span, body.place)
            return
        if body is not known or body.linkage in ("", "extern"):
            body.linkage = item.linkage
        if item.body is None and declared is not None:
            return
        scope = Scope(self.scope, body)
        body.physical = _physical(item.body.items if item.body else ())
        stale = {id(v) for v in (*body.formals, *body.results)}
        self.program.variables = [v for v in self.program.variables if id(v) not in stale]
        for number, variable in enumerate(self.program.variables):
            variable.number = number
        body.formals = self._parameters(item.params, scope, body)
        body.results = self._parameters(item.returns, scope, body) if isinstance(item, Func) else []
        if declared is not None and (why := signature_difference(body, declared, exact=True)):
            notes = ((declared.place, f"`{item.name}` is declared"),)
            message = f"`{item.name}` does not fit its declaration: {why}"
            self.problems.error("mismatch", message, item.name_span, notes=notes)
        if item.body is not None:
            body.defined, body.place = True, item.name_span
            self._limits(body, item.perf)
            self.bodies.append((body, item, scope))
        if is_kernel:
            check_parameter_bytes(item.name, item.name_span, place_variables(body.formals, 0), self.problems)

    def _parameters(self, items: tuple[Var, ...], scope: Scope, body: Body) -> list[Variable]:
        made = [self.variable(item, scope, body, parameter=True) for item in items]
        return [variable for variable in made if variable is not None]

    def _limits(self, body: Body, perf: tuple[Perf | Pragma, ...]) -> None:
        for item in perf:
            if isinstance(item, Perf) and item.name in LIMITS:
                x, y, z, *_ = (*item.values, 1, 1, 1)
                body.limits[LIMITS[item.name]] = (x, y, z)

    def variable(self, var: Var, scope: Scope, body: Body | None, parameter: bool = False) -> Variable | None:
        """Declare a variable or parameter."""
        if var.space not in SPACES and not (parameter and var.space == "reg"):
            what = " are known but not modelled: texture units" if var.space == "tex" else " do not exist"
            self.problems.error("bad-space", f"variables in .{var.space}{what}", var.span)
            return None
        if var.space == "reg" and body is not None:
            return self._register_parameter(var, scope, body)
        shape = shape_of(var, self.problems.error)
        if shape is None or (not parameter and not check_variable(var, body is not None, self.problems)):
            return None
        size, align, elements = shape
        if elements == 0 and not (var.space == "shared" or var.linkage == "extern" or parameter):
            self.problems.error("bad-size", f"`{var.name}` has no size", var.span)
        known = scope.names.get(var.name) if var.name in scope.own else None
        if isinstance(known, Variable) and known.extern and known.space == var.space and var.linkage != "extern":
            if known.size not in (0, size) or known.type != var.type:
                notes = ((known.place, f"`{var.name}` is declared"),)
                self.problems.error("mismatch", f"`{var.name}` does not fit its declaration", var.span, notes=notes)
            known.size, known.align, known.extern, known.place = size, align, False, var.span
            known.linkage = var.linkage or "visible"
            variable = known
        elif isinstance(known, Variable) and var.linkage == "extern" and known.space == var.space:
            return known
        else:
            number = -1 if body is None else body.number
            variable = Variable(
                var.name, var.space, var.type, size, align, len(self.program.variables), number, var.span
            )
            variable.linkage = "" if parameter else var.linkage
            variable.extern = var.linkage == "extern" or (var.space == "shared" and elements == 0)
            if not scope.declare(var.name, variable):
                self.problems.duplicate(var.name, var.span, known.place if isinstance(known, Variable) else None)
                return None
            self.program.variables.append(variable)
        self._describe(variable, var, scope, body, parameter)
        return variable

    def _describe(self, variable: Variable, var: Var, scope: Scope, body: Body | None, parameter: bool) -> None:
        variable.scalar = not var.dims and not var.vec
        variable.opaque = "opaque" in var.flags
        if parameter and body is not None and body.is_kernel:
            variable.space = "entry"
        if var.init is not None:
            variable.initialised = True
            if var.linkage == "extern":
                self.problems.error(
                    "bad-init", f"`{var.name}` is `.extern`: it is initialised elsewhere", var.init.span
                )
            if variable.space not in ("global", "const"):
                self.problems.error("bad-init", f"a .{variable.space} variable has no initial value", var.init.span)
            else:
                self.pending.append((variable, var, scope))

    def _register_parameter(self, var: Var, scope: Scope, body: Body) -> Variable | None:
        kind = TYPES.get(var.type)
        if kind is None or kind.cls == "pred" or var.vec or var.dims:
            self.problems.error("bad-type", f"parameters cannot be .reg .{var.type}", var.span)
            return None
        if not scope.declare_register(var.name, var.type, kind.bits, 0, False):
            self.problems.duplicate(var.name, var.span, None)
            return None
        size = max(1, kind.bytes)
        variable = Variable(var.name, "reg", var.type, size, size, len(self.program.variables), body.number, var.span)
        register = scope.names[var.name]
        assert not isinstance(register, VectorRegister)
        variable.home = body.registers[-1]
        self.program.variables.append(variable)
        return variable

    def _alias(self, item: Alias) -> None:
        """`.alias name, target`: a declared function is a defined one of this module (PTX ISA 9.0, 11.6.5)."""
        for name in (item.name, item.target):
            if not isinstance(self.scope.names.get(name), Body):
                self.problems.unknown("function", name, item.span, self.scope.suggestion(name, (Body,)))
                return
        declared, target = self.scope.names[item.name], self.scope.names[item.target]
        assert isinstance(declared, Body) and isinstance(target, Body)
        notes = ((target.place, f"`{item.target}` is"),)
        if declared.is_kernel or target.is_kernel or not target.defined or target.linkage == "weak":
            message = f"`{item.target}` cannot have an alias: it must be a function defined here, and not `.weak`"
            self.problems.error("bad-alias", message, item.span, notes=notes)
        elif declared.defined:
            self.problems.duplicate(item.name, item.span, declared.place)
        elif why := signature_difference(declared, target):
            message = f"`{item.name}` does not fit `{item.target}`: {why}"
            self.problems.error("mismatch", message, item.span, notes=notes)
        else:
            self.aliases[item.name] = declared, item.span
            self.scope.names[item.name] = target

    def _initialise(self, variable: Variable, var: Var, scope: Scope) -> None:
        initialiser = Initialiser(var, TYPES[var.type], scope, self.problems)
        initialiser.fill(variable.size)
        variable.init, variable.relocs = bytes(initialiser.data), initialiser.relocs

    # -- bodies and calls

    def _check_body(self, body: Body, item: Entry | Func, scope: Scope) -> None:
        assert item.body is not None
        checker = BodyChecker(self, body, scope)
        inner = Scope(scope, body)
        checker.scope = checker.entries.scope = inner
        errors = self.problems.errors
        checker.statements(item.body.items)
        if not body.physical:
            checker.end(item.body.span)
            if self.problems.errors == errors:  # else a branch may be missing
                warn_unreachable(body, self.problems)

    def finish_calls(self) -> None:
        """Check calls against the functions they reach."""
        for body, step, prototype, place in self.indirect:
            call = body.calls[step]
            call.callees = self._candidates(prototype)
            if not call.callees:
                self.problems.error("no-callee", "no function whose address is taken fits this call", place)
            else:
                self._check_call(call, self.program.bodies[call.callees[0]], place)
            pointer = body.steps[step].entries[0]
            body.steps[step].entries += [(FUNC, *pointer[ROLE:VALUE], callee, 0) for callee in call.callees]
        for body, step, place in self.direct:
            call = body.calls[step]
            callee = self.program.bodies[call.callees[0]]
            self._check_call(call, callee, place)
            if not callee.defined and not service_of(callee):
                self.problems.warning(
                    "no-body", f"`{callee.name}` has no body: calling it is an error at run time", place
                )

    def _candidates(self, prototype: Callprototype | Targets | None) -> tuple[int, ...]:
        taken = [body for body in self.program.bodies if body.address_taken]
        if isinstance(prototype, Targets):
            bodies = [self.scope.find(label.name) for label in prototype.labels]
            return tuple(sorted(body.number for body in bodies if isinstance(body, Body)))
        if prototype is not None:
            results, params = (self._sizes(items) for items in (prototype.returns, prototype.params))
            wanted = ((len(results), len(params)), *results, *params)
            taken = [body for body in taken if signature(body.results, body.formals) == wanted]
        return tuple(body.number for body in taken)

    def _sizes(self, items: tuple[Var, ...]) -> list[tuple[int, int]]:
        shapes = [shape_of(item, self.problems.error) for item in items]
        return [(s[0], s[1]) for s in shapes if s is not None]

    def _check_call(self, call: Call, callee: Body, place: Place) -> None:
        """Counts and sizes of what a call passes."""
        for what, passed, wanted in (
            ("results", call.results, callee.results),
            ("arguments", call.arguments, callee.formals),
        ):
            if len(passed) != len(wanted):
                count = f"{len(wanted)} {what[:-1] if len(wanted) == 1 else what}"
                message = f"`{callee.name}` has {count}, the call has {len(passed)}"
                notes = ((callee.place, f"`{callee.name}` is declared"),)
                self.problems.error("argument-count", message, place, notes=notes)
                continue
            for i, ((item, span), formal) in enumerate(zip(passed, wanted, strict=True)):
                if isinstance(item, Variable):
                    size = item.size
                elif item[KIND] == OperandKind.CONST:  # takes the width of its parameter
                    bits = item[VALUE] % (1 << 8 * formal.size)
                    passed[i] = ((*item[:VALUE], bits - (1 << 64) if bits >> 63 else bits, 0), span)
                    continue
                else:
                    size = BY_CODE[item[TYPE]].bytes
                if size != formal.size:
                    message = f"`{formal.name}` of `{callee.name}` has {formal.size} bytes, not {size}"
                    self.problems.error("argument-size", message, span)
                elif why := argument_difference(item, formal):
                    self.problems.error("argument-type", f"`{formal.name}` of `{callee.name}` {why}", span)


def _physical(items: tuple[Statement, ...]) -> Physical | None:
    """The numbers of a body that names physical registers."""
    for item in items:
        if isinstance(item, Pragma):
            for text in item.strings:
                word, *numbers = text.strip('"').split()
                if word == PRAGMA and len(numbers) == 7:
                    return Physical(*map(int, numbers))
    return None
