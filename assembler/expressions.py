"""From the parser's trees to nodes: operands, constant expressions (folded where literal) and instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, cast

from lark import Token, Transformer, v_args
from lark.tree import Meta

from . import errors
from .constants import Const, ConstError, binary, literal, unary
from .diagnostics import Diagnostic
from .source import Source, Span
from .syntax import (
    Address,
    Apply,
    ArgList,
    Binary,
    Guard,
    Instruction,
    Name,
    Not,
    Number,
    Operand,
    PredPair,
    Sink,
    Unary,
    Vector,
)

WARP_SZ = 32


class Mistake(Exception):
    """A statement that has the right shape and still makes no sense."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def number(const: Const, span: Span) -> Number:
    """The node of a constant."""
    return Number(const.kind, const.bits, const.unsigned, span)


def _const(node: Number) -> Const:
    if node.kind == "f64":
        return literal(f"0d{node.value:016x}")
    return Const(node.kind, node.value, node.unsigned)


def ungrouped(node: Operand) -> Operand:
    """The expression in `(expression)`; other nodes, also the list `(name)`, as they are."""
    alone = node.items[0] if isinstance(node, ArgList) and len(node.items) == 1 else node
    return alone if isinstance(alone, Number | Binary | Unary | Apply) else node


@v_args(meta=True)
class Expressions(Transformer[Token, Any]):
    """Makes nodes: one method per rule of ptx.lark. The statement begins at offset `base` of `source`."""

    def __init__(self, source: Source, base: int) -> None:
        super().__init__()
        self.source, self.base = source, base

    def _span(self, meta: Meta) -> Span:
        start, end = (0, 0) if meta.empty else (meta.start_pos, meta.end_pos)
        return Span(self.source, self.base + start, self.base + end)

    def _token(self, token: Token) -> Span:
        start, end = cast(int, token.start_pos), cast(int, token.end_pos)
        return Span(self.source, self.base + start, self.base + end)

    def number(self, meta: Meta, children: list[Token]) -> Number:
        """A literal."""
        return self._number(children[0])

    def _number(self, token: Token) -> Number:
        span = self._token(token)
        try:
            return number(literal(token), span)
        except ConstError as error:
            raise Mistake(errors.bad_number(span, str(error))) from None

    def name(self, meta: Meta, children: list[Token]) -> Name | Sink | Number:
        """A name, `_`, or WARP_SZ."""
        return self._name(children[0])

    def _name(self, token: Token) -> Name | Sink | Number:
        span = self._token(token)
        if token == "_":
            return Sink(span)
        if token == "WARP_SZ":
            return Number("int", WARP_SZ, False, span)
        return Name(str(token), span)

    def unary(self, meta: Meta, children: list[Any]) -> Operand:
        """`-a`, `!p`, a cast."""
        op, value, span = str(children[0]).replace(" ", ""), ungrouped(children[1]), self._span(meta)
        if isinstance(value, Number):
            return self._fold(span, lambda: unary(op, _const(value)))
        if op == "!" and isinstance(value, Name):
            return Not(value, span)
        return Unary(op, value, span)

    def binary(self, meta: Meta, children: list[Any]) -> Operand:
        """`a op b`, and the pair `p|q`."""
        op, span = str(children[1]), self._span(meta)
        left, right = ungrouped(children[0]), ungrouped(children[2])
        if isinstance(left, Number) and isinstance(right, Number):
            return self._fold(span, lambda: binary(op, _const(left), _const(right)))
        if op == "|" and isinstance(left, Name | Sink) and isinstance(right, Name | Sink | Not):
            return PredPair(left, right, span)
        return Binary(op, left, right, span)

    def _fold(self, span: Span, compute: Callable[[], Const]) -> Number:
        try:
            return number(compute(), span)
        except ConstError as error:
            raise Mistake(errors.bad_number(span, str(error))) from None

    def conditional(self, meta: Meta, children: list[Any]) -> Operand:
        """`a ? b : c` of constants."""
        condition, yes, no = (ungrouped(child) for child in children)
        if not isinstance(condition, Number):
            raise Mistake(errors.bad_number(condition.span, "the condition of `?:` is not a constant"))
        return yes if condition.value else no

    def apply(self, meta: Meta, children: list[Any]) -> Apply:
        """`generic(sym)`, `0xff(sym)`."""
        token: Token = children[0]
        function = str(token) if token.type == "NAME" else self._whole(token)
        return Apply(function, ungrouped(children[1]), self._span(meta))

    def group(self, meta: Meta, children: list[Operand]) -> ArgList:
        """`(a, b)`: a list, or an expression in parentheses until something tells."""
        return ArgList(tuple(children), self._span(meta))

    def vector(self, meta: Meta, children: list[Operand]) -> Vector:
        """`{a, b}`."""
        return Vector(tuple(map(ungrouped, children)), self._span(meta))

    def address(self, meta: Meta, children: list[Operand]) -> Address:
        """`[base+offset, extra]`."""
        base, offset = self._base_and_offset(ungrouped(children[0]))
        return Address(base, offset, tuple(map(ungrouped, children[1:])), self._span(meta))

    def _base_and_offset(self, node: Operand) -> tuple[Name | None, int | Operand]:
        if isinstance(node, Number) and node.kind == "int":
            return None, node.value
        if isinstance(node, Name):
            return node, 0
        if isinstance(node, Binary) and node.op in "+-":
            base, offset = self._base_and_offset(node.left)
            if isinstance(offset, int) and isinstance(node.right, Number) and node.right.kind == "int":
                return base, offset + node.right.value if node.op == "+" else offset - node.right.value
            if base is None and node.op == "+" and isinstance(offset, int) and isinstance(node.right, Name):
                return node.right, offset
        return None, node

    def guard(self, meta: Meta, children: list[Token]) -> Guard:
        """`@!p`."""
        return Guard(str(children[-1]), len(children) == 2, self._span(meta))

    def instruction(self, meta: Meta, children: list[Any]) -> Instruction:
        """Guard, opcode, operands."""
        guard = children.pop(0) if isinstance(children[0], Guard) else None
        opcode: Token = children[0]
        operands = children[1:]
        if not opcode.startswith("call"):
            operands = [ungrouped(operand) for operand in operands]
        start = self.base + cast(int, opcode.start_pos)
        return Instruction(guard, str(opcode), tuple(operands), start, self._span(meta))

    def _int(self, node: Operand) -> int:
        node = ungrouped(node)
        if not isinstance(node, Number) or node.kind != "int":
            self._refuse(errors.bad_number(node.span, "this must be a whole number"))
        return node.value

    def _refuse(self, diagnostic: Diagnostic) -> NoReturn:
        raise Mistake(diagnostic)

    def _whole(self, token: Token) -> int:
        return self._int(self._number(token))
