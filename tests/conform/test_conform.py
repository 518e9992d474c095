"""Every recorded spec in both modes, texts that must be accepted and refused, and the runner itself."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import simasm
from assembler import AssemblyError, assemble
from sim.config import DEFAULT_PRESET
from sim.conform import run_specs, spec_names

HERE = Path(__file__).resolve().parent
SPECS = spec_names(HERE)
REJECT = {case["name"]: case for case in json.loads((HERE / "reject" / "reject.json").read_text(encoding="utf-8"))}
FAILING: dict[str, str] = {}
"""Specs that do not pass, and why. One that passes fails the test: remove it here."""
REFUSED: dict[str, str] = {}


@cache
def outcomes(functional):
    return {o.name: o for o in run_specs(HERE, SPECS, assemble, DEFAULT_PRESET, [], functional)}


def failing(names, known):
    mark = pytest.mark.xfail
    return [pytest.param(n, marks=mark(reason=known[n], strict=True)) if n in known else n for n in names]


@pytest.mark.parametrize("functional", [True, False], ids=["functional", "timed"])
@pytest.mark.parametrize("name", failing(SPECS, FAILING))
def test_spec_gives_what_the_gpu_gave(name, functional):
    outcome = outcomes(functional)[name]
    assert outcome.ok, outcome.reason


@pytest.mark.parametrize("name", failing([path.stem for path in sorted((HERE / "accept").glob("*.ptx"))], REFUSED))
def test_text_is_accepted(name):
    assert len(assemble(HERE / "accept" / f"{name}.ptx")) > 0


@pytest.mark.parametrize("name", REJECT)
def test_text_is_refused_at_its_line(name, tmp_path):
    source = tmp_path / "text.ptx"
    source.write_text(REJECT[name]["ptx"], encoding="utf-8")
    with pytest.raises(AssemblyError) as error:
        assemble(source)
    assert str(error.value).startswith(f"{source}:{REJECT[name]['line']}:")


def test_a_worker_that_dies_costs_its_spec_only():
    dead = list(run_specs(HERE, ["atom_int", "bar_red"], assemble, "no such preset", [], True))
    assert [(o.name, o.ok, o.reason) for o in dead] == [
        (name, False, "the simulator ended with code 1") for name in ("atom_int", "bar_red")
    ]


def test_a_spec_that_hangs_is_ended():
    (slow,) = run_specs(HERE, ["cf_loops"], assemble, DEFAULT_PRESET, [], True, patience_s=0.0)
    assert (slow.ok, slow.reason) == (False, "no result after 0 s")


def test_command(capsys):
    words = ["conform", str(HERE), "--functional", "--only", "rt_trap,warp_shfl,tma_2d"]
    assert simasm.main(words) == (3 if "tma_2d" in FAILING else 0)
    text = capsys.readouterr().out
    assert [line.split()[:2] for line in text.splitlines()[:2]] == [["ok", "rt_trap"], ["ok", "warp_shfl"]]
    assert simasm.main([*words[:-1], "warp_shfl", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["total"]) == (1, 1)
    assert [set(spec) for spec in found["specs"]] == [{"name", "ok", "reason", "wall_s"}]
    assert simasm.main(["conform", str(HERE), "--only", "nosuch"]) == 2


def test_a_spec_of_several_modules(tmp_path):
    """The kernel calls a function of the other module; the outputs are those of the one-module spec."""
    head = ".version 9.0\n.target sm_90a\n.address_size 64\n"
    (tmp_path / "a.ptx").write_text(
        head
        + """.extern .func (.reg .u32 r) twice(.reg .u32 x);
.visible .entry k(.param .u64 x) { .reg .u32 %r<3>; .reg .u64 %d<3>; ld.param.u64 %d0, [x]; mov.u32 %r0, %tid.x;
mad.wide.u32 %d1, %r0, 4, %d0; call (%r1), twice, (%r0); st.global.u32 [%d1], %r1; ret; }\n"""
    )
    (tmp_path / "b.ptx").write_text(
        head + ".visible .func (.reg .u32 r) twice(.reg .u32 x) { add.u32 r, x, x; ret; }\n"
    )
    launch = {"kernel": "k", "grid": [1, 1, 1], "block": [32, 1, 1], "args": [{"buf": "x"}]}
    spec = {"format": 1, "name": "two", "module": ["a.ptx", "b.ptx"], "launches": [launch],
            "buffers": {"x": {"dtype": "u32", "shape": [32], "init": {"kind": "zeros"}}},
            "compare": [{"buf": "x", "mode": "exact"}]}  # fmt: skip
    (tmp_path / "two.json").write_text(json.dumps(spec))
    np.savez(tmp_path / "two.npz", x=2 * np.arange(32, dtype=np.uint32))
    (outcome,) = run_specs(tmp_path, ["two"], assemble, DEFAULT_PRESET, [], True)
    assert outcome.ok, outcome.reason


def test_outputs_that_differ_are_failures(tmp_path):
    """The recorded outputs decide: a changed one fails, with the place."""
    for name in ("mem_bytes.json", "mem_bytes.ptx"):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    recorded = dict(np.load(HERE / "mem_bytes.npz"))
    compared = json.loads((HERE / "mem_bytes.json").read_text())["compare"][0]["buf"]
    recorded[compared].reshape(-1)[3] ^= 1
    np.savez(tmp_path / "mem_bytes.npz", **recorded)
    (outcome,) = run_specs(tmp_path, ["mem_bytes"], assemble, DEFAULT_PRESET, [], True)
    assert not outcome.ok and f"{compared}: 1 of" in outcome.reason and "first [3]" in outcome.reason
