"""Where text comes from: files, the expanded text, and spans that know file, line, column and macro expansions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


@dataclass(frozen=True)
class SourceFile:
    """One file of a program; `path` is what messages print."""

    path: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of each line."""
        starts, at = [0], self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def line_col(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Text of line `number` (from 1) without its end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True)
class Expansion:
    """Why text stands where it does: `what` ("expanded from macro `GEMM`", "included") happened at `span`."""

    what: str
    span: Span


class Mark(NamedTuple):
    """From offset `start` of an expanded text on, characters come from `file` at `offset`.

    `place`: of an argument, the (file, start, end) of the `\\name` it replaced. `fixed`: the text was computed, and all
    of it stands for the `fixed` characters at `offset`.
    """

    start: int
    file: int
    offset: int
    expansion: Expansion | None = None
    place: tuple[int, int, int] | None = None
    fixed: int = 0


@dataclass(slots=True)
class Source:
    """A program's text after expansion, and the origin of each of its characters."""

    files: list[SourceFile]
    text: str = ""
    marks: list[Mark] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    @classmethod
    def of_text(cls, text: str, path: str = "<text>", files: list[SourceFile] | None = None) -> Source:
        """The source of a text without macros; its file is added to `files`."""
        files = [] if files is None else files
        files.append(SourceFile(path, text))
        return cls(files, text, [Mark(0, len(files) - 1, 0)], [0])

    def piece(self, start: int, end: int, expansion: Expansion | None = None) -> Source:
        """Characters [start, end) with their origins; `expansion`, if given, says why they stand where they will."""
        first = max(0, bisect_right(self.starts, start) - 1)
        last = max(first + 1, bisect_left(self.starts, end))
        marks = []
        for at, file, offset, why, place, fixed in self.marks[first:last]:
            if at < start:
                at, offset = start, offset if fixed else offset + start - at
            marks.append(Mark(at - start, file, offset, expansion or why, place, fixed))
        return Source(self.files, self.text[start:end], marks, [mark[0] for mark in marks])

    def placed(self, span: Span, what: str) -> Source:
        """The same text as an argument that replaces `span` of a macro's body."""
        mark = span.source.mark(span.start)
        offset = mark.offset if mark.fixed else mark.offset + span.start - mark.start
        place = mark.place or (mark.file, offset, offset + (mark.fixed or span.end - span.start))
        expansion = Expansion(what, span)
        marks = [own._replace(expansion=expansion, place=place) for own in self.marks]
        return Source(self.files, self.text, marks, self.starts)

    def mark(self, offset: int) -> Mark:
        """The mark that covers a character."""
        return self.marks[max(0, bisect_right(self.starts, offset) - 1)]

    def locate(self, start: int, end: int) -> Location:
        """Origin of characters [start, end) of the expanded text."""
        last = max(start, end - 1)
        first_mark, last_mark = self.mark(start), self.mark(last)
        whole = first_mark is last_mark
        file, begin, _ = _origin(first_mark, start, not whole)
        last_file, _, stop = _origin(last_mark, last, not whole)
        if last_file != file or stop < begin:
            stop = begin + 1
        if end <= start:
            stop = begin
        line, col = self.files[file].line_col(begin)
        end_line, end_col = self.files[file].line_col(stop)
        expansion = first_mark.expansion
        if first_mark.place and not whole and expansion:
            expansion = expansion.span.expansion
        return Location(file, line, col, end_line, end_col, expansion)


def _origin(mark: Mark, offset: int, in_body: bool) -> tuple[int, int, int]:
    """File of a character, and offsets of it and of the next one; `in_body`: where a macro's body names it."""
    if in_body and mark.place:
        return mark.place
    if mark.fixed:
        return mark.file, mark.offset, mark.offset + mark.fixed
    at = mark.offset + offset - mark.start
    return mark.file, at, at + 1


class Location(NamedTuple):
    """Resolved place: file number, lines and columns from 1 (`end_col` is after the last character), expansions."""

    file: int
    line: int
    col: int
    end_line: int
    end_col: int
    expansion: Expansion | None


class Span:
    """Characters [start, end) of a program's expanded text. Cheap to make: places are looked up when read."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end

    def __repr__(self) -> str:
        where = self.location
        return f"<{self.source.files[where.file].path}:{where.line}:{where.col}>"

    @property
    def location(self) -> Location:
        """File, lines and columns at once (cheaper than one by one)."""
        return self.source.locate(self.start, self.end)

    @property
    def file(self) -> int:
        """File number."""
        return self.location.file

    @property
    def line(self) -> int:
        """Line, from 1."""
        return self.location.line

    @property
    def col(self) -> int:
        """Column, from 1."""
        return self.location.col

    @property
    def end_line(self) -> int:
        """Line of the end."""
        return self.location.end_line

    @property
    def end_col(self) -> int:
        """Column after the last character."""
        return self.location.end_col

    @property
    def expansion(self) -> Expansion | None:
        """The macro, repetition or include that brought the text here; None in a program's own text."""
        return self.location.expansion

    @property
    def text(self) -> str:
        """The characters, after expansion."""
        return self.source.text[self.start : self.end]

    def stripped(self) -> Span:
        """The same without blanks at both ends."""
        text = self.text
        start = self.start + len(text) - len(text.lstrip())
        return Span(self.source, start, max(start, self.start + len(text.rstrip())))

    def part(self, start: int, end: int) -> Span:
        """Characters [start, end) of this span."""
        return Span(self.source, self.start + start, self.start + end)


class Joiner:
    """Puts pieces of text together to one."""

    def __init__(self, files: list[SourceFile]) -> None:
        self.source = Source(files)
        self.parts: list[str] = []
        self.size = 0

    def add(self, piece: Source) -> None:
        """Appends a piece with its origins."""
        if piece.text:
            size = self.size
            self.source.marks += [Mark(mark[0] + size, *mark[1:]) for mark in piece.marks]
            self.parts.append(piece.text)
            self.size += len(piece.text)

    def add_fixed(self, text: str, span: Span) -> None:
        """Appends a computed text that stands for the characters of `span`."""
        mark = span.source.mark(span.start)
        offset = mark.offset + (0 if mark.fixed else span.start - mark.start)
        length = max(1, span.end - span.start)
        self.source.marks.append(Mark(self.size, mark.file, offset, mark.expansion, mark.place, mark.fixed or length))
        self.parts.append(text)
        self.size += len(text)

    def joined(self) -> Source:
        """The whole."""
        self.source.text = "".join(self.parts)
        self.source.starts = [mark.start for mark in self.source.marks]
        return self.source
