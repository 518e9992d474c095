"""Runs launch specs on all GPUs of a machine and writes their times. Needs Python's standard library and libcuda only.

    python3 tests/silicon/record.py BUNDLE.zip OUT.json [--seconds 90] [--runs 20] [--only transfer/put]

The bundle (bundle.py) holds the specs SPEC.json, their modules as cubins, and the data of buffers. Cases are run in the
order of the specs until the time is over; what was measured so far is always in OUT.json.
"""

from __future__ import annotations

import argparse
import ctypes as c
import hashlib
import json
import os
import sys
import threading
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import figures
from driver import HASH_BLOCKS, HASH_THREADS, Driver

SIZES = {"u8": 1, "bf16": 2, "f16": 2, "u32": 4, "s32": 4, "f32": 4, "u64": 8}
NUMBERS = {"u32": c.c_uint32, "s32": c.c_int32, "u64": c.c_uint64, "f32": c.c_float}
WARM_UPS = 3


class Bench:
    """Runs cases of a bundle."""

    def __init__(self, bundle: zipfile.ZipFile, gpus: int) -> None:
        self.bundle, self.cuda = bundle, Driver(gpus)
        self.fill = self.cuda.load(bundle.read("fill.cubin"))
        self.modules = {}
        self.functions = {}

    def function(self, spec: str, gpu: int, name: str) -> c.c_void_p:
        key = spec, gpu, name
        if key not in self.functions:
            if spec not in self.modules:
                self.modules[spec] = self.cuda.load(self.bundle.read(spec + ".cubin"))
            self.cuda.use(gpu)
            self.functions[key] = self.cuda.function(self.modules[spec][gpu], name)
        return self.functions[key]

    def place(self, buffer: dict) -> c.c_uint64:
        """Allocate and fill a buffer."""
        size = max(16, buffer["count"] * SIZES[buffer["dtype"]])
        gpu, init = buffer["gpu"], buffer["init"]
        address = self.cuda.alloc(gpu, size)
        if "file" in buffer:
            self.cuda.write(gpu, address, self.bundle.read(buffer["file"]))
        elif init["kind"] == "hash_u32":
            self.cuda.use(gpu)
            kernel = self.cuda.function(self.fill[gpu], "hash_u32")
            values = [address, c.c_uint64(buffer["count"]), c.c_uint32(init["seed"])]
            self.cuda.launch(gpu, kernel, [HASH_BLOCKS, 1, 1], [HASH_THREADS, 1, 1], 0, values)
        else:
            self.cuda.clear(gpu, address, size)
        return address

    def go(self, spec: str, case: dict, places: dict, epoch: int) -> None:
        """All launches of a case, once; a phase begins when the one before is over."""
        phase = 0
        for launch in case["launches"]:
            if launch.get("phase", 0) != phase:
                self.cuda.sync()
                phase = launch["phase"]
            values = []
            for p in launch["params"]:
                if "buffer" in p:
                    values.append(places[p["buffer"]])
                else:
                    values.append(NUMBERS[p["dtype"]](epoch if p.get("epoch") else p["value"]))
            function = self.function(spec, launch["gpu"], launch["entry"])
            self.cuda.launch(launch["gpu"], function, launch["grid"], launch["block"], launch["dynamic_shared"], values)
        self.cuda.sync()

    def measure(self, spec: str, case: dict, runs: int) -> dict:
        """A record of `runs` runs after WARM_UPS."""
        places, buffers = {}, {b["name"]: b for b in case["buffers"]}
        try:
            for name, buffer in buffers.items():
                places[name] = self.place(buffer)
            self.cuda.sync()
            self.go(spec, case, places, 1)
            digests = {name: self.digest(b, places[name]) for name, b in buffers.items() if b.get("output")}
            samples = [[] for _ in case["launches"]]
            is_loaded = any("plays" in x and x["plays"] for x in case["launches"])
            for run in range(WARM_UPS + runs):
                self.go(spec, case, places, 2 + run)
                for i, launch in enumerate(case["launches"]):
                    out = buffers[figures.output_of(case, i)]
                    data = self.cuda.read(launch["gpu"], places[out["name"]], out["count"] * 8)
                    samples[i].append(figures.of_launch(launch, figures.lines(data), is_loaded))
        finally:
            for name, address in places.items():
                self.cuda.free(buffers[name]["gpu"], address)
        times = [{k: figures.spread([s[k] for s in x[WARM_UPS:]]) for k in x[0]} for x in samples]
        typical = [{k: v["median"] for k, v in t.items()} for t in times]
        per_run = [figures.of_case(case, [x[WARM_UPS + run] for x in samples]) for run in range(runs)]
        found = {
            "kernel": case["kernel"],
            "case": case["name"],
            "outputs": digests,
            "figures": figures.of_case(case, typical),
        }
        main = next(iter(found["figures"])) if "total_gbps" not in per_run[0] else "total_gbps"
        found["of_runs"] = {main: figures.spread([r[main] for r in per_run])}
        return found | {f"out{i}": t for i, t in enumerate(times)}

    def digest(self, buffer: dict, address: c.c_uint64) -> str:
        data = self.cuda.read(buffer["gpu"], address, buffer["count"] * SIZES[buffer["dtype"]])
        return hashlib.sha256(data).hexdigest()


def conditions(bench: Bench) -> dict:
    """What and how was measured; the SM clock comes from the clock reads of the cases."""
    cuda = bench.cuda
    links = "18 NVLink links of 26.562 GB/s each way through NVSwitch (H100 and H200 SXM); no multicast object"
    return {"gpus": cuda.names, "driver_api": cuda.version, "topology": links, "warm_ups": WARM_UPS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("out")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--only", default="", help="SPEC/KERNEL/CASE,…: cases that begin so")
    a = parser.parse_args()
    begin, words = time.time(), a.only.split(",")
    killer = threading.Timer(a.seconds + 15, lambda: os._exit(9))  # a kernel that hangs must not keep the machine
    killer.daemon = True
    killer.start()
    with zipfile.ZipFile(a.bundle) as bundle:
        specs = {n[:-5]: json.loads(bundle.read(n)) for n in bundle.namelist() if n.endswith(".json")}
        bench = Bench(bundle, max(s["gpus"] for s in specs.values()))
        result = {"meta": conditions(bench) | {"runs": a.runs}, "cases": []}
        for spec, content in specs.items():
            for case in content["cases"]:
                name = f"{spec}/{case['kernel']}/{case['name']}"
                if not any(name.startswith(w) for w in words):
                    continue
                if time.time() - begin > a.seconds:
                    result["meta"].setdefault("not_run", []).append(name)
                    continue
                at = time.time()
                found = bench.measure(spec, case, a.runs)
                result["cases"].append({"spec": spec} | found)
                print(
                    f"{time.time() - begin:6.1f} s {time.time() - at:5.2f} {name} {json.dumps(found['figures'])}",
                    flush=True,
                )
                with open(a.out, "w") as file:
                    json.dump(result, file, indent=0)
    with open(a.out, "w") as file:
        json.dump(result, file, indent=0)
    os._exit(0)


if __name__ == "__main__":
    main()
