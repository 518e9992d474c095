"""Figures of papers from executed programs: definitions in ``programs/figures``, points with ours beside published.

A definition names axes (system, model, tokens, gpus, …); every combination is a run of a program. A point is a number made
of the times of runs, averaged over the combinations it covers. Published numbers are only ever printed.
"""

import itertools
import json
import statistics
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .config import Config, ConfigError
from .figure_run import ROOT, UTILISATIONS, Run, by_class, checked, result_of
from .figure_scale import Layer, Scale, changed
from .workers import run_tasks

FOLDER = ROOT / "programs" / "figures"
SUPPORT = ("systems", "scale")
"""Files of the folder that are no figures."""
DEFAULTS: dict[str, Any] = {
    "gpus": 8,
    "tokens": 8192,
    "model": "mixtral",
    "load": "uniform",
    "std": 0.032,
    "change": "",
}
PATIENCE_S = 7200

Combination = dict[str, Any]


@dataclass
class Point:
    """A number of a figure. ``ratio``: ours over published."""

    label: str
    published: float | None
    ours: float | None
    ratio: float | None = None


@dataclass
class Figure:
    """A definition, its runs by combination, and how they are scaled."""

    name: str
    definition: Mapping[str, Any]
    quick: bool
    run: Run
    jobs: int
    systems: Mapping[str, Any] = field(default_factory=lambda: _toml("systems"))
    scales: Mapping[str, Any] = field(default_factory=lambda: _toml("scale"))
    times: dict[str, float] = field(default_factory=dict)
    """Simulated over full time, by model, at the reference number of tokens."""
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By JSON of the spec."""

    @property
    def preset(self) -> str:
        """Machine of the figure."""
        return str(self.definition.get("preset", "h800-8"))

    @property
    def flops(self) -> float:
        """What a full GPU reaches in expert GEMMs, per second."""
        gpu = self.scales["gpu"]
        return float(gpu["peak_tflops"]) * float(gpu["efficiency"]) * 1e12

    # --- runs
    def combinations(self) -> list[Combination]:
        """All runs of the figure, by axis."""
        grid = {**self.definition["grid"], **(self.definition.get("quick", {}) if self.quick else {})}
        axes = list(grid)
        found = [{**DEFAULTS, **dict(zip(axes, values, strict=True))} for values in itertools.product(*grid.values())]
        for c in found:
            if "tokens_per_gpu" in c:
                c["tokens"] = c["tokens_per_gpu"] * c["gpus"]
        return [c for c in found if self.layer(c).experts % c["gpus"] == 0]

    def layer(self, c: Combination) -> Layer:
        """The full-scale layer."""
        model = self.scales["models"][c["model"]]
        return Layer(c["model"], *(model[key] for key in ("hidden", "ffn", "experts", "topk")))

    @property
    def verified(self) -> dict[str, Any]:
        """Shape and SMs of runs that are not scaled and have values; empty for figures of full scale."""
        return dict(self.definition.get("verified", {}))

    def scale(self, c: Combination) -> Scale:
        """The scale of a run."""
        size = self.scales["models"][c["model"]]["quick" if self.quick else "full"]
        time = self.times.get(c["model"], 1.0)
        factor = _factor(c["change"], "scale.efficiency")
        return Scale(self.layer(c), size["hidden"], size["ffn"], size["tokens"], size["sms"], time * factor)

    def spec(self, c: Combination, calibrates: bool = False) -> str:
        """What `result_of` needs."""
        system, config, scale = self.systems[c["system"]], Config.load(self.preset), self.scale(c)
        settings: dict[str, Any] = {"sm.count": scale.sms}
        if not calibrates:
            settings = scale.settings(c["tokens"], c["gpus"], config, self.scales["gpu"]["latencies"])
            settings = settings if c["change"].startswith("scale.") else changed(settings, c["change"], config)
        defines = scale.shape(c["tokens"], c["gpus"], c["load"] == "uniform") | {"load": c["load"], "std": c["std"]}
        if own := self.verified:
            settings, defines = {"sm.count": own.pop("sms")}, {"tokens": c["tokens"], **own}
        settings["rpm.enabled"] = int(system.get("managed", False))
        defines |= {key: c[key] for key in ("stop", "framework", "degree") if key in c}
        return json.dumps(
            {
                **{"program": f"moe/{system.get('program', c['system'])}.s", "gpus": c["gpus"], "preset": self.preset},
                **{"settings": settings, "defines": defines, "seed": 0, "phases": system.get("phases", [])},
                "gap_ns": settings.get("launch.stream_gap_ns", config["launch.stream_gap_ns"]),
            },
            sort_keys=True,
        )

    def calibrate(self) -> None:
        """Measure `times` with the program `ideal`, on a machine whose links and latencies are not yet scaled."""
        models = list(dict.fromkeys(c["model"] for c in self.combinations() if not self.verified))
        tokens = int(self.scales["gpu"]["reference_tokens"])
        asked = [{**DEFAULTS, "system": "ideal", "model": m, "tokens": tokens} for m in models]
        specs = [self.spec(c, calibrates=True) for c in asked]
        found = dict(self._run(specs))
        for c, spec in zip(asked, specs, strict=True):
            scale = self.scale(c)
            self.times[c["model"]] = found[spec]["experts_ns"] / scale.experts_ns(tokens, c["gpus"], self.flops)

    def simulate(self) -> Iterator[tuple[int, int]]:
        """Run everything; yields (done, all)."""
        specs = list(dict.fromkeys(self.spec(c) for c in self.combinations()))
        for done, (spec, result) in enumerate(self._run(specs), 1):
            self.results[spec] = result
            yield done, len(specs)

    def _run(self, specs: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for spec, result, reason, _ in run_tasks(specs, result_of, (self.run,), self.jobs, PATIENCE_S):
            if reason:
                raise ConfigError(f"figure {self.name}: {json.loads(spec)['program']}: {reason}")
            yield spec, result

    # --- points
    def result(self, c: Combination) -> dict[str, Any]:
        """Result of a run."""
        return self.results[self.spec(c)]

    def full_us(self, c: Combination, what: str = "layer_ns") -> float:
        """Time of a run as it would be at full scale, µs."""
        return float(self.result(c)[what]) / self.slower(c) / 1000

    def slower(self, c: Combination) -> float:
        """Simulated over full time of a run."""
        return 1.0 if self.verified else self.scale(c).slower(c["tokens"], c["gpus"])

    def attention_us(self, c: Combination) -> float:
        """Time of the attention of a layer: 8 H² operations per token for projections, 4 S H for causal scores and their use,
        half of it masked."""
        layer, tokens = self.layer(c), c["tokens"] / c["gpus"]
        operations = tokens * (8 * layer.hidden**2 + 2 * tokens * layer.hidden)
        peak = float(self.scales["gpu"]["peak_tflops"]) * 1e6
        return operations / (peak * float(self.scales["attention"]["efficiency"]))

    def points(self) -> list[Point]:
        """All points of the figure."""
        return [point for entry in self.definition["points"] for point in self._expand(entry)]

    def _expand(self, entry: Mapping[str, Any]) -> Iterator[Point]:
        """A point, or one for each value of the axes it names."""
        runs = [c for c in self.combinations() if _holds(c, entry.get("where", {}))]
        axes = [axis for axis in entry.get("each", []) if axis != "over"]
        overs = entry.get("over", "")
        for values in dict.fromkeys(tuple(c[axis] for axis in axes) for c in runs):
            covered = [c for c in runs if tuple(c[axis] for axis in axes) == values]
            for over in overs if isinstance(overs, list) else [overs]:
                names = dict(zip(axes, values, strict=True)) | {"over": self._name(over)}
                names |= {"system": self._name(names.get("system", "")), "change": names.get("change") or "as assumed"}
                yield self._point({**entry, "over": over}, covered, entry["label"].format(**names))

    def _name(self, system: str) -> str:
        return str(self.systems[system]["name"]) if system in self.systems else system

    def _point(self, entry: Mapping[str, Any], runs: list[Combination], label: str) -> Point:
        of, published = entry.get("of", "moehub"), entry.get("published")
        pick = [c for c in runs if c["system"] == of] if not entry.get("any") else runs
        values = [self._value(entry, c, runs) for c in pick]
        if not values:
            return Point(label, published, None)
        ours = statistics.geometric_mean(values) if entry.get("mean") == "geomean" else statistics.fmean(values)
        return Point(label, published, round(ours, 4), round(ours / published, 4) if published else None)

    def _value(self, entry: Mapping[str, Any], c: Combination, runs: list[Combination]) -> float:
        """The metric of one combination; ``over`` is the other system."""
        metric, what = entry["metric"], entry.get("what", "layer_ns")
        other = {**c, "system": entry.get("over", "")}
        if metric == "speedup":
            return self.full_us(other, what) / self.full_us(c, what)
        if metric == "end_to_end":
            attention = self.attention_us(c)
            return (attention + self.full_us(other)) / (attention + self.full_us(c))
        if metric == "time":
            return self.full_us(c, what)
        if metric == "wins":
            rivals = [r for r in runs if _same(r, c) and r["system"] not in ("ideal", c["system"])]
            return float(all(self.full_us(c) < self.full_us(r) for r in rivals))
        if metric == "against":
            base = {**c, entry["axis"]: entry["base"]}
            base |= {"tokens": base["tokens_per_gpu"] * base["gpus"]} if "tokens_per_gpu" in base else {}
            rate = [r["tokens"] / self.full_us(r, what) for r in (c, base)]
            return rate[0] / rate[1]
        if metric == "instructions":
            own, ideal = self.result(c)["static"], self.result({**c, "system": "ideal"})["static"]
            shared = sum(ideal[name] for name in ("router", "gemm1", "gemm2", "combine"))
            return float(sum(own.values()) - shared)
        if metric == "passed":
            return float(all(self.result(c)["checks"].values()))
        if metric == "counter":
            return float(self.result(c)["hub"][what])
        return float(self.result(c)[metric])

    def runs(self) -> list[dict[str, Any]]:
        """A row per run: its axes and what it did. Times are of full scale."""
        rows = []
        for c in self.combinations():
            result = self.result(c)
            rows.append(
                {
                    **{axis: c[axis] for axis in ("system", "model", "tokens", "gpus", "load", "std", "change")},
                    **({"model": "as given"} if self.verified else {}),
                    **{"layer_us": round(self.full_us(c), 2), "gemm1_us": round(self.full_us(c, "gemm1_ns"), 2)},
                    **{key: result[key] for key in ("kernels", "instructions", "link_bytes", *UTILISATIONS)},
                    **{f"instructions_{name}": number for name, number in by_class(result["issued"]).items()},
                    "check": checked(result["checks"]),
                    "host_us": round(self.full_us(c, "host_ns") / c["gpus"], 2),
                    "scaled": json.dumps(self.verified or self.scale(c).shape(c["tokens"], c["gpus"])),
                    "scaled_us": round(result["layer_ns"] / 1000, 2),
                    "time_scale": round(self.slower(c), 4),
                }
            )
        return rows


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _factor(change: str, key: str) -> float:
    """What a change multiplies a key of the scale by."""
    return float(change.partition("*")[2]) if change.startswith(f"{key}*") else 1.0


def _holds(c: Combination, where: Mapping[str, Any]) -> bool:
    """Whether a combination has one of the values, or lies between two numbers of a table {from, to}."""
    for axis, allowed in where.items():
        if isinstance(allowed, dict):
            if not allowed.get("from", c[axis]) <= c[axis] <= allowed.get("to", c[axis]):
                return False
        elif c[axis] not in allowed:
            return False
    return True


def _same(a: Combination, b: Combination) -> bool:
    """Whether two combinations differ in the system at most."""
    return all(a[axis] == b[axis] for axis in a if axis != "system")


def names() -> list[str]:
    """All figures."""
    return sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem not in SUPPORT)


def load(name: str, quick: bool, run: Run, jobs: int) -> Figure:
    """A figure by name; ConfigError when there is none."""
    if name not in names():
        raise ConfigError(f"no figure `{name}`; there are {', '.join(names())}")
    return Figure(name, _toml(name), quick, run, jobs)


def as_json(figure: Figure, points: list[Point]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {"figure": figure.name, "points": [asdict(point) for point in points]}


def file_of(name: str) -> Path:
    """Where a figure's SVG and Parquet go, without suffix."""
    return Path("out") / "figures" / name


def seconds() -> float:
    """A clock for how long a figure took."""
    return time.monotonic()
