"""The passes of the assembler: what they make of small programs, and that results stay what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assembler import assemble, disassemble
from isa.image import Image
from sim.config import Config
from sim.machine import Machine

HEAD = """.version 9.0
.target {target}
.address_size 64
.visible .entry k(.param .u64 a)
{{
.reg .b32 %r<40>; .reg .f32 %f<9>; .reg .b64 %l<20>; .reg .pred %p<9>;
.shared .align 16 .b8 tile[512];
ld.param.u64 %l1, [a];
mov.u32 %r1, %tid.x;
shr.u32 %r2, %r1, 3;
"""
STORE = "st.global.u32 [%l1], %r9;"
WIDE = "st.global.u64 [%l1], %l9;"
SETUP = ("ld.param", "mov.u32", "shr.u32")
VALIDATION = Path(__file__).resolve().parents[1] / "validation"


def image(body: str, optimised: bool = True, target: str = "sm_90a") -> Image:
    return assemble(HEAD.format(target=target) + body + "\nret;\n}\n", optimised=optimised)


def names(body: str, target: str = "sm_90a") -> list[str]:
    """Instructions of an optimised body, without those that every body here begins and ends with."""
    made = image(body, target=target)
    found = [made.name(pc) for pc in range(len(made.op))]
    return [name for name in found if not name.startswith(SETUP) and name != "ret"]


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (f"mov.u32 %r3, %r2; mov.b32 %r4, %r3; not.b32 %r9, %r4; {STORE}", ["not.b32", "st.global.u32"]),
        (f"mov.u32 %r3, 5; xor.b32 %r9, %r2, %r3; {STORE}", ["xor.b32", "st.global.u32"]),
        ("cvta.to.global.u64 %l2, %l1; st.global.u32 [%l2], %r2;", ["st.global.u32"]),
        ("add.s64 %l2, %l1, 16; add.s64 %l3, %l2, -4; st.global.u32 [%l3+8], %r2;", ["st.global.u32"]),
        (f"mul.lo.s32 %r3, %r1, %r2; add.s32 %r9, %r3, %r1; {STORE}", ["mad.lo.s32", "st.global.u32"]),
        (f"shl.b32 %r3, %r1, 3; add.s32 %r9, %r2, %r3; {STORE}", ["mad.lo.s32", "st.global.u32"]),
        (f"mul.wide.s32 %l2, %r1, 4; add.s64 %l9, %l1, %l2; {WIDE}", ["mad.wide.s32", "st.global.u64"]),
        (f"mul.wide.u32 %l2, %r1, 4; add.s64 %l9, %l1, %l2; {WIDE}", ["mad.wide.u32", "st.global.u64"]),
        ("mul.wide.s32 %l2, %r1, 4; add.s64 %l3, %l1, %l2; add.s64 %l4, %l2, 8; st.global.u64 [%l3], %l4;",
         ["mad.wide.s32", "mad.wide.s32", "st.global.u64"]),
        (f"cvt.u64.u32 %l3, %r1; shl.b64 %l2, %l3, 4; add.s64 %l9, %l1, %l2; {WIDE}",
         ["cvt.u64.u32", "mad.lo.s64", "st.global.u64"]),
        ("add.s64 %l2, %l1, 64; add.s32 %r3, %r1, 4096; cp.async.cg.shared.global [%r3], [%l2], 16;",
         ["cp.async.cg.shared.global"]),
        (f"and.b32 %r3, %r1, %r2; xor.b32 %r9, %r3, %r1; {STORE}", ["lop3.b32;immLut=106", "st.global.u32"]),
        (f"setp.lt.s32 %p1, %r1, 5; setp.gt.s32 %p2, %r2, 1; or.pred %p3, %p1, %p2; selp.b32 %r9, 1, %r2, %p3; {STORE}",
         ["setp.gt.s32", "setp.lt.or.s32", "selp.b32", "st.global.u32"]),
        ("add.s32 %r3, %r1, %r2; mul.lo.s32 %r4, %r3, %r3;", []),
        ("ld.global.u32 %r3, [%l1];", ["ld.global.u32"]),
    ],
)  # fmt: skip
def test_simplified(body: str, made: list[str]) -> None:
    assert names(body) == made


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        # the source changes between copy and use
        (f"mov.u32 %r4, %r2; add.s32 %r2, %r2, %r1; xor.b32 %r9, %r4, %r2; {STORE}", "mov.u32"),
        # a guarded write leaves some lanes their old value
        (f"setp.lt.s32 %p1, %r1, 5; mov.u32 %r3, %r2; @%p1 mov.u32 %r3, %r1; xor.b32 %r9, %r3, %r2; {STORE}", "mov"),
        # two sums read the product
        (f"mul.lo.s32 %r3, %r1, %r2; add.s32 %r4, %r3, %r1; add.s32 %r5, %r3, %r2; xor.b32 %r9, %r4, %r5; {STORE}",
         "mul.lo.s32"),
        # farther than an offset can say
        ("add.s64 %l2, %l1, 0x7fffff; st.global.u32 [%l2+1], %r2;", "add.s64"),
    ],
)  # fmt: skip
def test_not_simplified(body: str, kept: str) -> None:
    made = image(body)
    assert any(made.name(pc).startswith(kept) for pc in range(3, len(made.op)))
    assert outputs(made) == outputs(image(body, optimised=False))


def outputs(made: Image, blocks: int = 1) -> bytes:
    """What 64 threads leave in a buffer of 16 MiB whose words are their own addresses."""
    machine = Machine(made, Config.load("h200", ["sm.count=2"]), functional=True)
    at = machine.alloc(0, 1 << 24)
    machine.write(at, np.arange(1 << 22, dtype=np.uint32))
    machine.launch(0, "k", (blocks, 1, 1), (64, 1, 1), params=at.to_bytes(8, "little"))
    machine.run()
    return bytes(machine.read(at, 1 << 24))


def order(body: str) -> list[str]:
    return [
        name for name in names(body) if name.partition(".")[0] in ("ld", "st", "bar", "fence", "add", "shfl", "mov")
    ]


def test_loads_go_before_the_use_of_earlier_ones() -> None:
    text = """ld.global.u32 %r3, [%l1]; add.s32 %r4, %r3, 1; st.shared.u32 [tile], %r4;
    ld.global.nc.u32 %r5, [%l1+64]; add.s32 %r6, %r5, 1; st.shared.u32 [tile+4], %r6;"""
    loads = ["ld.global.u32", "ld.global.nc.u32"]
    assert sorted(order(text)[:2]) == sorted(loads)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("st.global.u32 [%l1], %r2;", "ld.global.u32 %r3, [%l1];"),
        ("st.global.u32 [%l1], %r2;", "ld.global.u32 %r3, [%l2];"),
        ("st.shared.u32 [tile], %r2;", "ld.u32 %r3, [%l2];"),
        ("bar.sync 0;", "ld.shared.u32 %r3, [tile];"),
        ("fence.acq_rel.gpu;", "ld.global.u32 %r3, [%l2];"),
        ("ld.acquire.gpu.global.u32 %r5, [%l1];", "ld.global.u32 %r3, [%l2];"),
        ("mov.u64 %l5, %clock64;", "ld.global.u32 %r3, [%l2];"),
        ("ld.global.u32 %r3, [%l2];", "mov.u64 %l5, %clock64;"),
    ],
)
def test_what_keeps_its_order(first: str, then: str) -> None:
    end = "st.global.u32 [%l1+4], %r3; st.global.u64 [%l1+8], %l5; st.global.u32 [%l1+16], %r5;"
    made = image(f"ld.global.u64 %l2, [%l1+8];\n{first}\n{then}\n{end}")
    lines = [made.source(pc)[1] for pc in range(len(made.op))]
    at = len(HEAD.splitlines()) + 1
    assert lines.index(at + 1) < lines.index(at + 2)


def test_apart_accesses_may_change_places() -> None:
    text = (
        "ld.global.u32 %r3, [%l1]; st.global.u32 [%l1+4], %r3; ld.global.u32 %r5, [%l1+8]; st.global.u32 [%l1+12], %r5;"
    )
    assert order(text)[:2] == ["ld.global.u32", "ld.global.u32"]


def test_loop_variables_need_no_moves() -> None:
    text = """mov.u32 %r3, 0; mov.u32 %r6, 0;
    L: mov.u32 %r4, %r3; xor.b32 %r6, %r6, %r4; add.s32 %r5, %r4, 1; mov.u32 %r3, %r5;
    setp.lt.s32 %p1, %r5, 7; @%p1 bra L; st.global.u32 [%l1], %r6;"""
    made = image(text)
    loop = [made.name(pc) for pc in range(len(made.op)) if made.source(pc)[1] > len(HEAD.splitlines()) + 1]
    assert not [name for name in loop if name.startswith("mov")]
    assert outputs(made) == outputs(image(text, optimised=False))


def test_debug_programs_and_machine_code_stay() -> None:
    text = f"mov.u32 %r3, %r2; not.b32 %r9, %r3; {STORE}"
    assert "mov.u32" in [image(text, target="sm_90a, debug").name(pc) for pc in range(5)][3]
    made = image(text)
    assert assemble(disassemble(made), optimised=True).op.tolist() == made.op.tolist()


def test_every_step_has_its_line() -> None:
    made = image(f"mul.lo.s32 %r3, %r1, %r2;\nadd.s32 %r9, %r3, %r1;\n{STORE}")
    at = len(HEAD.splitlines())
    sources = {made.name(pc): made.source(pc)[1] for pc in range(len(made.op))}
    assert sources["mad.lo.s32"] == at + 2


@pytest.mark.parametrize(
    "name", ["bitonic_sort", "hgemm_mma", "softmax_rows", "stencil5", "transpose_tiled", "moe_combine"]
)
def test_fewer_instructions_of_real_kernels(name: str) -> None:
    path = VALIDATION / f"{name}.ptx"
    assert len(assemble(path, optimised=True)) < len(assemble(path))
