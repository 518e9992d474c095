"""The machine: N GPUs with memory, launches and statistics. What the host program and Python callers use."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isa.image import Image, Kernel
from traces.capture import Capture
from traces.writer import TraceWriter

from . import state as st
from .addresses import MAX_GPUS, REGION_BITS, gpu_address
from .checkpoint import Journal
from .core import run as core_run
from .errors import LimitReached, MachineError
from .far import check_links, link
from .functional import run as functional_run
from .interrupt import Interrupt
from .ir import compile_ops, library
from .launches import Launches
from .layout import HUB_BLOCK, L2_BLOCK, gpu_base
from .load import Program, pack
from .memory import Allocation, Bytes, GpuMemory
from .opaque import Opaque
from .params import BLOCKS, FN_SERVICE, LIBRARY, PARAMS, SMS
from .places import forget
from .raw import BIG, Arena
from .reports import deadlock, fault, polling
from .runtime import Runtime, needed
from .statistics import collect
from .tracing import Tracer, trace_meta
from .translate import Translator

_SLICE_SECONDS = 0.1
_LARGE_WARP = 1 << 14
"""Bytes of registers of a warp from which on an SM holds so few of them."""
_POLL_CYCLES = 200_000
"""Cycles without any effect, all warps polling, after which the run counts as stuck."""


@dataclass
class Progress:
    """Passed to the progress callback about ten times a second."""

    cycles: int
    instructions: int
    done: int
    total: int
    """Thread blocks finished and launched."""


class Machine:
    """A machine of ``gpus`` GPUs that holds one program. Addresses are simulated, sizes bytes, times SM cycles.

    ``trace``: directory for a trace, of what ``capture`` lets pass; ``ring``: record without keeping anything.
    ``output`` gets the text that device code prints; default: standard output.
    """

    def __init__(
        self,
        image: Image,
        config: Any,
        *,
        gpus: int = 1,
        seed: int = 0,
        trace: str | Path | None = None,
        capture: Capture | None = None,
        program: str = "",
        ring: bool = False,
        output: Callable[[str], object] | None = None,
        threads: int = 1,
        functional: bool = False,
    ) -> None:
        if not 1 <= gpus <= MAX_GPUS:
            raise MachineError(f"a machine has 1 to {MAX_GPUS} GPUs, not {gpus}", 2)
        self.image, self.config, self.gpus, self.seed = image, config, gpus, seed
        self.threads = max(1, min(threads, gpus))
        self.P = Arena(len(PARAMS))
        self.P.words[:] = 0
        values = config.params(gpus)
        self.P.words[: len(values)] = values
        link(self.P, (functional_run if functional else core_run,))
        addresses = library()
        for name, word in LIBRARY.items():
            self.P[word] = addresses[name]
        self.code = pack(image, config.timing, compile_ops)
        self.sms = int(self.P[SMS])
        self._new_state(functional)
        self.journal = Journal(None)
        self._translator = Translator(image, self.code) if functional else None
        if self._translator:
            self.P[BLOCKS] = self._translator.address
        self.launches = Launches(self)
        self.opaque: Opaque | None = None
        self._load_module()
        self.runtime = Runtime(self, output) if needed(image) else None
        if self.runtime:
            self.P[FN_SERVICE] = self.runtime.address
        self.wall_s = 0.0
        self.tracer: Tracer | None = None
        if trace is not None or ring:
            what = capture or Capture()
            writer = TraceWriter(trace, trace_meta(self, program), what) if trace is not None else None
            self.tracer = Tracer(self, writer, what)

    @property
    def program(self) -> Program:
        """The loaded program."""
        return self.code.program

    @property
    def functional(self) -> bool:
        """Whether only results are computed, no time."""
        return bool(self.A[st.FUNCTIONAL])

    def _new_state(self, functional: bool) -> None:
        """The arena: blocks of machine, GPUs and SMs, scoreboards, then the packed program."""
        code, count = self.code, self.gpus * self.sms
        sm_arena = st.MACHINE_WORDS + self.gpus * st.GPU_WORDS
        cold_arena = sm_arena + count * st.SM_WORDS
        scores = cold_arena + count * st.COLD_WORDS
        score_words = 1 + self.program.predicates + self.program.slots
        code_at = scores + count * st.WARPS * score_words
        side_at = code_at + code.rows.size
        self.A = A = Arena(side_at + code.side.size + 8)
        A.words[code_at:side_at] = code.rows.reshape(-1)
        A.words[side_at : side_at + code.side.size] = code.side
        self.pool = Bytes(len(code.pool) + 256)
        self.pool.array[: len(code.pool)] = np.frombuffer(code.pool, np.uint8)
        A[st.GPUS], A[st.SM_ARENA], A[st.CODE], A[st.SIDE] = self.gpus, sm_arena, code_at, side_at
        A[st.CONSTS], A[st.FUNCTIONAL] = self.pool.address, int(functional)
        A[st.COLD_ARENA], A[st.SCORE_WORDS], A[st.REGISTER_BYTES] = cold_arena, score_words, self.program.register_bytes
        self._new_memory()
        self._started: set[int] = set()
        for gpu in range(self.gpus):
            self._new_sms(gpu)

    def _new_sms(self, gpu: int) -> None:
        """First words of the SMs of a GPU."""
        scores = self.A[st.COLD_ARENA] + self.gpus * self.sms * st.COLD_WORDS
        score_words, cold_arena = self.A[st.SCORE_WORDS], self.A[st.COLD_ARENA]
        index = np.arange(gpu * self.sms, (gpu + 1) * self.sms)
        sm = self.sm_words()[index[0] : index[-1] + 1]
        sm[:, st.WAKE : st.WAKE + st.WARPS] = BIG
        sm[:, st.NEXT] = sm[:, st.MAIL_NEXT] = BIG
        sm[:, st.SM_INDEX] = index % self.sms
        sm[:, st.COLD] = cold_arena + index * st.COLD_WORDS
        sm[:, st.SM_SCORES] = scores + index * st.WARPS * score_words
        sm[:, st.SM_REGS] = self._registers.address + index * st.WARPS * self.program.register_bytes
        sm[:, st.SM_SHARED] = self._shared.address + index * st.SM_SHARED_BYTES
        sm[:, st.SM_LOCAL] = self._local.address + index * st.WARPS * 32 * st.LOCAL_LANE_BYTES
        sm[:, st.SM_RETURNS] = self._returns.address + index * st.WARPS * 32 * st.CALL_DEPTH * 4

    def start(self, gpu: int) -> None:
        """Before the first launch on a GPU: its SMs get large pages, which idle ones do without."""
        if gpu in self._started or self.functional:
            return
        self._started.add(gpu)
        first, count = self.A[st.SM_ARENA] + gpu * self.sms * st.SM_WORDS, self.sms * st.SM_WORDS
        forget(self.A.address + 8 * first, 8 * count)
        self.A.keep_together(first, count)
        self._new_sms(gpu)
        scores = self.A[self.A[st.SM_ARENA] + gpu * self.sms * st.SM_WORDS + st.SM_SCORES]
        self.A.keep_together(scores, self.sms * st.WARPS * self.A[st.SCORE_WORDS])

    def _new_memory(self) -> None:
        """Host memory behind registers, shared and local memory, and the GPUs' memories."""
        count = self.gpus * self.sms
        few = (
            self.program.register_bytes > _LARGE_WARP
        )  # such kernels fill few of the slots: large pages would be wasted
        self._registers = Bytes(count * st.WARPS * self.program.register_bytes, dense=not few)
        self._shared = Bytes(count * st.SM_SHARED_BYTES)
        self._local = Bytes(count * st.WARPS * 32 * st.LOCAL_LANE_BYTES)
        self._returns = Bytes(count * st.WARPS * 32 * st.CALL_DEPTH * 4)
        self.memory = [GpuMemory(gpu, self.config["memory.bytes"]) for gpu in range(self.gpus)]
        for gpu, memory in enumerate(self.memory):
            g = gpu_base(gpu)
            self.A.keep_together(g + L2_BLOCK, HUB_BLOCK - L2_BLOCK)
            self.A[g + st.MEMORY], self.A[g + st.LINE_LIMIT] = memory.data.address, memory.limits.address
            self.A[g + st.MEMORY_LINES] = memory.capacity // 128

    def sm_words(self) -> Any:
        """State of all SMs: int64 [gpus * SMs, words of an SM]."""
        first = self.A[st.SM_ARENA]
        count = self.gpus * self.sms
        return self.A.words[first : first + count * st.SM_WORDS].reshape(count, st.SM_WORDS)

    def _load_module(self) -> None:
        """Module variables: at the same offset on every GPU."""
        if self.program.module_bytes == 0:
            return
        for gpu, memory in enumerate(self.memory):
            address = memory.alloc(self.program.module_bytes, "module variables")
            assert address & ((1 << REGION_BITS) - 1) == Program.MODULE_OFFSET
            data = np.frombuffer(self.program.module_data(gpu), np.uint8)
            memory.view(address, data.size)[:] = data

    # --- memory
    def alloc(self, gpu: int, nbytes: int, name: str = "", opaque: bool = False) -> int:
        """Allocate zeroed memory on a GPU; ``opaque``: it is never stored (sim/opaque.py). MemoryError when it is full."""
        address = self.memory[gpu].alloc(nbytes, name, opaque)
        if opaque:
            self.opaque = self.opaque or Opaque(self)
            self.opaque.add(gpu, address, nbytes)
        return address

    @property
    def shared_address(self) -> int:
        """Host address of the first SM's shared memory."""
        return self._shared.address

    def gpu_of(self, address: int) -> int:
        """The GPU that owns an address. ValueError if none does."""
        gpu = (address >> REGION_BITS) - 1
        if not 0 <= gpu < self.gpus:
            raise ValueError(f"address {address:#x} is not in the memory of a GPU")
        return gpu

    def write(self, address: int, data: Any) -> None:
        """Copy bytes or an array to simulated memory."""
        raw = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.ascontiguousarray(data).view(np.uint8)
        self.memory[self.gpu_of(address)].view(address, raw.size)[:] = raw.reshape(-1)

    def view(self, address: int, nbytes: int) -> Any:
        """Bytes of simulated memory, as they are there."""
        return self.memory[self.gpu_of(address)].view(address, nbytes)

    def read(self, address: int, nbytes: int) -> bytes:
        """Bytes of simulated memory, as the host gets them."""
        return self.journal.read(self, address, nbytes)

    def regions(self) -> dict[str, Any]:
        """All memory in which the state of the machine lies, by name."""
        found = {"arena": self.A.words, "registers": self._registers.array, "shared": self._shared.array}
        found |= {"local": self._local.array, "returns": self._returns.array}
        for gpu, memory in enumerate(self.memory):
            found |= {f"memory{gpu}": memory.data.array, f"limits{gpu}": memory.limits.array}
        return found | self.launches.regions() | (self.opaque.regions() if self.opaque else {})

    def nearest(self, address: int) -> Allocation | None:
        """The allocation at or next to an address."""
        try:
            return self.memory[self.gpu_of(address)].nearest(address)
        except ValueError:
            return None

    def symbol(self, name: str, gpu: int = 0) -> tuple[int, int]:
        """Address and size (bytes) of a module variable; KeyError."""
        for index, offset in self.program.offsets.items():
            if self.image.symbols[index].name == name:
                return gpu_address(gpu, offset), self.image.symbols[index].size
        raise KeyError(f"no variable `{name}` in global or constant memory")

    def kernel(self, name: str) -> Kernel:
        """The kernel of that name; KeyError."""
        return self.image.kernel(name)

    # --- running
    @property
    def now(self) -> int:
        """Cycle up to which the machine has been simulated."""
        return int(self.A[st.NOW])

    @property
    def cycles(self) -> dict[int, int]:
        """Per GPU: the cycle at which its last launch ended."""
        return {gpu: self.launches.last_end(gpu) for gpu in range(self.gpus)}

    def launch(
        self, gpu: int, kernel: str, grid: tuple[int, int, int], block: tuple[int, int, int], **options: Any
    ) -> int:
        """Queue a launch; see `Launches.add`. Returns its number."""
        self.start(gpu)
        return self.launches.add(gpu, kernel, grid, block, **options)

    def run(
        self,
        progress: Callable[[Progress], None] | None = None,
        max_cycles: int | None = None,
        until: Callable[[], bool] | None = None,
    ) -> None:
        """Simulate until all launches are done, or to the end of the window in which ``until`` becomes true. Raises
        MachineFault, Deadlock or LimitReached."""
        if not self.launches.pending():
            return
        begin = time.perf_counter()
        try:
            if self.journal.begins(self):
                with Interrupt(self.journal.path is not None) as interrupt:
                    self._run(progress, max_cycles if max_cycles is not None else BIG, interrupt, until)
                self.launches.settle()
                self.journal.ended(self)
        finally:
            self.wall_s += time.perf_counter() - begin
            self.launches.settle()

    def _run(
        self,
        progress: Callable[[Progress], None] | None,
        limit: int,
        interrupt: Interrupt,
        until: Callable[[], bool] | None,
    ) -> None:
        for gpu in range(self.gpus):  # new launches, and what the host set up: every GPU looks again
            self.A[gpu_base(gpu) + st.GPU_NEXT] = self.A[gpu_base(gpu) + st.GPU_NEXT + 1] = 0
        windows = 16 if until is None else 1
        while True:
            before = time.perf_counter()
            self._run_slice(windows, limit)
            check_links()
            took = time.perf_counter() - before
            if until is None:
                windows = max(1, min(1 << 16, round(windows * _SLICE_SECONDS / max(took, 1e-4))))
            stop = st.Stop(self.A[st.STOP])
            if self.tracer:
                self.tracer.drain()
            if self.runtime:
                self._drain_runtime(self.runtime, stop)
            if progress:
                progress(self._progress())
            ended = stop not in (st.Stop.SLICE, st.Stop.DRAIN)
            if self.runtime and self.runtime.assertions and (ended or polling(self, _POLL_CYCLES)):
                raise self.runtime.failure()
            if stop == st.Stop.DONE or (until is not None and stop == st.Stop.SLICE and until()):
                return
            if stop == st.Stop.FAULT:
                raise fault(self)
            if stop == st.Stop.LIMIT or interrupt.wanted:
                self.journal.save(self)
            if interrupt.wanted:
                raise KeyboardInterrupt
            if stop == st.Stop.LIMIT:
                raise LimitReached(f"stopped at the limit of {limit} cycles", 6)
            if stop == st.Stop.DEADLOCK or polling(self, _POLL_CYCLES):
                raise deadlock(self)

    def _drain_runtime(self, runtime: Runtime, stop: st.Stop) -> None:
        """Pass on what was printed, and what went wrong in the runtime."""
        runtime.flush(self.now if stop in (st.Stop.SLICE, st.Stop.DRAIN) else BIG)
        if runtime.error is not None:
            raise runtime.error

    def _run_slice(self, windows: int, limit: int) -> None:
        """A slice of about a tenth of a second, on all host threads (functional mode: on one)."""
        if self._translator:
            functional_run(self.A, self.P, windows)
            self._translator.update()
            return
        others = [
            threading.Thread(target=core_run, args=(self.A, self.P, i, self.threads, windows, limit))
            for i in range(1, self.threads)
        ]
        for thread in others:
            thread.start()
        core_run(self.A, self.P, 0, self.threads, windows, limit)
        for thread in others:
            thread.join()

    def _progress(self) -> Progress:
        done, total = self.launches.blocks()
        return Progress(self.now, self.instructions, done, total)

    # --- results
    @property
    def instructions(self) -> int:
        """Warp instructions issued so far."""
        return int(self.sm_words()[:, st.INSTRUCTIONS].sum())

    def stats(self) -> dict[str, Any]:
        """Statistics per GPU and kernel, as the summary and the JSON output want them."""
        return collect(self)

    def memory_hash(self) -> str:
        """Digest of all allocated memory of all GPUs."""
        digest = hashlib.sha256()
        for memory in self.memory:
            for first, end in memory.stored():
                digest.update(memory.data.array[first:end])
        return digest.hexdigest()

    def stats_hash(self) -> str:
        """Digest of the statistics."""
        return hashlib.sha256(json.dumps(self.stats(), sort_keys=True).encode()).hexdigest()

    def close_trace(self, **meta: Any) -> dict[str, Any] | None:
        """Finish the trace directory; what was written, or None without a trace."""
        return self.tracer.close(**meta) if self.tracer else None
