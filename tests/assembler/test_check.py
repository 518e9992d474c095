"""What is said of wrong names, types and instructions: each mistakes/NAME.s with the messages in NAME.err."""

import json
from pathlib import Path

import pytest

import assembler
from assembler.diagnostics import render

FOLDER = Path(__file__).with_name("mistakes")
HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
KERNEL = """.visible .entry k(.param .u64 p)
{
.reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .pred %p<4>; .reg .b16 %h<4>; .reg .f64 %d<3>;
"""


def errors(text: str) -> list[str]:
    return [d.message for d in assembler.check(HEAD + text) if d.severity == "error"]


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.s")))
def test_messages(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    text = render(assembler.check(f"{name}.s"))
    expected = FOLDER / f"{name}.err"
    if request.config.getoption("--update-golden"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_errors_are_raised_together() -> None:
    with pytest.raises(assembler.AssemblyError) as caught:
        assembler.assemble(FOLDER / "types.s")
    lines = {d.span.line for d in caught.value.diagnostics if d.severity == "error"}
    assert lines == {7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23}


REJECTED = json.loads((FOLDER / "rejected.json").read_text())


@pytest.mark.parametrize("line", REJECTED)
def test_what_ptxas_rejects(line: str) -> None:
    assert errors(f"{KERNEL}L:\n{line}\nret;\n}}\n")


ACCEPTED = json.loads((FOLDER / "accepted.json").read_text())


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_ptxas_accepts(line: str) -> None:
    assert errors(f"{KERNEL}L:\n{line}\nret;\n}}\n") == []


def test_scopes_shadow_and_end() -> None:
    body = ".reg .f32 x; { .reg .b32 x; add.u32 x, x, 1; } add.f32 x, x, x; { .reg .b32 y; } add.u32 %r1, y, 1; ret; }"
    assert errors(KERNEL + body) == ["unknown name `y`"]


def test_labels_of_inner_blocks_stay_inside() -> None:
    assert errors(KERNEL + "{ bra OUT; IN: ret; } bra IN; OUT: ret; }") == ["unknown label `IN`"]


def test_vector_registers_and_ranges() -> None:
    text = ".reg .v4 .f32 v; ld.global.v4.f32 v, [%rd1]; add.f32 v.x, v.y, v.w; mov.f32 %f1, v.q; ret; }"
    assert errors(KERNEL + text) == ["unknown name `v.q`"]
    assert errors(KERNEL + "mov.u32 %r8, %r08; ret; }") == ["unknown register `%r08`"]


def test_special_registers_of_other_conversions_are_refused() -> None:
    assert errors(KERNEL + "cvt.rn.f32.u32 %f1, %tid.x; ret; }") == ["`cvt` cannot read `%tid.x`"]
    assert errors(KERNEL + "cvt.u64.u64 %rd1, %tid.x; ret; }") == ["`cvt` cannot read `%tid.x`"]


def test_lines_of_a_preprocessor_are_skipped() -> None:
    assert errors('# 1 "a.cu"\n' + KERNEL + '#line 5 "a.cu"\nadd.u32 %r1, y, 1; ret; }') == ["unknown name `y`"]


@pytest.mark.parametrize("text", [".global .u64 g = k;\n{}ret; }}", "{}mov.u64 %rd1, k; ret; }}"])
def test_addresses_of_kernels(text: str) -> None:
    (message,) = errors(text.format(KERNEL))
    assert "the address of the kernel `k`" in message and "not modelled" in message


def test_warnings_of_resources_and_bodies() -> None:
    live = "\n".join(f"ld.global.u32 %q{i}, [%rd1+{4 * i}];" for i in range(300))
    used = "\n".join(f"st.global.u32 [%rd1+{4 * i}], %q{i};" for i in range(300))
    text = f".extern .func vprintf();\n{KERNEL}.reg .b32 %q<300>;\n{live}\ncall vprintf;\n{used}\nret;\n}}\n"
    found = assembler.check(HEAD + text)
    assert [d.code for d in found] == ["registers", "no-body"] and {d.severity for d in found} == {"warning"}
    assert len(assembler.assemble(HEAD + text)) == 602
