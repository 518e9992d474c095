"""Simple instructions without the parser: one pattern for the statement, one for each operand.

The result is what ptx.lark would make of the same text; whatever is not simple (or wrong) is left to it.
"""

from __future__ import annotations

import re

from .source import Source, Span
from .syntax import Address, Guard, Instruction, Name, Number, Operand, PredPair, Sink, Vector

_NAME = r"[%$_A-Za-z][\w$]*(?:\.\w+)*"
_INTEGER = r"-?(?:0[xX][0-9a-fA-F]{1,15}|0|[1-9]\d{0,17})(?![\w.])"
STATEMENT = re.compile(
    rf"(?:@(!?)({_NAME})\s+)?([a-z]\w*(?:(?:\.|::)\w+)*)(?![\w.:$]|\s*:)\s*([^;@\"/]*);",
)
"""Guard sign and name, opcode, operands."""
_OPERAND = re.compile(
    rf"""\s*(?:
      ({_NAME}) (?:\s*\|\s*({_NAME}))?                   # 1, 2: name, pair
    | ({_INTEGER})                                       # 3
    | \[\s*({_NAME})\s*(?:\+\s*({_INTEGER}))?\s*\]       # 4, 5: address
    | \{{([^][{{}}()]*)\}}                               # 6: vector
    | 0[fF]([0-9a-fA-F]{{8}})\b                          # 7
    | 0[dD]([0-9a-fA-F]{{16}})\b                         # 8
    )\s*(?:,|$)""",
    re.VERBOSE,
)


ALONE = frozenset(("ret", "exit", "trap", "brkpt"))
"""Opcodes without operands: a word behind them begins a new statement, and a `;` is missing."""


def instruction(source: Source, match: re.Match[str]) -> Instruction | None:
    """The instruction that STATEMENT matched, or None if its operands are not simple."""
    sign, predicate, opcode, text = match.groups()
    operands = _operands(source, text, match.start(4)) if text else ()
    if operands is None or (operands and opcode in ALONE):
        return None
    start = match.start()
    guard = Guard(predicate, sign == "!", Span(source, start, match.end(2))) if predicate else None
    end = match.end(3) if not text else match.start(4) + len(text.rstrip())
    return Instruction(guard, opcode, operands, match.start(3), Span(source, start, end))


def _operands(source: Source, text: str, base: int) -> tuple[Operand, ...] | None:
    operands: list[Operand] = []
    at, size = 0, len(text)
    while at < size:
        match = _OPERAND.match(text, at)
        operand = _operand(source, match, base) if match else None
        if match is None or operand is None:
            return None
        operands.append(operand)
        at = match.end()
        if at == size and text[at - 1] == ",":
            return None  # a comma with nothing behind it
    return tuple(operands)


def _operand(source: Source, match: re.Match[str], base: int) -> Operand | None:
    """The node of what _OPERAND matched; None if the parser must decide."""
    which = match.lastindex or 0
    start, end = match.span(which)
    span = Span(source, base + start, base + end)
    if which == 1:
        return _name(match[1], span)
    if which == 3:
        return Number("int", int(match[3], 0), False, span)
    if which in (4, 5):
        return _address(source, match, base)
    if which == 2:
        return _pair(source, match, base)
    if which == 6:
        items = _operands(source, match[6], base + start)
        return None if not items else Vector(items, Span(source, base + start - 1, base + end + 1))
    return Number(
        "f32" if which == 7 else "f64", int(match[which], 16), False, Span(source, base + start - 2, base + end)
    )


def _name(text: str, span: Span) -> Name | Sink | None:
    if text == "_":
        return Sink(span)
    return Name(text, span) if text != "WARP_SZ" else None


def _pair(source: Source, match: re.Match[str], base: int) -> PredPair | None:
    start, end = base + match.start(1), base + match.end(2)
    left = _name(match[1], Span(source, start, base + match.end(1)))
    right = _name(match[2], Span(source, base + match.start(2), end))
    return PredPair(left, right, Span(source, start, end)) if left and right else None


def _address(source: Source, match: re.Match[str], base: int) -> Address | None:
    name = _name(match[4], Span(source, base + match.start(4), base + match.end(4)))
    if not isinstance(name, Name):
        return None
    start = base + match.string.rindex("[", 0, match.start(4))
    end = base + match.string.index("]", match.end(4)) + 1
    return Address(name, int(match[5] or "0", 0), (), Span(source, start, end))
