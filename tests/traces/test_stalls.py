import numpy as np
import pytest

from traces.capture import parse_capture
from traces.errors import TraceError
from traces.read import open_trace
from traces.stalls import breakdown, lifetime


def violations(directory):
    with open_trace(directory) as trace:
        return lifetime(trace).dicts()


def test_the_canned_run_accounts_for_every_cycle(trace_dir):
    assert violations(trace_dir) == []


def test_a_lost_cycle_is_found(tmp_path, canned):
    def change(gpu, records):
        if gpu == 1:
            records[45, 5] += 1

    canned.write(tmp_path / "t", change=change)
    (row,) = violations(tmp_path / "t")
    assert (row["gpu"], row["warp"], row["missing"]) == (1, 1, -1)
    assert row["issued"] == row["instructions"] == 40


def test_a_lost_instruction_is_found_even_if_the_sum_is_right(tmp_path, canned):
    def change(gpu, records):
        if gpu == 0:
            records[3, 3] += 9 << 32  # of a launch that no warp belongs to
            records[4, 5] += 1 + (records[3, 5] & 0xFFFFFFFF) + (records[3, 5] >> 32)

    canned.write(tmp_path / "t", change=change)
    lost, stray = violations(tmp_path / "t")
    assert (lost["missing"], lost["issued"], lost["instructions"]) == (0, 39, 40)
    assert (stray["launch"], stray["lifetime"], stray["issued"]) == (10, None, 1)


def test_a_window_judges_only_warps_inside_it(tmp_path, canned):
    _, warps = canned.run(0)
    until = int(np.sort(warps[:, 5])[2])
    canned.write(tmp_path / "t", capture=parse_capture(f"gpu=0,cycles=:{until}"))
    assert violations(tmp_path / "t") == []
    canned.write(tmp_path / "sm", capture=parse_capture("sm=1"))
    assert violations(tmp_path / "sm") == []
    canned.write(tmp_path / "op", capture=parse_capture("op=ld.*"))
    with pytest.raises(TraceError, match="filtered by ops"):
        violations(tmp_path / "op")


def test_breakdown_shares_sum_to_one(trace_dir):
    with open_trace(trace_dir) as trace:
        for by in ((), ("gpu",), ("gpu", "kernel")):
            table = breakdown(trace, by).dicts()
            groups = {tuple(row[key] for key in by) for row in table}
            assert len(groups) == (2 if by else 1)
            assert sum(row["share"] for row in table) == pytest.approx(len(groups))
        total = sum(row["cycles"] for row in breakdown(trace, ()).dicts())
        assert total == trace.sql("select sum(end_cycle - start_cycle) from warps").rows[0][0]
