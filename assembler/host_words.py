"""Words and expressions of host programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import errors
from .diagnostics import Diagnostic, did_you_mean
from .evaluate import Value
from .source import Source, Span

Expr = dict[str, Any]
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f]+|//[^\n]*|/\*(?s:.*?)\*/)
    | (?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|\d+)
    | (?P<name>[A-Za-z_$][\w$]*)
    | (?P<string>"[^"\n]*")
    | (?P<sign>\.\.|\*\*|<<|>>|<=|>=|==|!=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">="), ("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"))
PRECEDENCE = {sign: level for level, signs in enumerate((*_LEVELS, ("*", "/", "%"))) for sign in signs}
BUILT_IN = frozenset(("ngpus", "seed", "gpu"))


class Token(NamedTuple):
    """A word: kind "number", "name", "string", "sign" or "end"; text; extent."""

    kind: str
    text: str
    start: int
    end: int


class HostMistake(Exception):
    """A statement is wrong."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass
class Words:
    """The words of a host program, read one after the other, and the names it has declared so far."""

    source: Source
    start: int
    end: int
    constants: Mapping[str, Value]
    names: set[str] = field(default_factory=lambda: set(BUILT_IN))
    at: int = 0
    tokens: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = self.start
        while at < self.end and (match := _TOKEN.match(self.source.text, at, self.end)):
            if match.lastgroup != "blank":
                self.tokens.append(Token(str(match.lastgroup), match[0], *match.span()))
            at = match.end()
        self.tokens.append(Token("end", "", self.end, self.end))

    # --- reading

    @property
    def next(self) -> Token:
        """The word that comes next."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """Reads a word."""
        token = self.next
        if token.kind != "end":
            self.at += 1
        return token

    def span(self, token: Token) -> Span:
        """Where a word stands; the end of the program is shown behind its last word."""
        if token.kind == "end" and len(self.tokens) > 1:
            last = self.tokens[-2].end
            return Span(self.source, last, last)
        return Span(self.source, token.start, token.end)

    def fail(self, what: str, token: Token | None = None, help: str = "") -> HostMistake:
        """The mistake that something else had to stand here."""
        return HostMistake(errors.expected(self.span(token or self.next), what, help))

    def sees(self, *texts: str) -> bool:
        """Whether one of these signs or words comes next."""
        return self.next.kind in ("sign", "name") and self.next.text in texts

    def accepts(self, text: str) -> bool:
        """Reads the sign or word if it comes next."""
        if self.sees(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Reads a sign or word that must come next; a missing `;` is shown behind the last word."""
        if self.accepts(text):
            return
        end = self.tokens[self.at - 1].end if self.at else self.start
        new_line = self.next.kind == "end" or "\n" in self.source.text[end : self.next.start] or self.sees("}")
        if text == ";" and new_line:
            raise HostMistake(errors.missing_semicolon(Span(self.source, end, end)))
        raise self.fail(f"`{text}`")

    def name(self, what: str = "a name") -> str:
        """Reads a name."""
        if self.next.kind != "name":
            raise self.fail(what)
        return self.take().text

    def declare(self, what: str = "a name") -> str:
        """Reads the name of something new."""
        name = self.name(what)
        self.names.add(name)
        return name

    def string(self) -> str:
        """Reads a string."""
        if self.next.kind != "string":
            raise self.fail('a text in `"`')
        return self.take().text[1:-1]

    @contextmanager
    def local(self, name: str) -> Iterator[None]:
        """`name` has a meaning inside only."""
        known = name in self.names
        self.names.add(name)
        try:
            yield
        finally:
            if not known:
                self.names.discard(name)

    def clauses(self, words: Iterable[str]) -> Iterator[str]:
        """Reads the words of clauses as long as one of `words` comes next, each once."""
        seen: dict[str, Token] = {}
        while self.next.kind == "name":
            if self.next.text not in words:
                near = did_you_mean(self.next.text, words)
                if near:
                    raise HostMistake(errors.unknown_word(self.span(self.next), "clause", words))
                return
            token = self.take()
            if token.text in seen:
                first = self.span(seen[token.text])
                raise HostMistake(errors.repeated(self.span(token), f"`{token.text}`", first))
            seen[token.text] = token
            yield token.text

    # --- expressions

    def expression(self) -> Expr:
        """Reads an expression."""
        condition = self._binary(0)
        if not self.accepts("?"):
            return condition
        yes = self.expression()
        self.expect(":")
        return {"cond": [condition, yes, self.expression()]}

    def condition(self) -> Expr | bool:
        """What a clause depends on, in parentheses; True without them."""
        if not self.accepts("("):
            return True
        value = self.expression()
        self.expect(")")
        return value

    def list_of(self, closing: str) -> list[Expr]:
        """Reads expressions with commas between them, up to and with `closing`."""
        items: list[Expr] = []
        while not self.accepts(closing):
            if items:
                if not self.sees(","):
                    raise self.fail(f"`,` or `{closing}`")
                self.take()
            items.append(self.expression())
        return items

    def _binary(self, level: int) -> Expr:
        left = self._unary()
        while self.next.kind == "sign" and PRECEDENCE.get(self.next.text, -1) >= level:
            sign = self.take().text
            left = {"bin": [sign, left, self._binary(PRECEDENCE[sign] + 1)]}
        return left

    def _unary(self) -> Expr:
        if self.sees("-", "+", "!", "~"):
            sign = self.take().text
            operand = self._unary()
            if sign == "-" and "num" in operand:
                return {"num": -operand["num"]}
            return {"un": [sign, operand]}
        base = self._postfix()
        return {"bin": ["**", base, self._unary()]} if self.accepts("**") else base

    def _postfix(self) -> Expr:
        value = self._primary()
        while True:
            if self.accepts("["):
                value = {"index": [value, self.list_of("]")]}
            elif self.accepts("@"):
                value = {"at": [value, self._primary()]}
            elif self.sees(".") and self.next.end == self.tokens[self.at + 1].start:
                self.take()
                value = {"attr": [value, self.name("a name after `.`")]}
                if self._opens_call():
                    value = {"call": [value, *self._arguments()]}
            else:
                return value

    def _opens_call(self) -> bool:
        """Whether `(` follows at once: with a blank between, it begins something else (the arguments of a launch)."""
        return self.sees("(") and self.tokens[self.at - 1].end == self.next.start

    def _primary(self) -> Expr:
        token = self.take()
        if token.kind == "number":
            return {"num": _number(token.text)}
        if token.kind == "string":
            return {"str": token.text[1:-1]}
        if token.text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind == "name":
            return self._named(token)
        raise self.fail("a value", token)

    def _named(self, token: Token) -> Expr:
        if self._opens_call():
            return {"call": [token.text, *self._arguments()]}
        if token.text not in self.names:
            if token.text in self.constants:
                value = self.constants[token.text]
                return {"str": value} if isinstance(value, str) else {"num": value.value}
            if not self.sees("."):
                known = sorted({*self.names, *self.constants} - {"gpu"})
                raise HostMistake(errors.unknown_word(self.span(token), "name", known))
        return {"name": token.text}

    def call(self, what: str) -> Expr:
        """Reads `name` or `name(arguments)`, the name of something that the language does not know."""
        token = self.next
        name = self.name(what)
        if self._opens_call():
            return {"call": [name, *self._arguments()]}
        if self.sees("("):
            raise self.fail(f"`(` right behind `{name}`", token)
        return {"name": name}

    def _arguments(self) -> list[Any]:
        """Reads `(a, b, option=c)`: arguments and options."""
        self.expect("(")
        items: list[Expr] = []
        options: dict[str, Expr] = {}
        while not self.accepts(")"):
            if items or options:
                if not self.sees(","):
                    raise self.fail("`,` or `)`")
                self.take()
            following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
            if self.next.kind == "name" and following.text == "=":
                option = self.take().text
                self.take()
                options[option] = self.expression()
            else:
                items.append(self.expression())
        return [items, options]


def _number(text: str) -> int | float:
    if re.fullmatch(r"0[xXbB][0-9a-fA-F]+|\d+", text):
        return int(text, 0) if text[:2].lower() in ("0x", "0b") else int(text)
    return float(text)
