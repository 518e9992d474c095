"""A run that stops and goes on later is the unbroken run: statistics, memory and trace, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim.checkpoint import read

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry fill(.param .u64 x, .param .u32 n)
{
    .reg .pred %p;
    .reg .b32 %t, %c, %n, %v;
    .reg .b64 %x;
    .shared .u32 s[128];
    ld.param.u64 %x, [x];
    ld.param.u32 %n, [n];
    mov.u32 %t, %tid.x;
    mov.u32 %c, %ctaid.x;
    mad.lo.u32 %t, %c, 128, %t;
    mad.wide.u32 %x, %t, 4, %x;
again:
    ld.global.u32 %v, [%x];
    mad.lo.u32 %v, %v, 5, %n;
    st.global.u32 [%x], %v;
    bar.sync 0;
    sub.u32 %n, %n, 1;
    setp.gt.u32 %p, %n, 0;
    @%p bra again;
    ret;
}
.host main {
    param rounds = 20;
    param o = 0;
    buffer x : u32[512] = randint(0, 9) opaque(o);
    buffer z : u32[512] = iota(0, 1);
    launch fill on all grid(4) block(128) (x@((gpu + 1) % ngpus), rounds);
    sync;
    launch fill on all grid(4) block(128) (z, 3);
    let more = read(z@0, 7);
    print "read", more;
    for i in 0..3 {
        launch fill on all grid(4) block(128) stream i (x, more % 7 + rounds);
    }
    sync;
    copy z@0 from z@1;
    check z ~ copy(z);
}
"""


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "simasm", *map(str, options), "--json", "-q"]


def run(*options: object, code: int = 0) -> dict[str, Any]:
    """What a run printed as JSON, without what may differ: time, and the name of the trace's directory."""
    done = subprocess.run(command(*options), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        return {}
    result: dict[str, Any] = json.loads(done.stdout)
    del result["wall_s"]
    if result["trace"]:
        del result["trace"]["dir"]
    return result


@pytest.fixture
def program(tmp_path: Path) -> list[object]:
    (tmp_path / "p.s").write_text(TEXT)
    return [tmp_path / "p.s", "--gpus", 2, "--set", "sm.count=4"]


@pytest.mark.parametrize("stops", [(300,), (12_000, 40_000, 41_000), (90_000,)])
def test_split_run_is_the_whole_run(tmp_path: Path, program: list[object], stops: tuple[int, ...]) -> None:
    whole = run(*program, "--trace", tmp_path / "whole")
    first, *others = stops
    files = [tmp_path / f"checkpoint{i}" for i in range(len(stops))]
    run(*program, "--trace", tmp_path / "split", "--max-cycles", first, "--checkpoint", files[0], code=6)
    for i, stop in enumerate(others):
        run("--resume", files[i], "--max-cycles", stop, "--checkpoint", files[i + 1], code=6)
    assert run("--resume", files[-1]) == whole
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["split", "whole"]


def test_opaque_buffers_and_other_threads(tmp_path: Path, program: list[object]) -> None:
    whole = run(*program, "-D", "o=1", "--threads", 2)
    run(*program, "-D", "o=1", "--max-cycles", 30_000, "--checkpoint", tmp_path / "c", code=6)
    assert run("--resume", tmp_path / "c", "--threads", 1) == whole


def test_interrupted_run_leaves_a_checkpoint(tmp_path: Path, program: list[object]) -> None:
    line = [
        sys.executable,
        "-m",
        "simasm",
        *map(str, program),
        "-D",
        "rounds=60000",
        "--checkpoint",
        str(tmp_path / "c"),
    ]
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) as going:
        assert going.stderr
        assert any(" cycles, " in told for told in going.stderr), "no progress"
        os.kill(going.pid, signal.SIGINT)
        going.stderr.read()
    assert going.returncode == 130
    assert read(tmp_path / "c").options["defines"] == {"rounds": 60000}


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no")
    run("--resume", tmp_path / "x", code=2)
    run("--resume", tmp_path / "y", code=2)
