from collections import defaultdict
from itertools import pairwise

import pytest

from traces.capture import parse_capture
from traces.errors import TraceError
from traces.perfetto import export
from traces.read import open_trace

BEGIN, END, COUNTER = 1, 2, 4


class Parsed:
    """A Perfetto file read back with the package's own classes."""

    def __init__(self, path):
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

        message = Trace()
        message.ParseFromString(path.read_bytes())
        self.names, self.parents, self.strings = {}, {}, {}
        self.slices, self.counters = defaultdict(list), defaultdict(list)
        self.flows, self.arrivals = {}, {}
        open_slices = defaultdict(list)
        for packet in message.packet:
            for table in ("event_names", "event_categories", "debug_annotation_names"):
                for entry in getattr(packet.interned_data, table):
                    self.strings[entry.iid] = entry.name
            if packet.HasField("track_descriptor"):
                track = packet.track_descriptor
                self.names[track.uuid], self.parents[track.uuid] = track.name, track.parent_uuid
            if not packet.HasField("track_event"):
                continue
            event, path = packet.track_event, self.path(packet.track_event.track_uuid)
            if event.type == BEGIN:
                notes = {
                    self.strings[n.name_iid]: n.string_value or n.int_value or n.pointer_value
                    for n in event.debug_annotations
                }
                assert not open_slices[event.track_uuid], "slices of a track overlap"
                open_slices[event.track_uuid].append((packet.timestamp, self.strings[event.name_iid], notes))
                self.flows.update(dict.fromkeys(event.flow_ids, (path, packet.timestamp)))
                self.arrivals.update(dict.fromkeys(event.terminating_flow_ids, (path, packet.timestamp)))
            elif event.type == END:
                begin, name, notes = open_slices[event.track_uuid].pop()
                assert packet.timestamp > begin
                self.slices[path].append((begin, packet.timestamp, name, notes))
            elif event.type == COUNTER:
                self.counters[path].append((packet.timestamp, event.double_counter_value))
        assert not any(open_slices.values())

    def path(self, track):
        parent = self.parents[track]
        return f"{self.path(parent)}/{self.names[track]}" if parent else self.names[track]


@pytest.fixture
def exported(trace_dir, tmp_path):
    with open_trace(trace_dir) as trace:
        counts = export(trace, tmp_path / "t.pftrace")
    return counts, Parsed(tmp_path / "t.pftrace")


def test_slices_fill_each_warps_life(exported, canned):
    counts, parsed = exported
    instructions, warps = canned.run(1)
    for sm, slot, _, _, start, end, n, _ in warps.tolist():
        slices = parsed.slices[f"GPU 1/SM {sm}/warp {slot}"]
        assert (slices[0][0], slices[-1][1]) == (start, end)
        assert all(a[1] == b[0] for a, b in pairwise(slices))
        issued = [s for s in slices if "pc" in s[3]]
        assert [s[0] for s in issued] == instructions[instructions[:, 2] >> 16 & 255 == slot][:, 0].tolist()
        assert len(issued) == n
    assert counts["slices"] == sum(map(len, parsed.slices.values()))


def test_instructions_carry_source_and_address(exported):
    _, parsed = exported
    load = next(s for s in parsed.slices["GPU 0/SM 0/warp 0"] if s[2] == "ld.global.u32")
    assert load[3]["source"] == "k.s:11" and load[3]["lanes"] == 31 and load[3]["address"] >= 1 << 38
    flight = next(s for s in parsed.slices["GPU 0/SM 0/warp 0 in flight"] if s[0] == load[0])
    assert flight[1] - flight[0] == load[3]["latency"] == 204


def test_kernels_ctas_and_counters(exported):
    _, parsed = exported
    assert parsed.slices["GPU 0/kernels"] == [(90, 5000, "gemm", {"launch": 1})]
    ctas = [s for path, found in parsed.slices.items() if path.endswith("/CTAs") for s in found]
    assert len(ctas) == 2 * 6 and ctas[0][2].startswith("gemm ")
    sent = parsed.counters["GPU 0/NVLink sent"]
    step = sent[1][0] - sent[0][0]
    assert sent[0] == (1000, pytest.approx(9 * 16 / step)) and sent[1][1] == 0


def test_arrows_lead_from_sender_to_receiver(exported):
    counts, parsed = exported
    assert counts["flows"] == 2 and set(parsed.flows) == set(parsed.arrivals)
    store = next(f for f, (path, _) in parsed.flows.items() if path == "GPU 0/sent")
    assert parsed.flows[store][1] == 1000
    assert parsed.arrivals[store] == ("GPU 1/received", 1600)


def test_filter_and_limit(trace_dir, tmp_path):
    with open_trace(trace_dir) as trace:
        with pytest.raises(TraceError, match="narrow the filter"):
            export(trace, tmp_path / "no.pftrace", limit=100)
        assert not (tmp_path / "no.pftrace").exists()
        export(trace, tmp_path / "few.pftrace", parse_capture("gpu=0,warp=2,cycles=:300"))
        without = export(trace, tmp_path / "none.pftrace", limit=4, instructions=False)
    warps = [p for p in Parsed(tmp_path / "few.pftrace").slices if "warp" in p]
    assert warps and all(p.startswith("GPU 0/SM 2/warp 2") for p in warps)
    assert without["slices"] == 2 + 2 * 2 + 12
