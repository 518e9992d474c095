"""mbarrier objects: phases, counts, states, waiting, and the times of arrivals and waits."""

import numpy as np
import pytest
from kernels import ptx, run_kernel

from sim.errors import Deadlock, MachineFault

REGISTERS = "b32 r<20>; b64 rd<14>; pred p<6>"
HEAD = """
    .shared .align 8 .b8 bar[32];
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [x]; mov.u32 %r3, bar; setp.eq.u32 %p1, %r1, 0;
    mul.wide.u32 %rd2, %r1, 4; add.u64 %rd3, %rd1, %rd2;"""


def run(body: str, functional: bool, block: int = 32, n: int = 64) -> list[int]:
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(n, np.uint32)}, block=(block, 1, 1),
                     functional=functional)  # fmt: skip
    return [int(v) for v in ran.out["x"]]


def test_states_tell_phases_and_pending_counts(functional: bool) -> None:
    body = f"""{HEAD}
    @!%p1 bra end;
    mbarrier.init.shared.b64 [%r3], 3;
    mbarrier.arrive.shared.b64 %rd4, [%r3];
    mbarrier.arrive.noComplete.shared.b64 %rd5, [%r3], 1;
    mbarrier.pending_count.b64 %r4, %rd4; mbarrier.pending_count.b64 %r5, %rd5;
    mbarrier.test_wait.shared.b64 %p2, [%r3], %rd4;
    mbarrier.arrive.release.cta.shared::cta.b64 %rd6, [%r3];
    mbarrier.test_wait.acquire.cta.shared.b64 %p3, [%r3], %rd4;
    mbarrier.arrive.shared.b64 %rd7, [%r3], 2; mbarrier.test_wait.shared.b64 %p4, [%r3], %rd7;
    mbarrier.test_wait.parity.shared.b64 %p5, [%r3], 0;
    selp.u32 %r6, 1, 0, %p2; selp.u32 %r7, 1, 0, %p3; selp.u32 %r8, 1, 0, %p4; selp.u32 %r9, 1, 0, %p5;
    st.global.v4.u32 [%rd1], {{%r4, %r5, %r6, %r7}}; st.global.v2.u32 [%rd1+16], {{%r8, %r9}};
end: ret;"""
    assert run(body, functional)[:6] == [3, 2, 0, 1, 0, 1]


def test_dropped_arrivals_are_not_expected_any_more(functional: bool) -> None:
    body = f"""{HEAD}
    @!%p1 bra end;
    mbarrier.init.shared.b64 [%r3], 2;
    mbarrier.arrive_drop.shared.b64 %rd4, [%r3]; mbarrier.arrive.shared.b64 %rd4, [%r3];
    mbarrier.test_wait.parity.shared.b64 %p2, [%r3], 0;
    mbarrier.arrive.shared.b64 %rd4, [%r3]; mbarrier.test_wait.parity.shared.b64 %p3, [%r3], 1;
    mbarrier.arrive_drop.expect_tx.shared.b64 _, [%r3], 8; mbarrier.test_wait.parity.shared.b64 %p4, [%r3], 0;
    mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r3], 8; mbarrier.test_wait.parity.shared.b64 %p5, [%r3], 0;
    selp.u32 %r6, 1, 0, %p2; selp.u32 %r7, 1, 0, %p3; selp.u32 %r8, 1, 0, %p4; selp.u32 %r9, 1, 0, %p5;
    st.global.v4.u32 [%rd1], {{%r6, %r7, %r8, %r9}};
end: ret;"""
    assert run(body, functional)[:4] == [1, 1, 0, 1]


def test_generic_addresses_and_offsets(functional: bool) -> None:
    body = f"""{HEAD}
    cvt.u64.u32 %rd4, %r3; cvta.shared.u64 %rd4, %rd4;
    @%p1 mbarrier.init.b64 [%rd4+8], 32; bar.sync 0;
    mbarrier.arrive.b64 %rd5, [%rd4+8];
again: mbarrier.try_wait.b64 %p2, [%rd4+8], %rd5, 1000; @!%p2 bra again;
    st.global.u32 [%rd3], 4; ret;"""
    assert run(body, functional)[:32] == [4] * 32


def test_producer_and_consumer_take_turns(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 box[4];
    {HEAD}
    mov.u32 %r10, box; mov.u32 %r11, 0; mov.u32 %r12, 0; mov.u32 %r13, 0;
    @%p1 mbarrier.init.shared.b64 [%r3], 1; @%p1 mbarrier.init.shared.b64 [%r3+8], 1; bar.sync 0;
    and.b32 %r4, %r1, 31; setp.ne.u32 %p2, %r4, 0; @%p2 exit;
    setp.ge.u32 %p3, %r1, 32; @%p3 bra consumer;
producer: add.u32 %r12, %r12, 7; st.shared.u32 [%r10], %r12; mbarrier.arrive.shared.b64 _, [%r3];
full: mbarrier.try_wait.parity.shared.b64 %p4, [%r3+8], %r13; @!%p4 bra full;
    xor.b32 %r13, %r13, 1; add.u32 %r11, %r11, 1; setp.lt.u32 %p5, %r11, 20; @%p5 bra producer; ret;
consumer: mbarrier.try_wait.parity.shared.b64 %p4, [%r3], %r13; @!%p4 bra consumer;
    ld.shared.u32 %r14, [%r10]; add.u32 %r12, %r12, %r14; mbarrier.arrive.shared.b64 _, [%r3+8];
    xor.b32 %r13, %r13, 1; add.u32 %r11, %r11, 1; setp.lt.u32 %p5, %r11, 20; @%p5 bra consumer;
    st.global.u32 [%rd1], %r12; ret;"""
    assert run(body, functional, block=64)[0] == 7 * sum(range(1, 21))


def test_lanes_of_one_warp_wait_for_each_other(functional: bool) -> None:
    body = f"""{HEAD}
    @%p1 mbarrier.init.shared.b64 [%r3], 31; bar.warp.sync -1;
    @%p1 bra waits;
    mbarrier.arrive.shared.b64 _, [%r3]; mov.u32 %r5, 1; bra end;
waits: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra waits; mov.u32 %r5, 2;
end: st.global.u32 [%rd3], %r5; ret;"""
    assert run(body, functional)[:32] == [2] + [1] * 31


def test_a_wait_ends_after_its_time(functional: bool) -> None:
    body = f"""{HEAD}
    @%p1 mbarrier.init.shared.b64 [%r3], 1; bar.warp.sync -1; mov.u64 %rd4, %globaltimer;
    mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0, 3000; selp.u32 %r5, 1, 0, %p2;
    mov.u64 %rd5, %globaltimer; sub.u64 %rd5, %rd5, %rd4; cvt.u32.u64 %r6, %rd5;
    @%p1 st.global.v2.u32 [%rd1], {{%r5, %r6}}; ret;"""
    done, waited = run(body, functional)[:2]
    assert done == 0
    assert functional or waited == pytest.approx(3000, rel=0.05)


def test_a_phase_that_never_completes_is_a_deadlock(functional: bool) -> None:
    body = f"""{HEAD}
    @%p1 mbarrier.init.shared.b64 [%r3+16], 2; bar.warp.sync -1; @%p1 mbarrier.arrive.shared.b64 _, [%r3+16];
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r3+16], 0; @!%p2 bra again; ret;"""
    with pytest.raises(Deadlock) as caught:
        run(body, functional)
    assert any("mbarrier at 0x410" in line and "1 arrivals" in line for line in caught.value.notes)


def test_an_object_lies_in_shared_memory_at_a_multiple_of_eight(functional: bool) -> None:
    for address in ("[%r3+4]", "[%r3+4096]", "[%rd1]"):
        space = "" if "rd" in address else ".shared"
        with pytest.raises(MachineFault):
            run(f"{HEAD} mbarrier.init{space}.b64 {address}, 1; ret;", functional)


LOOP = (
    "mov.u32 %r16, %clock; mov.u32 %r19, 0; loop: {} add.u32 %r19, %r19, 1; setp.lt.u32 %p5, %r19, 64; @%p5 bra loop;"
)
WRITE = "mov.u32 %r17, %clock; sub.u32 %r17, %r17, %r16; @%p1 st.global.u32 [%rd1], %r17; ret;"


def test_time_of_an_arrival_and_a_wait_of_one_thread() -> None:
    step = """mbarrier.arrive.shared::cta.b64 _, [%r3];
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], %r9; @!%p2 bra again; xor.b32 %r9, %r9, 1;"""
    body = f"{HEAD} mbarrier.init.shared.b64 [%r3], 1; mov.u32 %r9, 0; {LOOP.format(step)} {WRITE}"
    assert run(body, False, block=1)[0] / 64 == pytest.approx(65.2, rel=0.15)


def test_time_of_an_arrival_at_another_warp() -> None:
    step = """@!%p4 mbarrier.arrive.shared::cta.b64 _, [%r8];
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r7], %r9; @!%p2 bra again; xor.b32 %r9, %r9, 1;
    @%p4 mbarrier.arrive.shared::cta.b64 _, [%r8];"""
    body = f"""{HEAD} and.b32 %r4, %r1, 32; shr.u32 %r5, %r4, 2; add.u32 %r7, %r3, %r5; xor.b32 %r5, %r5, 8;
    add.u32 %r8, %r3, %r5; setp.ne.u32 %p4, %r4, 0; mov.u32 %r9, 0;
    @%p1 mbarrier.init.shared.b64 [%r3], 1; @%p1 mbarrier.init.shared.b64 [%r3+8], 1; bar.sync 0;
    and.b32 %r4, %r1, 31; setp.ne.u32 %p3, %r4, 0; @%p3 exit; {LOOP.format(step)} {WRITE}"""
    assert run(body, False, block=64)[0] / 128 == pytest.approx(61.5, rel=0.15)
