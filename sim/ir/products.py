"""Products of fragments, added to accumulators where these lie: integers and bits exactly, floating-point numbers by fused
multiply-add in the order of k, so that results do not depend on the CPU. That is what silicon does for f64 only; for the
others it is an approximation several times as fast as aligned.py, for those who ask for it.
"""

from enum import IntEnum
from typing import Any

from llvmlite import ir

from . import floats
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

    F32, F16, S32, S32_SATURATED, XOR, AND, F64 = range(7)


EXACT = (Product.S32, Product.S32_SATURATED, Product.XOR, Product.AND, Product.F64)
"""Those for which this is what silicon does."""


def number_of(product: Product) -> ir.Type:
    """Type in which factors are multiplied."""
    return F64 if product == Product.F64 else I32 if product in (Product.XOR, Product.AND) else F32


def _registers(product: Product) -> int:
    """Registers of an accumulator for eight rows and a tile of eight columns."""
    return 1 if product == Product.F16 else 2


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
    if product in (Product.F32, Product.F64):
        return [b.bitcast(x, vector(number_of(product))) for x in old]
    return [ir.Constant(vector(number_of(product)), None)] * 2


def _end(b: Builder, product: Product, old: list[Any], sums: list[Any]) -> list[Any]:
    """What the registers hold afterwards."""
    if product == Product.F16:
        x, y = (b.zext(floats.single_to_half(b, v), vector(I32)) for v in sums)
        return [b.or_(x, b.shl(y, constant(I32, 16)))]
    if product in (Product.F32, Product.F64):
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
    before and after; ``c`` 0: zeros.
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

    def build(inner: Builder, a: Any, rows: Any, c: Any, d: Any, base: Any, depth: Any) -> None:
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
            after = [_step(inner, product, x[half], y[tile, e], totals[2 * i + e])
                     for i, (tile, half) in enumerate(places) for e in (0, 1)]  # fmt: skip
            for total, value in zip(totals, after, strict=True):
                total.add_incoming(value, inner.block)
        new = [x for i, group in enumerate(groups) for x in _end(inner, product, group, after[2 * i : 2 * i + 2])]
        for i, value in enumerate(new):
            address = inner.add(load(inner, lane_of(inner, d, word(i), 8), I64, 8), base)
            store(inner, value, address, 64)

    return helper(b, f"multiply.{product.name}.{halves}.{tiles}", 6, build)


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
