"""What a host sets up in the hubs: row regions, multicast objects, gates, and the endings that close gates.

One `HubObjects` per machine keeps the numbers it has given out. All addresses are simulated. ValueError says what is
wrong with a request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from isa.instr import Kind
from isa.table import resolve

from .addresses import DYMULTIMEM_REGION, MULTIMEM_REGION, REGION_BITS
from .hub.aau import add_region
from .hub.dam import GROUPS_USED, add_gate
from .hub.multimem import DYNAMIC_MAX, OBJECTS_MAX, STAGE_BIT, add_multicast, add_object
from .layout import gpu_base
from .params import DAM_EARLY_RELEASE, DAM_ENTRIES

REGION_FIELD_BITS = 16
STAGES = 2
ROWS_ENDED = "row stores"
"""Name of the ending that launches with row stores announce."""


@dataclass
class Binding:
    """An expert of a dynamic multicast object: its GPU, a buffer per stage, and how many blocks they hold."""

    gpu: int
    buffers: tuple[int, ...]
    rows: int


@dataclass
class HubObjects:
    """Objects of one machine's hubs."""

    machine: Any
    multicasts: int = 0
    dynamics: int = 0
    endings: int = 0
    _open: dict[tuple[str, int], int] = field(default_factory=dict)
    """Endings that a gate waits for and no launch has taken on yet: (name, GPU) -> key."""
    _rows: dict[str, bool] = field(default_factory=dict)

    def rowsp(self, gpu: int, base: int, rows: int, row_bytes: int) -> int:
        """A region for row stores at `base` in a GPU's memory; returns its MallocID."""
        machine = self.machine
        if machine.gpu_of(base) != gpu:
            raise ValueError(f"the region is in the memory of GPU {machine.gpu_of(base)}, not of GPU {gpu}")
        region = add_region(machine.A, machine.P, gpu_base(gpu), base, row_bytes, rows)
        return gpu << REGION_FIELD_BITS | region

    def multicast(self, bases: dict[int, int], nbytes: int) -> int:
        """A multicast object over one buffer per GPU; returns its address."""
        index = self.multicasts
        if index >= OBJECTS_MAX:
            raise ValueError(f"a machine has {OBJECTS_MAX} multicast objects at most")
        self.multicasts += 1
        members = sum(1 << gpu for gpu in bases)
        for gpu in range(self.machine.gpus):
            add_multicast(self.machine.A, gpu_base(gpu), index, _signed(members), bases.get(gpu, 0), nbytes)
        return MULTIMEM_REGION + index << REGION_BITS

    def dymulticast(self, block_bytes: int, blocks: int, experts: list[Binding]) -> tuple[int, ...]:
        """A dynamic multicast object; returns the base addresses of its stages. Experts are numbered GPU by GPU."""
        machine, index = self.machine, self.dynamics
        if index >= DYNAMIC_MAX:
            raise ValueError(f"a machine has {DYNAMIC_MAX} dynamic multicast objects at most")
        per_gpu = len(experts) // machine.gpus
        if per_gpu * machine.gpus != len(experts) or per_gpu == 0:
            raise ValueError(f"{len(experts)} experts cannot be spread evenly over {machine.gpus} GPUs")
        for number, expert in enumerate(experts):
            if expert.gpu != number // per_gpu:
                raise ValueError(f"expert {number} must be on GPU {number // per_gpu}: {per_gpu} per GPU, in order")
        self.dynamics += 1
        for gpu in range(machine.gpus):
            table = machine.alloc(gpu, 4 * blocks * per_gpu, f"AL table {index}")
            local = experts[gpu * per_gpu : (gpu + 1) * per_gpu]
            bindings = [(e.buffers[0], e.buffers[-1], e.rows) for e in local]
            add_object(machine.A, gpu_base(gpu), index, block_bytes, blocks, len(experts), per_gpu, table, bindings)
        base = DYMULTIMEM_REGION + index << REGION_BITS
        return tuple(base | stage << STAGE_BIT for stage in range(STAGES))

    def gate(
        self,
        gpu: int,
        groups: int,
        threshold: int,
        watches: list[tuple[int, int, int, int, int, int]],
        closes_key: int = -1,
        expects_bytes: int = -1,
    ) -> int:
        """A gate of a GPU's DAM, see sim/hub/dam.py; returns its number."""
        A, P, g = self.machine.A, self.machine.P, gpu_base(gpu)
        if A[g + GROUPS_USED] + groups > P[DAM_ENTRIES]:
            raise ValueError(f"GPU {gpu} has counters for {P[DAM_ENTRIES]} thread block groups (dam.entries)")
        if not P[DAM_EARLY_RELEASE] and closes_key < 0 and expects_bytes < 0:
            raise ValueError("with dam.early_release = 0 a gate needs `closes` or `expects`: nothing else opens it")
        return add_gate(self.machine.A, gpu_base(gpu), groups, threshold, watches, closes_key, expects_bytes)

    # --- endings
    def closing_key(self, name: str, gpu: int) -> int:
        """Key of the ending a new gate of `gpu` waits for: the row stores of all GPUs, or a launch of kernel `name`."""
        if (name, gpu) not in self._open:
            key, self.endings = self.endings, self.endings + 1
            gpus = range(self.machine.gpus) if name == ROWS_ENDED else [gpu]
            for g in gpus:
                self._open[name, g] = key
        return self._open[name, gpu]

    def launch_keys(self, kernel: str, gpu: int) -> dict[str, int]:
        """Endings that a launch takes on, as options of `Machine.launch`."""
        options = {}
        if (kernel, gpu) in self._open:
            options["closes"] = self._open.pop((kernel, gpu))
        if self._stores_rows(kernel) and (ROWS_ENDED, gpu) in self._open:
            options["ending"] = self._open.pop((ROWS_ENDED, gpu))
        return options

    def unannounced(self) -> list[tuple[str, int]]:
        """Endings that gates wait for and no launch announces."""
        return sorted(self._open)

    def _stores_rows(self, kernel: str) -> bool:
        """Whether a kernel has row stores."""
        if kernel not in self._rows:
            image = self.machine.image
            k = image.kernel(kernel)
            names = {image.ops[int(i)] for i in image.op[k.entry : k.end]}
            self._rows[kernel] = any(resolve(name).kind == Kind.ROWSP_ST for name in names)
        return self._rows[kernel]


def _signed(bits: int) -> int:
    """A 64-bit set as the int64 with the same bits."""
    return bits - (1 << 64) if bits >> 63 else bits
