r"""Macros: their parameters, their use, and `\name` in their bodies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from . import errors
from .diagnostics import Diagnostic, did_you_mean
from .masking import Line, mask
from .source import Expansion, Joiner, Source, Span

Report = Callable[[Diagnostic], None]
_PARAMETER = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:=(.*))?$", re.DOTALL)
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)\s*")
_BACKSLASH = re.compile(r"\\(\(\)|@|\w+)")
_REPT_VARIABLE = re.compile(r"^[ \t]*\.rept\b[^\n]*,\s*([A-Za-z_]\w*)\s*;?\s*$", re.MULTILINE)
_INNER_MACRO = re.compile(r"^[ \t]*\.macro\b([^\n]*)", re.MULTILINE)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class Parameter:
    """One parameter; `default` None: an argument must be given."""

    name: str
    default: Source | None


@dataclass(frozen=True)
class Macro:
    r"""A macro. `unknown`: names `\name` in its body that nothing defines (reported), and what was perhaps meant."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Source
    span: Span
    unknown: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: Source, line: Line, end: Line, report: Report) -> Macro | None:
        """The macro that a `.macro` line and the lines up to `.endm` define."""
        start, stop = line.rest
        match = re.compile(r"\s*([A-Za-z_$][\w$]*)").match(text.text, start, stop)
        if not match:
            report(errors.expected(Span(text, *line.rest).stripped(), "`NAME parameters`"))
            return None
        parameters = []
        masked = mask(text.text[:stop])
        for begin, finish in _split(masked, match.end(), stop):
            given = _PARAMETER.match(text.text[begin:finish])
            if not given:
                report(errors.expected(Span(text, begin, finish).stripped(), "`parameter` or `parameter=default`"))
                continue
            default = _stripped(text, masked, begin + given.start(2), finish) if given[2] is not None else None
            parameters.append(Parameter(given[1], default))
        body = text.piece(line.end, end.start)
        unknown = _check_body(body, [parameter.name for parameter in parameters], report)
        return cls(match[1], tuple(parameters), body, Span(text, match.start(1), match.end(1)), unknown)

    def expanded(self, given: Sequence[Source], span: Span, unique: int, report: Report) -> Source | None:
        r"""The body with arguments put in; None if they do not fit. `unique` replaces `\@`."""
        values = self._bind(given, span, report)
        if values is None:
            return None
        body = self.body.piece(0, len(self.body.text), Expansion(f"expanded from macro `{self.name}`", span))
        guessed = {name: values.get(meant, "") for name, meant in self.unknown.items()}
        return substitute(body, {**values, **guessed, "@": str(unique), "()": ""}, self.name)

    def _bind(self, given: Sequence[Source], span: Span, report: Report) -> dict[str, Source] | None:
        names = [parameter.name for parameter in self.parameters]
        values: dict[str, Source] = {}
        position = 0
        for argument in given:
            match = _NAMED.match(argument.text)
            if match and match[1] in names:
                values[match[1]] = argument.piece(match.end(), len(argument.text))
                continue
            if position >= len(names):
                takes = f"takes {len(names)} argument{'' if len(names) == 1 else 's'}, {len(given)} given"
                report(errors.macro_arguments(span, self.name, takes, self.span))
                return None
            if argument.text:
                values[names[position]] = argument
            position += 1
        for parameter in self.parameters:
            if parameter.name not in values and parameter.default is None:
                message = f"needs the argument `{parameter.name}`"
                report(errors.macro_arguments(span, self.name, message, self.span))
                return None
            values.setdefault(parameter.name, parameter.default or Source(self.body.files))
        return values


def _check_body(body: Source, names: Sequence[str], report: Report) -> dict[str, str]:
    r"""Names `\name` of a body that no parameter has, and the nearest that one has; each is reported once."""
    known = {*names, "@", "()", *_REPT_VARIABLE.findall(body.text)}
    for inner in _INNER_MACRO.findall(body.text):
        known |= set(re.findall(r"\w+", inner))
    unknown: dict[str, str] = {}
    for match in _BACKSLASH.finditer(mask(body.text)):
        if match[1] not in known and match[1] not in unknown:
            unknown[match[1]] = did_you_mean(match[1], names)
            report(errors.unknown_argument(Span(body, match.start(), match.end()), match[1], names))
    return unknown


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.compile(rf"(?:(\A)|[;{{}}]|(?<!:):(?!:))\s*({words})(?![\w$.:]|\s*:)")


def find_names(names: Iterable[str], masked: str, continued: bool) -> list[re.Match[str]]:
    """Where macros are invoked in a line: group 2 is the name. `continued`: the line does not begin a statement."""
    found = _pattern(tuple(names)).finditer(masked)
    return [match for match in found if not (continued and match[1] is not None)]


def arguments(text: Source, line: Line, at: int) -> tuple[list[Source], int]:
    """The arguments behind a macro's name at `at` of the line, and the offset in the text where they end."""
    masked = line.masked
    stop = masked.find(";", at)
    if stop < 0:
        stop = len(masked.rstrip())
    stop = max(at, stop)
    end = line.start + stop
    if not masked[at:stop].strip():
        return [], end
    return [_stripped(text, masked, a, b, line.start) for a, b in _split(masked, at, stop)], end


def _split(masked: str, start: int, end: int) -> list[tuple[int, int]]:
    """Extents between the commas of [start, end) that are in no brackets."""
    if not masked[start:end].strip():
        return []
    depth, parts, begin = 0, [], start
    for i in range(start, end):
        char = masked[i]
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            parts.append((begin, i))
            begin = i + 1
    return [*parts, (begin, end)]


def _stripped(text: Source, masked: str, start: int, end: int, base: int = 0) -> Source:
    """Characters [start, end) of the masked text, which begins at `base`, without blanks and comments around them."""
    found = masked[start:end]
    start += len(found) - len(found.lstrip())
    return text.piece(base + start, base + max(start, start + len(found.strip())))


def substitute(body: Source, values: Mapping[str, Source | str], macro: str = "") -> Source:
    r"""The body with each `\name` replaced by its value; a value that is a plain string stands for `\name` itself."""
    out, at = Joiner(body.files), 0
    for match in _BACKSLASH.finditer(body.text):
        value = values.get(match[1])
        if value is None:
            continue
        out.add(body.piece(at, match.start()))
        at = match.end()
        span = Span(body, match.start(), at)
        if isinstance(value, str):
            out.add_fixed(value, span)
        else:
            out.add(value.placed(span, f"used in macro `{macro}`"))
    out.add(body.piece(at, len(body.text)))
    return out.joined()
