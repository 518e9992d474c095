"""The macro language: what text it makes, and that every character of it knows where it comes from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler import macro
from assembler.diagnostics import render
from assembler.macro import Expanded, expand
from assembler.parse import parse_module
from assembler.source import Source, SourceFile, Span


def expanded(text: str, defines: dict[str, str] | None = None, path: str = "<text>") -> Expanded:
    result = expand(text, path, (), defines or {})
    assert render(result.diagnostics) == ""
    return result


def words(text: str, defines: dict[str, str] | None = None) -> str:
    """The expanded text with single blanks."""
    return " ".join(expanded(text, defines).source.text.split())


def test_text_without_directives_is_kept() -> None:
    text = "mov.u32 %r1, N; // .set N, 4\n/* .macro */ \\x"
    assert expanded(text).source.text == text


# --- .set


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (".set N, 4\nmov %r1, N;", "mov %r1, 4;"),
        (".set N, 4\n.set M, N*2 // twice\nmov %r1, M+N;", "mov %r1, 8+4;"),
        (".set N 4\nmov %r1, N;", "mov %r1, 4;"),
        (".set N, 1\n.set N, N+1\n.set N, N+1\nN", "3"),
        (".set N, -4\n[%r+N] 3-N 3+N", "[%r+-4] 3-(-4) 3+-4"),
        (".set F, 1.5\nF", "0d3FF8000000000000"),
        (".set F, 0f3F800000\nF", "0f3F800000"),
        (".set R, %acc\nadd R, R;", "add %acc, %acc;"),
        (".set N, 4\n%N<N>; x.N N.x N: $N \"N\" /* N */ NN N$ N", '%N<4>; x.N 4.x N: $N "N" /* N */ NN N$ 4'),
    ],
)  # fmt: skip
def test_set(text: str, want: str) -> None:
    assert words(text) == want


def test_defines_override_set_and_nothing_else() -> None:
    assert words(".set N, 4\n.set M, N\nN M K", {"N": "7", "K": "1"}) == "7 7 K"
    result = expand(".set N, 4\n.if K\n.endif\n", "<text>", (), {"N": "7", "K": "1", "other": "2"})
    assert list(result.constants) == ["N", "K"]


# --- .if


@pytest.mark.parametrize(
    ("condition", "want"),
    [("1", "yes"), ("0", "no"), ("N == 4 && !defined(M)", "yes"), ("N > 4", "no"), ('"a" == "b"', "no"),
     ('S == "x"', "yes")],
)  # fmt: skip
def test_if(condition: str, want: str) -> None:
    text = f'.set N, 4\n.set S, "x"\n.if {condition}\nyes\n.else\nno\n.endif\n'
    assert words(text) == want


def test_branches_that_do_not_count_are_not_read() -> None:
    text = (
        ".set N, {}\n.if N == 1\na\n.elif N == 2\n.if 0\nx\n.else\nb\n.endif\n"
        ".elif N == 1/0\nc\n.else\n\\d .endr\n.endif"
    )
    assert words(text.format(1)) == "a"
    assert words(text.format(2)) == "b"


# --- .rept


def test_rept() -> None:
    assert words(".rept 3, i\nmov %r\\i, \\i;\n.endr") == "mov %r0, 0; mov %r1, 1; mov %r2, 2;"
    assert words(".set N, 1\n.rept 2*N\n.rept N+1, j\n\\j\n.set N, N\n.endr\n.endr") == "0 1 0 1"
    assert words(".rept 0\nx\n.endr y") == ""


# --- .macro


@pytest.mark.parametrize(
    ("use", "want"),
    [
        ("M 1, 2", "1 2 d"), ("M 1, 2;", "1 2 d"), ("M 1, 2, 3", "1 2 3"), ("M b=2, a=1", "1 2 d"),
        ("M 1, c=3, b = 2", "1 2 3"), ("M {%r1, %r2}, [%r+4], f(a, b)", "{%r1, %r2} [%r+4] f(a, b)"),
        ("M \"a,b;\", // c\n  2;", '"a,b;" 2 d'), ("x: M 1, 2", "x: 1 2 d"), ("{ M 1, 2; }", "{ 1 2 d }"),
        ("M 1, 2; M 3, 4", "1 2 d 3 4 d"), ("M , 2", "e 2 d"), ("Mx 1, M, M: %M a.M", "Mx 1, M, M: %M a.M"),
        ("add 1,\n  M 2, 3;", "add 1, M 2, 3;"), ("// M 1, 2\n/* M\n1 */ x", "// M 1, 2 /* M 1 */ x"),
    ],
)  # fmt: skip
def test_invocations(use: str, want: str) -> None:
    assert words(f".macro M a=e, b, c=d // comment\n\\a \\b \\c\n.endm\n{use}") == want


def test_macros_in_macros() -> None:
    text = ".macro IN x\n<\\x>\n.endm\n.macro OUT y, n\nIN \\y\\()_t;\n.rept \\n, i\nIN \\i\n.endr\n.endm\nOUT %r, 2"
    assert words(text) == "<%r_t> <0> <1>"


def test_unique_names() -> None:
    text = ".macro IN\nI\\@\n.endm\n.macro OUT\nO\\@ \n IN\nO\\@\n.endm\nOUT\nOUT"
    assert words(text) == "O1 I2 O1 O3 I4 O3"


def test_a_macro_may_define_macros_and_constants() -> None:
    text = ".macro DEFINE name, value\n.macro \\name x\n\\x \\value\n.endm\n.set N, \\value\n.endm\nDEFINE M, 5\nM 1\nN"
    assert words(text) == "1 5 5"


def test_host_programs_have_no_textual_constants() -> None:
    text = ".set N, 4\n.host h {\nlet N2 = N;\nif N { }\n}\nN"
    assert words(text) == ".host h { let N2 = N; if N { } } 4"


# --- .include


def test_include(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.inc").write_text('.set A, 1\n.include "b.inc"\n')
    (tmp_path / "sub" / "b.inc").write_text("b A\n")
    (tmp_path / "c.inc").write_text("c A\n")
    main = tmp_path / "main.s"
    text = '.include "sub/a.inc"\n.include "c.inc" // comment\n.include "c.inc"\nA\n'
    result = expanded(text, path=str(main))
    assert result.source.text.split() == ["b", "1", "c", "1", "c", "1", "1"]
    assert [Path(file.path).name for file in result.source.files] == ["main.s", "a.inc", "b.inc", "c.inc"]


def test_include_stays_inside(tmp_path: Path) -> None:
    own = tmp_path / "own"
    other = tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
    (other / "x.inc").write_text("x\n")
    (own / "link.inc").symlink_to(other / "x.inc")
    for name in ("../other/x.inc", str(other / "x.inc"), "link.inc"):
        result = expand(f'.include "{name}"\n', str(own / "main.s"), (), {})
        assert [d.code for d in result.diagnostics] == ["include-outside"], name
        assert result.source.text.strip() == ""
    result = expand('.include "x.inc"\n', str(own / "main.s"), [other], {})
    assert (result.source.text.strip(), result.diagnostics) == ("x", [])


# --- where text comes from


PROGRAM = """\
.version 9.0
.target sm_90a
.address_size 64
.set N, 16
.macro INNER op, reg
    \\op \\reg, \\reg, N;
.endm
.macro OUTER type, reg
    INNER add.\\type, \\reg
.endm
.entry k()
{
    OUTER u32, %r1
    .rept 2, i
    OUTER s\\i, %r2
    .endr
}
"""


def test_places_through_expansions() -> None:
    source = expanded(PROGRAM, path="p.s").source

    def place(text: str, after: str = "") -> tuple[str, list[str]]:
        start = source.text.index(text, source.text.index(after))
        where = Span(source, start, start + len(text)).location
        chain, expansion = [], where.expansion
        while expansion:
            there = expansion.span.location
            chain.append(f"{expansion.what} at {there.line}:{there.col}")
            expansion = there.expansion
        return f"{where.line}:{where.col}-{where.end_col}", chain

    assert place(".entry") == ("11:1-7", [])
    inner, outer = "expanded from macro `INNER` at 9:5", "expanded from macro `OUTER` at 13:5"
    assert place("16") == ("6:21-22", [inner, outer])  # a constant: its name
    used = ["used in macro `INNER` at 6:9", inner, outer]
    assert place("%r1") == ("13:16-19", used)  # an argument: where it was given
    assert place("add.") == ("9:11-15", ["used in macro `INNER` at 6:5", inner, outer])
    assert place("add.u32") == ("6:5-8", [inner, outer])  # of several arguments: the name in the macro
    assert place("add.u32 %r1") == ("6:5-13", [inner, outer])
    assert place("%r1, %r1") == ("6:9-19", [inner, outer])
    again = place("16", "add.s1")
    assert again == ("6:21-22", [inner, "expanded from macro `OUTER` at 15:5", "repetition 1 of `.rept` at 14:5"])


def test_message_through_expansions() -> None:
    text = PROGRAM.replace("\\reg, N;", "\\reg N;")
    _, diagnostics = parse_module(text, "p.s")
    assert render(diagnostics) == (
        "p.s:6:20: error: expected `,` or `;`, found `16`\n"
        "  |\n6 |     \\op \\reg, \\reg N;\n  |                    ^ expected `,` or `;`\n"
        "  = note: the same in 2 more expansions\n"
        "  = note: expanded from macro `INNER` at p.s:9:5\n"
        "  = note: expanded from macro `OUTER` at p.s:13:5\n"
    )


@given(st.lists(st.tuples(st.text("ab\n", max_size=6), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5))
def test_pieces_keep_origins(parts: list[tuple[str, int, int]]) -> None:
    """Whatever is cut out of a text and cut again, its characters know their offset."""
    text = "".join(f"{word}|" for word, _, _ in parts)
    piece, expected = Source([SourceFile("f", text)], text, [*Source.of_text(text).marks], [0]), list(range(len(text)))
    for _, start, length in parts:
        piece, expected = piece.piece(start, start + length), expected[start : start + length]
        assert piece.text == "".join(text[i] for i in expected)
        file = piece.files[0]
        for i, offset in enumerate(expected):
            where = piece.locate(i, i + 1)
            assert (where.line, where.col) == file.line_col(offset)


def test_endless_macros_end() -> None:
    result = expand(".macro A\nA\nB\nA\n.endm\n.macro B\nA\nB\n.endm\nA\n", "<text>", (), {})
    assert {d.code for d in result.diagnostics} == {"too-deep"} and len(result.diagnostics) <= 2


def test_huge_repetitions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macro, "_MAX_SIZE", 10_000)
    text = ".rept 100000\n.rept 100000\nadd.u32 %r1, %r1, 1;\n.endr\n.endr\n"
    result = expand(text, "<text>", (), {})
    assert [d.code for d in result.diagnostics] == ["too-long"]


def test_real_ptx_is_not_touched() -> None:
    for path in Path(__file__).with_name("data").glob("*.ptx"):
        text = path.read_text()
        forced = expand(f".set UNUSED_NAME, 1\n{text}", "<text>", (), {})
        assert (forced.source.text, forced.diagnostics) == (f"\n{text}", [])
