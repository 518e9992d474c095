"""Specs are those that cases.py makes, ptxas takes the kernels, figures mean what they say, times are near silicon's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

from assembler import assemble, emit_ptx
from sim.config import Config
from sim.validate import load_cases, run_case

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "two_gpus"
KERNELS = HERE.parents[1] / "programs" / "calibrate" / "switch"


def tool(name: str) -> ModuleType:
    """A module of this folder; names such as `figures` are too common to be imported plainly."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.mark.parametrize("name", ["signal", "transfer", "moe"])
def test_specs_are_current(name: str) -> None:
    recorded = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    made = list(tool("cases").SPECS[name](recorded["gpus"]))
    assert json.loads(json.dumps(made)) == recorded["cases"], "run tests/silicon/cases.py"


@pytest.mark.parametrize("name", ["signal", "transfer", "moe"])
def test_ptxas_takes_the_kernels(name: str) -> None:
    if shutil.which("ptxas") is None:
        pytest.skip("no ptxas here")
    assert len(tool("bundle").cubin(emit_ptx(KERNELS / f"{name}.s"))) > 1000


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_every_gpu_has_its_part(gpus: int) -> None:
    patterns = tool("cases").patterns(gpus)
    for flows in patterns.values():
        assert all(source not in targets for source, targets in flows.items())
    assert sorted(t for targets in patterns["all_to_all"].values() for t in targets) == sorted(
        [*range(gpus)] * (gpus - 1)
    )
    if gpus > 2:
        assert sorted(patterns["permutation"][g][0] for g in range(gpus)) == [*range(gpus)]


def test_rates_and_fairness_are_those_of_the_clock_reads() -> None:
    figures = tool("figures")
    # four blocks serve two flows in turn: flow 0 takes 1000 ns, flow 1 takes 500 ns
    blocks = [(0, 0, 100, 1100), (0, 0, 100, 500), (0, 0, 200, 1000), (0, 0, 150, 600)]
    lines = figures.lines(b"".join(struct.pack("<4Q", *b) for b in blocks))
    launch = {"gpu": 2, "flows": [0, 1], "flow_bytes": 1000}
    times = figures.of_launch(launch, lines, False)
    assert (times["span_ns"], times["flow0_ns"], times["flow1_ns"]) == (1000, 1000, 500)
    found = figures.of_case({"figure": {"kind": "bandwidth"}, "launches": [launch]}, [times])
    assert found == {"flow_gbps": {"2-0": 1.0, "2-1": 2.0}, "total_gbps": 2.0, "gpus_loaded": 1, "fairness": 0.9}


@pytest.mark.parametrize("name", ["chase/0_from_1", "get/one32_1024", "put/outcast_1024"])
def test_simulated_time_is_near_the_measured(name: str) -> None:
    case = next(c for c in load_cases(FOLDER) if c.name == name)
    outcome = run_case(case, assemble, Config.load())
    assert outcome.reason == ""
    assert outcome.output_ok is not False
    assert abs(outcome.error) < 0.1
