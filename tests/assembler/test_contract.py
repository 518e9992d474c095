"""Products and sums that become one fma: the cases are those of ptxas 13.0, whose code was disassembled."""

from __future__ import annotations

import pytest

from assembler import assemble, disassemble
from isa.image import Image

HEAD = """.version 9.0
.target {target}
.address_size 64
.visible .entry k(.param .u64 a)
{{
.reg .f32 %f<40>; .reg .f64 %d<9>; .reg .b16 %h<9>; .reg .b32 %r<9>; .reg .b64 %l<4>; .reg .pred %p<4>;
ld.param.u64 %l1, [a];
"""
LOADS = "".join(f"ld.global.f32 %f{i}, [%l1+{4 * i}];" for i in range(1, 9))
TEST = "setp.gt.f32 %p1, %f4, %f5; setp.gt.f32 %p2, %f6, %f5;"
PRODUCT = "mul.f32 %f10, %f1, %f2;"
STORE = "st.global.f32 [%l1], %f11;"


def image(body: str, target: str = "sm_90a") -> Image:
    return assemble(HEAD.format(target=target) + LOADS + TEST + body + "\nret;\n}\n")


def arithmetic(body: str, target: str = "sm_90a") -> list[str]:
    """The products, sums and fmas of a body, in their order."""
    made = image(body, target)
    names = [made.name(pc) for pc in range(len(made.op))]
    return [n for n in names if n.partition(".")[0] in ("mul", "add", "sub", "fma") and n.rpartition(".")[2][0] in "fb"]


FMA, MUL, ADD = "fma.rn.f32", "mul.f32", "add.f32"


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (f"{PRODUCT} add.f32 %f11, %f10, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} add.f32 %f11, %f3, %f10; {STORE}", [FMA]),
        (f"{PRODUCT} sub.f32 %f11, %f10, %f3; {STORE}", [FMA + ";c_neg=1"]),
        (f"{PRODUCT} sub.f32 %f11, %f3, %f10; {STORE}", [FMA + ";a_neg=1"]),
        (f"{PRODUCT} add.sat.f32 %f11, %f10, %f3; {STORE}", ["fma.rn.sat.f32"]),
        (f"mul.ftz.f32 %f10, %f1, %f2; add.ftz.f32 %f11, %f10, %f3; {STORE}", ["fma.rn.ftz.f32"]),
        (f"mul.f32 %f10, %f1, 0f40490fdb; add.f32 %f11, %f10, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} mov.f32 %f12, %f10; add.f32 %f11, %f12, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} bar.sync 0; add.f32 %f11, %f10, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} mov.f32 %f11, %f3; @%p1 add.f32 %f11, %f10, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} @%p1 mov.f32 %f3, %f6; add.f32 %f11, %f10, %f3; {STORE}", [FMA]),
        (f"mul.f32 %f11, %f1, %f2; add.f32 %f11, %f11, %f3; {STORE}", [FMA]),
        (f"{PRODUCT} add.f32 %f11, %f10, %f3; sub.f32 %f12, %f10, %f4; add.f32 %f11, %f11, %f12; {STORE}",
         [FMA, FMA + ";c_neg=1", ADD]),
        ("mul.f64 %d3, %d1, %d2; add.f64 %d4, %d3, %d1; st.global.f64 [%l1], %d4;", ["fma.rn.f64"]),
        ("mul.bf16 %h3, %h1, %h2; sub.bf16 %h4, %h3, %h1; st.global.b16 [%l1], %h4;", ["fma.rn.bf16;c_neg=1"]),
        ("mul.f16x2 %r3, %r1, %r2; add.f16x2 %r4, %r3, %r1; st.global.b32 [%l1], %r4;", ["fma.rn.f16x2"]),
    ],
)  # fmt: skip
def test_fused(body: str, made: list[str]):
    assert arithmetic(body) == made


@pytest.mark.parametrize(
    "body",
    [
        f"mul.rn.f32 %f10, %f1, %f2; add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} add.rn.f32 %f11, %f10, %f3; {STORE}",
        f"mul.rz.f32 %f10, %f1, %f2; add.rz.f32 %f11, %f10, %f3; {STORE}",
        f"mul.sat.f32 %f10, %f1, %f2; add.f32 %f11, %f10, %f3; {STORE}",
        f"mul.ftz.f32 %f10, %f1, %f2; add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} add.ftz.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} add.f32 %f11, %f10, %f10; {STORE}",
        f"{PRODUCT} add.f32 %f11, %f10, %f3; {STORE} st.global.f32 [%l1+4], %f10;",
        f"{PRODUCT} mov.f32 %f12, %f10; add.f32 %f11, %f12, %f3; {STORE} st.global.f32 [%l1+4], %f12;",
        f"{PRODUCT} abs.f32 %f12, %f10; add.f32 %f11, %f12, %f3; {STORE}",
        f"mov.f32 %f10, %f3; @%p1 mul.f32 %f10, %f1, %f2; add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} @%p1 st.global.f32 [%l1+40], %f4; add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} @%p1 exit; add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} @%p1 bra L; bar.sync 0; L: add.f32 %f11, %f10, %f3; {STORE}",
        f"{PRODUCT} L: bar.sync 0; add.f32 %f11, %f10, %f3; {STORE} @%p1 bra L;",
    ],
)
def test_kept_apart(body: str):
    assert len([n for n in arithmetic(body) if not n.startswith("fma")]) == 2


@pytest.mark.parametrize(
    ("rest", "fused"),
    [
        (f"add.f32 %f11, %f10, %f12; {STORE}", "%f10"),
        (f"sub.f32 %f11, %f12, %f10; {STORE}", "%f12"),
        (f"add.f32 %f11, %f10, %f12; {STORE} st.global.f32 [%l1+4], %f10;", "%f12"),
        (f"add.f32 %f11, %f10, %f12; add.f32 %f13, %f12, %f5; st.global.f32 [%l1+4], %f13; {STORE}", "%f10"),
        (f"add.f32 %f11, %f10, %f12; add.f32 %f13, %f10, %f5; st.global.f32 [%l1+4], %f13; {STORE}", "%f12"),
        (f"add.f32 %f11, %f10, %f12; sub.f32 %f13, %f10, %f12; st.global.f32 [%l1+4], %f13; {STORE}", "%f10"),
    ],
)
def test_one_of_two_products(rest: str, fused: str):
    """The product that is left is known by its place in the text."""
    made = image(f"{PRODUCT} mul.f32 %f12, %f3, %f4; {rest}")
    left = [pc for pc in range(len(made.op)) if made.name(pc) == MUL]
    assert len(left) == 1
    line = made.texts[0].splitlines()[int(made.line[left[0]]) - 1]
    assert not line[int(made.col[left[0]]) - 1 :].startswith(f"mul.f32 {fused},")


def test_a_factor_that_is_overwritten_is_copied():
    made = image(f"{PRODUCT} ld.global.f32 %f1, [%l1+400]; add.f32 %f11, %f10, %f1; {STORE}")
    names = [made.name(pc) for pc in range(len(made.op))]
    assert names.index("mov.b32") < names.index(FMA) and MUL not in names


def test_debug_code_stays_as_it_is():
    assert arithmetic(f"{PRODUCT} add.f32 %f11, %f10, %f3; {STORE}", "sm_90a, debug") == [MUL, ADD]


def test_what_was_fused_or_not_survives_disassembly():
    body = f"{PRODUCT} sub.f32 %f11, %f3, %f10; mul.f32 %f12, %f5, %f6; add.f32 %f11, %f11, %f12; {STORE}"
    text = disassemble(image(body + " st.global.f32 [%l1+4], %f12;"))
    assert "fma.rn.f32" in text and "mul.f32" in text and disassemble(assemble(text)) == text
