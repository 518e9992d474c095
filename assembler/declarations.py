"""From the parser's trees to nodes: declarations of registers, variables and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lark import Token, v_args
from lark.tree import Meta

from . import errors
from .expressions import Expressions, ungrouped
from .source import Span
from .syntax import InitList, Operand, RegDecl, RegName, Var, Vector


class Words(NamedTuple):
    """What the words before a declared name say; see Var."""

    space: str
    type: str
    vec: int
    align: int
    linkage: str
    ptr: str | None
    ptr_align: int
    flags: tuple[str, ...]


class _Align(NamedTuple):
    value: int
    span: Span


class _Attribute(NamedTuple):
    text: str


@v_args(meta=True)
class Declarations(Expressions):
    """Adds the rules of declarations."""

    def register(self, meta: Meta, children: list[Any]) -> RegName:
        """`%r<5>`."""
        count = self._int(children[2]) if len(children) > 1 else None
        return RegName(str(children[0]), count, self._span(meta))

    def registers(self, meta: Meta, children: list[Any]) -> RegDecl:
        """`.reg .type names`."""
        names = tuple(child for child in children if isinstance(child, RegName))
        words = self._words(children[1 : len(children) - len(names)], self._span(meta))
        return RegDecl(words.type, words.vec, names, self._span(meta))

    def align(self, meta: Meta, children: list[Any]) -> _Align:
        """`.align 16`."""
        node = children[1] if not isinstance(children[1], Token) else self._number(children[1])
        return _Align(self._int(node), self._span(meta))

    def attribute(self, meta: Meta, children: list[Token]) -> _Attribute:
        """`.attribute(.managed)`."""
        name, numbers = children[1][1:], children[2:]
        return _Attribute(name + (f"({','.join(numbers)})" if numbers else ""))

    def dim(self, meta: Meta, children: list[Operand]) -> int | None:
        """`[4]` or `[]`."""
        return self._int(children[0]) if children else None

    def variable(self, meta: Meta, children: list[Any]) -> Var:
        """One declared name with its dimensions and initial value."""
        name, rest = str(children[0]), children[1:]
        count = None
        if rest and isinstance(rest[0], Token):
            count, rest = self._int(rest[1]), rest[3:]
        dims = tuple(item for item in rest if item is None or isinstance(item, int))
        init = _initial(rest[-1]) if len(rest) > len(dims) else None
        return Var("", "", name, dims=dims, count=count, init=init, span=self._token(children[0]))

    def variables(self, meta: Meta, children: list[Any]) -> list[Var]:
        """`.global .u32 a, b[4] = {…}`."""
        names = [child for child in children if isinstance(child, Var)]
        words = self._words(children[: len(children) - len(names)], self._span(meta))
        return [_declared(words, var) for var in names]

    def param(self, meta: Meta, children: list[Any]) -> Var:
        """One parameter of a head or prototype."""
        dims = tuple(child for child in children if child is None or isinstance(child, int))
        rest = children[: len(children) - len(dims)]
        name = rest.pop() if isinstance(rest[-1], Token) and rest[-1].type == "NAME" else None
        span = self._token(name) if name is not None else self._span(meta)
        return _declared(self._words(rest, span), Var("", "", str(name or "_"), dims=dims, span=span))

    def params(self, meta: Meta, children: list[Var]) -> tuple[Var, ...]:
        """`(…)`."""
        return tuple(children)

    def _words(self, words: Sequence[Any], whole: Span) -> Words:
        """The meaning of the words before a declared name."""
        fields: dict[str, Any] = {
            "vec": 0,
            "align": 0,
            "linkage": "",
            "ptr": None,
            "ptr_align": 0,
            "space": "",
            "type": "",
        }
        flags: list[str] = []
        for word in words:
            if isinstance(word, _Attribute):
                flags.append(word.text)
            elif isinstance(word, _Align):
                fields["align" if fields["ptr"] is None else "ptr_align"] = word.value
            else:
                self._word(word, fields, flags)
        if not fields["type"]:
            self._refuse(errors.expected(whole, "a type, such as `.u32`"))
        return Words(**fields, flags=tuple(flags))

    def _word(self, token: Token, fields: dict[str, Any], flags: list[str]) -> None:
        word = str(token)[1:]
        if token.type == "PTR":
            fields["ptr"] = ""
        elif token.type == "LINK":
            if fields["linkage"]:
                self._refuse(errors.expected(self._token(token), "one linkage"))
            fields["linkage"] = word
        elif token.type in ("SPACE", "PARAM", "REG"):
            inner = token.type == "SPACE" and fields["ptr"] is not None
            if not inner and fields["space"]:
                self._refuse(errors.expected(self._token(token), "one state space"))
            fields["ptr" if inner else "space"] = word
        elif word in ("v2", "v4", "v8"):
            fields["vec"] = int(word[1:])
        elif word == "opaque":
            flags.append(word)
        elif fields["type"]:
            self._refuse(errors.expected(self._token(token), "one type"))
        else:
            fields["type"] = word


def _declared(words: Words, var: Var) -> Var:
    return Var(
        words.space, words.type, var.name, words.vec, words.align, var.dims, var.count, var.init, words.linkage,
        words.ptr, words.ptr_align, words.flags, span=var.span,
    )  # fmt: skip


def _initial(node: Operand) -> InitList | Operand:
    """An initialiser: braces are lists, not vectors."""
    if isinstance(node, Vector):
        return InitList(tuple(_initial(item) for item in node.items), node.span)
    return ungrouped(node)
