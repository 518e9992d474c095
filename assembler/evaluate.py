"""Expressions of `.set`, `.if` and `.rept`: constants, names of constants, strings, and `defined(NAME)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from .constants import NUMBER, Const, ConstError, binary, literal, unary

_TOKEN = re.compile(
    rf"""\s*(?: ({NUMBER}) | ([A-Za-z_$][\w$]*) | "([^"]*)" | (\(\s*\.[su]64\s*\))
    | (<<|>>|<=|>=|==|!=|&&|\|\||\S) )""",
    re.VERBOSE,
)
_LEVELS = (("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"), ("+", "-"))
_PRECEDENCE = {op: i for i, ops in enumerate((*_LEVELS, ("*", "/", "%"))) for op in ops}

Value = Const | str


class ExpressionError(Exception):
    """An expression that has no value: characters [start, end) of it are to blame. `unknown`: an unknown name."""

    def __init__(self, message: str, start: int, end: int, unknown: str = "") -> None:
        super().__init__(message)
        self.start, self.end, self.unknown = start, end, unknown


def evaluate(text: str, names: Mapping[str, Value]) -> Value:
    """The value of an expression. Raises ExpressionError."""
    return _Evaluator(text, names).whole()


class _Evaluator:
    def __init__(self, text: str, names: Mapping[str, Value]) -> None:
        self.text, self.names = text, names
        self.tokens = list(_TOKEN.finditer(text))
        self.at = 0

    def whole(self) -> Value:
        value = self._conditional()
        if self.at < len(self.tokens):
            self._fail("expected an operator", self.tokens[self.at])
        return value

    def _fail(self, message: str, token: re.Match[str] | None = None, unknown: str = "") -> NoReturn:
        start, end = token.span(token.lastindex or 0) if token else (len(self.text.rstrip()),) * 2
        raise ExpressionError(message, start, end, unknown)

    def _sign(self) -> str:
        return (self.tokens[self.at][5] or "") if self.at < len(self.tokens) else ""

    def _take(self, sign: str) -> None:
        if self._sign() != sign:
            self._fail(f"expected `{sign}`", self.tokens[self.at] if self.at < len(self.tokens) else None)
        self.at += 1

    def _conditional(self) -> Value:
        condition = self._binary(0)
        if self._sign() != "?":
            return condition
        self.at += 1
        yes = self._conditional()
        self._take(":")
        no = self._conditional()
        return yes if isinstance(condition, str) or condition.value else no

    def _binary(self, level: int) -> Value:
        left = self._unary()
        while _PRECEDENCE.get(self._sign(), -1) >= level:
            token = self.tokens[self.at]
            self.at += 1
            right = self._binary(_PRECEDENCE[token[5]] + 1)
            left = self._apply(token, left, right)
        return left

    def _apply(self, token: re.Match[str], left: Value, right: Value) -> Value:
        op = token[5]
        if isinstance(left, str) or isinstance(right, str):
            if op not in ("==", "!=") or not (isinstance(left, str) and isinstance(right, str)):
                self._fail(f"`{op}` of a string", token)
            return Const("int", int((left == right) == (op == "==")))
        return self._checked(lambda: binary(op, left, right), token)

    def _checked(self, compute: Callable[[], Const], token: re.Match[str]) -> Const:
        try:
            return compute()
        except ConstError as error:
            self._fail(str(error), token)

    def _unary(self) -> Value:
        if self.at >= len(self.tokens):
            self._fail("expected a value")
        token = self.tokens[self.at]
        self.at += 1
        if token[4] or token[5] in ("-", "+", "~", "!"):
            value = self._unary()
            if isinstance(value, str):
                self._fail("a string has no sign", token)
            number, op = value, (token[4] or token[5]).replace(" ", "")
            return self._checked(lambda: unary(op, number), token)
        return self._primary(token)

    def _primary(self, token: re.Match[str]) -> Value:
        if token[1]:
            return self._checked(lambda: literal(token[1]), token)
        if token[3] is not None:
            return token[3]
        if token[2] == "defined" and self._sign() == "(":
            return self._defined()
        if token[2]:
            if token[2] not in self.names:
                self._fail(f"unknown constant `{token[2]}`", token, token[2])
            return self.names[token[2]]
        if token[5] != "(":
            self._fail("expected a value", token)
        value = self._conditional()
        self._take(")")
        return value

    def _defined(self) -> Const:
        self.at += 1
        name = self.tokens[self.at][2] if self.at < len(self.tokens) else ""
        if not name:
            self._fail("expected a name", self.tokens[self.at] if self.at < len(self.tokens) else None)
        self.at += 1
        self._take(")")
        return Const("int", int(name in self.names))
