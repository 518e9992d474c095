"""Every program passes its own checks, on several numbers of GPUs, and its checks can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import simasm

PROGRAMS = Path(__file__).resolve().parents[2] / "programs"
SMALL = {"sm.count": 4}
"""Few SMs: less state to set up."""


def run(program: str, gpus: int, settings: dict[str, Any] | None = None, **options: Any) -> simasm.Result:
    settings = SMALL | (settings or {})
    return simasm.run(PROGRAMS / program, gpus=gpus, settings=settings, output=lambda line: None, **options)


def hub(result: simasm.Result, counter: str) -> int:
    return sum(gpu["hub"].get(counter, 0) for gpu in result.stats["per_gpu"])


@pytest.mark.parametrize("gpus", [1, 2])
def test_vecadd(gpus: int) -> None:
    result = run("hello/vecadd.s", gpus, defines={"n": 1000})
    assert result.ok and result.checks[0]["max_error"] == 0


@pytest.mark.parametrize("gpus", [1, 2, 3, 4])
def test_ring_allreduce(gpus: int) -> None:
    result = run("hello/ring_allreduce.s", gpus, defines={"n": 12 * 1024, "blocks": 2, "threads": 64})
    assert result.ok, result.checks


@pytest.mark.parametrize("gpus", [1, 2, 4])
def test_moehub(gpus: int) -> None:
    result = run("moe/moehub.s", gpus, defines={"tokens": 64, "capacity": 128})
    assert result.ok, result.checks
    assert hub(result, "rows") == 64 * 2
    assert hub(result, "dam_retired") > 0


@pytest.mark.parametrize("gpus", [1, 2, 4])
def test_dysharp(gpus: int) -> None:
    result = run("moe/dysharp.s", gpus, defines={"tokens": 64})
    assert result.ok, result.checks
    assert hub(result, "al_blocks") == 64 * 2


@pytest.mark.parametrize("program", ["moe/moehub.s", "moe/dysharp.s"])
def test_other_shapes(program: str) -> None:
    """Rows of several packets, full row tiles, more experts per token, uneven load."""
    shape = {"tokens": 256, "hidden": 384, "ffn": 64, "experts": 32, "topk": 4, "load": "power"}
    result = run(program, 2, defines=shape)
    assert result.ok, result.checks


@pytest.mark.parametrize("program", ["moe/moehub.s", "moe/dysharp.s"])
def test_same_result_on_any_number_of_threads(program: str) -> None:
    one, two = (run(program, 2, defines={"tokens": 32}, threads=n) for n in (1, 2))
    assert one.stats["stats_hash"] == two.stats["stats_hash"]
    assert one.stats["memory_hash"] == two.stats["memory_hash"]


def test_merging_in_the_rpm_saves_packets() -> None:
    on, off = (run("moe/moehub.s", 2, {"rpm.enabled": n}, defines={"tokens": 64}) for n in (1, 0))
    assert on.ok and off.ok
    sent = [sum(gpu["nvlink_tx_bytes"] for gpu in result.stats["per_gpu"]) for result in (on, off)]
    assert sent[0] <= sent[1]


def test_wgmma_gemm() -> None:
    """More pairs of tiles than clusters; without data the time is the same."""
    shape = {"m": 768, "n": 512, "k": 512}
    data, opaque = (run("moe/wgmma_gemm.s", 1, defines={**shape, "data": n}) for n in (1, 0))
    assert data.ok, data.checks
    assert opaque.checks[0]["skipped"]
    assert data.stats["stats_hash"] == opaque.stats["stats_hash"]


@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_mixtral(gpus: int) -> None:
    """Experts with more than one pair of tiles, several experts on a GPU; without data the time is the same."""
    shape = {"tokens": 768, "hidden": 256, "ffn": 256, "load": "power"}
    data, opaque = (run("moe/mixtral.s", gpus, defines={**shape, "data": n}) for n in (1, 0))
    assert data.ok, data.checks
    assert opaque.checks[0]["skipped"]
    assert data.stats["stats_hash"] == opaque.stats["stats_hash"]


def test_a_wrong_kernel_fails_its_check(tmp_path: Path) -> None:
    text = (PROGRAMS / "hello/vecadd.s").read_text()
    wrong = tmp_path / "wrong.s"
    wrong.write_text(text.replace("add.f32 %sum", "sub.f32 %sum"))
    result = simasm.run(wrong, settings=SMALL, defines={"n": 64})
    assert not result.ok
    assert "64 of 64 elements differ" in result.checks[0]["detail"]


def test_host_mistakes_name_their_line(tmp_path: Path) -> None:
    from sim.host import HostError

    text = (PROGRAMS / "hello/vecadd.s").read_text()
    wrong = tmp_path / "wrong.s"
    wrong.write_text(text.replace("launch vecadd on all", "launch vecadd on ngpus"))
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "launch vecadd" in row)
    message = rf"wrong\.s:{line}:5: error: the number of a GPU is 1, but must be from 0 to 0"
    with pytest.raises(HostError, match=message):
        simasm.run(wrong, settings=SMALL)
    with pytest.raises(HostError, match="no such parameter"):
        run("hello/vecadd.s", 1, defines={"m": 3})
