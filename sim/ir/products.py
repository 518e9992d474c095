"""Products of fragments, added to accumulators where these lie: integers and bits exactly, floating-point numbers by fused
multiply-add in the order of k, so that results do not depend on the CPU. That is what silicon does for f64 only; for the
others it is an approximation several times as fast as aligned.py, for those who ask for it.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any

from llvmlite import ir

from isa import rounding

from . import floats
from .algebra import Value
from .build import (
    F32,
    F64,
    I16,
    I32,
    I64,
    LANES,
    Builder,
    constant,
    intrinsic,
    lane_of,
    load,
    load_slot,
    nonzero,
    shuffle,
    store,
    undefined,
    vector,
    word,
)
from .fragments import counted, helper


class Product(IntEnum):
    """What is added up, and what the accumulator is."""

    F32, F16, S32, S32_SATURATED, XOR, AND, F64, F64_DIRECTED = range(8)


EXACT = (Product.S32, Product.S32_SATURATED, Product.XOR, Product.AND, Product.F64, Product.F64_DIRECTED)
"""Those for which this is what silicon does."""


_DOUBLE = (Product.F64, Product.F64_DIRECTED)
MODES = ("rn", "rz", "rm", "rp")
"""Rounding of products of .f64; F64_DIRECTED is for those but the first."""


def number_of(product: Product) -> ir.Type:
    """Type in which factors are multiplied."""
    return F64 if product in _DOUBLE else I32 if product in (Product.XOR, Product.AND) else F32


def _registers(product: Product) -> int:
    """Registers of an accumulator for eight rows and a tile of eight columns."""
    return 1 if product == Product.F16 else 2


def _directed(builder: Builder) -> Any:
    """Function (x, y, total, mode): the 32 f64 at ``total`` become x * y + total, rounded as MODES[mode]."""

    def build(inner: Builder, x: Any, y: Any, total: Any, mode: Any) -> None:
        a, b, c = (Value(inner, load(inner, at, vector(F64), 64), "f64") for at in (x, y, total))
        found = rounding.fma(a, b, c, MODES[-1]).v
        for i, name in enumerate(MODES[1:-1], 1):
            is_mode = inner.icmp_unsigned("==", mode, word(i))
            found = inner.select(is_mode, rounding.fma(a, b, c, name).v, found)
        store(inner, found, total, 64)

    return helper(builder, "fma.directed", 4, build)


@dataclass(frozen=True)
class _Rounded:
    """Fused multiply-add in a direction, of numbers that go through memory because the function for it is not inlined."""

    b: Builder
    mode: Any
    rooms: tuple[Any, ...]

    @classmethod
    def of(cls, b: Builder, mode: Any) -> "_Rounded":
        rooms = []
        for _ in range(3):
            room = b.alloca(ir.ArrayType(F64, LANES))
            room.align = 64
            rooms.append(b.ptrtoint(room, I64))
        return cls(b, mode, tuple(rooms))

    def step(self, *factors: Any) -> Any:
        """x * y + total."""
        for value, room in zip(factors, self.rooms, strict=True):
            store(self.b, value, room, 64)
        self.b.call(_directed(self.b), [*self.rooms, self.mode])
        return load(self.b, self.rooms[2], vector(F64), 64)


def _step(b: Builder, product: Product, x: Any, y: Any, total: Any) -> Any:
    if number_of(product) != I32:
        return intrinsic(b, "fma", total.type, [x, y, total], total.type)
    mixed = b.xor(x, y) if product == Product.XOR else b.and_(x, y)
    return b.add(total, intrinsic(b, "ctpop", mixed.type, [mixed], mixed.type))


def _begin(b: Builder, product: Product, old: list[Any]) -> list[Any]:
    """Sums before the first product: of floating-point numbers the accumulator, of integers zeros."""
    if product == Product.F16:
        parts = [b.trunc(b.lshr(old[0], constant(I32, s)), vector(I16)) for s in (0, 16)]
        return [floats.half_to_single(b, x) for x in parts]
    if product in (Product.F32, *_DOUBLE):
        return [b.bitcast(x, vector(number_of(product))) for x in old]
    return [ir.Constant(vector(number_of(product)), None)] * 2


def _end(b: Builder, product: Product, old: list[Any], sums: list[Any]) -> list[Any]:
    """What the registers hold afterwards."""
    if product == Product.F16:
        x, y = (b.zext(floats.single_to_half(b, v), vector(I32)) for v in sums)
        return [b.or_(x, b.shl(y, constant(I32, 16)))]
    if product in (Product.F32, *_DOUBLE):
        return sums
    if product in (Product.S32, Product.S32_SATURATED):
        sums = [b.fptosi(x, vector(I32)) for x in sums]
    if product == Product.S32_SATURATED:
        return [intrinsic(b, "sadd.sat", vector(I32), [x, c], vector(I32)) for x, c in zip(sums, old, strict=True)]
    return [b.add(x, c) for x, c in zip(sums, old, strict=True)]


def _columns(b: Builder, row: Any, e: int, number: ir.Type) -> Any:
    """The columns 2 q + e of a tile as often as a register has rows."""
    size = 8 if number == F64 else 4
    four = load(b, b.add(row, word(4 * size * e)), vector(number, 4), 4 * size)
    return shuffle(b, four, undefined(four.type), [i % 4 for i in range(LANES)])


def multiply(b: Builder, product: Product, halves: int, tiles: int) -> Any:
    """Function (a, rows of b, c, d, base, depth): products of 8 or 16 rows (``halves``) with ``tiles`` tiles of columns.

    ``c`` and ``d``: addresses of arrays of i64, which with ``base`` added are the addresses of the accumulator's registers
    before and after; ``c`` 0: zeros. F64_DIRECTED takes its mode (MODES) besides.
    """
    number, count = number_of(product), _registers(product)
    size = 8 if number == F64 else 4
    element = F64 if number == F64 else I32
    places = [(tile, half) for tile in range(tiles) for half in range(halves)]

    def old_registers(inner: Builder, c: Any, base: Any) -> list[Any]:
        before = inner.block
        zeros = [ir.Constant(vector(element), None)] * (count * len(places))
        with inner.if_then(nonzero(inner, c)):
            at = [inner.add(load(inner, lane_of(inner, c, word(i), 8), I64, 8), base) for i in range(len(zeros))]
            loaded, block = [load_slot(inner, address, element) for address in at], inner.block
        out = []
        for zero, value in zip(zeros, loaded, strict=True):
            out.append(inner.phi(value.type))
            out[-1].add_incoming(zero, before)
            out[-1].add_incoming(value, block)
        return out

    def build(inner: Builder, a: Any, rows: Any, c: Any, d: Any, base: Any, depth: Any, *mode: Any) -> None:
        rounded = _Rounded.of(inner, *mode) if mode else None
        old = old_registers(inner, c, base)
        groups = [old[i * count : (i + 1) * count] for i in range(len(places))]
        first = [x for group in groups for x in _begin(inner, product, group)]
        before, totals = inner.block, []
        with counted(inner, depth) as k:
            for x in first:
                totals.append(inner.phi(x.type))
                totals[-1].add_incoming(x, before)
            at = inner.add(a, inner.mul(k, word(halves * LANES * size)))
            x = [load(inner, inner.add(at, word(LANES * size * h)), vector(number), 64) for h in range(halves)]
            row = inner.add(rows, inner.mul(k, word(8 * size)))
            step = inner.mul(depth, word(8 * size))
            y = {}
            for tile in range(tiles):
                for e in (0, 1):
                    y[tile, e] = _columns(inner, row, e, number)
                row = inner.add(row, step)
            step_of = rounded.step if rounded else partial(_step, inner, product)
            after = [step_of(x[half], y[tile, e], totals[2 * i + e])
                     for i, (tile, half) in enumerate(places) for e in (0, 1)]  # fmt: skip
            for total, value in zip(totals, after, strict=True):
                total.add_incoming(value, inner.block)
        new = [x for i, group in enumerate(groups) for x in _end(inner, product, group, after[2 * i : 2 * i + 2])]
        for i, value in enumerate(new):
            address = inner.add(load(inner, lane_of(inner, d, word(i), 8), I64, 8), base)
            store(inner, value, address, 64)

    return helper(b, f"multiply.{product.name}.{halves}.{tiles}", 6 + (product == Product.F64_DIRECTED), build)


def all_tiles(b: Builder, product: Product) -> Any:
    """Function (a, rows of b, c, d, base, depth, tiles): 16 rows with any number of tiles, two at a time."""

    def build(inner: Builder, a: Any, rows: Any, c: Any, d: Any, base: Any, depth: Any, tiles: Any) -> None:
        registers = 2 * _registers(product) * 8  # bytes of addresses for a tile
        apart = inner.mul(depth, word(32))

        def at(tile: Any) -> list[Any]:
            skip = inner.mul(tile, word(registers))
            c_at = inner.select(nonzero(inner, c), inner.add(c, skip), c)
            return [a, inner.add(rows, inner.mul(tile, apart)), c_at, inner.add(d, skip), base, depth]

        pairs = inner.lshr(tiles, word(1))
        with inner.if_then(nonzero(inner, pairs)), counted(inner, pairs) as i:
            inner.call(multiply(inner, product, 2, 2), at(inner.shl(i, word(1))))
        with inner.if_then(nonzero(inner, inner.and_(tiles, word(1)))):
            inner.call(multiply(inner, product, 2, 1), at(inner.sub(tiles, word(1))))

    return helper(b, f"tiles.{product.name}", 7, build)
