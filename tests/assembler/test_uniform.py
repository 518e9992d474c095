"""Registers that lie outside the register file, and how many a thread needs beside them."""

from __future__ import annotations

import pytest

from assembler import assemble

TEXT = """.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 a, .param .u32 n)
{{
.reg .b32 %r<40>; .reg .f32 %f<9>; .reg .b64 %l<9>; .reg .pred %p<9>;
ld.param.u64 %l1, [a];
ld.param.u32 %r1, [n];
mov.u32 %r2, %ctaid.x;
mov.u32 %r3, %tid.x;
mov.u32 %r4, 0;
{body}
mul.wide.s32 %l2, %r3, 4;
add.s64 %l3, %l1, %l2;
st.global.u32 [%l3], %r4;
ret;
}}
"""
UNIFORM = "mad.lo.s32 %r5, %r1, %r2, 7;"
LOOP = "LOOP: add.s32 %r4, %r4, %r5; add.s32 {i}, {i}, {by}; setp.lt.s32 %p1, {i}, {to}; @%p1 bra LOOP;"


def registers(body: str) -> int:
    return assemble(TEXT.format(body=body), optimised=True).kernels[0].pressure


def test_values_of_a_warp_take_no_registers() -> None:
    """The index of the thread and the base it is added to are left."""
    assert registers(UNIFORM + "mov.u32 %r6, 0;" + LOOP.format(i="%r6", by="%r5", to="%r1")) == 3


@pytest.mark.parametrize(
    "body",
    [
        "add.s32 %r5, %r3, 1; mov.u32 %r6, 0;" + LOOP.format(i="%r6", by="1", to="%r1"),
        UNIFORM + "mov.u32 %r6, 0;" + LOOP.format(i="%r6", by="1", to="%r3"),
    ],
    ids=["value of a lane", "loop that lanes leave one by one"],
)
def test_values_of_lanes_take_registers(body: str) -> None:
    assert registers(body) == 5


def test_all_that_is_alive_at_once_counts() -> None:
    loads = "mul.wide.s32 %l4, %r3, 64; add.s64 %l5, %l1, %l4;"
    loads += "".join(f"ld.global.u32 %r{10 + i}, [%l5+{4 * i}];" for i in range(12))
    sums = "".join(f"xor.b32 %r4, %r4, %r{10 + i}; mul.hi.u32 %r4, %r4, %r{10 + i};" for i in range(12))
    assert registers(loads + sums) == 12 + 3
