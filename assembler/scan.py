"""Where statements begin and end: the few patterns that need no grammar, and keep one mistake from hiding the next."""

from __future__ import annotations

import re
from typing import NamedTuple

SKIP = re.compile(r"(?:[ \t\r\n\f]+|//[^\n]*|/\*(?s:.*?)\*/|@@[^\n]*|(?m:^)#(?:line\b)?[ \t]*\d[^\n]*)*")
"""Blanks, comments, and lines of a preprocessor that say where the text is from."""
LABEL = re.compile(r"([%$A-Za-z_][\w$]*)\s*:(?!:)")
NAMED_DIRECTIVE = re.compile(r"[%$A-Za-z_][\w$]*\s*:\s*\.(branchtargets|calltargets|callprototype)\b")
DIRECTIVE = re.compile(r"\.([A-Za-z_]\w*)")
HEAD = re.compile(r"(?:\.(?:visible|extern|weak|common)\s*)*\.(entry|func)\b")
MODULE_WORD = re.compile(r"(?:\.(?:visible|extern|weak)\s*)*\.(?:entry|func|host|version|target|address_size)\b")
"""What cannot stand in a body: there, a closing brace must be missing."""
NEXT_HEAD = re.compile(r"^[ \t]*\.(?:host|entry|func|visible|weak|section|version)\b", re.MULTILINE)
"""What cannot stand in the head of a kernel or function: there, its body or `;` must be missing."""
SECTION = re.compile(r"\.section\s+([\w.]+)\s*\{([^}]*)\}")
HOST = re.compile(r"\.host\b\s*([A-Za-z_]\w*)?\s*")
_NUMBERS = r"\s+\d+\s+\d+\s+\d+"
LINES = {
    "version": re.compile(r"\.version\s+[\d.]+"),
    "target": re.compile(r"\.target\s+\w+(?:[ \t]*,\s*\w+)*"),
    "address_size": re.compile(r"\.address_size\s+\d+"),
    "file": re.compile(r'\.file\s+\d+\s+"[^"\n]*"(?:\s*,\s*\d+)*'),
    "loc": re.compile(
        rf"\.loc{_NUMBERS}(?:\s*,\s*function_name\s+[$\w]+(?:\s*\+\s*\d+)?|\s*,\s*inlined_at{_NUMBERS})*"
    ),
}
"""Directives that end where they are complete, not at a `;`."""
_BODY_OR_PERFORMANCE = re.compile(r"\{|\.(?:pragma|max|req|min|no|explicit|blocks|abi)")
_PIECE = re.compile(r'[^;{}"/]+|"[^"\n]*"|//[^\n]*|/\*(?s:.*?)\*/|.', re.DOTALL)
_WORD = re.compile(r'"[^"\n]*"|[%$@.]?[\w$]+(?:(?:\.|::)\w+)*|\S')


class Extent(NamedTuple):
    """A statement's text [start, end) and where to go on; `ended` by ";", by "}" or "{" (not taken), or "" (end)."""

    start: int
    end: int
    resume: int
    ended: str


def skip(text: str, at: int) -> int:
    """The next character that is neither blank nor comment."""
    match = SKIP.match(text, at)
    return match.end() if match else at


def head(text: str, at: int) -> Extent:
    """The extent of the head of a kernel or function: it ends at `{`, at `;`, or where something else begins."""
    extent = statement(text, at, head=True)
    own = HEAD.match(text, at)
    following = NEXT_HEAD.search(text, own.end() if own else at, extent.end)
    return Extent(at, following.start(), following.start(), "") if following else extent


def statement(text: str, at: int, head: bool = False) -> Extent:
    """The extent of the statement at `at`. A head ends at `{` and goes on after a pragma."""
    depth = 0
    for match in _PIECE.finditer(text, at):
        piece = match[0]
        if piece == ";":
            if not (head and _after_pragma(text, at, match.start())):
                return Extent(at, match.start(), match.end(), ";")
        elif piece == "{":
            if head:
                return Extent(at, match.start(), match.start(), "{")
            depth += 1
        elif piece == "}":
            depth -= 1
            if depth < 0:
                return Extent(at, match.start(), match.start(), "}")
    return Extent(at, len(text), len(text), "")


def _after_pragma(text: str, start: int, at: int) -> bool:
    """Whether the `;` at `at` ends a `.pragma` inside a head and a body follows."""
    return ".pragma" in text[start:at] and bool(_BODY_OR_PERFORMANCE.match(text, skip(text, at + 1)))


def line_end(text: str, at: int) -> int:
    """The end of the line, or of the statement if that comes first."""
    ends = [text.find(stop, at) for stop in "\n;"]
    return min((end for end in ends if end >= 0), default=len(text))


def closing_brace(text: str, at: int) -> int:
    """Offset of the `}` that closes the `{` at `at`, -1 if none does."""
    depth = 0
    for match in _PIECE.finditer(text, at):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.start()
    return -1


def next_item(text: str, at: int) -> int:
    """Where the next line begins that can only belong to the module, if a `}` before it is missing."""
    match = re.compile(r"^(?=\.)", re.MULTILINE).search(text, at)
    return match.start() if match else len(text)


def words(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Extents of the words and signs in [start, end), comments left out."""
    found = []
    at = skip(text, start)
    while at < end:
        match = _WORD.match(text, at)
        stop = min(end, match.end()) if match else at + 1
        found.append((at, stop))
        at = skip(text, stop)
    return found


def unclosed_comment(text: str) -> int:
    """Offset of the `/*` that is never closed, -1 if there is none."""
    if "/*" not in text:
        return -1
    for match in _PIECE.finditer(text):
        if match[0] == "/" and text.startswith("/*", match.start()):
            return match.start()
    return -1
