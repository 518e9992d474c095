"""The minimiser: what it may delete, and that what is left computes the same row."""

from __future__ import annotations

import check
import minimise
import pytest
from test_corpus import INPUTS, MODULES, read


def test_what_is_needed_is_found_among_much():
    """Units 3, 40 and 77 of 100 are needed together; the braces around them stay."""
    needed = {"s3", "s40", "s77"}
    found = [[".visible .entry k()"], ["{"], *([f"s{i}"] for i in range(100)), ["}"]]
    tries = []

    def holds(units):
        tries.append(units)
        return needed <= {unit[0] for unit in units}

    kept = minimise.smallest(found, holds)
    assert kept == [[".visible .entry k()"], ["{"], ["s3"], ["s40"], ["s77"], ["}"]]
    assert len(tries) < 100


def test_units_are_functions_blocks_and_statements():
    text = (
        ".func f()\n{\n    add.u32 %a, %a, 1;\n    ret;\n}\n.visible .entry k()\n{\n    { .param .b32 x;\n"
        "    call f, (x);\n    }\n    ret;\n}\n"
    )
    sizes = [len(unit) for unit in minimise.units(text, True)]
    assert sizes == [5, 1, 1, 3, 1, 1]
    assert [len(unit) for unit in minimise.units(text, False)] == [1, 1, 1, 1, 1, 1, 1, 3, 1, 1]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("mov.u32 %r1, %tid.x;\nadd.u32 %r2, %r1, 1;\nst.global.u32 [%r2], %r1;", True),
        ("add.u32 %r2, %r1, 1;", False),
        ("mov.u32 %r1, 1;\nst.global.u32 [%out4+8], %r1;", False),
        ("ld.shared.v2.b32 {%r0, %r1}, [8];\nsetp.eq.u32 %p0|%p1, %r0, %r1;\n@%p1 mov.u32 %r2, 1;", True),
        ("@%p1 mov.u32 %r2, 1;", False),
        ("{ .param .b32 x; .param .b32 y;\nmov.u32 %r1, 1; st.param.b32 [x], %r1;\nld.param.b32 %r2, [y]; }", True),
    ],
)
def test_registers_that_are_read_are_written(text: str, whole: bool):
    assert minimise.complete(text) == whole


def test_programs_of_a_module_stand_alone():
    text, programs, _ = read(MODULES[0])
    for program in programs:
        own = minimise.alone(text, program["name"])
        assert own.count(".visible .entry") == 1 and minimise.complete(own)
    (got,) = check.simulate(minimise.HEAD + own, [program], INPUTS, True)
    assert got == check.simulate(text, programs, INPUTS, True)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 7])
def test_the_smallest_program_still_computes_the_row(number: int):
    text, programs, _ = read(MODULES[0])
    program = programs[number]
    row = max(i for i, r in enumerate(program["rows"]) if r[3] == "bits" and r[4])
    _, offset, size, _, _ = program["rows"][row]
    whole = minimise.alone(text, program["name"])
    small = minimise.minimised(whole, program, row, INPUTS, True)
    assert small.count("\n") < whole.count("\n") / 2 and minimise.complete(small)
    results = [check.simulate(minimise.HEAD + t, [program], INPUTS, True)[0] for t in (whole, small)]
    place = slice(offset, offset + size * program["threads"])
    assert results[0][place] == results[1][place]
