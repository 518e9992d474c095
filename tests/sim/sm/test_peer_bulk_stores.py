"""Bulk stores to the memory of another GPU: bytes, completion, order with flags, pace, mistakes."""

import struct

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back

from sim.errors import MachineFault

REGISTERS = "b32 r<20>; b64 rd<14>; pred p<6>"
FILL = """
    .shared .align 128 .b8 s[16384];
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [y]; ld.param.u64 %rd2, [out]; mov.u32 %r2, s;
    setp.eq.u32 %p1, %r1, 0; mad.lo.u32 %r11, %r1, 4, %r2; mov.u32 %r10, %r1;
fill: st.shared.u32 [%r11], %r10; add.u32 %r10, %r10, 32; add.u32 %r11, %r11, 128;
    setp.lt.u32 %p3, %r10, 4096; @%p3 bra fill; fence.proxy.async.shared::cta; bar.sync 0; @!%p1 bra end;"""
STORE = "cp.async.bulk.global.shared::cta.bulk_group"


def run(body, functional=False, words=8192):
    """One warp of GPU 0 with y on GPU 1 and out on GPU 0. Returns y, out, and the machine."""
    text = ptx("u64 y, u64 out", REGISTERS, f"{FILL} {body} end: ret;")
    machine = new_machine(text, gpus=2, functional=functional)
    y, out = np.zeros(words, np.uint32), np.zeros(8, np.uint64)
    at = place(machine, 1, "y", y), place(machine, 0, "out", out)
    machine.launch(0, machine.image.kernels[0].name, (1, 1, 1), (32, 1, 1), params=struct.pack("<2Q", *at))
    machine.run()
    return read_back(machine, at[0], y), read_back(machine, at[1], out), machine


@pytest.mark.parametrize(("offset", "nbytes"), [(0, 16), (112, 32), (48, 4096), (16, 16368), (128, 0)])
def test_exactly_its_bytes_are_written(offset, nbytes, functional):
    y, _, _ = run(f"{STORE} [%rd1+{offset}], [%r2+16], {nbytes}; cp.async.bulk.commit_group;", functional)
    want = np.zeros_like(y)
    want[offset // 4 : (offset + nbytes) // 4] = np.arange(4, 4 + nbytes // 4)
    assert np.array_equal(y, want)


def test_complete_means_written_there():
    """After wait_group 0 a load of the last word from the peer finds it."""
    body = f"""{STORE} [%rd1], [%r2], 16384; cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
    ld.relaxed.sys.global.u32 %r12, [%rd1+16380]; st.global.u32 [%rd2], %r12;"""
    _, out, _ = run(body)
    assert out[0] == 4095


def test_after_wait_group_read_the_source_may_change():
    body = f"""{STORE} [%rd1], [%r2], 8192; cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;
    mov.u32 %r10, %r2; mov.u32 %r12, -1; add.u32 %r13, %r2, 8192;
wipe: st.shared.u32 [%r10], %r12; add.u32 %r10, %r10, 4; setp.lt.u32 %p4, %r10, %r13; @%p4 bra wipe;"""
    y, _, _ = run(body)
    assert np.array_equal(y[:2048], np.arange(2048))


def test_a_copy_is_complete_when_its_source_is_free():
    """As on an H200, where both take the engine's pace; fences wait for the other GPU."""
    body = f"""mov.u64 %rd3, %clock64;
    {STORE} [%rd1], [%r2], 8192; cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0; mov.u64 %rd4, %clock64;
    cp.async.bulk.wait_group 0; mov.u64 %rd5, %clock64;
    sub.u64 %rd4, %rd4, %rd3; sub.u64 %rd5, %rd5, %rd3; st.global.v2.u64 [%rd2], {{%rd4, %rd5}};"""
    _, out, machine = run(body)
    pace = 64 * 5340 / 1024
    assert pace <= out[0] <= pace + 51 + 2 * 128 + 64
    assert out[0] < out[1] <= out[0] + 6 + 128
    assert machine.stats()["per_gpu"][0]["nvlink_tx_bytes"] >= 64 * 144


def test_many_copies_of_all_warps_arrive_once(functional):
    """More copies than the engine has entries, and more packets than the SM has credits."""
    body = """
    .shared .align 128 .b8 s[2048];
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [y]; mov.u32 %r2, s; mad.lo.u32 %r3, %r1, 16, %r2;
    setp.lt.u32 %p1, %r1, 128; @%p1 st.shared.v4.u32 [%r3], {%r1, %r1, %r1, %r1};
    fence.proxy.async.shared::cta; bar.sync 0;
    mul.wide.u32 %rd3, %r1, 2048; add.u64 %rd1, %rd1, %rd3; mov.u32 %r5, 0;
more: cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r2], 1024; cp.async.bulk.commit_group;
    add.u64 %rd1, %rd1, 1024; add.u32 %r5, %r5, 1; setp.lt.u32 %p2, %r5, 2; @%p2 bra more;
    cp.async.bulk.wait_group 0; ret;"""
    machine = new_machine(ptx("u64 y, u64 out", REGISTERS, body), gpus=2, functional=functional)
    y = np.zeros((512, 256), np.uint32)
    at = place(machine, 1, "y", y), place(machine, 0, "out", np.zeros(2, np.uint64))
    machine.launch(0, machine.image.kernels[0].name, (1, 1, 1), (256, 1, 1), params=struct.pack("<2Q", *at))
    machine.run()
    assert (read_back(machine, at[0], y) == np.repeat(np.arange(64), 4)).all()


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        (f"{STORE} [%rd1+8], [%r2], 16;", "misaligned"),
        (f"{STORE} [%rd1+32512], [%r2], 512;", "size 512 bytes"),
        ("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%rd1], [%r2], 16;", "plain bulk stores"),
    ],
)
def test_mistakes(copy, message):
    with pytest.raises(MachineFault, match=message):
        run(copy)
