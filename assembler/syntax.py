"""The syntax tree: the shape of a program, before anyone knows which names and instructions exist.

Every node has a `span`, which takes no part in comparisons. Names are as in the text: a register, label, symbol and
special register are all `Name` (`%tid.x`, `%r1.b2` and `%v.x` in one piece). Constants are evaluated where their value
is literal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .source import SourceFile, Span

# --- operands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A register, label, symbol, function or special register."""

    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant. `value`: of an "int" the value as written; of an "f32" or "f64" its bits. `unsigned`: of type .u64.

    An f64 is any decimal (`1.5`) or `0d…` constant, an f32 a `0f…` one.
    """

    kind: Literal["int", "f32", "f64"]
    value: int
    unsigned: bool = field(compare=False)
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-a ~a !a (cast)a` of something that is not a plain constant; `op` also "(.s64)" and "(.u64)"."""

    op: str
    value: Operand
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`sym+4`, `a-b`: an expression with a symbol in it."""

    op: str
    left: Operand
    right: Operand
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """`generic(sym)` (function = "generic"), or `0xff00(sym)`, a byte of an address (function = the mask)."""

    function: str | int
    value: Operand
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Vector:
    """`{a, b, …}`."""

    items: tuple[Operand, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """`[base+offset]`, `[offset]` (no base), `[base, extra…]` (tensor coordinates).

    `offset` is a plain int whenever it is constant; else an expression.
    """

    base: Name | None
    offset: int | Operand
    extra: tuple[Operand, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PredPair:
    """`p|q`; either may be `_`."""

    p: Name | Sink
    q: Name | Sink | Not
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`!p`."""

    name: Name
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sink:
    """`_`."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ArgList:
    """`(a, b)`: results or arguments of a call."""

    items: tuple[Operand, ...]
    span: Span = field(compare=False, repr=False)


Operand: TypeAlias = Name | Number | Unary | Binary | Apply | Vector | Address | PredPair | Not | Sink | ArgList

# --- statements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guard:
    """`@p` or `@!p`."""

    name: str
    negated: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Instruction:
    """`@p opcode.modifiers operands;`. `opcode` is all of it, with dots, as written; `opcode_start` its offset."""

    guard: Guard | None
    opcode: str
    operands: tuple[Operand, ...]
    opcode_start: int = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)

    @property
    def opcode_span(self) -> Span:
        """Where the opcode stands."""
        return Span(self.span.source, self.opcode_start, self.opcode_start + len(self.opcode))

    def modifier_span(self, modifier: str) -> Span:
        """Where `.modifier` stands in the opcode, dot included; the whole opcode if it is not there."""
        words = f"{self.opcode}."
        at = words.find(f".{modifier}.")
        return self.opcode_span if at < 0 else self.opcode_span.part(at, at + 1 + len(modifier))


@dataclass(frozen=True, slots=True)
class Label:
    """`name:`."""

    name: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RegName:
    """`%r<5>` (count 5: %r0 to %r4) or `%x` (count None)."""

    name: str
    count: int | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RegDecl:
    """`.reg .type names;`. `type` has no dot; `vec` is 0, 2 or 4."""

    type: str
    vec: int
    names: tuple[RegName, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InitList:
    """`{…}` of an initialiser; items are constants, symbols, expressions or lists again."""

    items: tuple[InitList | Operand, ...]
    span: Span = field(compare=False, repr=False)


Init: TypeAlias = "InitList | Operand"


@dataclass(frozen=True, slots=True)
class Var:
    """One declared variable or parameter (`.global .u32 a, b;` makes two).

    `space`: global const shared local param reg tex, without dot. `type` without dot. `vec` 0, 2, 4 or 8. `align` 0
    where not given. `dims`: one entry a dimension, None for `[]`. `count`: of `name<8>`. `linkage`: "", visible,
    extern, weak, common. `ptr`: of a `.ptr` parameter the space it points to ("" = generic), None for others;
    `ptr_align` its alignment.
    `flags`: further attributes: "managed", "unified(1,2)", "opaque".
    """

    space: str
    type: str
    name: str
    vec: int = 0
    align: int = 0
    dims: tuple[int | None, ...] = ()
    count: int | None = None
    init: InitList | Operand | None = None
    linkage: str = ""
    ptr: str | None = None
    ptr_align: int = 0
    flags: tuple[str, ...] = ()
    span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Perf:
    """`.maxntid 128, 1, 1`, `.noreturn`, …: name without dot, and its numbers."""

    name: str
    values: tuple[int, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pragma:
    """`.pragma "a", "b";`."""

    strings: tuple[str, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class File:
    """`.file number "path"`."""

    number: int
    path: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Loc:
    """`.loc file line col {, function_name label{+n}, inlined_at file line col}`; `inlined_at` is (file, line, col),
    `function` the label.
    """

    file: int
    line: int
    col: int
    inlined_at: tuple[int, int, int] | None = None
    function: str = ""
    span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Section:
    """`.section name { … }`: debug data, kept as text."""

    name: str
    text: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Alias:
    """`.alias name, target;`."""

    name: str
    target: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Targets:
    """`name: .branchtargets a, b;` (kind "branchtargets") or `.calltargets`."""

    name: str
    kind: str
    labels: tuple[Name, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Callprototype:
    """`name: .callprototype (returns) _ (params);`."""

    name: str
    returns: tuple[Var, ...]
    params: tuple[Var, ...]
    perf: tuple[Perf, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Block:
    """`{ … }`: a scope. Its span covers both braces."""

    items: tuple[Statement, ...]
    span: Span = field(compare=False, repr=False)


Statement: TypeAlias = (
    Instruction | Label | RegDecl | Var | Block | Pragma | File | Loc | Section | Targets | Callprototype
)

# --- module items ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A kernel; `span` covers its head, from the first word to the `)` or name."""

    name: str
    params: tuple[Var, ...]
    perf: tuple[Perf | Pragma, ...]
    body: Block | None
    linkage: str
    span: Span = field(compare=False, repr=False)
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Func:
    """A device function, or its declaration (`body` None)."""

    name: str
    returns: tuple[Var, ...]
    params: tuple[Var, ...]
    perf: tuple[Perf | Pragma, ...]
    body: Block | None
    linkage: str
    span: Span = field(compare=False, repr=False)
    name_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HostProgram:
    """`.host name { … }`: `statements` in the JSON form that the machine's host interprets; see README.md.

    `sets`: constants of the source that a -D may set, whether or not the statements mention them. `span` covers the
    head, `end` is where the program ends in the expanded text.
    """

    name: str
    statements: list[dict[str, Any]]
    sets: tuple[str, ...]
    end: int = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)


Item: TypeAlias = Entry | Func | Var | RegDecl | File | Loc | Section | Alias | Pragma | HostProgram


@dataclass(frozen=True, slots=True)
class Module:
    """A module: what its lines say of version, targets and address size, its items in order, its constants' names."""

    version: str
    targets: tuple[Name, ...]
    address_size: int
    items: tuple[Item, ...]
    constants: tuple[str, ...]
    span: Span = field(compare=False, repr=False)

    @property
    def files(self) -> list[SourceFile]:
        """The files of the program by number."""
        return self.span.source.files
