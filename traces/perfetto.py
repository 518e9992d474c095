"""A trace as a Perfetto file, for ui.perfetto.dev. One nanosecond on its axis is one cycle of the SM clock.

Tracks: GPU → SM → warp, with a slice per issued instruction and one per wait before it, and beside them the memory
accesses in flight; GPU → kernels, CTAs, packets sent and received; per GPU counters of NVLink bytes per cycle. An arrow
leads from each packet sent to its arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from .capture import Capture
from .errors import TraceError
from .read import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SLICES = 1_000_000
"""More slices than this make the viewer slow."""
COUNTER_STEPS = 1000
"""Values of a link counter over the whole trace."""
FLUSH = 20_000
_SEQUENCE = 1
_CLEARED, _NEEDS_STATE = 1, 2
"""Values of TracePacket.sequence_flags."""


def export(
    trace: Trace, path: str | Path, capture: Capture | None = None, limit: int = MAX_SLICES, instructions: bool = True
) -> dict[str, int]:
    """Write the part of a trace that passes the filter; returns how many slices, counters and flows were written.

    Without ``instructions`` it holds kernels, CTAs, packets and counters only. Raises `TraceError` if there would be
    more than ``limit`` slices.
    """
    capture = capture or Capture()
    where = capture.where()
    packets = _packet_condition(capture)
    _check_size(trace, where if instructions else "false", packets, limit)
    with open(path, "wb") as file, _File(file) as out:
        gpus = {gpu: out.track(f"GPU {gpu}", rank=gpu) for gpu in trace.gpus}
        _kernels(trace, out, gpus)
        _packets(trace, out, gpus, packets)
        sms = _Tracks(out, lambda key: (f"SM {key[1]}", gpus[key[0]], 10 + key[1]))
        _ctas(trace, out, sms)
        if instructions:
            _instructions(trace, out, sms, where)
        _counters(trace, out, gpus, packets)
    return {"slices": out.slices, "counters": out.counters, "flows": out.flows}


def _check_size(trace: Trace, where: str, packets: str, limit: int) -> None:
    """Refuse to write more slices than the viewer can bear."""
    waits = "(stall_cycles > 0)::INT + (queue_cycles > 0)::INT + (address > 0)::INT"
    needed = trace.sql(f"""
        SELECT (SELECT coalesce(sum(1 + {waits}), 0) FROM instructions WHERE {where})
             + (SELECT 2 * count(*) FROM packets WHERE {packets})""").rows[0][0]
    if needed > limit:
        raise TraceError(
            f"{needed:,} slices are more than the limit of {limit:,}: narrow the filter (cycles=, gpu=, sm=),"
            " raise the limit, or leave out instructions"
        )


class _File:
    """Writes packets in batches, with names interned."""

    def __init__(self, file: BinaryIO) -> None:
        from perfetto.trace_builder.proto_builder import TraceProtoBuilder

        self._new = TraceProtoBuilder
        self._builder = TraceProtoBuilder()
        self._file = file
        self._ids: dict[tuple[str, str], int] = {}
        self._tracks = 0
        self.slices = self.counters = self.flows = 0
        packet = self._builder.add_packet()
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.sequence_flags = _CLEARED

    def __enter__(self) -> _File:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._flush()

    def track(self, name: str, parent: int = 0, rank: int = 0, unit: str = "") -> int:
        """A new track; with a unit it is a counter. Children of a track are shown by ascending rank."""
        self._tracks += 1
        descriptor = self._builder.add_packet().track_descriptor
        descriptor.uuid = self._tracks
        descriptor.name = name
        descriptor.child_ordering = 3  # EXPLICIT
        descriptor.sibling_order_rank = rank
        if parent:
            descriptor.parent_uuid = parent
        if unit:
            descriptor.counter.unit_name = unit
        return self._tracks

    def slice(
        self,
        track: int,
        begin: int,
        end: int,
        name: str,
        category: str,
        notes: Mapping[str, Any] | None = None,
        flow: int = 0,
        ends_flow: bool = False,
    ) -> None:
        """A slice [begin, end) in cycles. Slices of a track come in order and do not overlap."""
        packet = self._packet(begin)
        event = packet.track_event
        event.type = 1  # SLICE_BEGIN
        event.track_uuid = track
        event.name_iid = self._intern(packet, "event_names", name)
        event.category_iids.append(self._intern(packet, "event_categories", category))
        for key, value in (notes or {}).items():
            note = event.debug_annotations.add()
            note.name_iid = self._intern(packet, "debug_annotation_names", key)
            if isinstance(value, str):
                note.string_value = value
            elif key == "address":
                note.pointer_value = value
            else:
                note.int_value = value
        if flow:
            (event.terminating_flow_ids if ends_flow else event.flow_ids).append(flow)
            self.flows += ends_flow
        event = self._packet(max(end, begin + 1)).track_event
        event.type = 2  # SLICE_END
        event.track_uuid = track
        self.slices += 1

    def counter(self, track: int, cycle: int, value: float) -> None:
        """A counter's value from a cycle on."""
        event = self._packet(cycle).track_event
        event.type = 4  # COUNTER
        event.track_uuid = track
        event.double_counter_value = value
        self.counters += 1

    def _packet(self, cycle: int) -> Any:
        if len(self._builder.trace.packet) >= FLUSH:
            self._flush()
        packet = self._builder.add_packet()
        packet.timestamp = cycle
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.sequence_flags = _NEEDS_STATE
        return packet

    def _intern(self, packet: Any, table: str, name: str) -> int:
        key = table, name
        number = self._ids.get(key)
        if number is None:
            number = self._ids[key] = len(self._ids) + 1
            entry = getattr(packet.interned_data, table).add()
            entry.iid, entry.name = number, name
        return number

    def _flush(self) -> None:
        self._file.write(self._builder.serialize())
        self._builder = self._new()


class _Tracks(dict[tuple[int, ...], int]):
    """Tracks made when they are first needed."""

    def __init__(self, out: _File, describe: Callable[[tuple[int, ...]], tuple[str, int, int]]) -> None:
        super().__init__()
        self._out = out
        self._describe = describe

    def __missing__(self, key: tuple[int, ...]) -> int:
        self[key] = track = self._out.track(*self._describe(key))
        return track


class _Lanes:
    """Spreads overlapping slices over tracks of one name, which the viewer shows as rows of one track."""

    def __init__(self, out: _File, name: str, parent: int, rank: int) -> None:
        self._out = out
        self._made = name, parent, rank
        self._lanes: list[tuple[int, int]] = []

    def take(self, begin: int, end: int) -> int:
        """A track that is free from ``begin``, taken until ``end``."""
        for i, (free, track) in enumerate(self._lanes):
            if free <= begin:
                self._lanes[i] = max(end, begin + 1), track
                return track
        track = self._out.track(*self._made)
        self._lanes.append((max(end, begin + 1), track))
        return track


def _rows(arrays: dict[str, NDArray[Any]]) -> Iterator[tuple[Any, ...]]:
    """The rows of columns, as plain Python values; NULL is None."""
    return zip(*(column.tolist() for column in arrays.values()), strict=True)


def _instructions(trace: Trace, out: _File, sms: _Tracks, where: str) -> None:
    """A track per warp slot: what it waited for, then the instruction; and its memory accesses in flight."""
    warps = _Tracks(out, lambda key: (f"warp {key[2]}", sms[key[:2]], 100 + 2 * key[2]))
    flights: dict[tuple[int, ...], _Lanes] = {}
    rows = trace.arrays(f"""
        SELECT gpu, sm, warp, issue, latency, coalesce(op, 'pc ' || pc) AS op, stall, stall_cycles, queue, queue_cycles,
               cta, pc, active, address, bytes, coalesce(text, '') AS text, coalesce(file || ':' || line, '') AS place
        FROM instructions WHERE {where} ORDER BY gpu, sm, warp, issue""")
    for row in _rows(rows):
        gpu, sm, warp, issue, latency, op, stall, stalled, queue, queued, cta, pc, active, address, nbytes = row[:15]
        key = gpu, sm, warp
        track = warps[key]
        if stalled:
            out.slice(track, issue - queued - stalled, issue - queued, stall, "stall")
        if queued:
            out.slice(track, issue - queued, issue, queue, "stall")
        notes = {"latency": latency, "lanes": active, "cta": cta, "pc": pc}
        if address:
            notes.update(address=address, bytes=nbytes)
        notes.update({k: v for k, v in zip(("text", "source"), row[15:], strict=True) if v})
        out.slice(track, issue, issue + 1, op, op.split(".")[0], notes)
        if address:
            if key not in flights:
                flights[key] = _Lanes(out, f"warp {warp} in flight", sms[key[:2]], 101 + 2 * warp)
            lane = flights[key].take(issue, issue + latency)
            out.slice(lane, issue, issue + latency, op, "memory", {"address": address, "bytes": nbytes})


def _ctas(trace: Trace, out: _File, sms: _Tracks) -> None:
    """Per SM, the CTAs on it."""
    lanes: dict[tuple[int, int], _Lanes] = {}
    rows = trace.sql("""
        SELECT w.gpu, sm, launch, cta, min(w.start_cycle), max(w.end_cycle), min(k.name), count(*)
        FROM warps w LEFT JOIN kernels k ON k.gpu = w.gpu AND k.id = launch
        GROUP BY w.gpu, sm, launch, cta ORDER BY 1, 2, 5, 3, 4""").rows
    for gpu, sm, launch, cta, start, end, kernel, warps in rows:
        if (gpu, sm) not in lanes:
            lanes[gpu, sm] = _Lanes(out, "CTAs", sms[gpu, sm], 1)
        track = lanes[gpu, sm].take(start, end)
        out.slice(track, start, end, f"{kernel or f'launch {launch}'} {cta}", "cta", {"cta": cta, "warps": warps})


def _kernels(trace: Trace, out: _File, gpus: Mapping[int, int]) -> None:
    """Per GPU, its kernels."""
    lanes = {gpu: _Lanes(out, "kernels", track, 1) for gpu, track in gpus.items()}
    rows = trace.sql("""
        SELECT gpu, id, coalesce(name, ''), start_cycle, end_cycle FROM kernels
        WHERE start_cycle IS NOT NULL AND end_cycle IS NOT NULL ORDER BY gpu, start_cycle, id""").rows
    for gpu, number, name, start, end in rows:
        if gpu in lanes:
            out.slice(lanes[gpu].take(start, end), start, end, name or f"launch {number}", "kernel", {"launch": number})


def _packets(trace: Trace, out: _File, gpus: dict[int, int], where: str) -> None:
    """Packets where they were sent and where they arrived, and an arrow between the two."""
    sent = {gpu: _Lanes(out, "sent", track, 2) for gpu, track in gpus.items()}
    received = {gpu: _Lanes(out, "received", track, 3) for gpu, track in gpus.items()}
    rows = trace.sql(f"""
        SELECT src, dst, send, arrive, kind, address, bytes, flits, wait_cycles FROM packets
        WHERE {where} ORDER BY send, src, dst, seq, arrive""").rows
    arrivals = []
    for flow, (src, dst, send, arrive, kind, address, nbytes, flits, waited) in enumerate(rows, 1):
        notes = {"to": dst, "bytes": nbytes, "flits": flits, "latency": arrive - send, "waited": waited}
        if address:
            notes["address"] = address
        if src in sent:
            out.slice(sent[src].take(send, send + 1), send, send + 1, f"{kind} to {dst}", "packet", notes, flow)
        arrivals.append((arrive, dst, src, kind, flow, address, nbytes))
    for arrive, dst, src, kind, flow, address, nbytes in sorted(arrivals):
        if dst in received:
            notes = {"from": src, "bytes": nbytes, **({"address": address} if address else {})}
            track = received[dst].take(arrive, arrive + 1)
            out.slice(track, arrive, arrive + 1, f"{kind} from {src}", "packet", notes, flow, ends_flow=True)


def _counters(trace: Trace, out: _File, gpus: Mapping[int, int], where: str) -> None:
    """Bytes per cycle on the wires of each GPU, in both directions."""
    begin, end = trace.sql(f"SELECT min(send), max(arrive) FROM packets WHERE {where}").rows[0]
    if begin is None:
        return
    step = max(1, -(-(end - begin + 1) // COUNTER_STEPS))
    for rank, name, gpu_column, time in ((4, "NVLink sent", "src", "send"), (5, "NVLink received", "dst", "arrive")):
        rows = trace.sql(f"""
            SELECT {gpu_column}, ({time} - {begin}) // {step}, sum(flits) * 16 / {step}
            FROM packets WHERE {where} GROUP BY ALL ORDER BY ALL""").rows
        steps: dict[int, dict[int, float]] = {}
        for gpu, index, value in rows:
            steps.setdefault(gpu, {})[index] = float(value)
        for gpu, values in steps.items():
            if gpu not in gpus:
                continue
            track = out.track(name, gpus[gpu], rank, "bytes/cycle")
            for index in sorted({i + more for i in values for more in (0, 1)}):
                out.counter(track, begin + index * step, values.get(index, 0.0))


def _packet_condition(capture: Capture) -> str:
    """The filter as a condition on packets: cycles, and GPUs at either end."""
    terms = [f"send < {capture.cycle_until} AND arrive >= {capture.cycle_from}"]
    if "gpu" in capture.ranges:
        ends = (f"{end} BETWEEN {low} AND {high}" for low, high in capture.ranges["gpu"] for end in ("src", "dst"))
        terms.append(" OR ".join(ends))
    return " AND ".join(f"({term})" for term in terms)
