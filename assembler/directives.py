"""What is wrong with declarations and directives beside their names: spaces, types, combinations (PTX ISA 9.0, 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assembler.problems import Problems
from assembler.program import Variable
from assembler.source import Span
from assembler.syntax import Block, Entry, File, Func, Loc, Module, Perf, RegDecl, Section, Statement, Var
from isa.types import TYPES

COUNTS = {
    "maxntid": (1, 3), "reqntid": (1, 3), "reqnctapercluster": (1, 3), "minnctapersm": (1, 1), "maxnctapersm": (1, 1),
    "maxnreg": (1, 1), "maxclusterrank": (1, 1), "abi_preserve": (1, 1), "abi_preserve_control": (1, 1),
}  # fmt: skip
"""How many numbers follow a directive of a head; none where it is not listed."""
OF_FUNCTIONS = frozenset(("noreturn", "unified", "abi_preserve", "abi_preserve_control"))
EXCLUDING = (("maxntid", "reqntid"), ("reqnctapercluster", "maxclusterrank"))
NOT_OF_REGISTERS = frozenset(("bf16", "bf16x2", "tf32", "e4m3", "e5m2", "e4m3x2", "e5m2x2"))
"""Types that only instructions have; registers for them are untyped."""
PARAMETER_BYTES, CONSTANT_BYTES, VECTOR_BITS = 32764, 1 << 16, 128
"""The most a kernel's parameters, a module's constants and a vector have."""
_LABEL = re.compile(r"^\s*([$\w]+):", re.MULTILINE)


def check_head(item: Entry | Func, problems: Problems) -> None:
    """Directives and parameters of a kernel or function."""
    perf = {p.name: p for p in item.perf if isinstance(p, Perf)}
    for p in perf.values():
        _check_performance(p, isinstance(item, Entry), problems)
    for first, second in EXCLUDING:
        if first in perf and second in perf:
            message = f"`.{first}` and `.{second}` exclude each other"
            problems.error("bad-directive", message, perf[second].span, notes=((perf[first].span, "the first is"),))
    if "blocksareclusters" in perf and not {"reqntid", "reqnctapercluster"} <= perf.keys():
        message = "`.blocksareclusters` needs `.reqntid` and `.reqnctapercluster`"
        problems.error("bad-directive", message, perf["blocksareclusters"].span)
    if isinstance(item, Func) and "noreturn" in perf and item.returns:
        problems.error("bad-directive", "a function that is `.noreturn` has no results", perf["noreturn"].span)
    if item.linkage == "extern" and item.body is not None:
        problems.error("bad-linkage", f"`{item.name}` is `.extern`: its body is elsewhere", item.name_span)
    results = item.returns if isinstance(item, Func) else ()
    for var in (*results, *item.params):
        _check_parameter(var, isinstance(item, Entry), problems)


def _check_performance(p: Perf, of_kernel: bool, problems: Problems) -> None:
    low, high = COUNTS.get(p.name, (0, 0))
    if not low <= len(p.values) <= high:
        count = f"{low} to {high} numbers" if high > low else f"{low or 'no'} number{'s' * (low == 0)}"
        problems.error("bad-directive", f"`.{p.name}` takes {count}", p.span)
    elif of_kernel == (p.name in OF_FUNCTIONS):
        problems.error("bad-directive", f"`.{p.name}` is for {'functions' if of_kernel else 'kernels'}", p.span)
    elif p.name.startswith(("max", "min", "req")) and min(p.values) < 1:
        problems.error("bad-directive", f"the numbers of `.{p.name}` are at least 1", p.span)


def _check_parameter(var: Var, of_kernel: bool, problems: Problems) -> None:
    if var.linkage:
        problems.error("bad-linkage", f"parameters have no linkage `.{var.linkage}`", var.span)
    if var.space not in (("param",) if of_kernel else ("param", "reg")):
        what = "a kernel's parameters are" if of_kernel else "parameters of functions are .reg or"
        problems.error("bad-space", f"{what} .param, not .{var.space}", var.span)
    elif of_kernel and (var.vec or None in var.dims):
        problems.error("bad-type", f"`{var.name}` must be a scalar or an array of known size", var.span)


def check_parameter_bytes(name: str, place: Span, size: int, problems: Problems) -> None:
    """Kernel parameters of too many bytes."""
    if size > PARAMETER_BYTES:
        message = f"the parameters of `{name}` have {size} bytes, more than {PARAMETER_BYTES}"
        problems.error("too-large", message, place)


def check_constant_bytes(variables: Iterable[Variable], problems: Problems) -> None:
    """Constant memory of too many bytes."""
    total = 0
    for variable in variables:
        if variable.space == "const" and not variable.extern:
            total += -total % variable.align + variable.size
            if total > CONSTANT_BYTES and variable.place is not None:
                message = f"constant variables have {total} bytes up to here, more than {CONSTANT_BYTES}"
                problems.error("too-large", message, variable.place)
                return


def check_variable(var: Var, in_body: bool, problems: Problems) -> bool:
    """A declared variable; False if it cannot be one."""
    kind = TYPES.get(var.type)
    before = problems.errors
    if not in_body and var.space in ("param", "local"):
        problems.error("bad-space", f".{var.space} variables are declared inside a kernel or function", var.span)
    elif in_body and var.linkage:
        problems.error("bad-linkage", f"`.{var.linkage}` is for variables outside of bodies", var.span)
    elif var.linkage == "common" and var.space != "global":
        problems.error("bad-linkage", f"`.common` variables are in .global, not .{var.space}", var.span)
    elif kind is not None and kind.bits * max(1, var.vec) > VECTOR_BITS:
        problems.error("bad-type", f"a vector has at most {VECTOR_BITS} bits", var.span)
    elif None in var.dims and var.init is None and var.linkage != "extern" and var.space != "param":
        help = "declare dynamic shared memory `.extern`, outside of bodies" if var.space == "shared" else ""
        problems.error("bad-size", f"`{var.name}` has no size", var.span, help=help)
    return problems.errors == before


def check_registers(item: RegDecl, problems: Problems) -> bool:
    """A declaration of registers; False if there are no such registers."""
    if item.type in NOT_OF_REGISTERS:
        bits = TYPES[item.type].bits
        help = f"declare them .b{bits}" if bits > 8 else ""
        problems.error("bad-type", f"registers cannot have type .{item.type}", item.span, help=help)
    elif item.vec and (item.type == "pred" or item.vec > 4 or TYPES[item.type].bits * item.vec > VECTOR_BITS):
        problems.error("bad-type", f"there are no registers of .v{item.vec} .{item.type}", item.span)
    else:
        return True
    return False


def check_debug(module: Module, problems: Problems) -> None:
    """`.file` numbers; what `.loc` says of inlined code."""
    files: dict[int, Span] = {}
    labels = {
        label for item in _every(module.items) if isinstance(item, Section) for label in _LABEL.findall(item.text)
    }
    for item in module.items:
        if isinstance(item, File):
            if item.number in files:
                notes = ((files[item.number], "the first is"),)
                problems.error("repeated", f"second file number {item.number}", item.span, notes=notes)
            files.setdefault(item.number, item.span)
        elif isinstance(item, Entry | Func) and item.body is not None:
            _check_places(item.body, labels, problems)


def _every(items: Iterable[object]) -> Iterator[object]:
    for item in items:
        yield item
        if isinstance(item, Entry | Func) and item.body is not None:
            yield from _every(item.body.items)


def _check_places(body: Block, labels: set[str], problems: Problems) -> None:
    seen: set[tuple[int, int, int]] = set()
    for loc in _places(body.items):
        if loc.inlined_at is not None and loc.inlined_at not in seen:
            where = " ".join(map(str, loc.inlined_at))
            problems.error("bad-directive", f"no `.loc {where}` before this one is what `inlined_at` names", loc.span)
        if loc.function and loc.function not in labels:
            problems.error("unknown-label", f"no section has the label `{loc.function}`", loc.span)
        seen.add((loc.file, loc.line, loc.col))


def _places(items: Iterable[Statement]) -> Iterator[Loc]:
    for item in items:
        if isinstance(item, Loc):
            yield item
        elif isinstance(item, Block):
            yield from _places(item.items)
