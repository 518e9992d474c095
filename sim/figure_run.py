"""One run of a figure: a program at its scaled shape on its scaled machine, and what a figure wants to know of it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from .jit import cache_root, source_digest

ROOT = Path(__file__).resolve().parents[1]
UTILISATIONS = ("tensor_util", "nvlink_tx_util", "dram_util", "issue_util")
"""Shares of the peak, the mean over the GPUs, of a result; the last is of the SMs' issue slots."""
SCHEDULERS = 4
CLASSES = {
    "memory": ("ld", "st", "ldmatrix", "stmatrix", "prefetch", "stack"),
    "atomic": ("atom", "red"),
    "async": ("cpasync*", "bulk*", "st_async", "tensormap"),
    "tensor": ("mma", "wgmma*", "wmma", "movmatrix"),
    "control": ("bra", "brx", "call", "ret", "exit", "trap", "nop"),
    "sync": ("bar", "fence", "mbarrier", "cluster_bar", "nanosleep"),
    "warp": ("shfl", "vote", "match", "redux", "activemask", "elect"),
    "hub": ("rowsp_*", "dymm_*", "mm_*"),
}
"""Classes of instructions by the kinds the SMs count; what is in none of them is arithmetic."""
Run = Callable[..., Any]
"""``simasm.run``: this package does not import it."""


def result_of(spec: str, run: Run) -> dict[str, Any]:
    """Simulate, or take the kept result of the same sources, shape and machine. ``spec`` is JSON: program, gpus, preset,
    settings, defines, seed, phases (kernels that count, in stretches; empty: all)."""
    kept = cache_root() / "figures" / f"{_key(spec)}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    found = _simulate(json.loads(spec), run)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def _key(spec: str) -> str:
    """Hash of everything a result depends on."""
    digest = hashlib.sha256(f"{spec}{source_digest()}".encode())
    folders = [ROOT / "assembler", ROOT / "isa", ROOT / "sim", ROOT / "programs"]
    for path in sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".inc", ".s")
    ):
        if not path.name.startswith("figure"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _simulate(spec: Mapping[str, Any], run: Run) -> dict[str, Any]:
    result = run(
        ROOT / "programs" / spec["program"],
        gpus=spec["gpus"],
        preset=spec["preset"],
        settings=spec["settings"],
        defines=spec["defines"],
        seed=spec["seed"],
        threads=1,
        output=lambda line: None,
    )
    stats, clock_ghz = result.stats, result.stats["clock_ghz"]
    kernels = stats["kernels"]
    phases = spec["phases"] or [sorted({k["name"] for k in kernels})]
    gpus = stats["per_gpu"]
    issued: dict[str, int] = {}
    for gpu in gpus:
        for kind, number in gpu["issued"].items():
            issued[kind] = issued.get(kind, 0) + number
    return {
        "checks": {check["name"]: check["ok"] for check in stats["checks"] if not check.get("skipped")},
        "layer_ns": _stretches(kernels, phases) / clock_ghz + (len(phases) - 1) * spec["gap_ns"],
        "gemm1_ns": _stretches(kernels, [[k["name"] for k in kernels]], "gemm1") / clock_ghz,
        "experts_ns": _experts(kernels, spec["gpus"]) / clock_ghz,
        "kernels": sum(any(k["name"] in names for names in phases) for k in kernels if k["gpu"] == 0),
        "instructions": sum(k["instructions"] for k in kernels if any(k["name"] in names for names in phases)),
        "issued": issued,
        "link_bytes": sum(gpu["nvlink_tx_bytes"] for gpu in gpus),
        "host_ns": sum(row["dt_ns"] for row in stats["host"] if row["what"].startswith(("launch", "fetch", "read"))),
        **{name: sum(gpu[name] for gpu in gpus) / len(gpus) for name in UTILISATIONS[:-1]},
        "issue_util": sum(gpu["ipc"] for gpu in gpus) / len(gpus) / result.machine.sms / SCHEDULERS,
        "static": {k.name: k.end - k.entry for k in result.machine.image.kernels},
        "hub": {name: sum(gpu["hub"][name] for gpu in gpus) for name in gpus[0]["hub"]},
        "wall_s": stats["wall_s"],
    }


def by_class(issued: Mapping[str, int]) -> dict[str, int]:
    """Warp instructions of each class, of the numbers by kind."""
    found = dict.fromkeys([*CLASSES, "arithmetic"], 0)
    for kind, number in issued.items():
        mine = (name for name, patterns in CLASSES.items() if any(fnmatch(kind, pattern) for pattern in patterns))
        found[next(mine, "arithmetic")] += number
    return found


def checked(checks: Mapping[str, bool]) -> str:
    """What became of a program's checks; those of opaque results are skipped."""
    return "-" if not checks else "passed" if all(checks.values()) else "FAILED"


def _stretches(kernels: list[Mapping[str, Any]], phases: list[list[str]], last: str = "") -> float:
    """Cycles from the first begin to the last end of each phase's kernels, added up; the end is that of kernels whose name
    begins with ``last``."""
    total = 0.0
    for names in phases:
        mine = [k for k in kernels if k["name"] in names]
        ends = [k["end"] for k in mine if k["name"].startswith(last)]
        total += max(ends, default=0) - min(k["start"] for k in mine) if ends else 0
    return total


def _experts(kernels: list[Mapping[str, Any]], gpus: int) -> float:
    """Cycles of the two expert GEMMs, the mean over the GPUs."""
    total = 0.0
    for gpu in range(gpus):
        mine = [k for k in kernels if k["gpu"] == gpu and k["name"].startswith("gemm")]
        total += max(k["end"] for k in mine) - min(k["start"] for k in mine) if mine else 0
    return total / gpus
