"""`simasm calibrate`: preset values from figures, and the kernels of programs/calibrate in the simulator."""

import json
from functools import partial
from pathlib import Path

import pytest

from assembler import assemble
from sim.calibrate import RULES, read_figures, recompute, table
from sim.config import Config, ConfigError


def figure(name: str, median: float, **cond: object) -> dict[str, object]:
    return {"name": name, "unit": "", "median": median, "cond": cond}


def test_values_follow_the_figures() -> None:
    figures = [
        figure("op_latency", 10.0, op="add_s32_fib"),
        figure("op_throughput", 0.5, op="ex2_ftz", warps=32, ilp=4),
        figure("op_throughput", 9.9, op="ex2_ftz", warps=16, ilp=4),
        figure("fence", 600, fence="membar.gl", outstanding_warp_stores=0, blocks=1),
    ]
    found = {value.key: value.measured for value in recompute(figures, Config.load())}
    assert found == {"sm.latency.iadd_cycles": 5.0, "sm.interval.mufu_cycles": 8.0, "fence.gpu_cycles": 600.0}


def test_a_hop_is_what_a_peer_load_leaves() -> None:
    """4 hops and 282 - 170 + 421 + 128 cycles of an H200 at 1.98 GHz."""
    (found,) = recompute([figure("peer_load_latency", 1061.0, op="ld.relaxed.sys")], Config.load())
    assert (found.key, found.measured) == ("nvlink.hop_ns", round((1061 - 661) / 4 / 1.98, 2))


def test_every_rule_names_a_key() -> None:
    config = Config.load()
    assert all(config[rule.key] for rule in RULES)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"figures": [1]}))
    with pytest.raises(ConfigError, match="not a file of measurements"):
        read_figures(tmp_path / "x.json")


@pytest.mark.parametrize("op", ["lop3_b32", "ex2_ftz"])
def test_instructions_take_what_the_preset_says(op: str) -> None:
    config = Config.load()
    name = {"lop3_b32": "alu", "ex2_ftz": "mufu"}[op]
    latency, interval, _ = config.timing(name)
    (row,) = table([], partial(assemble, optimised=True), config, op)
    assert row.latency == pytest.approx(latency, rel=0.05)
    assert row.throughput == pytest.approx(4 / interval, rel=0.05)
