"""Constant expressions as the PTX manual defines them (PTX ISA 9.0, 4.5): 64-bit integers and doubles."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Literal, NamedTuple

Kind = Literal["int", "f32", "f64"]


class Const(NamedTuple):
    """A constant's value: an integer, the bits of an f32, or a double. `unsigned`: an integer of type .u64."""

    kind: Kind
    value: int | float
    unsigned: bool = False

    @property
    def bits(self) -> int:
        """The integer, or the bits of the float."""
        if isinstance(self.value, float):
            return int(struct.unpack("<Q", struct.pack("<d", self.value))[0])
        return self.value


class ConstError(Exception):
    """An expression without a value; the text says why."""


NUMBER = (
    r"0[fF][0-9a-fA-F]{8}\b|0[dD][0-9a-fA-F]{16}\b|0[xX][0-9a-fA-F]+U?\b|0[bB][01]+U?\b"
    r"|\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+U?"
)
"""Pattern of a literal."""
_FLOAT = re.compile(r"[^xXbB]*[.eE][^xXbB]*")
_MASK = (1 << 64) - 1


def literal(text: str) -> Const:
    """The value of a literal: `12`, `0x1FU`, `017`, `0b101`, `1.5e3`, `0f3F800000`, `0d3FF0000000000000`."""
    head = text[:2].lower()
    if head == "0f" and len(text) == 10:
        return Const("f32", int(text[2:], 16))
    if head == "0d" and len(text) == 18:
        return Const("f64", float(struct.unpack("<d", struct.pack("<Q", int(text[2:], 16)))[0]))
    if head != "0x" and _FLOAT.fullmatch(text):
        return Const("f64", float(text))
    return _integer_literal(text)


def _integer_literal(text: str) -> Const:
    digits = text.rstrip("U")
    head = digits[:2].lower()
    base = {"0x": 16, "0b": 2}.get(head, 8 if digits[0] == "0" else 10)
    try:
        value = int(digits[2:] if base in (2, 16) else digits, base)
    except ValueError:
        raise ConstError(f"`{text}` is not an octal number (it starts with 0)") from None
    if value > _MASK:
        raise ConstError(f"`{text}` does not fit 64 bits")
    return Const("int", value, text.endswith("U") or value >> 63 == 1)


def integer(value: int, unsigned: bool) -> Const:
    """An integer wrapped to its 64-bit type."""
    value &= _MASK
    return Const("int", value if unsigned or value < 1 << 63 else value - (1 << 64), unsigned)


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ConstError("division by zero")
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def _remainder(a: int, b: int) -> int:
    return a - b * _divide(a, b)


def _by_zero(a: float, b: float) -> float:
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": _remainder,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
_FLOATS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: (
        a / b if b else math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    ),
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}


def binary(op: str, a: Const, b: Const) -> Const:
    """`a op b`; integers with integers, doubles with doubles."""
    if "f32" in (a.kind, b.kind):
        raise ConstError("0f constants take no operators; write a decimal or 0d constant")
    if a.kind != b.kind:
        raise ConstError(f"`{op}` of an integer and a floating-point constant")
    if op in _COMPARE:
        return Const("int", int(_COMPARE[op](*_common(a, b))))
    if a.kind == "f64":
        if op not in _FLOATS:
            raise ConstError(f"`{op}` is not defined for floating-point constants")
        return Const("f64", _float_result(_FLOATS[op], float(a.value), float(b.value)))
    if op in ("<<", ">>"):
        return _shift(op, a, b)
    left, right = _common(a, b)
    return integer(_INTEGER[op](int(left), int(right)), a.unsigned or b.unsigned)


def _float_result(f: Callable[[float, float], float], a: float, b: float) -> float:
    try:
        return f(a, b)
    except OverflowError:
        return math.inf


def _common(a: Const, b: Const) -> tuple[float, float]:
    """Both values in the common type: .u64 if either is."""
    if a.kind == "int" and (a.unsigned or b.unsigned):
        return int(a.value) & _MASK, int(b.value) & _MASK
    return a.value, b.value


def _shift(op: str, a: Const, b: Const) -> Const:
    amount = int(b.value) & _MASK
    value = int(a.value)
    if op == "<<":
        return integer(value << amount if amount < 64 else 0, a.unsigned)
    return integer(value >> min(amount, 64), a.unsigned)


def unary(op: str, a: Const) -> Const:
    """`-a`, `+a`, `~a`, `!a`, or a cast "(.s64)", "(.u64)"."""
    if a.kind == "f32" and op == "-":
        return Const("f32", int(a.value) ^ 1 << 31)
    if a.kind == "f64" and op in "-+":
        return Const("f64", -a.value if op == "-" else a.value)
    if a.kind != "int":
        raise ConstError(f"`{op}` is not defined for floating-point constants")
    value = int(a.value)
    if op.startswith("("):
        return integer(value, "u" in op)
    if op == "!":
        return Const("int", int(value == 0))
    return integer({"-": -value, "+": value, "~": ~value}[op], a.unsigned)
