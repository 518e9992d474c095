"""Random programs against what an H100 gave: both drivers, every statement."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import check
import numpy as np
import pytest
import values

FOLDER = Path(__file__).parent
MODULES = ("m0021", "m0031", "m0050", "m0073", "m0075", "m0090", "m0103", "m0120")
QUICK = 2
"""Modules that run by default: a second each."""
INPUTS = {number: values.buffer(number) for number in range(values.INPUTS)}


def read(module: str) -> tuple[str, list[dict[str, Any]], bytes]:
    """Text, programs and recorded outputs of a module."""
    with zipfile.ZipFile(FOLDER / "corpus.zip") as bundle, np.load(FOLDER / "corpus.npz") as silicon:
        text = bundle.read(f"{module}.ptx").decode()
        return text, json.loads(bundle.read(f"{module}.json")), silicon[module].tobytes()


@pytest.mark.parametrize("functional", [False, True], ids=["timing", "functional"])
@pytest.mark.parametrize(
    "module", [*MODULES[:QUICK], *(pytest.param(m, marks=pytest.mark.slow) for m in MODULES[QUICK:])]
)
def test_every_statement_gives_what_silicon_gave(module: str, functional: bool):
    text, programs, want = read(module)
    found = []
    for program, got in zip(programs, check.simulate(text, programs, INPUTS, functional), strict=True):
        found += check.differences(program, got, want[: len(got)])
        want = want[len(got) :]
    assert want == b""
    assert found == []


def test_a_wrong_statement_is_named_and_its_consequences_are_not():
    _, programs, want = read(MODULES[0])
    program, good = programs[0], want[: programs[0]["size"]]
    used = {source for row in program["rows"] for source in row[4]}
    row = next(i for i, r in enumerate(program["rows"]) if i in used and r[3] == "bits")
    spoiled = bytearray(good)
    for i, (_, offset, _, _, sources) in enumerate(program["rows"]):
        if i == row or row in sources:
            spoiled[offset] ^= 1
    assert [d.row for d in check.differences(program, bytes(spoiled), good)] == [row]


@pytest.mark.parametrize("module", MODULES[:QUICK])
def test_optimised_programs_give_the_same(module: str):
    text, programs, _ = read(module)
    plain = check.simulate(text, programs, INPUTS, functional=True)
    assert check.simulate(text, programs, INPUTS, functional=True, optimised=True) == plain
