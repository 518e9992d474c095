"""What all statements of a host program share: names, the clocks of the host processes, the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isa.image import Kernel

from .errors import MachineError
from .host_expr import Buffer, DynamicObject, Expressions, Gate, HostError, Instance, suggest
from .hub_objects import HubObjects


@dataclass
class HostResult:
    """What a host program did.

    checks: name, ok, max_error, detail, rtol, atol, elements, at of each. log: what, at, gpu, start_ns and end_ns of
    everything that took host time. printed: its lines. time_ns: when the last host process was done.
    """

    checks: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    time_ns: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check["ok"] for check in self.checks)


class HostBase(ABC):
    """State of a running host program. One host process per GPU, each with a clock in ns."""

    def __init__(
        self,
        machine: Any,
        defines: dict[str, Any],
        progress: Callable[..., None] | None,
        output: Callable[[str], None],
        max_cycles: int | None,
    ) -> None:
        self.machine, self.config, self.defines = machine, machine.config, defines
        self.progress, self.output, self.max_cycles = progress, output, max_cycles
        self.names: dict[str, Any] = {"ngpus": machine.gpus, "seed": machine.seed}
        self.params: set[str] = set()
        self.fetched: dict[tuple[str, int], Any] = {}
        """Buffers the host has a copy of, as they were when fetched: (name, GPU) -> array."""
        self.expressions = Expressions(self.names, self.config, self.read_value)
        self.hub = HubObjects(machine)
        self.clock = [0.0] * machine.gpus
        self.result = HostResult()
        self.folder = Path(machine.image.files[0]).parent if machine.image.files else Path()

    @abstractmethod
    def read_value(self, instance: Instance, index: int, at: Any) -> int | float:
        """`read(buffer@gpu, index)`."""

    def error(self, message: str, hint: str = "") -> HostError:
        """A mistake at the current statement."""
        return self.expressions.error(message, hint)

    def place(self, statement: Any) -> Any:
        """(file, line, column) of a statement, or None."""
        at = statement.get("at")
        if at and isinstance(at[0], int):
            files = self.machine.image.files
            return (files[at[0]] if at[0] < len(files) else "", at[1], at[2])
        return tuple(at) if at else None

    def define(self, name: str, value: Any) -> None:
        """Give a name a value. Values of `let` may change, other names keep their meaning."""
        old = self.names.get(name)
        fixed = name in ("ngpus", "seed", "gpu") or name in self.params
        if fixed or isinstance(old, Buffer | Gate | DynamicObject):
            raise self.error(f"`{name}` already has a meaning and cannot be redefined")
        self.names[name] = value

    def kernel(self, name: str) -> Kernel:
        """A kernel of the program."""
        try:
            return self.machine.image.kernel(name)
        except KeyError:
            names = [k.name for k in self.machine.image.kernels]
            hint = suggest(name, names) or f"kernels: {', '.join(names) or 'none'}"
            raise self.error(f"there is no kernel `{name}`", hint) from None

    # --- GPUs
    def gpus_of(self, on: Any) -> list[int]:
        """GPUs of an `on` clause; None and "all" mean all of them."""
        return list(range(self.machine.gpus)) if on in (None, "all") else [self.expressions.gpu(on)]

    def on_gpu(self, gpu: int, action: Callable[..., Any], *arguments: Any) -> Any:
        """Do something for a GPU: `gpu` is its number, bare buffer names mean its instance."""
        outer = self.names.get("gpu")
        self.names["gpu"] = gpu
        try:
            return action(*arguments)
        finally:
            del self.names["gpu"]
            if outer is not None:
                self.names["gpu"] = outer

    # --- time
    def wait(
        self, gpus: Iterable[int], statement: Any, what: str, cost_ns: float = 0, stream: int | None = None
    ) -> None:
        """Simulate until the GPUs have done their work (that of one stream); their processes go on `cost_ns` after that."""
        gpus = sorted(gpus)
        launches = self.machine.launches
        asked = [k for k in launches.log if k.gpu in gpus and stream in (None, k.stream)]
        if any(not launch.done for launch in asked):
            self._simulate(None if stream is None else lambda: launches.all_done(asked))
        for gpu in gpus:
            begin = self.clock[gpu]
            done = self.config.ns(max((k.end for k in asked if k.gpu == gpu), default=0))
            self.spend(gpu, what, statement, max(begin, done) - begin + cost_ns)

    def _simulate(self, until: Callable[[], bool] | None) -> None:
        waiting = self.hub.unannounced()
        try:
            self.machine.run(progress=self.progress, max_cycles=self.max_cycles, until=until)
        except MachineError as error:
            for name, gpu in waiting[:8]:
                error.notes.append(f"a gate of GPU {gpu} waits for the end of {name}, which no launch has announced")
            raise

    def spend(self, gpu: int, what: str, statement: Any, cost_ns: float) -> None:
        """Host time of one process."""
        if cost_ns <= 0:
            return
        begin = self.clock[gpu]
        self.clock[gpu] += cost_ns
        place = self.place(statement) if statement else None
        self.result.log.append({"what": what, "at": place, "gpu": gpu, "start_ns": begin, "end_ns": self.clock[gpu]})
