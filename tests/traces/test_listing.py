import csv
import io
import json

import pytest

from traces.errors import TraceError
from traces.listing import show


def listed(directory, *args, **options):
    out = io.StringIO()
    show(directory, out, *args, **options)
    return out.getvalue()


def test_one_line_per_instruction_in_order(trace_dir):
    header, *lines = listed(trace_dir).splitlines()
    assert header.split()[:6] == ["cycle", "gpu", "sm", "warp", "cta", "pc"]
    assert len(lines) == 480
    cycles = [int(line.split()[0]) for line in lines]
    assert cycles == sorted(cycles)
    load = next(line for line in lines if "ld.global" in line)
    assert "7fffffff" in load and "0x004000" in load and "+128" in load
    assert all(len(line) < 160 for line in lines)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("gpu=0", lambda w, gpu: gpu == 0),
        ("sm=0,2", lambda w, gpu: w[2] & 0xFFFF in (0, 2)),
        ("warp=3-4,gpu=1", lambda w, gpu: w[2] >> 16 & 255 in (3, 4) and gpu == 1),
        ("cycles=200:400", lambda w, gpu: 200 <= w[0] < 400),
        ("op=ld.*", lambda w, gpu: w[3] & 0xFF == 1),
        ("pc=0x2-3,launch=2", lambda w, gpu: w[3] & 0xFF in (2, 3) and gpu == 1),
        ("stall=long_scoreboard", lambda w, gpu: w[2] >> 24 & 255 == 6 and w[5] & 0xFFFF > 0),
        ("line=10", lambda w, gpu: w[3] & 0xFF == 0),
        ("cta=1", lambda w, gpu: w[4] >> 32 == 1),
    ],
)
def test_filters(trace_dir, canned, text, keep):
    expected = sum(keep(w, gpu) for gpu in (0, 1) for w in canned.run(gpu)[0].tolist())
    assert 0 < expected < 480
    assert len(listed(trace_dir, text).splitlines()) == 1 + expected


def test_the_limit_says_how_much_is_left(trace_dir):
    lines = listed(trace_dir, limit=5).splitlines()
    assert len(lines) == 7 and lines[-1].startswith("... 475 more")


def test_queries_as_text_csv_and_json(trace_dir):
    query = "select gpu, count(*) as n, avg(latency) as mean, 'a,b' as s from instructions group by gpu order by gpu"
    plain = listed(trace_dir, sql=query)
    assert plain.splitlines()[0].split() == ["gpu", "n", "mean", "s"]
    rows = list(csv.DictReader(io.StringIO(listed(trace_dir, sql=query, form="csv"))))
    assert [row["n"] for row in rows] == ["240", "240"] and rows[0]["s"] == "a,b"
    data = json.loads(listed(trace_dir, sql=query, form="json"))
    assert data["schema"] == 1 and [row["n"] for row in data["rows"]] == [240, 240]
    assert "240" in listed(trace_dir, sql=query, form="table")
    with pytest.raises(TraceError, match="unknown output form"):
        listed(trace_dir, sql=query, form="xml")


def test_the_listing_as_json(trace_dir):
    data = json.loads(listed(trace_dir, "gpu=1,warp=0", form="json"))
    assert len(data["rows"]) == 40 and data["rows"][0]["cycle"] >= 100
