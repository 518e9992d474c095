"""Host statements that set up hubs and objects of the switches: rowsp, multicast, tensormap, dymulticast, gate."""

from __future__ import annotations

from . import errors
from .host import Fields, HostParser, Reader, end, gpus, loop, statement
from .host_words import HostMistake, Words


def _needed(words: Words, fields: Fields, needed: tuple[str, ...]) -> None:
    for word in needed:
        if word not in fields:
            raise words.fail(f"`{word} …`")


@statement("rowsp")
def _rowsp(parser: HostParser) -> Fields:
    """`rowsp r[e] gpu g rows n row_bytes b at x + offset;`"""
    words = parser.words
    name = words.declare("the name of the region")
    fields: Fields = {"name": name, "index": words.list_of("]") if words.accepts("[") else []}
    clauses: Fields = {word: words.expression() for word in words.clauses(("gpu", "rows", "row_bytes", "at"))}
    _needed(words, clauses, ("gpu", "rows", "row_bytes", "at"))
    return end(parser, {**fields, "base": clauses.pop("at"), **clauses})


@statement("multicast")
def _multicast(parser: HostParser) -> Fields:
    """`multicast m over x;`"""
    words = parser.words
    name = words.declare()
    words.expect("over")
    return end(parser, {"name": name, "buffer": words.expression()})


@statement("tensormap")
def _tensormap(parser: HostParser) -> Fields:
    """`tensormap t over x box(64, 8) steps(1, 1) swizzle 128 promotion 256 fill nan;`"""
    words = parser.words
    fields: Fields = {"name": words.declare()}
    words.expect("over")
    fields["buffer"] = words.expression()
    for word in words.clauses(("box", "steps", "swizzle", "promotion", "fill")):
        if word in ("box", "steps"):
            words.expect("(")
            fields[word] = words.list_of(")")
        else:
            fields[word] = words.name("`zeros` or `nan`") if word == "fill" else words.expression()
    _needed(words, fields, ("box",))
    return end(parser, fields)


@statement("dymulticast")
def _dymulticast(parser: HostParser) -> Fields:
    """`dymulticast d bsize b ntoken n stage 2 experts e { bind i gpu g at x, y rows n; }`"""
    words = parser.words
    fields: Fields = {"name": words.declare(), "stage": {"num": 2}}
    for word in words.clauses(("bsize", "ntoken", "stage", "experts")):
        fields[word] = words.expression()
    _needed(words, fields, ("bsize", "ntoken", "experts"))
    fields["body"] = parser.braces(_BINDINGS)
    words.accepts(";")
    return fields


def _bind(parser: HostParser) -> Fields:
    """`bind i gpu g at x, y rows n;`"""
    words = parser.words
    fields: Fields = {"expert": words.expression()}
    clauses: Fields = {}
    for word in words.clauses(("gpu", "at", "rows")):
        clauses[word] = words.expression()
        if word == "at":
            clauses[word] = [clauses[word]]
            while words.accepts(","):
                clauses[word].append(words.expression())
    _needed(words, clauses, ("gpu", "at", "rows"))
    return end(parser, {**fields, "buffers": clauses.pop("at"), **clauses})


_BINDINGS: dict[str, Reader] = {"bind": _bind, "for": lambda parser: loop(parser, _BINDINGS)}


@statement("gate")
def _gate(parser: HostParser) -> Fields:
    """`gate g groups n per gpu { watch …; } threshold t closes rowsp;`"""
    words = parser.words
    fields: Fields = {"name": words.declare("the name of the gate"), "on": "all"}
    for word in words.clauses(("groups", "per", "on")):
        if word == "groups":
            fields["groups"] = words.expression()
        elif word == "per":
            words.expect("gpu")
        else:
            fields["on"] = gpus(words)
    _needed(words, fields, ("groups",))
    fields["watches"] = [{k: v for k, v in w.items() if k != "stmt"} for w in parser.braces({"watch": _watch})]
    for word in words.clauses(("threshold", "closes", "expects")):
        fields[word] = _closes(words) if word == "closes" else words.expression()
    _needed(words, fields, ("threshold",))
    return end(parser, fields)


def _closes(words: Words) -> list[str]:
    token = words.next
    what = words.name("`rowsp` or `kernel name`")
    if what not in ("rowsp", "kernel"):
        raise HostMistake(errors.unknown_word(words.span(token), "end", ("rowsp", "kernel")))
    return [what] if what == "rowsp" else [what, words.name("the name of a kernel")]


def _watch(parser: HostParser) -> Fields:
    """`watch x bytes b stride s cols 0..c first g;`"""
    words = parser.words
    fields: Fields = {"buffer": words.expression()}
    for word in words.clauses(("bytes", "stride", "cols", "first")):
        fields[word] = words.expression()
        if word == "cols":
            words.expect("..")
            fields["cols"] = [fields["cols"], words.expression()]
    _needed(words, fields, ("bytes",))
    return end(parser, fields)
