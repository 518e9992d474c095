import json

import numpy as np
import pytest

from traces.capture import parse_capture
from traces.errors import TraceError
from traces.read import open_trace
from traces.records import STALL_NAMES, Stall
from traces.schema import STREAMS
from traces.writer import TraceWriter


def test_records_round_trip(trace_dir, canned):
    with open_trace(trace_dir) as trace:
        for gpu in (0, 1):
            records, _ = canned.run(gpu)
            got = trace.sql(f"select * from instructions where gpu = {gpu} order by issue, warp").dicts()
            assert len(got) == len(records)
            for row, words in zip(got, sorted(records.tolist(), key=lambda w: (w[0], w[2] >> 16 & 255)), strict=True):
                assert [row["issue"], row["done"]] == words[:2]
                assert row["sm"] | row["warp"] << 16 | STALL_NAMES.index(row["stall"]) << 24 == words[2] & 0xFFFFFFFF
                assert row["queue"] == "not_selected"
                assert row["pc"] | row["launch"] << 32 == words[3]
                assert row["mask"] | row["cta"] << 32 == words[4]
                assert row["stall_cycles"] | row["queue_cycles"] << 32 == words[5]
                assert row["address"] == words[6]
                assert row["bytes"] | row["sectors"] << 32 == words[7]
                assert row["op"] == canned.ops[row["pc"]] and row["line"] == 10 + row["pc"]
                assert row["active"] == 32 - row["pc"]


def test_extreme_values_survive(tmp_path):
    words = np.array([[1 << 50, 1 << 51, -1, -1, -1, -1, -1, -1]], np.int64)
    with TraceWriter(tmp_path / "t", {}) as writer:
        writer.instructions(7, words)
    with open_trace(tmp_path / "t") as trace:
        row = trace.sql("select * from raw_instructions").dicts()[0]
    assert row["gpu"] == 7 and row["latency"] == 1 << 50
    assert [row[k] for k in ("sm", "warp", "pc", "mask", "cta")] == [65535, 255] + [2**32 - 1] * 3
    assert row["address"] == 2**64 - 1


def test_columns_cover_every_bit_once():
    for name in ("instructions", "packets"):
        taken = np.zeros(64 * STREAMS[name].words, int)
        for column in STREAMS[name].columns:
            bits = np.dtype(column.dtype).itemsize * 8
            assert column.shift % bits == 0
            taken[64 * column.word + column.shift :][:bits] += 1
        assert taken.max() == 1


def test_same_records_same_files_however_they_arrive(tmp_path, canned):
    results = [canned.write(tmp_path / str(chunk), chunk=chunk) for chunk in (7, 1000)]
    assert results[0]["hash"] == results[1]["hash"]
    names = sorted(p.relative_to(tmp_path / "7") for p in (tmp_path / "7").rglob("*") if p.is_file())
    assert len(names) > 8
    for name in names:
        assert (tmp_path / "7" / name).read_bytes() == (tmp_path / "1000" / name).read_bytes(), name
    assert canned.write(tmp_path / "other", seed=1)["hash"] != results[0]["hash"]


def test_close_reports_what_was_written(tmp_path, canned):
    result = canned.write(tmp_path / "out")
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert result["records"] == 2 * 6 * 40
    assert result["bytes"] == sum(p.stat().st_size for p in files)
    meta = json.loads((tmp_path / "out" / "meta.json").read_text())
    assert meta["complete"] and meta["hash"] == result["hash"] and meta["program"] == "k.s"


def test_a_trace_cut_short_can_be_read(tmp_path, canned):
    writer = TraceWriter(tmp_path / "t", {"program": "k.s"}, part_records=100)
    writer.instructions(0, canned.run(0)[0])
    writer._wait(len(writer._pending))
    with open_trace(tmp_path / "t") as trace:
        assert not trace.is_complete
        assert trace.sql("select count(*) from instructions").rows == [(200,)]
        assert trace.sql("select count(*) from kernels").rows == [(0,)]
    writer.close()


def test_failure_in_the_background_is_raised(tmp_path, canned):
    writer = TraceWriter(tmp_path / "t", {}, part_records=10)
    (tmp_path / "t" / "gpu0").write_text("in the way")
    with pytest.raises(Exception):  # noqa: B017  the operating system's or duckdb's own
        writer.instructions(0, canned.run(0)[0])
        writer.close()


def test_an_old_trace_is_replaced_and_other_files_are_not(tmp_path, canned):
    canned.write(tmp_path / "out", part_records=10)
    canned.write(tmp_path / "out", part_records=1000)
    assert len(list((tmp_path / "out").glob("gpu0/instructions-*"))) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(TraceError, match="not empty and not a trace"):
        TraceWriter(tmp_path / "mine", {})


def test_capture_drops_what_was_not_asked_for(tmp_path, canned):
    capture = parse_capture("gpu=1,sm=0,2,warp=0-2,op=ld.*,st.*,cycles=150:600")
    canned.write(tmp_path / "t", capture=capture)
    with open_trace(tmp_path / "t") as trace:
        rows = trace.sql("select gpu, sm, warp, op, issue from instructions").rows
    expected = [
        w
        for w in canned.run(1)[0].tolist()
        if w[2] & 0xFFFF in (0, 2) and w[2] >> 16 & 255 <= 2 and w[3] & 255 in (1, 3) and 150 <= w[0] < 600
    ]
    assert 0 < len(rows) == len(expected) < len(canned.run(1)[0])
    assert {r[0] for r in rows} == {1}


def test_a_line_cannot_select_what_is_recorded(tmp_path):
    with pytest.raises(TraceError, match="not what a run records"):
        TraceWriter(tmp_path / "t", {}, parse_capture("line=3"))


def test_tables_keep_types_and_unknown_columns(tmp_path):
    with TraceWriter(tmp_path / "t", {}) as writer:
        writer.table("kernels", [{"id": np.int64(1), "name": "a'b", "note": "é", "start": 3}, {"id": 2, "ratio": 0.1}])
        writer.table("mine", {"x": [1, 2], "ok": [True, False]})
    with open_trace(tmp_path / "t") as trace:
        assert trace.sql("select id, name, note, start_cycle, ratio from kernels order by id").rows == [
            (1, "a'b", "é", 3, None),
            (2, None, None, None, 0.1),
        ]
        assert trace.sql("select sum(x) from mine where ok").rows == [(1,)]


def test_stall_numbers_are_part_of_the_format():
    assert [s.name.lower() for s in Stall] == list(STALL_NAMES)
    assert [int(s) for s in Stall] == list(range(len(Stall)))
    assert Stall.REMOTE < 16 and Stall.GATE < 16
