"""GPUs without SMs: hubs, links and switch, driven packet by packet from Python."""

import ctypes
from typing import NamedTuple

import numpy as np

import sim.params as params
from sim.addresses import gpu_address
from sim.far import link
from sim.hub import hub
from sim.hub.order import RECORD_ADDRESS, RECORD_COUNT, RECORD_ROOM
from sim.ir.library import library
from sim.jit import HELPERS, JIT, entry, outline
from sim.layout import GPU_WORDS, MACHINE_WORDS, gpu_base
from sim.net import switch
from sim.net.packet import ADDR, AUX, COUNT, DATA, KIND, MASK_HI, MASK_LO, OP, PACKET_WORDS, SRC, TAG, TARGETS, Packet
from sim.pipeline import light_helpers
from sim.raw import Arena
from sim.state import FAULT, GPUS, MEMORY

WINDOW, QUANTUM = 384, 128
FULL = (1 << 128) - 1
RESULT_WORDS = 32
RESULTS = 4096
RECORDS = 1 << 16
DEFAULTS = {
    "HOP": 400, "PLANES": 1, "FLIT_TICKS": 1024, "REQUEST_TICKS": 0, "CREDIT_FLITS": 2048, "SWITCH_REDUCE_CYCLES": 1,
    "SWITCH_REDUCE_TICKS": 0, "SWITCH_REDUCE_ENTRIES": 400, "HUB_LOCAL_CYCLES": 20, "HUB_QUEUE": 0,
    "RPM_ENABLED": 1, "RPM_MERGING": 1, "RPM_PRIORITIES": 1, "RPM_ROW_ORDER": 1, "RPM_ROUND_ROBIN": 1,
    "DAM_EARLY_RELEASE": 1, "RPM_ENTRIES": 128, "RPM_TIMER": 256, "RPM_PEER_FLITS": 0, "RAT_ENTRIES": 8192,
    "RAT_CYCLES": 2, "RAT_BANKS": 16, "APT_ENTRIES": 256, "DAM_CYCLES": 100, "DAM_INTERVAL": 0, "AL_TLB_ENTRIES": 512,
    "AL_TLB_CYCLES": 2, "AL_TLB_MISSES": 16, "TRACE_PACKETS": 1,
    "L2_CYCLES": 280, "L2_REQUEST_CYCLES": 80, "L2_SLICES": 96,
    "L2_LINES": 1 << 14, "L2_WAYS": 16, "L2_SECTOR_TICKS": 64, "L2_WRITE_TICKS": 64, "L2_ATOMIC_TICKS": 64,
    "L2_ATOMIC_CYCLES": 450, "HBM_CYCLES": 660, "HBM_CHANNELS": 80, "HBM_SECTOR_TICKS": 500, "WINDOW_CYCLES": WINDOW,
}  # fmt: skip


def parameters(**changes: int) -> Arena:
    """The parameter arena: DEFAULTS with changes by constant name."""
    p = Arena(len(params.PARAMS))
    values = {**DEFAULTS, **changes}
    for name, value in {"ACK_TICKS": values["FLIT_TICKS"], **values}.items():
        p[getattr(params, name)] = value
    for name in ("atom_one", "reduce_bytes"):
        p[getattr(params, f"FN_{name.upper()}")] = library()[name]
    link(p)
    return p


GATHER, SERVE, EGRESS, ADVANCE, FLUSH, FLUSHED, END, IDLE, NEXT = range(9)


@entry
def _do(A, P, what, gpu, t, x, results):
    """The one compiled entry of these tests: a step of one GPU's hub."""
    g = gpu_base(gpu)
    if what == GATHER:
        switch.gather(A, P, gpu, t, x)
    elif what == SERVE:
        _serve(A, P, g, gpu, t, results)
    elif what == EGRESS:
        hub.egress(A, P, g, gpu, t, x)
    elif what == ADVANCE:
        hub.advance(A, P, g, gpu, t)
    elif what == FLUSH:
        return hub.flush(A, P, g, t)
    elif what == FLUSHED:
        return 1 if hub.flushed(A, P, g, x) else 0
    elif what == END:
        hub.end(A, P, g, gpu, A[GPUS], t, x)
    elif what == IDLE:
        return hub.idle(A, P, g)
    elif what == NEXT:
        return hub.next_event(A, P, g)
    return 0


@outline
def _serve(A, P, g, gpu, until, results):
    """Deliver what arrives before ``until``; replies to SMs are copied to ``results``."""
    while hub.arrival_time(A, g) < until:
        t = hub.arrival_time(A, g)
        row = hub.take_arrival(A, g)
        if hub.ingress(A, P, g, gpu, t, row) == 1:
            at = 1 + results[0] * RESULT_WORDS
            results[0] += 1
            results[at] = t
            results[at + 1] = A[row + KIND]
            results[at + 2] = A[row + SRC]
            results[at + 3] = A[row + TAG]
            results[at + 4] = A[row + ADDR]
            for k in range(16):
                results[at + 8 + k] = A[row + DATA + k]


def _compile() -> None:
    """Compile the entry without machine code for its helpers, which is most of the time."""
    if JIT and not _do.signatures:
        from numba import types

        from sim.raw import arena_type

        with light_helpers({"_do"}, HELPERS):
            _do.compile((arena_type, arena_type, *[types.int64] * 4, arena_type))


def signed(x: int) -> int:
    """The 64 low bits as an int64."""
    x &= (1 << 64) - 1
    return x - (1 << 64) if x >> 63 else x


class Reply(NamedTuple):
    """What an SM would get."""

    t: int
    kind: int
    src: int
    tag: int
    address: int
    data: bytes


class Record(NamedTuple):
    """A packet record (traces/records.py)."""

    sent: int
    arrived: int
    src: int
    dst: int
    kind: int
    vc: int
    flits: int
    address: int
    nbytes: int
    waited: int
    tag: int
    seq: int


class Fabric:
    """``gpus`` GPUs with ``memory`` bytes each, at cycle 0."""

    def __init__(self, gpus: int, memory: int = 1 << 20, **changes: int) -> None:
        _compile()
        self.gpus = gpus
        self.P = parameters(**changes)
        self._row = MACHINE_WORDS + gpus * GPU_WORDS
        self.A = Arena(self._row + PACKET_WORDS)
        self.A[GPUS] = gpus
        self.now = 0
        self.order = list(range(gpus))
        self._memories = [Arena(memory // 8) for _ in range(gpus)]
        self._results = [Arena(1 + RESULTS * RESULT_WORDS) for _ in range(gpus)]
        for gpu, arena in enumerate(self._memories):
            self.A[gpu_base(gpu) + MEMORY] = arena.address
        self._rings = [Arena(8 * RECORDS) for _ in range(gpus)]
        for gpu, ring in enumerate(self._rings):
            self.A[gpu_base(gpu) + RECORD_ADDRESS] = ring.address
            self.A[gpu_base(gpu) + RECORD_ROOM] = RECORDS
        self.replies: list[list[Reply]] = [[] for _ in range(gpus)]
        self._sends: list[list[tuple]] = [[] for _ in range(gpus)]

    def _do(self, what: int, gpu: int, t: int = 0, x: int = 0) -> int:
        return _do(self.A, self.P, what, gpu, t, x, self._results[gpu])

    def memory(self, gpu: int) -> np.ndarray:
        """A GPU's memory as bytes."""
        return self._memories[gpu].words.view(np.uint8)

    def field(self, gpu: int, offset: int, index: int = 0) -> int:
        """A word of a GPU's block."""
        return self.A[gpu_base(gpu) + offset + index]

    def records(self, gpu: int, kind: int = 0) -> list[Record]:
        """Packets that arrived at a GPU so far, in order; of one kind, or all."""
        words = self._rings[gpu].words[: 8 * self.field(gpu, RECORD_COUNT)].reshape(-1, 8).tolist()
        split = ((x[2] & 255, x[2] >> 8 & 255, x[2] >> 16 & 255, x[2] >> 24 & 255, x[2] >> 32) for x in words)
        rows = [Record(*x[:2], *fields, *x[3:]) for x, fields in zip(words, split, strict=True)]
        return [r for r in rows if kind in (0, r.kind)]

    def fault(self, gpu: int) -> int:
        """Code of the GPU's fault, 0 for none."""
        return self.field(gpu, FAULT)

    def send(
        self, gpu: int, t: int, kind: Packet, address: int, data: bytes = b"", mask: int = FULL, **more: object
    ) -> None:
        """Have an SM of ``gpu`` send a packet at cycle ``t``: more = sm, tag, op, aux, targets."""
        self._sends[gpu].append((t, len(self._sends[gpu]), kind, address, data, mask, more))

    def flush(self, gpu: int, t: int) -> int:
        """A fence now; returns its ticket."""
        return self._do(FLUSH, gpu, t)

    def flushed(self, gpu: int, ticket: int) -> bool:
        """Whether the fence is done."""
        return bool(self._do(FLUSHED, gpu, 0, ticket))

    def end(self, gpu: int, key: int) -> None:
        """End of the GPU's stores of ending ``key``, now."""
        self._do(END, gpu, self.now, key)

    def idle(self) -> bool:
        """Whether nothing waits anywhere."""
        return not any(self._sends) and all(self._do(IDLE, gpu) for gpu in range(self.gpus))

    def next_event(self, gpu: int) -> int:
        """Earliest cycle at which something can happen at a GPU."""
        return self._do(NEXT, gpu)

    def window(self) -> None:
        """Simulate one window, GPU by GPU in ``self.order``."""
        begin, end = self.now, self.now + WINDOW
        for gpu in self.order:
            self._do(GATHER, gpu, begin, end)
            sends = sorted(s for s in self._sends[gpu] if s[0] < end)
            self._sends[gpu] = [s for s in self._sends[gpu] if s[0] >= end]
            for until in range(begin + QUANTUM, end + 1, QUANTUM):
                while sends and sends[0][0] < until:
                    self._send(gpu, *sends.pop(0))
                self._do(SERVE, gpu, until)
                self._do(ADVANCE, gpu, until)
            self._collect(gpu)
        self.now = end

    def run(self, windows: int = 2000) -> None:
        """Run until idle."""
        for _ in range(windows):
            if self.idle():
                break
            self.window()
        assert self.idle(), "still busy"
        assert not any(self.fault(gpu) for gpu in range(self.gpus))

    def _send(self, gpu: int, t: int, _: int, kind: Packet, address: int, data: bytes, mask: int, more: dict) -> None:
        row = self._row
        self.A.words[row : row + PACKET_WORDS] = 0
        words = {KIND: kind, ADDR: address, TAG: more.get("sm", 0) << 16 | more.get("tag", 0), OP: more.get("op", 0)}
        words |= {AUX: more.get("aux", 0), MASK_LO: signed(mask), MASK_HI: signed(mask >> 64)}
        targets = more.get("targets", [])
        words[COUNT] = len(targets)
        for word, value in words.items():
            self.A[row + word] = int(value)
        for at, payload in ((DATA, data), (TARGETS, np.array(targets, np.uint16).tobytes())):
            ctypes.memmove(self.A.address + 8 * (row + at), payload, len(payload))
        self._do(SERVE, gpu, t + 1)
        self._do(EGRESS, gpu, t, row)

    def _collect(self, gpu: int) -> None:
        results = self._results[gpu].words
        for i in range(int(results[0])):
            at = 1 + i * RESULT_WORDS
            head = [int(x) for x in results[at : at + 5]]
            self.replies[gpu].append(Reply(*head, results[at + 8 : at + 24].tobytes()))
        results[0] = 0


def address(gpu: int, offset: int) -> int:
    """Address of a byte of a GPU's memory."""
    return gpu_address(gpu, offset)


def row_register(gpu: int, region: int, row: int, offset: int = 0) -> int:
    """Register of a row store."""
    return gpu << 56 | region << 40 | row << 16 | offset
