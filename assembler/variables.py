"""Declared variables: size, alignment and initial bytes (PTX ISA 9.0, 5.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from assembler.problems import Problems
from assembler.program import Body, Variable
from assembler.scope import Scope
from assembler.source import Span
from assembler.syntax import Apply, Binary, InitList, Name, Number, Operand, Unary, Var
from isa.types import TYPES, Type

Report = Callable[..., None]
"""report(code, message, span, label=, help=): notes an error."""


def shape_of(var: Var, report: Report) -> tuple[int, int, int] | None:
    """(bytes, alignment, elements) of a declaration; None after an error. Elements is 0 for `[]`."""
    kind = TYPES.get(var.type)
    if var.type in ("texref", "samplerref", "surfref"):
        what = "surfaces" if var.type == "surfref" else "texture units"
        report("unmodelled", f".{var.type} variables are known but not modelled: {what}", var.span)
        return None
    if kind is None or kind.cls == "pred":
        report("bad-type", f"variables cannot have type .{var.type}", var.span)
        return None
    natural = max(1, kind.bytes) * max(1, var.vec)
    align = var.align or natural
    if align & (align - 1):
        report("bad-align", f"alignment {align} is not a power of two", var.span)
        return None
    count = prod(d or 0 for d in var.dims) if var.dims else 1
    if any(d is None for d in var.dims):
        rest = prod(d for d in var.dims[1:] if d)
        count = rest * len(var.init.items) if isinstance(var.init, InitList) else 0
    return natural * count, max(align, 1), count


@dataclass
class Initialiser:
    """Bytes of an initialised variable, filled from its nested lists."""

    var: Var
    element: Type
    scope: Scope
    problems: Problems
    data: bytearray = field(default_factory=bytearray)
    relocs: list[tuple[int, int]] = field(default_factory=list)
    masked: dict[int, tuple[str, int, int]] = field(default_factory=dict)  # byte offset -> symbol, addend, which byte

    def fill(self, size: int) -> None:
        """Read the whole initialiser into `size` bytes; the rest stays zero."""
        self.data = bytearray(size)
        dims = [d for d in self.var.dims if d is not None]
        if self.var.dims and self.var.dims[0] is None:
            dims = [size // max(1, self.element.bytes * prod(dims)), *dims]
        if self.var.vec:
            dims.append(self.var.vec)
        assert self.var.init is not None
        self._list(self.var.init, dims, 0)
        self._join_masked()

    def _list(self, item: InitList | Operand, dims: list[int], at: int) -> None:
        if not isinstance(item, InitList):
            if dims:
                self.problems.error("bad-init", f"`{self.var.name}` is an array: its initialiser is a list", item.span)
            else:
                self._element(item, at)
            return
        room = dims[0] if dims else 0
        if len(item.items) > room:
            self.problems.error("init-too-long", f"`{self.var.name}` has {room} elements here, not {len(item.items)}",
                        item.items[room].span, label="too many" if dims else "not an array")  # fmt: skip
            return
        stride = self.element.bytes * prod(dims[1:])
        for i, inner in enumerate(item.items):
            self._list(inner, dims[1:], at + i * stride)

    def _element(self, item: Operand, at: int) -> None:
        if isinstance(item, Number):
            value = self._number(item)
            self.data[at : at + self.element.bytes] = value.to_bytes(self.element.bytes, "little")
            return
        mask, inner = (item.function, item.value) if isinstance(item, Apply) else (None, item)
        if isinstance(mask, int):
            found = symbol_and_offset(inner, allow_generic=True)
            shift = (mask & -mask).bit_length() - 1 if mask else 0
            if found is None or self.element.bytes != 1 or mask >> shift != 0xFF or shift % 8:
                self.problems.error("bad-init", "a mask picks one byte of an address for a .b8 element", item.span)
                return
            self.masked[at] = (found[0].name, found[1], shift // 8)
            self._target(found[0])
            return
        found = symbol_and_offset(item, allow_generic=True)
        if found is None or self.element.bytes < 4:
            self.problems.error("bad-init", f"not a constant of type .{self.element.name}", item.span)
            return
        target = self._target(found[0])
        if target is not None:
            self.relocs.append((at, target))
            self.data[at : at + self.element.bytes] = (found[1] % (1 << self.element.bits)).to_bytes(
                self.element.bytes, "little"
            )

    def _number(self, item: Number) -> int:
        kind = self.element
        whole = item.value if item.kind == "int" else None
        bits = float_bits(item, kind) if kind.name in ("f32", "f64") else whole
        if bits is None:
            self.problems.error("bad-init", f"not a constant of type .{kind.name}", item.span)
            return 0
        return bits % (1 << kind.bits)

    def _target(self, name: Name) -> int | None:
        thing = self.scope.find(name.name)
        if isinstance(thing, Variable):
            return thing.number
        if isinstance(thing, Body):
            if thing.is_kernel:
                self.problems.error("unmodelled", kernel_address(name.name), name.span)
                return None
            thing.address_taken = True
            return -1 - thing.number
        self.problems.unknown("symbol", name.name, name.span, self.scope.suggestion(name.name, (Variable, Body)))
        return None

    def _join_masked(self) -> None:
        """Eight masked bytes of one address in a row are an address."""
        for at in sorted(self.masked):
            symbol, addend, byte = self.masked[at]
            if byte:
                continue
            run = [self.masked.get(at + i) for i in range(8)]
            if run != [(symbol, addend, i) for i in range(8)]:
                self.problems.error(
                    "bad-init", f"only whole addresses are supported, not single bytes of `{symbol}`", self.var.span
                )
                return
            target = self._target(Name(symbol, self.var.span))
            if target is not None:
                self.relocs.append((at, target))
                self.data[at : at + 8] = (addend % (1 << 64)).to_bytes(8, "little")


def kernel_address(name: str) -> str:
    """What to say about the address of a kernel."""
    return f"the address of the kernel `{name}` is for launches from the device, which are not modelled"


def float_bits(number: Number, kind: Type) -> int | None:
    """Bits of a floating-point constant as f32 or f64; None for an integer constant."""
    if number.kind == "int":
        return None
    if number.kind == kind.name:
        return number.value
    if number.kind == "f64":
        import numpy as np

        with np.errstate(over="ignore"):
            value = np.float32(struct.unpack("<d", struct.pack("<Q", number.value))[0])
        return int(value.view(np.uint32))
    wide = struct.unpack("<f", struct.pack("<I", number.value))[0]
    return int.from_bytes(struct.pack("<d", wide), "little")


def symbol_and_offset(item: object, allow_generic: bool = False) -> tuple[Name, int] | None:
    """(symbol, offset) of `sym`, `sym+4`, `4+sym`, `sym-4`, `generic(sym)+4`; None for anything else."""
    if isinstance(item, Name):
        return item, 0
    if allow_generic and isinstance(item, Apply) and item.function == "generic":
        return symbol_and_offset(item.value)
    if isinstance(item, Binary) and item.op in "+-":
        left, right = item.left, item.right
        if item.op == "+" and isinstance(left, Number):
            left, right = right, left
        inner = symbol_and_offset(left, allow_generic)
        offset = integer(right)
        if inner is not None and offset is not None:
            return inner[0], inner[1] + (offset if item.op == "+" else -offset)
    return None


def integer(item: object) -> int | None:
    """Value of an integer constant."""
    if isinstance(item, Number) and item.kind == "int":
        return item.value
    if isinstance(item, Unary) and item.op == "-":
        value = integer(item.value)
        return None if value is None else -value
    return None


def span_of(item: object) -> Span:
    """Span of any node."""
    span: Span = item.span  # type: ignore[attr-defined]
    return span
