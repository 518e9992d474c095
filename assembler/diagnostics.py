"""Messages about a program: what is wrong, where, and what might help; and how they are printed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .source import Expansion, Location, Source, Span

Severity = Literal["error", "warning"]
_COLORS = {"error": "\033[1;31m", "warning": "\033[1;35m", "bold": "\033[1m", "note": "\033[36m", "end": "\033[0m"}
_LONGEST_CHAIN = 6
"""Expansions that are printed of one message; a deeper chain is cut in the middle."""


@dataclass(frozen=True)
class Diagnostic:
    """One message. `code` names the kind of mistake (for tests and tools); `label` stands beside the caret.

    `notes`: further lines, each with the place it speaks of or None.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    label: str = ""
    help: str = ""
    notes: tuple[tuple[Span | None, str], ...] = ()

    def with_note(self, span: Span | None, text: str) -> Diagnostic:
        """The same message with one more note."""
        return replace(self, notes=(*self.notes, (span, text)))


class AssemblyError(Exception):
    """A program has errors. `diagnostics`: all of them (and the warnings), in the order of the text."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = in_order(diagnostics)
        super().__init__(render(self.diagnostics))


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The one of `words` that was perhaps meant by `word`, "" if none is near."""
    near = difflib.get_close_matches(word, list(words), 1, 0.7)
    return near[0] if near else ""


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them is an error."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics in the order of the program's own text (what an expansion brought stands where it was asked for).

    A mistake in the text of a macro is told once, however often the macro is used.
    """
    seen: dict[tuple[object, ...], list[Diagnostic]] = {}
    for diagnostic in sorted(diagnostics, key=lambda d: _position(d.span)):
        where = diagnostic.span.location
        seen.setdefault((where.file, where.line, where.col, diagnostic.message), []).append(diagnostic)
    return [_with_repetitions(found) for found in seen.values()]


def _with_repetitions(found: list[Diagnostic]) -> Diagnostic:
    places = {(diagnostic.span.start, *_position(diagnostic.span)) for diagnostic in found}
    if len(places) < 2:
        return found[0]
    more = len(places) - 1
    return found[0].with_note(None, f"the same in {more} more expansion{'s' if more > 1 else ''}")


def _position(span: Span) -> list[tuple[int, int, int]]:
    where: Location | None = span.location
    chain: list[tuple[int, int, int]] = []
    while where:
        chain.append((where.file, where.line, where.col))
        where = where.expansion.span.location if where.expansion else None
    return chain[::-1]


def render(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """The text of messages: `file:line:col: error: …`, the source line with a caret, help and notes."""
    return "\n".join(_render_one(diagnostic, color) for diagnostic in diagnostics)


def _render_one(d: Diagnostic, color: bool) -> str:
    paint = _COLORS if color else dict.fromkeys(_COLORS, "")
    where = d.span.location
    bold, end = paint["bold"], paint["end"]
    place = _place(d.span.source, where)
    lines = [f"{bold}{place}: {paint[d.severity]}{d.severity}:{end}{bold} {d.message}{end}"]
    margin = " " * len(str(where.line))
    lines += _excerpt(d, where, margin, paint)
    lines += [f"{margin} = help: {line}" for line in d.help.splitlines()]
    for span, text in d.notes:
        at = f" at {_place(span.source, span.location)}" if span else ""
        lines.append(f"{margin} = {paint['note']}note:{end} {text}{at}")
    lines += [f"{margin} = {paint['note']}note:{end} {text}" for text in _chain(where.expansion)]
    return "\n".join(lines) + "\n"


def _place(source: Source, where: Location) -> str:
    return f"{source.files[where.file].path}:{where.line}:{where.col}"


def _excerpt(d: Diagnostic, where: Location, margin: str, paint: dict[str, str]) -> list[str]:
    text = d.span.source.files[where.file].line(where.line)
    stop = where.end_col if where.end_line == where.line else len(text) + 1
    pad = "".join("\t" if c == "\t" else " " for c in text[: where.col - 1].ljust(where.col - 1))
    carets = "^" * max(1, stop - where.col)
    label = f" {d.label}" if d.label else ""
    shown = f"{pad}{paint[d.severity]}{carets}{label}{paint['end']}"
    return [f"{margin} |", f"{where.line} | {text}".rstrip(), f"{margin} | {shown}"]


def _chain(expansion: Expansion | None) -> list[str]:
    """Lines that say through which expansions a text came, innermost first."""
    lines = []
    while expansion:
        where = expansion.span.location
        lines.append(f"{expansion.what} at {_place(expansion.span.source, where)}")
        expansion = where.expansion
    if len(lines) > _LONGEST_CHAIN:
        half = _LONGEST_CHAIN // 2
        lines[half:-half] = [f"… {len(lines) - 2 * half} more …"]
    return lines
