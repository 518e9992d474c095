"""The host program: interprets the `.host` block of a program on a machine, and charges the time the host needs.

A program is ``{"name": …, "statements": [{"stmt": "launch", "at": [file, line, column], …}, …]}``; host_expr.py has
the expressions, host_buffers.py and host_hub.py the statements about memory and hubs.

Time. There is one host process per GPU, as in a distributed job, each with its own clock: ``launch … on all`` costs
every process one call, at the same time. Launches are asynchronous; ``sync``, ``read``, ``copy`` and ``check`` wait for
the work of the GPUs they concern. Allocating and filling buffers, and checking, take no simulated time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .host_base import HostResult
from .host_buffers import BufferStatements
from .host_expr import Gate, HostError, kind_of, suggest
from .host_hub import HubStatements
from .host_launch import pack_parameters

__all__ = ["HostError", "HostResult", "run_host"]

AXES = {"x": 0, "y": 1, "z": 2}


def run_host(
    machine: Any,
    program: Mapping[str, Any],
    defines: Mapping[str, Any] | None = None,
    *,
    progress: Callable[..., None] | None = None,
    output: Callable[[str], None] = print,
    max_cycles: int | None = None,
) -> HostResult:
    """Run a host program. `defines` are the `-D` values; `output` gets the lines it prints.

    Raises HostError for mistakes in the program; MachineFault, Deadlock and LimitReached come from the machine.
    """
    return Host(machine, dict(defines or {}), progress, output, max_cycles).run(program)


def host_rows(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the host did, as summary and trace show it; what all host processes do at one time is one row."""
    rows: dict[tuple[str, int, int], set[int]] = {}
    for row in log:
        rows.setdefault((row["what"], round(row["start_ns"]), round(row["end_ns"])), set()).add(row["gpu"])
    return [
        {"what": what + (f" on {len(gpus)} GPUs" if len(gpus) > 1 else ""), "t_ns": start, "dt_ns": end - start}
        for (what, start, end), gpus in rows.items()
    ]


class Host(BufferStatements, HubStatements):
    """A running host program: order of statements, parameters, launches, waiting."""

    def run(self, program: Mapping[str, Any]) -> HostResult:
        """Run all statements, then wait for what was launched."""
        statements = program.get("statements", [])
        if number := program.get("file", 0):  # of several modules, that of the host program says where files are
            self.folder = Path(self.machine.image.files[number]).parent
        self._check_defines(statements, set(program.get("sets", ())))
        self._block(statements)
        self.wait(range(self.machine.gpus), None, "end")
        self.result.time_ns = max(self.clock)
        return self.result

    def _check_defines(self, statements: list[Any], sets: set[str]) -> None:
        """Every `-D` name must be a parameter of the host program or a `.set` of the source."""
        params = [s["name"] for s in _walk(statements) if s["stmt"] == "param"]
        for name in self.defines:
            if name not in sets and name not in params:
                hint = suggest(name, [*params, *sets]) or f"its parameters: {', '.join(params) or 'none'}"
                raise HostError(f"-D {name}: the program has no such parameter", None, hint)

    def _block(self, statements: list[Any]) -> None:
        """Run statements in order."""
        for statement in statements:
            self.expressions.at = self.place(statement)
            method = getattr(self, f"_do_{statement['stmt']}", None)
            if method is None:
                raise self.error(f"unknown statement `{statement['stmt']}`")
            try:
                method(statement)
            except (ValueError, MemoryError) as error:
                raise self.error(str(error)) from None

    # --- values
    def _do_param(self, s: Any) -> None:
        default = self.expressions.value(s["value"])
        value = self.defines.get(s["name"], default)
        if isinstance(default, str) != isinstance(value, str):
            raise self.error(f"-D {s['name']}={value}: the parameter is {kind_of(default)}")
        if isinstance(default, int) and isinstance(value, float) and value != int(value):
            raise self.error(f"-D {s['name']}={value}: the parameter is an integer")
        self.define(s["name"], int(value) if isinstance(default, int) else value)
        self.params.add(s["name"])

    def _do_let(self, s: Any) -> None:
        self.define(s["name"], self.expressions.value(s["value"]))

    def _do_require(self, s: Any) -> None:
        if not self.expressions.value(s["cond"]):
            raise self.error(str(s.get("message") or "a requirement of the program is not met"))

    def _do_print(self, s: Any) -> None:
        values = [self.expressions.value(e) for e in s["args"]]
        line = " ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in values)
        self.result.printed.append(line)
        self.output(line)

    # --- control
    def _do_for(self, s: Any) -> None:
        first, last = (self.expressions.integer(s[k], "a bound of the loop") for k in ("from", "to"))
        self._loop(s["var"], range(first, last), s["body"])

    def _do_each(self, s: Any) -> None:
        self._loop(s["var"], range(self.machine.gpus), s["body"])

    def _loop(self, name: str, values: range, body: list[Any]) -> None:
        if name in self.names and name != "gpu":
            raise self.error(f"`{name}` already has a meaning and cannot count a loop")
        for value in values:
            self.names[name] = value
            self._block(body)
        self.names.pop(name, None)

    def _do_if(self, s: Any) -> None:
        self._block(s["then"] if self.expressions.value(s["cond"]) else s.get("else") or [])

    # --- launches and waiting
    def _do_launch(self, s: Any) -> None:
        kernel = self.kernel(s["kernel"])
        for gpu in self.gpus_of(s.get("on")):
            self.on_gpu(gpu, self._launch_on, s, kernel, gpu)
        event_ns = self.config["host.event_ns"] * len(s.get("after") or [])
        for gpu in self.gpus_of(s.get("on")):
            self.spend(gpu, f"launch {kernel.name}", s, self.config["host.launch_call_ns"] + event_ns)

    def _launch_on(self, s: Any, kernel: Any, gpu: int) -> None:
        """Queue the launch on one GPU; it can start when the call has reached the GPU."""
        e = self.expressions
        ready_ns = self.clock[gpu] + self.config["launch.latency_ns"]
        options: dict[str, Any] = {
            "shared": e.integer(s["shared"], "dynamic shared memory", 0) if s.get("shared") is not None else 0,
            "stack": e.integer(s["stack"], "stack bytes", 0) if s.get("stack") is not None else 0,
            "stream": e.integer(s["stream"], "a stream", 0) if s.get("stream") is not None else 0,
            "params": pack_parameters(kernel, s.get("args") or [], e),
            "ready": round(ready_ns * self.config["sm.clock_ghz"]),
        }
        if s.get("after") is not None:
            options["after"] = [e.integer(stream, "a stream", 0) for stream in s["after"]]
        if s.get("cooperative"):
            options["cooperative"] = True
        if s.get("cluster") is not None:
            options["cluster"] = self._extent(s["cluster"], "cluster")
        if s.get("gated") is not None:
            options |= self._gated(s["gated"], gpu)
        options |= self.hub.launch_keys(kernel.name, gpu)
        grid, block = self._extent(s["grid"], "grid"), self._extent(s["block"], "block")
        self.machine.launch(gpu, kernel.name, grid, block, **options)

    def _extent(self, dims: list[Any], what: str) -> tuple[int, int, int]:
        if not 1 <= len(dims) <= 3:
            raise self.error(f"a {what} has one to three dimensions, not {len(dims)}")
        sizes = [self.expressions.integer(d, f"a dimension of the {what}", 1) for d in dims]
        x, y, z = sizes + [1] * (3 - len(sizes))
        return x, y, z

    def _gated(self, gated: Any, gpu: int) -> dict[str, int]:
        """Options of a launch that a gate releases."""
        gate = self.names.get(gated["gate"])
        if not isinstance(gate, Gate):
            gates = [name for name, value in self.names.items() if isinstance(value, Gate)]
            raise self.error(f"there is no gate `{gated['gate']}`", suggest(gated["gate"], gates))
        if gpu not in gate.numbers:
            raise self.error(f"gate `{gate.name}` is not on GPU {gpu}")
        return {"gate": gate.numbers[gpu], "axis": AXES[gated.get("axis") or "x"]}

    def _do_sync(self, s: Any) -> None:
        gpus = self.gpus_of(s.get("on"))
        self.wait(gpus, s, "sync", self.config["host.sync_ns"])

    def _do_busy(self, s: Any) -> None:
        for gpu in self.gpus_of(s.get("on")):
            self.spend(gpu, "busy", s, self.on_gpu(gpu, self.expressions.number, s["ns"], "the time"))

    def _do_barrier(self, s: Any) -> None:
        latest = max(self.clock) + self.config["host.barrier_ns"]
        for gpu in range(self.machine.gpus):
            self.spend(gpu, "barrier", s, latest - self.clock[gpu])


def _walk(statements: list[Any]) -> Iterator[Any]:
    """All statements, those inside others too."""
    for statement in statements:
        yield statement
        for key in ("body", "then", "else"):
            yield from _walk(statement.get(key) or [])
