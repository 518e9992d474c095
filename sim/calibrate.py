"""Presets and microbenchmarks: values recomputed from a file of measurements, and instructions simulated beside measured.

A file of measurements is JSON as ``h200_microbench.json``: ``figures.SECTION`` lists of ``{name, unit, median, cond}``. A rule
says which figure a preset value comes from and how. The microbenchmarks of instructions are the kernels of
programs/calibrate, which also run on a GPU.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isa.image import Image

from .calibrate_memory import MEMORY_RULES, Rule
from .config import Config, ConfigError
from .machine import Machine
from .points import run_table
from .points_link import LINK
from .points_memory import MEMORY

Assemble = Callable[[Path], Image]
Figures = list[Mapping[str, Any]]
KERNELS = Path(__file__).resolve().parents[1] / "programs" / "calibrate" / "issue.s"
OPERATIONS = 128
"""Operations of a round of a kernel."""
SHORT, LONG = 2, 6
"""Rounds of the two runs whose difference is the time of the operations."""
WARPS = 32


def _latency(key: str, op: str, less: float = 0.0, parts: int = 1) -> Rule:
    """A latency class from a chain of ``op``, less what else is in the chain."""
    return Rule(f"sm.latency.{key}_cycles", "op_latency", {"op": op}, lambda x, _: (x - less) / parts)


def _interval(key: str, op: str) -> Rule:
    """Cycles between two instructions on a scheduler's pipe, from warp operations per cycle of the SM."""
    where = {"op": op, "warps": 32, "ilp": 4}
    return Rule(f"sm.interval.{key}_cycles", "op_throughput", where, lambda x, _: 4 / x)


def _slice_ticks(per_ns: float, config: Config) -> float:
    """1/1024 cycles that each of the L2 slices needs for one of so many operations a ns."""
    return 1024 * float(config["sm.clock_ghz"]) * int(config["l2.slices"]) / per_ns


RULES = (
    *MEMORY_RULES,
    *(_latency(k, op) for k, op in (
        ("ffma", "fma_f32"), ("fadd", "add_f32"), ("imad", "mad_lo_s32"), ("imad_hi", "mul_hi_u32"), ("alu", "lop3_b32"),
        ("half", "fma_f16x2"), ("fp64", "fma_f64"), ("mufu", "ex2_ftz"), ("popc", "popc_b32"), ("idiv32", "div_u32"),
        ("idiv32s", "div_s32"), ("irem32", "rem_u32"), ("fdiv32", "div_rn"), ("fdiv64", "div_f64"), ("fsqrt64", "sqrt_f64"),
        ("frcp32", "rcp_rn"), ("fsqrt32", "sqrt_rn"), ("flo", "clz_b32"), ("mufu_scaled", "lg2"), ("mufu_angle", "sin_ftz"),
        ("mufu_pair", "ex2_f16x2"), ("div_approx", "div_approx"), ("div_full", "div_full"), ("imul64", "mul_lo_s64"),
        ("shfl", "shfl_bfly"), ("shfl_idx", "shfl_idx_reg"), ("redux", "redux_add"), ("match", "match_any"),
    )),
    _latency("iadd", "add_s32_fib", parts=2), _latency("iadd64", "add_s64_fib", parts=2),
    _latency("cvt64", "cvt_f32f64_pair", parts=2), _latency("setp_guard", "setp_pred_add", less=4),
    _latency("brev", "brev_b32", less=5), _latency("field", "bfe_u32", less=5),
    _latency("imad_wide", "mul_wide_u32", less=5), _latency("rcp_scaled", "rcp_add", less=4),
    _latency("vote", "vote_ballot", less=4), _latency("cvt", "cvt_s32f32_pair", less=5),
    *(_interval(k, op) for k, op in (
        ("ffma", "fma_f32"), ("fadd", "add_f32"), ("imad", "mad_lo_s32"), ("imad_hi", "mul_hi_u32"), ("alu", "lop3_b32"),
        ("fp64", "fma_f64"), ("mufu", "ex2_ftz"), ("popc", "popc_b32"), ("idiv32", "div_u32"), ("idiv32s", "div_s32"),
        ("irem32", "rem_u32"), ("fdiv32", "div_rn"), ("fdiv64", "div_f64"), ("fsqrt64", "sqrt_f64"), ("frcp32", "rcp_rn"),
        ("fsqrt32", "sqrt_rn"), ("imad_wide", "mul_wide_u32"), ("imul64", "mul_lo_s64"), ("match", "match_any"),
        ("redux", "redux_add"), ("flo", "clz_b32"), ("brev", "brev_b32"), ("mufu_pair", "ex2_f16x2"),
    )),
    Rule("l2.atomic_interval_ticks", "atomic_throughput",
         {"op": "red.add.u32", "pattern": "random distinct", "blocks": 132}, _slice_ticks),
    Rule("l2.atomic_same_ticks", "atomic_throughput",
         {"op": "red.add.u32", "pattern": "one address, all lanes", "blocks": 132},
         lambda x, c: 1024 * float(c["sm.clock_ghz"]) / x),
    Rule("l2.atomic_float_ticks", "atomic_throughput",
         {"op": "red.add.f32", "pattern": "one address, all lanes", "blocks": 132},
         lambda x, c: 1024 * float(c["sm.clock_ghz"]) / x),
    Rule("l2.atomic_latency_cycles", "atom_latency", {"op": "atom.add.u32"}, lambda x, _: x),
    Rule("l2.request_interval_ticks", "seg_load", {"memory": "l2", "segment_bytes": 4}, lambda x, c: _slice_ticks(x / 4, c)),
    Rule("hbm.access_interval_ticks", "seg_load", {"memory": "hbm", "segment_bytes": 4},
         lambda x, c: 1024 * float(c["sm.clock_ghz"]) * int(c["hbm.channels"]) / (x / 4)),
    Rule("fence.gpu_cycles", "fence", {"fence": "membar.gl", "outstanding_warp_stores": 0, "blocks": 1}, lambda x, _: x),
    Rule("fence.cta_cycles", "fence", {"fence": "membar.cta", "outstanding_warp_stores": 0, "blocks": 1}, lambda x, _: x),
    Rule("fence.sys_cycles", "fence", {"fence": "membar.sys", "outstanding_warp_stores": 0, "blocks": 1}, lambda x, _: x),
    Rule("fence.proxy_cycles", "fence", {"fence": "fence.proxy.async", "outstanding_warp_stores": 0, "blocks": 1},
         lambda x, _: x),
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A preset key with its value now and the one the measurements give."""

    key: str
    now: float
    measured: float
    figure: str


def read_figures(path: Path) -> Figures:
    """The figures of a file of measurements."""
    try:
        sections = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return [figure for section in sections.values() for figure in section]
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: not a file of measurements: {error}") from None


def find(figures: Figures, name: str, where: Mapping[str, Any]) -> float | None:
    """The median of the first figure of a name whose conditions include ``where``."""
    for figure in figures:
        conditions = figure.get("cond", {})
        if figure.get("name") == name and all(conditions.get(k) == v for k, v in where.items()):
            return float(figure["median"])
    return None


def recompute(figures: Figures, config: Config) -> Iterator[Value]:
    """What each rule gives; rules without their figure give nothing."""
    for rule in RULES:
        median = find(figures, rule.name, rule.where)
        if median is not None:
            conditions = ", ".join(f"{k} {v}" for k, v in rule.where.items())
            value = round(rule.value(median, config), 2)
            yield Value(rule.key, float(config[rule.key]), value, f"{rule.name} ({conditions})")


# --- instructions


@dataclass(frozen=True)
class Row:
    """An operation: latency in cycles and throughput in warp operations per cycle of an SM; None: not measured."""

    op: str
    latency: float
    measured_latency: float | None
    throughput: float
    measured_throughput: float | None

    @property
    def worst(self) -> float:
        """The larger relative error."""
        pairs = ((self.latency, self.measured_latency), (self.throughput, self.measured_throughput))
        return max((abs(s / m - 1) for s, m in pairs if m), default=0.0)


def table(figures: Figures, assemble: Assemble, config: Config, only: str = "") -> Iterator[Row]:
    """Simulate the kernels of programs/calibrate, all on one machine."""
    image = assemble(KERNELS)
    machine = Machine(image, config)
    out = machine.alloc(0, 1 << 12)
    for kernel in image.kernels:
        op = kernel.name.removeprefix("lat_")
        if not kernel.name.startswith("lat_") or only not in op:
            continue
        latency = _cycles(machine, out, f"lat_{op}", 1)
        throughput = OPERATIONS * (LONG - SHORT) * WARPS / _cycles(machine, out, f"thr_{op}", WARPS)
        yield Row(
            op,
            round(latency / (OPERATIONS * (LONG - SHORT)), 2),
            find(figures, "op_latency", {"op": op}),
            round(throughput, 3),
            find(figures, "op_throughput", {"op": op, "warps": WARPS, "ilp": 4}),
        )


def _cycles(machine: Machine, out: int, name: str, warps: int) -> int:
    """Cycles that LONG rounds take more than SHORT rounds, over all warps of one block."""
    spans = []
    for rounds in (SHORT, SHORT, LONG):  # the first brings the parameters near
        machine.write(out, np.full(1 << 10, 0x3F803F80, np.uint32))
        machine.launch(
            0, name, (1, 1, 1), (32 * warps, 1, 1), params=out.to_bytes(8, "little") + rounds.to_bytes(4, "little")
        )
        machine.run()
        times = np.frombuffer(machine.read(out + 128, 16 * warps), np.uint64).reshape(-1, 2)
        spans.append(int(times[:, 1].max() - times[:, 0].min()))
    return spans[2] - spans[1]


def run_command(options: Any, assemble: Assemble) -> bool:
    """``simasm calibrate``: values of the preset beside those of a file, or the table of instructions."""
    figures, config = read_figures(Path(options.file)), Config.load(options.preset, options.set)
    if options.points:
        return run_table(figures, LINK | MEMORY, options, assemble)
    if options.table:
        rows = []
        if not options.json:
            print(f"{'operation':18} {'latency':>8} {'measured':>9} {'per cycle':>10} {'measured':>9} {'worst':>7}")
        for row in table(figures, assemble, config, options.only):
            rows.append({**asdict(row), "worst": round(row.worst, 4)})
            if not options.json:
                given = [f"{x:9.3f}" if x else "        -" for x in (row.measured_latency, row.measured_throughput)]
                print(
                    f"{row.op:18} {row.latency:8.2f} {given[0]} {row.throughput:10.3f} {given[1]} {row.worst:7.1%}",
                    flush=True,
                )
        if options.json:
            print(json.dumps(rows))
        return bool(rows)
    values = list(recompute(figures, config))
    if options.json:
        print(json.dumps([asdict(value) for value in values]))
    else:
        for value in values:
            print(f"{value.key:36} {value.now:10g} {value.measured:10g}  {value.figure}")
    return bool(values)
