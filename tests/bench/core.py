#!/usr/bin/env python3
"""Speed of the core on one processor core: warp instructions per second of CPU time, on five small kernels.

    ./simasm python tests/bench/core.py [--json] [--modes functional,timing] [--kernels sgemm] [--repeat 3]

The kernels (kernels.ptx, made by nvcc) and their launches are those that other simulators were measured with: vecadd
2^18 with one element a thread, saxpy 2^18 on 160x256 threads, sgemm 256 in 16x16 tiles, reduction of 2^19 on 128x256,
histogram of 2^18 on 80x256. Every run's result is checked. Each number is the best of ``--repeat`` runs: the machine
that measures is rarely idle. Modes:

    functional   results only
    timing       results and cycles
    ring         timing, and a record of every instruction that is dropped
    trace        timing, and every record written to a trace directory
"""

import argparse
import json
import math
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import simasm

MODES = ("functional", "timing", "ring", "trace")
SOURCE = Path(__file__).with_name("kernels.ptx")


@dataclass(frozen=True)
class Job:
    """A kernel, its launch, its inputs (arrays are copied to the device), and what is wrong with its result."""

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arguments: list[Any]
    check: Callable[[list[np.ndarray]], bool]


def vecadd(n: int = 1 << 18) -> Job:
    """c = a + b."""
    i = np.arange(n)
    a, b = (i % 1000 * 0.5).astype(np.float32), (i * 7 % 333 * 0.25).astype(np.float32)
    c = np.zeros(n, np.float32)
    return Job(
        "_Z6vecaddPKfS0_Pfi", (-(-n // 256), 1, 1), (256, 1, 1), [a, b, c, n], lambda r: bool((r[2] == a + b).all())
    )


def saxpy(n: int = 1 << 18) -> Job:
    """y = 2 x + y, grid-stride."""
    i = np.arange(n)
    x, y = (i % 1000 * 0.5).astype(np.float32), (i * 7 % 333 * 0.25).astype(np.float32)
    arguments = [np.float32(2), x, y, n]
    return Job("_Z5saxpyfPKfPfi", (160, 1, 1), (256, 1, 1), arguments, lambda r: bool((r[1] == 2 * x + y).all()))


def sgemm(n: int = 256) -> Job:
    """C = A B of small integers, exact in float32."""
    i = np.arange(n * n)
    a, b = (i * 3 % 17 - 8).astype(np.float32), (i * 5 % 13 - 6).astype(np.float32)
    expected = (a.reshape(n, n) @ b.reshape(n, n)).reshape(-1)
    arguments = [a, b, np.zeros(n * n, np.float32), n]
    grid = (n // 16, n // 16, 1)
    return Job("_Z5sgemmPKfS0_Pfi", grid, (16, 16, 1), arguments, lambda r: bool((r[2] == expected).all()))


def reduce(n: int = 1 << 19) -> Job:
    """A sum per block."""
    a = (np.arange(n) % 8).astype(np.float32)
    arguments = [a, np.zeros(128, np.float32), n]
    return Job("_Z6reducePKfPfi", (128, 1, 1), (256, 1, 1), arguments, lambda r: r[1].astype(float).sum() == a.sum())


def histogram(n: int = 1 << 18) -> Job:
    """Counts of 256 values, with atomics in shared and then in global memory."""
    x, a = 12345, np.empty(n, np.uint32)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        a[i] = x >> 13
    expected = np.bincount(a & 255, minlength=256)
    arguments = [a, np.zeros(256, np.uint32), n]
    return Job("_Z5histoPKjPji", (80, 1, 1), (256, 1, 1), arguments, lambda r: bool((r[1] == expected).all()))


JOBS: dict[str, Callable[..., Job]] = {
    "vecadd": vecadd,
    "saxpy": saxpy,
    "sgemm": sgemm,
    "reduce": reduce,
    "histogram": histogram,
}


def run(image: Any, name: str, mode: str, job: Job) -> dict[str, Any]:
    """Run a job once; its CPU time covers the launch, and in mode trace also what it takes to finish the files."""
    folder = Path(tempfile.mkdtemp(prefix="simasm-bench-"))
    try:
        trace = folder / "trace" if mode == "trace" else None
        options = {"trace": trace, "ring": mode == "ring", "functional": mode == "functional"}
        machine = simasm.Machine(image, gpus=1, threads=1, **options)
        buffers, params = _arguments(machine, job)
        start = time.process_time()
        machine.launch(0, job.kernel, job.grid, job.block, params=params)
        machine.run()
        machine.close_trace()
        cpu_s = time.process_time() - start
        results = [np.frombuffer(machine.read(at, array.nbytes), array.dtype) for at, array in buffers]
        if not job.check(results):
            raise SystemExit(f"{name}, {mode}: wrong result")
        row = {"kernel": name, "mode": mode, "warp_instructions": machine.instructions, "cpu_s": round(cpu_s, 4)}
        row["mips"] = round(machine.instructions / cpu_s / 1e6, 3)
        return row if mode == "functional" else {**row, "cycles": machine.cycles[0]}
    finally:
        shutil.rmtree(folder)


def _arguments(machine: Any, job: Job) -> tuple[list[tuple[int, np.ndarray]], bytes]:
    """Copy the arrays to the device; (address and array of each, the parameter block)."""
    buffers, params = [], b""
    for argument in job.arguments:
        if isinstance(argument, np.ndarray):
            at = machine.alloc(0, argument.nbytes)
            machine.write(at, argument)
            buffers.append((at, argument))
            params += bytes(-len(params) % 8) + struct.pack("<Q", at)
        elif isinstance(argument, np.float32):
            params += struct.pack("<f", argument)
        else:
            params += struct.pack("<i", argument)
    return buffers, params


def main() -> None:
    """Measure what was asked for and print it, one line a kernel, then the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--kernels", default=",".join(JOBS))
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    modes, kernels = options.modes.split(","), options.kernels.split(",")
    for word, known in [*((mode, MODES) for mode in modes), *((kernel, JOBS) for kernel in kernels)]:
        if word not in known:
            parser.error(f"{word}: choose from {', '.join(known)}")
    image = simasm.assemble(SOURCE)
    jobs = {name: JOBS[name]() for name in kernels}
    means = {}
    for mode in modes:
        run(image, "vecadd", mode, vecadd(256))  # compile, or load compiled code
        rows = []
        for name, job in jobs.items():
            rows.append(min((run(image, name, mode, job) for _ in range(options.repeat)), key=lambda row: row["cpu_s"]))
            _show(rows[-1], options.json)
        means[mode] = round(math.exp(sum(math.log(row["mips"]) for row in rows) / len(rows)), 3)
    _show({"geomean_mips": means}, options.json)


def _show(row: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(row) if as_json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
