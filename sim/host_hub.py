"""Statements of host programs that set up the hubs: rowsp, multicast, dymulticast, gate."""

from __future__ import annotations

from typing import Any

from .host_base import HostBase
from .host_expr import DynamicObject, Gate, Table
from .hub_objects import ROWS_ENDED, Binding


class HubStatements(HostBase):
    """What a host program may ask of the hubs; every register written costs an MMIO write."""

    def _need_hubs(self, statement: Any) -> None:
        """HostError in functional mode."""
        if self.machine.functional:
            raise self.error(f"`{statement['stmt']}` sets up the hubs, which the functional mode does not simulate")

    def _mmio(self, gpu: int, statement: Any, writes: int) -> None:
        self.spend(gpu, statement["stmt"], statement, writes * self.config["host.mmio_ns"])

    def _do_rowsp(self, s: Any) -> None:
        self._need_hubs(s)
        e = self.expressions
        gpu = e.gpu(s["gpu"])
        rows = e.integer(s["rows"], "the number of rows", 1)
        row_bytes = e.integer(s["row_bytes"], "the bytes of a row", 1, 1 << 16)
        base = self.on_gpu(gpu, e.pointer, s["base"], "where the region lies")
        value = self.hub.rowsp(gpu, base, rows, row_bytes)
        self._mmio(gpu, s, 2)
        index = tuple(e.integer(i, "an index") for i in s.get("index") or [])
        if not index:
            self.define(s["name"], value)
            return
        table = self.names.get(s["name"])
        if not isinstance(table, Table):
            self.define(s["name"], table := Table(s["name"]))
        table.values[index] = value

    def _do_multicast(self, s: Any) -> None:
        self._need_hubs(s)
        buffer = self.expressions.buffer(s["buffer"], "what a multicast object is over")
        self.define(s["name"], self.hub.multicast(buffer.address, buffer.nbytes))
        for gpu in buffer.address:
            self._mmio(gpu, s, 2)

    def _do_dymulticast(self, s: Any) -> None:
        self._need_hubs(s)
        e = self.expressions
        block_bytes = e.integer(s["bsize"], "bsize", 1)
        tokens = e.integer(s["ntoken"], "ntoken", 1)
        stages = e.integer(s["stage"], "the number of stages", 1, 2) if s.get("stage") else 2
        experts: dict[int, Binding] = {}
        self._bind(s["body"], experts)
        count = e.integer(s["experts"], "the number of experts", 1)
        missing = sorted(set(range(count)) - set(experts))
        if missing or len(experts) > count:
            raise self.error(f"expert {missing[0]} is not bound" if missing else f"more than {count} experts are bound")
        bases = self.hub.dymulticast(block_bytes, tokens, [experts[i] for i in range(count)])
        self.define(s["name"], DynamicObject(s["name"], bases[:stages]))
        for gpu in range(self.machine.gpus):
            self._mmio(gpu, s, 2 + count // self.machine.gpus)

    def _bind(self, statements: list[Any], experts: dict[int, Binding]) -> None:
        """The `bind` statements of a dynamic multicast object; `for` loops may stand around them."""
        for s in statements:
            self.expressions.at = self.place(s)
            if s["stmt"] == "for":
                first, last = (self.expressions.integer(s[k], "a bound of the loop") for k in ("from", "to"))
                for value in range(first, last):
                    self.names[s["var"]] = value
                    self._bind(s["body"], experts)
                del self.names[s["var"]]
                continue
            gpu = self.expressions.gpu(s["gpu"])
            pointers = [self.on_gpu(gpu, self.expressions.pointer, b, "a buffer") for b in s["buffers"]]
            rows = self.expressions.integer(s["rows"], "the number of rows", 1)
            experts[self.expressions.integer(s["expert"], "the expert", 0)] = Binding(gpu, tuple(pointers), rows)

    def _do_gate(self, s: Any) -> None:
        self._need_hubs(s)
        gate = Gate(s["name"])
        for gpu in self.gpus_of(s.get("on")):
            gate.numbers[gpu] = self.on_gpu(gpu, self._gate_on, s, gpu)
        self.define(s["name"], gate)

    def _gate_on(self, s: Any, gpu: int) -> int:
        """The gate of one GPU."""
        e = self.expressions
        groups = e.integer(s["groups"], "the number of groups", 1)
        threshold = e.integer(s["threshold"], "the threshold", 1)
        watches = [self._watch(w, groups) for w in s["watches"]]
        key, expects = -1, -1
        closes = s.get("closes")
        if closes:
            name = ROWS_ENDED if closes[0] == "rowsp" else self.kernel(closes[1]).name
            key = self.hub.closing_key(name, gpu)
        if s.get("expects") is not None:
            expects = e.integer(s["expects"], "the bytes expected", 0)
        self._mmio(gpu, s, 2 + len(watches))
        return self.hub.gate(gpu, groups, threshold, watches, key, expects)

    def _watch(self, w: Any, groups: int) -> tuple[int, int, int, int, int, int]:
        """A row of the dependency table: (address, group bytes, stride, first and last column, first group)."""
        e = self.expressions
        span = e.integer(w["bytes"], "the bytes per group", 1)
        stride = e.integer(w["stride"], "the stride", 1) if w.get("stride") is not None else span
        low, high = 0, stride
        if w.get("cols") is not None:
            low = e.integer(w["cols"][0], "the first column", 0, stride)
            high = e.integer(w["cols"][1], "the last column", low, stride)
        first = e.integer(w["first"], "the first group", 0, groups - 1) if w.get("first") is not None else 0
        return e.pointer(w["buffer"], "what a gate watches"), span, stride, low, high, first
