import json

import pytest

from traces.errors import TraceError
from traces.read import open_trace
from traces.records import SCHEMA_VERSION


def test_stalls_view_adds_up(trace_dir, canned):
    with open_trace(trace_dir) as trace:
        got = {(r["gpu"], r["stall"]): r["cycles"] for r in trace.sql("select * from stalls").dicts()}
        assert {r["kernel"] for r in trace.sql("select * from stalls").dicts()} == {"gemm"}
    for gpu in (0, 1):
        records, _ = canned.run(gpu)
        assert got[gpu, "selected"] == len(records)
        assert got[gpu, "not_selected"] == (records[:, 5] >> 32).sum()
        waits = records[records[:, 2] >> 24 & 255 == 1]
        assert got[gpu, "wait"] == (waits[:, 5] & 0xFFFFFFFF).sum()


def test_packets_links_and_lines(trace_dir):
    with open_trace(trace_dir) as trace:
        assert trace.sql("select src, dst, kind, latency, flits, wait_cycles, vc from packets order by send").rows == [
            (0, 1, "store", 600, 9, 30, 0),
            (1, 0, "ack", 800, 1, 0, 1),
        ]
        assert trace.sql("select wire_bytes from links where src = 0").rows == [(144,)]
        assert trace.sql("select sum(instructions), count(*) from lines").rows == [(480, 6)]
        assert trace.sql("select value from counters where name = 'rat_hits'").rows == [(12.0,)]


def test_every_view_answers_on_an_empty_trace(tmp_path):
    from traces.writer import TraceWriter

    TraceWriter(tmp_path / "t", {}).close()
    with open_trace(tmp_path / "t") as trace:
        for name in trace.views():
            assert trace.sql(f"select count(*) from {name}").rows == [(0,)]


def test_errors_say_what_to_do(trace_dir, tmp_path):
    with pytest.raises(TraceError, match="no such directory"):
        open_trace(tmp_path / "nowhere")
    (tmp_path / "plain").mkdir()
    with pytest.raises(TraceError, match="not a trace directory"):
        open_trace(tmp_path / "plain")
    with open_trace(trace_dir) as trace:
        with pytest.raises(TraceError, match="did you mean `instructions`"):
            trace.sql("select * from instrutions")
        with pytest.raises(TraceError, match="LINE 1"):
            trace.sql("selekt 1")
        with pytest.raises(TraceError, match="nothing_here"):
            trace.arrays("select nothing_here from warps")
    meta = json.loads((trace_dir / "meta.json").read_text())
    meta["schema"] = SCHEMA_VERSION + 1
    (trace_dir / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(TraceError, match=f"format {SCHEMA_VERSION + 1}, this version reads format {SCHEMA_VERSION}"):
        open_trace(trace_dir)


def test_a_python_variable_is_not_a_table(trace_dir, canned):
    secret = {"a": canned.run(0)[0][:, 0]}
    with open_trace(trace_dir) as trace, pytest.raises(TraceError, match="no view `secret`"):
        trace.sql("select * from secret")
    assert secret
