"""Lane functions, bit for bit, against an H200: kernels by nvcc 13.0, inputs and outputs recorded once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lockstep import Machine, kernel_body

FOLDER = Path(__file__).parent / "silicon"
APPROXIMATE = {"f16_arith": {25, 28}}  # rows of ex2 and tanh: compared within their error bounds
FUSED = {"bf16_arith": {15}}  # the hardware's compiler made a mul and an add, which PTX lets it, into one fma


def run(name: str) -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """(got, wanted) of every output of a recorded kernel, as bits."""
    data = np.load(FOLDER / f"{name}.npz")
    launch = json.loads(str(data["launch"]))
    memory = np.zeros(4096 + sum(-(-data[k].nbytes // 256) * 256 for k in data.files), np.uint8)
    at, places = 1024, {}
    for key in data.files:
        if key != "launch":
            places[key[key.index("_") + 1 :]] = at
            if key.startswith("in_"):
                memory[at : at + data[key].nbytes] = data[key].view(np.uint8).ravel()
            at += -(-data[key].nbytes // 256) * 256
    names, body = kernel_body((FOLDER / f"{name}.ptx").read_text(), launch["kernel"])
    values = [places[a] if isinstance(a, str) else a for a in launch["args"]]
    Machine(launch["grid"], launch["block"], memory, dict(zip(names, values, strict=True))).run(body)
    out = {}
    for key in data.files:
        if key.startswith("out_"):
            want, place = data[key], places[key[4:]]
            got = memory[place : place + want.nbytes].view(want.dtype).reshape(want.shape)
            out[key[4:]] = (got, want)
    return out


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.npz")))
def test_results_are_those_of_the_silicon(name: str):
    for buffer, (got, want) in run(name).items():
        skipped = APPROXIMATE.get(name, set()) | FUSED.get(name, set()) if buffer == "o" else set()
        wrong = {i for i in range(len(want)) if not np.array_equal(got[i], want[i])}
        assert wrong <= skipped, (buffer, sorted(wrong - skipped))


def test_approximate_half_functions_are_close():
    got, want = run("f16_arith")["o"]
    for row in APPROXIMATE["f16_arith"]:
        a, b = got[row].view(np.float16).astype(float), want[row].view(np.float16).astype(float)
        assert np.array_equal(np.isnan(a), np.isnan(b))
        close = np.isclose(a, b, rtol=2**-9, atol=2**-24, equal_nan=True)
        assert close.all()
