"""Lines of a text with comments and strings blanked out, so that words in them are not taken for directives."""

from __future__ import annotations

import re
from typing import NamedTuple

DIRECTIVES = ("include", "macro", "endm", "set", "if", "elif", "else", "endif", "rept", "endr")
DIRECTIVE = re.compile(rf"[ \t]*\.({'|'.join(DIRECTIVES)})\b")
_HIDDEN = re.compile(r'"[^"\n]*"|//[^\n]*|/\*(?s:.*?)\*/')
_VISIBLE = re.compile(r"[^\n]")


class Line(NamedTuple):
    """Characters [start, end) of a text: one line with its end, or several where a comma ends a line.

    `masked`: the same without comments and the insides of strings. `directive`: which one it is, "" for none; `word`
    and `rest` are the places of its name (with dot) and of what follows.
    """

    start: int
    end: int
    masked: str
    directive: str = ""
    word: tuple[int, int] = (0, 0)
    rest: tuple[int, int] = (0, 0)


def mask(text: str) -> str:
    """The text, of the same length, with comments and the insides of strings blank."""
    return _HIDDEN.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    text = match[0]
    return f'"{" " * (len(text) - 2)}"' if text[0] == '"' else _VISIBLE.sub(" ", text)


def lines(text: str) -> list[Line]:
    """The lines of a text."""
    masked, found, at = mask(text), [], 0
    while at < len(text):
        match = DIRECTIVE.match(masked, at)
        end = _next_line(masked, at)
        if match:
            stop = match.end() + len(masked[match.end() : end].rstrip())
            found.append(
                Line(at, end, masked[at:end], match[1], (match.start(1) - 1, match.end(1)), (match.end(), stop))
            )
        else:
            while masked[at:end].rstrip().endswith(",") and end < len(text) and not DIRECTIVE.match(masked, end):
                end = _next_line(masked, end)
            found.append(Line(at, end, masked[at:end]))
        at = end
    return found


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
