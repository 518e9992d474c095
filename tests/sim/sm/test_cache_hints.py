"""Prefetches, policies and eviction priorities: what they cost and save, and that they change no value."""

import struct
from typing import Any

import numpy as np
import pytest
from kernels import HEADER, place, ptx, read_back

from assembler import assemble
from sim.config import Config
from sim.machine import Machine

REGISTERS = "b32 r<10>; b64 rd<12>; f32 f<4>; pred p<2>"
START = "ld.param.u64 %rd1, [x]; ld.param.u64 %rd2, [y];"
WAIT = "mov.u32 %r9, 0; W: add.u32 %r9, %r9, 1; setp.lt.u32 %p1, %r9, 400; @%p1 bra W;"
"""Longer than a load takes."""


def run(
    body: str, functional: bool = False, overrides: tuple[str, ...] = (), x_bytes: int = 1 << 20
) -> tuple[Any, Any]:
    """(counters of GPU 0, y) after one thread ran the body; x is zero."""
    text = ptx("u64 x, u64 y", REGISTERS, f"{START}\n{body}\nret;")
    machine = Machine(assemble(HEADER + text), Config.load("h200", overrides), functional=functional)
    like = np.zeros(8, np.uint64)
    x, y = place(machine, 0, "x", np.zeros(x_bytes, np.uint8)), place(machine, 0, "y", like)
    machine.launch(0, "k", (1, 1, 1), (1, 1, 1), params=struct.pack("<QQ", x, y))
    machine.run()
    return machine.stats()["per_gpu"][0], read_back(machine, y, like)


def test_policies_are_those_of_the_compiler(functional: bool) -> None:
    """What ptxas 13.0 writes for constants; CUTLASS has the first two as EVICT_LAST and EVICT_FIRST."""
    body = """
    createpolicy.fractional.L2::evict_last.b64 %rd3;
    createpolicy.fractional.L2::evict_first.b64 %rd4, 1.0;
    createpolicy.fractional.L2::evict_normal.L2::evict_first.b64 %rd5, 0.5;
    mov.f32 %f1, 0f3E800000;
    createpolicy.fractional.L2::evict_unchanged.b64 %rd6, %f1;
    createpolicy.cvt.L2.b64 %rd7, %rd3;
    st.global.v2.b64 [%rd2], {%rd3, %rd4};
    st.global.v2.b64 [%rd2+16], {%rd5, %rd6};
    st.global.b64 [%rd2+32], %rd7;"""
    policies = [0x14F << 52, 0x12F << 52, 0x177 << 52, 0x103 << 52, 0x14F << 52, 0, 0, 0]
    assert run(body, functional)[1].tolist() == policies


@pytest.mark.parametrize(("hint", "read_bytes"), [("", 64), (".L2::64B", 64), (".L2::128B", 128), (".L2::256B", 256)])
def test_a_miss_fetches_as_much_as_asked(hint: str, read_bytes: int) -> None:
    counters, _ = run(f"ld.global{hint}.u32 %r1, [%rd1+32]; st.global.u32 [%rd2], %r1;")
    assert counters["dram_read_bytes"] == read_bytes + 64  # the stored word is a part of a sector, which is fetched


def test_prefetch_takes_the_latency_away() -> None:
    load = "mov.u32 %r1, %clock; ld.global.u32 %r2, [%rd1]; add.u32 %r2, %r2, 1; mov.u32 %r3, %clock;"
    load += "sub.u32 %r3, %r3, %r1; st.global.u32 [%rd2], %r3;"
    times = [
        int(run(f"{prefetch} {WAIT} {load}")[1][0])
        for prefetch in ("", "prefetch.L2 [%rd1];", "prefetch.global.L1 [%rd1];")
    ]
    assert times[0] > times[1] + 200 > times[2] + 400


def test_prefetch_passes_over_what_is_no_memory(functional: bool) -> None:
    counters, _ = run(
        "mov.u64 %rd3, 0; prefetch.L2 [%rd3]; prefetch.L1 [%rd2+123456789]; prefetchu.L1 [%rd3+8];", functional
    )
    assert counters["dram_read_bytes"] == 0


def test_a_discarded_line_is_not_written_back() -> None:
    def written(instruction: str) -> int:
        """Bytes written to memory when a small L2 has to make room for a dirty line."""
        fill = "mov.u64 %rd3, 0; F: add.u64 %rd4, %rd1, %rd3; ld.global.cg.u32 %r2, [%rd4]; add.u64 %rd3, %rd3, 128;"
        fill += "setp.lt.u64 %p1, %rd3, 400000; @%p1 bra F;"
        body = f"st.global.u32 [%rd1+500096], 7; {WAIT} {instruction} {fill}"
        return int(run(body, overrides=("l2.lines=1024",))[0]["dram_write_bytes"])

    assert written("") == 64  # what came with the rest of the stored sector is written back, too
    assert written("discard.global.L2 [%rd1+500096], 128;") == 0


def test_priorities_decide_what_leaves_l2() -> None:
    def misses(hint: str, policy: str = "") -> int:
        """DRAM bytes of reading a line again after others have filled a small L2 once."""
        fill = "mov.u64 %rd3, 128; F: add.u64 %rd4, %rd1, %rd3; ld.global.cg.u32 %r2, [%rd4]; add.u64 %rd3, %rd3, 128;"
        fill += "setp.lt.u64 %p1, %rd3, 400000; @%p1 bra F;"
        load = f"ld.global.L1::no_allocate{hint}.u32 %r1, [%rd1]{policy};"
        body = f"createpolicy.fractional.L2::evict_last.b64 %rd8; {load} {fill} {WAIT} {load}"
        return int(run(body, overrides=("l2.lines=1024",))[0]["dram_read_bytes"])

    assert misses("") == misses(".L2::cache_hint", ", %rd8") + 64


def test_a_part_of_what_does_not_fit_stays() -> None:
    """192 KB read five times through an L2 of 128 KB: replacing the least recently used line would hit nothing."""
    body = """
    mov.u32 %r5, 0;
    P: mov.u64 %rd3, %rd1; mov.u32 %r6, 0;
    L: ld.global.cg.u32 %r1, [%rd3]; add.u64 %rd3, %rd3, 128; add.u32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, 1536; @%p1 bra L;
    add.u32 %r5, %r5, 1; setp.lt.u32 %p1, %r5, 5; @%p1 bra P;"""
    counters, _ = run(body, overrides=("l2.lines=1024",))
    assert counters["l2_hits"] + counters["l2_misses"] == 5 * 1536
    assert 0.4 * 4 * 1024 < counters["l2_hits"] <= 4 * 1024
