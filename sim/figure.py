"""``simasm figure``: run a figure, print ours beside published, write SVG and Parquet."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from .config import ConfigError
from .figure_plot import bars
from .figure_run import UTILISATIONS, Run
from .figure_scale import SHORTEST_HOP_NS
from .figures import Figure, Point, as_json, file_of, load, names, seconds


def run_command(options: Any, run: Run) -> bool:
    """Run a figure; True when it has points and no check of a program failed."""
    if options.list:
        for name in names():
            print(f"{name:20} {load(name, True, run, 1).definition['title']}")
        return True
    if not options.name:
        raise ConfigError("figure: which one? simasm figure --list")
    begin = seconds()
    figure = load(options.name, options.quick, run, options.jobs or len(os.sched_getaffinity(0)))
    _say(f"{figure.name}: measuring the scale")
    figure.calibrate()
    for done, count in figure.simulate():
        _say(f"{figure.name}: {done} of {count} runs, {seconds() - begin:.0f} s")
    points = figure.points()
    written = write(figure, points)
    if options.json:
        print(json.dumps(as_json(figure, points)))
    else:
        print("\n".join([*explain(figure), "", *table(points), "", *activity(figure), "", *classes(figure)]))
        print(f"\n{seconds() - begin:.0f} s; {', '.join(map(str, written))}")
    return bool(points)


def _say(line: str) -> None:
    print(f"simasm: {line}", file=sys.stderr, flush=True)


def explain(figure: Figure) -> list[str]:
    """Title, source, scale and assumptions."""
    gpu, d = figure.scales["gpu"], figure.definition
    lines = [f"{figure.name}: {d['title']}", f"published: {d['source']}", *filter(None, [d.get("text", "")])]
    if figure.verified:
        return [*lines, f"machine {figure.preset}; " + ", ".join(f"{k} {v}" for k, v in figure.verified.items())]
    lines.append(
        f"machine {figure.preset}, scaled; a full GPU is taken to reach {gpu['efficiency']:.0%} of {gpu['peak_tflops']:g} "
        f"TFLOPS in expert GEMMs (assumed)"
    )
    shown: set[str] = set()
    for c in figure.combinations():
        if c["model"] in shown or c["system"] == "ideal":
            continue
        shown.add(c["model"])
        scale, result = figure.scale(c), figure.result(c)
        layer = scale.layer
        settings = json.loads(figure.spec(c))["settings"]
        lines.append(
            f"{layer.name}: hidden {layer.hidden} -> {scale.hidden}, ffn {layer.ffn} -> {scale.ffn}, tokens / {scale.tokens}, "
            f"132 -> {scale.sms} SMs; times x {scale.time:.3f}, links {settings['nvlink.link_gbps']:g} GB/s each; weights "
            f"have no values; tensor pipes {result['tensor_util']:.0%} busy"
        )
        if settings["nvlink.hop_ns"] == SHORTEST_HOP_NS:
            lines.append(
                f"  hops are {SHORTEST_HOP_NS / scale.time:.0f} ns of full scale: the shortest that can be simulated"
            )
    return lines


def table(points: list[Point]) -> list[str]:
    """Points as text."""
    width = max([len(point.label) for point in points] or [5])
    lines = [f"{'':{width}} {'published':>10} {'ours':>10} {'ratio':>7}"]
    for p in points:
        ours = "-" if p.ours is None else f"{p.ours:.4g}"
        published = "" if p.published is None else f"{p.published:g}"
        lines.append(f"{p.label:{width}} {published:>10} {ours:>10} {'' if p.ratio is None else f'{p.ratio:.2f}':>7}")
    return lines


def activity(figure: Figure) -> list[str]:
    """What every run did, times of full scale."""
    head = f"{'system':12} {'model':8} {'tokens':>6} {'GPUs':>4} {'change':24} {'layer µs':>9} {'host µs':>8}"
    head += (
        f" {'check':>6} {'kernels':>7} {'instr.':>8} {'link MB':>8} {'tensor':>6} {'links':>6} {'HBM':>6} {'issue':>6}"
    )
    lines = [f"{head}  (µs of full scale; kernels per GPU; MB as run)"]
    for row in figure.runs():
        what = row["change"] or (f"{row['load']} {row['std']:g}" if row["load"] != "uniform" else "")
        lines.append(
            f"{row['system']:12} {row['model']:8} {row['tokens']:6} {row['gpus']:4} {what:24} {row['layer_us']:9.1f} "
            f"{row['host_us']:8.1f} {row['check']:>6} {row['kernels']:7} {row['instructions'] / 1e6:7.2f}M "
            f"{row['link_bytes'] / 1e6:8.3f} " + " ".join(f"{row[name]:6.1%}" for name in UTILISATIONS)
        )
    return lines


def classes(figure: Figure) -> list[str]:
    """Warp instructions of every run by class, in thousands; runs of the same system and model are one line, the first."""
    rows = {(row["system"], row["model"]): row for row in reversed(figure.runs())}
    names = [key for key in next(iter(rows.values()), {}) if key.startswith("instructions_")]
    lines = [
        f"{'system':12} {'model':8} "
        + " ".join(f"{name[13:]:>10}" for name in names)
        + "  (thousands, as run, all GPUs)"
    ]
    for (system, model), row in reversed(rows.items()):
        lines.append(f"{system:12} {model:8} " + " ".join(f"{row[name] / 1e3:10.1f}" for name in names))
    return lines


def write(figure: Figure, points: list[Point]) -> list[Path]:
    """SVG and Parquet of the points, Parquet of the runs."""
    import duckdb

    base = file_of(figure.name)
    base.parent.mkdir(parents=True, exist_ok=True)
    svg = base.with_suffix(".svg")
    svg.write_text(bars(figure.definition["title"], points), encoding="utf-8")
    files = [svg]
    rows = {"points": as_json(figure, points)["points"], "runs": figure.runs()}
    with duckdb.connect() as database:
        for name, content in rows.items():
            source, target = (
                base.with_name(f"{figure.name}-{name}.json"),
                base.with_name(f"{figure.name}-{name}.parquet"),
            )
            source.write_text(json.dumps(content), encoding="utf-8")
            database.execute(f"COPY (SELECT * FROM read_json('{source}')) TO '{target}' (FORMAT parquet)")
            source.unlink()
            files.append(target)
    return files
