"""Launch specs of the kernels in programs/calibrate/switch for a number of GPUs, as files SPEC.json of a folder.

PYTHONPATH=. python tests/silicon/cases.py --gpus 2 --out tests/silicon/two_gpus

The format is that of tests/validation/p2p. Beyond it, a launch says which GPUs its flows go to (`flows`) and how
many bytes each moves (`flow_bytes`), and a case what its time means (`figure`).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sim.routing_data import routing

Case = dict[str, Any]
KERNELS = Path(__file__).resolve().parents[2] / "programs" / "calibrate" / "switch"
BLOCKS, THREADS = 132, 512
ROWS = {128: 135168, 1024: 16896, 7168: 4224}
"""Rows a GPU moves by their bytes: whole rounds of all warps, 17 MB or more."""
CHASE_WORDS, CHASE_STEPS, PING_ROUNDS, LOADED_ROUNDS, BARRIER_ROUNDS = 1 << 18, 512, 200, 24, 100
WARM_UP_ROUNDS = 4
FEW_BLOCKS = (1, 4, 8, 16, 32, 64)
TOKENS, UNITS, EXPERTS = 8192, 512, 64
NOBODY = 255
ZEROS = {"kind": "zeros"}
EPOCH = {"dtype": "u32", "epoch": True}


def word(value: int) -> dict[str, Any]:
    return {"dtype": "u32", "value": int(value)}


class Builder:
    """A case under construction: buffers are made when a launch first names them."""

    def __init__(self, kernel: str, name: str, gpus: int, **figure: Any) -> None:
        self.gpus = gpus
        self.case: Case = {"kernel": kernel, "name": name, "figure": figure, "buffers": [], "launches": []}
        for gpu in range(gpus):
            self.buffer(f"board{gpu}", gpu, "u32", 4096)

    def buffer(
        self, name: str, gpu: int, dtype: str, count: int, init: Any = None, output: bool = False
    ) -> dict[str, Any]:
        """The parameter that names a buffer."""
        if name not in {b["name"] for b in self.case["buffers"]}:
            made = {"name": name, "gpu": gpu, "dtype": dtype, "count": count, "init": init or ZEROS}
            self.case["buffers"].append(made | ({"output": True} if output else {}))
        return {"buffer": name}

    def table(self, names: list[str], spare: str) -> list[dict[str, Any]]:
        """Eight parameters: buffers by name, the rest `spare`."""
        return [{"buffer": name} for name in (names + [spare] * 8)[:8]]

    def boards(self, gpu: int) -> list[dict[str, Any]]:
        return self.table([f"board{g}" for g in range(self.gpus)], f"board{gpu}")

    def launch(self, gpu: int, grid: int, block: int, parameters: list[Any], **more: Any) -> None:
        """The last parameter but `more` is the launch's own output, out0 for the first launch."""
        out = self.buffer(f"out{len(self.case['launches'])}", gpu, "u64", 4 * grid)
        at = parameters.index("out")
        shape = {"gpu": gpu, "entry": self.case["kernel"], "grid": [grid, 1, 1], "block": [block, 1, 1]}
        params = [*parameters[:at], out, *parameters[at + 1 :]]
        self.case["launches"].append({**shape, "dynamic_shared": 0, "params": params, **more})


# --- latencies


def signals(gpus: int) -> Iterator[Case]:
    for a in range(gpus):
        for b in range(gpus):
            if a != b:
                yield chase(a, b, gpus)
                yield ping("ping_relaxed", a, b, gpus)
                yield ping("ping_release", a, b, gpus)
    yield barriers(gpus)


def chase(a: int, b: int, gpus: int) -> Case:
    """GPU a loads from GPU b."""
    made = Builder(
        "chase", f"{a}_from_{b}", gpus, kind="latency", per=CHASE_STEPS, what="peer load, lines in the owner's L2"
    )
    start = {"kind": "lcg_next", "a": 1664525, "c": 1013904223}
    chain = made.buffer("next", b, "u32", CHASE_WORDS, start)
    result = made.buffer("result", a, "u32", 1, output=True)
    made.launch(a, 1, 1, [chain, result, word(0), word(CHASE_STEPS), "out"])
    return made.case


def ping(kernel: str, a: int, b: int, gpus: int) -> Case:
    """GPU a begins."""
    per = 2 * (PING_ROUNDS - WARM_UP_ROUNDS)
    made = Builder(kernel, f"{a}_to_{b}", gpus, kind="latency", per=per, what="flag one way")
    for me, other in ((b, a), (a, b)):
        flags = [{"buffer": f"board{other}"}, {"buffer": f"board{me}"}]
        made.launch(me, 1, 1, [*flags, word(int(me == a)), word(PING_ROUNDS), EPOCH, "out"])
    return made.case


def barriers(gpus: int) -> Case:
    per = BARRIER_ROUNDS - WARM_UP_ROUNDS
    made = Builder("barriers", f"{gpus}_gpus", gpus, kind="latency", per=per, what="barrier of all GPUs")
    for gpu in range(gpus):
        made.launch(gpu, 1, 32, [*made.boards(gpu), word(gpus), word(gpu), word(BARRIER_ROUNDS), EPOCH, "out"])
    return made.case


# --- bandwidth, and a flag beside it


def patterns(gpus: int) -> dict[str, dict[int, list[int]]]:
    """Which GPUs each GPU accesses. What is the same for two GPUs is listed once."""
    everyone = range(gpus)
    found = {
        "incast": {g: [0] for g in everyone if g},
        "outcast": {0: [g for g in everyone if g]},
        "all_to_all": {g: [(g + k) % gpus for k in range(1, gpus)] for g in everyone},
    }
    if gpus > 2:
        found["ring"] = {g: [(g + 1) % gpus] for g in everyone}
        found["permutation"] = {g: [(5 * g + 3) % gpus if gpus == 8 else gpus - 1 - g] for g in everyone}
    return found


def transfers(gpus: int) -> Iterator[Case]:
    for kernel in ("put", "get", "bulk"):
        for pattern, flows in patterns(gpus).items():
            for row_bytes in ROWS:
                yield transfer(kernel, pattern, flows, row_bytes, gpus)
                yield transfer(kernel, pattern, flows, row_bytes, gpus, "relaxed")
            yield transfer(kernel, pattern, flows, 1024, gpus, "release")
        # what a flow 0 to 1 disturbs: a flag that shares both its links, its uplink, its downlink, nothing
        for pair in ((0, 1), (0, 2), (1, 2), (2, 3)) if gpus > 2 else ((0, 1),):
            yield transfer(kernel, "one", {0: [1]}, 1024, gpus, "relaxed", pair)
        for blocks in FEW_BLOCKS:
            yield transfer(kernel, "one", {0: [1]}, 1024, gpus, "", blocks=blocks)
            yield transfer(kernel, "one", {0: [1]}, 1024, gpus, "relaxed", blocks=blocks)


def transfer(
    kernel: str,
    pattern: str,
    flows: dict[int, list[int]],
    row_bytes: int,
    gpus: int,
    flag: str = "",
    pair: tuple[int, int] = (0, 1),
    blocks: int = 0,
) -> Case:
    """`flag`: how the flag between `pair` beside the load is written; "": no flag, the time of the load counts.
    `blocks`: thread blocks of the load, an SM each; default all SMs."""
    figure: dict[str, Any] = {"kind": "bandwidth"}
    name = f"{pattern}{blocks or ''}_{row_bytes}"
    if flag:
        figure = {
            "kind": "latency",
            "per": 2 * (LOADED_ROUNDS - WARM_UP_ROUNDS),
            "what": f"{flag} flag one way beside load",
        }
        name += f"_{flag}" + ("" if pair == (0, 1) else f"_{pair[0]}_{pair[1]}")
    made = Builder(kernel, name, gpus, **figure)
    for gpu in range(gpus):
        targets, plays = flows.get(gpu, []), bool(flag) and gpu in pair
        if not targets and not plays:
            continue
        rows = ROWS[row_bytes] // max(1, len(targets)) // (8 if 0 < blocks < 8 else 1)
        index = made.buffer(f"index{gpu}", gpu, "u32", rows, {"kind": "hash_argsort", "seed": 40 + gpu})
        names = [rows_of(made, kernel, gpu, target, rows * row_bytes) for target in targets]
        units = row_bytes // 16
        load = [word(max(1, len(targets))), index, word(rows), word(units), word(min(5, units.bit_length() - 1))]
        members = sum(1 << g for g in flows)
        partner = sum(pair) - gpu if plays else NOBODY
        flags = [word(members), word(gpu), EPOCH, *map(word, (LOADED_ROUNDS * bool(flag), flag == "release", partner))]
        table = made.table(names, names[0] if names else f"board{gpu}")
        parameters = [*table, *made.boards(gpu), *load, *flags, "out"]
        if kernel == "get":
            parameters.append(made.buffer(f"sums{gpu}", gpu, "u32", BLOCKS * THREADS, output=not flag))
        grid = (blocks + bool(flag) if blocks else BLOCKS) if targets else 1
        made.launch(gpu, grid, THREADS, parameters, flows=targets, flow_bytes=rows * row_bytes, plays=plays)
    return made.case


def rows_of(made: Builder, kernel: str, gpu: int, target: int, nbytes: int) -> str:
    """The rows on GPU `target` that GPU `gpu` accesses."""
    name = f"rows{gpu}_{target}"
    init = {"kind": "hash_u32", "seed": 60 + gpu} if kernel == "get" else None
    made.buffer(
        name, target, "u32", nbytes // 4, init, output=kernel != "get" and made.case["figure"]["kind"] == "bandwidth"
    )
    return name


# --- mixture of experts


def exchanges(gpus: int) -> Iterator[Case]:
    for topk in (2, 8):
        for load, alpha in (("uniform", 0.0), ("skewed", 1.0)):
            shape = {"gpus": gpus, "tokens": TOKENS, "topk": topk, "experts": EXPERTS}
            route = {"kind": "routing", **shape, "alpha": alpha, "seed": 7}
            yield dispatch(load, route, gpus)
            yield combine(load, route, gpus)


def dispatch(load: str, route: dict[str, Any], gpus: int) -> Case:
    made = Builder("dispatch", f"top{route['topk']}_{load}", gpus, kind="exchange")
    held = [len(routing(route | {"side": "back", "gpu": gpu})) for gpu in range(gpus)]
    for gpu in range(gpus):
        made.buffer(f"received{gpu}", gpu, "u32", held[gpu] * UNITS * 4, output=route["topk"] == 2)
    for gpu in range(gpus):
        x = made.buffer(f"x{gpu}", gpu, "u32", TOKENS * UNITS * 4, {"kind": "hash_u32", "seed": 80 + gpu})
        exchange(made, gpu, x, TOKENS * route["topk"], route["topk"], route | {"side": "there", "gpu": gpu}, [])
    return made.case


def combine(load: str, route: dict[str, Any], gpus: int) -> Case:
    made = Builder("combine", f"top{route['topk']}_{load}", gpus, kind="exchange")
    rows = TOKENS * route["topk"]
    for gpu in range(gpus):
        made.buffer(f"received{gpu}", gpu, "u32", rows * UNITS * 4)
    for gpu in range(gpus):
        back = route | {"side": "back", "gpu": gpu}
        held = len(routing(back))
        x = made.buffer(f"x{gpu}", gpu, "u32", held * UNITS * 4, {"kind": "hash_u32", "seed": 90 + gpu})
        weights = made.buffer(
            f"weights{gpu}", gpu, "f32", rows, {"kind": "uniform", "lo": 0, "hi": 1, "seed": 100 + gpu}
        )
        y = made.buffer(f"y{gpu}", gpu, "u32", TOKENS * UNITS * 4, output=True)
        exchange(made, gpu, x, held, 1, back, [weights, y, word(TOKENS), word(route["topk"])])
    return made.case


def exchange(made: Builder, gpu: int, x: Any, rows: int, copies: int, route: dict[str, Any], more: list[Any]) -> None:
    """One GPU's launch; `route` says where its rows go."""
    where = made.buffer(f"where{gpu}", gpu, "u32", rows, route)
    received = made.table([f"received{g}" for g in range(made.gpus)], f"received{gpu}")
    numbers = [word(rows), word(copies), word(UNITS), word(made.gpus), word(gpu), EPOCH]
    owners = (routing(route) >> 24).tolist()
    sent = [owners.count(g) * UNITS * 16 for g in range(made.gpus)]
    made.launch(gpu, BLOCKS, THREADS, [*received, *made.boards(gpu), x, where, *numbers, "out", *more], sent_bytes=sent)


SPECS = {"signal": signals, "transfer": transfers, "moe": exchanges}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=2, choices=(2, 4, 6, 8))
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for name, make in SPECS.items():
        ptx = os.path.relpath(KERNELS / f"{name}.s", a.out.resolve())
        spec = {"ptx": ptx, "gpus": a.gpus, "cases": list(make(a.gpus))}
        text = json.dumps(spec, indent=1)
        (a.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{a.out / name}.json: {len(spec['cases'])} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
