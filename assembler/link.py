"""Several modules become one program: which definition an external name means (PTX ISA 9.0, 11.6).

Names that are neither kernels nor `.visible`, `.weak`, `.common` or `.extern` stay their module's own. Of the definitions
of an external name a strong one wins, then the first weak one, then the largest common one, as in nvlink.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assembler.problems import Problems
from assembler.program import TYPE, Body, Entry, Place, Program, Variable
from assembler.services import service_of
from isa.table import did_you_mean
from isa.types import BY_CODE, TYPES

if TYPE_CHECKING:
    from assembler.check import ModuleChecker

STRONG, WEAK, COMMON, NONE = range(4)
"""How much a declaration says of a name, best first."""


@dataclass(slots=True)
class Use:
    """What one module says of an external name. An alias stands for its target."""

    module: ModuleChecker
    thing: Body | Variable
    place: Place
    strength: int


def link(modules: Sequence[ModuleChecker], program: Program, problems: Problems) -> None:
    """Let every external name mean its definition in all modules; the program loses the other declarations."""
    found: dict[str, list[Use]] = {}
    lost: set[int] = set()
    for module in modules:
        for name, use in _external(module):
            found.setdefault(name, []).append(use)
        lost.update(id(body) for body, _ in module.aliases.values())
    for name, uses in found.items():
        chosen = min(uses, key=_preference)
        for use in uses:
            if use.thing is chosen.thing:
                continue
            if use.strength == STRONG:
                notes = ((chosen.place, "first defined"),)
                problems.error("duplicate", f"`{name}` is defined twice", use.place, "again here", "", notes)
            elif _agree(name, use, chosen, problems):
                use.module.scope.names[name] = chosen.thing
                lost.add(id(use.thing))
        if chosen.strength == NONE:
            _unresolved(name, chosen, modules, problems)
    _drop(modules, program, lost)


def _external(module: ModuleChecker) -> Iterator[tuple[str, Use]]:
    for name, thing in module.scope.names.items():
        if name in module.aliases:
            declared, place = module.aliases[name]
            if declared.linkage and isinstance(thing, Body):
                yield name, Use(module, thing, place, WEAK if declared.linkage == "weak" else STRONG)
        elif isinstance(thing, Body) and (thing.is_kernel or thing.linkage or not thing.defined):
            strength = NONE if not thing.defined else WEAK if thing.linkage == "weak" else STRONG
            yield name, Use(module, thing, thing.place, strength)
        elif isinstance(thing, Variable) and thing.linkage:
            assert thing.place is not None
            kinds = {"extern": NONE, "weak": WEAK, "common": STRONG if thing.initialised else COMMON}
            yield name, Use(module, thing, thing.place, kinds.get(thing.linkage, STRONG))


def _preference(use: Use) -> tuple[int, int]:
    """Key of the best declaration; of common ones, and of those without a definition, the largest."""
    size = use.thing.size if isinstance(use.thing, Variable) and use.strength in (COMMON, NONE) else 0
    return use.strength, -size


def _agree(name: str, use: Use, chosen: Use, problems: Problems) -> bool:
    """Whether a declaration fits the definition; reported if not."""
    thing, wanted = use.thing, chosen.thing
    notes = ((chosen.place, f"`{name}` is " + ("declared" if chosen.strength == NONE else "defined")),)
    if isinstance(thing, Body) and isinstance(wanted, Body) and thing.is_kernel == wanted.is_kernel:
        why = signature_difference(thing, wanted)
    elif isinstance(thing, Variable) and isinstance(wanted, Variable):
        why = _variable_difference(thing, wanted, use.strength)
    else:
        why = f"it is a {_what(thing)} here and a {_what(wanted)} there"
    if why:
        problems.error("mismatch", f"`{name}` does not fit its other declaration: {why}", use.place, notes=notes)
    return not why


def _what(thing: Body | Variable) -> str:
    return "variable" if isinstance(thing, Variable) else "kernel" if thing.is_kernel else "function"


def _variable_difference(a: Variable, b: Variable, strength: int) -> str:
    if a.space != b.space:
        return f"it is in .{a.space} here and in .{b.space} there"
    if strength == COMMON:  # the largest counts, and must not be larger than the one with an initial value
        return "" if a.size <= b.size else f"it has {a.size} bytes here and {b.size} there"
    if a.size != b.size and a.size and b.size:
        return f"it has {a.size} bytes here and {b.size} there"
    return _type_difference(a.type, b.type)


def _type_difference(a: str, b: str, exact: bool = False) -> str:
    """What is wrong with two types of the same bytes: a number is not both an integer and a float."""
    if exact and a != b:
        return f"its type is .{a} here and .{b} there"
    classes = {TYPES[name].cls for name in (a, b) if name in TYPES and TYPES[name].bits > 8}
    return f"its type is .{a} here and .{b} there" if "f" in classes and classes & {"u", "s"} else ""


def signature_difference(a: Body, b: Body, exact: bool = False) -> str:
    """What differs between the parameters or results of two declarations, "" if nothing; `exact`: types are the same."""
    for what, mine, other in (("result", a.results, b.results), ("parameter", a.formals, b.formals)):
        if len(mine) != len(other):
            return f"it has {_count(len(mine), what)} here and {_count(len(other), what)} there"
        for number, (one, two) in enumerate(zip(mine, other, strict=True), 1):
            if one.size != two.size:
                return f"{what} {number} has {one.size} bytes here and {two.size} there"
            if why := _type_difference(one.type, two.type, exact):
                return f"of {what} {number}, {why.removeprefix('its ')}"
    return ""


def argument_difference(item: Variable | Entry, formal: Variable) -> str:
    """What is wrong with what a call passes, of the right size; "" if nothing."""
    own = item.type if isinstance(item, Variable) else BY_CODE[item[TYPE]].name
    if isinstance(item, Variable) and formal.space == "param":
        if item.scalar != formal.scalar:
            return f"is {'a scalar' if formal.scalar else 'an array'}"
        if not formal.scalar and item.align != formal.align:
            return f"has an alignment of {formal.align}, not {item.align}"
    return f"is .{formal.type}, not .{own}" if _type_difference(own, formal.type) else ""


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' * (number != 1)}"


def _unresolved(name: str, use: Use, modules: Sequence[ModuleChecker], problems: Problems) -> None:
    """No module defines a name. One module alone may be a part of a program: then its calls are warned of."""
    thing = use.thing
    if isinstance(thing, Body) and service_of(thing):
        return
    if isinstance(thing, Variable) and thing.space == "shared" and (thing.size == 0 or len(modules) == 1):
        return  # dynamic shared memory
    message = f"`{name}` is declared, but no module defines it"
    if len(modules) > 1:
        help, notes = _hint(name, thing, modules)
        problems.error("unresolved", message, use.place, "not defined", help, notes)
    elif isinstance(thing, Variable):
        problems.warning(
            "unresolved", f"{message}: it is zero here", use.place, "name the other modules of the program"
        )


def _hint(
    name: str, thing: Body | Variable, modules: Sequence[ModuleChecker]
) -> tuple[str, tuple[tuple[Place | None, str], ...]]:
    """What may be meant by a name that nothing defines."""
    names: list[str] = []
    for module in modules:
        for word, other in module.scope.names.items():
            defined = (isinstance(other, Body) and other.defined) or (
                isinstance(other, Variable) and other.linkage != "extern"
            )
            if defined and isinstance(other, type(thing)):
                if word == name:
                    notes = ((other.place, f"this `{name}` is its module's own"),)
                    return f"make the `{name}` of the other module `.visible`", notes
                names.append(word)
    near = did_you_mean(name, names)
    return f"did you mean `{near}`?" if near else "name the file that defines it too", ()


def _drop(modules: Sequence[ModuleChecker], program: Program, lost: set[int]) -> None:
    """Take declarations that mean something else now out of the program; numbers follow."""
    if not lost:
        return
    bodies = [body for body in program.bodies if id(body) not in lost]
    number = {body.number: i for i, body in enumerate(bodies)} | {-1: -1}
    program.variables = [v for v in program.variables if id(v) not in lost and v.body in number]
    for i, variable in enumerate(program.variables):
        variable.number, variable.body = i, number[variable.body]
    program.bodies = bodies
    for i, body in enumerate(bodies):
        body.number = i
    for module in modules:
        module.bodies = [entry for entry in module.bodies if id(entry[0]) not in lost]
        module.pending = [entry for entry in module.pending if id(entry[0]) not in lost]
