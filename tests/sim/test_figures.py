"""Figures: runs asked for, scaling, points."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isa.instr import Kind
from sim import figures
from sim.config import Config, ConfigError
from sim.figure_plot import bars
from sim.figure_run import by_class, checked
from sim.figure_scale import Layer, Scale, changed
from sim.figures import Figure, load, names

LAYER = Layer("some", 4096, 8192, 8, 2)


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("nothing is to be run")


def figure(points: list[dict[str, Any]], **grid: list[Any]) -> Figure:
    """A figure whose runs are done: a layer takes 1 ms times the number of tokens / 1024, times 3 but for moehub."""
    f = Figure("f", {"grid": grid, "points": points}, True, never, 1)
    for c in f.combinations():
        slow = 1 if c["system"] == "moehub" else 3
        ns = 1e6 * c["tokens"] / 1024 * slow * f.scale(c).slower(c["tokens"], c["gpus"])
        f.results[f.spec(c)] = {"layer_ns": ns, "gemm1_ns": ns / 2, "kernels": 4 * slow}
    return f


def test_a_smaller_layer_on_a_smaller_machine_keeps_its_ratios() -> None:
    """A row on the links, the weights from memory, a hop: all take ``time`` of their full time."""
    config, scale = Config.load("h800-8"), Scale(LAYER, 512, 2048, 4, 8, time=0.5)
    found = scale.settings(8192, 8, config, ["nvlink.hop_ns", "host.sync_ns"])
    full_row = 8192 * LAYER.hidden / config["nvlink.link_gbps"]
    row = scale.shape(8192, 8)["tokens"] * scale.hidden / found["nvlink.link_gbps"]
    assert row / full_row == pytest.approx(0.5, rel=1e-3)
    weights = 512 * 2048 / (4096 * 8192) * config["hbm.bandwidth_gbps"] / found["hbm.bandwidth_gbps"]
    assert weights == pytest.approx(0.5, rel=1e-2)
    assert found["nvlink.hop_ns"] == 125 and found["host.sync_ns"] == 837


def test_few_tokens_are_cut_less_and_time_says_so() -> None:
    scale = Scale(LAYER, 512, 2048, 4, 8, time=0.5)
    assert scale.shape(64, 8)["tokens"] == 32
    assert scale.slower(64, 8) == pytest.approx(0.5 * 4 * 32 / 64)


def test_changes_multiply_or_set() -> None:
    config = Config.load("h800-8")
    assert changed({"nvlink.link_gbps": 1.25}, "nvlink.link_gbps*2", config) == {"nvlink.link_gbps": 2.5}
    assert changed({}, "aau.rat_entries=64", config) == {"aau.rat_entries": 64}
    assert changed({"sm.count": 4}, "", config) == {"sm.count": 4}


def test_every_kind_of_instruction_is_in_one_class() -> None:
    kinds = [kind.name.lower() for kind in Kind]
    found = by_class(dict.fromkeys(kinds, 1))
    assert sum(found.values()) == len(kinds) and found["hub"] == 7 and found["tensor"] == 7
    assert by_class({"ld": 3, "lane": 5, "rowsp_st": 2}) | {"memory": 0, "arithmetic": 0, "hub": 0} == dict.fromkeys(
        found, 0
    )


def test_a_program_has_passed_when_all_checks_that_compared_did() -> None:
    assert [checked({}), checked({"y": True}), checked({"y": True, "z": False})] == ["-", "passed", "FAILED"]


def test_a_verified_figure_runs_its_own_shape_unscaled() -> None:
    f = load("programs", True, never, 1)
    specs = [json.loads(f.spec(c)) for c in f.combinations()]
    assert {spec["program"] for spec in specs} == {f"moe/{name}.s" for name in f.definition["grid"]["system"]}
    assert all(spec["defines"].get("values", 1) and "nvlink.link_gbps" not in spec["settings"] for spec in specs)
    assert f.slower(f.combinations()[0]) == 1


def test_points_are_averages_of_ratios_over_what_they_cover() -> None:
    entry = {"label": "{over}, {tokens}", "metric": "speedup", "over": ["comet"], "each": ["tokens"], "published": 1.5}
    points = figure([entry], system=["comet", "moehub"], tokens=[1024, 2048]).points()
    assert [(p.label, p.ours, p.ratio) for p in points] == [("Comet, 1024", 3.0, 2.0), ("Comet, 2048", 3.0, 2.0)]


def test_where_limits_a_point() -> None:
    entry = {"label": "small", "metric": "time", "where": {"tokens": {"to": 1024}}}
    (point,) = figure([entry], system=["moehub"], tokens=[1024, 2048]).points()
    assert (point.ours, point.published, point.ratio) == (1000.0, None, None)


def test_the_fastest_wins_and_throughput_is_relative() -> None:
    wins = {"label": "wins", "metric": "wins"}
    grows = {"label": "{gpus}", "metric": "against", "axis": "gpus", "base": 2, "each": ["gpus"]}
    f = figure([wins, grows], system=["comet", "moehub"], tokens_per_gpu=[512], gpus=[2, 4])
    assert [p.ours for p in f.points()] == [1.0, 1.0, 1.0]


def test_a_composed_end_to_end_lies_between_layer_and_one() -> None:
    entry = {"label": "e", "metric": "end_to_end", "over": "comet"}
    (point,) = figure([entry], system=["comet", "moehub"], tokens=[8192]).points()
    assert point.ours is not None and 1 < point.ours < 3


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("quick", [True, False])
def test_every_definition_names_what_exists(name: str, quick: bool) -> None:
    """Programs, axes and settings of all figures, and no published number among the settings of a run."""
    f = load(name, quick, never, 1)
    programs = figures.ROOT / "programs"
    for c in f.combinations():
        spec = json.loads(f.spec(c))
        assert (programs / spec["program"]).is_file()
        Config.load(f.preset, [f"{key}={value}" for key, value in spec["settings"].items()])
    for entry in f.definition["points"]:
        overs = entry.get("over", [])
        for system in [entry.get("of", "moehub"), *(overs if isinstance(overs, list) else [overs])]:
            assert system in f.systems


def test_an_unknown_figure_is_a_usage_error() -> None:
    with pytest.raises(ConfigError, match=r"there are .*moehub-12"):
        load("moehub-99", True, never, 1)


def test_the_plot_shows_every_point() -> None:
    entry = {"label": "{over}, {tokens}", "metric": "speedup", "over": "comet", "each": ["tokens"], "published": 1.5}
    svg = bars("a < b", figure([entry], system=["comet", "moehub"], tokens=[1024, 2048]).points())
    assert svg.count("<rect") == 3 and svg.count("<path") == 2 and "a &lt; b" in svg
