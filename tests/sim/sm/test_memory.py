"""Loads, stores and atomics of all spaces, vectors and widths; what is out of bounds; what an access costs."""

import numpy as np
import pytest
from kernels import ptx, run_kernel

from sim.errors import MachineFault

REGISTERS = "b32 r<16>; b64 rd<8>; f32 f<6>; pred p<4>"
ADDRESS = "mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [x]; mul.wide.u32 %rd2, %r1, {size}; add.s64 %rd3, %rd1, %rd2;"


def test_vectors_of_four(functional: bool) -> None:
    body = f"""{ADDRESS.format(size=16)}
    ld.global.v4.u32 {{%r2, %r3, %r4, %r5}}, [%rd3];
    st.global.v4.u32 [%rd3], {{%r5, %r4, %r3, %r2}};
    ret;"""
    x = np.arange(128, dtype=np.uint32).reshape(32, 4)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, functional=functional)
    assert (ran.out["x"] == x[:, ::-1]).all()


def test_narrow_loads_extend_by_their_sign(functional: bool) -> None:
    body = f"""{ADDRESS.format(size=8)}
    ld.global.s8 %r2, [%rd3];
    ld.global.u8 %r3, [%rd3];
    ld.global.s16 %r4, [%rd3+2];
    add.s32 %r5, %r2, %r3;
    st.global.u32 [%rd3], %r5;
    st.global.u32 [%rd3+4], %r4;
    ret;"""
    x = np.zeros((32, 8), np.uint8)
    x[:, 0], x[:, 2], x[:, 3] = 0xF0, 0x34, 0x92
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, functional=functional)
    assert set(ran.out["x"].view(np.int32)[:, 0]) == {0xF0 - 0x10}
    assert set(ran.out["x"].view(np.int32)[:, 1]) == {0x9234 - 0x10000}


@pytest.mark.parametrize("space", ["shared", "local"])
def test_each_thread_or_block_has_its_own(space: str, functional: bool) -> None:
    body = f"""
    .{space} .align 8 .b8 s[2048];
    {ADDRESS.format(size=8)}
    mov.u64 %rd4, s;
    mul.wide.u32 %rd5, %r1, 8;
    add.s64 %rd5, %rd4, %rd5;
    st.{space}.u64 [%rd5], %rd3;
    ld.{space}.u64 %rd6, [%rd5];
    sub.s64 %rd6, %rd6, %rd1;
    st.global.u64 [%rd3], %rd6;
    ret;"""
    x = np.zeros(64, np.uint64)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, block=(64, 1, 1), functional=functional)
    assert list(ran.out["x"]) == [8 * i for i in range(64)]


def test_generic_addresses_reach_shared_memory(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[256];
    {ADDRESS.format(size=4)}
    mov.u64 %rd4, s;
    cvta.shared.u64 %rd4, %rd4;
    add.s64 %rd5, %rd4, %rd2;
    st.u32 [%rd5], %r1;
    ld.u32 %r2, [%rd5];
    st.u32 [%rd3], %r2;
    ret;"""
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(32, np.uint32)}, functional=functional)
    assert list(ran.out["x"]) == list(range(32))


def test_lanes_of_one_load_may_address_different_spaces(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[256];
    {ADDRESS.format(size=4)}
    mov.u64 %rd4, s;
    cvta.shared.u64 %rd4, %rd4;
    add.s64 %rd5, %rd4, %rd2;
    add.u32 %r2, %r1, 500;
    st.u32 [%rd5], %r2;
    setp.lt.u32 %p1, %r1, 9;
    selp.b64 %rd6, %rd5, %rd3, %p1;
    ld.u32 %r3, [%rd6];
    st.u32 [%rd3], %r3;
    ret;"""
    x = np.arange(32, dtype=np.uint32)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, functional=functional)
    assert list(ran.out["x"]) == [500 + i if i < 9 else i for i in range(32)]


@pytest.mark.parametrize("space", ["global", "shared"])
def test_atomics_of_many_lanes_on_one_address(space: str, functional: bool) -> None:
    shared = "mov.u64 %rd1, s;" if space == "shared" else ""
    body = f"""
    .shared .align 4 .b8 s[16];
    {ADDRESS.format(size=4)}
    mov.u64 %rd4, %rd1;
    {shared}
    st.{space}.u32 [%rd1], 0;
    bar.sync 0;
    atom.{space}.add.u32 %r2, [%rd1], 3;
    bar.sync 0;
    ld.{space}.u32 %r3, [%rd1];
    add.s64 %rd3, %rd4, %rd2;
    bar.sync 0;
    st.global.u32 [%rd3], %r3;
    ret;"""
    ran = run_kernel(
        ptx("u64 x", REGISTERS, body), {"x": np.zeros(128, np.uint32)}, block=(128, 1, 1), functional=functional
    )
    assert set(ran.out["x"]) == {384}


def test_module_variables_are_initialised(functional: bool) -> None:
    text = ".global .align 4 .u32 table[4] = {10, 20, 30, 40};\n.const .align 4 .u32 scale = 3;\n" + ptx(
        "u64 x",
        REGISTERS,
        f"""{ADDRESS.format(size=4)}
    and.b32 %r2, %r1, 3;
    mul.wide.u32 %rd4, %r2, 4;
    mov.u64 %rd5, table;
    add.s64 %rd5, %rd5, %rd4;
    ld.global.u32 %r3, [%rd5];
    ld.const.u32 %r4, [scale];
    mul.lo.u32 %r3, %r3, %r4;
    ld.global.u32 %r5, [table+12];
    add.u32 %r3, %r3, %r5;
    st.global.u32 [%rd3], %r3;
    ret;""",
    )
    ran = run_kernel(text, {"x": np.zeros(32, np.uint32)}, functional=functional)
    assert list(ran.out["x"]) == [70, 100, 130, 160] * 8


@pytest.mark.parametrize(
    ("offset", "message"),
    [(4 * 32, "0 bytes past the end of `x` (128 bytes"), (-4, "before `x`"), (2, "misaligned"), (-(1 << 38), "null")],
)
def test_a_bad_address_names_the_thread_and_the_nearest_buffer(offset: int, message: str, functional: bool) -> None:
    body = f"""{ADDRESS.format(size=4)}
    add.s64 %rd3, %rd1, {offset};
    mov.u32 %r2, 1;
    setp.eq.u32 %p1, %r1, 5;
    @%p1 st.global.u32 [%rd3], %r2;
    ret;"""
    with pytest.raises(MachineFault) as error:
        run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(32, np.uint32)}, functional=functional)
    text = "\n".join([error.value.message, *error.value.notes])
    assert message in text
    assert "thread (5, 0, 0) in block (0, 0, 0) of `k` on GPU 0" in text
    assert error.value.exit_code == 5
    assert error.value.where is not None


def test_shared_memory_has_an_end(functional: bool) -> None:
    body = ".shared .align 4 .b8 s[64];\nmov.u32 %r1, s;\nst.shared.u32 [%r1+64], %r1;\nret;"
    with pytest.raises(MachineFault, match="outside its window"):
        run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(1, np.uint32)}, functional=functional)


def cycles_of(access: str, stride: int) -> int:
    """Cycles of a chain of 64 dependent shared loads whose lanes are ``stride`` bytes apart."""
    body = f"""
    .shared .align 4 .b8 s[16384];
    mov.u32 %r1, %tid.x;
    mul.lo.u32 %r2, %r1, {stride};
    mov.u32 %r3, s;
    add.u32 %r3, %r3, %r2;
    mov.u32 %r4, 0;
    mov.u32 %r5, 0;
LOOP:
    add.u32 %r6, %r3, %r4;
    {access} %r4, [%r6];
    and.b32 %r4, %r4, 0;
    add.u32 %r5, %r5, 1;
    setp.lt.u32 %p1, %r5, 64;
    @%p1 bra LOOP;
    ld.param.u64 %rd1, [x];
    st.global.u32 [%rd1], %r4;
    ret;"""
    return int(run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(1, np.uint32)}).machine.cycles[0])


def test_bank_conflicts_cost_a_pass_each() -> None:
    one, two, all_ = (cycles_of("ld.shared.u32", stride) for stride in (4, 8, 128))
    assert 64 * 1 <= two - one <= 64 * 3
    assert 64 * 50 <= all_ - one <= 64 * 70
    assert cycles_of("ld.shared.u32", 0) == one
