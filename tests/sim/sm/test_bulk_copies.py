"""cp.async.bulk and its relatives: what they move, whom they tell, and how long they take."""

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back, run_kernel

from sim.errors import MachineFault

REGISTERS = "b32 r<20>; b64 rd<14>; pred p<6>; b16 h<4>"
HEAD = """
    .shared .align 128 .b8 s[32768]; .shared .align 8 .b8 bar[16];
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [y]; mov.u32 %r2, s; mov.u32 %r3, bar;
    setp.eq.u32 %p1, %r1, 0; mov.u32 %r5, %cluster_ctarank; mov.u32 %r6, %ctaid.x;"""
INIT = "@%p1 mbarrier.init.shared::cta.b64 [%r3], 1; fence.proxy.async; bar.sync 0;"
WAIT = """again: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0; @!%p2 bra again;"""
LOAD = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"


def copy_out(nbytes: int) -> str:
    """Every thread stores words of shared memory to y, 32 threads."""
    return f"""
    mov.u32 %r10, %r1; cvt.u64.u32 %rd5, %r1; mul.lo.u64 %rd5, %rd5, 4; add.u64 %rd5, %rd5, %rd2;
    mad.lo.u32 %r11, %r1, 4, %r2;
out: ld.shared.u32 %r12, [%r11]; st.global.u32 [%rd5], %r12;
    add.u32 %r10, %r10, 32; add.u32 %r11, %r11, 128; add.u64 %rd5, %rd5, 128;
    setp.lt.u32 %p3, %r10, {nbytes // 4}; @%p3 bra out;"""


@pytest.mark.parametrize("nbytes", [16, 128, 1040, 16384])
def test_a_load_fills_shared_memory_and_completes_the_phase(nbytes: int, functional: bool) -> None:
    body = f"""{HEAD} {INIT}
    @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], {nbytes};
    @%p1 {LOAD} [%r2], [%rd1], {nbytes}, [%r3];
    {WAIT} {copy_out(nbytes)} ret;"""
    x = np.random.default_rng(1).integers(0, 1 << 32, 4096, np.uint32)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros(4096, np.uint32)},
                     functional=functional)  # fmt: skip
    words = nbytes // 4
    assert np.array_equal(ran.out["y"][:words], x[:words])
    assert (ran.out["y"][max(words, 32) :] == 0).all()


def test_bytes_may_arrive_before_they_are_expected(functional: bool) -> None:
    body = f"""{HEAD} {INIT}
    @%p1 {LOAD} [%r2], [%rd1], 512, [%r3];
    mov.u32 %r8, 20000; nanosleep.u32 %r8;
    mbarrier.test_wait.parity.shared::cta.b64 %p4, [%r3], 0; selp.u32 %r9, 9, 0, %p4;
    @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 512;
    {WAIT} {copy_out(512)} st.global.u32 [%rd2+1024], %r9; ret;"""
    x = np.arange(128, dtype=np.uint32)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros(512, np.uint32)},
                     functional=functional)  # fmt: skip
    assert np.array_equal(ran.out["y"][:128], x)
    assert ran.out["y"][256] == 0


def test_a_store_is_in_memory_when_its_group_is_complete(functional: bool) -> None:
    fill = """mad.lo.u32 %r11, %r1, 4, %r2; mov.u32 %r10, %r1;
fill: st.shared.u32 [%r11], %r10; add.u32 %r10, %r10, 32; add.u32 %r11, %r11, 128;
    setp.lt.u32 %p3, %r10, 2048; @%p3 bra fill; fence.proxy.async.shared::cta; bar.sync 0;"""
    body = f"""{HEAD} {fill}
    @!%p1 bra end;
    cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r2], 4096; cp.async.bulk.commit_group;
    cp.async.bulk.global.shared::cta.bulk_group [%rd2+4096], [%r2+4096], 4096; cp.async.bulk.commit_group;
    cp.async.bulk.wait_group.read 1; cp.async.bulk.wait_group 0;
    ld.global.u32 %r12, [%rd2+8188]; st.global.u32 [%rd1], %r12;
end: ret;"""
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body),
                     {"x": np.zeros(4, np.uint32), "y": np.zeros(2048, np.uint32)}, functional=functional)  # fmt: skip
    assert np.array_equal(ran.out["y"], np.arange(2048))
    assert ran.out["x"][0] == 2047


REDUCTIONS = [
    ("add", "u32", np.uint32), ("min", "s32", np.int32), ("max", "u64", np.uint64), ("and", "b64", np.uint64),
    ("xor", "b32", np.uint32), ("inc", "u32", np.uint32), ("add.noftz", "f16", np.float16), ("add", "f32", np.float32),
    ("add", "f64", np.float64), ("min", "f16", np.float16), ("dec", "u32", np.uint32),
]  # fmt: skip


def reference(op: str, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y op x for each element."""
    name = op.split(".")[0]
    if name == "inc":
        return np.where(y >= x, 0, y + 1).astype(y.dtype)
    if name == "dec":
        return np.where((y == 0) | (y > x), x, y - 1).astype(y.dtype)
    functions = {"add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "xor": np.bitwise_xor}
    return functions[name](y, x)


@pytest.mark.parametrize(("op", "type_", "dtype"), REDUCTIONS)
def test_reductions_in_global_memory(op: str, type_: str, dtype: type, functional: bool) -> None:
    body = f"""{HEAD} {INIT}
    @!%p1 bra end;
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 1024; {LOAD} [%r2], [%rd1], 1024, [%r3];
    {WAIT}
    cp.reduce.async.bulk.global.shared::cta.bulk_group.{op}.{type_} [%rd2], [%r2], 1024;
    cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
end: ret;"""
    rng = np.random.default_rng(3)
    n = 1024 // np.dtype(dtype).itemsize
    if np.dtype(dtype).kind == "f":
        x, y = (rng.normal(0, 4, n).astype(dtype) for _ in range(2))
    else:
        x, y = (rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, n, dtype) for _ in range(2))
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": y}, functional=functional)
    assert np.array_equal(ran.out["y"], reference(op, y, x))


def test_a_multicast_reaches_the_ctas_of_its_mask(functional: bool) -> None:
    body = f"""{HEAD} {INIT}
    @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 256;
    barrier.cluster.arrive; barrier.cluster.wait;
    and.b32 %r7, %r5, 1; setp.eq.and.u32 %p4, %r7, 0, %p1; mov.u16 %h1, 3; cvt.u16.u32 %h2, %r5; cvt.u32.u16 %r8, %h2;
    shl.b16 %h1, %h1, %r8; mul.wide.u32 %rd4, %r5, 128; add.u64 %rd4, %rd4, %rd1;
    @%p4 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster
        [%r2], [%rd4], 256, [%r3], %h1;
    {WAIT}
    mul.wide.u32 %rd4, %r6, 256; add.u64 %rd2, %rd2, %rd4; {copy_out(256)}
    barrier.cluster.arrive; barrier.cluster.wait; ret;"""
    x = np.arange(128, dtype=np.uint32)
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros(256, np.uint32)}, grid=(4, 1, 1),
                     cluster=(4, 1, 1), functional=functional)  # fmt: skip
    rows = ran.out["y"].reshape(4, 64)
    assert all(np.array_equal(rows[i], x[:64] if i < 2 else x[64:]) for i in range(4))


@pytest.mark.parametrize("reduce_", [False, True])
def test_copies_between_ctas(reduce_: bool, functional: bool) -> None:
    copy = "cp.reduce.async.bulk" if reduce_ else "cp.async.bulk"
    tail = ".add.u32" if reduce_ else ""
    body = f"""{HEAD} {INIT}
    mad.lo.u32 %r7, %r1, 4, %r2; mad.lo.u32 %r8, %r6, 1000, %r1; st.shared.u32 [%r7], %r8;
    mov.u32 %r9, 7; st.shared.u32 [%r7+1024], %r9;
    @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 128; fence.proxy.async;
    barrier.cluster.arrive; barrier.cluster.wait;
    xor.b32 %r9, %r5, 1; mapa.shared::cluster.u32 %r10, %r2, %r9; mapa.shared::cluster.u32 %r11, %r3, %r9;
    @%p1 {copy}.shared::cluster.shared::cta.mbarrier::complete_tx::bytes{tail} [%r10+1024], [%r2], 128, [%r11];
    {WAIT}
    mul.wide.u32 %rd4, %r6, 128; add.u64 %rd2, %rd2, %rd4; add.u32 %r2, %r2, 1024; {copy_out(128)}
    barrier.cluster.arrive; barrier.cluster.wait; ret;"""
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": np.zeros(4, np.uint32), "y": np.zeros(64, np.uint32)},
                     grid=(2, 1, 1), cluster=(2, 1, 1), functional=functional)  # fmt: skip
    plus = 7 * reduce_
    assert list(ran.out["y"]) == [*range(1000 + plus, 1032 + plus), *range(plus, 32 + plus)]


def test_an_mbarrier_waits_for_cp_async(functional: bool) -> None:
    body = f"""{HEAD}
    @%p1 mbarrier.init.shared::cta.b64 [%r3], 32; bar.sync 0;
    mul.wide.u32 %rd4, %r1, 16; add.u64 %rd4, %rd4, %rd1; mad.lo.u32 %r7, %r1, 16, %r2;
    cp.async.cg.shared.global [%r7], [%rd4], 16; cp.async.mbarrier.arrive.noinc.shared.b64 [%r3];
    {WAIT} {copy_out(512)} ret;"""
    x = np.arange(128, dtype=np.uint32) + 5
    ran = run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": x, "y": np.zeros(128, np.uint32)},
                     functional=functional)  # fmt: skip
    assert np.array_equal(ran.out["y"], x)


@pytest.mark.parametrize(("copy", "message"), [
    (f"{LOAD} [%r2+8], [%rd1], 32, [%r3];", "misaligned"),
    (f"{LOAD} [%r2], [%rd1+8], 32, [%r3];", "misaligned"),
    (f"{LOAD} [%r2], [%rd1+4096], 32, [%r3];", "invalid"),
    (f"{LOAD} [%r2], [%rd1], 65536, [%r3];", "outside its window"),
    ("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r2], [%rd1], 32, [%r3], 2;",
     "does not have"),
])  # fmt: skip
def test_bad_copies_are_faults(copy: str, message: str, functional: bool) -> None:
    body = f"{HEAD} {INIT} @%p1 {copy} ret;"
    with pytest.raises(MachineFault, match=message):
        run_kernel(ptx("u64 x, u64 y", REGISTERS, body), {"x": np.zeros(64, np.uint32), "y": np.zeros(4, np.uint32)},
                   functional=functional)  # fmt: skip


# --- times: the kernels of the H200 measurements


def times(body: str, n: int, nbytes: int) -> list[int]:
    """What one thread writes to y, after one launch that warms L2."""
    machine = new_machine(ptx("u64 x, u64 y", REGISTERS, body))
    x, y = np.zeros(nbytes, np.uint8), np.zeros(n, np.uint32)
    at, to = place(machine, 0, "x", x), place(machine, 0, "y", y)
    for _ in range(2):
        machine.launch(0, "k", (1, 1, 1), (1, 1, 1), params=at.to_bytes(8, "little") + to.to_bytes(8, "little"))
        machine.run()
    return [int(v) for v in read_back(machine, to, y)]


LOOP = """mov.u32 %r19, 0;
loop: mov.u32 %r16, %clock; {} mov.u32 %r17, %clock; sub.u32 %r17, %r17, %r16;
    st.global.u32 [%rd2], %r17; add.u32 %r19, %r19, 1; setp.lt.u32 %p5, %r19, 8; @%p5 bra loop; ret;"""


@pytest.mark.parametrize(("nbytes", "measured"), [(16, 342), (1024, 345), (4096, 365), (16384, 462.5), (32768, 616)])
def test_latency_of_a_load_from_l2(nbytes: int, measured: float) -> None:
    body = f"mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], {nbytes}; {LOAD} [%r2], [%rd1], {nbytes}, [%r3];"
    wait = "again: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], %r18; @!%p2 bra again; xor.b32 %r18, %r18, 1;"
    text = f"{HEAD} {INIT} mov.u32 %r18, 0; {LOOP.format(body + wait)}"
    assert times(text, 4, nbytes)[0] == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("nbytes", "read", "done"), [(16, 54, 60), (1024, 86, 92), (4096, 182, 188), (16384, 566, 572)]
)
def test_time_of_a_store(nbytes: int, read: float, done: float) -> None:
    for wait, measured in (("wait_group.read", read), ("wait_group", done)):
        body = f"cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r2], {nbytes}; cp.async.bulk.commit_group;"
        text = f"{HEAD} {LOOP.format(body + f'cp.async.bulk.{wait} 0;')}"
        assert times(text, 4, nbytes)[0] == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(("nbytes", "op", "measured"), [(16384, "", 60.4), (1024, "", 59.2), (16384, "reduce", 49.06)])
def test_bandwidth_of_stores_of_one_sm(nbytes: int, op: str, measured: float) -> None:
    copy = "cp.async.bulk.global.shared::cta.bulk_group"
    if op:
        copy = "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32"
    copy += f" [%rd1], [%r2], {nbytes}; cp.async.bulk.commit_group;"
    body = f"""{HEAD} mov.u32 %r16, %clock; mov.u32 %r19, 0;
loop: {copy * 8} cp.async.bulk.wait_group.read 4; add.u32 %r19, %r19, 1; setp.lt.u32 %p5, %r19, 8; @%p5 bra loop;
    cp.async.bulk.wait_group 0; mov.u32 %r17, %clock; sub.u32 %r17, %r17, %r16; st.global.u32 [%rd2], %r17; ret;"""
    cycles = times(body, 4, nbytes)[0]
    tolerance = (
        0.25 if nbytes == 1024 else 0.15
    )  # the loop around short copies is not optimised here, on silicon it was
    assert 64 * nbytes / cycles * 1.98 == pytest.approx(measured, rel=tolerance)
