"""From the record rings of compiled code to a trace directory."""

from typing import TYPE_CHECKING, Any

import numpy as np

from traces.capture import Capture
from traces.records import PACKET_WORDS, RECORD_WORDS, WARP_WORDS
from traces.writer import TraceWriter

from . import state as st
from .hub.ingress import RECORD_ADDRESS, RECORD_COUNT, RECORD_ROOM
from .layout import gpu_base
from .memory import Bytes
from .net.packet import Packet
from .params import SMS, TRACE_PACKETS, WINDOW_CYCLES
from .statistics import gate_rows

if TYPE_CHECKING:
    from .machine import Machine

_ROOM = 1 << 15
"""Records after which the run returns so that the ring can be emptied: what is written again and again stays cached."""
_WARPS = 1 << 17
_PACKETS = 1 << 18


class Ring:
    """Records of one kind of one GPU: ``words`` int64 each."""

    def __init__(self, records: int, words: int) -> None:
        self.data = Bytes(records * words * 8, dense=True)
        self.words = words

    @property
    def address(self) -> int:
        """Host address of the first record."""
        return self.data.address

    def take(self, count: int) -> Any:
        """The first ``count`` records."""
        return self.data.array[: count * self.words * 8].view(np.int64).reshape(count, self.words)


class Tracer:
    """Records instructions, packets and warps. With ``writer`` None they are dropped when the ring is emptied."""

    def __init__(self, machine: "Machine", writer: TraceWriter | None, capture: Capture) -> None:
        self.machine, self.writer = machine, writer
        A, P = machine.A, machine.P
        margin = int(P[SMS]) * 5 * int(P[WINDOW_CYCLES])
        P[TRACE_PACKETS] = 1
        self._rings = []
        for gpu in range(machine.gpus):
            g = gpu_base(gpu)
            if not capture.gpu_mask >> gpu & 1:
                continue
            instructions, warps = Ring(_ROOM + margin, RECORD_WORDS), Ring(_WARPS, WARP_WORDS)
            packets = Ring(_PACKETS, PACKET_WORDS)
            self._rings.append((gpu, instructions, warps, packets))
            A[g + st.TRACE_ADDRESS], A[g + st.TRACE_ROOM] = instructions.address, _ROOM
            A[g + st.TRACE_SM_LOW], A[g + st.TRACE_SM_HIGH] = capture.sm_low, capture.sm_high
            A[g + st.TRACE_FROM], A[g + st.TRACE_UNTIL] = capture.cycle_from, capture.cycle_until
            A[g + st.WARP_RECORDS], A[g + st.WARP_RECORD_ROOM] = warps.address, _WARPS
            A[g + RECORD_ADDRESS], A[g + RECORD_ROOM] = packets.address, _PACKETS
        if writer:
            writer.image(machine.image)
            writer.table("packet_kinds", [{"number": int(k), "name": k.name.lower()} for k in Packet])

    def drain(self) -> None:
        """Empty the rings."""
        A = self.machine.A
        for gpu, instructions, warps, packets in self._rings:
            g = gpu_base(gpu)
            if self.writer:
                self.writer.instructions(gpu, instructions.take(A[g + st.TRACE_COUNT]))
                self.writer.warps(gpu, warps.take(A[g + st.WARP_RECORD_COUNT]))
                self.writer.packets(gpu, packets.take(A[g + RECORD_COUNT]))
            A[g + st.TRACE_COUNT] = A[g + st.WARP_RECORD_COUNT] = A[g + RECORD_COUNT] = 0

    def close(self, **meta: Any) -> dict[str, Any] | None:
        """Write the side tables and finish the directory."""
        self.drain()
        if self.writer is None:
            return None
        stats = self.machine.stats()
        self.writer.table("kernels", stats["kernels"])
        rows = [
            {"gpu": row["gpu"], "name": name, "cycle": None, "value": float(value)}
            for row in stats["per_gpu"]
            for name, value in {**row["hub"], "instructions": row["instructions"], "cycles": row["cycles"]}.items()
        ]
        self.writer.table("counters", rows)
        if gates := gate_rows(self.machine):
            self.writer.table("gates", gates)
        return self.writer.close(**meta)


def trace_meta(machine: "Machine", program: str) -> dict[str, Any]:
    """What the trace directory says about the run."""
    config = machine.config
    return {
        "program": program,
        "seed": machine.seed,
        "gpus": machine.gpus,
        "clock_ghz": config["sm.clock_ghz"],
        "config": {row.key: row.value for row in config.show()},
        "config_hash": config.digest,
        "isa_digest": machine.image.isa_digest,
    }
