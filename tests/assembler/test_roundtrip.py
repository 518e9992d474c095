"""Disassembling is the inverse of assembling: every row of the table, real files, and functions with all their kinds."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

import assembler
from isa.image import COLUMNS, SPANS, Image
from isa.instr import Instr, Kind, Op, Operand
from isa.table import ROWS, instances
from isa.types import TYPES

HEAD = ".version 9.0\n.target sm_90a, rowsp, dymultimem, cais, runtime\n.address_size 64\n"
DATA = Path(__file__).with_name("data")
DECLARATIONS = """.reg .pred %p<20>; .reg .b8 %c<20>; .reg .b16 %h<40>; .reg .b32 %r<99>; .reg .b64 %rd<99>; .reg .b128 %rq<99>;
.shared .align 16 .b8 smem[256]; .local .align 16 .b8 lmem[256];
"""
REGISTERS = {8: "%c", 16: "%h", 32: "%r", 64: "%rd", 128: "%rq"}
MEMORY = {"local": "[lmem+8]", "const": "[cmem]", "param": "[arg+8]", "global": "[gmem+16]"}


def same(first: Image, second: Image) -> None:
    """All columns but the spans agree, and everything beside them."""
    for column in COLUMNS:
        if column not in (*SPANS, "op"):
            assert np.array_equal(getattr(first, column), getattr(second, column)), column
    assert first.same_code(second)


def fixed_point(text: str) -> Image:
    image = assembler.assemble(text)
    again = assembler.assemble(assembler.disassemble(image))
    same(image, again)
    assert assembler.disassemble(again) == assembler.disassemble(image)
    return image


def operand_text(op: Op, operand: Operand, numbers: "itertools.count[int]") -> str:
    def register() -> str:
        n = next(numbers)
        return f"%p{n % 20}" if operand.type == "pred" else f"{REGISTERS[TYPES[operand.type].bits]}{n % 20}"

    if operand.form == "mem":
        shared = op.kind in (Kind.LDMATRIX, Kind.MBARRIER) or (op.kind == Kind.CPASYNC and operand.name == "d")
        space = op.mods.get("space", "")
        return "[smem]" if shared or "shared" in space else MEMORY.get(space, "[%rd30+-8]")
    if operand.form == "tensor":
        return "[%rd30, {" + ", ".join(f"%r{i}" for i in range(operand.count)) + "}]"
    if operand.form == "sink":
        return "_"
    if operand.form in ("imm", "label", "targets"):
        allowed = op.instr.allowed.get(operand.name, (16,))
        return {"imm": str(16 if 16 in allowed else min(allowed)), "label": "L", "targets": "T"}[operand.form]
    if op.kind == Kind.BAR and operand.name in "ab" and "warp" not in op.mods:
        return {"a": "3", "b": "64"}[operand.name]
    if operand.form == "vec":
        return "{" + ", ".join(register() for _ in range(operand.count)) + "}"
    return ("!" if operand.negated == "must" else "") + register()


def statement(op: Op) -> str:
    numbers = itertools.count(1)
    parts: list[str] = []
    for operand in op.operands:
        if operand.form == "proto":
            continue
        text = operand_text(op, operand, numbers)
        if operand.paired:
            parts[-1] += "|" + text
        else:
            parts.append(text)
    return f"{op.text} {', '.join(parts)};"


def sample(row: Instr) -> list[Op]:
    few = list(itertools.islice(instances(row), 400))
    return few if len(few) <= 6 else [*few[:2], *random.Random(row.syntax).sample(few[2:], 4)]


@pytest.mark.parametrize("chapter", sorted({row.source.partition(",")[2][:7] for row in ROWS}))
def test_every_row(chapter: str) -> None:
    rows = [row for row in ROWS if row.source.partition(",")[2][:7] == chapter and row.kind != Kind.CALL]
    lines = [
        statement(op) for row in rows for op in sample(row) if (op.kind, op.mods.get("space")) != (Kind.ST, "param")
    ]
    body = f"{DECLARATIONS}T: .branchtargets L, M;\nM:\n" + "\n".join(lines) + "\nL: ret;\n"
    data = ".global .align 16 .b8 gmem[256];\n.const .align 16 .b8 cmem[256];\n"
    image = fixed_point(f"{HEAD}{data}.visible .entry k(.param .align 16 .b8 arg[256])\n{{\n{body}}}\n")
    wanted = [op.name.partition(";imm")[0].partition(";a")[0] for row in rows for op in sample(row)]
    assert len(image) >= len([w for w in wanted if w]) / 2


@pytest.mark.parametrize("name", ["bar_red", "clang_mix_g", "dbg_code_G", "fn_indirect", "llvm_mix_O0", "numba_axpy"])
def test_real_files(name: str) -> None:
    assert len(fixed_point((DATA / f"{name}.ptx").read_text())) > 30


def test_data_and_resources() -> None:
    image = fixed_point(
        HEAD
        + """
.global .align 8 .u64 pointers[3] = {later+4, 7, fun};
.global .u32 later[4] = {1, 2};
.global .b8 bytes[9] = {1, 0xFF(later), 0xFF00(later), 0xFF0000(later), 0xFF000000(later), 0xFF00000000(later),
    0xFF0000000000(later), 0xFF000000000000(later), 0xFF00000000000000(later)};
.const .f32 halves[2] = {0.5, 0f3F000000};
.extern .shared .align 16 .b8 dynamic[];
.func fun() { ret; }
.visible .entry k(.param .u8 a, .param .f64 b, .param .align 16 .b8 c[20], .param .u16 d) .reqntid 64, 2, 1
{
    .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<3>;
    .shared .align 8 .b8 s[24];
    .local .align 4 .b8 l[12];
    ld.param.u8 %r1, [a]; ld.param.u16 %r2, [d]; ld.param.v2.u32 {%r3, %r4}, [c+8];
    mov.u32 %r5, s; mov.u64 %rd1, later+8; mov.u32 %r6, dynamic; mov.u64 %rd2, fun; mov.u32 %r7, %tid.y;
    ld.local.u32 %r8, [l+8]; st.shared.u64 [s+16], %rd1; ld.global.s8 %rd4, [%rd1+-3];
    @!%p1 bra END; add.s32 %r1, %r2, -5; add.u64 %rd3, %rd1, 0xFFFFFFFFFFFFFFFF;
END: st.global.v4.u32 [%rd1], {%r1, %r5, %r6, %r7}; st.global.v2.u64 [%rd1], {%rd3, %rd4}; st.global.u32 [%rd2], %r8;
}"""
    )
    kernel = image.kernel("k")
    assert [(p.offset, p.size) for p in kernel.params] == [(0, 1), (8, 8), (16, 20), (36, 2)]
    assert (kernel.param_bytes, kernel.shared_bytes, kernel.local_bytes, kernel.reqntid) == (38, 24, 16, (64, 2, 1))
    symbols = {symbol.name: symbol for symbol in image.symbols}
    pointers, later = symbols["pointers"], image.symbols.index(symbols["later"])
    assert pointers.relocs == [(0, later), (16, -1)] and pointers.init == b"\4" + bytes(7) + b"\7" + bytes(15)
    assert symbols["later"].init == b"\1\0\0\0\2" + bytes(11)
    assert symbols["bytes"].relocs == [(1, later)] and symbols["bytes"].init == b"\1" + bytes(8)
    assert symbols["halves"].init == b"\0\0\0\x3f" * 2
    assert symbols["dynamic"].offset == -1


def test_recursion() -> None:
    image = fixed_point(
        HEAD
        + """
.func (.param .b32 r) fib(.param .b32 n)
{
    .reg .b32 %r<9>; .reg .pred %p; .reg .b64 %rd<3>; .local .b8 scratch[8];
    ld.param.b32 %r1, [n]; mov.u32 %r4, %r1; setp.lt.u32 %p, %r1, 2; @%p bra DONE;
    mov.u64 %rd1, scratch; st.local.b32 [%rd1], %r1; sub.u32 %r2, %r1, 1;
    { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call (b), fib, (a); ld.param.b32 %r3, [b]; }
    ld.local.b32 %r2, [scratch]; sub.u32 %r2, %r2, 2;
    { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call (b), fib, (a); ld.param.b32 %r4, [b]; }
    add.u32 %r4, %r3, %r4;
DONE: st.param.b32 [r], %r4; ret;
}
.visible .entry k(.param .u64 out)
{
    .reg .b32 %r<3>; .reg .b64 %rd<3>; ld.param.u64 %rd1, [out];
    { .param .b32 a; .param .b32 b; st.param.b32 [a], 7; call (b), fib, (a); ld.param.b32 %r1, [b]; }
    st.global.u32 [%rd1], %r1; ret;
}"""
    )
    (function,) = image.functions
    assert function.frame_offset == -1 and function.frame_bytes == 16 and function.calls == [0]
    assert image.kernel("k").local_bytes == 1024


def test_calls_through_registers_keep_the_functions_they_may_reach() -> None:
    image = fixed_point(
        HEAD
        + """
.func (.param .b32 r) one(.param .b32 n) { .reg .b32 %r; ld.param.b32 %r, [n]; st.param.b32 [r], %r; ret; }
.func (.param .b32 r) two(.param .b32 n) { st.param.b32 [r], 5; ret; }
.func none() { ret; }
.global .u64 table[3] = {one, two, none};
.visible .entry k(.param .u64 out)
{
    .reg .b32 %r; .reg .b64 %f, %o; ld.param.u64 %o, [out]; ld.global.u64 %f, [table+8];
    { .param .b32 a; .param .b32 b; st.param.b32 [a], 7; P: .callprototype (.param .b32 _) _ (.param .b32 _);
      call (b), %f, (a), P; ld.param.b32 %r, [b]; }
    st.global.u32 [%o], %r; ret;
}"""
    )
    (pc,) = [pc for pc in range(len(image)) if image.name(pc) == "call"]
    assert [o.value for o in image.operands(pc)][1:] == [0, 1]
