"""Simulates launch specs and writes their times in the format of record.py; with --beside, prints both and the errors.

PYTHONPATH=. python tests/silicon/simulate.py tests/silicon/two_gpus --out out/simulated.json \
    --beside tests/silicon/two_gpus/p2p_validation_times.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import figures
import numpy as np

from assembler import assemble
from sim.config import Config
from sim.machine import Machine
from sim.specdata import DTYPES, scalar
from sim.validation_data import make

COMPARED = ("latency_ns", "total_gbps", "exchange_us", "time_ns")


def launch_all(machine: Machine, case: dict[str, Any], places: dict[str, int], epoch: int) -> None:
    """All launches of a case, once; returns when they are done."""
    for launch in case["launches"]:
        kernel = machine.kernel(launch["entry"])
        block = bytearray(kernel.param_bytes)
        for parameter, value in zip(kernel.params, launch["params"], strict=True):
            if "buffer" in value:
                raw = places[value["buffer"]].to_bytes(8, "little")
            else:
                raw = scalar(value["dtype"], epoch if value.get("epoch") else value["value"])
            block[parameter.offset : parameter.offset + len(raw)] = raw
        grid, threads = tuple(launch["grid"]), tuple(launch["block"])
        machine.launch(launch["gpu"], kernel.name, grid, threads, shared=0, params=bytes(block))
    machine.run()


def simulate(path: Path, spec: dict[str, Any], case: dict[str, Any], config: Config, threads: int) -> dict[str, Any]:
    """The record of a case: the second of two runs is timed."""
    machine = Machine(assemble(path.parent / spec["ptx"]), config, gpus=spec["gpus"], threads=threads)
    places, sizes = {}, {}
    for buffer in case["buffers"]:
        sizes[buffer["name"]] = DTYPES[buffer["dtype"]].itemsize * buffer["count"]
        places[buffer["name"]] = machine.alloc(buffer["gpu"], max(16, sizes[buffer["name"]]))
        if buffer["init"]["kind"] != "zeros":
            machine.write(places[buffer["name"]], make(buffer))
    digests = {}
    for epoch in (1, 2):
        launch_all(machine, case, places, epoch)
        if epoch == 1:
            outputs = [b["name"] for b in case["buffers"] if b.get("output")]
            digests = {n: hashlib.sha256(machine.read(places[n], sizes[n])).hexdigest() for n in outputs}
    is_loaded = any(launch.get("plays") for launch in case["launches"])
    times = []
    for i, launch in enumerate(case["launches"]):
        out = figures.output_of(case, i)
        data = bytes(machine.read(places[out], sizes[out]))
        times.append(figures.of_launch(launch, figures.lines(data), is_loaded))
    found = {
        "kernel": case["kernel"],
        "case": case["name"],
        "outputs": digests,
        "figures": figures.of_case(case, times),
    }
    return found | {f"out{i}": {k: {"median": v} for k, v in t.items()} for i, t in enumerate(times)}


def beside(found: dict[str, Any], measured: dict[str, Any]) -> tuple[str, float] | None:
    """A line of the comparison and the error; what several machines gave counts with its median."""
    for figure in COMPARED:
        if figure in found["figures"]:
            ours = found["figures"][figure]
            theirs = median([measured["figures"][figure], *measured.get("repeat_medians", [])])
            error = ours / theirs - 1
            same = "" if found["outputs"] == measured["outputs"] else "  outputs differ"
            return f"{figure:12} measured {theirs:9} simulated {ours:9} {error:+7.1%}{same}", error
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/simulated.json"))
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--preset", default="h200")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    a.out.parent.mkdir(parents=True, exist_ok=True)
    measured = {}
    if a.beside:
        measured = {(c["kernel"], c["case"]): c for c in json.loads(a.beside.read_text(encoding="utf-8"))["cases"]}
    result, errors = [], {}
    for path in sorted(a.folder.glob("*.json")):
        spec = json.loads(path.read_text(encoding="utf-8"))
        for case in spec["cases"] if "ptx" in spec else []:
            name = f"{path.stem}/{case['kernel']}/{case['name']}"
            if not any(name.startswith(w) for w in a.only.split(",")):
                continue
            begin = time.perf_counter()
            try:
                found = simulate(path, spec, case, Config.load(a.preset, ["rpm.enabled=0", *a.set]), a.threads)
            except Exception as problem:
                print(f"{name:40} {type(problem).__name__}: {str(problem)[:500]}", flush=True)
                continue
            result.append({"spec": path.stem} | found)
            there = measured.get((case["kernel"], case["name"]))
            line = beside(found, there) if there else None
            if line:
                errors.setdefault(case.get("figure", {"kind": "time"})["kind"], []).append(abs(line[1]))
            took = time.perf_counter() - begin
            print(f"{name:40} {line[0] if line else json.dumps(found['figures'])}  {took:.1f} s", flush=True)
            a.out.write_text(json.dumps({"cases": result}, indent=0), encoding="utf-8")
    for kind, values in errors.items():
        print(f"{kind}: {len(values)} figures, mean absolute error {np.mean(values):.1%}, largest {max(values):.1%}")


if __name__ == "__main__":
    main()
