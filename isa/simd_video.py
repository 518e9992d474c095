"""SIMD video instructions (PTX ISA 9.0, 9.7.18): two halves or four bytes at once, picked from {b, a}.

Hopper has little of them in hardware: NVIDIA's assembler writes a sequence of ordinary instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .arith import clamp_to
from .compare import ORDERED, holds
from .instr import Instr, Kind, Op
from .selectors import masks, orders, selector

V = Any
TYPES = ("u32", "s32")


def lanes_of(op: Op) -> int:
    """2 or 4."""
    return int(op.instr.mnemonic[-1])


def _elements(op: Op, name: str, a: V, b: V, t: str, default: str) -> list[V]:
    """The lanes of one source, the low one first: elements of {b, a} extended by the source's type to s32."""
    lanes = lanes_of(op)
    bits = 32 // lanes
    out = []
    for digit in reversed((selector(op, name) or default)[1:]):
        word, place = (a, b)[int(digit) // lanes].bits(t), int(digit) % lanes * bits
        out.append(((word << word.const(32 - bits - place)) >> word.const(32 - bits)).bits("s32"))
    return out


def _sources(op: Op, a: V, b: V) -> list[tuple[V, V]]:
    lanes = lanes_of(op)
    numbers = "".join(str(i) for i in reversed(range(2 * lanes)))
    x = _elements(op, "a", a, b, op.mods["atype"], "_" + numbers[lanes:])
    y = _elements(op, "b", a, b, op.mods["btype"], "_" + numbers[:lanes])
    return list(zip(x, y, strict=True))


def _join(op: Op, results: list[V], c: V) -> V:
    """The chosen lanes added to c, or in their places among those of c."""
    lanes = lanes_of(op)
    bits = 32 // lanes
    chosen = [int(digit) for digit in selector(op, "d")[1:]] or list(range(lanes))
    d = c.bits("u32")
    for i in sorted(chosen):
        word = results[i].bits("u32")
        if "add" in op.mods:
            d = d + word
        else:
            mask = (1 << bits) - 1 << bits * i
            d = (d & d.const(~mask)) | ((word << word.const(bits * i)) & d.const(mask))
    return d.bits(c.t)


def each(lane: Callable[[V, V], V]) -> Callable[..., V]:
    """A lane function that applies `lane` to s32 values of every lane."""

    def applied(op: Op, a: V, b: V, c: V) -> V:
        results = [lane(x, y) for x, y in _sources(op, a, b)]
        if "sat" in op.mods:
            results = [clamp_to(r, op.mods["dtype"][0], 32 // lanes_of(op)) for r in results]
        return _join(op, results, c)

    applied.__doc__ = f"{lane.__name__} of every lane"
    return applied


def add(x: V, y: V) -> V:
    return x + y


def sub(x: V, y: V) -> V:
    return x - y


def average(x: V, y: V) -> V:
    """Halves are rounded away from zero."""
    total = x + y
    up = (total < total.const(0)).where(total.const(0), total.const(1))
    return (total + up) >> total.const(1)


def absdiff(x: V, y: V) -> V:
    return (x - y).abs()


def minimum(x: V, y: V) -> V:
    return (x < y).where(x, y)


def maximum(x: V, y: V) -> V:
    return (x > y).where(x, y)


def compare(op: Op, a: V, b: V, c: V) -> V:
    results = [holds(op.mods["cmp"], x, y).where(x.const(1), x.const(0)) for x, y in _sources(op, a, b)]
    return _join(op, results, c)


def _row(syntax: str, slots: Mapping[str, tuple[str, ...]], lanes: int, meaning: str, section: str, lane: Any,
         types: dict[str, str]) -> Instr:  # fmt: skip
    letter = "h" if lanes == 2 else "b"
    source = orders(letter, lanes)
    text = f"{meaning}, for {'both halves' if lanes == 2 else 'all bytes'}; lanes that d leaves out are those of c"
    return Instr(syntax, slots, Kind.LANE, "video", text + "; .add: c plus all of them", f"PTX ISA 9.0, 9.7.18.{section}",
                 lane, operand_types={**types, "a": "atype", "b": "btype"},
                 selectors={"d": masks(letter, lanes), "a": source, "b": source},
                 check=lambda m: ".sat and .add exclude each other" if {"sat", "add"} <= set(m) else None)  # fmt: skip


def _rows() -> list[Instr]:
    rows = []
    for lanes, section in ((2, 0), (4, 2)):
        typed = {"dtype": TYPES, "atype": TYPES, "btype": TYPES}
        for name, text, lane in (
            ("vadd", "d = a + b", add), ("vsub", "d = a - b", sub),
            ("vavrg", "d = half of a + b, rounded away from 0", average), ("vabsdiff", "d = |a - b|", absdiff),
            ("vmin", "d = the smaller of a and b", minimum), ("vmax", "d = the larger of a and b", maximum),
        ):  # fmt: skip
            syntax = f"{name}{lanes}.dtype.atype.btype{{.sat}}{{.add}} d, a, b, c"
            rows.append(_row(syntax, typed, lanes, text, str(section + 1), each(lane), {"d": "dtype", "c": "dtype"}))
        compares = {"atype": TYPES, "btype": TYPES, "cmp": ORDERED}
        text = "d = 1 where a cmp b, else 0"
        rows.append(_row(f"vset{lanes}.atype.btype.cmp{{.add}} d, a, b, c", compares, lanes, text, str(section + 2), compare,
                         {"d": "u32", "c": "u32"}))  # fmt: skip
    return rows


ROWS = tuple(_rows())
