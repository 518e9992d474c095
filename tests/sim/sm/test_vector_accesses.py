"""Vectors of up to eight elements: loads, stores, and atomics and reductions on each element."""

import struct

import numpy as np
from kernels import new_machine, place, ptx, read_back, run_kernel

REGISTERS = "b32 r<12>; b64 rd<8>; f32 f<12>; b16 h<20>; pred p<2>"
ADDRESSES = """
    ld.param.u64 %rd1, [x];
    ld.param.u64 %rd2, [y];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 32;
    add.u64 %rd4, %rd1, %rd3;
    add.u64 %rd5, %rd2, %rd3;
"""


def test_eight_elements(functional: bool) -> None:
    body = f"""{ADDRESSES}
    ld.global.v4.b16 {{%h0, %h1, %h2, %h3}}, [%rd4+16];
    ld.global.v4.b16 {{%h4, %h5, %h6, %h7}}, [%rd4+24];
    st.global.v8.b16 [%rd5], {{%h7, %h6, %h5, %h4, %h3, %h2, %h1, %h0}};
    ret;"""
    x = np.arange(512, dtype=np.uint16)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros_like(x)}, functional=functional)
    assert (ran.out["y"].reshape(32, 16)[:, :8] == x.reshape(32, 16)[:, :7:-1]).all()


def test_each_element_is_an_operation_of_its_own(functional: bool) -> None:
    """Lanes 0 to 15 and 16 to 31 share addresses: eight f32 sums per pair of lanes, and old values of the halves."""
    body = f"""{ADDRESSES}
    and.b32 %r2, %r1, 15;
    mul.wide.u32 %rd3, %r2, 32;
    add.u64 %rd4, %rd1, %rd3;
    cvt.rn.f32.u32 %f1, %r1;
    add.f32 %f2, %f1, %f1;
    red.global.add.v4.f32 [%rd4], {{%f1, %f2, %f1, %f2}};
    mov.b32 {{%h1, %h2}}, 0x44003C00;
    mov.b16 %h3, 0x4000;
    mov.b16 %h4, 0x4200;
    atom.global.max.noftz.v8.f16 {{%h11, %h12, %h13, %h14, %h15, %h16, %h17, %h18}}, [%rd4+16],
        {{%h1, %h2, %h3, %h4, %h1, %h2, %h3, %h4}};
    st.global.v8.b16 [%rd5], {{%h11, %h12, %h13, %h14, %h15, %h16, %h17, %h18}};
    ret;"""
    x = np.zeros((16, 8), np.float32)
    x.view(np.float16)[:, 8:] = 2.5
    ran = run_kernel(
        ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros((32, 16), np.float16)}, functional=functional
    )
    pair = 2 * np.arange(16)[:, None] + 16
    assert (ran.out["x"][:, :4] == pair * [1, 2, 1, 2]).all()
    after = np.maximum(2.5, [1, 4, 2, 3, 1, 4, 2, 3])
    assert (ran.out["x"].view(np.float16)[:, 8:] == after).all()
    assert (ran.out["y"][:16, :8] == 2.5).all()
    assert (ran.out["y"][16:, :8] == after).all()


def test_vectors_of_a_peer(functional: bool) -> None:
    body = f"""{ADDRESSES}
    cvt.rn.f32.u32 %f1, %r1;
    mov.f32 %f2, 0f3F800000;
    atom.global.add.v4.f32 {{%f5, %f6, %f7, %f8}}, [%rd4], {{%f1, %f2, %f1, %f2}};
    red.global.add.v2.f32 [%rd4+16], {{%f2, %f1}};
    st.global.v4.f32 [%rd5], {{%f5, %f6, %f7, %f8}};
    ret;"""
    machine = new_machine(ptx("u64 x, u64 y", REGISTERS, body), gpus=2, functional=functional)
    before = np.arange(256, dtype=np.float32).reshape(32, 8)
    x, y = place(machine, 1, "x", before), place(machine, 0, "y", np.zeros_like(before))
    machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=struct.pack("<QQ", x, y))
    machine.run()
    lane, zero = np.arange(32), np.zeros(32)
    added = np.stack([lane, zero + 1, lane, zero + 1, zero + 1, lane, zero, zero], 1)
    assert (read_back(machine, x, before) == before + added).all()
    assert (read_back(machine, y, before)[:, :4] == before[:, :4]).all()


def test_sums_flush_subnormals_except_in_shared_memory(functional: bool) -> None:
    """PTX ISA 9.0, 9.7.13.6: atom.add.f32 on global memory flushes subnormal operands and results."""
    body = f"""{ADDRESSES}
    setp.ne.u32 %p1, %r1, 0;
    @%p1 ret;
    .shared .f32 s;
    mov.b32 %f1, 0x00000100;
    st.shared.f32 [s], 0f00000003;
    red.global.add.f32 [%rd1], %f1;
    red.shared.add.f32 [s], %f1;
    ld.shared.f32 %f2, [s];
    st.global.f32 [%rd2], %f2;
    ret;"""
    x = np.array([3], np.uint32)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": x}, functional=functional)
    assert (ran.out["x"][0], ran.out["y"][0]) == (0, 0x103)


def test_values_of_128_bits(functional: bool) -> None:
    """Loads, stores, moves of halves, exchange and compare-and-swap, in global and shared memory."""
    body = f"""{ADDRESSES}
    .reg .b128 %q<6>;
    .shared .align 16 .b8 s[1024];
    ld.global.b128 %q1, [%rd4];
    mov.b128 {{%rd6, %rd7}}, %q1;
    mov.b128 %q2, {{%rd7, %rd6}};
    atom.global.exch.b128 %q3, [%rd4], %q2;
    st.global.b128 [%rd5], %q3;
    atom.global.cas.b128 %q4, [%rd4], %q1, %q1;
    mul.wide.u32 %rd6, %r1, 16;
    mov.u64 %rd7, s;
    add.u64 %rd7, %rd7, %rd6;
    st.shared.b128 [%rd7], %q1;
    atom.shared.cas.b128 %q3, [%rd7], %q1, %q4;
    ld.shared.b128 %q5, [%rd7];
    st.global.b128 [%rd5+16], %q5;
    ret;"""
    x = np.arange(128, dtype=np.uint64) + (1 << 40)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros_like(x)}, functional=functional)
    before, swapped = x.reshape(32, 4)[:, :2], x.reshape(32, 4)[:, 1::-1]
    assert (ran.out["x"].reshape(32, 4)[:, :2] == swapped).all()
    assert (ran.out["y"].reshape(32, 4) == np.hstack([before, swapped])).all()
