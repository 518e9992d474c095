"""The catalogue of what can be wrong with the shape of a program: one function per mistake, each a whole message.

Mistakes about names, types and instructions are found by `check` and listed there.
"""

from __future__ import annotations

from collections.abc import Iterable

from .diagnostics import Diagnostic, did_you_mean
from .source import Span


def _error(code: str, message: str, span: Span, label: str = "", help: str = "") -> Diagnostic:
    return Diagnostic("error", code, message, span, label, help)


def _hint(word: str, words: Iterable[str]) -> str:
    near = did_you_mean(word, words)
    return f"did you mean `{near}`?" if near else ""


# --- tokens and statements --------------------------------------------------------------------------------------------


def expected(span: Span, what: str, help: str = "") -> Diagnostic:
    """Something else had to stand here."""
    found = span.text.split("\n")[0]
    message = f"expected {what}" + (f", found `{found}`" if found else "")
    return _error("expected", message, span, f"expected {what}", help)


def missing_semicolon(span: Span, first: str = "", macros: Iterable[str] = ()) -> Diagnostic:
    """A statement runs into the next one; `span` is the place after its last word.

    `first`: its first word, which was perhaps meant to be one of `macros`: those need no `;`.
    """
    help = _hint(first, macros)
    if not help and first[:1].isupper():
        help = f"there is no macro `{first}`"
    return _error("missing-semicolon", "expected `;` at the end of the statement", span, "expected `;`", help)


def stray_character(span: Span) -> Diagnostic:
    """No word of the language starts with this character."""
    return _error("stray-character", f"unexpected character `{span.text}`", span)


def unterminated(span: Span, what: str, closing: str) -> Diagnostic:
    """A bracket, block, comment or string is never closed; `span` is its beginning."""
    return _error("unterminated", f"unterminated {what}", span, "opened here", f"add the missing `{closing}`")


def stray_brace(span: Span) -> Diagnostic:
    """A `}` that closes nothing."""
    return _error("stray-brace", "`}` closes no block", span)


def unknown_directive(span: Span, words: Iterable[str]) -> Diagnostic:
    """A word with a dot that is no directive here."""
    word = span.text
    return _error("unknown-directive", f"unknown directive `{word}`", span, "", _hint(word, words))


def misplaced(span: Span, what: str, where: str) -> Diagnostic:
    """Something that is only allowed elsewhere."""
    return _error("misplaced", f"{what} is only allowed {where}", span)


def repeated(span: Span, what: str, first: Span) -> Diagnostic:
    """Something that may be said once is said twice."""
    return _error("repeated", f"second {what}", span).with_note(first, "the first is")


def bad_number(span: Span, why: str) -> Diagnostic:
    """A constant that has no value: division by zero, too large, not a whole number."""
    return _error("bad-number", why, span)


def no_version(span: Span) -> Diagnostic:
    """A module without `.version` or `.target`."""
    what = "a program starts with `.version` and `.target`"
    return _error("no-version", what, span, "", "for example:\n.version 9.0\n.target sm_90a\n.address_size 64")


def bad_version(span: Span, why: str) -> Diagnostic:
    """`.version` or `.address_size` of something that is not assembled here."""
    return _error("bad-version", why, span)


# --- macros -----------------------------------------------------------------------------------------------------------


def unclosed_directive(span: Span, name: str, closing: str) -> Diagnostic:
    """`.macro` without `.endm`, and the like."""
    return _error("unclosed-directive", f"unterminated `{name}`", span, f"no `{closing}` follows")


def stray_directive(span: Span, name: str, opening: str) -> Diagnostic:
    """`.endm` without `.macro`, and the like."""
    return _error("stray-directive", f"`{name}` without `{opening}`", span)


def macro_arguments(span: Span, name: str, message: str, definition: Span) -> Diagnostic:
    """An invocation that does not fit the macro's parameters."""
    return _error("macro-arguments", f"macro `{name}` {message}", span).with_note(definition, "defined")


def unknown_argument(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    r"""`\name` in a macro that has no such parameter."""
    names = list(names)
    help = _hint(name, names) or (f"there are: {', '.join(names)}" if names else "")
    return _error("unknown-argument", f"`\\{name}` is no parameter of this macro", span, "", help)


def expansion_too_deep(span: Span, name: str) -> Diagnostic:
    """A macro that expands itself for ever, or a file that includes itself."""
    return _error("too-deep", f"`{name}` expands itself without end", span)


def expansion_too_long(span: Span, limit: int) -> Diagnostic:
    """An expansion that no one can want."""
    return _error("too-long", f"the expanded program is longer than {limit} characters", span)


def include_outside(span: Span, path: str) -> Diagnostic:
    """`.include` of a file that is not in a folder it may be in."""
    return _error("include-outside", f"`{path}` is outside the program's folder", span, "", "copy the file there")


def include_missing(span: Span, path: str, near: str) -> Diagnostic:
    """`.include` of a file that is not there."""
    return _error("include-missing", f"no file `{path}`", span, "", f"did you mean `{near}`?" if near else "")


def unknown_constant(span: Span, name: str, names: Iterable[str]) -> Diagnostic:
    """A name in a macro-time expression that no `.set` and no -D defines."""
    help = _hint(name, names) or f"define it with `.set {name}, value` or `-D {name}=value`"
    return _error("unknown-constant", f"unknown constant `{name}`", span, "", help)


# --- host program -----------------------------------------------------------------------------------------------------


def unknown_statement(span: Span, words: Iterable[str]) -> Diagnostic:
    """A host statement that starts with an unknown word."""
    words = list(words)
    help = _hint(span.text, words) or f"statements: {', '.join(words)}"
    return _error("unknown-statement", f"unknown host statement `{span.text}`", span, "", help)


def unknown_word(span: Span, what: str, words: Iterable[str]) -> Diagnostic:
    """A word that is none of a short list of words."""
    words = list(words)
    help = _hint(span.text, words) or f"one of: {', '.join(words)}"
    return _error("unknown-word", f"unknown {what} `{span.text}`", span, "", help)
