"""Constant expressions: the grammar, the macro language and an independent reading agree."""

import ctypes
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.constants import Const, ConstError, literal
from assembler.evaluate import ExpressionError, evaluate
from assembler.parse import parse_module
from assembler.syntax import Entry, Instruction, Number

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


class Typed(NamedTuple):
    """An expression's text and what C makes of it."""

    text: str
    value: int
    unsigned: bool


def wrapped(value: int, unsigned: bool) -> int:
    return (ctypes.c_uint64 if unsigned else ctypes.c_int64)(value).value


def literals() -> st.SearchStrategy[Typed]:
    number = st.integers(0, 2**64 - 1) | st.integers(0, 70)
    form = st.sampled_from(["{}", "{:#x}", "0{:o}", "{:#b}", "{}U", "{:#x}U"])
    return st.builds(lambda n, f: Typed(f.format(n), n, f.endswith("U") or n >= 2**63), number, form)


def combined(op: str, a: Typed, b: Typed) -> Typed:
    """`(a op b)` by C's rules for 64-bit operands."""
    unsigned = a.unsigned or b.unsigned
    x, y = wrapped(a.value, unsigned), wrapped(b.value, unsigned)
    text = f"({a.text} {op} {b.text})"
    if op in ("<<", ">>"):
        amount = wrapped(b.value, True)
        shifted = (a.value << amount if amount < 64 else 0) if op == "<<" else a.value >> min(amount, 64)
        return Typed(text, wrapped(shifted, a.unsigned), a.unsigned)
    if op in ("<", "==", ">=", "&&", "||"):
        truth = {"<": x < y, "==": x == y, ">=": x >= y, "&&": x != 0 and y != 0, "||": x != 0 or y != 0}
        return Typed(text, int(truth[op]), False)
    if op in ("/", "%"):
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1) if y else 0
        return Typed(text, wrapped(quotient if op == "/" else x - quotient * y, unsigned), unsigned)
    result = {"+": x + y, "-": x - y, "*": x * y, "&": x & y, "|": x | y, "^": x ^ y}[op]
    return Typed(text, wrapped(result, unsigned), unsigned)


def negated(op: str, a: Typed) -> Typed:
    if op == "!":
        return Typed(f"!{a.text}", int(a.value == 0), False)
    if op.startswith("("):
        return Typed(f"{op} {a.text}", wrapped(a.value, "u" in op), "u" in op)
    return Typed(f"{op}{a.text}", wrapped(-a.value if op == "-" else ~a.value, a.unsigned), a.unsigned)


def chosen(c: Typed, a: Typed, b: Typed) -> Typed:
    return Typed(f"({c.text} ? {a.text} : {b.text})", *((a if c.value else b)[1:]))


OPERATORS = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", "==", ">=", "&&", "||"]


def grown(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    pair = st.builds(combined, st.sampled_from(OPERATORS), inner, inner)
    one = st.builds(negated, st.sampled_from(["-", "~", "!", "(.s64)", "(.u64)"]), inner)
    return pair | one | st.builds(chosen, inner, inner, inner)


def in_instruction(text: str) -> Number | None:
    module, diagnostics = parse_module(f"{HEAD}.entry k() {{ mov.u64 %rd1, {text}; }}")
    if diagnostics:
        return None
    (entry,) = module.items
    assert isinstance(entry, Entry) and entry.body and isinstance(entry.body.items[0], Instruction)
    number = entry.body.items[0].operands[1]
    assert isinstance(number, Number)
    return number


def divides_by_zero(text: str) -> bool:
    try:
        evaluate(text, {})
    except ExpressionError as error:
        assert str(error) == "division by zero"
        return True
    return False


@given(st.recursive(literals(), grown, max_leaves=8))
def test_expressions(expression: Typed) -> None:
    number = in_instruction(expression.text)
    if divides_by_zero(expression.text):
        assert number is None or "?" in expression.text
        return
    assert evaluate(expression.text, {}) == Const("int", expression.value, expression.unsigned)
    if number is not None:  # the branch of ?: that is not taken may divide by zero
        assert (number.value, number.unsigned) == (expression.value, expression.unsigned)
    else:
        assert "?" in expression.text


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("1 << 2 + 1", 8), ("1 | 6 & 3", 3), ("-7 / 2", -3), ("-7 % 2", -1), ("1 ? 2 : 0 ? 3 : 4", 2),
     ("2 == 2 & 1", 1), ("8 - 4 - 2", 2), ("~0 >> 1", -1), ("(.u64) ~0 >> 63", 1), ("10 > 9 > 0", 1)],
)  # fmt: skip
def test_precedence(text: str, value: int) -> None:
    number = in_instruction(text)
    assert number is not None and number.value == value
    assert evaluate(text, {}) == Const("int", value, number.unsigned)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0))
def test_decimals(value: float) -> None:
    text = repr(value) if "." in repr(value) or "e" in repr(value) else f"{value}.0"
    assert literal(text) == Const("f64", value)
    assert literal(f"0d{literal(text).bits:016X}") == Const("f64", value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("1.5 << 1", "integer and a floating"), ("1.5 & 2.5", "not defined for floating"), ("~1.5", "not defined"),
     ("0f3F800000 + 1", "take no operators"), ("09", "octal"), ("1 / 0", "division by zero"), ("1 +", "a value"),
     ("(1", "expected `)`"), ("1 2", "an operator"), ("x", "unknown constant"), ('"a" + "b"', "of a string"),
     ("defined(1)", "a name")],
)  # fmt: skip
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(").replace(")", r"\)")):
        evaluate(text, {})


def test_names_and_strings() -> None:
    names = {"N": Const("int", 4), "kind": "power"}
    assert evaluate("N * N + defined(N) + defined(M)", names) == Const("int", 17)
    assert evaluate('kind == "power" && kind != "x"', names) == Const("int", 1)


def test_literal_too_long() -> None:
    with pytest.raises(ConstError, match="64 bits"):
        literal("0x10000000000000000")
