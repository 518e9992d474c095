"""What is left of a program for other assemblers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from assembler.diagnostics import AssemblyError
from assembler.emit import emit_ptx
from assembler.parse import parse_module
from assembler.syntax import Entry, HostProgram

TEXT = """\
.version 9.0
.target sm_90a, rowsp, dymultimem  // and more
.address_size 64
.set N, 12
.macro TWICE r
    add.u32 \\r, \\r, N*2;
.endm
.global .opaque .u32 g[4];
.visible .entry k()  // k × 1
{
    .reg .b32 %r<4>;
    .reg .b64 %rd<3>;
    .reg .f32 %f<2>;
    TWICE %r1
    mov.u64 %rd1, g;
    ld.global.u32 %r1, [%rd1-4]; ld.global.u32 %r2, [4+%rd1];
    mov.u32 %r1, N%5; mov.f32 %f1, -0f3F800000;
    mov.u32 %r2, %gpuid;
    { st.rowsp.v2.u32 [%rd1],
        {%r1, %r2}; /* done */ }
    ret;
}
.host main { print "}"; }
"""


def test_emitted_text() -> None:
    assert emit_ptx(TEXT) == (
        ".version 9.0\n.target sm_90a  // and more\n.address_size 64\n\n"
        ".global .u32 g[4];\n.visible .entry k()  // k ? 1\n{\n"
        "    .reg .b32 %r<4>;\n    .reg .b64 %rd<3>;\n    .reg .f32 %f<2>;\n"
        "        add.u32 %r1, %r1, 24;\n\n"
        "    mov.u64 %rd1, g;\n"
        "    ld.global.u32 %r1, [%rd1+-4]; ld.global.u32 %r2, [%rd1+4];\n"
        "    mov.u32 %r1, 2; mov.f32 %f1, 0fBF800000;\n"
        "    /* extension: mov.u32 %r2, %gpuid; */\n"
        "    { /* extension: st.rowsp.v2.u32 [%rd1], {%r1, %r2}; */ /* done */ }\n"
        "    ret;\n}\n"
    )


def test_defines_and_errors() -> None:
    assert "add.u32 %r1, %r1, 2;" in emit_ptx(TEXT, defines={"N": "1"})
    with pytest.raises(AssemblyError, match="expected"):
        emit_ptx(TEXT.replace("ret;", "ret ["))


@pytest.mark.parametrize("path", sorted(Path(__file__).with_name("data").glob("*.ptx")), ids=lambda path: path.stem)
def test_plain_ptx_stays_what_it_is(path: Path) -> None:
    text = path.read_text()
    before, _ = parse_module(text)
    after, diagnostics = parse_module(emit_ptx(path))
    assert before == after and diagnostics == []


@pytest.mark.parametrize("name", ["hello/vecadd", "hello/ring_allreduce", "moe/moehub", "moe/dysharp"])
def test_programs(name: str, root: Path, tmp_path: Path) -> None:
    """The emitted programs have neither macros nor host blocks; ptxas, where there is one, takes them."""
    ptx = emit_ptx(root / "programs" / f"{name}.s")
    module, diagnostics = parse_module(ptx)
    assert diagnostics == [] and not any(isinstance(item, HostProgram) for item in module.items)
    assert any(isinstance(item, Entry) for item in module.items)
    assert [target.name for target in module.targets] == ["sm_90a"]
    if shutil.which("ptxas"):
        file = tmp_path / "program.ptx"
        file.write_text(ptx)
        command = ["ptxas", "-arch=sm_90a", "-O0", "-o", str(tmp_path / "out"), str(file)]
        assert subprocess.run(command, capture_output=True, text=True).stdout == ""
