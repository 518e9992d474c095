"""Launches of a machine: the queue the work distributor reads, and the record of what ran when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import state as st
from .dispatch import DONE, EMPTY, QUEUED
from .errors import MachineError
from .layout import gpu_base
from .load import dynamic_offset
from .memory import Bytes
from .params import KERNEL_GAP, MAX_CTAS, MAX_WARPS, REGISTERS, SMEM_BYTES, SMEM_RESERVED_BYTES

if TYPE_CHECKING:
    from .machine import Machine

PARAM_BYTES = 4096
_REGISTER_UNIT, _REGISTER_MAX, _REGISTER_FILE = 8, 255, 65536
"""Registers of sm_90 (PTX ISA 9.0, maxnreg)."""
_REGISTERS_RESERVED = 3
"""The stack pointer, and two that ptxas counts beyond the highest number in use (cuobjdump -res-usage for sm_90)."""


@dataclass
class Launch:
    """A launch: what was asked for; begin and end (cycles) once it is done."""

    id: int
    gpu: int
    name: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    stream: int
    slot: int
    ctas: int
    begin: int = -1
    end: int = -1
    instructions: int = 0
    done: bool = False


@dataclass
class Launches:
    """All launches of a machine, in order."""

    machine: "Machine"
    log: list[Launch] = field(default_factory=list)
    _last: dict[tuple[int, int], Launch] = field(default_factory=dict)
    _params: list[Bytes] = field(default_factory=list)
    _workspaces: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._params = [Bytes(st.LAUNCHES * PARAM_BYTES) for _ in range(self.machine.gpus)]

    def add(
        self,
        gpu: int,
        kernel: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        *,
        shared: int = 0,
        params: bytes = b"",
        stream: int = 0,
        after: Iterable[int] = (),
        ready: int = 0,
        gate: int | None = None,
        axis: int = 0,
        ending: int | None = None,
        closes: int | None = None,
        cluster: tuple[int, int, int] | None = None,
        cooperative: bool = False,
        stack: int = 0,
    ) -> int:
        """Queue a launch.

        ``shared``: dynamic bytes; ``ready``: earliest cycle; ``after``: streams whose launches so far must have ended;
        ``gate``: DAM gate whose groups (index on ``axis``) release thread blocks; ``cluster``: CTAs of a cluster by axis;
        ``cooperative``: all thread blocks must fit on the GPU at once; ``stack``: least local memory per thread;
        ``ending``/``closes``: key that all GPUs / only this one hear at its end. MachineError if it cannot run here.
        """
        machine, k = self.machine, self.machine.kernel(kernel)
        self._check(gpu, k, grid, block, shared, params, gate, axis, stack)
        explicit = cluster or k.cluster
        clusters = explicit or (1, 1, 1)
        self._check_cluster(gpu, k, grid, clusters, gate)
        self._check_cooperative(gpu, k, grid, block, shared, gate, cooperative)
        slot, A = self._slot(gpu), machine.A
        at = gpu_base(gpu) + slot
        launch = Launch(len(self.log), gpu, kernel, grid, block, stream, slot, grid[0] * grid[1] * grid[2])
        before, ready = self._order(self._last.get((gpu, stream)), max(ready, machine.now))
        ready = self._events(gpu, slot, after, ready)
        warps, static = _extent(k, block, shared)
        values = {
            st.LAUNCH_AFTER: before, st.LAUNCH_READY: ready, st.LAUNCH_BEGIN: 0, st.LAUNCH_END: 0, st.LAUNCH_PC: k.entry,
            st.GRID_X: grid[0], st.GRID_Y: grid[1], st.GRID_Z: grid[2],
            st.BLOCK_X: block[0], st.BLOCK_Y: block[1], st.BLOCK_Z: block[2],
            st.CLUSTER_X: clusters[0], st.CLUSTER_Y: clusters[1], st.CLUSTER_Z: clusters[2],
            st.CLUSTER_EXPLICIT: int(explicit is not None), st.LAUNCH_WARPS: warps,
            st.LAUNCH_SHARED: static + shared, st.LAUNCH_STATIC: static,
            st.LAUNCH_REGISTERS: warp_registers(k),
            st.LAUNCH_LOCAL: max(k.local_bytes, stack), st.LAUNCH_PARAMS: self._keep(gpu, slot, params),
            st.LAUNCH_PARAM_BYTES: len(params), st.LAUNCH_TOTAL: launch.ctas, st.LAUNCH_STARTED: 0, st.LAUNCH_DONE: 0,
            st.LAUNCH_GATE: 0 if gate is None else gate + 1, st.LAUNCH_AXIS: axis,
            st.LAUNCH_ENDING: 0 if ending is None else ending + 1, st.LAUNCH_CLOSES: 0 if closes is None else closes + 1,
            st.LAUNCH_WORKSPACE: self._workspace(gpu, slot) if cooperative else 0,
            st.LAUNCH_ID: launch.id, st.LAUNCH_INSTRUCTIONS: 0, st.LAUNCH_GROUP_FIRST: 0, st.LAUNCH_STATE: QUEUED,
        }  # fmt: skip
        for word, value in values.items():
            A[at + word] = value
        A.words[(groups := gpu_base(gpu) + st.LAUNCH_GROUP + slot * st.GROUPS) : groups + st.GROUPS] = 0
        self.log.append(launch)
        self._last[gpu, stream] = launch
        return launch.id

    def regions(self) -> dict[str, Any]:
        """Memory of the launches' parameters, by name."""
        return {f"params{gpu}": memory.array for gpu, memory in enumerate(self._params)}

    def _keep(self, gpu: int, slot: int, params: bytes) -> int:
        """Host address of the parameters, kept where the launch will find them."""
        memory = self._params[gpu]
        memory.array[slot * PARAM_BYTES : slot * PARAM_BYTES + len(params)] = np.frombuffer(params, np.uint8)
        return memory.address + slot * PARAM_BYTES

    def _workspace(self, gpu: int, slot: int) -> int:
        """Memory in which the thread blocks of a grid count those that arrived at its barrier.

        Its words as on an H100: size in bytes, the barrier's counter, 1, 0.
        """
        if (gpu, slot) not in self._workspaces:
            self._workspaces[gpu, slot] = self.machine.alloc(gpu, 16, "grid workspace")
        address = self._workspaces[gpu, slot]
        self.machine.write(address, np.array([16, 0, 1, 0], np.uint32))
        return address

    def _order(self, previous: Launch | None, ready: int) -> tuple[int, int]:
        """Slot + 1 of the launch to wait for (0: none) and the earliest cycle."""
        if previous is None:
            return 0, ready
        self.settle()
        if previous.done:
            return 0, max(ready, previous.end + int(self.machine.P[KERNEL_GAP]))
        return previous.slot + 1, ready

    def _events(self, gpu: int, slot: int, streams: Iterable[int], ready: int) -> int:
        """The launch in a slot follows what streams got so far; returns the earliest cycle."""
        halves = [0, 0]
        for stream in streams:
            before, ready = self._order(self._last.get((gpu, stream)), ready)
            if before:
                halves[(before - 1) // 63] |= 1 << (before - 1) % 63
        for half, bits in enumerate(halves):
            self.machine.A[gpu_base(gpu) + st.LAUNCH_EVENTS + 2 * slot + half] = bits
        return ready

    def _slot(self, gpu: int) -> int:
        """A free place in the GPU's queue."""
        self.settle()
        A, g = self.machine.A, gpu_base(gpu)
        used = {launch.slot for launch in self.log if launch.gpu == gpu and not launch.done}
        for slot in range(st.LAUNCHES):
            if slot not in used:
                A[g + st.LAUNCH_STATE + slot] = EMPTY
                A[g + st.LAUNCH_COUNT] = max(A[g + st.LAUNCH_COUNT], slot + 1)
                return slot
        raise MachineError(f"more than {st.LAUNCHES} launches wait on GPU {gpu}; add a `sync`", 2)

    def _check(
        self,
        gpu: int,
        k: Any,
        grid: Any,
        block: Any,
        shared: int,
        params: bytes,
        gate: int | None,
        axis: int,
        stack: int,
    ) -> None:
        P = self.machine.P
        threads = block[0] * block[1] * block[2]
        warps, static = _extent(k, block, shared)
        limits = [
            (min(grid) >= 1 and min(block) >= 1, f"grid {grid} or block {block} is empty"),
            (threads <= 1024, f"{threads} threads per block are more than 1024"),
            (len(params) <= PARAM_BYTES, f"{len(params)} bytes of parameters are more than {PARAM_BYTES}"),
            (k.nregs <= st.MAX_SLOTS, f"{k.nregs} registers per thread are more than the {st.MAX_SLOTS} of the model"),
            (
                k.npreds <= st.MAX_PREDICATES,
                f"{k.npreds} predicates are more than the {st.MAX_PREDICATES} of the model",
            ),
            (
                max(k.local_bytes, stack) <= st.LOCAL_LANE_BYTES,
                f"{max(k.local_bytes, stack)} bytes of local memory per thread are more than {st.LOCAL_LANE_BYTES}",
            ),
            (
                static + shared + P[SMEM_RESERVED_BYTES] <= P[SMEM_BYTES],
                f"{static + shared} bytes of shared memory per block; an SM has {P[SMEM_BYTES] - P[SMEM_RESERVED_BYTES]}",
            ),
            (
                warps * warp_registers(k) <= P[REGISTERS] and warps <= P[MAX_WARPS] and P[MAX_CTAS] > 0,
                f"{threads} threads with {k.pressure} registers do not fit on an SM",
            ),
            (gate is None or grid[axis] <= st.GROUPS, f"a gated launch has at most {st.GROUPS} groups"),
        ]
        for ok, message in limits:
            if not ok:
                raise MachineError(f"`{k.name}` cannot be launched on GPU {gpu}: {message}", 2)

    def _check_cluster(
        self, gpu: int, k: Any, grid: tuple[int, int, int], cluster: tuple[int, int, int], gate: int | None
    ) -> None:
        size = cluster[0] * cluster[1] * cluster[2]
        limits = [
            (min(cluster) >= 1 and size <= st.CLUSTER_CTAS, f"a cluster of {cluster}: it has 1 to {st.CLUSTER_CTAS} CTAs"),
            (k.cluster in (None, cluster), f"a cluster of {cluster}, the kernel says {k.cluster}"),
            (all(n % max(c, 1) == 0 for n, c in zip(grid, cluster, strict=True)),
             f"the grid {grid} is not a multiple of the cluster {cluster}"),
            (size == 1 or gate is None, "a gated launch has no clusters"),
        ]  # fmt: skip
        for ok, message in limits:
            if not ok:
                raise MachineError(f"`{k.name}` cannot be launched on GPU {gpu}: {message}", 2)

    def _check_cooperative(
        self, gpu: int, k: Any, grid: Any, block: Any, shared: int, gate: int | None, cooperative: bool
    ) -> None:
        if not cooperative:
            return
        P = self.machine.P
        warps, static = _extent(k, block, shared)
        per_sm = min(
            P[MAX_CTAS],
            P[MAX_WARPS] // warps,
            P[REGISTERS] // (warps * warp_registers(k)),
            P[SMEM_BYTES] // max(1, static + shared + P[SMEM_RESERVED_BYTES]),
        )
        ctas, room = grid[0] * grid[1] * grid[2], per_sm * self.machine.sms
        if ctas > room or gate is not None:
            why = f"{ctas} thread blocks do not fit on the GPU at once, {room} do" if gate is None else "it is gated"
            raise MachineError(f"`{k.name}` cannot be launched cooperatively on GPU {gpu}: {why}", 2)

    def settle(self) -> None:
        """Take over what is known about launches that are done."""
        A = self.machine.A
        for launch in self.log:
            if launch.done:
                continue
            at = gpu_base(launch.gpu) + launch.slot
            if A[at + st.LAUNCH_STATE] == DONE:
                launch.done = True
                launch.begin, launch.end = A[at + st.LAUNCH_BEGIN], A[at + st.LAUNCH_END]
                launch.instructions = A[at + st.LAUNCH_INSTRUCTIONS]

    def all_done(self, launches: Iterable[Launch]) -> bool:
        """Whether these launches are done."""
        self.settle()
        return all(launch.done for launch in launches)

    def pending(self) -> bool:
        """Whether a launch is queued or running."""
        return any(not launch.done for launch in self.log)

    def last_end(self, gpu: int) -> int:
        """Cycle at which the GPU's last launch ended, 0 if it had none."""
        return max((launch.end for launch in self.log if launch.gpu == gpu and launch.done), default=0)

    def blocks(self) -> tuple[int, int]:
        """Thread blocks finished and launched."""
        A = self.machine.A
        total = sum(launch.ctas for launch in self.log)
        done = 0
        for launch in self.log:
            done += launch.ctas if launch.done else A[gpu_base(launch.gpu) + launch.slot + st.LAUNCH_DONE]
        return done, total


def _extent(k: Any, block: tuple[int, int, int], shared: int) -> tuple[int, int]:
    """Warps of a thread block, and bytes of shared memory in front of the ``shared`` dynamic ones."""
    return -(-block[0] * block[1] * block[2] // 32), dynamic_offset(k.shared_bytes) if shared else k.shared_bytes


def warp_registers(k: Any) -> int:
    """Registers of the register file that a warp takes: as the hardware allocates them, in units of eight per thread.

    A kernel that says how large its thread blocks are (.reqntid, .maxntid) gets no more than let one of them run, as from
    ptxas; its warps may change their share later (setmaxnreg).
    """
    per_thread = -(-min(_REGISTER_MAX, k.pressure + _REGISTERS_RESERVED) // _REGISTER_UNIT) * _REGISTER_UNIT
    if declared := k.reqntid or k.maxntid:
        warps = -(-declared[0] * declared[1] * declared[2] // 32)
        per_thread = min(per_thread, _REGISTER_FILE // (32 * warps) // _REGISTER_UNIT * _REGISTER_UNIT)
    return 32 * max(16, per_thread)
