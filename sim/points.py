"""Points of memory and links: figures of a file of measurements, each simulated by a kernel of programs/calibrate.

A point is a launch spec as of tests/silicon: launches in phases, one after the other, and what their clock reads mean
(``figure``): ``cycles`` or ``latency`` (ns) of block 0 of the last phase over ``per``, or a ``rate``, ``units`` per ns
that the last phase has more than the one before over how much longer it takes, so that beginnings and ends cancel.
The builders are in points_link.py and points_memory.py.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isa.image import Image

from .config import Config
from .machine import Machine
from .specdata import DTYPES, scalar
from .validation_data import make
from .workers import run_tasks

Case = dict[str, Any]
Builder = Callable[[Mapping[str, Any]], "Sketch | None"]
"""The case of a figure's conditions; None: not simulated."""
Assemble = Callable[..., Image]
KERNELS = Path(__file__).resolve().parents[1] / "programs" / "calibrate"
ZEROS = {"kind": "zeros"}
EPOCH = "epoch"
"""Stands for the number of the launch among parameters."""


class Sketch:
    """A case under construction. Parameters: names of buffers, numbers (u32), pairs of dtype and number, EPOCH."""

    def __init__(self, module: str, gpus: int = 1, **figure: Any) -> None:
        self.case: Case = {"module": module, "gpus": gpus, "figure": figure, "buffers": [], "launches": []}

    def buffer(self, name: str, gpu: int, nbytes: int, init: Mapping[str, Any] = ZEROS) -> str:
        """Make a buffer of u32 words."""
        made = {"name": name, "gpu": gpu, "dtype": "u32", "count": max(4, nbytes // 4), "init": init}
        self.case["buffers"].append(made)
        return name

    def launch(self, gpu: int, entry: str, grid: int, block: int, params: list[Any], phase: int, **more: Any) -> None:
        """Add a launch; its clock reads, the last parameter, are added here."""
        out = f"out{len(self.case['launches'])}"
        made = {"name": out, "gpu": gpu, "dtype": "u64", "count": 4 * grid, "init": ZEROS}
        self.case["buffers"].append(made)
        self.case["launches"].append({
            "gpu": gpu, "entry": entry, "grid": [grid, 1, 1], "block": [block, 1, 1], "dynamic_shared": 0,
            "params": [*map(_parameter, params), {"buffer": out}], "phase": phase, **more,
        })  # fmt: skip


def _parameter(value: Any) -> dict[str, Any]:
    if value == EPOCH:
        return {"dtype": "u32", "epoch": True}
    if isinstance(value, str):
        return {"buffer": value}
    if isinstance(value, tuple):
        return {"dtype": value[0], "value": value[1]}
    return {"dtype": "u32", "value": int(value)}


@dataclass(frozen=True)
class Point:
    """A measured figure and the case that simulates it."""

    name: str
    conditions: Mapping[str, Any]
    unit: str
    measured: float
    case: Case

    @property
    def label(self) -> str:
        """Name and conditions, in short."""
        return " ".join([self.name, *(f"{k}={v}" for k, v in self.conditions.items() if k not in _UNSAID)])


_UNSAID = frozenset(
    ("bad", "pattern_bytes", "background_GBps", "set_bytes", "in_flight", "block", "rows", "passes", "warm")
)


@dataclass(frozen=True)
class Outcome:
    """A point simulated; ``error`` is simulated over measured less 1. ``reason``: why there is none."""

    label: str
    unit: str
    measured: float
    simulated: float = 0.0
    error: float = 0.0
    reason: str = ""


def points(figures: list[Mapping[str, Any]], builders: Mapping[str, Builder], only: str = "") -> list[Point]:
    """The figures that have a builder and whose labels begin with one of the words of ``only``; doubtful ones do not count."""
    found: dict[str, Point] = {}
    for figure in figures:
        name = str(figure.get("name"))
        if name not in builders or figure.get("doubtful"):
            continue
        sketch = builders[name](figure["cond"])
        if sketch is None:
            continue
        unit = figure["unit"].split(",")[0].split(" ")[0]
        point = Point(name, figure["cond"], unit, float(figure["median"]), sketch.case)
        if any(point.label.startswith(word) for word in only.split(",")):
            found[point.label] = point
    return list(found.values())


def simulate(case: Case, image: Image, config: Config) -> list[NDArray[np.int64]]:
    """Run the phases of a case; the clock reads of each launch: a row per block."""
    machine = Machine(image, config, gpus=case["gpus"])
    sizes = {b["name"]: DTYPES[b["dtype"]].itemsize * b["count"] for b in case["buffers"]}
    places = {b["name"]: machine.alloc(b["gpu"], max(16, sizes[b["name"]])) for b in case["buffers"]}
    for buffer in case["buffers"]:
        if buffer["init"]["kind"] != "zeros":
            machine.write(places[buffer["name"]], make(buffer))
    for phase in range(case["launches"][-1]["phase"] + 1):
        for launch in case["launches"]:
            if launch["phase"] == phase:
                _launch(machine, launch, places)
        machine.run()
    outs = [(b["name"], sizes[b["name"]]) for b in case["buffers"] if b["name"].startswith("out")]
    return [np.frombuffer(machine.read(places[n], size), np.uint64).astype(np.int64).reshape(-1, 4) for n, size in outs]


def _launch(machine: Machine, launch: Mapping[str, Any], places: Mapping[str, int]) -> None:
    kernel = machine.kernel(launch["entry"])
    block = bytearray(kernel.param_bytes)
    for parameter, value in zip(kernel.params, launch["params"], strict=True):
        if "buffer" in value:
            raw = places[value["buffer"]].to_bytes(8, "little")
        else:
            raw = scalar(value["dtype"], 1 if value.get("epoch") else value["value"])
        block[parameter.offset : parameter.offset + len(raw)] = raw
    grid, threads = tuple(launch["grid"]), tuple(launch["block"])
    machine.launch(launch["gpu"], kernel.name, grid, threads, shared=launch["dynamic_shared"], params=bytes(block))


def value(case: Case, reads: list[NDArray[np.int64]]) -> float:
    """What the clock reads of the launches mean."""
    figure, last = case["figure"], case["launches"][-1]["phase"]
    gpu = figure.get("gpu", 0)
    if figure["kind"] == "rate":
        spans = [
            max(
                _span(reads[i])
                for i, launch in enumerate(case["launches"])
                if (launch["phase"], launch["gpu"]) == (p, gpu)
            )
            for p in (last - 1, last)
        ]
        return float(figure["units"] / (spans[1] - spans[0]))
    (at,) = [i for i, launch in enumerate(case["launches"]) if (launch["phase"], launch["gpu"]) == (last, gpu)]
    first = reads[at][0]
    taken = first[1] - first[0] if figure["kind"] == "cycles" else first[3] - first[2]
    return float(taken / figure["per"])


def _span(blocks: NDArray[np.int64]) -> int:
    ran = blocks[blocks[:, 3] > 0]
    return int(ran[:, 3].max() - ran[:, 2].min())


# --- many points


def _task(label: str, found: Mapping[str, Point], assemble: Assemble, preset: str, settings: list[str]) -> Outcome:
    point = found[label]
    try:
        image = assemble(KERNELS / f"{point.case['module']}.s", optimised=False)  # loads stay in flight together
        # GPUs of today have no RPM
        simulated = value(point.case, simulate(point.case, image, Config.load(preset, ["rpm.enabled=0", *settings])))
    except Exception as error:  # a table of many points goes on whatever one of them meets
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
        return Outcome(label, point.unit, point.measured, reason=reason)
    return Outcome(label, point.unit, point.measured, simulated, simulated / point.measured - 1)


def outcomes(
    found: list[Point], assemble: Assemble, preset: str, settings: list[str], jobs: int, patience_s: float
) -> Iterator[Outcome]:
    """Simulate points in ``jobs`` worker processes; outcomes come in the order of ``found``."""
    named = {point.label: point for point in found}
    work = (named, assemble, preset, settings)
    for label, outcome, reason, _ in run_tasks(list(named), _task, work, jobs, patience_s):
        yield outcome or Outcome(label, named[label].unit, named[label].measured, reason=reason)


def run_table(
    figures: list[Mapping[str, Any]], builders: Mapping[str, Builder], options: Any, assemble: Assemble
) -> bool:
    """``simasm calibrate FILE --points``: print every point, and the errors by name; whether any has a value."""
    found = points(figures, builders, options.only)
    if not options.json:
        print(f"{'point':76} {'unit':>9} {'measured':>9} {'simulated':>9} {'error':>8}", flush=True)
    errors: dict[str, list[float]] = {}
    rows = []
    jobs = options.jobs or 2
    for outcome in outcomes(found, assemble, options.preset, options.set, jobs, options.timeout):
        rows.append(asdict(outcome))
        if not outcome.reason:
            errors.setdefault(outcome.label.split(" ")[0], []).append(abs(outcome.error))
        if not options.json:
            result = f"{outcome.simulated:9.4g} {outcome.error:+8.1%}" if not outcome.reason else outcome.reason
            print(f"{outcome.label:76} {outcome.unit:>9} {outcome.measured:9.4g} {result}", flush=True)
    if options.json:
        print(json.dumps(rows))
    else:
        print(f"\n{'figure':40} {'points':>6} {'mean error':>10} {'largest':>8}")
        for name, values in errors.items():
            print(f"{name:40} {len(values):6} {np.mean(values):10.1%} {max(values):8.1%}")
    return bool(errors)
