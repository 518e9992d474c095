"""What is said of wrong programs: each errors/NAME.s with the messages in NAME.err (--update-golden writes them)."""

from pathlib import Path

import pytest

from assembler.diagnostics import AssemblyError, Diagnostic, did_you_mean, render
from assembler.parse import parse_module
from assembler.source import Source, Span

FOLDER = Path(__file__).with_name("errors")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.s")))
def test_messages(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    _, diagnostics = parse_module(Path(f"{name}.s").read_text(encoding="utf-8"), f"{name}.s")
    text = render(diagnostics)
    expected = FOLDER / f"{name}.err"
    if request.config.getoption("--update-golden"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_one_mistake_hides_no_other() -> None:
    """Every second statement is wrong; each is reported at its own line."""
    bad = ["add.u32 %r1 %r2;", "mov.u32 %r1, [;", "st.u32 {%r1;", ".shard .b8 x;", "mov.u32 %r1, 09;", "x y z;", ") ;"]
    body = "\n".join(f"{line}\nadd.u32 %r1, %r1, 1;" for line in bad)
    text = f".version 9.0\n.target sm_90\n.address_size 64\n.entry k() {{\n{body}\n}}\n"
    module, diagnostics = parse_module(text)
    assert [d.span.line for d in diagnostics] == [5 + 2 * i for i in range(len(bad))]
    (entry,) = module.items
    assert sum(getattr(item, "opcode", "") == "add.u32" for item in entry.body.items) == len(bad)  # type: ignore[union-attr]


def test_block_without_last_semicolon() -> None:
    """The block still ends, and what follows is read."""
    text = ".version 9.0\n.target sm_90\n.entry a() { { mov.u32 %r1, 2 } add.u32 %r1, %r1, 1\n}\n.entry b() { ret; }\n"
    module, diagnostics = parse_module(text)
    assert [(d.code, d.span.line, d.span.col) for d in diagnostics] == [
        ("missing-semicolon", 3, 30),
        ("missing-semicolon", 3, 52),
    ]
    assert [item.name for item in module.items] == ["a", "b"]  # type: ignore[union-attr]
    assert [len(item.body.items) for item in module.items] == [2, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_cut_off_text(cut: int) -> None:
    """A text that ends anywhere is an error (or a shorter program), never a crash or a hang."""
    text = (FOLDER.parent / "data" / "bar_red.ptx").read_text()
    start = text.index(".version")
    size = len(text) - start
    parse_module(text[start : start + size * cut // 400])


def diagnostic(text: str, start: int, end: int, **fields: str) -> Diagnostic:
    return Diagnostic("error", "code", "message", Span(Source.of_text(text, "f.s"), start, end), **fields)


def test_render_keeps_tabs_and_colours_only_when_asked() -> None:
    d = diagnostic("a\n\tbc de\n", 6, 8, label="here", help="one\ntwo")
    assert render([d]) == (
        "f.s:2:5: error: message\n  |\n2 | \tbc de\n  | \t   ^^ here\n  = help: one\n  = help: two\n"
    )
    assert "\033[" not in render([d]) and "\033[1;31m" in render([d], color=True)


def test_render_of_many_lines_and_of_nothing() -> None:
    assert render([diagnostic("ab\ncd\n", 1, 5)]).splitlines()[3] == "  |  ^"
    assert render([diagnostic("ab", 2, 2)]).splitlines()[3] == "  |   ^"


def test_assembly_error_is_its_messages() -> None:
    later, earlier = diagnostic("abc", 2, 3), diagnostic("abc", 0, 1)
    error = AssemblyError([later, earlier, later])
    assert error.diagnostics == [earlier, later]
    assert str(error) == render([earlier, later])


def test_did_you_mean() -> None:
    assert did_you_mean("blok", ["grid", "block"]) == "block"
    assert did_you_mean("xyz", ["grid", "block"]) == ""
