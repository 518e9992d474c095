"""Several modules as one program: what links as with nvlink 13.0, and what is said of modules that do not."""

from pathlib import Path

import pytest

import assembler
from assembler.diagnostics import Diagnostic
from isa.image import load, save

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
F32 = ".visible .func (.param .b32 r) f(.param .b32 x) { ret; }"
CALL_F = """.extern .func (.param .b32 r) f(.param .b32 x);
.visible .entry k() {
.param .b32 a; .param .b32 b; .reg .b32 q; mov.b32 q, 1; st.param.b32 [a], q; call (b), f, (a); ret; }"""
READ_G = """.visible .entry k(.param .u64 p) { .reg .u32 q; .reg .u64 d; ld.param.u64 d, [p];
ld.global.u32 q, [g]; st.global.u32 [d], q; ret; }"""


def write(folder: Path, modules: tuple[str, ...]) -> list[Path]:
    paths = [folder / f"m{i}.ptx" for i in range(len(modules))]
    for path, module in zip(paths, modules, strict=True):
        path.write_text(HEAD + module, encoding="utf-8")
    return paths


def errors(folder: Path, *modules: str) -> list[Diagnostic]:
    return [d for d in assembler.check(write(folder, modules)) if d.severity == "error"]


LINKS = {
    "weak and strong": (".weak .global .u32 g = 1;", ".visible .global .u32 g = 2;"),
    "common and larger": (".common .global .u32 g[2];", ".visible .global .u32 g[4] = {2};"),
    "extern without a size": (".extern .global .u32 g[];" + READ_G, ".visible .global .u32 g[2] = {1, 2};"),
    "untyped": (".extern .global .align 4 .b8 g[4];" + READ_G, ".visible .global .f32 g = 2.0;"),
    "own functions": (".func f() { ret; }.entry a() { call f; ret; }", ".func f() { ret; }.entry b() { call f; ret; }"),
    "own and visible variables": (".global .u32 g = 3;", ".visible .global .u32 g = 4;"),
    "weak and strong functions": (".weak .func f() { ret; }.entry k() { call f; ret; }", ".visible .func f() { ret; }"),
    "weak kernels": (".weak .entry k() { ret; }", ".weak .entry k() { ret; }"),
    "shared memory": (
        ".visible .shared .u32 s[4];",
        ".extern .shared .u32 s[4]; .entry k() { .reg .u32 q; ld.shared.u32 q, [s]; ret; }",
    ),
    "dynamic shared memory": (".extern .shared .b8 s[]; .entry k() { ret; }", ".extern .shared .b8 s[];"),
    "declared visible": (".visible .func f(); .entry k() { call f; ret; }", ".visible .func f() { ret; }"),
    "runtime": (".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);", ".entry k() { ret; }"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_modules_link_in_any_order(name: str, tmp_path: Path) -> None:
    assert errors(tmp_path, *LINKS[name]) == []
    assert errors(tmp_path, *reversed(LINKS[name])) == []


FAILS = {
    "two definitions": (".visible .global .u32 g = 1;", ".visible .global .u32 g = 2;", "m1", "`g` is defined twice"),
    "two functions": (F32, F32, "m1", "`f` is defined twice"),
    "two kernels": (".visible .entry k() { ret; }", ".visible .entry k() { ret; }", "m1", "`k` is defined twice"),
    "weak of two sizes": (".weak .global .u32 g[2];", ".weak .global .u32 g;", "m1", "it has 4 bytes here and 8 there"),
    "common larger": (".common .global .u32 g[2];", ".visible .global .u32 g = 2;", "m0", "it has 8 bytes here and 4"),
    "common twice": (".common .global .u32 g = 1;", ".common .global .u32 g = 2;", "m1", "`g` is defined twice"),
    "other size": (".extern .global .u32 g[4];" + READ_G, ".visible .global .u32 g[2];", "m0", "it has 16 bytes here"),
    "other type": (".extern .global .f32 g;" + READ_G, ".visible .global .u32 g;", "m0", "its type is .f32 here"),
    "other space": (".extern .const .u32 g;", ".visible .global .u32 g;", "m0", "it is in .const here and in .global"),
    "other kind": (".visible .func g() { ret; }", ".visible .global .u32 g;", "m1", "`g` is defined twice"),
    "no such variable": (".extern .global .u32 g;" + READ_G, ".visible .global .u32 gg;", "m0", "no module defines it"),
    "no such function": (CALL_F, ".entry a() { ret; }", "m0", "`f` is declared, but no module defines it"),
    "other parameter": (CALL_F, F32.replace("b32 x", "b64 x"), "m0", "parameter 1 has 4 bytes here and 8 there"),
    "no parameter": (CALL_F, F32.replace(".param .b32 x", ""), "m0", "it has 1 parameter here and no parameters there"),
    "float for integer": (CALL_F.replace("b32 x", "u32 x"), F32.replace("b32 x", "f32 x"), "m0", "its type is .u32"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILS)
def test_modules_that_do_not_fit(name: str, tmp_path: Path) -> None:
    first, second, where, message = FAILS[name]
    found = errors(tmp_path, first, second)
    assert len(found) == 1
    (error,) = found
    text = assembler.AssemblyError(found).args[0]
    if "its type" in message:
        message = message.removeprefix("its ")
    assert message in error.message
    assert text.startswith(str(tmp_path / f"{where}.ptx:4:"))
    if "no module" not in message:  # the other place is named
        assert str(tmp_path / f"m{1 - int(where[1])}.ptx:4:") in text


def test_hints_of_what_is_not_defined(tmp_path: Path) -> None:
    (near,) = errors(tmp_path, CALL_F, F32.replace(" f(", " ff("))
    assert near.help == "did you mean `ff`?"
    (own,) = errors(tmp_path, CALL_F, F32.replace(".visible ", ""))
    assert own.help == "make the `f` of the other module `.visible`" and own.notes[0][0] is not None


def test_alias_reaches_other_modules(tmp_path: Path) -> None:
    target = F32.replace(" f(", " target(") + F32.replace("{ ret; }", ";") + " .alias f, target;"
    assert errors(tmp_path, CALL_F, target) == []
    image = assembler.assemble(write(tmp_path, (CALL_F, target)))
    assert [function.name for function in image.functions] == ["target"]
    (twice,) = errors(tmp_path, target, F32)
    assert "`f` is defined twice" in twice.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".visible .func f() { ret; } .alias g, f;", "unknown function `g`"),
        (".weak .func f() { ret; } .visible .func g(); .alias g, f;", "`f` cannot have an alias"),
        (".extern .func f(); .visible .func g(); .alias g, f;", "`f` cannot have an alias"),
        (".visible .func f() { ret; } .visible .func g(.param .u32 x); .alias g, f;", "it has 1 parameter here"),
        (".visible .func f() { ret; } .visible .func g() { ret; } .alias g, f;", "`g` is declared twice"),
        (".extern .func f(.param .u32 a); .visible .func f(.param .u64 a) { ret; }", "parameter 1 has 8 bytes here"),
        (".extern .global .u32 g[3]; .visible .global .u32 g[4];", "`g` does not fit its declaration"),
        (".extern .global .f32 g; .visible .global .u32 g;", "`g` does not fit its declaration"),
        (".extern .global .u32 g = 3;", "`g` is `.extern`"),
    ],
)
def test_mistakes_within_a_module(text: str, message: str, tmp_path: Path) -> None:
    (error,) = errors(tmp_path, text)
    assert message in error.message


def test_linked_program_is_kept_whole(tmp_path: Path) -> None:
    """Own names that clash get a suffix; data, places and texts are those of their modules; saving keeps all."""
    modules = (
        ".global .u32 g = 3; .func f() { ret; }\n.visible .entry a() { call f; ret; }",
        ".visible .global .u32 g = 4; .visible .func f() { trap; }\n.visible .entry b() { call f; ret; }",
    )
    paths = write(tmp_path, modules)
    image = assembler.assemble(paths)
    assert [(s.name, s.init) for s in image.symbols] == [("g$1", b"\3\0\0\0"), ("g", b"\4\0\0\0")]
    assert [f.name for f in image.functions] == ["f$1", "f"]
    assert image.files == [str(path) for path in paths]
    for kernel, path in zip(image.kernels, paths, strict=True):
        assert image.source(kernel.entry)[:2] == (str(path), 5)
    save(image, tmp_path / "image.npz")
    assert load(tmp_path / "image.npz").same_code(image)
    assert assembler.assemble(assembler.disassemble(image)).same_code(image)


def test_included_files_and_macros_of_each_module(tmp_path: Path) -> None:
    """Every module has its own macros and constants; places of expanded text are those of its own files."""
    (tmp_path / "body.inc").write_text("mov.u32 %r1, SIZE;\nadd.u32 %r1, %r1, %f1;\n", encoding="utf-8")
    module = '.set SIZE, {size}\n.entry {name}() {{ .reg .u32 %r<2>; .reg .f32 %f<2>;\n.include "body.inc"\nret; }}'
    found = errors(tmp_path, module.format(size=1, name="a"), module.format(size=2, name="b"))
    assert [str(d.span).split("/")[-1] for d in found] == ["body.inc:2:19>"]
    (tmp_path / "body.inc").write_text("mov.u32 %r1, SIZE;\n", encoding="utf-8")
    paths = write(tmp_path, (module.format(size=1, name="a"), module.format(size=2, name="b")))
    image = assembler.assemble(paths)
    assert [o.value for pc in (0, 2) for o in image.operands(pc)][1::2] == [1, 2]
    assert [Path(image.source(pc)[0]).name for pc in range(4)] == ["body.inc", "m0.ptx", "body.inc", "m1.ptx"]
