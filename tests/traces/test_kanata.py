import pytest

from traces.capture import parse_capture
from traces.errors import TraceError
from traces.kanata import export
from traces.read import open_trace


def test_stages_of_one_warp_follow_one_another(trace_dir, tmp_path, canned):
    with open_trace(trace_dir) as trace:
        assert export(trace, tmp_path / "k.log", parse_capture("gpu=0,warp=2")) == 40
        with pytest.raises(TraceError, match="narrow the filter"):
            export(trace, tmp_path / "k2.log", limit=10)
    head, start, *lines = (tmp_path / "k.log").read_text().splitlines()
    records, warps = canned.run(0)
    assert head == "Kanata\t0004"
    now = int(start.removeprefix("C=\t"))
    assert now == warps[2, 4]
    issued, retired, begun = {}, {}, set()
    for line in lines:
        kind, number, *rest = line.split("\t")
        if kind == "C":
            assert int(number) > 0
            now += int(number)
        elif kind == "I":
            begun.add(number)
        elif kind == "S" and rest[1] == "Is":
            assert number in begun
            issued[int(number)] = now
        elif kind == "R":
            retired[int(number)] = now
    of_warp = records[records[:, 2] >> 16 & 255 == 2]
    assert [issued[i] for i in range(40)] == of_warp[:, 0].tolist()
    assert [retired[i] for i in range(40)] == of_warp[:, 1].tolist()
