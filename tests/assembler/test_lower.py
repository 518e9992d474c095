"""What the columns hold: places of registers, variables and parameters, calls, rewritten forms, spans."""

import pytest

import assembler
from isa.image import Image, OperandKind, Role

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


def kernel(body: str, params: str = "", more: str = "") -> Image:
    declared = ".reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .f32 %f<20>; .reg .pred %p<9>; .reg .b16 %h<9>;"
    return assembler.assemble(f"{HEAD}{more}\n.visible .entry k({params})\n{{\n{declared}\n{body}\nret;\n}}\n")


def names(image: Image) -> list[str]:
    return [image.name(pc) for pc in range(len(image))]


def test_entries_of_an_instruction() -> None:
    image = kernel(
        "ld.param.u64 %rd1, [p];\nld.global.v2.u32 {%r1, _}, [%rd1+-8];\nst.global.u8 [%rd1], %r1;", ".param .u64 p"
    )
    load, v2, store, _ = (list(image.operands(pc)) for pc in range(4))
    assert [(o.kind, o.role) for o in load] == [(OperandKind.REG, Role.WRITE), (OperandKind.MEM_PARAM, Role.READ)]
    kinds = [(o.kind, o.group, o.offset) for o in v2]
    assert kinds == [(OperandKind.REG, 0, 0), (OperandKind.SINK, 0, 0), (OperandKind.MEM_REG, 1, -8)]
    assert v2[2].value == load[0].value  # the same 64-bit register
    assert [o.kind for o in store] == [OperandKind.MEM_REG, OperandKind.REG]
    assert image.source(1) == ("<text>", 9, 1) and int(image.end[1]) == 37


def test_widths_do_not_share_slots() -> None:
    """Lanes of a 64-bit register lie elsewhere than those of a 32-bit one: they may not overlap in a diverged warp."""
    image = kernel("mov.u32 %r1, 1;\nst.shared.u32 [%r1], %r1;\nmov.u64 %rd1, 2;\nst.shared.u64 [%rd1], %rd1;")
    narrow, wide = (next(image.operands(pc)).value for pc in (0, 2))
    assert narrow == 0 and wide == 2
    assert image.kernel("k").nregs == 4 and image.kernel("k").pressure == 2


def test_guards_and_branches() -> None:
    image = kernel("@%p1 bra L;\n@!%p1 add.u32 %r1, %r1, 1;\nL:")
    assert image.guard.tolist() == [1, -1, 0]
    assert next(image.operands(0)).value == 2


def test_constants_are_raw_bits() -> None:
    image = kernel(
        "add.s32 %r1, %r2, -1;\nadd.f32 %f1, %f2, 1.5;\nmov.b64 %rd1, 0xFFFFFFFFFFFFFFFF;\nadd.u16 %h1, %h2, -2;\n"
        "mov.u32 %r3, WARP_SZ;\nmov.f32 %f1, 0d3FF8000000000000;"
    )
    values = [list(image.operands(pc))[-1].value for pc in range(6)]
    assert values == [0xFFFFFFFF, 0x3FC00000, -1, 0xFFFE, 32, 0x3FC00000]


def test_conversions_of_special_registers_read_a_copy() -> None:
    image = kernel("@%p1 cvt.u64.u32 %rd1, %tid.x;\nst.shared.u64 [%r1], %rd1;")
    assert names(image)[:2] == ["mov.u32", "cvt.u64.u32"] and image.guard.tolist()[:2] == [1, 1]
    assert [o.kind for o in image.operands(0)] == [OperandKind.REG, OperandKind.SREG]


def test_immediates_that_shape_code_are_in_the_name() -> None:
    image = kernel("lop3.b32 %r1, %r2, %r3, %r4, 0x96;")
    assert image.name(0) == "lop3.b32;immLut=150" and len(list(image.operands(0))) == 4


def test_modifier_order_and_names() -> None:
    image = kernel("ld.relaxed.sys.global.u32 %r1, [%rd1];\nld.global.relaxed.sys.u32 %r1, [%rd1];")
    assert names(image)[0] == names(image)[1]


def test_wide_conversions_get_their_own_steps() -> None:
    image = kernel("cvt.s8.s32 %r1, %r2;\ncvt.u32.u16 %rd1, %r2;\ncvt.u8.u32 %r1, %rd2;")
    assert names(image) == [
        "cvt.s8.s32",
        "cvt.s32.s8",
        "cvt.u32.u16",
        "cvt.u64.u32",
        "cvt.u32.u64",
        "cvt.u8.u32",
        "ret",
    ]


def test_inverted_predicates_where_there_is_no_form() -> None:
    image = kernel("selp.u32 %r1, 1, 0, !%p1;\nsetp.eq.and.u32 %p2, %r1, 0, !%p1;")
    assert names(image) == ["not.pred", "selp.u32", "setp.eq.and.u32;form=not", "ret"]


def test_shared_memory_of_several_kernels() -> None:
    text = """.shared .align 16 .b8 both[48]; .shared .b8 second[4];
.visible .entry a() { .shared .b8 own[8]; .reg .b32 %r; mov.u32 %r, both; ret; }
.visible .entry b() { .reg .b32 %r; mov.u32 %r, both; mov.u32 %r, second; ret; }
.visible .entry c() { ret; }
"""
    image = assembler.assemble(HEAD + text)
    assert [k.shared_bytes for k in image.kernels] == [56, 52, 0]
    assert {s.name: (s.offset, s.kernel) for s in image.symbols} == {
        "both": (0, -1),
        "second": (48, -1),
        "own": (48, 0),
    }


CALL = """.func (.param .b32 r) twice(.param .b32 x)
{ .reg .b32 %r<3>; ld.param.b32 %r1, [x]; add.u32 %r2, %r1, %r1; st.param.b32 [r], %r2; ret; }
"""


def test_scalar_parameters_are_moves() -> None:
    body = "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), twice, (a); ld.param.b32 %r2, [b]; }\n"
    image = kernel("mov.u32 %r1, 5;\n" + body + "st.global.u32 [%rd1], %r2;", more=CALL)
    function, entry = image.functions[0], image.kernel("k").entry
    assert function.entry == 0 and entry == function.end == 2, "functions lie below their callers"
    assert names(image)[entry:] == ["mov.u32", "mov.b32", "call", "mov.b32", "st.global.u32", "ret"]
    argument, result = list(image.operands(entry + 1)), list(image.operands(entry + 3))
    assert argument[0].value >= function.first_reg and result[1].value >= function.first_reg
    assert argument[0].value == list(image.operands(0))[1].value, "the callee reads where the caller wrote"
    assert image.kernel("k").nregs == function.first_reg + function.nregs


def test_structures_are_passed_in_local_memory() -> None:
    more = """.func (.param .b32 r) third(.param .align 4 .b8 x[12])
{ .reg .b32 %r<3>; ld.param.b32 %r1, [x+8]; st.param.b32 [r], %r1; ret; }
"""
    body = """{ .param .align 4 .b8 a[12]; .param .b32 b; st.param.v2.b32 [a], {%r1, %r2}; st.param.b32 [a+8], %r3;
call (b), third, (a); ld.param.b32 %r4, [b]; }"""
    image = kernel(body, more=more)
    code = names(image)
    assert code[0] == "ld.local.b32" and code.count("st.local.b32") == 4 and "st.local.v2.b32" in code
    assert image.kernel("k").local_bytes == 32 and image.functions[0].frame_offset == 12


def test_register_parameters() -> None:
    more = ".func (.reg .u32 s) sum(.reg .u32 x, .reg .u32 y) { add.u32 s, x, y; ret; }\n"
    image = kernel("call (%r1), sum, (%r2, -3);\nst.shared.u32 [%r1], %r1;", more=more)
    entry = image.kernel("k").entry
    assert names(image)[entry:] == ["mov.b32", "mov.b32", "call", "mov.b32", "st.shared.u32", "ret"]
    assert list(image.operands(entry + 1))[1].value == 0xFFFFFFFD


INDIRECT = (
    CALL
    + """.func (.param .b32 r) same(.param .b32 x) { .reg .b32 %r<3>; ld.param.b32 %r1, [x]; st.param.b32 [r], %r1; ret; }
.global .u64 table[2] = {twice, same};
"""
)


def test_functions_of_one_signature_share_their_parameters() -> None:
    body = """proto: .callprototype (.param .b32 _) _ (.param .b32 _);
ld.global.u64 %rd1, [table];
{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), %rd1, (a), proto; ld.param.b32 %r2, [b]; }
st.global.u32 [%rd1], %r2;"""
    image = kernel(body, more=INDIRECT)
    first, second = (list(image.operands(f.entry))[1].value for f in image.functions)
    assert first == second
    assert image.name(image.kernel("k").entry + 2) == "call"
    kinds = [o.kind for o in image.operands(image.kernel("k").entry + 2)]
    assert kinds == [OperandKind.REG, OperandKind.FUNC, OperandKind.FUNC]
    assert [s.relocs for s in image.symbols] == [[(0, -1), (8, -2)]]


def test_a_body_without_ret_returns() -> None:
    image = assembler.assemble(HEAD + ".visible .entry k() { }\n.visible .entry l() { .reg .pred %p; @%p ret; }\n")
    assert names(image) == ["ret", "ret", "ret"]


def test_branch_tables_and_special_registers() -> None:
    image = kernel("T: .branchtargets A, B;\nmov.u32 %r1, %laneid;\nbrx.idx %r1, T;\nA: add.u32 %r1, %r1, 1;\nB:")
    assert [o.kind for o in image.operands(0)][1] == OperandKind.SREG
    assert [(o.kind, o.value) for o in image.operands(1)][1:] == [(OperandKind.LABEL, 2), (OperandKind.LABEL, 3)]


def test_addresses_of_symbols() -> None:
    more = ".global .u32 g[4]; .const .u32 c = 3;"
    image = kernel("mov.u64 %rd1, g+4;\nld.const.u32 %r1, [c];\nld.local.u32 %r1, [16];", more=more)
    moved, loaded, absolute = (list(image.operands(pc))[1] for pc in range(3))
    assert (moved.kind, moved.value, moved.offset) == (OperandKind.SYM, 0, 4)
    assert (loaded.kind, loaded.value) == (OperandKind.MEM_SYM, 1)
    assert (absolute.kind, absolute.value, absolute.offset) == (OperandKind.MEM_SYM, -1, 16)


def test_macros_keep_their_places() -> None:
    image = assembler.assemble(
        HEAD
        + ".macro TWICE r\n    add.u32 \\r, \\r, \\r;\n.endm\n.visible .entry k() {\n.reg .b32 %r;\nTWICE %r;\nret;\n}\n"
    )
    assert image.source(0) == ("<text>", 5, 5) and image.source(1) == ("<text>", 10, 1)


def test_resource_lines() -> None:
    (line,) = assembler.resource_lines(kernel("mov.u32 %r1, %r2;", ".param .u64 p"))
    assert line.startswith("k: 1 registers") and line.endswith("8 bytes parameters")


def test_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SIMASM_CACHE", str(tmp_path / "kept"))
    include, program = tmp_path / "body.inc", tmp_path / "k.s"
    include.write_text("add.u32 %r1, %r1, 1;\n" * 1200)
    program.write_text(f'{HEAD}.visible .entry k() {{\n.reg .b32 %r<2>;\n.include "body.inc"\nret;\n}}\n')
    first = assembler.assemble(program)
    (kept,) = (tmp_path / "kept" / "images").glob("*.npz")
    again = assembler.assemble(program)
    assert again.same_code(first) and again.texts == first.texts
    include.write_text("add.u32 %r1, %r1, 2;\n" * 1100)
    assert len(assembler.assemble(program)) == 1101
    kept.write_bytes(b"damaged")
    assert len(assembler.assemble(program)) == 1101


@pytest.mark.parametrize("text", ["", "x", ".version 9.0\n.target sm_90\n"])
def test_programs_without_kernels(text: str) -> None:
    if "target" in text:
        assert len(assembler.assemble(text)) == 0
    else:
        with pytest.raises(assembler.AssemblyError):
            assembler.assemble(text + "\n")
