"""A few small kernels against their measured times, with a loose bound; `simasm validate` runs them all."""

from functools import partial
from pathlib import Path

import pytest

from assembler import assemble
from sim.config import Config
from sim.validate import load_cases, run_case, summary

FOLDER = Path(__file__).resolve().parent
CASES = {case.name: case for case in load_cases(FOLDER)}


@pytest.mark.parametrize("name", ["chase_mix/one_thread_l2", "vecadd/one_block", "vecadd/small"])
def test_simulated_time_is_near_the_measured(name: str) -> None:
    outcome = run_case(CASES[name], partial(assemble, optimised=True), Config.load())
    assert outcome.reason == ""
    assert outcome.output_ok
    assert abs(outcome.error) < 0.35
    assert summary([outcome])["mean_abs_error"] == abs(outcome.error)
