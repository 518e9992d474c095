"""Validation of times: runs kernels whose times a GPU has measured, and shows simulated beside measured time.

A spec ``NAME.json`` names its PTX and lists cases; tests/validation/README.md describes the format. What is compared is
the span of a kernel's own clock reads on warm buffers or, where its work outlives its blocks, the time per launch of
a graph of launches.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isa.image import Image

from .config import Config, ConfigError
from .machine import Machine
from .specdata import scalar
from .validation_data import make
from .validation_plot import scatter
from .workers import run_tasks

TIMES = ("validation_times.json", "p2p_validation_times.json")
"""Files of recorded times; their cases name kernel and case of a spec."""
OUTLIVES_NS = 2500
"""A graph of launches that takes so much longer per launch than the blocks' span has work that outlives the blocks; the
largest gap between launches measured is 2.3 us."""
PROFILE = "clock reads"
"""Buffer of a profiled entry's clock reads: start and end in cycles, start and end in ns, SM, for each block."""

Assemble = Callable[[Path], Image]


@dataclass
class Case:
    """A kernel with its launches (each a list of one per GPU), buffers, and what was measured (ns)."""

    kernel: str
    case: str
    module: Path
    buffers: list[Mapping[str, Any]]
    launches: list[Mapping[str, Any]]
    reset: list[str]
    measured: Mapping[str, Any]
    peers: int = 0
    """GPUs of kernels that write their own clock reads; 0: one GPU, profiled entries."""

    @property
    def name(self) -> str:
        """Kernel and case."""
        return f"{self.kernel}/{self.case}"

    @property
    def by_graph(self) -> bool:
        """Whether the time of a whole launch counts, not the span of the blocks."""
        graph = self.measured.get("graph20_ns")
        return graph is not None and graph["median"] - self.measured["prof_warm"]["span_ns"]["median"] > OUTLIVES_NS

    @property
    def measured_ns(self) -> float:
        """The measured time that is compared, ns."""
        if self.peers:
            return max(float(self.measured[k]["span_ns"]["median"]) for k in self.measured if k in ("out", "out0"))
        if self.by_graph:
            return float(self.measured["graph20_ns"]["median"])
        return float(self.measured["prof_warm"]["span_ns"]["median"])


@dataclass
class Outcome:
    """A case with its times in ns; ``error`` is simulated over measured less 1. ``reason``: why there is no time."""

    name: str
    case: str
    measured_ns: float
    simulated_ns: float = 0.0
    error: float = 0.0
    reason: str = ""
    output_ok: bool | None = None
    instructions: int = 0
    wall_s: float = field(default=0.0, compare=False)


# --- specs


def load_cases(folder: Path) -> list[Case]:
    """The cases of a folder (and of its folder ``p2p``) whose times are recorded, sorted by kernel."""
    cases: list[Case] = []
    for place in (folder, folder / "p2p"):
        times: dict[tuple[str, str], Any] = {}
        for name in TIMES:
            if (place / name).is_file():
                recorded = json.loads((place / name).read_text(encoding="utf-8"))["cases"]
                times |= {(entry["kernel"], entry["case"]): entry for entry in recorded}
        for path in sorted(place.glob("*.json")):
            if path.name in TIMES:
                continue
            spec = json.loads(path.read_text(encoding="utf-8"))
            for case in spec["cases"]:
                key = case.get("kernel", spec.get("kernel")), case["name"]
                if key in times:
                    cases.append(_case(place, spec, case, times[key]))
    return cases


def _case(folder: Path, spec: Mapping[str, Any], case: Mapping[str, Any], measured: Mapping[str, Any]) -> Case:
    module = folder / spec["ptx"]
    if "launches" in case:
        return Case(case["kernel"], case["name"], module, case["buffers"], case["launches"], [], measured, spec["gpus"])
    found = Case(spec["kernel"], case["name"], module, [], [], case.get("reset_before_each_launch", []), measured)
    blocks = case["grid"][0] * case["grid"][1] * case["grid"][2]
    parameters = [{"buffer": p["name"]} if p["kind"] == "buffer" else p for p in case["params"]]
    found.buffers = [p for p in case["params"] if p["kind"] == "buffer"]
    entry = spec["entry"]
    if not found.by_graph:
        entry = spec["entry_prof"]
        found.buffers.append({"name": PROFILE, "dtype": "u64", "count": 5 * blocks, "init": {"kind": "zeros"}})
        parameters.append({"buffer": PROFILE})
    found.launches = [
        {**{key: case[key] for key in ("grid", "block", "dynamic_shared")}, "entry": entry, "params": parameters}
    ]
    return found


# --- one case


def run_case(case: Case, assemble: Assemble, config: Config) -> Outcome:
    """Simulate a case in this process. Everything that goes wrong is a reason of the outcome."""
    outcome = Outcome(case.kernel, case.case, case.measured_ns)
    try:
        image = assemble(case.module)
        config.override("rpm.enabled=0")  # no GPU of today has one
        if _uses_tensor_cores(image):
            config.override(f"sm.clock_ghz={config['sm.tensor_clock_ghz']}")
        machine = Machine(image, config, gpus=case.peers or 1)
        data = {buffer["name"]: make(buffer) for buffer in case.buffers}
        address = {b["name"]: machine.alloc(b.get("gpu", 0), max(16, data[b["name"]].nbytes)) for b in case.buffers}
        for name, values in data.items():
            machine.write(address[name], values)
        for epoch in (1, 2):
            for name in case.reset:
                machine.write(address[name], np.zeros_like(data[name]))
            for launch in case.launches:
                _launch(machine, launch, address, epoch)
            before = machine.instructions
            machine.run()
            if epoch == 1:
                outcome.output_ok = _output_ok(case, machine, address, data)
        outcome.instructions = machine.instructions - before
        outcome.simulated_ns = round(_simulated(case, machine, address, data, config), 1)
        outcome.error = round(outcome.simulated_ns / outcome.measured_ns - 1, 4)
        outcome.wall_s = round(machine.wall_s, 2)
    except Exception as error:  # a run of many cases goes on whatever one of them meets
        text = str(error).strip().splitlines()
        outcome.reason = f"{type(error).__name__}: {text[0] if text else 'no message'}"
    return outcome


def _uses_tensor_cores(image: Image) -> bool:
    return any(image.name(pc).startswith(("mma.", "wgmma.mma_async")) for pc in range(len(image)))


def _launch(machine: Machine, launch: Mapping[str, Any], address: Mapping[str, int], epoch: int) -> None:
    kernel = machine.kernel(launch["entry"])
    block = bytearray(kernel.param_bytes)
    for parameter, value in zip(kernel.params, launch["params"], strict=True):
        if "buffer" in value:
            raw = address[value["buffer"]].to_bytes(8, "little")
        else:
            raw = scalar(value["dtype"], epoch if value.get("epoch") else value["value"])
        block[parameter.offset : parameter.offset + len(raw)] = raw
    machine.launch(
        launch.get("gpu", 0),
        kernel.name,
        tuple(launch["grid"]),
        tuple(launch["block"]),
        shared=launch["dynamic_shared"],
        params=bytes(block),
    )


def _output_ok(case: Case, machine: Machine, address: Mapping[str, int], data: Mapping[str, Any]) -> bool | None:
    """Whether all outputs have the recorded digests; None if none is recorded."""
    recorded = case.measured.get("outputs", {})
    digests = {name: value["sha256"] if isinstance(value, dict) else value for name, value in recorded.items()}
    same = [
        hashlib.sha256(machine.read(address[name], data[name].nbytes)).hexdigest() == digest
        for name, digest in digests.items()
    ]
    return all(same) if same else None


def _simulated(
    case: Case, machine: Machine, address: Mapping[str, int], data: Mapping[str, Any], config: Config
) -> float:
    """The simulated time of the last launch, ns."""
    if case.by_graph:
        last = machine.launches.log[-1]
        return (last.end - last.begin) / float(config["sm.clock_ghz"]) + float(config["launch.graph_gap_ns"])
    name = PROFILE if not case.peers else next(b["name"] for b in case.buffers if b["name"] in ("out", "out0"))
    times = np.frombuffer(machine.read(address[name], data[name].nbytes), np.uint64).astype(np.int64)
    blocks = times.reshape(-1, 4 if case.peers else 5)
    return float(blocks[:, 3].max() - blocks[:, 2].min())


# --- many cases


def _task(name: str, folder: Path, assemble: Assemble, preset: str, settings: list[str]) -> Outcome:
    case = next(case for case in load_cases(folder) if case.name == name)
    return run_case(case, assemble, Config.load(preset, settings))


def run_cases(
    folder: Path, cases: list[Case], assemble: Assemble, preset: str, settings: list[str], jobs: int, patience_s: float
) -> Iterator[Outcome]:
    """Simulate cases in ``jobs`` worker processes; outcomes come in the order of ``cases``."""
    named = {case.name: case for case in cases}
    work = (folder, assemble, preset, settings)
    for name, outcome, reason, _ in run_tasks(list(named), _task, work, jobs, patience_s):
        case = named[name]
        yield outcome or Outcome(case.kernel, case.case, case.measured_ns, reason=reason)


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """What ``--json`` prints: mean absolute error, correlation of the logarithms of times, every case."""
    timed = [outcome for outcome in outcomes if not outcome.reason]
    correlation = None
    if len(timed) > 1:
        logs = np.log([[outcome.measured_ns, outcome.simulated_ns] for outcome in timed])
        correlation = round(float(np.corrcoef(logs.T)[0, 1]), 4)
    return {
        "mean_abs_error": round(float(np.mean([abs(o.error) for o in timed])), 4) if timed else None,
        "correlation": correlation,
        "kernels": [asdict(outcome) for outcome in timed],
        "not_simulated": [asdict(outcome) for outcome in outcomes if outcome.reason],
    }


def _line(outcome: Outcome) -> str:
    name = f"{outcome.name}/{outcome.case}"
    if outcome.reason:
        return f"{name:34} {outcome.measured_ns:12,.0f}            -         -  {outcome.reason}"
    wrong = "  output differs" if outcome.output_ok is False else ""
    return f"{name:34} {outcome.measured_ns:12,.0f} {outcome.simulated_ns:12,.0f} {outcome.error:+9.1%}{wrong}"


def run_command(options: Any, assemble: Assemble) -> bool:
    """``simasm validate``: run the cases, print the table, write the plot; whether any has a time."""
    folder = Path(options.directory)
    words = options.only.split(",") if options.only else [""]
    cases = [case for case in load_cases(folder) if any(case.name.startswith(word) for word in words)]
    if not cases:
        raise ConfigError(f"{folder}: no validation specs with recorded times{' of these names' * bool(options.only)}")
    Config.load(options.preset, options.set)
    if not options.json:
        print(f"{'kernel/case':34} {'measured ns':>12} {'simulated ns':>12} {'error':>9}", flush=True)
    outcomes = []
    for outcome in run_cases(folder, cases, assemble, options.preset, options.set, options.jobs, options.timeout):
        outcomes.append(outcome)
        if not options.json:
            print(_line(outcome), flush=True)
    found = summary(outcomes)
    plot = Path(options.plot)
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_text(scatter(found["kernels"]), encoding="utf-8")
    if options.json:
        print(json.dumps(found))
    elif found["kernels"]:
        print(f"{len(found['kernels'])} of {len(cases)} cases simulated; plot in {plot}")
        print(f"mean absolute error {found['mean_abs_error']:.1%}, correlation of logarithms {found['correlation']}")
    return bool(found["kernels"])
