"""Presets, overrides, units, sources, the parameter array."""

import re

import pytest

from sim.config import Config, ConfigError, preset_names, unit_of
from sim.params import FLIT_TICKS, HOP, L2_CYCLES, PARAMS, SMS, TICKS, WINDOW_CYCLES


def test_every_preset_fills_every_parameter() -> None:
    assert {"h200", "h800-8", "gh200-nvl32", "h100-8", "h100-8-half"} <= set(preset_names())
    for name in preset_names():
        config = Config.load(name)
        words = config.params(8)
        assert config.name == name
        assert len(words) == len(PARAMS)
        assert words[WINDOW_CYCLES] % 128 == 0
        assert words[WINDOW_CYCLES] <= words[HOP]


def test_every_value_says_where_it_is_from() -> None:
    for name in preset_names():
        for setting in Config.load(name).show():
            assert re.match("(measured|published|assumed): .", setting.source), setting


def test_no_key_is_dead() -> None:
    """Every key of the presets is a parameter, feeds a derived one, is a latency class, or of the host or the runtime."""
    config = Config.load()
    used = {p.key for p in PARAMS}
    for param in PARAMS:
        if param.derive is not None:
            param.derive(lambda key: (used.add(key), config[key])[1])
    rest = {s.key for s in config.show()} - used
    rest = {k for k in rest if not k.startswith(("sm.latency.", "sm.interval.", "sm.issue_slots.", "host."))}
    costs = {f"runtime.{name}{per}_cycles" for name in ("vprintf", "malloc", "free") for per in ("", "_lane")}
    validation = {"sm.tensor_clock_ghz", "launch.graph_gap_ns"}  # read by sim/validate.py
    assert rest == {"machine.gpus", "memory.bytes", "runtime.heap_bytes"} | costs | validation


def test_latency_classes_are_those_of_the_instruction_table() -> None:
    from isa.instr import LATENCY_CLASSES
    from sim.latency import PIPES

    keys = {s.key for s in Config.load().show()}
    for table in ("latency", "interval"):
        found = {k.split(".")[-1].removesuffix("_cycles") for k in keys if k.startswith(f"sm.{table}.")}
        assert found == set(PIPES) >= LATENCY_CLASSES
    assert Config.load().timing("mufu") == (17, 8, 1)


def test_conversions() -> None:
    config = Config.load("h200", ["sm.clock_ghz=2", "nvlink.hop_ns=250.5"])
    words = config.params()
    assert words[HOP] == 501
    assert words[SMS] == 132
    assert words[L2_CYCLES] == 282
    assert words[FLIT_TICKS] == round(16 * TICKS * 2 * 4 / (18 * 22.94))
    assert config.cycles("dam.release_latency_ns") == 200
    assert config.ns(100) == 50


def test_base_and_overrides_keep_their_sources() -> None:
    config = Config.load("h100-8-half", ["l1.ways=8"])
    rows = {s.key: s for s in config.show()}
    assert rows["sm.count"][1] == 66 and "CAIS" in rows["sm.count"].source
    assert rows["nvlink.hop_ns"].unit == "ns" and rows["nvlink.hop_ns"].value == 250
    assert rows["l1.ways"].source == "command line"
    assert rows["hbm.latency_cycles"].value == Config.load("h200")["hbm.latency_cycles"]


def test_digest_depends_on_values_only() -> None:
    a, b = Config.load("h200"), Config.load("h200", ["l1.ways=4"])
    assert a.digest == b.digest
    b.override("l1.ways=8")
    assert a.digest != b.digest


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sm.cout=3", "unknown key `sm.cout` .did you mean `sm.count`"),
        ("link_gbps=3", "did you mean `nvlink.link_gbps`"),
        ("sm.count=1.5", "whole number"),
        ("sm.count=many", "is a number, not `many`"),
        ("sm.max_warps=65", "must be from 1 to 64"),
        ("l2.ways=-1", "must be from"),
        ("sm.count", "not of the form"),
    ],
)
def test_bad_overrides(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.load("h200", [override])


def test_preset_files(tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "h800-8"\n[sm]\ncount = 2\n[rpm]\nenabled = false\n')
    config = Config.load(mine)
    assert (config["sm.count"], config["rpm.enabled"], config["nvlink.links"]) == (2, 0, 8)
    assert {s.key: s.source for s in config.show()}["sm.count"] == "mine.toml"
    mine.write_text('base = "h800-8"\n[sm]\ncouny = 2\n')
    with pytest.raises(ConfigError, match=r"did you mean `sm\.count`"):
        Config.load(mine)
    mine.write_text("[sm]\ncount = 2\n")
    with pytest.raises(ConfigError, match=r"has no `sm\.max_warps`"):
        Config.load(mine)
    mine.write_text('base = "mine.toml"\n')
    with pytest.raises(ConfigError, match="its own base"):
        Config.load(mine)
    mine.write_text("[sm\n")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        Config.load(mine)
    with pytest.raises(ConfigError, match="did you mean `h200`"):
        Config.load("h20")


def test_units() -> None:
    units = {"a_cycles": "cycles", "a_ns": "ns", "requests_per_ns": "1/ns", "a_gbps": "GB/s", "lines": ""}
    assert {key: unit_of(key) for key in units} == units
