"""Speed of assembling: PTX of 10,000 and 100,000 lines, read back from the cache, and the start of `simasm check`.

    ./simasm python tests/bench/assemble.py [--json]

Times are CPU seconds of this process (of the command, for `check`), the best of some runs for what is short.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL_LINES = 500
BAD = ".version 9.0\n.target sm_90a\n.address_size 64\n.entry k() { .reg .u32 %r<3>; add.u32 %r1, %r2 %r1; ret; }\n"
REPEATS = 5


def kernel(number: int, rng: random.Random) -> list[str]:
    """A kernel as nvcc -lineinfo writes it: address arithmetic, loads, sums, branches forward and back."""
    name = f"kernel{number}"
    lines = [
        f".visible .entry {name}(.param .u64 {name}_param_0, .param .u32 {name}_param_1)", "{",
        ".reg .pred %p<80>;", ".reg .b32 %r<400>;", ".reg .f32 %f<200>;", ".reg .b64 %rd<200>;",
        f"ld.param.u64 %rd1, [{name}_param_0];", f"ld.param.u32 %r1, [{name}_param_1];", "mov.u32 %r2, %tid.x;",
    ]  # fmt: skip
    r, block = 3, 0
    while len(lines) < KERNEL_LINES - 14:
        a, b = rng.randrange(1, r), rng.randrange(1, r)
        rd, f = 2 * r % 190 + 2, 2 * r % 190 + 1
        lines += [
            f"$L_{number}_{block}:", f"\t.loc 1 {len(lines)} 9",
            f"\tmad.lo.s32 \t%r{r}, %r{a}, %r1, %r{b};", f"\tmul.wide.s32 \t%rd{rd}, %r{r}, 4;",
            f"\tadd.s64 \t%rd{rd + 1}, %rd1, %rd{rd};", f"\tld.global.f32 \t%f{f}, [%rd{rd + 1}+{4 * (r % 7)}];",
            f"\tfma.rn.f32 \t%f{f + 1}, %f{f}, 0f3F800000, %f{f};", f"\tst.global.f32 \t[%rd{rd + 1}], %f{f + 1};",
            f"\tadd.s32 \t%r{r + 1}, %r{r}, {rng.randrange(100)};",
            f"\tsetp.lt.s32 \t%p{block + 1}, %r{r + 1}, %r{b};",
            f"\t@%p{block + 1} bra \t$L_{number}_{rng.randrange(block + 1)};",
        ]  # fmt: skip
        r, block = r + 2, block + 1
    return [*lines, "\tret;", "}"]


def program(lines: int) -> str:
    """A PTX module of about so many lines, in kernels of 500."""
    rng = random.Random(lines)
    text = [".version 9.0", ".target sm_90a", ".address_size 64", '.file 1 "model.cu"']
    for number in range(lines // KERNEL_LINES):
        text += kernel(number, rng)
    return "\n".join(text) + "\n"


def assembled(lines: int, folder: Path) -> dict[str, float]:
    """Instructions, CPU seconds to assemble a program, and wall seconds to get it from the cache."""
    from assembler import assemble

    path = folder / f"program{lines}.ptx"
    path.write_text(program(lines), encoding="utf-8")
    began = time.process_time()
    image = assemble(path)
    took = time.process_time() - began
    reloads = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        again = assemble(path)
        reloads.append(time.perf_counter() - began)
    if not again.same_code(image):
        raise SystemExit(f"{path}: the cache gave another program")
    return {
        "lines": lines, "instructions": len(image), "assemble_s": took, "instructions_per_s": len(image) / took,
        "reload_s": min(reloads),
    }  # fmt: skip


def check_seconds(folder: Path) -> float:
    """User seconds of `simasm check` on a text with a syntax error, once the cache is warm."""
    bad = folder / "bad.s"
    bad.write_text(BAD, encoding="utf-8")
    took = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        done = subprocess.run([sys.executable, ROOT / "simasm.py", "check", bad], capture_output=True, text=True)
        took.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
        if done.returncode != 1 or "expected" not in done.stderr:
            raise SystemExit(f"check did not report the error: {done.stderr}")
    return min(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for other programs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SIMASM_CACHE"] = str(folder / "cache")
        assembled(KERNEL_LINES, folder)
        programs = [assembled(lines, folder) for lines in (10_000, 100_000)]
        start = check_seconds(folder)
    if options.json:
        print(json.dumps({"programs": programs, "check_s": start}))
        return
    for found in programs:
        print(
            f"{found['lines']:>7,} lines  {found['instructions']:>6,} instructions  {found['assemble_s']:.2f} s CPU  "
            f"{found['instructions_per_s']:>6,.0f} instructions/s  reload {found['reload_s']:.3f} s"
        )
    print(f"simasm check of a syntax error: {start:.2f} s user")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
