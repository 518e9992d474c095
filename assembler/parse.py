"""Text to syntax tree: blocks and statements, and what to do when one of them is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lark import UnexpectedInput

from . import errors, host, macro, scan
from .collector import no_garbage_collection
from .diagnostics import Diagnostic, in_order
from .expressions import Mistake
from .grammar import error_offset, parse_rule, syntax_error
from .instruction import ALONE, STATEMENT, instruction
from .source import SourceFile, Span
from .syntax import Block, HostProgram, Item, Label, Module, Section, Statement
from .tree import LINKAGES, PERFORMANCE, SPACES

_DECLARATION = frozenset((*LINKAGES, *SPACES, "attribute", "align", "opaque", "tex"))
_MODULE_WORDS = (*LINKAGES, *SPACES, *scan.LINES, "entry", "func", "alias", "pragma", "section", "host", "reg")
_BODY_WORDS = (*SPACES, "reg", "pragma", "loc", "file", "section", "branchtargets", "callprototype")
NEWEST = (9, 0)
_SINCE = {"sm_90": (7, 8), "sm_90a": (8, 0)}
"""Versions of PTX: the newest known here, and the first that has a target."""
_GOES_ON = frozenset(",([{|+-*/=!~<&^?:@")
"""Signs after which a statement cannot end."""


def parse_module(
    text: str,
    path: str = "<text>",
    include_dirs: Sequence[str | Path] = (),
    defines: Mapping[str, str] | None = None,
    files: list[SourceFile] | None = None,
) -> tuple[Module, list[Diagnostic]]:
    """The syntax tree of a program's text and all that is wrong with it; macros are expanded.

    `path`: for messages, and for `.include` (files in its folder and `include_dirs`). `defines`: values of constants.
    `files`: those of the modules before this one; the module's own are added.
    """
    with no_garbage_collection():
        expanded = macro.expand(text, path, include_dirs, defines or {}, files)
        module = Parser(expanded).module()
    return module, in_order(expanded.diagnostics)


class _Open(NamedTuple):
    """A block whose end has not come yet."""

    start: int
    items: list[Statement]


class Parser:
    """One pass over a program's expanded text. Mistakes go to its diagnostics; what is right around them is kept."""

    def __init__(self, expanded: macro.Expanded) -> None:
        source = self.source = expanded.source
        self.constants, self.macros, self.diagnostics = expanded.constants, expanded.macros, expanded.diagnostics
        comment = scan.unclosed_comment(source.text)
        if comment >= 0:
            self._report(errors.unterminated(self._span(comment, comment + 2), "comment", "*/"))
        self.text = source.text if comment < 0 else source.text[:comment]
        self.items: list[Item] = []
        self.header: dict[str, tuple[Any, Span]] = {}
        self.lost = False  # instructions outside a body were reported and go on

    def _span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def _report(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)

    # --- module level ---

    def module(self) -> Module:
        """The whole program."""
        text, at = self.text, scan.skip(self.text, 0)
        while at < len(text):
            at = scan.skip(text, self._item(at))
        self._check_header()
        value = {name: entry[0] for name, entry in self.header.items()}
        size = value.get("address_size", 64)
        span = self._span(0, len(text))
        names = tuple(self.constants)
        return Module(value.get("version", ""), value.get("target", ()), size, tuple(self.items), names, span)

    def _check_header(self) -> None:
        if not {"version", "target"} <= self.header.keys():
            others = [entry[1] for word, entry in self.header.items() if word == "address_size"]
            places = sorted([*others, *(item.span for item in self.items)], key=lambda span: span.start)
            start = scan.skip(self.text, 0)
            self._report(errors.no_version(places[0] if places else self._span(start, start)))
        elif self.header["version"][1].start > self.header["target"][1].start:
            self._report(errors.misplaced(self.header["version"][1], "`.version`", "at the top of a program"))
        else:
            self._check_version()

    def _check_version(self) -> None:
        text, span = self.header["version"]
        major, dot, minor = text.partition(".")
        wanted = max((_SINCE[name.name] for name in self.header["target"][0] if name.name in _SINCE), default=(0, 0))
        if not (dot and major.isdigit() and minor.isdigit()):
            self._report(errors.bad_version(span, f"`{text}` is no version of PTX"))
        elif (int(major), int(minor)) > NEWEST:
            self._report(errors.bad_version(span, f"PTX {text} is newer than {NEWEST[0]}.{NEWEST[1]}"))
        elif (int(major), int(minor)) < wanted:
            self._report(errors.bad_version(span, f"PTX {text} does not know this target yet"))
        if "address_size" in self.header and self.header["address_size"][0] != 64:
            self._report(errors.bad_version(self.header["address_size"][1], "addresses have 64 bits"))

    def _item(self, at: int) -> int:
        """Reads the item at `at`; returns where to go on."""
        text = self.text
        char = text[at]
        if char == ";":
            return at + 1
        if char == "}":
            if not self.lost:
                self._report(errors.stray_brace(self._span(at, at + 1)))
            return at + 1
        if char == ".":
            return self._module_directive(at)
        if not self.lost:
            span = self._span(*scan.words(text, at, min(len(text), at + 200))[0])
            what = "a block" if char == "{" else "an instruction"
            self._report(errors.misplaced(span, what, "inside a kernel or function"))
            self.lost = True
        if char == "{":
            return self._body(at)[1]
        label = scan.LABEL.match(text, at)
        return label.end() if label else max(at + 1, scan.statement(text, at).resume)

    def _module_directive(self, at: int) -> int:
        text = self.text
        head = scan.HEAD.match(text, at)
        if head:
            self.lost = False
            return self._head(at, head[1])
        match = scan.DIRECTIVE.match(text, at)
        word = match[1] if match else ""
        if word == "host":
            return self._host(at)
        if word in ("version", "target", "address_size"):
            return self._header_line(at, word)
        if word not in _MODULE_WORDS and word not in _DECLARATION:
            return self._unknown_directive(at, _MODULE_WORDS)
        found, resume = self._directive(at, word)
        self.items.extend(found)
        return resume

    def _header_line(self, at: int, word: str) -> int:
        node, resume = self._line(at, word)
        if node is not None:
            _, value, span = node
            if word in self.header and word != "target":  # targets may be said again
                self._report(errors.repeated(span, f"`.{word}`", self.header[word][1]))
            elif self.items and word != "address_size":
                self._report(errors.misplaced(span, f"`.{word}`", "at the top of a program"))
            if word == "target" and word in self.header:
                self.header[word] = ((*self.header[word][0], *value), self.header[word][1])
            self.header.setdefault(word, (value, span))
        return resume

    def _unknown_directive(self, at: int, words: Sequence[str]) -> int:
        match = scan.DIRECTIVE.match(self.text, at)
        span = self._span(at, match.end() if match else at + 1)
        if match and (match[1] in _MODULE_WORDS or match[1] in PERFORMANCE):
            where = "at the head of a kernel" if match[1] in PERFORMANCE else "outside kernels and functions"
            self._report(errors.misplaced(span, f"`{span.text}`", where))
        else:
            self._report(errors.unknown_directive(span, [f".{word}" for word in words]))
        return scan.line_end(self.text, at + 1)

    def _head(self, at: int, kind: str) -> int:
        """A kernel or function: its head, and its body if it has one."""
        extent = scan.head(self.text, at)
        node, restart = self._parse(kind, extent, ended="{;")
        body = None
        if restart is not None:
            resume = restart
            if self.text[restart] != ".":  # the `{` is missing, not a `;`
                body, resume = self._body(restart - 1)
        elif extent.ended == "{":
            body, resume = self._body(extent.end)
        else:
            resume = extent.resume
        if node is not None:
            self.items.append(replace(node, body=body))
        return resume

    def _host(self, at: int) -> int:
        match = scan.HOST.match(self.text, at)
        end = match.end() if match else at + 5
        name = match[1] if match and match[1] else ""
        if self.text[end : end + 1] != "{":
            start, stop = next(iter(scan.words(self.text, end, len(self.text))), (end, end))
            self._report(errors.expected(self._span(start, stop), "`.host name {`"))
            return scan.line_end(self.text, at + 1)
        close = scan.closing_brace(self.text, end)
        stop = close if close >= 0 else scan.next_item(self.text, end)
        found = host.parse(self.source, end + 1, stop, self.constants, self.diagnostics)
        if close < 0 and not any(d.code == "unterminated" for d in self.diagnostics):
            self._report(errors.unterminated(self._span(end, end + 1), "host program `{`", "}"))
        resume = stop + 1 if close >= 0 else stop
        self.items.append(HostProgram(name, found, tuple(self.constants), resume, self._span(at, end)))
        return resume

    # --- bodies ---

    def _body(self, at: int) -> tuple[Block, int]:
        """The block at `at`, and where to go on."""
        text, source = self.text, self.source
        stack, size = [_Open(at, [])], len(self.text)
        at += 1
        while True:
            at = scan.skip(text, at)
            if at >= size or (text[at] == "." and scan.MODULE_WORD.match(text, at)):
                return self._unterminated(stack, at)
            match = STATEMENT.match(text, at)
            node = instruction(source, match) if match else None
            if match and node:
                stack[-1].items.append(node)
                at = match.end()
            elif text[at] == "}":
                start, items = stack.pop()
                at += 1
                block = Block(tuple(items), Span(source, start, at))
                if not stack:
                    return block, at
                stack[-1].items.append(block)
            elif text[at] == "{":
                stack.append(_Open(at, []))
                at += 1
            elif text[at] == ";":
                at += 1
            else:
                at = self._statement(at, stack[-1].items)

    def _unterminated(self, stack: list[_Open], at: int) -> tuple[Block, int]:
        start = stack[-1].start
        self._report(errors.unterminated(self._span(start, start + 1), "block `{`", "}"))
        block = Block((), self._span(start, start + 1))
        for opened in reversed(stack):
            items = [*opened.items, block] if opened is not stack[-1] else opened.items
            block = Block(tuple(items), self._span(opened.start, at))
        return block, at

    def _statement(self, at: int, items: list[Statement]) -> int:
        """A statement that is no simple instruction; returns where to go on."""
        text = self.text
        named = scan.NAMED_DIRECTIVE.match(text, at)
        if named:
            rule = "prototype" if named[1] == "callprototype" else "targets"
            return self._semicolon_statement(rule, at, items)
        label = scan.LABEL.match(text, at)
        if label:
            items.append(Label(label[1], self._span(at, label.end(1))))
            return label.end()
        if text[at] != ".":
            return self._semicolon_statement("instruction", at, items)
        match = scan.DIRECTIVE.match(text, at)
        word = match[1] if match else ""
        if word not in _BODY_WORDS and word not in _DECLARATION:
            return self._unknown_directive(at, _BODY_WORDS)
        found, resume = self._directive(at, word)
        items.extend(found)
        return resume

    # --- statements of both levels ---

    def _directive(self, at: int, word: str) -> tuple[list[Any], int]:
        """Declarations, `.pragma`, `.section`, `.loc` and the like: their nodes, and where to go on."""
        if word == "section":
            return self._section(at)
        if word in scan.LINES:
            node, resume = self._line(at, word)
            return [] if node is None else [node], resume
        rule = {"pragma": "pragma", "alias": "alias", "reg": "registers"}.get(word, "variables")
        found: list[Any] = []
        resume = self._semicolon_statement(rule, at, found)
        return found, resume

    def _section(self, at: int) -> tuple[list[Section], int]:
        match = scan.SECTION.match(self.text, at)
        if match:
            return [Section(match[1], match[2], self._span(at, match.end()))], match.end()
        brace = self.text.find("{", at, scan.line_end(self.text, at))
        if brace < 0:
            end = scan.words(self.text, at, scan.line_end(self.text, at))[-1][1]
            self._report(errors.expected(self._span(end, end), "`{`"))
            return [], scan.line_end(self.text, at)
        self._report(errors.unterminated(self._span(brace, brace + 1), "section `{`", "}"))
        return [], len(self.text)

    def _line(self, at: int, word: str) -> tuple[Any, int]:
        """A directive that ends without `;`."""
        match = scan.LINES[word].match(self.text, at)
        end = match.end() if match else scan.line_end(self.text, at)
        node, _ = self._parse(word, scan.Extent(at, end, end, ""), ended=None)
        resume = scan.skip(self.text, end)
        return node, resume + 1 if self.text[resume : resume + 1] == ";" else end

    def _semicolon_statement(self, rule: str, at: int, items: list[Any]) -> int:
        extent = scan.statement(self.text, at)
        node, restart = self._parse(rule, extent, ended=";")
        items.extend(node if isinstance(node, list) else [] if node is None else [node])
        return max(at + 1, extent.resume) if restart is None else restart

    def _parse(self, rule: str, extent: scan.Extent, ended: str | None) -> tuple[Any, int | None]:
        """The node of a statement, None if it is wrong; and where a forgotten `;` lets the next one begin.

        `ended`: the signs that may end it; None if none is needed.
        """
        start, end = extent.start, extent.end
        restart = self._lone_word(start, end) if rule == "instruction" else None
        try:
            if restart is None:
                node = parse_rule(self.source, rule, start, end)
                if ended is not None and extent.ended not in tuple(ended):
                    self._missing_semicolon(start, end)
                return node, None
        except Mistake as mistake:
            self._report(mistake.diagnostic)
            return None, None
        except UnexpectedInput as error:
            restart = self._next_statement(start, error_offset(error, start, end), end)
            if restart is None:
                self._syntax_error(error, start, end)
                return None, None
        node, _ = self._parse(rule, scan.Extent(start, restart, restart, ";"), ended=None)
        if node is not None:
            self._missing_semicolon(start, restart)
        return node, restart

    def _syntax_error(self, error: UnexpectedInput, start: int, end: int) -> None:
        diagnostic = syntax_error(self.source, error, start, end)
        if diagnostic.span.text != "\\" or not any(d.code == "unknown-argument" for d in self.diagnostics):
            self._report(diagnostic)

    def _missing_semicolon(self, start: int, end: int) -> None:
        words = scan.words(self.text, start, end)
        first, last = self.text[slice(*words[0])], words[-1][1]
        if scan.HEAD.match(self.text, start):
            self._report(errors.expected(self._span(last, last), "`{` or `;`"))
        else:
            self._report(errors.missing_semicolon(self._span(last, last), first, self.macros))

    def _lone_word(self, start: int, end: int) -> int | None:
        """Where the next statement begins if this one is an instruction without operands whose `;` is forgotten."""
        words = scan.words(self.text, start, end)
        opcode = 2 if self.text[start] == "@" and len(words) > 2 else 0
        if len(words) > opcode + 1 and self.text[slice(*words[opcode])] in ALONE:
            following = words[opcode + 1][0]
            return following if "\n" in self.text[words[opcode][1] : following] else None
        return None

    def _next_statement(self, start: int, wrong: int, end: int) -> int | None:
        """Where a new statement begins, if the text goes wrong at `wrong` because an earlier line lacks its `;`."""
        text = self.text
        words = scan.words(text, start, end)
        for before, word in reversed(list(pairwise(words))):
            if word[0] > wrong or "\n" not in text[before[1] : word[0]]:
                continue
            starts_well = text[word[0]] in "@.%$_{" or text[word[0]].isalpha()
            return word[0] if starts_well and text[before[1] - 1] not in _GOES_ON else None
        return None
