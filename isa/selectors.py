"""Selectors of the video instructions: `%r1.b3`, `%r1.h10`, and the sign of a source (PTX ISA 9.0, 9.7.17).

A selector is part of an operand's text. In an Op it is a constant that shapes the code: the selector read as a number to
base 36, under the key `OPERAND_sel`; a source with a minus sign has the key `OPERAND_neg`.
"""

from __future__ import annotations

import itertools

from .instr import Op

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
PART = (*(f"b{i}" for i in range(4)), *(f"h{i}" for i in range(2)))
"""One byte or half of a register."""


def orders(letter: str, lanes: int) -> tuple[str, ...]:
    """Source selectors of SIMD instructions: for each lane, highest first, one of the elements of {b, a}."""
    digits = _DIGITS[: 2 * lanes]
    return tuple(letter + "".join(chosen) for chosen in itertools.product(digits, repeat=lanes))


def masks(letter: str, lanes: int) -> tuple[str, ...]:
    """Destination masks of SIMD instructions: the lanes that are written, highest first."""
    names = [_DIGITS[i] for i in reversed(range(lanes))]
    return tuple(letter + "".join(c) for n in range(1, lanes + 1) for c in itertools.combinations(names, n))


def encode(text: str) -> int:
    """A selector as a number."""
    return int(text, 36)


def decode(number: int) -> str:
    """The selector that `encode` gave this number."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


def selector(op: Op, operand: str) -> str:
    """The selector of an operand of `op`, "" if it has none."""
    return decode(op.imm.get(f"{operand}_sel", 0))


def negated(op: Op, operand: str) -> bool:
    """Whether an operand of `op` has a minus sign."""
    return f"{operand}_neg" in op.imm
