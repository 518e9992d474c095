r"""The lines that make text: `.include`, `.macro`, `.set`, `.if`, `.rept`; and macros where they are used.

The result is one text whose every character knows its file, line, column and the expansions it came through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from . import conditions, errors
from .constants import Const
from .diagnostics import Diagnostic, did_you_mean
from .evaluate import ExpressionError, Value, evaluate
from .invocation import Macro, arguments, find_names, substitute
from .masking import DIRECTIVES, Line, lines
from .source import Expansion, Joiner, Mark, Source, SourceFile, Span

_ANY = re.compile(rf"^[ \t]*\.(?:{'|'.join(DIRECTIVES)})\b", re.MULTILINE)
_SET = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*,?\s*")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_REGISTER = re.compile(r"[%$][\w$.]+")
_GOES_ON = frozenset(",([|+-*/=!~<&^?")
_MAX_DEPTH = 100
_MAX_SIZE = 20_000_000
"""Characters of an expanded text."""


class Expanded(NamedTuple):
    """An expanded text; its constants (from `.set`, and -D names that expressions use); macros; and what is wrong."""

    source: Source
    constants: dict[str, Value]
    macros: tuple[str, ...]
    diagnostics: list[Diagnostic]


def expand(
    text: str,
    path: str,
    include_dirs: Sequence[str | Path],
    defines: Mapping[str, str],
    files: list[SourceFile] | None = None,
) -> Expanded:
    """The text with macros, repetitions, conditions and constants worked in.

    `files`: those of the modules before this one, which gets the next number.
    """
    expander = Expander(include_dirs, defines)
    source = Source.of_text(text, path, files)
    if not _ANY.search(text):
        return Expanded(source, {}, (), expander.diagnostics)
    expander.files, expander.own = source.files, len(source.files) - 1
    if path and not path.startswith("<"):
        expander.roots.insert(0, Path(path).resolve().parent)
        expander.including.append(Path(path).resolve())
    expander.out = Joiner(source.files)
    with suppress(_TooLongError):
        expander.process(source, 0)
    constants = {name: value for name, value in expander.constants.items() if name in expander.used}
    return Expanded(expander.out.joined(), constants, tuple(expander.macros), expander.diagnostics)


class _TooLongError(Exception):
    """The expanded text is too long; reported."""


@dataclass
class Expander:
    """What has been defined so far, and the text made so far."""

    include_dirs: Sequence[str | Path]
    defines: Mapping[str, str]
    files: list[SourceFile] = field(default_factory=list)
    own: int = 0
    """Number of the program's own file."""
    roots: list[Path] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    replaced: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    out: Joiner = field(default_factory=lambda: Joiner([]))
    pattern: re.Pattern[str] | None = None
    endless: set[str] = field(default_factory=set)
    """Macros that were found to expand themselves without end."""
    including: list[Path] = field(default_factory=list)
    unique: int = 0
    host_depth: int = -1
    last: str = ";"
    """Last sign before the present line: after a comma, a line does not begin a statement."""

    def __post_init__(self) -> None:
        self.roots = [Path(folder).resolve() for folder in self.include_dirs]
        for name, value in self.defines.items():
            try:
                self.constants[name] = evaluate(str(value), self.constants)
            except ExpressionError:
                self.constants[name] = str(value)

    def report(self, diagnostic: Diagnostic) -> None:
        """Notes a mistake."""
        self.diagnostics.append(diagnostic)

    def process(self, text: Source, depth: int) -> None:
        """Expands a text and appends the result."""
        found = lines(text.text)
        at = 0
        while at < len(found):
            line = found[at]
            if not line.directive:
                self._ordinary(text, line, depth)
                at += 1
            elif line.directive in ("macro", "if", "rept"):
                at = self._block(text, found, at, depth)
            else:
                self._single(text, line, depth)
                at += 1

    def _keep_line(self, text: Source, line: Line) -> None:
        """Leaves the end of a directive's line, so that lines stay lines."""
        if text.text[line.end - 1 : line.end] == "\n":
            self.out.add(text.piece(line.end - 1, line.end))

    def _single(self, text: Source, line: Line, depth: int) -> None:
        if line.directive == "set":
            self._set(text, line)
        elif line.directive == "include":
            self._include(text, line, depth)
        else:
            word = line.directive
            opening = {"endm": ".macro", "endr": ".rept"}.get(word, ".if")
            self.report(errors.stray_directive(Span(text, *line.word), f".{word}", opening))
        self._keep_line(text, line)

    def value(self, text: Source, start: int, end: int) -> Value | None:
        """The value of the expression [start, end) of a text; None if it has none (reported)."""
        names = self.constants
        self.used.update(_WORD.findall(text.text, start, end))
        try:
            return evaluate(text.text[start:end], names)
        except ExpressionError as error:
            span = Span(text, start + error.start, start + error.end)
            if error.unknown:
                self.report(errors.unknown_constant(span, error.unknown, names))
            else:
                self.report(errors.bad_number(span, str(error)))
            return None

    def _set(self, text: Source, line: Line) -> None:
        start, end = line.rest
        match = _SET.match(text.text, start, end)
        if not match or match.end() >= end:
            self.report(errors.expected(Span(text, *line.rest).stripped(), "`NAME, value`"))
            return
        name, given = match[1], text.text[match.end() : end].strip().rstrip(";").strip()
        if name in self.defines:
            value: Value | None = self.constants[name]
        elif _REGISTER.fullmatch(given):
            value = given
        else:
            value = self.value(text, match.end(), match.end() + len(given))
        if value is None:
            value = Const("int", 0)
        self.constants[name] = value
        self.used.add(name)
        if name not in self.replaced:
            self.pattern = None
        self.replaced[name] = _text_of(value)

    def _include(self, text: Source, line: Line, depth: int) -> None:
        start, end = line.rest
        match = re.compile(r'\s*"([^"\n]*)"').match(text.text, start, end)
        if not match:
            self.report(errors.expected(Span(text, start, end).stripped(), '`"file"`'))
            return
        span = Span(text, match.start(1) - 1, match.end(1) + 1)
        path = self._find(match[1], span)
        if path is None:
            return
        if path in self.including:
            self.report(errors.expansion_too_deep(span, match[1]))
            return
        self.including.append(path)
        self.process(self._file(path, span), depth + 1)
        self.including.pop()

    def _file(self, path: Path, span: Span) -> Source:
        """The text of an included file; a file has one number, however often it is included."""
        shown = self._shown(path)
        numbers = {file.path: i for i, file in enumerate(self.files)}
        number = numbers.get(shown, len(self.files))
        if number == len(self.files):
            self.files.append(SourceFile(shown, path.read_text(encoding="utf-8", errors="replace")))
        mark = Mark(0, number, 0, Expansion("included", span))
        return Source(self.files, self.files[number].text, [mark], [0])

    def _find(self, name: str, span: Span) -> Path | None:
        here = Path(self.files[span.file].path)
        try:
            candidates = [(root / name).resolve() for root in (here.resolve().parent, *self.roots)]
            inside = [path for path in candidates if any(path.is_relative_to(root) for root in self.roots)]
            found = [path for path in inside if path.is_file()]
        except (OSError, ValueError):  # no name that a file can have
            inside, found = [here], []
        if found:
            return found[0]
        if inside:
            near = [file.name for root in self.roots for file in root.glob("*") if file.is_file()]
            self.report(errors.include_missing(span, name, did_you_mean(name, near)))
        else:
            self.report(errors.include_outside(span, name))
        return None

    def _shown(self, path: Path) -> str:
        """The path as messages print it: relative to the program's folder as the user wrote that."""
        own = Path(self.files[self.own].path).parent
        return str(own / path.relative_to(own.resolve())) if path.is_relative_to(own.resolve()) else str(path)

    # --- blocks ---

    def _block(self, text: Source, found: list[Line], at: int, depth: int) -> int:
        """Expands the `.macro`, `.if` or `.rept` of line `at`; returns the line after its end."""
        line = found[at]
        closing = conditions.CLOSING[line.directive]
        end = conditions.end_of(found, at)
        if end is None:
            self.report(errors.unclosed_directive(Span(text, *line.word), f".{line.directive}", f".{closing}"))
            return len(found) if line.directive == "macro" else at + 1
        if line.directive == "macro":
            self._define(text, line, found[end])
        elif line.directive == "if":
            branch = conditions.choose(self, text, found, at, end)
            if branch:
                self.process(text.piece(*branch), depth)
        else:
            self._repeat(text, line, found[end], depth)
        self._keep_line(text, found[end])
        return end + 1

    def _define(self, text: Source, line: Line, end: Line) -> None:
        macro = Macro.read(text, line, end, self.report)
        if macro is None:
            return
        first = self.macros.get(macro.name)
        if first and repr(first.span) != repr(macro.span):
            self.report(errors.repeated(macro.span, f"macro `{macro.name}`", first.span))
        self.macros[macro.name] = macro

    def _repeat(self, text: Source, line: Line, end: Line, depth: int) -> None:
        start, stop = line.rest
        match = re.compile(r"(.*?)(?:,\s*([A-Za-z_]\w*))?\s*;?\s*$", re.DOTALL).match(text.text[start:stop])
        count = self.value(text, start, start + match.end(1)) if match else None
        if not match or not isinstance(count, Const) or count.kind != "int" or count.value < 0:
            if count is not None:
                self.report(errors.bad_number(Span(text, start, stop).stripped(), "`.rept` needs a count of 0 or more"))
            return
        span = Span(text, line.word[0], stop).stripped()
        for i in range(int(count.value)):
            body = text.piece(line.end, end.start, Expansion(f"repetition {i} of `.rept`", span))
            if match[2]:
                body = substitute(body, {match[2]: str(i)})
            self.process(body, depth)

    # --- ordinary lines ---

    def _ordinary(self, text: Source, line: Line, depth: int) -> None:
        """Copies a line, with macros and constants in it expanded."""
        masked, at = line.masked, line.start
        unknown = re.search(r"\\(\w+|@)", masked)
        if unknown:
            place = Span(text, line.start + unknown.start(), line.start + unknown.end())
            self.report(errors.unknown_argument(place, unknown[1], ()))
        if self.macros and self.host_depth < 0:
            for match in find_names(self.macros, masked, self.last in _GOES_ON):
                if line.start + match.start(2) >= at:
                    self._copy(text, line, at, line.start + match.start(2))
                    at = self._invoke(text, line, match, depth)
        self._copy(text, line, at, line.end)
        self._watch(masked)
        if at > line.start:  # a macro's arguments end with their line
            self.last = masked[at - line.start :].rstrip()[-1:] or ";"

    def _watch(self, masked: str) -> None:
        """Keeps track of host programs (they have no textual constants) and of statements that go on."""
        host = re.search(r"\.host\b", masked)
        if self.host_depth < 0 and host:
            self.host_depth, masked = 0, masked[host.end() :]
        if self.host_depth >= 0:
            self.host_depth += masked.count("{") - masked.count("}")
            if self.host_depth <= 0 and "}" in masked:
                self.host_depth = -1
        self.last = (masked.rstrip()[-1:] or self.last) if masked.strip() else self.last

    def _copy(self, text: Source, line: Line, start: int, end: int) -> None:
        """Appends [start, end) of a text with its constants replaced."""
        if self.out.size > _MAX_SIZE:
            self.report(errors.expansion_too_long(Span(text, start, start + 1), _MAX_SIZE))
            raise _TooLongError
        if self.replaced and self.host_depth < 0:
            for match in self._constant_names(line.masked, start - line.start, end - line.start):
                begin, stop = line.start + match.start(), line.start + match.end()
                value = self.replaced[match[0]]
                if value.startswith("-") and line.masked[: match.start()].rstrip().endswith("-"):
                    value = f"({value})"
                self.out.add(text.piece(start, begin))
                self.out.add_fixed(value, Span(text, begin, stop))
                start = stop
        self.out.add(text.piece(start, end))

    def _constant_names(self, masked: str, start: int, end: int) -> Iterator[re.Match[str]]:
        if self.pattern is None:
            words = "|".join(sorted(map(re.escape, self.replaced), key=len, reverse=True))
            self.pattern = re.compile(rf"(?<![\w.%$\\])(?:{words})(?![\w$]|\s*:(?!:))")
        return self.pattern.finditer(masked, start, end)

    def _invoke(self, text: Source, line: Line, match: re.Match[str], depth: int) -> int:
        """Expands the macro invoked at `match`; returns the offset after the invocation."""
        macro = self.macros[match[2]]
        begin = line.start + match.start(2)
        given, end = arguments(text, line, match.end(2))
        span = Span(text, begin, end).stripped()
        if depth > _MAX_DEPTH and macro.name not in self.endless:
            self.report(errors.expansion_too_deep(span, macro.name))
            self.endless.add(macro.name)
        if macro.name in self.endless:
            return end
        self.unique += 1
        body = macro.expanded(given, span, self.unique, self.report)
        if body is not None:
            self.process(body, depth + 1)
        return end + 1 if text.text[end : end + 1] == ";" else end


def _text_of(value: Value) -> str:
    """A constant as text that means the same wherever a constant may stand."""
    if isinstance(value, str):
        return value
    if value.kind == "int":
        return str(value.value)
    return f"0f{value.value:08X}" if value.kind == "f32" else f"0d{value.bits:016X}"
