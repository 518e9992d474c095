"""Wrong programs from right ones: one small change each, the same from the same seed."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assembler import emit_ptx
from isa.table import CHAPTERS

ROOT = Path(__file__).resolve().parents[2]
CONFORM = ROOT / "tests" / "conform"
ELSEWHERE = ("wgmma", "wmma", "mma.sp", "setmaxnreg", "tcgen05")
"""Instructions whose lines are left alone: other tests look at them."""
ROWS_EACH = 6
"""Rows of the table in one of the small programs."""
TYPES = ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "b8", "b16", "b32", "b64", "f16", "f16x2", "bf16", "bf16x2",
         "f32", "f64", "pred", "b128")  # fmt: skip
SPACES = ("global", "shared", "local", "const", "param")
MODIFIERS = ("rn", "rz", "ftz", "sat", "wide", "hi", "lo", "approx", "full", "cc", "lt", "and", "volatile", "relaxed", "cta",
             "gpu", "v2", "v4", "sync", "x4", "trans", "aligned", "L2::128B", "nan", "foo")  # fmt: skip
IMMEDIATES = ("-1", "0", "31", "32", "64", "255", "65536", "4294967296", "-2147483649", "18446744073709551615",
              "18446744073709551616", "1.5", "0f3F800000", "0d3FF0000000000000", "0x1FF")  # fmt: skip

WORDS = ("", ".b8", ".u32", ".f64", ".pred", ".reg", ".shared", ".local", ".const", ".param", ".extern", ".weak", ".align",
         ".v2", ".v3")  # fmt: skip

_INSTRUCTION = re.compile(
    r"^[ \t]*(?:@!?[%\w$]+[ \t]+)?(?P<opcode>[a-z][\w]*(?:(?:\.|::)\w+)*)"
    r"(?P<operands>[^;{}]*(?:\{[^;{}]*\}[^;{}]*)*);",
    re.MULTILINE,
)
_REGISTER = re.compile(r"%[a-zA-Z]\w*\b(?!\.)|\$L\w+")
_DIRECTIVE = re.compile(
    r"^[ \t]*(\.(?:reg|version|target|address_size|shared|local|global|const|param|extern|func|visible|maxntid|loc|file|"
    r"align|pragma|weak|minnctapersm|reqntid)\b.*)$",
    re.MULTILINE,
)
_LABEL = re.compile(r"^([$\w]+):[ \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.%$])-?(?:0[xX][0-9a-fA-F]+|0[fd][0-9A-F]{8,16}|\d+)\b(?!\s*[.<])")


@dataclass(frozen=True)
class Mutant:
    """A changed program. `name`: source, kind of change, number, from which it is made again; `line`: what is changed."""

    name: str
    kind: str
    line: str
    text: str


@cache
def sources() -> dict[str, str]:
    """The right programs by name: what compilers wrote, and texts that ptxas accepts."""
    paths = [*sorted(CONFORM.glob("*.ptx")), *sorted((CONFORM / "accept").glob("*.ptx"))]
    return {path.stem: path.read_text(encoding="utf-8") for path in paths} | dict(_programs()) | dict(_rows())


def _programs() -> Iterator[tuple[str, str]]:
    """The PTX of programs of this repository that use no extension: `program:name`."""
    for path in sorted((ROOT / "programs").glob("*/*.s")):
        text = emit_ptx(path)
        if "/* extension:" not in text and ".entry" in text:
            yield f"program:{path.stem}", text


def _rows() -> Iterator[tuple[str, str]]:
    """Small programs with instances of all PTX rows of the table, a few rows each: `rows:chapter:number`."""
    sys.path.append(str(ROOT / "tests" / "isa"))
    from test_ptxas import EXTENSIONS, module, sample, statement

    for chapter in CHAPTERS:
        name = chapter.__name__.rpartition(".")[2]
        rows = [row for row in chapter.ROWS if row.target not in EXTENSIONS]
        for start in range(0, len(rows), ROWS_EACH):
            lines = [statement(op) for row in rows[start : start + ROWS_EACH] for op in sample(row)[::3]]
            yield f"rows:{name}:{start // ROWS_EACH}", module(lines)


class Instructions:
    """The instructions of a text, by opcode, so that rare ones are changed as often as frequent ones."""

    def __init__(self, text: str) -> None:
        self.by_opcode: dict[str, list[re.Match[str]]] = {}
        start = text.find("\n{")
        for match in _INSTRUCTION.finditer(text, max(start, 0)):
            if not match["opcode"].startswith(ELSEWHERE):
                self.by_opcode.setdefault(match["opcode"], []).append(match)

    def choose(self, rng: random.Random, fits: Callable[[re.Match[str]], bool]) -> re.Match[str] | None:
        """One for which `fits` holds."""
        opcodes = list(self.by_opcode)
        rng.shuffle(opcodes)
        for opcode in opcodes:
            found = [match for match in self.by_opcode[opcode] if fits(match)]
            if found:
                return rng.choice(found)
        return None


def _replaced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _opcode(text: str, match: re.Match[str], words: list[str]) -> str:
    return _replaced(text, *match.span("opcode"), ".".join(words))


def _operands(match: re.Match[str]) -> list[str]:
    """The operands as written; braces, brackets and parentheses keep commas together."""
    parts, depth, word = [], 0, ""
    for sign in match["operands"]:
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append(word)
            word = ""
        else:
            word += sign
    return [*parts, word] if word.strip() else parts


def _with_operands(text: str, match: re.Match[str], operands: list[str]) -> str:
    return _replaced(text, *match.span("operands"), ",".join(operands))


def wrong_type(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """Another type in an opcode."""
    match = found.choose(rng, lambda m: any(word in TYPES for word in m["opcode"].split(".")))
    if match is None:
        return None
    words = match["opcode"].split(".")
    at = rng.choice([i for i, word in enumerate(words) if word in TYPES])
    words[at] = rng.choice([name for name in TYPES if name != words[at]])
    return match.start("opcode"), _opcode(text, match, words)


def missing_operand(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """An operand less."""
    match = found.choose(rng, lambda m: len(_operands(m)) > 0)
    if match is None:
        return None
    operands = _operands(match)
    operands.pop(rng.randrange(len(operands)))
    return match.start("opcode"), _with_operands(text, match, operands)


def extra_operand(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """An operand twice."""
    match = found.choose(rng, lambda m: len(_operands(m)) > 0)
    if match is None:
        return None
    operands = _operands(match)
    operands.insert(rng.randrange(len(operands) + 1), rng.choice(operands))
    return match.start("opcode"), _with_operands(text, match, operands)


def bad_modifier(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A modifier more, another one, or one less."""
    match = found.choose(rng, lambda m: "." in m["opcode"])
    if match is None:
        return None
    words = match["opcode"].split(".")
    at, how = rng.randrange(1, len(words)), rng.randrange(3)
    if how == 0:
        words.insert(at, rng.choice(MODIFIERS))
    elif how == 1:
        words[at] = rng.choice(MODIFIERS)
    else:
        words.pop(at)
    return match.start("opcode"), _opcode(text, match, words)


def undefined_symbol(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A register, label or variable of another name."""
    name = re.compile(r"(?<![.\w%$])[%$]?[A-Za-z_$][\w$]*")
    match = found.choose(rng, lambda m: bool(name.search(m["operands"])))
    if match is None:
        return None
    where = rng.choice(list(name.finditer(text, *match.span("operands"))))
    return match.start("opcode"), _replaced(text, where.end(), where.end(), rng.choice(("x", "_9", "99999")))


def wrong_space(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """Another state space, or none."""
    match = found.choose(rng, lambda m: any(word in SPACES for word in m["opcode"].split(".")))
    if match is None:
        return None
    words = match["opcode"].split(".")
    at = rng.choice([i for i, word in enumerate(words) if word in SPACES])
    words[at : at + 1] = rng.choice([[space] for space in SPACES if space != words[at]] + [[]])
    return match.start("opcode"), _opcode(text, match, words)


def wrong_register(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A register of another class that is declared in the same body."""
    match = found.choose(rng, lambda m: bool(_REGISTER.search(m["operands"])))
    if match is None:
        return None
    start, end = text.rfind("\n{", 0, match.start()), text.find("\n}", match.start())
    near = [m for opcode in found.by_opcode.values() for m in opcode if start < m.start() < end]
    names = sorted({m[0] for one in near for m in _REGISTER.finditer(one["operands"])})
    where = rng.choice(list(_REGISTER.finditer(text, *match.span("operands"))))
    stem = where[0].rstrip("0123456789")
    others = [name for name in names if name.rstrip("0123456789") != stem]
    if not others:
        return None
    return match.start("opcode"), _replaced(text, *where.span(), rng.choice(others))


def wrong_vector(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """Another vector width, or a vector with an element more or less."""
    match = found.choose(rng, lambda m: bool(re.search(r"\.v[248]\b", m["opcode"])) or "{" in m["operands"])
    if match is None:
        return None
    words = match["opcode"].split(".")
    widths = [i for i, word in enumerate(words) if re.fullmatch(r"v[248]", word)]
    vector = re.search(r"\{([^{}]*)\}", match["operands"])
    if widths and (vector is None or rng.random() < 0.5):
        words[widths[0]] = rng.choice([w for w in ("v2", "v4", "v8", "v3") if w != words[widths[0]]])
        return match.start("opcode"), _opcode(text, match, words)
    if vector is None:
        return None
    items = vector[1].split(",")
    if rng.random() < 0.5:
        items.append(items[-1])
    else:
        items.pop()
    at = match.start("operands") + vector.start(1)
    return match.start("opcode"), _replaced(text, at, at + len(vector[1]), ",".join(items))


def wrong_immediate(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A constant of another size, sign or kind."""
    match = found.choose(rng, lambda m: bool(_NUMBER.search(m["operands"])))
    if match is None:
        return None
    where = rng.choice(list(_NUMBER.finditer(text, *match.span("operands"))))
    return match.start("opcode"), _replaced(text, *where.span(), rng.choice(IMMEDIATES))


def wrong_operand(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A constant, a sink, an address or a predicate instead of a register."""
    match = found.choose(rng, lambda m: bool(_REGISTER.search(m["operands"])))
    if match is None:
        return None
    where = rng.choice(list(_REGISTER.finditer(text, *match.span("operands"))))
    new = rng.choice(
        ("7", "1.0", "_", f"[{where[0]}]", f"!{where[0]}", f"-{where[0]}", "%tid.x", "%tid", f"{{{where[0]}}}")
    )
    return match.start("opcode"), _replaced(text, *where.span(), new)


def bad_guard(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A guard that is no predicate, or in front of what has none."""
    match = found.choose(rng, lambda m: bool(_REGISTER.search(m["operands"])))
    if match is None:
        return None
    name = rng.choice([m[0] for m in _REGISTER.finditer(match["operands"])])
    guard = text.rfind("@", match.start(), match.start("opcode"))
    start = guard if guard >= 0 else match.start("opcode")
    return match.start("opcode"), _replaced(text, start, match.start("opcode"), f"@{name} ")


def missing_directive(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A line with a directive less."""
    lines = list(_DIRECTIVE.finditer(text))
    match = rng.choice(lines)
    return match.start(1), _replaced(text, *match.span(), "")


def repeated(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A label, declaration or directive twice."""
    lines = [*_LABEL.finditer(text), *_DIRECTIVE.finditer(text)]
    match = rng.choice(lines)
    return match.start(1), _replaced(text, match.end(), match.end(), "\n" + match[0])


def other_directive(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A word of a declaration replaced."""
    word = re.compile(
        r"\.(?:reg|shared|local|global|const|param|align|[busf](?:8|16|32|64)|pred|visible|extern|entry|func)\b"
    )
    lines = [m for m in _DIRECTIVE.finditer(text) if word.search(m[1])]
    match = rng.choice(lines)
    where = rng.choice(list(word.finditer(text, *match.span())))
    new = rng.choice(WORDS)
    return match.start(1), _replaced(text, *where.span(), new)


def punctuation(text: str, found: Instructions, rng: random.Random) -> tuple[int, str] | None:
    """A sign less, or another one."""
    match = found.choose(rng, lambda m: bool(re.search(r"[,\[\]{}();+|!]", m["operands"] + ";")))
    if match is None:
        return None
    where = rng.choice(list(re.finditer(r"[,\[\]{}();+|!]", text[match.start("operands") : match.end()])))
    at = match.start("operands") + where.start()
    return match.start("opcode"), _replaced(text, at, at + 1, rng.choice(("", "", ",", ";", "]", "|", "+")))


KINDS: dict[str, Callable[[str, Instructions, random.Random], tuple[int, str] | None]] = {
    function.__name__: function
    for function in (
        *(wrong_type, missing_operand, extra_operand, bad_modifier, undefined_symbol, wrong_space, wrong_register),
        *(
            wrong_vector,
            wrong_immediate,
            wrong_operand,
            bad_guard,
            missing_directive,
            repeated,
            other_directive,
            punctuation,
        ),
    )
}


@cache
def _instructions(source: str) -> Instructions:
    return Instructions(sources()[source])


def mutant(source: str, kind: str, number: int) -> Mutant | None:
    """One change of one program; None if the program has nothing of the kind, or the change changes nothing."""
    rng = random.Random(f"{source} {kind} {number}")
    text = sources()[source]
    changed = KINDS[kind](text, _instructions(source), rng)
    if changed is None or changed[1] == text:
        return None
    at, new = changed
    start = new.rfind("\n", 0, at) + 1
    end = new.find("\n", at)
    return Mutant(f"{source} {kind} {number}", kind, new[start : end if end >= 0 else len(new)].strip(), new)


def mutants(each: int, first: int = 0) -> Iterator[Mutant]:
    """`each` changes of every kind of every program, numbered from `first` on."""
    for source in sources():
        for kind in KINDS:
            for number in range(first, first + each):
                made = mutant(source, kind, number)
                if made is not None:
                    yield made
