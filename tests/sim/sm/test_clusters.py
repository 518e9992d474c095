"""Clusters of CTAs: who is in them, each other's shared memory, barrier.cluster, mbarriers across CTAs, and their times."""

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back, run_kernel

from sim.errors import Deadlock, MachineError, MachineFault

REGISTERS = "b32 r<20>; b64 rd<12>; pred p<6>"
OUT = """
    mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.u32 %r4, %r2, %r3, %r1;
    ld.param.u64 %rd1, [x]; mul.wide.u32 %rd2, %r4, 4; add.s64 %rd3, %rd1, %rd2; mov.u32 %r5, %cluster_ctarank;"""
SYNC = "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;"


def run(body: str, x: np.ndarray, grid: int, block: int, cluster: int, functional: bool, shared: int = 0):
    return run_kernel(
        ptx("u64 x", REGISTERS, body), {"x": x}, grid=(grid, 1, 1), block=(block, 1, 1), cluster=(cluster, 1, 1),
        functional=functional, shared=shared,
    )  # fmt: skip


def test_special_registers_in_three_dimensions(functional: bool) -> None:
    names = ["cluster_ctaid.x", "cluster_ctaid.y", "cluster_ctaid.z", "clusterid.x", "clusterid.y", "clusterid.z",
             "nclusterid.x", "nclusterid.y", "nclusterid.z", "cluster_nctaid.y", "cluster_ctarank",
             "cluster_nctarank"]  # fmt: skip
    stores = "\n".join(f"mov.u32 %r9, %{n}; st.global.u32 [%rd3+{4 * i}], %r9;" for i, n in enumerate(names))
    body = f"""
    mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ctaid.y; mov.u32 %r3, %ctaid.z;
    mad.lo.u32 %r4, %r3, 4, %r2; mad.lo.u32 %r4, %r4, 4, %r1; ld.param.u64 %rd1, [x];
    mul.wide.u32 %rd2, %r4, 64; add.s64 %rd3, %rd1, %rd2;
    {stores}
    mov.pred %p1, %is_explicit_cluster; selp.u32 %r9, 7, 8, %p1; st.global.u32 [%rd3+48], %r9;
    ret;"""
    x = np.zeros((2, 4, 4, 16), np.uint32)
    ran = run_kernel(
        ptx("u64 x", REGISTERS, body), {"x": x}, grid=(4, 4, 2), block=(1, 1, 1), cluster=(2, 4, 1),
        functional=functional,
    )  # fmt: skip
    for z in range(2):
        for j in range(4):
            for i in range(4):
                want = [i % 2, j, 0, i // 2, 0, z, 2, 1, 2, 4, i % 2 + 2 * j, 8, 7]
                assert list(ran.out["x"][z, j, i, :13]) == want


def test_without_a_cluster_every_cta_is_one(functional: bool) -> None:
    body = f"""{OUT}
    mov.pred %p1, %is_explicit_cluster; selp.u32 %r6, 100, 0, %p1; mov.u32 %r7, %cluster_nctarank;
    add.u32 %r6, %r6, %r7; mov.u32 %r7, %clusterid.x; mad.lo.u32 %r6, %r7, 10, %r6;
    {SYNC}
    st.global.u32 [%rd3], %r6; ret;"""
    ran = run_kernel(ptx("u64 x", REGISTERS, body), {"x": np.zeros(3, np.uint32)}, grid=(3, 1, 1), block=(1, 1, 1),
                     functional=functional)  # fmt: skip
    assert list(ran.out["x"]) == [1, 11, 21]


@pytest.mark.parametrize("cluster", [1, 2, 4, 8, 16])
def test_every_cta_reads_its_neighbour_after_the_barrier(cluster: int, functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[256];
    {OUT}
    mov.u32 %r6, s; shl.b32 %r7, %r1, 2; add.u32 %r6, %r6, %r7; st.shared.u32 [%r6], %r4;
    {SYNC}
    mov.u32 %r8, %cluster_nctarank; add.u32 %r9, %r5, 1; rem.u32 %r9, %r9, %r8;
    mapa.shared::cluster.u32 %r10, %r6, %r9; ld.shared::cluster.u32 %r11, [%r10];
    cvt.u64.u32 %rd4, %r6; cvta.shared.u64 %rd4, %rd4; mapa.u64 %rd5, %rd4, %r9; ld.u32 %r12, [%rd5];
    getctarank.u64 %r13, %rd5; getctarank.shared::cluster.u32 %r14, %r6;
    isspacep.shared::cluster %p1, %rd5; selp.u32 %r15, 0, 1000, %p1;
    sub.u32 %r11, %r11, %r12; add.u32 %r12, %r12, %r11; sub.u32 %r13, %r13, %r9; sub.u32 %r14, %r14, %r5;
    getctarank.shared::cluster.u64 %r16, s+8; sub.u32 %r16, %r16, %r5; or.b32 %r13, %r13, %r16;
    or.b32 %r13, %r13, %r14; add.u32 %r12, %r12, %r13; add.u32 %r12, %r12, %r15;
    {SYNC}
    st.global.u32 [%rd3], %r12; ret;"""
    x = np.zeros(32 * 64, np.uint32)
    ran = run(body, x, 32, 64, cluster, functional)
    linear = np.arange(32 * 64).reshape(32 // cluster, cluster, 64)
    assert np.array_equal(ran.out["x"], np.roll(linear, -1, 1).reshape(-1))


def test_atomics_and_stores_reach_another_cta(functional: bool) -> None:
    body = f"""
    .shared .align 4 .b8 s[64];
    {OUT}
    mov.u32 %r6, s; mov.u32 %r7, 0; st.shared.u32 [%r6], %r7;
    {SYNC}
    mapa.shared::cluster.u32 %r8, %r6, 0;
    red.relaxed.cluster.shared::cluster.add.u32 [%r8], 1;
    atom.relaxed.cluster.shared::cluster.add.u32 %r9, [%r8], 0;
    setp.eq.u32 %p1, %r1, 0; mul.lo.u32 %r10, %r5, 4; add.u32 %r10, %r10, %r8;
    @%p1 st.shared::cluster.u32 [%r10+4], %r5;
    {SYNC}
    setp.ne.u32 %p2, %r5, 0; @%p2 exit;
    and.b32 %r11, %r1, 3; mad.lo.u32 %r11, %r11, 4, %r6; ld.shared.u32 %r12, [%r6]; ld.shared.u32 %r13, [%r11+4];
    mad.lo.u32 %r12, %r13, 1000, %r12; st.global.u32 [%rd3], %r12; ret;"""
    ran = run(body, np.zeros(4 * 64, np.uint32), 4, 64, 4, functional)
    assert list(ran.out["x"][:64]) == [256 + 1000 * (i & 3) for i in range(64)]


def test_the_barrier_does_not_wait_for_exited_threads(functional: bool) -> None:
    body = f"""{OUT}
    setp.eq.u32 %p1, %r5, 1; @%p1 exit;
    setp.gt.u32 %p2, %r1, 40; @%p2 exit;
    barrier.cluster.arrive.relaxed; barrier.cluster.wait;
    st.global.u32 [%rd3], 5; ret;"""
    ran = run(body, np.zeros(3 * 64, np.uint32), 3, 64, 3, functional)
    assert [int((row == 5).sum()) for row in ran.out["x"].reshape(3, 64)] == [41, 0, 41]


def test_lanes_of_a_warp_wait_at_different_places(functional: bool) -> None:
    body = f"""{OUT}
    setp.lt.u32 %p1, %r1, 7; @%p1 bra low;
    barrier.cluster.arrive; barrier.cluster.wait; mov.u32 %r6, 2; bra done;
low: barrier.cluster.arrive; barrier.cluster.wait; mov.u32 %r6, 1;
done: st.global.u32 [%rd3], %r6; ret;"""
    ran = run(body, np.zeros(2 * 32, np.uint32), 2, 32, 2, functional)
    assert list(ran.out["x"]) == ([1] * 7 + [2] * 25) * 2


def test_a_remote_arrival_completes_a_phase_after_the_stores_before_it(functional: bool) -> None:
    body = f"""
    .shared .align 8 .b8 bar[8]; .shared .align 4 .b8 box[128];
    {OUT}
    setp.ne.u32 %p1, %r1, 0; mov.u32 %r6, bar; mov.u32 %r7, box; mad.lo.u32 %r7, %r1, 4, %r7;
    @!%p1 mbarrier.init.shared::cta.b64 [%r6], 32;
    fence.mbarrier_init.release.cluster;
    {SYNC}
    xor.b32 %r8, %r5, 1; mapa.shared::cluster.u32 %r9, %r6, %r8; mapa.shared::cluster.u32 %r10, %r7, %r8;
    st.shared::cluster.u32 [%r10], %r4;
    mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r9];
wait: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [%r6], 0;
    @!%p2 bra wait;
    ld.shared.u32 %r11, [%r7]; st.global.u32 [%rd3], %r11;
    {SYNC}
    ret;"""
    ran = run(body, np.zeros(64, np.uint32), 2, 32, 2, functional)
    assert list(ran.out["x"]) == [*range(32, 64), *range(32)]


@pytest.mark.parametrize(("instruction", "want"), [
    ("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r10], %r4, [%r9];", lambda i: i),
    ("red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r10], %r4, [%r9];",
     lambda i: i + 500),
    ("red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.max.s32 [%r10], %r4, [%r9];",
     lambda i: 500),
])  # fmt: skip
def test_asynchronous_stores_are_counted_by_the_mbarrier(instruction: str, want, functional: bool) -> None:
    body = f"""
    .shared .align 8 .b8 bar[8]; .shared .align 4 .b8 box[128];
    {OUT}
    setp.ne.u32 %p1, %r1, 0; mov.u32 %r6, bar; mov.u32 %r7, box; mad.lo.u32 %r7, %r1, 4, %r7;
    mov.u32 %r12, 500; st.shared.u32 [%r7], %r12;
    @!%p1 mbarrier.init.shared.b64 [%r6], 1;
    @!%p1 mbarrier.arrive.expect_tx.shared.b64 %rd6, [%r6], 128;
    {SYNC}
    xor.b32 %r8, %r5, 1; mapa.shared::cluster.u32 %r9, %r6, %r8; mapa.shared::cluster.u32 %r10, %r7, %r8;
    {instruction}
wait: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r6], 0;
    @!%p2 bra wait;
    ld.shared.u32 %r11, [%r7]; st.global.u32 [%rd3], %r11;
    {SYNC}
    ret;"""
    ran = run(body, np.zeros(64, np.uint32), 2, 32, 2, functional)
    assert list(ran.out["x"]) == [want(i) for i in [*range(32, 64), *range(32)]]


def test_ctas_of_a_cluster_run_on_the_sms_of_one_gpc() -> None:
    body = f"{OUT} mov.u32 %r6, %smid; st.global.u32 [%rd3], %r6; {SYNC} ret;"
    ran = run(body, np.zeros(128, np.uint32), 128, 1, 8, False)
    gpcs = ran.out["x"].reshape(16, 8) // 2 % 8
    assert (gpcs == gpcs[:, :1]).all()
    assert len(set(gpcs[:, 0])) == 8
    assert len(set(ran.out["x"])) == 128


def test_errors_of_launches_and_addresses() -> None:
    text = ptx("u64 x", REGISTERS, "ret;")
    machine = new_machine(text)
    for grid, cluster, message in (((6, 1, 1), (4, 1, 1), "multiple"), ((32, 1, 1), (32, 1, 1), "1 to 16 CTAs")):
        with pytest.raises(MachineError, match=message):
            machine.launch(0, "k", grid, (32, 1, 1), params=bytes(8), cluster=cluster)
    body = f"""
    .shared .align 4 .b8 s[64];
    {OUT} mov.u32 %r6, s; mapa.shared::cluster.u32 %r7, %r6, 2; ld.shared::cluster.u32 %r8, [%r7];
    st.global.u32 [%rd3], %r8; ret;"""
    with pytest.raises(MachineFault, match="outside its window"):
        run(body, np.zeros(2, np.uint32), 2, 1, 2, False)


def test_a_cluster_that_never_meets_is_a_deadlock(functional: bool) -> None:
    body = f"""{OUT} setp.eq.u32 %p1, %r5, 0; @%p1 bra here;
    bar.sync 1, 64;
here: {SYNC} ret;"""
    with pytest.raises(Deadlock) as caught:
        run(body, np.zeros(64, np.uint32), 2, 32, 2, functional)
    assert any("barrier.cluster" in line for line in caught.value.notes)


def cycles(body: str, cluster: int, block: int = 32, name: str = "k") -> int:
    """What the kernel writes to x[0]."""
    machine = new_machine(ptx("u64 x", REGISTERS, body))
    x = np.zeros(4, np.uint32)
    at = place(machine, 0, "x", x)
    machine.launch(0, name, (cluster, 1, 1), (block, 1, 1), params=at.to_bytes(8, "little"), cluster=(cluster, 1, 1))
    machine.run()
    return int(read_back(machine, at, x)[0])


CLOCK = "mov.u32 %r16, %clock;"
LOOP = "mov.u32 %r19, 0; loop: {} add.u32 %r19, %r19, 1; setp.lt.u32 %p5, %r19, {}; @%p5 bra loop;"
WRITE = """mov.u32 %r17, %clock; sub.u32 %r17, %r17, %r16; or.b32 %r18, %r5, %r1; setp.eq.u32 %p4, %r18, 0;
    @%p4 st.global.u32 [%rd1], %r17;"""


@pytest.mark.parametrize(("cluster", "rank", "measured"), [(2, 1, 192.2), (2, 0, 61.3), (8, 5, 209.95)])
def test_latency_of_distributed_shared_memory(cluster: int, rank: int, measured: float) -> None:
    chase = LOOP.format("ld.shared::cluster.u32 %r8, [%r8];", 64)
    body = f"""
    .shared .align 4 .b8 s[256];
    {OUT} mov.u32 %r6, s; mapa.shared::cluster.u32 %r8, %r6, {rank}; mad.lo.u32 %r7, %r1, 4, %r6;
    mapa.shared::cluster.u32 %r9, %r7, %r5; st.shared.u32 [%r7], %r9; mad.lo.u32 %r8, %r1, 4, %r8;
    {SYNC} setp.ne.u32 %p1, %r5, 0; @%p1 bra end; {CLOCK} {chase} {WRITE}
end: {SYNC} ret;"""
    assert cycles(body, cluster) / 64 == pytest.approx(measured, rel=0.15)


def test_bandwidth_of_distributed_shared_memory() -> None:
    stores = LOOP.format("st.shared::cluster.u32 [%r8], %r4; st.shared::cluster.u32 [%r8+128], %r4;", 64)
    body = f"""
    .shared .align 4 .b8 s[256];
    {OUT} mov.u32 %r6, s; mapa.shared::cluster.u32 %r8, %r6, 1; and.b32 %r7, %r1, 31; mad.lo.u32 %r8, %r7, 4, %r8;
    {SYNC} setp.ne.u32 %p1, %r5, 0; @%p1 bra end; {CLOCK} {stores} bar.sync 0; {WRITE}
end: {SYNC} ret;"""
    assert 8 * 64 * 2 * 128 / cycles(body, 2, block=256) == pytest.approx(20.45, rel=0.15)


@pytest.mark.parametrize(("cluster", "relaxed", "released"), [(1, 105.6, 372.3), (2, 109.6, 376.3), (8, 117.6, 396.8)])
def test_time_of_the_cluster_barrier(cluster: int, relaxed: float, released: float) -> None:
    for arrive, measured in (("arrive.relaxed", relaxed), ("arrive", released)):
        loop = LOOP.format(f"barrier.cluster.{arrive}.aligned; barrier.cluster.wait.aligned;", 64)
        body = f"{OUT} {SYNC} {CLOCK} {loop} {WRITE} ret;"
        assert cycles(body, cluster, block=128) / 64 == pytest.approx(measured, rel=0.15)


def test_one_way_time_of_a_remote_arrival() -> None:
    arrive = "mbarrier.arrive.relaxed.cluster.shared::cluster.b64 _, [%r8];"
    ping = f"""@!%p1 {arrive}
again: mbarrier.try_wait.parity.relaxed.cluster.shared::cta.b64 %p2, [%r6], %r9; @!%p2 bra again;
    @%p1 {arrive} xor.b32 %r9, %r9, 1;"""
    body = f"""
    .shared .align 8 .b8 bar[8];
    {OUT} mov.u32 %r6, bar; xor.b32 %r7, %r5, 1; mapa.shared::cluster.u32 %r8, %r6, %r7; mov.u32 %r9, 0;
    mbarrier.init.shared.b64 [%r6], 1; setp.ne.u32 %p1, %r5, 0;
    {SYNC} {CLOCK} {LOOP.format(ping, 64)} {WRITE} {SYNC} ret;"""
    assert cycles(body, 2, block=1) / 128 == pytest.approx(182.1, rel=0.15)
