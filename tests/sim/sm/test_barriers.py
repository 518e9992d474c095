"""bar.sync and its relatives, in warps that are whole and in warps that are not."""

import numpy as np
import pytest
from kernels import ptx, run_kernel

from sim.errors import Deadlock, MachineFault

REGISTERS = "b32 r<12>; b64 rd<6>; pred p<6>"
POINTER = "mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; ld.param.u64 %rd1, [x]; add.s64 %rd3, %rd1, %rd2;"


def test_what_was_stored_before_a_barrier_is_seen_after_it(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[1024];
    {POINTER}
    mov.u32 %r3, s;
    shl.b32 %r4, %r1, 2;
    add.u32 %r5, %r3, %r4;
    st.shared.u32 [%r5], %r1;
    bar.sync 0;
    sub.u32 %r6, 255, %r1;
    shl.b32 %r6, %r6, 2;
    add.u32 %r6, %r3, %r6;
    ld.shared.u32 %r2, [%r6];
    st.global.u32 [%rd3], %r2;
    ret;"""
    x = np.zeros(256, np.uint32)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, block=(256, 1, 1), functional=functional)
    assert list(ran.out["x"]) == list(range(255, -1, -1))


def test_reductions_over_a_barrier(functional: bool) -> None:
    body = f"""
    {POINTER}
    setp.lt.u32 %p1, %r1, 40;
    bar.red.popc.u32 %r2, 0, %p1;
    bar.red.and.pred %p2, 0, %p1;
    bar.red.or.pred %p3, 0, %p1;
    @%p2 add.u32 %r2, %r2, 1000;
    @%p3 add.u32 %r2, %r2, 2000;
    st.global.u32 [%rd3], %r2;
    ret;"""
    ran = run_kernel(
        ptx("u64 x", REGISTERS, body), {"x": np.zeros(96, np.uint32)}, block=(96, 1, 1), functional=functional
    )
    assert set(ran.out["x"]) == {2040}


def test_warps_that_have_exited_are_not_waited_for(functional: bool) -> None:
    body = f"""
    {POINTER}
    setp.ge.u32 %p1, %r1, 64;
    @%p1 exit;
    bar.sync 0;
    mov.u32 %r2, 5;
    st.global.u32 [%rd3], %r2;
    ret;"""
    x = np.zeros(128, np.uint32)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, block=(128, 1, 1), functional=functional)
    assert list(ran.out["x"]) == [5] * 64 + [0] * 64


def test_producers_arrive_and_consumers_wait(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[4];
    {POINTER}
    mov.u32 %r3, s;
    setp.lt.u32 %p1, %r1, 32;
    @%p1 bra PRODUCE;
    bar.sync 1, 64;
    ld.shared.u32 %r2, [%r3];
    st.global.u32 [%rd3], %r2;
    ret;
PRODUCE:
    st.shared.u32 [%r3], 77;
    bar.arrive 1, 64;
    ret;"""
    x = np.zeros(64, np.uint32)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, block=(64, 1, 1), functional=functional)
    assert list(ran.out["x"]) == [0] * 32 + [77] * 32


def test_a_diverged_warp_arrives_when_all_its_lanes_have(functional: bool) -> None:
    body = f"""
    {POINTER}
    setp.lt.u32 %p1, %r1, 7;
    @%p1 bra LEFT;
    barrier.sync 0;
    mov.u32 %r2, 1;
    bra END;
LEFT:
    barrier.sync 0;
    mov.u32 %r2, 2;
END:
    st.global.u32 [%rd3], %r2;
    ret;"""
    x = np.zeros(64, np.uint32)
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, block=(64, 1, 1), functional=functional)
    assert list(ran.out["x"]) == [2] * 7 + [1] * 57


def test_a_barrier_that_somebody_never_reaches_is_a_deadlock_with_a_report(functional: bool) -> None:
    body = """
    mov.u32 %r1, %tid.x;
    setp.lt.u32 %p1, %r1, 32;
    @%p1 bra WAIT;
LOOP:
    ld.param.u64 %rd1, [x];
    ld.volatile.global.u32 %r2, [%rd1];
    setp.eq.u32 %p2, %r2, 0;
    @%p2 bra LOOP;
WAIT:
    bar.sync 0;
    ret;"""
    if functional:
        pytest.skip("the functional driver has no clock to notice polling by")
    with pytest.raises(Deadlock) as error:
        run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(1, np.uint32)}, block=(64, 1, 1))
    notes = "\n".join(error.value.notes)
    assert "barrier 0: 1 of 2 warps arrived" in notes
    assert "polls `x` + 0 on GPU 0" in notes


def test_warps_that_disagree_about_a_barrier_fault(functional: bool) -> None:
    body = """
    mov.u32 %r1, %tid.x;
    setp.lt.u32 %p1, %r1, 32;
    @%p1 bar.sync 0, 64;
    @!%p1 bar.sync 0, 96;
    ret;"""
    with pytest.raises(MachineFault, match="barrier 0"):
        run_kernel(
            ptx("u64 x", REGISTERS, body), {"x": np.zeros(1, np.uint32)}, block=(96, 1, 1), functional=functional
        )
