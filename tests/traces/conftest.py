"""Canned records: a made-up run of two GPUs whose every number the tests can recompute."""

from types import SimpleNamespace

import numpy as np
import pytest

from traces.records import Stall
from traces.writer import TraceWriter

WARPS = 6
STEPS = 40
OPS = ["mov.u32", "ld.global.u32", "fma.rn.f32", "st.global.u32", "bar.sync", "exit"]


def record(**f):
    """One instruction record from named fields; the inverse of the table in records.py, written out by hand."""
    return [
        f["issue"],
        f["done"],
        f["sm"] | f["warp"] << 16 | f["stall"] << 24 | f["queue"] << 32 | f.get("kind", 0) << 40,
        f["pc"] | f["launch"] << 32,
        f["mask"] | f["cta"] << 32,
        f["stall_cycles"] | f["queue_cycles"] << 32,
        f.get("address", 0),
        f.get("bytes", 0) | f.get("sectors", 0) << 32,
    ]


def run(gpu, seed=0):
    """Instruction and warp records of one GPU in which issue + stall + queue cycles are each warp's lifetime."""
    draw = np.random.default_rng([seed, gpu])
    instructions, warps = [], []
    for w in range(WARPS):
        place = {"sm": w % 3, "warp": w, "launch": 1 + gpu, "cta": w // 2}
        start = now = 100 + 10 * w
        for step in range(STEPS):
            pc = int(draw.integers(0, 5)) if step < STEPS - 1 else 5
            stalled, queued = int(draw.integers(0, 30)), int(draw.integers(0, 3))
            now += stalled + queued
            memory = {"address": (gpu + 1 << 38) + 128 * step, "bytes": 128, "sectors": 4} if pc in (1, 3) else {}
            instructions.append(
                record(
                    **place,
                    **memory,
                    **{"issue": now, "done": now + 4 + 200 * (pc == 1), "pc": pc, "mask": 0xFFFFFFFF >> pc},
                    **{"stall": Stall.LONG_SCOREBOARD if step % 2 else Stall.WAIT, "stall_cycles": stalled},
                    **{"queue": Stall.NOT_SELECTED, "queue_cycles": queued},
                )
            )
            now += 1
        warps.append([place["sm"], w, 1 + gpu, w // 2, start, now, STEPS, 0])
    return np.array(instructions, np.int64), np.array(warps, np.int64)


PACKETS = np.array(
    [
        [1000, 1600, 0 | 1 << 8 | 1 << 16 | 0 << 24 | 9 << 32, (2 << 38) + 256, 128, 30, 5, 1],
        [1100, 1900, 1 | 0 << 8 | 10 << 16 | 1 << 24 | 1 << 32, 0, 0, 0, 5, 2],
    ],
    np.int64,
)
CODE = [{"pc": i, "op": op, "text": f"{op} …;", "file": "k.s", "line": 10 + i} for i, op in enumerate(OPS)]


def write(directory, seed=0, chunk=1000, capture=None, change=None, part_records=100):
    """Write the canned run; ``change(gpu, instructions)`` may plant something first."""
    writer = TraceWriter(directory, {"program": "k.s", "seed": seed, "clock_ghz": 2.0}, capture, part_records)
    writer.table("code", CODE)
    writer._ops = OPS
    for gpu in (0, 1):
        instructions, warps = run(gpu, seed)
        if change:
            change(gpu, instructions)
        for at in range(0, len(instructions), chunk):
            writer.instructions(gpu, instructions[at : at + chunk])
        writer.warps(gpu, warps)
        writer.packets(gpu, PACKETS[gpu : gpu + 1])
        writer.table("kernels", [{"id": 1 + gpu, "gpu": gpu, "name": "gemm", "stream": 0, "start": 90, "end": 5000}])
    writer.table("packet_kinds", {"number": [1, 10], "name": ["store", "ack"]})
    writer.table("counters", [{"gpu": 0, "name": "rat_hits", "value": 12}])
    return writer.close()


@pytest.fixture
def trace_dir(tmp_path):
    write(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def canned():
    """The canned run and the means to write it."""
    return SimpleNamespace(record=record, run=run, write=write, ops=OPS, packets=PACKETS)
