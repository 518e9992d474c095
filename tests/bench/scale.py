#!/usr/bin/env python3
"""How time and memory grow with instructions and GPUs: what costs one instruction must not depend on either.

    ./simasm python tests/bench/scale.py [--json] [--most 7] [--only instructions,busy,idle,gemm]

Each line is a process of its own:

    instructions   10^5 to 10^MOST warp instructions on one GPU: loads, sums and stores of 264 blocks, longer and longer
    busy           1 to 64 GPUs, the same work on each, results stored to the next GPU
    idle           1 to 64 GPUs, of which one works
    gemm           8 GPUs, an opaque GEMM of TMA and wgmma on each (programs/moe/wgmma_gemm.s)

Printed are CPU seconds and wall seconds of the simulation, warp instructions per second of CPU time, seconds from nothing
to a machine that can run, and the most memory the process had.
"""

import argparse
import json
import multiprocessing
import resource
import struct
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

TEXT = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry sums(.param .u64 x, .param .u64 to, .param .u32 rounds)
{
    .reg .pred %more;
    .reg .b32 %t, %c, %rounds, %v;
    .reg .b64 %x, %to, %at;
    .reg .f32 %a, %b, %sum;
    ld.param.u64 %x, [x];
    ld.param.u64 %to, [to];
    ld.param.u32 %rounds, [rounds];
    mov.u32 %t, %tid.x;
    mov.u32 %c, %ctaid.x;
    mad.lo.u32 %t, %c, 256, %t;
    mad.wide.u32 %x, %t, 4, %x;
    mov.f32 %sum, 0f00000000;
next:
    ld.global.f32 %a, [%x];
    .rept 12
    fma.rn.f32 %sum, %a, %sum, %a;
    .endr
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra next;
    mad.wide.u32 %to, %t, 4, %to;
    st.global.f32 [%to], %sum;
    ret;
}
"""
BLOCKS, THREADS, PER_ROUND = 264, 256, 16


def sums(gpus: int, busy: int, instructions: float) -> dict[str, Any]:
    """Run the kernel above on the first ``busy`` of ``gpus`` GPUs."""
    import simasm

    image = simasm.assemble(TEXT, optimised=False)
    begin = time.perf_counter()
    machine = simasm.Machine(image, gpus=gpus, threads=1)
    made = time.perf_counter() - begin
    nbytes = 4 * BLOCKS * THREADS
    x, y = ([machine.alloc(gpu, nbytes) for gpu in range(gpus)] for _ in range(2))
    rounds = max(1, round(instructions / (busy * BLOCKS * THREADS / 32 * PER_ROUND)))
    for n in (1, rounds):  # the first launch loads compiled code
        before = machine.instructions
        for gpu in range(busy):
            params = struct.pack("<QQI", x[gpu], y[(gpu + 1) % gpus], n)
            machine.launch(gpu, "sums", (BLOCKS, 1, 1), (THREADS, 1, 1), params=params)
        begin, cpu = time.perf_counter(), time.process_time()
        machine.run()
        taken = time.perf_counter() - begin, time.process_time() - cpu
    return result(machine.instructions - before, taken, made)


def gemm(gpus: int, tiles: int) -> dict[str, Any]:
    """An opaque GEMM on every GPU."""
    import simasm

    def run(size: int) -> tuple[Any, float, float]:
        begin, cpu = time.perf_counter(), time.process_time()
        defines = {"m": size, "n": size, "k": size, "data": 0}
        ran = simasm.run(ROOT / "programs/moe/wgmma_gemm.s", gpus=gpus, threads=1, defines=defines)
        return ran, time.perf_counter() - begin, time.process_time() - cpu

    _, small, _ = run(256)
    ran, wall, cpu = run(256 * tiles)
    return result(ran.stats["instructions"], (wall, cpu), small)


def result(instructions: int, taken: tuple[float, float], made: float) -> dict[str, Any]:
    """The numbers of a line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = taken
    return {"instructions": instructions, "wall_s": wall, "cpu_s": cpu, "start_s": made, "peak_mb": peak}


def lines(only: list[str], most: int) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """What to measure: name, function, arguments."""
    sizes = [2**i for i in range(7)]
    found: list[tuple[str, Any, tuple[Any, ...]]] = []
    if "instructions" in only:
        found += [(f"1 GPU, 10^{e}", sums, (1, 1, 10**e)) for e in range(5, most + 1)]
    if "busy" in only:
        found += [(f"{n} GPUs", sums, (n, n, 5e5 * n)) for n in sizes]
    if "idle" in only:
        found += [(f"1 of {n} GPUs", sums, (n, 1, 2e6)) for n in sizes]
    if "gemm" in only:
        found += [("8 GPUs, opaque GEMM", gemm, (8, 12))]
    return found


def _measure(function: Any, arguments: tuple[Any, ...], answer: Any) -> None:
    answer.put(function(*arguments))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--most", type=int, default=7, help="largest power of ten of instructions, default 7")
    parser.add_argument("--only", default="instructions,busy,idle,gemm")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = []
    for name, function, arguments in lines(options.only.split(","), options.most):
        answer = context.Queue()
        process = context.Process(target=_measure, args=(function, arguments, answer))
        process.start()
        row = {"what": name, **answer.get()}
        process.join()
        rows.append(row)
        if not options.json:
            rate = row["instructions"] / row["cpu_s"] / 1e6
            print(
                f"{name:20} {row['instructions'] / 1e6:8.2f} M instr. {row['cpu_s']:7.2f} s CPU {row['wall_s']:7.2f} s wall"
                f" {rate:7.2f} M/s  start {row['start_s']:5.2f} s  peak {row['peak_mb']:6.0f} MB",
                flush=True,
            )
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
