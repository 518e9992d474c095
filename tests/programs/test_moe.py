"""The systems of the mixture-of-experts papers compute the same layer, and move the bytes their schedules say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simasm

PROGRAMS = Path(__file__).resolve().parents[2] / "programs" / "moe"
MANAGED = {"moehub", "mh_pkt"}
"""Programs for hubs with an RPM."""
SYSTEMS = [
    "ideal",
    "megatron_te",
    "fastermoe",
    "tutel",
    "comet",
    "ccfuser",
    "flashmoe",
    "mh_base",
    "mh_pkt",
    "mh_dep",
    "moehub",
]
SHAPES: list[tuple[int, dict[str, Any]]] = [
    (2, {"tokens": 64, "capacity": 128}),
    (4, {"tokens": 128, "hidden": 256, "ffn": 64, "experts": 8, "topk": 2, "load": "normal", "std": 0.1}),
    (8, {"tokens": 128, "hidden": 128, "ffn": 64, "experts": 16, "topk": 4, "load": "power"}),
]


def run(system: str, gpus: int, **defines: Any) -> simasm.Result:
    settings = {"sm.count": 2, "rpm.enabled": int(system in MANAGED)}
    return simasm.run(
        PROGRAMS / f"{system}.s", gpus, "h800-8", settings, defines, output=lambda line: None, max_cycles=20_000_000
    )


def buffer(result: simasm.Result, gpu: int, name: str, dtype: Any) -> Any:
    """Contents of a buffer, by its name."""
    (found,) = [a for a in result.machine.memory[gpu].allocations if a.name == name]
    return np.frombuffer(result.machine.read(found.address, found.size), dtype)


@pytest.mark.parametrize(("gpus", "shape"), SHAPES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_layer_is_right(system: str, gpus: int, shape: dict[str, Any]) -> None:
    result = run(system, gpus, **shape)
    assert result.ok, result.checks


def test_a_trace_says_when_the_hubs_released_what(tmp_path: Path) -> None:
    """Table `gates`: every group is decided, a full one not before its bytes, and the counters agree."""
    import duckdb

    result = simasm.run(
        PROGRAMS / "moehub.s",
        2,
        "h800-8",
        {"sm.count": 2},
        {"tokens": 64, "capacity": 128},
        trace=tmp_path,
        output=lambda line: None,
    )
    rows = duckdb.sql(f"SELECT state, bytes, threshold, cycle FROM '{tmp_path}/tables/gates.parquet'").fetchall()
    hubs = [gpu["hub"] for gpu in result.stats["per_gpu"]]
    released = [row for row in rows if row[0] == "released"]
    assert len(released) == sum(hub["dam_releases"] + hub["dam_partial_releases"] for hub in hubs)
    assert sum(row[0] == "retired" for row in rows) == sum(hub["dam_retired"] for hub in hubs) > 0
    assert all(0 < cycle <= max(result.machine.cycles.values()) for *_, cycle in released)
    assert sum(got >= threshold for _, got, threshold, _ in released) == sum(hub["dam_releases"] for hub in hubs)


# --- bytes on the links, against closed forms

LINE, FLIT = 128, 16
PACKET = (1 + LINE // FLIT + 1) * FLIT
"""Bytes on the links for 128 bytes of payload: header, data, and the acknowledgement or the request."""
GPUS = 4
WIDE = {"tokens": 128, "hidden": 1536, "ffn": 64, "experts": 16, "topk": 2}


def remote(result: simasm.Result, gpus: int, shape: dict[str, Any]) -> tuple[int, int, int]:
    """(copies of rows that go to experts of another GPU, the same but one per token and GPU, tokens)."""
    local, topk = shape["experts"] // gpus, shape["topk"]
    per_expert = per_gpu = 0
    for gpu in range(gpus):
        owners = buffer(result, gpu, "route", np.uint32).reshape(-1, topk) // local
        per_expert += int((owners != gpu).sum())
        per_gpu += sum(len(set(row) - {gpu}) for row in owners.tolist())
    return per_expert, per_gpu, shape["tokens"]


def link_bytes(result: simasm.Result) -> int:
    """Bytes that all GPUs put on their uplinks, flits of every kind."""
    return sum(gpu["nvlink_tx_bytes"] for gpu in result.stats["per_gpu"])


def rows_both_ways(per_expert: int, per_gpu: int, shape: dict[str, Any]) -> float:
    """A row per token and expert there, and another back."""
    return 2 * per_expert * shape["hidden"] * 2 / LINE * PACKET


def with_source_column(per_expert: int, per_gpu: int, shape: dict[str, Any]) -> float:
    """The same, and four bytes that say where the row is from: header, byte enables, data, acknowledgement."""
    return rows_both_ways(per_expert, per_gpu, shape) + per_expert * 4 * FLIT


def with_load(per_expert: int, per_gpu: int, shape: dict[str, Any]) -> float:
    """The same, and an addition to the load of the expert."""
    return with_source_column(per_expert, per_gpu, shape) + per_expert * 4 * FLIT


def gathered(per_expert: int, per_gpu: int, shape: dict[str, Any]) -> float:
    """A row per token and expert, and to every GPU where tokens go and their weights; back, one row per token and GPU."""
    there = per_expert * shape["hidden"] * 2 + (GPUS - 1) * shape["tokens"] * 12 * shape["topk"]
    return (there + per_gpu * shape["hidden"] * 2) / LINE * PACKET


FORMS: dict[str, Callable[[int, int, dict[str, Any]], float]] = {
    "megatron_te": rows_both_ways,
    "fastermoe": rows_both_ways,
    "comet": gathered,
    "ccfuser": rows_both_ways,
    "mh_base": with_load,
    "mh_pkt": with_load,
    "mh_dep": with_source_column,
    "moehub": with_source_column,
}
"""What the schedule of a system moves; counts, flags and announcements are what the tolerance is for."""


def test_link_bytes_of_tutel_are_those_of_its_capacity() -> None:
    """Every GPU sends the same number of rows to every expert, full or not."""
    gpus, align = GPUS, 16
    result = run("tutel", gpus, **WIDE, align=align)
    most = -(-int(buffer(result, 0, "totals", np.uint32)[2]) // align) * align
    rows = gpus * WIDE["experts"] * (gpus - 1) // gpus * most
    assert link_bytes(result) == pytest.approx(rows_both_ways(rows, 0, WIDE), rel=0.01)


def test_link_bytes_of_flashmoe_are_rows_and_a_flag_per_tile() -> None:
    result = run("flashmoe", GPUS, **WIDE)
    per_expert, per_gpu, _ = remote(result, GPUS, WIDE)
    local, flags = WIDE["experts"] // GPUS, 0
    for gpu in range(GPUS):
        counts = buffer(result, gpu, "counts", np.uint32)
        away = [int(n) for e, n in enumerate(counts) if e // local != gpu]
        flags += len(away) + sum(-(-n // 64) * WIDE["hidden"] // 64 for n in away)
    assert link_bytes(result) == pytest.approx(rows_both_ways(per_expert, per_gpu, WIDE) + flags * 4 * FLIT, rel=0.01)


@pytest.mark.parametrize("system", FORMS)
def test_link_bytes_are_those_of_the_closed_form(system: str) -> None:
    gpus = GPUS
    result = run(system, gpus, **WIDE, **({"channels": 1} if system == "fastermoe" else {}))
    per_expert, per_gpu, tokens = remote(result, gpus, WIDE)
    assert per_expert / tokens == pytest.approx(WIDE["topk"] * (gpus - 1) / gpus, rel=0.1)
    assert link_bytes(result) == pytest.approx(FORMS[system](per_expert, per_gpu, WIDE), rel=0.01)
