"""Host programs: the text of a `.host` block to statements in JSON form, one function per statement.

A new statement is a function with `@statement("word")` that reads what follows the word and returns its fields; the
host of the machine then needs a method for it. README.md shows the whole language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import errors
from .diagnostics import Diagnostic
from .evaluate import Value
from .host_words import HostMistake, Token, Words
from .source import Source, Span

Fields = dict[str, Any]
Reader = Callable[["HostParser"], Fields]
STATEMENTS: dict[str, Reader] = {}
"""Reader of each statement by its first word."""
_INNER = {"watch": "in the block of a `gate`", "bind": "in the block of a `dymulticast`"}
AXES = ("x", "y", "z")


def statement(word: str) -> Callable[[Reader], Reader]:
    """Marks the reader of the statement that begins with `word`."""

    def register(reader: Reader) -> Reader:
        STATEMENTS[word] = reader
        return reader

    return register


def parse(
    source: Source, start: int, end: int, constants: Mapping[str, Value], diagnostics: list[Diagnostic]
) -> list[Fields]:
    """The statements in characters [start, end) of a text. Mistakes go to `diagnostics`; what is right is kept.

    `constants`: values of `.set` names, which the program may use.
    """
    parser = HostParser(Words(source, start, end, constants), diagnostics)
    return parser.block(STATEMENTS, None)


class HostParser:
    """Reads statements and goes on after wrong ones."""

    def __init__(self, words: Words, diagnostics: list[Diagnostic]) -> None:
        self.words, self.diagnostics = words, diagnostics

    def block(self, readers: Mapping[str, Reader], opening: Token | None) -> list[Fields]:
        """Statements up to the `}` that closes `opening`, or up to the end."""
        words = self.words
        found: list[Fields] = []
        while words.next.kind != "end":
            if words.accepts("}"):
                if opening:
                    return found
                stray = words.tokens[words.at - 1]
                self.diagnostics.append(errors.stray_brace(words.span(stray)))
            elif not words.accepts(";"):
                before = words.at
                try:
                    found.append(self.statement(readers))
                except HostMistake as mistake:
                    self.diagnostics.append(mistake.diagnostic)
                    self._recover(before, mistake.diagnostic)
        if opening:
            self.diagnostics.append(errors.unterminated(words.span(opening), "block `{`", "}"))
        return found

    def _recover(self, first: int, diagnostic: Diagnostic) -> None:
        """Goes to the next statement: after a `;`, after a block, or at a line that begins like a statement."""
        words = self.words
        missing = diagnostic.code == "missing-semicolon"
        if not missing:
            words.at = max(words.at, first + 1)
        depth = sum((t.text == "{") - (t.text == "}") for t in words.tokens[first : words.at])
        while not missing and words.next.kind != "end":
            if depth <= 0 and (words.sees("}") or self._begins_statement()):
                return
            token = words.take()
            depth += (token.text == "{") - (token.text == "}")
            if depth <= 0 and token.text in (";", "}"):
                return

    def _begins_statement(self) -> bool:
        """Whether the next word is a statement's first on a new line."""
        words = self.words
        text = words.source.text[words.tokens[words.at - 1].end : words.next.start]
        return words.next.text in STATEMENTS and "\n" in text and words.tokens[words.at - 1].text not in (",", "(")

    def statement(self, readers: Mapping[str, Reader]) -> Fields:
        """Reads one statement."""
        token = self.words.take()
        if token.kind != "name":
            raise self.words.fail("a statement", token)
        if token.text not in readers:
            place = _INNER.get(token.text, "outside this block" if token.text in STATEMENTS else "")
            if place:
                raise HostMistake(errors.misplaced(self.words.span(token), f"`{token.text}`", place))
            raise HostMistake(errors.unknown_statement(self.words.span(token), readers))
        where = Span(self.words.source, token.start, token.end).location
        return {"stmt": token.text, "at": [where.file, where.line, where.col], **readers[token.text](self)}

    def braces(self, readers: Mapping[str, Reader] = STATEMENTS) -> list[Fields]:
        """Reads `{ statements }`."""
        opening = self.words.next
        self.words.expect("{")
        return self.block(readers, opening)


def end(parser: HostParser, fields: Fields) -> Fields:
    parser.words.expect(";")
    return fields


def gpus(words: Words) -> Any:
    """`all` or the number of a GPU."""
    return "all" if words.accepts("all") else words.expression()


def _value_statement(parser: HostParser) -> Fields:
    """`param n = 64;`, `let m = n / 2;`"""
    words = parser.words
    name = words.name()
    words.expect("=")
    try:
        value = words.expression()
    finally:
        words.names.add(name)
    return end(parser, {"name": name, "value": value})


statement("param")(_value_statement)
statement("let")(_value_statement)


@statement("require")
def _require(parser: HostParser) -> Fields:
    """`require n % ngpus == 0, "message";`"""
    condition = parser.words.expression()
    message = parser.words.string() if parser.words.accepts(",") else ""
    return end(parser, {"cond": condition, "message": message})


@statement("print")
def _print(parser: HostParser) -> Fields:
    """`print "text", n;`"""
    return {"args": parser.words.list_of(";")}


@statement("buffer")
def _buffer(parser: HostParser) -> Fields:
    """`buffer x : bf16[n, 128] = normal(0, 1) same opaque(big);`"""
    words = parser.words
    name = words.declare("the name of the buffer")
    words.expect(":")
    fields: Fields = {"name": name, "type": words.name("a type, such as f32"), "dims": []}
    if words.accepts("["):
        fields["dims"] = words.list_of("]")
    if words.accepts("="):
        fields["fill"] = words.call("a fill, such as zeros")
    for word in words.clauses(("same", "on", "opaque")):
        fields[word] = gpus(words) if word == "on" else word != "opaque" or words.condition()
    return end(parser, fields)


@statement("for")
def _for(parser: HostParser) -> Fields:
    """`for i in 0..n { … }`"""
    return loop(parser, STATEMENTS)


def loop(parser: HostParser, readers: Mapping[str, Reader]) -> Fields:
    words = parser.words
    name = words.name()
    words.expect("in")
    first = words.expression()
    words.expect("..")
    last = words.expression()
    with words.local(name):
        return {"var": name, "from": first, "to": last, "body": parser.braces(readers)}


@statement("each")
def _each(parser: HostParser) -> Fields:
    """`each gpu g { … }`"""
    parser.words.expect("gpu")
    name = parser.words.name()
    with parser.words.local(name):
        return {"var": name, "body": parser.braces()}


@statement("if")
def _if(parser: HostParser) -> Fields:
    """`if c { … } else if d { … } else { … }`"""
    condition = parser.words.expression()
    fields: Fields = {"cond": condition, "then": parser.braces(), "else": []}
    if parser.words.accepts("else"):
        fields["else"] = [parser.statement(STATEMENTS)] if parser.words.sees("if") else parser.braces()
    return fields


@statement("launch")
def _launch(parser: HostParser) -> Fields:
    """`launch k on all grid(x, y) block(128) cluster(2) cooperative shared n stack n stream s after(t) gated g axis y (a);`"""
    words, token = parser.words, parser.words.next
    fields: Fields = {"kernel": words.name("the name of a kernel"), "on": "all", "args": []}
    keys = ("on", "grid", "block", "cluster", "cooperative", "shared", "stack", "stream", "after", "gated")
    for word in words.clauses(keys):
        if word == "on":
            fields["on"] = gpus(words)
        elif word in ("grid", "block", "cluster", "after"):
            words.expect("(")
            fields[word] = words.list_of(")")
        elif word == "cooperative":
            fields["cooperative"] = True
        elif word == "gated":
            fields["gated"] = _gated(words)
        else:
            fields[word] = words.expression()
    for word in ("grid", "block"):
        if word not in fields:
            raise words.fail(f"`{word}(…)`", help=f"launch {token.text} on all grid(…) block(…) (…);")
    if words.accepts("("):
        fields["args"] = words.list_of(")")
    return end(parser, fields)


def _gated(words: Words) -> Fields:
    gate, axis = words.name("the name of a gate"), "x"
    if words.accepts("axis"):
        token = words.next
        axis = words.name("`x`, `y` or `z`")
        if axis not in AXES:
            raise HostMistake(errors.unknown_word(words.span(token), "axis", AXES))
    return {"gate": gate, "axis": axis}


@statement("sync")
def _sync(parser: HostParser) -> Fields:
    """`sync;`, `sync on 0;`"""
    return end(parser, {"on": gpus(parser.words) if parser.words.accepts("on") else "all"})


@statement("barrier")
def _barrier(parser: HostParser) -> Fields:
    """`barrier;`"""
    return end(parser, {})


@statement("copy")
def _copy(parser: HostParser) -> Fields:
    """`copy a@1 from b@0 bytes 64;`"""
    words = parser.words
    target = words.expression()
    words.expect("from")
    fields: Fields = {"dst": target, "src": words.expression()}
    if words.accepts("bytes"):
        fields["bytes"] = words.expression()
    return end(parser, fields)


@statement("fetch")
def _fetch(parser: HostParser) -> Fields:
    """`fetch b@g stream 0;`"""
    words = parser.words
    fields: Fields = {"src": words.expression()}
    if words.accepts("stream"):
        fields["stream"] = words.expression()
    return end(parser, fields)


@statement("busy")
def _busy(parser: HostParser) -> Fields:
    """`busy 1000;`, `busy 1000 on 0;`"""
    words = parser.words
    fields: Fields = {"ns": words.expression()}
    return end(parser, {**fields, "on": gpus(words) if words.accepts("on") else "all"})


@statement("check")
def _check(parser: HostParser) -> Fields:
    """`check y ~ reference(a, b) rtol 1e-3 atol 1e-3;`"""
    words = parser.words
    got = words.expression()
    words.expect("~")
    fields: Fields = {"got": got, "reference": words.call("the name of a reference")}
    for word in words.clauses(("rtol", "atol")):
        fields[word] = words.expression()
    return end(parser, fields)


from . import host_hubs as _hubs  # noqa: E402, F401  its statements are part of the language
