"""Statements of host programs about memory: buffer, copy, check, and reading a value back."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .fills import DTYPES, FILLS, Fill, FillError
from .host_base import HostBase
from .host_expr import Buffer, Instance, Table, TensorMaps, kind_of, suggest
from .reference import REFERENCES, Comparison, arguments_of, compare
from .tensormap import TensorMap, TensorMapError


class BufferStatements(HostBase):
    """Allocation, fills, copies, checks."""

    folder: Path

    def _do_buffer(self, s: Any) -> None:
        e = self.expressions
        dtype = DTYPES.get(s["type"])
        if dtype is None:
            raise self.error(f"unknown type `{s['type']}`", suggest(s["type"], DTYPES) or f"types: {', '.join(DTYPES)}")
        shape = tuple(e.integer(d, f"a size of `{s['name']}`", 1) for d in s["dims"])
        opaque = bool(s.get("opaque")) and (s["opaque"] is True or bool(e.value(s["opaque"])))
        if opaque and self.machine.functional:
            raise self.error(
                f"`{s['name']}` is opaque: without timing nothing is left of it", "run without --functional"
            )
        buffer = Buffer(s["name"], s["type"], dtype, shape, opaque=opaque)
        fills: list[tuple[list[int], Callable[[], Any]]] = []
        for gpu in self.gpus_of(s.get("on")):
            buffer.address[gpu] = self.machine.alloc(gpu, buffer.nbytes, s["name"], opaque)
            if s.get("fill") is None or opaque:
                continue
            if fills and s.get("same"):
                fills[0][0].append(buffer.address[gpu])
            else:
                whose: int | str = "same" if s.get("same") else gpu
                fills.append(([buffer.address[gpu]], self.on_gpu(gpu, self._fill, buffer, s["fill"], whose)))
        with ThreadPoolExecutor(self.machine.threads) as pool:
            list(pool.map(self._write, fills))
        self.define(s["name"], buffer)

    def _do_tensormap(self, s: Any) -> None:
        e = self.expressions
        buffer = e.buffer(s["buffer"], "what a tensor map is over")
        size = buffer.dtype.itemsize
        fields: dict[str, Any] = {
            "dtype": buffer.type,
            "dims": buffer.shape[::-1],
            "strides": [size * math.prod(buffer.shape[i:]) for i in range(len(buffer.shape) - 1, 0, -1)],
            "box": [e.integer(b, "a size of a box", 1) for b in s["box"]],
            "element_strides": [e.integer(n, "a step of a box", 1) for n in s.get("steps") or []],
            "fill": s.get("fill") or "zeros",
        }
        for word in ("swizzle", "promotion"):
            if s.get(word) is not None and (nbytes := e.integer(s[word], f"bytes of {word}", 0)):
                fields[word] = f"{nbytes}B"
        try:
            encoded = {gpu: TensorMap(address, **fields).encode() for gpu, address in buffer.address.items()}
        except TensorMapError as error:
            raise self.error(f"tensor map `{s['name']}` over `{buffer.name}`: {error}") from None
        self.define(s["name"], TensorMaps(s["name"], buffer, encoded))

    def _write(self, fill: tuple[list[int], Callable[[], Any]]) -> None:
        """Write what a fill gives to all its addresses."""
        addresses, made = fill
        array = made()
        for address in addresses if array is not None else []:
            self.machine.write(address, array)

    def _fill(self, buffer: Buffer, call: Any, whose: int | str) -> Callable[[], Any]:
        """What makes the array of a fill, on any thread; it gives None for zeros, which memory is anyway."""
        name, arguments, options = call_parts(call)
        e = self.expressions
        if name == "zeros":
            return lambda: None
        if name in ("addresses", "values"):
            array = self._host_values(buffer, name, arguments)
            return lambda: array
        if name not in FILLS:
            raise self.error(f"unknown fill `{name}`", suggest(name, [*FILLS, "addresses", "values"]))
        place = Fill(buffer.shape, buffer.dtype, self.machine.seed, buffer.name, whose, self.folder)
        values = [e.value(a) for a in arguments]
        keywords = {k: e.value(v) for k, v in options.items()}

        def made() -> Any:
            try:
                return FILLS[name](place, *values, **keywords)
            except FillError as error:
                raise self.error(f"{buffer.name}: {error}") from None
            except TypeError as error:
                raise self.error(f"{buffer.name}: {str(error).replace('Fill.', '')}") from None

        return made

    def _host_values(self, buffer: Buffer, fill: str, arguments: list[Any]) -> Any:
        """`addresses(buf)`: every GPU's pointer; `values(table)`: a table's values in order."""
        if len(arguments) != 1:
            raise self.error(f"{fill} takes one argument")
        value = self.expressions.value(arguments[0])
        if fill == "addresses" and isinstance(value, Buffer):
            numbers = [value.address.get(gpu, 0) for gpu in range(self.machine.gpus)]
        elif fill == "values" and isinstance(value, Table):
            numbers = [value.values[key] for key in sorted(value.values)]
        else:
            raise self.error(f"{fill} does not work on {kind_of(value)}")
        count = math.prod(buffer.shape)
        if len(numbers) > count:
            raise self.error(f"`{buffer.name}` has {count} elements, {len(numbers)} values are given")
        array = np.zeros(count, buffer.dtype)
        array[: len(numbers)] = np.array(numbers, np.uint64).astype(buffer.dtype)
        return array

    def array(self, instance: Instance) -> Any:
        """Contents of a buffer on one GPU."""
        buffer = instance.buffer
        raw = self.machine.read(instance.address, buffer.nbytes)
        return np.frombuffer(raw, buffer.dtype).reshape(buffer.shape)

    def read_value(self, instance: Instance, index: int, at: Any) -> Any:
        """`read(buf@g, i)`: wait for the GPU, then copy one element to the host."""
        statement = {"at": at}
        count = math.prod(instance.buffer.shape)
        if index >= count:
            raise self.error(f"`{instance.buffer.name}` has {count} elements, there is no element {index}")
        if instance.buffer.opaque:
            raise self.error(f"`{instance.buffer.name}` is opaque: the host cannot read it")
        array = self.fetched.get((instance.buffer.name, instance.gpu))
        if array is None:
            self.wait([instance.gpu], statement, "read", self.config["host.d2h_latency_ns"])
            array = self.array(instance)
        item = array.reshape(-1)[index]
        return int(item) if item.dtype.kind in "iu" else float(item)

    def _do_fetch(self, s: Any) -> None:
        """A whole buffer comes to the host in one copy; from then on `read` takes that copy and costs nothing."""
        instance = self.expressions.instance(s["src"], "what is fetched")
        if instance.buffer.opaque:
            raise self.error(f"`{instance.buffer.name}` is opaque: the host cannot read it")
        cost = self.config["host.d2h_latency_ns"] + instance.buffer.nbytes / self.config["host.pcie_gbps"]
        stream = self.expressions.integer(s["stream"], "a stream", 0) if s.get("stream") is not None else None
        self.wait([instance.gpu], s, "fetch", cost, stream)
        self.fetched[instance.buffer.name, instance.gpu] = self.array(instance).copy()

    # --- copies
    def _do_copy(self, s: Any) -> None:
        e = self.expressions
        target, source = e.instance(s["dst"], "the target of a copy"), e.instance(s["src"], "the source of a copy")
        room = min(target.buffer.nbytes, source.buffer.nbytes)
        if s.get("bytes") is None and target.buffer.nbytes != source.buffer.nbytes:
            raise self.error(f"`{target.buffer.name}` and `{source.buffer.name}` differ in size", "say `bytes n`")
        size = e.integer(s["bytes"], "the bytes of a copy", 0, room) if s.get("bytes") is not None else room
        gpus = sorted({target.gpu, source.gpu})
        self.wait(gpus, s, "copy")
        if source.buffer.opaque and not target.buffer.opaque:
            raise self.error(f"`{source.buffer.name}` is opaque, `{target.buffer.name}` is not")
        if not target.buffer.opaque:
            self.machine.write(target.address, self.machine.read(source.address, size))
        rate = self.config["host.device_copy_gbps" if len(gpus) == 1 else "host.peer_copy_gbps"]
        for gpu in gpus:
            self.spend(gpu, "copy", s, self.config["host.copy_latency_ns"] + size / rate)

    # --- checks
    def _do_check(self, s: Any) -> None:
        e = self.expressions
        value = e.value(s["got"])
        reference, arguments, options = call_parts(s["reference"])
        if isinstance(value, Instance):
            where, name = [value], f"{value.buffer.name}@{value.gpu}"
        elif isinstance(value, Buffer):
            where, name = [Instance(value, gpu) for gpu in value.address], value.name
        else:
            raise self.error(f"check compares a buffer, not {kind_of(value)}")
        self.wait([instance.gpu for instance in where], s, "check")
        if self._is_opaque([s["got"], *arguments, *options.values()]):
            row = {"name": f"{name} ~ {reference}", "ok": True, "skipped": True, "max_error": None}
            self.result.checks.append({**row, "detail": "opaque", "at": e.at})
            return
        got = {instance.gpu: self.array(instance) for instance in where}
        want = self._reference(reference, arguments, options, got)
        rtol, atol = (e.number(s[k], k) if s.get(k) is not None else 0.0 for k in ("rtol", "atol"))
        self._record_check(f"{name} ~ {reference}", compare(got, want, rtol, atol), rtol, atol)

    def _is_opaque(self, expressions: list[Any]) -> bool:
        """Whether a buffer among these has no values to compare."""
        values = [self.expressions.value(x) for x in expressions]
        buffers = [v.buffer if isinstance(v, Instance) else v for v in values]
        return any(isinstance(b, Buffer) and b.opaque for b in buffers)

    def _record_check(self, name: str, outcome: Comparison, rtol: float, atol: float) -> None:
        detail = ""
        if not outcome.passed:
            detail = (
                f"{outcome.mismatches} of {outcome.elements} elements differ; worst on GPU {outcome.gpu} at "
                f"{list(outcome.index)}: got {outcome.got}, expected {outcome.want}"
            )
        self.result.checks.append(
            {
                **{"name": name, "ok": outcome.passed, "max_error": outcome.error, "detail": detail},
                **{"rtol": rtol, "atol": atol, "elements": outcome.elements, "at": self.expressions.at},
            }
        )

    def _reference(self, name: str, arguments: list[Any], options: dict[str, Any], got: Any) -> dict[int, Any]:
        """What a named reference says each GPU should have."""
        if name not in REFERENCES:
            hint = suggest(name, REFERENCES) or f"there are {', '.join(REFERENCES)}"
            raise self.error(f"unknown reference `{name}`", hint)
        buffers, known = arguments_of(name)
        usage = f"it is {name}({', '.join([*buffers, *(k + '=' for k in known)])})"
        for option in options:
            if option not in known + buffers:
                raise self.error(f"`{name}` has no option `{option}`", suggest(option, known + buffers) or usage)
        values = [self._argument(a) for a in arguments]
        keywords = {k: self._argument(v) for k, v in options.items()}
        try:
            arrays = REFERENCES[name](*values, **keywords)
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise self.error(f"`{name}` cannot be computed of these arguments: {error}", usage) from None
        want = dict(enumerate(arrays))
        for gpu, array in got.items():
            if gpu not in want or want[gpu].size != array.size:
                size = want[gpu].size if gpu in want else 0
                raise self.error(f"`{name}` gives {size} elements for GPU {gpu}, the buffer has {array.size}")
        return want

    def _argument(self, expr: Any) -> Any:
        """A buffer as the list of its arrays by GPU; numbers as they are."""
        value = self.expressions.value(expr)
        if isinstance(value, Buffer):
            return [self.array(Instance(value, gpu)) for gpu in sorted(value.address)]
        return [self.array(value)] if isinstance(value, Instance) else value


def call_parts(call: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """Function, arguments and options of a call; a bare name is a call without arguments."""
    if "name" in call:
        return call["name"], [], {}
    function, arguments, *options = call["call"]
    name = function if isinstance(function, str) else function.get("name", "")
    return name, arguments, options[0] if options else {}
