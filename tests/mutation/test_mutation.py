"""Wrong programs are refused and right ones accepted as by ptxas 13."""

import json
from collections import Counter

import pytest
from compare import PTXAS, VERDICTS, compared, digest, known_sources, ours, report
from mutate import KINDS, mutant, mutants, sources

RECORDED = {
    name: (text, accepted) for name, (text, accepted) in json.loads(VERDICTS.read_text(encoding="utf-8")).items()
}
DIFFERENT: dict[str, str] = {}
"""Recorded programs about which the verdicts differ, and why."""


@pytest.mark.parametrize("name", RECORDED)
def test_verdict_is_that_of_ptxas(name):
    source, kind, number = name.split()
    made = mutant(source, kind, int(number))
    text, accepted = RECORDED[name]
    assert made is not None and digest(made.text) == text, "the program is another one: compare.py --record"
    verdict = ours(made.text)
    assert (verdict.accepted == accepted) != (name in DIFFERENT), (made.line, verdict.message)


def test_the_sample_is_of_all_kinds():
    kinds = Counter(name.split()[1] for name in RECORDED)
    assert set(kinds) == set(KINDS) and 100 <= len(RECORDED) <= 400
    refused = sum(not accepted for _, accepted in RECORDED.values())
    assert 0.05 * len(RECORDED) < len(RECORDED) - refused < 0.5 * len(RECORDED)


def test_a_change_is_one_change_and_the_same_again():
    for one in mutants(1):
        source = sources()[one.name.split()[0]]
        assert one.text != source and abs(len(one.text) - len(source)) < 300
    assert [m.text for m in mutants(1)] == [m.text for m in mutants(1)]


@pytest.mark.slow
@pytest.mark.skipif(PTXAS is None, reason="ptxas is not installed")
@pytest.mark.parametrize("each", [1])
def test_verdicts_of_all_changes(each):
    good = known_sources()
    results = compared(one for one in mutants(each) if one.name.split()[0] in good)
    assert len(results) >= 1500 and report(results) >= 0.98
