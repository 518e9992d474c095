"""From the parser's trees to nodes: heads of kernels and functions, and directives."""

from __future__ import annotations

from typing import Any, NamedTuple

from lark import Token, v_args
from lark.tree import Meta

from . import errors
from .declarations import Declarations
from .expressions import Mistake
from .source import Span
from .syntax import Alias, Callprototype, Entry, File, Func, Loc, Name, Perf, Pragma, Targets, Var

SPACES = ("global", "const", "shared", "local", "tex", "param")
LINKAGES = ("visible", "extern", "weak", "common")
PERFORMANCE = (
    *("maxntid", "reqntid", "minnctapersm", "maxnctapersm", "maxnreg", "maxclusterrank", "reqnctapercluster"),
    *("explicitcluster", "blocksareclusters", "noreturn", "unified", "abi_preserve", "abi_preserve_control"),
)
"""Performance directives of kernels and attributes of functions, without dot."""


class _Head(NamedTuple):
    """What kernels, functions and prototypes have in common: parameter lists before and after the name."""

    linkage: str
    before: tuple[Var, ...]
    name: str
    name_span: Span
    after: tuple[Var, ...]
    perf: tuple[Perf | Pragma, ...]


@v_args(meta=True)
class Builder(Declarations):
    """Adds the rules of heads and directives."""

    def performance(self, meta: Meta, children: list[Any]) -> Perf | Pragma:
        """`.maxntid 128`, `.pragma "nounroll"`."""
        word: Token = children[0]
        if word.type == "PRAGMA":
            return Pragma(children[1], self._span(meta))
        if word[1:] not in PERFORMANCE:
            raise Mistake(errors.unknown_directive(self._token(word), [f".{name}" for name in PERFORMANCE]))
        return Perf(word[1:], tuple(map(self._int, children[1:])), self._span(meta))

    def entry(self, meta: Meta, children: list[Any]) -> Entry:
        """The head of a kernel."""
        head = self._head(children)
        return Entry(head.name, head.after, head.perf, None, head.linkage, self._span(meta), head.name_span)

    def func(self, meta: Meta, children: list[Any]) -> Func:
        """The head of a function."""
        head = self._head(children)
        span = self._span(meta)
        return Func(head.name, head.before, head.after, head.perf, None, head.linkage, span, head.name_span)

    def prototype(self, meta: Meta, children: list[Any]) -> Callprototype:
        """`p: .callprototype (…) _ (…)`."""
        label, head = children[0], self._head(children[1:])
        perf = tuple(item for item in head.perf if isinstance(item, Perf))
        return Callprototype(str(label), head.before, head.after, perf, self._token(label))

    def _head(self, children: list[Any]) -> _Head:
        place = next(i for i, c in enumerate(children) if isinstance(c, Token) and c.type == "NAME")
        found = [c for c in children[:place] if isinstance(c, Token) and c.type == "LINK"]
        links = [str(c)[1:] for c in found]
        if len(links) > 1:
            raise Mistake(errors.expected(self._token(found[1]), "one linkage"))
        before = next((c for c in children[:place] if type(c) is tuple), ())
        after = next((c for c in children[place:] if type(c) is tuple), ())
        perf = tuple(c for c in children if isinstance(c, Perf | Pragma))
        name = children[place]
        return _Head(links[-1] if links else "", before, str(name), self._token(name), after, perf)

    def targets(self, meta: Meta, children: list[Token]) -> Targets:
        """`t: .branchtargets a, b`."""
        label, kind, *names = children
        labels = tuple(Name(str(name), self._token(name)) for name in names)
        return Targets(str(label), str(kind)[1:], labels, self._token(label))

    def alias(self, meta: Meta, children: list[Token]) -> Alias:
        """`.alias a, b`."""
        return Alias(str(children[1]), str(children[2]), self._span(meta))

    def strings(self, meta: Meta, children: list[Token]) -> tuple[str, ...]:
        """The texts of strings."""
        return tuple(str(child)[1:-1] for child in children)

    def pragma(self, meta: Meta, children: list[Any]) -> Pragma:
        """`.pragma "…"`."""
        return Pragma(children[1], self._span(meta))

    def version(self, meta: Meta, children: list[Token]) -> tuple[str, str, Span]:
        """`.version 9.0`."""
        return "version", str(children[1]), self._span(meta)

    def target(self, meta: Meta, children: list[Token]) -> tuple[str, tuple[Name, ...], Span]:
        """`.target sm_90a, rowsp`."""
        return "target", tuple(Name(str(c), self._token(c)) for c in children[1:]), self._span(meta)

    def address_size(self, meta: Meta, children: list[Token]) -> tuple[str, int, Span]:
        """`.address_size 64`."""
        return "address_size", self._whole(children[1]), self._span(meta)

    def file(self, meta: Meta, children: list[Token]) -> File:
        """`.file 1 "path"`."""
        return File(self._whole(children[1]), str(children[2])[1:-1], self._span(meta))

    def loc_function(self, meta: Meta, children: list[Token]) -> str:
        """`function_name label`."""
        return str(children[1])

    def loc_inlined(self, meta: Meta, children: list[Token]) -> tuple[int, int, int]:
        """`inlined_at file line column`."""
        return self._whole(children[1]), self._whole(children[2]), self._whole(children[3])

    def loc(self, meta: Meta, children: list[Any]) -> Loc:
        """`.loc file line column`."""
        inlined = next((child for child in children if type(child) is tuple), None)
        function = next((child for child in children if type(child) is str), "")
        numbers = [self._whole(child) for child in children[1:4]]
        return Loc(numbers[0], numbers[1], numbers[2], inlined, function, span=self._span(meta))
