"""Functions of constants have the value that ptxas 13.0 puts in their place (disassembled)."""

from __future__ import annotations

import struct

import pytest

from assembler import assemble
from isa.image import OperandKind

HEAD = """.version 9.0
.target sm_90{target}
.address_size 64
.visible .entry k(.param .u64 a)
{{
.reg .f32 %f<9>; .reg .b64 %l<9>; .reg .pred %p<3>;
ld.param.u64 %l1, [a];
{body}
st.global.f32 [%l1], %f9;
ret;
}}
"""


def stored(body: str, target: str = "") -> tuple[list[str], float | None]:
    """(instructions, the constant that a `mov` puts into %f9) of an assembled body."""
    image = assemble(HEAD.format(body=body.replace("%f9", "%f8"), target=target).replace("%f9", "%f8"))
    names = [image.name(pc) for pc in range(len(image.op))]
    values = image.o_value[image.o_kind == OperandKind.CONST]
    return names, struct.unpack("<f", int(values[-1] & 0xFFFFFFFF).to_bytes(4, "little"))[0] if len(values) else None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("mov.f32 %f1, 0f3F666666; lg2.approx.ftz.f32 %f9, %f1;", -0.15200312435626983643),
        ("mov.f32 %f1, 0f3F7FBE77; lg2.approx.f32 %f9, %f1;", -0.0014433983014896512032),
        ("rcp.approx.f32 %f9, 0f3F666666;", 1.1111111640930176),
        ("mov.f32 %f1, 0f3FA66666; mov.f32 %f2, 0f406CCCCD; div.full.f32 %f9, %f1, %f2;", 0.3513513207435608),
        ("sin.approx.f32 %f9, 0f406CCCCD;", -0.5298361778259277),
        ("rsqrt.approx.ftz.f32 %f9, 0f406CCCCD;", 0.5198752284049988),
    ],
)
def test_functions_of_constants(body: str, value: float) -> None:
    names, found = stored(body)
    assert found == value
    assert not [name for name in names if "approx" in name or "full" in name]


@pytest.mark.parametrize(
    "body",
    [
        "mov.f32 %f1, 0f3F666666; mov.f32 %f1, 0f3F666667; lg2.approx.f32 %f9, %f1;",  # which of two, it does not know
        "ld.global.f32 %f1, [%l1]; lg2.approx.f32 %f9, %f1;",
        "lg2.approx.f32 %f9, 0f00000000;",
        "rcp.approx.ftz.f32 %f9, 0f7F000000;",  # subnormal
        "tanh.approx.f32 %f9, 0f3F666666;",
    ],
)
def test_functions_that_stay(body: str) -> None:
    assert [name for name in stored(body)[0] if "approx" in name]


def test_debug_programs_stay() -> None:
    assert [name for name in stored("rcp.approx.f32 %f9, 0f3F666666;", ", debug")[0] if "approx" in name]


def test_a_quotient_is_a_product_that_can_be_fused() -> None:
    load = "ld.global.f32 %f1, [%l1]; ld.global.f32 %f2, [%l1+4];"
    names, _ = stored(load + "div.approx.ftz.f32 %f3, %f1, %f2; add.ftz.f32 %f9, %f3, %f2;")
    assert "fma.rn.ftz.f32" in names
    assert "rcp.approx.ftz.f32" in names
