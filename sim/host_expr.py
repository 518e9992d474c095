"""Values and expressions of host programs.

An expression is JSON: {"num": 1} {"str": ""} {"name": "x"} {"bin": ["+", l, r]} {"un": ["-", e]} {"cond": [c, a, b]}
{"call": [f, [args], {options}]} {"index": [e, [i]]} {"at": [e, gpu]} {"attr": [e, "stage"]}.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .config import Config, ConfigError


class HostError(Exception):
    """A mistake in a host program: the message, where it is ((file, line, column) or None), and perhaps a hint."""

    def __init__(self, message: str, at: Any = None, hint: str = "") -> None:
        place = f"{at[0]}:{at[1]}:{at[2]}: error: " if at else ""
        super().__init__(f"{place}{message}" + (f"\n  help: {hint}" if hint else ""))
        self.message, self.at, self.hint = message, at, hint


@dataclass
class Buffer:
    """A buffer of the host program: one instance per GPU that has it, at `address[gpu]`."""

    name: str
    type: str
    dtype: Any
    shape: tuple[int, ...]
    address: dict[int, int] = field(default_factory=dict)
    opaque: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of one instance."""
        return int(math.prod(self.shape)) * int(self.dtype.itemsize)


@dataclass(frozen=True)
class Instance:
    """A buffer on one GPU."""

    buffer: Buffer
    gpu: int

    @property
    def address(self) -> int:
        """Simulated address of its first byte."""
        return self.buffer.address[self.gpu]


@dataclass
class Table:
    """Values by number, such as the MallocIDs of `rowsp mid[e] …`."""

    name: str
    values: dict[tuple[int, ...], int] = field(default_factory=dict)


@dataclass(frozen=True)
class DynamicObject:
    """A dynamic multicast object; `stages` are the base addresses."""

    name: str
    stages: tuple[int, ...]


@dataclass(frozen=True)
class TensorMaps:
    """A tensor map over a buffer: its 128 bytes on each GPU that has the buffer."""

    name: str
    buffer: Buffer
    encoded: dict[int, bytes]


@dataclass
class Gate:
    """A gate of the DAM: its number on each GPU."""

    name: str
    numbers: dict[int, int] = field(default_factory=dict)


def kind_of(value: Any) -> str:
    """What a value is, for messages."""
    names = {Buffer: "a buffer", Instance: "a buffer", Table: "a table", DynamicObject: "a dynamic multicast object"}
    names |= {
        TensorMaps: "a tensor map",
        Gate: "a gate",
        str: "a string",
        int: "an integer",
        float: "a number",
        bool: "a truth value",
    }
    return names.get(type(value), type(value).__name__)


def suggest(word: str, words: Iterable[str]) -> str:
    """A hint with the word most like `word`, or ""."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, int) and isinstance(b, int) else a / b


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide, "%": operator.mod, "**": operator.pow,
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "&": operator.and_, "|": operator.or_, "^": operator.xor, "<<": operator.lshift, ">>": operator.rshift,
}  # fmt: skip
_INTEGER_ONLY = ("&", "|", "^", "<<", ">>")
_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg, "+": operator.pos, "!": lambda a: int(not a), "~": operator.invert,
}  # fmt: skip


def _log2(value: float) -> int | float:
    result = math.log2(value)
    return int(result) if result == int(result) else result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "ceil_div": lambda a, b: -(-a // b), "log2": _log2, "sqrt": math.sqrt,
    "round_up": lambda a, b: -(-a // b) * b, "int": int, "float": float,
}  # fmt: skip
"""Functions of numbers. `read(buffer@gpu, index)` belongs to the host program, `bytes(buffer)` to expressions."""


class Expressions:
    """Evaluates expressions over the names of a host program."""

    def __init__(self, names: dict[str, Any], config: Config, read: Callable[[Instance, Any, Any], Any]) -> None:
        self.names, self.config, self._read = names, config, read
        self.at: Any = None
        """Place of the statement that is being executed, for messages."""

    def error(self, message: str, hint: str = "") -> HostError:
        """A mistake at the statement that is being executed."""
        return HostError(message, self.at, hint)

    # --- typed access
    def integer(self, expr: Any, what: str, low: int | None = None, high: int | None = None) -> int:
        """An expression that must be an integer from `low` to `high`."""
        value = self.value(expr)
        if isinstance(value, float) and value == int(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(f"{what} must be an integer, not {self._describe(value)}")
        if (low is not None and value < low) or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise self.error(f"{what} is {value}, but must be {limits}")
        return value

    def number(self, expr: Any, what: str) -> float:
        """An expression that must be a number."""
        value = self.value(expr)
        if not isinstance(value, int | float):
            raise self.error(f"{what} must be a number, not {self._describe(value)}")
        return value

    def gpu(self, expr: Any) -> int:
        """An expression that must be the number of a GPU."""
        return self.integer(expr, "the number of a GPU", 0, self.names["ngpus"] - 1)

    def instance(self, expr: Any, what: str) -> Instance:
        """A buffer on one GPU: `buf@g`, or `buf` where a GPU is current or the buffer is on one GPU only."""
        value = self.value(expr)
        if isinstance(value, Buffer):
            value = self._own(value)
        if not isinstance(value, Instance):
            raise self.error(f"{what} must be a buffer, not {self._describe(value)}")
        return value

    def pointer(self, expr: Any, what: str) -> int:
        """A simulated address: a buffer, or a buffer plus bytes."""
        value = self._decay(self.value(expr))
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(f"{what} must be a buffer or an address, not {self._describe(value)}")
        return value

    def buffer(self, expr: Any, what: str) -> Buffer:
        """A buffer, without saying on which GPU."""
        value = self.value(expr)
        if not isinstance(value, Buffer):
            raise self.error(f"{what} must be a buffer, not {self._describe(value)}")
        return value

    def tensor_map(self, maps: TensorMaps) -> bytes:
        """The tensor map over the instance of the buffer that a bare name means."""
        return maps.encoded[self._own(maps.buffer).gpu]

    def _describe(self, value: Any) -> str:
        return f'{kind_of(value)} ("{value}")' if isinstance(value, str) else kind_of(value)

    def _own(self, buffer: Buffer) -> Instance:
        """The instance a bare buffer name means."""
        gpu = self.names.get("gpu")
        if gpu is None and len(buffer.address) == 1:
            gpu = next(iter(buffer.address))
        if gpu is None:
            raise self.error(f"`{buffer.name}` is on {len(buffer.address)} GPUs here", f"write `{buffer.name}@0`")
        if gpu not in buffer.address:
            raise self.error(f"`{buffer.name}` is not on GPU {gpu}")
        return Instance(buffer, gpu)

    def _decay(self, value: Any) -> Any:
        """Buffers in arithmetic are addresses."""
        if isinstance(value, Buffer):
            value = self._own(value)
        if isinstance(value, DynamicObject):
            return value.stages[0]
        return value.address if isinstance(value, Instance) else value

    # --- evaluation
    def value(self, expr: Any) -> Any:
        """Value of an expression."""
        ((form, body),) = ((k, v) for k, v in expr.items() if k != "at" or len(expr) == 1)
        method: Callable[[Any], Any] = getattr(self, f"_{form}_value")
        return method(body)

    def _num_value(self, body: Any) -> Any:
        return body

    _str_value = _num_value

    def _name_value(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        raise self.error(f"unknown name `{name}`", suggest(name, self.names))

    def _bin_value(self, body: Any) -> Any:
        sign, left, right = body
        if sign in ("&&", "||"):
            first = bool(self.value(left))
            return int(bool(self.value(right))) if first == (sign == "&&") else int(first)
        a, b = self._decay(self.value(left)), self._decay(self.value(right))
        if isinstance(a, str) and isinstance(b, str) and sign in ("==", "!=", "+"):
            return a + b if sign == "+" else int((a == b) == (sign == "=="))
        allowed = int if sign in _INTEGER_ONLY else int | float
        for operand in (a, b):
            if not isinstance(operand, allowed):
                raise self.error(f"`{sign}` does not work on {self._describe(operand)}")
        try:
            result = _BINARY[sign](a, b)
        except ZeroDivisionError:
            raise self.error(f"division by zero: {a} {sign} {b}") from None
        except (OverflowError, ValueError) as error:
            raise self.error(f"{a} {sign} {b}: {error}") from None
        return int(result) if isinstance(result, bool) else result

    def _un_value(self, body: Any) -> Any:
        value = self._decay(self.value(body[1]))
        if not isinstance(value, int | float) or (body[0] == "~" and not isinstance(value, int)):
            raise self.error(f"`{body[0]}` does not work on {self._describe(value)}")
        return _UNARY[body[0]](value)

    def _cond_value(self, body: Any) -> Any:
        return self.value(body[1] if self.value(body[0]) else body[2])

    def _at_value(self, body: Any) -> Any:
        buffer = self.buffer(body[0], "what stands before `@`")
        gpu = self.gpu(body[1])
        if gpu not in buffer.address:
            raise self.error(f"`{buffer.name}` is not on GPU {gpu}")
        return Instance(buffer, gpu)

    def _index_value(self, body: Any) -> Any:
        table = self.value(body[0])
        if not isinstance(table, Table):
            hint = "read(buffer@gpu, index) reads memory" if isinstance(table, Buffer | Instance) else ""
            raise self.error(f"{kind_of(table)} has no elements", hint)
        index = tuple(self.integer(i, "an index") for i in body[1])
        if index not in table.values:
            raise self.error(f"`{table.name}` has no element {list(index)}")
        return table.values[index]

    def _attr_value(self, body: Any) -> Any:
        key = self._dotted(body)
        if key is not None:
            try:
                return self.config[key]
            except ConfigError as error:
                raise self.error(error.message, error.hint) from None
        value = self.value(body[0])
        raise self.error(f"{kind_of(value)} has no `{body[1]}`")

    def _dotted(self, body: Any) -> str | None:
        """`a.b.c` as a key of the configuration, when `a` is no name of the program."""
        inner = body[0]
        if "name" in inner:
            return None if inner["name"] in self.names else f"{inner['name']}.{body[1]}"
        head = self._dotted(inner["attr"]) if "attr" in inner else None
        return f"{head}.{body[1]}" if head else None

    def _call_value(self, body: Any) -> Any:
        function, arguments, options = body[0], body[1], body[2] if len(body) > 2 else {}
        if isinstance(function, dict):
            if "attr" in function:
                return self._method(function["attr"], arguments)
            function = function.get("name", "")
        if "." in function:
            name, method = function.split(".", 1)
            return self._method([{"name": name}, method], arguments)
        if function == "read":
            return self._call_read(arguments)
        if function == "bytes":
            return self._call_bytes(arguments)
        if function not in FUNCTIONS:
            raise self.error(f"unknown function `{function}`", suggest(function, [*FUNCTIONS, "read", "bytes"]))
        values = [self._decay(self.value(a)) for a in arguments]
        if options or not all(isinstance(v, int | float) for v in values):
            raise self.error(f"{function} takes numbers")
        try:
            return FUNCTIONS[function](*values)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise self.error(f"{function}{tuple(values)}: {error}") from None

    def _method(self, body: Any, arguments: Any) -> Any:
        value = self.value(body[0])
        if not isinstance(value, DynamicObject) or body[1] != "stage":
            raise self.error(f"{kind_of(value)} has no `{body[1]}`", "a dynamic multicast object has stage(n)")
        if len(arguments) != 1:
            raise self.error("stage takes one number")
        return value.stages[self.integer(arguments[0], "the stage", 0, len(value.stages) - 1)]

    def _call_read(self, arguments: Any) -> Any:
        if len(arguments) not in (1, 2):
            raise self.error("read takes a buffer and an index: read(buf@g, 0)")
        index = self.integer(arguments[1], "the index", 0) if len(arguments) == 2 else 0
        return self._read(self.instance(arguments[0], "what is read"), index, self.at)

    def _call_bytes(self, arguments: Any) -> int:
        value = self.value(arguments[0]) if len(arguments) == 1 else None
        if isinstance(value, Instance):
            value = value.buffer
        if not isinstance(value, Buffer):
            raise self.error("bytes takes a buffer")
        return value.nbytes
