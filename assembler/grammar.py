"""The parser of single statements, and what its errors mean in words."""

from __future__ import annotations

import hashlib
import io
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lark
from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from . import errors, scan
from .diagnostics import Diagnostic
from .expressions import Mistake
from .files import cache_root, write_atomically
from .source import Source, Span
from .tree import Builder

_STARTS = (
    *("instruction", "registers", "variables", "entry", "func", "prototype", "targets"),
    *("alias", "pragma", "version", "target", "address_size", "file", "loc"),
)
_CLOSERS = {"$END": "`;`", "RSQB": "`]`", "RPAR": "`)`", "RBRACE": "`}`", "MORE": "`>`"}
_WORDS = (
    ("OPCODE", "an instruction"),
    ("LSQB", "an operand"),
    ("NUMBER", "a number"),
    ("STRING", "a string"),
    ("NAME", "a name"),
    ("COLON", "`:`"),
)


@cache
def _parser() -> Lark:
    """The parser, its tables from the cache if they are there: making them takes ten times as long as reading."""
    text = Path(__file__).with_name("ptx.lark").read_text()
    facts = repr((text, _STARTS, lark.__version__, sys.version_info[:3]))
    kept = cache_root() / "grammar" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.pickle"
    with suppress(OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, UnpicklingError):
        return Lark.load(io.BytesIO(kept.read_bytes()))
    made = Lark(text, parser="lalr", start=list(_STARTS), propagate_positions=True, maybe_placeholders=False)
    tables = io.BytesIO()
    made.save(tables)
    write_atomically(kept, tables.getvalue())
    return made


def parse_rule(source: Source, rule: str, start: int, end: int) -> Any:
    """The node of characters [start, end). Raises Mistake, or UnexpectedInput, whose offset begins at `start`."""
    tree = _parser().parse(source.text[start:end], start=rule)
    try:
        return Builder(source, start).transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, Mistake):
            raise error.orig_exc from None
        raise


def error_offset(error: UnexpectedInput, start: int, end: int) -> int:
    """Where the text of statement [start, end) stops making sense."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return end
    return min(end, start + (error.pos_in_stream or 0))


def syntax_error(source: Source, error: UnexpectedInput, start: int, end: int) -> Diagnostic:
    """What is wrong with statement [start, end), in words."""
    at = error_offset(error, start, end)
    before = [word for word in scan.words(source.text, start, end) if word[0] < at]
    here = next((word for word in scan.words(source.text, at, end)), None)
    if here is None:
        place = before[-1][1] if before else at
        return errors.expected(Span(source, place, place), _expected(error))
    span = Span(source, *here)
    if isinstance(error, UnexpectedCharacters):
        if span.text.startswith('"'):
            return errors.unterminated(span, "string", '"')
        if not any(char.isalnum() or char in "%$_." for char in span.text[:1]):
            return errors.stray_character(Span(source, here[0], here[0] + 1))
    return errors.expected(span, _expected(error))


def _expected(error: UnexpectedInput) -> str:
    accepted: set[str] = set()
    if isinstance(error, UnexpectedToken):
        accepted = error.accepts if isinstance(error.accepts, set) else error.expected
    elif isinstance(error, UnexpectedCharacters):
        accepted = set(error.allowed or ())
    if "COMMA" in accepted:
        closers = [text for name, text in _CLOSERS.items() if name in accepted]
        return f"`,` or {closers[0]}" if closers else "`,`"
    for name, text in _WORDS:
        if name in accepted:
            return text
    return next((text for name, text in _CLOSERS.items() if name in accepted), "something else")
