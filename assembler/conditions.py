"""Where `.if`, `.macro` and `.rept` end, and which branch of an `.if` counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from . import errors
from .diagnostics import Diagnostic
from .evaluate import Value
from .masking import Line
from .source import Source, Span

CLOSING = {"macro": "endm", "if": "endif", "rept": "endr"}


class Evaluates(Protocol):
    """What knows the constants."""

    def value(self, text: Source, start: int, end: int) -> Value | None:
        """The value of the expression [start, end) of a text; None if it has none (reported)."""

    def report(self, diagnostic: Diagnostic) -> None:
        """Notes a mistake."""


def end_of(found: Sequence[Line], at: int) -> int | None:
    """The line that closes the block of line `at`, None if none does."""
    opening = found[at].directive
    closing, depth = CLOSING[opening], 0
    for i in range(at, len(found)):
        if found[i].directive == opening:
            depth += 1
        elif found[i].directive == closing:
            depth -= 1
            if depth == 0:
                return i
    return None


def choose(context: Evaluates, text: Source, found: Sequence[Line], at: int, end: int) -> tuple[int, int] | None:
    """The characters of the branch whose condition holds, None if none does."""
    branches = _branches(found, at, end)
    parts = [at, *branches, end]
    for before, after in pairwise(branches):
        if found[before].directive == "else":
            context.report(errors.misplaced(Span(text, *found[after].word), "a branch", "before `.else`"))
    for i, part in enumerate(parts[:-1]):
        line = found[part]
        if line.directive != "else":
            value = context.value(text, *line.rest)
            if value is None:
                return None
            if not isinstance(value, str) and not value.value:
                continue
        return line.end, found[parts[i + 1]].start
    return None


def _branches(found: Sequence[Line], at: int, end: int) -> list[int]:
    """Lines of the `.elif` and `.else` that belong to the `.if` of line `at`."""
    depth, branches = 0, []
    for i in range(at, end):
        word = found[i].directive
        depth += (word == "if") - (word == "endif")
        if depth == 1 and word in ("elif", "else"):
            branches.append(i)
    return branches
