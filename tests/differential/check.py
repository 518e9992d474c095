"""Runs a bundle of random programs on the simulator and compares every row with what a GPU gave.

    PYTHONPATH=. python tests/differential/check.py out/programs.zip out/silicon0.npz … [--functional] [--modules 0:10]

Without recorded results, the two drivers of the core are compared with each other. A row that differs is named when all
rows it was computed from agree, so that what is printed is the first wrong instruction and no consequence of it.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assembler import assemble
from sim.config import Config
from sim.machine import Machine

Array = np.ndarray[Any, Any]
FLOATS = {"16": (np.uint16, 0x7FFF, 0x7C00), "bf16": (np.uint16, 0x7FFF, 0x7F80), "32": (np.uint32, 0x7FFFFFFF, 0x7F800000),
          "64": (np.uint64, 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000)}  # fmt: skip
TOLERANCE = {"16": 2.0**-9, "bf16": 2.0**-7, "32": 2.0**-18, "64": 2.0**-18}
TINY = {"16": 2.0**-22, "bf16": 2.0**-120, "32": 2.0**-20, "64": 2.0**-300}


@dataclass
class Difference:
    """A row that differs though everything it was computed from agrees; `got` and `want` of the first thread that differs."""

    program: str
    row: int
    text: str
    thread: int
    got: int
    want: int
    threads: int


def simulate(
    text: str, programs: list[dict[str, Any]], inputs: dict[int, bytes], functional: bool, optimised: bool = False
) -> list[bytes]:
    """Outputs of the programs of one module."""
    machine = Machine(assemble(text, optimised=optimised), Config.load("h200"), functional=functional)
    sources, outs = {}, []
    for program in programs:
        number = program["input"]
        if number not in sources:
            sources[number] = machine.alloc(0, len(inputs[number]), f"in{number}")
            machine.write(sources[number], np.frombuffer(inputs[number], np.uint8))
        out = machine.alloc(0, program["size"], program["name"])
        machine.write(out, np.zeros(program["size"], np.uint8))
        outs.append(out)
        block = (program["threads"], 1, 1)
        machine.launch(0, program["name"], (1, 1, 1), block, params=struct.pack("<QQ", sources[number], out))
    machine.run()
    return [bytes(machine.read(out, p["size"])) for out, p in zip(outs, programs, strict=True)]


def row_values(data: bytes, row: list[Any], threads: int) -> Array:
    _, offset, size, _, _ = row
    return np.frombuffer(data, np.uint64 if size == 8 else np.uint32, threads, offset)


def _numbers(bits: Array, kind: str) -> Array:
    if kind == "bf16":
        return (bits.astype(np.uint32) << 16).view(np.float32).astype(float)
    return bits.view({"16": np.float16, "32": np.float32, "64": np.float64}[kind]).astype(float)


def unequal(got: Array, want: Array, compare: str) -> Array:
    """Threads whose values differ under a row's rule."""
    wrong = got != want
    if compare == "skip":
        return np.zeros_like(wrong)
    if compare == "low16":
        return (got ^ want) & 0xFFFF != 0
    if compare == "bits" or not wrong.any():
        return wrong
    kind = compare.removeprefix("nan").removeprefix("approx").removeprefix("tanh")
    word, magnitude, infinity = FLOATS[kind]
    parts = got.dtype.itemsize // np.dtype(word).itemsize
    g, w = (np.ascontiguousarray(x).view(word).reshape(-1, parts) for x in (got, want))
    nan = ((g & magnitude) > infinity) & ((w & magnitude) > infinity)
    fine = (g == w) | nan
    if not compare.startswith("nan"):
        tolerance = 2.0**-10 if compare == "tanh32" else TOLERANCE[kind]
        with np.errstate(all="ignore"):
            a, b = _numbers(g, kind), _numbers(w, kind)
            fine |= np.abs(a - b) <= tolerance * np.abs(b) + TINY[kind]
    return ~fine.all(1)


def differences(program: dict[str, Any], got: bytes, want: bytes) -> Iterator[Difference]:
    """Rows of a program that differ on their own account."""
    tainted: set[int] = set()
    for i, row in enumerate(program["rows"]):
        a, b = (row_values(x, row, program["threads"]) for x in (got, want))
        wrong = unequal(a, b, row[3])
        own = not tainted.intersection(row[4])
        if (a != b).any() or not own:
            tainted.add(i)
        if wrong.any() and own:
            t = int(np.flatnonzero(wrong)[0])
            yield Difference(program["name"], i, row[0], t, int(a[t]), int(b[t]), int(wrong.sum()))


def opcode(text: str) -> str:
    return re.sub(r"^@!?%p\d+ ", "", text).split(" ")[0]


def recorded(paths: list[str]) -> dict[str, bytes]:
    out = {}
    for path in paths:
        with np.load(path) as data:
            out |= {name: data[name].tobytes() for name in data.files}
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("silicon", nargs="*")
    parser.add_argument("--functional", action="store_true")
    parser.add_argument("--modules", default=":", help="a slice of the modules")
    parser.add_argument("--all", action="store_true", help="print every difference, not three of each opcode")
    a = parser.parse_args()
    files, gold = zipfile.ZipFile(a.bundle), recorded(a.silicon)
    inputs = {int(n[5:-4]): files.read(n) for n in files.namelist() if n.startswith("input")}
    names = sorted(n[:-5] for n in files.namelist() if n.endswith(".json"))
    first, last = (int(x) if x else None for x in a.modules.split(":"))
    found: dict[str, list[Difference]] = collections.defaultdict(list)
    ran, rows = 0, 0
    for name in names[first:last]:
        text, programs = files.read(name + ".ptx").decode(), json.loads(files.read(name + ".json"))
        if gold and name not in gold:
            continue
        try:
            got = simulate(text, programs, inputs, a.functional)
        except Exception as problem:
            print(f"{name}: {type(problem).__name__}: {str(problem)[:400]}", flush=True)
            continue
        want = gold[name] if gold else b"".join(simulate(text, programs, inputs, not a.functional))
        for program, result in zip(programs, got, strict=True):
            for d in differences(program, result, want[: len(result)]):
                found[opcode(d.text)].append(d)
            want = want[len(result) :]
            ran, rows = ran + 1, rows + len(program["rows"])
    for op, cases in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{len(cases):5} {op}")
        for d in cases if a.all else cases[:3]:
            print(
                f"        {d.program} row {d.row} thread {d.thread} ({d.threads}): {d.got:#x}, wanted {d.want:#x}: {d.text}"
            )
    total = sum(map(len, found.values()))
    print(f"{ran} programs, {rows} rows: {total} rows wrong, {len(found)} opcodes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
