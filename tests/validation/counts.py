"""Warp instructions of the validation kernels: simulated issue slots beside what a profiler counted on the H200.

    ./simasm python tests/validation/counts.py [DIR] [--only histogram,sgemm_tile32/one_block] [--lines] [--json]

Every case whose times hold profiler counters runs once, from the plain entry, with a trace. A warp instruction counts as
many issue slots as ptxas writes machine instructions for it (sm.issue_slots of the preset). ``--lines`` also prints how
often each instruction ran. Registers are per thread, ours beside those of ptxas.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from assembler import assemble
from isa.image import Image
from sim.config import Config
from sim.machine import Machine
from sim.validate import PROFILE, Case, _launch, load_cases
from sim.validation_data import make
from traces.read import open_trace

FOLDER = Path(__file__).resolve().parent
MOST = 600_000
"""Warp instructions of the cases that run; larger ones say nothing new about a kernel."""


def plain(case: Case) -> Case:
    """The case with the entry that has no clock reads."""
    launches = [
        {
            **launch,
            "entry": launch["entry"].removesuffix("_prof"),
            "params": [p for p in launch["params"] if p.get("buffer") != PROFILE],
        }
        for launch in case.launches
    ]
    return replace(case, launches=launches, buffers=[b for b in case.buffers if b["name"] != PROFILE])


def executed(case: Case, image: Image, config: Config) -> tuple[dict[int, int], list[int]]:
    """How often each pc was issued, and the issue slots of each pc."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(image, config, trace=Path(folder) / "t")
        data = {buffer["name"]: make(buffer) for buffer in case.buffers}
        address = {name: machine.alloc(0, max(16, values.nbytes)) for name, values in data.items()}
        for name, values in data.items():
            machine.write(address[name], values)
        for launch in case.launches:
            _launch(machine, launch, address, 1)
        machine.run()
        machine.close_trace()
        with open_trace(Path(folder) / "t") as trace:
            rows = trace.sql("select pc, count(*) from instructions group by pc order by pc").rows
    return {int(pc): int(n) for pc, n in rows}, [int(words) >> 48 for words in machine.code.rows[:, 7]]


def table(folder: Path, only: str, most: int) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """For each case its figures and a line of text for each instruction."""
    words = only.split(",") if only else [""]
    config = Config.load("h200", ["rpm.enabled=0"])
    for case in load_cases(folder):
        counted = case.measured.get("ncu_cold_replay", {}).get("warp_instructions")
        if case.peers or not counted or counted > most or not any(case.name.startswith(word) for word in words):
            continue
        image = assemble(case.module, optimised=True)
        bare = plain(case)
        counts, slots = executed(bare, image, config)
        kernel = next(k for k in image.kernels if k.name == bare.launches[0]["entry"])
        ours = sum(n * slots[pc] for pc, n in counts.items())
        figures = {"case": case.name, "simulated": ours, "measured": int(counted), "ratio": round(ours / counted, 3)}
        figures |= {"registers": kernel.pressure, "registers_ptxas": case.measured["registers"]}
        yield figures, [f"{n:8} {slots[pc]:2} {image.name(pc)}  line {image.source(pc)[1]}" for pc, n in counts.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--only", default="", help="names of kernels or kernel/case, with commas")
    parser.add_argument("--most", type=int, default=MOST, help="leave out cases of more warp instructions")
    parser.add_argument("--lines", action="store_true", help="every instruction with how often it ran")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    if not options.json:
        print(f"{'kernel/case':30} {'simulated':>10} {'measured':>10} {'ratio':>6} {'registers':>9} {'ptxas':>6}")
    for figures, lines in table(options.directory, options.only, options.most):
        rows.append(figures)
        if not options.json:
            f = figures
            print(
                f"{f['case']:30} {f['simulated']:10} {f['measured']:10} {f['ratio']:6.3f} {f['registers']:9} "
                f"{f['registers_ptxas']:6}",
                flush=True,
            )
            print(*lines * options.lines, sep="\n", end="\n" * options.lines)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
