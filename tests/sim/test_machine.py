"""The machine as a whole: determinism, both drivers agree, launches and streams, peers, limits, trace."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back, run_kernel

from sim.errors import Deadlock, LimitReached, MachineError
from traces.read import open_trace
from traces.stalls import lifetime

REGISTERS = "b32 r<10>; b64 rd<8>; f32 f<4>; pred p<4>"
INDEX = """
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mad.lo.u32 %r1, %r2, %r3, %r1;
    mul.wide.u32 %rd4, %r1, 4;
"""
PUSH = ptx(
    "u64 src, u64 dst, u64 flag",
    REGISTERS,
    f"""{INDEX}
    ld.param.u64 %rd1, [src];
    ld.param.u64 %rd2, [dst];
    ld.param.u64 %rd3, [flag];
    add.s64 %rd5, %rd1, %rd4;
    add.s64 %rd6, %rd2, %rd4;
    ld.global.f32 %f1, [%rd5];
    st.global.f32 [%rd6], %f1;
    bar.sync 0;
    mov.u32 %r4, %tid.x;
    setp.eq.u32 %p1, %r4, 0;
    @%p1 red.release.sys.global.add.u32 [%rd3], 1;
    ret;""",
    "push",
)
WAIT = ptx(
    "u64 dst, u64 flag, u64 out, u32 n",
    REGISTERS,
    f"""
    ld.param.u64 %rd1, [dst];
    ld.param.u64 %rd2, [flag];
    ld.param.u64 %rd3, [out];
    ld.param.u32 %r5, [n];
LOOP:
    ld.acquire.sys.global.u32 %r1, [%rd2];
    setp.lt.u32 %p1, %r1, %r5;
    @%p1 bra LOOP;
    {INDEX}
    add.s64 %rd5, %rd1, %rd4;
    add.s64 %rd6, %rd3, %rd4;
    ld.global.f32 %f1, [%rd5];
    st.global.f32 [%rd6], %f1;
    ret;""",
    "wait",
)
PULL = ptx(
    "u64 src, u64 out",
    REGISTERS,
    f"""{INDEX}
    ld.param.u64 %rd1, [src];
    ld.param.u64 %rd2, [out];
    add.s64 %rd5, %rd1, %rd4;
    add.s64 %rd6, %rd2, %rd4;
    ld.global.f32 %f1, [%rd5];
    atom.global.add.f32 %f2, [%rd5], 0f3F800000;
    add.f32 %f1, %f1, %f2;
    st.global.f32 [%rd6], %f1;
    ret;""",
    "pull",
)
N = 4096


def exchange(**options: Any) -> tuple[Any, Any, Any, Any]:
    """GPU 0 pushes an array to GPU 1, which waits for a flag; then GPU 0 reads it back and increments it."""
    machine = new_machine(PUSH + WAIT + PULL, gpus=2, **options)
    data = np.random.default_rng(1).random(N, np.float32)
    zeros, flag = np.zeros(N, np.float32), np.zeros(1, np.uint32)
    src, back = place(machine, 0, "src", data), place(machine, 0, "back", zeros)
    dst, out, at = (place(machine, 1, n, d) for n, d in (("dst", zeros), ("out", zeros), ("flag", flag)))
    grid, block = (N // 256, 1, 1), (256, 1, 1)
    machine.launch(0, "push", grid, block, params=struct.pack("<QQQ", src, dst, at))
    machine.launch(1, "wait", grid, block, params=struct.pack("<QQQI", dst, at, out, N // 256))
    machine.run()
    machine.launch(0, "pull", grid, block, params=struct.pack("<QQ", dst, back))
    machine.run()
    return machine, data, read_back(machine, out, data), read_back(machine, back, data)


@pytest.fixture(scope="module")
def exchanged() -> tuple[Any, Any, Any, Any]:
    """The exchange on one host thread."""
    return exchange()


def test_stores_flags_loads_and_atomics_cross_the_link(exchanged: Any) -> None:
    _, data, out, back = exchanged
    assert (out == data).all()
    assert (back == data + data).all()


def test_both_drivers_leave_the_same_memory(exchanged: Any) -> None:
    assert exchange(functional=True)[0].memory_hash() == exchanged[0].memory_hash()


def test_results_do_not_depend_on_host_threads(exchanged: Any) -> None:
    again = exchange(threads=2)[0]
    assert again.memory_hash() == exchanged[0].memory_hash()
    assert again.stats_hash() == exchanged[0].stats_hash()


def test_a_peer_load_takes_what_was_measured_on_silicon() -> None:
    body = """
    ld.param.u64 %rd1, [x];
    ld.param.u64 %rd2, [out];
    mov.u32 %r5, 0;
    mov.u64 %rd3, %rd1;
    mov.u64 %rd6, %clock64;
LOOP:
    ld.global.u64 %rd3, [%rd3];
    add.u32 %r5, %r5, 1;
    setp.lt.u32 %p1, %r5, 16;
    @%p1 bra LOOP;
    st.global.u64 [%rd2+8], %rd3;
    mov.u64 %rd7, %clock64;
    sub.s64 %rd7, %rd7, %rd6;
    st.global.u64 [%rd2], %rd7;
    ret;"""
    machine = new_machine(ptx("u64 x, u64 out", REGISTERS, body), gpus=2)
    x = machine.alloc(1, 8, "x")
    machine.write(x, np.array([x], np.uint64))
    out = place(machine, 0, "out", np.zeros(2, np.uint64))
    machine.launch(0, "k", (1, 1, 1), (1, 1, 1), params=struct.pack("<QQ", x, out))
    machine.run()
    per_load = int(np.frombuffer(machine.read(out, 8), np.uint64)[0]) / 16
    assert 1690 * 0.9 < per_load < 1690 * 1.15  # 853 ns at 1.98 GHz


def test_launches_of_a_stream_follow_one_another_and_streams_overlap() -> None:
    body = "ld.param.u64 %rd1, [x]; mov.u32 %r1, 20000; nanosleep.u32 %r1; st.global.u32 [%rd1], %r1; ret;"
    machine = new_machine(ptx("u64 x", REGISTERS, body))
    x = place(machine, 0, "x", np.zeros(1, np.uint32))
    for stream in (0, 0, 1):
        machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=struct.pack("<Q", x), stream=stream)
    machine.run()
    first, second, other = machine.stats()["kernels"]
    assert second["start"] >= first["end"]
    assert other["start"] < first["end"]


def test_the_end_of_time() -> None:
    machine = new_machine(ptx("u64 x", REGISTERS, "L: bra L;"))
    machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=bytes(8))
    with pytest.raises(LimitReached):
        machine.run(max_cycles=50_000)


def test_gpus_that_wait_for_each_other_are_found() -> None:
    machine = new_machine(WAIT, gpus=2)
    for gpu in range(2):
        flag = place(machine, gpu, "flag", np.zeros(1, np.uint32))
        machine.launch(gpu, "wait", (1, 1, 1), (32, 1, 1), params=struct.pack("<QQQI", flag, flag, flag, 1))
    with pytest.raises(Deadlock) as error:
        machine.run()
    assert error.value.exit_code == 4
    assert sum("polls `flag` + 0 on GPU" in note for note in error.value.notes) == 2


def test_a_long_chain_of_strong_loads_is_not_taken_for_polling() -> None:
    """A chain has no effect but its end; the machine looks for deadlocks after every window here."""
    body = "L: ld.relaxed.sys.global.u64 %rd1, [%rd1]; sub.u32 %r1, %r1, 1; setp.ne.u32 %more, %r1, 0; @%more bra L;"
    start = "ld.param.u64 %rd1, [x]; mov.u32 %r1, 1000;"
    machine = new_machine(ptx("u64 x", "b64 rd1; b32 r1; pred more", start + " " + body))
    base = place(machine, 0, "chain", np.zeros(64 * 16, np.uint64))
    links = np.zeros(64 * 16, np.uint64)
    links[::16] = base + 128 * ((np.arange(64) * 5 + 1) % 64)
    machine.write(base, links)
    machine.launch(0, "k", (1, 1, 1), (1, 1, 1), params=struct.pack("<Q", base))
    machine.run(until=lambda: False)
    assert machine.now > 250_000


@pytest.mark.parametrize(
    ("grid", "block", "message"), [((1, 1, 1), (2048, 1, 1), "more than 1024"), ((0, 1, 1), (32, 1, 1), "is empty")]
)
def test_launches_that_cannot_run_are_refused(grid: Any, block: Any, message: str) -> None:
    machine = new_machine(PULL)
    with pytest.raises(MachineError, match=message):
        machine.launch(0, "pull", grid, block, params=bytes(16))


def test_the_trace_accounts_for_every_cycle_of_every_warp(tmp_path: Path) -> None:
    machine = exchange(trace=tmp_path / "t", program="exchange")[0]
    written = machine.close_trace()
    trace = open_trace(tmp_path / "t")
    assert lifetime(trace).rows == []
    assert written["records"] == machine.instructions == trace.sql("select count(*) from instructions").rows[0][0]
    issued = trace.sql("select gpu, sum(stall_cycles) + sum(queue_cycles) from instructions group by gpu order by gpu")
    stalls = [sum(row["stalls"].values()) for row in machine.stats()["per_gpu"]]
    assert [int(row[1]) for row in issued.rows] == stalls


def test_traces_do_not_depend_on_host_threads(tmp_path: Path) -> None:
    hashes = []
    for threads in (1, 2):
        machine = exchange(trace=tmp_path / str(threads), program="exchange", threads=threads)[0]
        hashes.append(machine.close_trace()["hash"])
    assert hashes[0] == hashes[1]


def test_a_million_instructions_run_the_same_in_both_drivers() -> None:
    body = f"""{INDEX}
    ld.param.u64 %rd1, [x];
    add.s64 %rd2, %rd1, %rd4;
    ld.global.u32 %r5, [%rd2];
    mov.u32 %r6, 0;
LOOP:
    mad.lo.u32 %r5, %r5, 1664525, 1013904223;
    add.u32 %r6, %r6, 1;
    setp.lt.u32 %p1, %r6, 100;
    @%p1 bra LOOP;
    st.global.u32 [%rd2], %r5;
    ret;"""
    x = np.arange(64 * 256, dtype=np.uint32)
    runs = [
        run_kernel(ptx("u64 x", REGISTERS, body), {"x": x}, grid=(64, 1, 1), block=(256, 1, 1), functional=f)
        for f in (False, True)
    ]
    assert (runs[0].out["x"] == runs[1].out["x"]).all()
    assert runs[0].machine.instructions == runs[1].machine.instructions


def test_launches_of_a_stream_follow_one_another_in_both_drivers(functional: bool) -> None:
    """The functional driver has to reach the time of each launch: most of it, nothing runs."""
    body = "ld.param.u64 %rd1, [x]; atom.global.add.u32 %r1, [%rd1], 1; ret;"
    machine = new_machine(ptx("u64 x", REGISTERS, body), functional=functional)
    x = place(machine, 0, "x", np.zeros(1, np.uint32))
    for _ in range(40):
        machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=struct.pack("<Q", x))
    machine.run()
    assert read_back(machine, x, np.zeros(1, np.uint32))[0] == 40 * 32
