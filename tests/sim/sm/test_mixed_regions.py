"""Lanes of one instruction that address shared memory, their own GPU and peers; copies whose source is not touched."""

import struct

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back, run_kernel

from sim.errors import MachineFault

REGISTERS = "b32 r<16>; b64 rd<16>; pred p<4>"
PICK = """
    .shared .align 16 .b8 s[256];
    mov.u32 %r1, %tid.x;
    ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [y]; ld.param.u64 %rd3, [z]; ld.param.u64 %rd4, [out];
    mov.u64 %rd5, s; cvta.shared.u64 %rd6, %rd5;
    setp.lt.u32 %p1, %r1, 16;
    @%p1 st.shared.v4.u32 [s], {%r1, %r1, %r1, %r1};
    mul.wide.u32 %rd9, %r1, 8; add.u64 %rd4, %rd4, %rd9;
    rem.u32 %r2, %r1, 4;
    setp.eq.u32 %p1, %r2, 0; @%p1 mov.u64 %rd7, %rd6;
    setp.eq.u32 %p1, %r2, 1; @%p1 mov.u64 %rd7, %rd1;
    setp.eq.u32 %p1, %r2, 2; @%p1 mov.u64 %rd7, %rd2;
    setp.eq.u32 %p1, %r2, 3; @%p1 mov.u64 %rd7, %rd3;
    mov.u64 %rd8, 100;
    @%p1 mov.u64 %rd8, 1;
    mov.u64 %rd10, 0; st.shared.u64 [s], %rd10; bar.sync 0;
"""


def picked(body: str, functional: bool) -> tuple[list[int], list[int]]:
    """One warp of GPU 0 of three; its out buffer, and the first word of x (GPU 0), y (GPU 1) and z (GPU 2)."""
    text = ptx("u64 x, u64 y, u64 z, u64 out", REGISTERS, f"{PICK} {body} ret;")
    machine = new_machine(text, gpus=3, functional=functional)
    words = [place(machine, gpu, name, np.array([gpu * 1000], np.uint64)) for gpu, name in enumerate("xyz")]
    out = place(machine, 0, "out", np.zeros(32, np.uint64))
    machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=struct.pack("<4Q", *words, out))
    machine.run()
    left = [int(read_back(machine, at, np.zeros(1, np.uint64))[0]) for at in words]
    return read_back(machine, out, np.zeros(32, np.uint64)).tolist(), left


def test_atomics_of_lanes_in_four_memories(functional: bool) -> None:
    """Each lane adds to its memory: old values are those its memory had, in lane order, and nothing is lost."""
    body = """atom.add.u64 %rd7, [%rd7], %rd8; st.global.u64 [%rd4], %rd7;
    bar.sync 0; ld.shared.u64 %rd9, [s]; setp.eq.u32 %p2, %r1, 0;
    @%p2 red.add.u64 [%rd1], %rd9;"""
    out, (x, y, z) = picked(body, functional)
    for kind, start, step in ((0, 0, 100), (1, 0, 100), (2, 1000, 100), (3, 2000, 1)):
        assert sorted(out[kind::4]) == [start + step * i for i in range(8)]
    assert (x, y, z) == (800 + 800, 1800, 2008)


def test_reductions_of_lanes_in_four_memories(functional: bool) -> None:
    body = "red.add.u64 [%rd7], %rd8; bar.sync 0; ld.shared.u64 %rd9, [s]; st.global.u64 [%rd4], %rd9;"
    out, left = picked(body, functional)
    assert set(out) == {800} and left == [800, 1800, 2008]


def test_swaps_of_lanes_in_four_memories(functional: bool) -> None:
    """compare-and-swap: of the lanes of a memory one finds the value it expects, the others what that one wrote."""
    body = """ld.u64 %rd9, [%rd7]; cvt.u64.u32 %rd8, %r1; add.u64 %rd8, %rd8, 5000;
    atom.cas.b64 %rd10, [%rd7], %rd9, %rd8; st.global.u64 [%rd4], %rd10;"""
    out, left = picked(body, functional)
    for kind, start in ((0, 0), (1, 0), (2, 1000), (3, 2000)):
        found = out[kind::4]
        assert found.count(start) == 1 and len(set(found)) == 2 and max(found) in range(5000, 5032)
    assert all(value in range(5000, 5032) for value in left)


def test_loads_of_lanes_in_four_memories(functional: bool) -> None:
    """A load before leaves other lanes' addresses behind; a reply must reach the lanes that asked, and no others."""
    body = """ld.u64 %rd9, [%rd3]; ld.u64 %rd9, [%rd2]; ld.u64 %rd9, [%rd7]; st.global.u64 [%rd4], %rd9;"""
    out, _ = picked(body, functional)
    assert out == [0, 0, 1000, 2000] * 8


COPY = """
    .shared .align 16 .b8 s[512];
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [out];
    mov.u32 %r2, s; mad.lo.u32 %r3, %r1, 16, %r2; mul.wide.u32 %rd3, %r1, 16; add.u64 %rd2, %rd2, %rd3;
    st.shared.v4.u32 [%r3], {%r2, %r2, %r2, 77};
"""
KEEP = """ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, [%r3]; st.global.v4.u32 [%rd2], {%r5, %r6, %r7, %r8};"""


def copied(body: str, functional: bool, words: int = 128) -> np.ndarray:
    x = np.arange(1, words + 1, dtype=np.uint32)
    text = ptx("u64 x, u64 out", REGISTERS, f"{COPY} {body} cp.async.wait_all; {KEEP} ret;")
    return run_kernel(text, {"x": x, "out": np.zeros(128, np.uint32)}, functional=functional).out["out"].reshape(32, 4)


def test_a_copy_of_no_bytes_does_not_touch_its_source(functional: bool) -> None:
    """Odd lanes copy 0 bytes, from addresses that mean nothing; all their bytes are zero."""
    body = """and.b32 %r4, %r1, 1; setp.eq.u32 %p1, %r4, 1; selp.u32 %r4, 0, 16, %p1; add.u64 %rd4, %rd1, %rd3;
    @%p1 mov.u64 %rd4, 0x123456789ABC; cp.async.cg.shared.global [%r3], [%rd4], 16, %r4;"""
    got = copied(body, functional)
    want = np.arange(1, 129, dtype=np.uint32).reshape(32, 4)
    assert (got[::2] == want[::2]).all() and (got[1::2] == 0).all()
    assert (copied("mov.u64 %rd4, 0; cp.async.cg.shared.global [%r3], [%rd4], 16, 0;", functional) == 0).all()


def test_a_copy_touches_no_byte_beyond_the_source_size(functional: bool) -> None:
    """A buffer of 126 words ends within what the last lane names, and after what it copies."""
    body = "add.u64 %rd4, %rd1, %rd3; cp.async.ca.shared.global [%r3], [%rd4+8], 8, {size};"
    got = copied(body.format(size=4), functional)
    assert got[:, 0].tolist() == list(range(3, 131, 4)) and (got[:, 1] == 0).all() and (got[:, 3] == 77).all()
    edge = "add.u64 %rd4, %rd1, %rd3; cp.async.cg.shared.global [%r3], [%rd4], 16, {size};"
    assert copied(edge.format(size=8), functional, 126)[31].tolist() == [125, 126, 0, 0]
    with pytest.raises(MachineFault, match=r"invalid `cp\.async\.cg\.shared\.global` of size 16 bytes"):
        copied(edge.format(size=12), functional, 126)
    with pytest.raises(MachineFault, match="misaligned"):
        copied(edge.format(size=8).replace("[%rd4]", "[%rd4+8]"), functional)


def test_a_copy_stays_in_its_shared_memory(functional: bool) -> None:
    with pytest.raises(MachineFault, match="outside its window, at offset 0x600"):
        copied("cp.async.cg.shared.global [%r3+16], [%rd1], 16;", functional)
