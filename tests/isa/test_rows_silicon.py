"""Lane functions of all rows, bit for bit, against a Hopper GPU: one instruction a time, edge cases and random operands.

`silicon/rows/rows.npz`: names of Ops, where each takes its operands from (rows of `inputs`), and a row of `outputs` for
each result; every column is a thread. Recorded on an H100 with code of ptxas 13.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isa.algebra import Value
from isa.instr import Op
from isa.table import resolve
from isa.types import LANE_BITS, TYPES

Array = np.ndarray[Any, Any]
FILE = Path(__file__).parent / "silicon" / "rows" / "rows.npz"
SUMS = ("vadd", "vsub", "vshl", "vshr", "vabsdiff", "vmin", "vmad")


def emulated(op: Op) -> bool:
    """Video instructions whose sequences in NVIDIA's assembler leave the manual's rules (see isa/video.py)."""
    wide = "sat" in op.mods or op.mods.get("op2") in ("min", "max")
    return op.instr.mnemonic in SUMS and wide


def borrows(op: Op) -> bool:
    """Subtractions, of which the record has the borrow where the condition code is its complement."""
    return op.instr.mnemonic == "subc" or (op.instr.mnemonic == "sub" and "cc" in op.mods)


@cache
def recorded() -> tuple[tuple[Op, list[Array], Array], ...]:
    """(Op, raw bits of its sources, raw bits of its results)."""
    return tuple(_read())


def _read() -> Iterator[tuple[Op, list[Array], Array]]:
    data = dict(np.load(FILE))
    at = 0
    for name, sources in zip(json.loads(str(data["names"])), json.loads(str(data["sources"])), strict=True):
        op = resolve(name)
        count = len(op.lane_types()[0])
        yield op, [data["inputs"][i] for i in sources], data["outputs"][at : at + count]
        at += count


def computed(op: Op, sources: list[Array]) -> list[Array]:
    """Raw bits of the lane function's results."""
    values = []
    for raw, t in zip(sources, op.lane_types()[1], strict=True):
        bits = LANE_BITS[t]
        if t == "pred":
            values.append(Value((raw != 0) ^ borrows(op), t))
        else:
            values.append(Value((raw & np.uint64((1 << bits) - 1)).astype(f"u{bits // 8}"), f"u{bits}").bits(t))
    assert op.instr.lane is not None
    out = op.instr.lane(op, *values)
    bits = [_bits(v) for v in (out if isinstance(out, tuple) else (out,))]
    return [bits[0], bits[1] ^ np.uint64(1)] if borrows(op) and len(bits) == 2 else bits


def _bits(value: Value) -> Array:
    return (value.v if value.t == "pred" else value.bits(f"u{LANE_BITS[value.t]}").v).astype(np.uint64)


def _mask(type_: str) -> np.uint64:
    """Of 8-bit results all 32 bits of the register count."""
    bits = {1: 1, 8: 32}.get(TYPES[type_].bits, TYPES[type_].bits)
    return np.uint64((1 << bits) - 1)


@pytest.mark.parametrize("latency", sorted({op.instr.latency for op, *_ in recorded()}))
def test_results_are_those_of_the_silicon(latency: str):
    wrong = []
    for op, sources, want in recorded():
        if op.instr.latency != latency or emulated(op):
            continue
        written = [o.type for o in op.operands if o.role == "w" for _ in range(o.count)]
        for got, expected, t in zip(computed(op, sources), want, written, strict=True):
            mask = _mask(t) if op.operands[0].form != "vec" else _mask(f"b{max(TYPES[t].bits, 8)}")
            if ((got ^ expected) & mask).any():
                wrong.append(op.name)
    assert not wrong


def test_most_results_of_emulated_sequences_are_those_of_the_silicon():
    ops = [(op, computed(op, s)[0], want[0]) for op, s, want in recorded() if emulated(op)]
    same = sum(int((got == want).sum()) for _, got, want in ops)
    assert same > 0.85 * sum(want.size for *_, want in ops)
