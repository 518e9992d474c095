"""What a GPU's hub writes into L2 is what its SMs find there."""

import pytest

import simasm

SOURCE = """
.version 9.0
.target sm_90a
.address_size 64
.macro WHERE
    .reg .b32 %t, %c;
    .reg .b64 %a, %o;
    mov.u32 %t, %tid.x;
    mov.u32 %c, %ctaid.x;
    mad.lo.u32 %t, %c, 256, %t;
    mul.wide.u32 %o, %t, 16;
    ld.param.u64 %a, [at];
    add.u64 %a, %a, %o;
.endm
.visible .entry put(.param .u64 at)
{
    WHERE
    st.global.v4.b32 [%a], {%t, %t, %t, %t};
    ret;
}
.visible .entry get(.param .u64 at)
{
    .reg .b32 %w<4>;
    WHERE
    ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%a];
    add.u32 %w0, %w0, %w3;
    st.global.b32 [%a], %w0;
    ret;
}
.host main {
    param writer = 0;
    buffer y : u32[16384] = zeros;
    launch put on writer grid(16) block(256) (y@1);
    sync;
    launch get on 1 grid(16) block(256) (y@1);
    sync;
}
"""


@pytest.mark.parametrize("writer", [0, 1])
def test_rows_that_a_peer_has_stored_are_read_from_l2(writer: int) -> None:
    counters = simasm.run(SOURCE, 2, "h800-8", defines={"writer": writer}, threads=1).stats["per_gpu"][1]
    assert counters["l2_misses"] == 0 and counters["dram_read_bytes"] == 0
    assert counters["l2_hits"] == 16384 * 4 // 32
