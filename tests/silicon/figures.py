"""From the clock reads of a case's launches to its figures. Standard library only."""

from __future__ import annotations

import struct
from statistics import median

Lines = list


def lines(data: bytes) -> Lines:
    """Per block (clock64 at start and end, globaltimer at start and end)."""
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    return [words[i : i + 4] for i in range(0, len(words), 4)]


def output_of(case: dict, number: int) -> str:
    """The buffer of a launch's clock reads: its parameter whose name begins with out."""
    names = [p["buffer"] for p in case["launches"][number]["params"] if p.get("buffer", "").startswith("out")]
    return names[0]


def spread(values: list[float]) -> dict:
    """What a record says of several runs."""
    ordered = sorted(values)
    return {"median": median(ordered), "min": ordered[0], "max": ordered[-1], "runs": len(ordered)}


def _span(blocks: Lines) -> float:
    ran = [b for b in blocks if b[3]]
    return max(b[3] for b in ran) - min(b[2] for b in ran)


def of_launch(launch: dict, blocks: Lines, is_loaded: bool) -> dict:
    """Times of one launch. ``is_loaded``: block 0 measured a flag beside the load of the others."""
    first = blocks[0]
    found = {
        "span_ns": float(_span(blocks)),
        "block0_ns": float(first[3] - first[2]),
        "block0_cycles": first[1] - first[0],
    }
    load = blocks[1:] if is_loaded else blocks
    flows = len(launch.get("flows", []))
    for flow in range(flows):
        found[f"flow{flow}_ns"] = float(_span(load[flow::flows]))
    return found


def _of_phases(figure: dict, launches: list, times: list) -> float:
    """What a point means (sim/points.py): a rate of two phases, cycles or ns of a step."""
    gpu, last = figure.get("gpu", 0), launches[-1]["phase"]
    spans = [
        max(t["span_ns"] for x, t in zip(launches, times, strict=True) if (x["phase"], x["gpu"]) == (phase, gpu))
        for phase in range(last + 1)
        if any((x["phase"], x["gpu"]) == (phase, gpu) for x in launches)
    ]
    if figure["kind"] == "rate":
        return round(figure["units"] / (spans[-1] - spans[-2]), 4)
    at = max(i for i, x in enumerate(launches) if x["gpu"] == gpu)
    return round(times[at]["block0_cycles" if figure["kind"] == "cycles" else "block0_ns"] / figure["per"], 2)


def of_case(case: dict, times: list[dict]) -> dict:
    """The figures of a case from the median times of its launches: latency in ns, bandwidth in GB/s."""
    figure, launches = case.get("figure", {"kind": "time"}), case["launches"]
    if figure["kind"] == "time":
        return {"time_ns": max(t["span_ns"] for t in times)}
    if "phase" in launches[0]:
        return {"value": _of_phases(figure, launches, times)}
    if figure["kind"] == "latency":
        at = next(i for i, launch in enumerate(launches) if launch.get("plays", True))
        return {"latency_ns": round(times[at]["block0_ns"] / figure["per"], 1)}
    if figure["kind"] == "exchange":
        span = max(t["span_ns"] for t in times)
        away = max(sum(n for g, n in enumerate(x["sent_bytes"]) if g != x["gpu"]) for x in launches)
        return {"exchange_us": round(span / 1000, 2), "most_sent_gbps": round(away / span, 1)}
    rates = [
        (x["gpu"], target, x["flow_bytes"] / times[n][f"flow{i}_ns"])
        for n, x in enumerate(launches)
        for i, target in enumerate(x["flows"])
    ]
    found = {"flow_gbps": {f"{a}-{b}": round(rate, 1) for a, b, rate in rates}}
    total = sum(x["flow_bytes"] * len(x["flows"]) for x in launches)
    span = max(t["span_ns"] for t in times)
    found |= {"total_gbps": round(total / span, 1), "gpus_loaded": len(launches)}
    speeds = [rate for _, _, rate in rates]
    found["fairness"] = round(sum(speeds) ** 2 / (len(speeds) * sum(v * v for v in speeds)), 4)
    return found
