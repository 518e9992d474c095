"""Pieces of the tensor cores' library functions: fragments to rows of numbers and back, and products of such rows.

A register of a fragment holds an 8 x 4 block, lane ``4 g + q`` the elements of row g; ``elements`` of them share a register.
Unpacked, a matrix is rows of numbers by k, then by row of A (16 places) or column of B (8 places), whatever its type was:
the block's element e of column q lies in row ``4 e + q``. Which k that is does not matter, A and B agree.
"""

from collections.abc import Callable
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from llvmlite import ir

from . import floats
from .build import (  # fmt: skip
    F32,
    F64,
    I16,
    I32,
    I64,
    LANES,
    VOID,
    Builder,
    constant,
    intrinsic,
    lane_of,
    load,
    load_slot,
    shuffle,
    splat,
    store,
    undefined,
    vector,
    word,
)

FLIPPED = [4 * (i % 8) + i // 8 for i in range(LANES)]
"""Lanes of an 8 x 4 block, column after column."""
UNFLIPPED = [8 * (i % 4) + i // 4 for i in range(LANES)]


class Element(IntEnum):
    """What a register of a fragment holds."""

    F16, BF16, TF32, E4M3, E5M2, S8, U8, S4, U4, WORD, F64 = range(11)


BITS = {Element.F16: 16, Element.BF16: 16, Element.TF32: 32, Element.E4M3: 8, Element.E5M2: 8, Element.S8: 8,
        Element.U8: 8, Element.S4: 4, Element.U4: 4, Element.WORD: 32, Element.F64: 64}  # fmt: skip
"""Width of an element."""


class Product(IntEnum):
    """How rows are multiplied and added up."""

    F32, S32, S32_SATURATED, XOR, AND, F64 = range(6)


@contextmanager
def counted(b: Builder, count: Any) -> Any:
    """A loop: i = 0 … ``count`` - 1 (i64, at least 1)."""
    before, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("done")
    b.branch(loop)
    b.position_at_end(loop)
    i = b.phi(I64)
    i.add_incoming(word(0), before)
    yield i
    following = b.add(i, word(1))
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_unsigned("<", following, count), loop, after)
    b.position_at_end(after)


def helper(b: Builder, name: str, arity: int, build: Callable[..., None]) -> Any:
    """The function ``name(i64 …)`` of the module; ``build(builder, *arguments)`` writes it on first use."""
    known = b.module.globals.get(name)
    if known is not None:
        return known
    function = ir.Function(b.module, ir.FunctionType(VOID, [I64] * arity), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    inner = Builder(function.append_basic_block("entry"), frozenset())
    inner.avx512 = b.avx512
    build(inner, *function.args)
    inner.ret_void()
    return function


def _eight_bit_float(b: Builder, x: Any, element: Element) -> Any:
    """e4m3 or e5m2 in the low byte of i32 lanes as f32, exact."""
    if element == Element.E5M2:
        return floats.half_to_single(b, b.trunc(b.shl(x, constant(I32, 8)), vector(I16)))
    low = b.and_(x, constant(I32, 0x7F))
    sign = b.shl(b.and_(x, constant(I32, 0x80)), constant(I32, 24))
    # read as f32 with exponent and fraction in place it is 2^-120 of its value, subnormal ones too
    scaled = b.fmul(b.bitcast(b.shl(low, constant(I32, 20)), vector(F32)), ir.Constant(vector(F32), [2.0**120] * LANES))
    nan = b.icmp_unsigned("==", low, constant(I32, 0x7F))
    magnitude = b.select(nan, constant(I32, 0x7FFFFFFF), b.bitcast(scaled, vector(I32)))
    return b.bitcast(b.or_(magnitude, sign), vector(F32))


def _element(b: Builder, x: Any, element: Element, e: int) -> Any:
    """Element ``e`` of each lane of a register as f32, or i32 for integers."""
    bits = BITS[element]
    shifted = b.lshr(x, constant(I32, bits * e)) if e else x
    if element == Element.WORD:
        return x
    if element == Element.TF32:
        return b.bitcast(b.and_(x, constant(I32, 0xFFFFE000)), vector(F32))
    if element == Element.F16:
        return floats.half_to_single(b, b.trunc(shifted, vector(I16)))
    if element == Element.BF16:
        return floats.brain_to_single(b, b.trunc(shifted, vector(I16)))
    if element in (Element.E4M3, Element.E5M2):
        return _eight_bit_float(b, b.and_(shifted, constant(I32, 0xFF)), element)
    if element in (Element.U8, Element.U4):
        return b.and_(shifted, constant(I32, (1 << bits) - 1))
    up = b.shl(x, constant(I32, 32 - bits * (e + 1)))
    return b.ashr(up, constant(I32, 32 - bits))


def scatter(b: Builder, value: Any, at: Any, stride: Any) -> None:
    """Columns 0 to 3 of an 8 x 4 block to ``at``, ``at + stride``, …, eight numbers each."""
    flipped = shuffle(b, value, undefined(value.type), FLIPPED)
    for q in range(4):
        part = shuffle(b, flipped, undefined(value.type), range(8 * q, 8 * q + 8))
        store(b, part, b.add(at, b.mul(stride, word(q))), 32)


def gather(b: Builder, at: Any, stride: Any, element: ir.Type) -> Any:
    """The block that `scatter` spread, in the order of lanes."""
    parts = [load(b, b.add(at, b.mul(stride, word(q))), vector(element, 8), 32) for q in range(4)]
    halves = [shuffle(b, parts[i], parts[i + 1], range(16)) for i in (0, 2)]
    whole = shuffle(b, halves[0], halves[1], range(32))
    return shuffle(b, whole, undefined(whole.type), UNFLIPPED)


def unpack(b: Builder, element: Element) -> Any:
    """Function (register, at, stride, step): element e of a register to rows at ``at + e * step``."""

    def build(inner: Builder, register: Any, at: Any, stride: Any, step: Any) -> None:
        if element == Element.F64:
            scatter(inner, load_slot(inner, register, F64), at, stride)
            return
        x = load_slot(inner, register)
        for e in range(32 // BITS[element]):
            scatter(inner, _element(inner, x, element, e), inner.add(at, inner.mul(step, word(e))), stride)

    return helper(b, f"unpack.{element.name}", 4, build)


def _popcount(b: Builder, x: Any) -> Any:
    return intrinsic(b, "ctpop", x.type, [x], x.type)


def multiply(b: Builder, product: Product) -> Any:
    """Function (a, rows of b, sums, depth, sign): add A times B to the sums, columns of 16; ascending, one step for each k.

    ``sign`` is xor'ed into f32 factors: 1 << 31 negates the product.
    """
    number = {Product.F32: F32, Product.F64: F64}.get(product, I32)
    size = 8 if number == F64 else 4
    type_ = vector(number, 16)

    def step(inner: Builder, x: Any, y: Any, total: Any) -> Any:
        if number != I32:
            return intrinsic(inner, "fma", type_, [x, y, total], type_)
        if product in (Product.XOR, Product.AND):
            mixed = inner.xor(x, y) if product == Product.XOR else inner.and_(x, y)
            return inner.add(total, _popcount(inner, mixed))
        return inner.add(total, inner.mul(x, y))

    def build(inner: Builder, a: Any, rows: Any, sums: Any, depth: Any, sign: Any) -> None:
        places = [inner.add(sums, word(16 * size * n)) for n in range(8)]
        old = [load(inner, p, type_, 64) for p in places]
        first = [ir.Constant(type_, None)] * 8 if number == I32 else old
        before = inner.block
        with counted(inner, depth) as k:
            totals = [inner.phi(type_) for _ in range(8)]
            x = load(inner, lane_of(inner, a, k, 16 * size), type_, 64)
            if number == F32:
                flips = splat(inner, inner.trunc(sign, I32), 16)
                x = inner.bitcast(inner.xor(inner.bitcast(x, vector(I32, 16)), flips), type_)
            row = lane_of(inner, rows, k, 8 * size)
            after = []
            for n, total in enumerate(totals):
                y = splat(inner, load(inner, inner.add(row, word(size * n)), number, size), 16)
                after.append(step(inner, x, y, total))
                total.add_incoming(first[n], before)
            for total, value in zip(totals, after, strict=True):
                total.add_incoming(value, inner.block)
        for value, c, p in zip(after, old, places, strict=True):
            if number == I32:
                saturated = product == Product.S32_SATURATED
                value = intrinsic(inner, "sadd.sat", type_, [value, c], type_) if saturated else inner.add(value, c)
            store(inner, value, p, 64)

    return helper(b, f"multiply.{product.name}", 5, build)


def pack_halves(b: Builder, low: Any, high: Any) -> Any:
    """Two f32 of each lane rounded to a register of two f16."""
    x, y = (b.zext(floats.single_to_half(b, v), vector(I32)) for v in (low, high))
    return b.or_(x, b.shl(y, constant(I32, 16)))
