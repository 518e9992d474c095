"""Fragments of matrices as numbers.

A register of a fragment holds an 8 x 4 block: lane ``4 g + q`` has elements of row g of A, or of column g of B, and the k of
its element e is ``q * per + e`` with ``per`` elements in a register (PTX ISA 9.0, 9.7.14.5). Products are computed where
the accumulator lies: a register of it has row g and column ``2 q + e`` in lane ``4 g + q``. So A is spread to vectors of
32 lanes, one for each k, that have a row's number four times, and B to vectors of four columns, which are repeated.
"""

from collections.abc import Callable
from contextlib import contextmanager
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
    VOID,
    Builder,
    bits,
    constant,
    intrinsic,
    load,
    load_slot,
    nonzero,
    shuffle,
    splat,
    store,
    undefined,
    vector,
    word,
)

COLUMNS = (0, 2, 4, 6, 1, 3, 5, 7)
"""Order of a tile's columns in memory: those of an accumulator's even registers, then those of its odd ones."""


class Element(IntEnum):
    """What a register of a fragment holds."""

    F16, BF16, TF32, E4M3, E5M2, S8, U8, S4, U4, WORD, F64 = range(11)


BITS = {Element.F16: 16, Element.BF16: 16, Element.TF32: 32, Element.E4M3: 8, Element.E5M2: 8, Element.S8: 8,
        Element.U8: 8, Element.S4: 4, Element.U4: 4, Element.WORD: 32, Element.F64: 64}  # fmt: skip
"""Width of an element."""


def per_register(element: Element) -> int:
    """Elements that share a 32-bit register; an f64 has a register of its own."""
    return max(1, 32 // BITS[element])


def number_bytes(element: Element) -> int:
    """Size of the number that an element becomes."""
    return 8 if element == Element.F64 else 4


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


def accumulated(b: Builder, count: Any, first: list[Any], step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """What ``step(i, values)`` has made of the values ``first`` after i = 0 … ``count`` - 1 (i64, at least 1)."""
    before = b.block
    with counted(b, count) as i:
        values = [b.phi(x.type) for x in first]
        after = step(i, values)
        for phi, start, value in zip(values, first, after, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, b.block)
    return after


def helper(b: Builder, name: str, arity: int, build: Callable[..., Any], result: Any = VOID) -> Any:
    """The function ``name(i64 …)`` of the module; ``build(builder, *arguments)`` writes it on first use."""
    known = b.module.globals.get(name)
    if known is not None:
        return known
    function = ir.Function(b.module, ir.FunctionType(result, [I64] * arity), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    inner = Builder(function.append_basic_block("entry"), frozenset())
    inner.avx512 = b.avx512
    value = build(inner, *function.args)
    if value is None:
        inner.ret_void()
    else:
        inner.ret(value)
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
    """Element ``e`` of each lane of a register: bits as they are, all other numbers as f32."""
    width = BITS[element]
    shifted = b.lshr(x, constant(I32, width * e)) if e else x
    if element == Element.WORD:
        return x
    if element == Element.TF32:
        return b.bitcast(b.and_(x, constant(I32, 0xFFFFE000)), vector(F32))
    if element == Element.F16:
        return floats.half_to_single(b, b.trunc(shifted, vector(I16)))
    if element == Element.BF16:
        kept = b.and_(x, constant(I32, 0xFFFF0000)) if e else b.shl(x, constant(I32, 16))
        return b.bitcast(kept, vector(F32))
    if element in (Element.E4M3, Element.E5M2):
        return _eight_bit_float(b, b.and_(shifted, constant(I32, 0xFF)), element)
    if element in (Element.U8, Element.U4):
        return b.uitofp(b.and_(shifted, constant(I32, (1 << width) - 1)), vector(F32))
    up = b.shl(x, constant(I32, 32 - width * (e + 1)))
    return b.sitofp(b.ashr(up, constant(I32, 32 - width)), vector(F32))


def elements(b: Builder, register: Any, element: Element) -> list[Any]:
    """The numbers in a register, a vector of lanes for each element of a lane."""
    if element == Element.F64:
        return [load_slot(b, register, F64)]
    x = load_slot(b, register)
    return [_element(b, x, element, e) for e in range(per_register(element))]


def _lowest_exponent(element: Element, converted: bool) -> int:
    """Exponent of subnormal numbers; ``converted``: those of eight bits have become f16."""
    return {Element.F16: -14, Element.E5M2: -14, Element.E4M3: -14 if converted else -6}.get(element, -126)


NEVER = -8192
"""Exponent of zero: it is never the largest."""
ABSENT = NEVER - 1
"""Exponent where a sparse matrix has no number."""
USUAL = 48
"""Largest magnitude of exponents for which products and their sums fit f32's range."""


def exponents(b: Builder, x: Any, lowest: int) -> Any:
    """Exponents of f32 lanes as i16, not below ``lowest``; of zeros NEVER."""
    n = x.type.count
    field = b.and_(b.lshr(b.bitcast(x, vector(I32, n)), constant(I32, 23, n)), constant(I32, 255, n))
    exponent = b.sub(field, constant(I32, 127, n))
    exponent = intrinsic(b, "smax", exponent.type, [exponent, constant(I32, lowest, n)], exponent.type)
    zero = b.fcmp_ordered("==", x, ir.Constant(x.type, None))
    return b.trunc(b.select(zero, constant(I32, NEVER, n), exponent), vector(I16, n))


def _unusual(b: Builder, x: Any) -> Any:
    """i32 mask of the lanes that are infinite, NaN, or whose exponent is beyond USUAL."""
    raw = b.and_(b.bitcast(x, vector(I32)), constant(I32, 0x7FFFFFFF))
    above = b.sub(b.lshr(raw, constant(I32, 23)), constant(I32, 127 - USUAL))
    beyond = b.icmp_unsigned(">", above, constant(I32, 2 * USUAL))
    return bits(b, b.and_(beyond, b.icmp_unsigned("!=", raw, constant(I32, 0))))


def _pair_exponents(b: Builder, register: Any, element: Element) -> tuple[Any, Any]:
    """Exponents of all 64 numbers of 16 bits of a register, and an i32 that is not 0 if one is unusual."""
    fraction, bias = (10, 15) if element == Element.F16 else (7, 127)
    n = 2 * LANES
    magnitude = b.and_(load(b, register, vector(I16, n), 64), constant(I16, 0x7FFF, n))
    field = b.lshr(magnitude, constant(I16, fraction, n))
    lowest = intrinsic(b, "umax", field.type, [field, constant(I16, 1, n)], field.type)
    zero = b.icmp_unsigned("==", magnitude, constant(I16, 0, n))
    never = constant(I16, NEVER & 0xFFFF, n)
    tops = b.select(zero, never, b.sub(lowest, constant(I16, bias, n)))
    if element == Element.F16:
        beyond = b.icmp_unsigned("==", field, constant(I16, 31, n))
    else:
        above = b.sub(field, constant(I16, bias - USUAL, n))
        beyond = b.and_(b.icmp_unsigned(">", above, constant(I16, 2 * USUAL, n)), b.not_(zero))
    return tops, b.trunc(b.zext(nonzero(b, bits(b, beyond)), I64), I32)


def _negated(b: Builder, value: Any, sign: Any) -> Any:
    """f32 lanes with ``sign`` (i64, 0 or 1 << 31) xor'ed in."""
    flips = splat(b, b.trunc(sign, I32))
    return b.bitcast(b.xor(b.bitcast(value, vector(I32)), flips), value.type)


def is_float(element: Element) -> bool:
    """Whether products are added as the tensor cores do for floating-point numbers (aligned.py)."""
    return element <= Element.E5M2


class Halves(IntEnum):
    """Which elements are added up after the others: none; 2 and 3 of each register; or, where they meet those of a sparse
    matrix so ordered, all of every other register."""

    NONE, ELEMENTS, REGISTERS = range(3)


def _place(element: Element, halves: Halves, q: int, e: int) -> tuple[int, int]:
    """Number of element e of column q in its half, and the half."""
    if halves == Halves.ELEMENTS:
        return 2 * q + e % 2, e // 2
    if halves == Halves.REGISTERS:
        return q // 2 * per_register(element) + e, q % 2
    return q * per_register(element) + e, 0


Picker = Callable[[int, list[int]], Any]
"""Exponents of element e in the lanes given."""


def _tops(
    b: Builder, register: Any, element: Element, numbers: list[Any], converted: bool
) -> tuple[Picker | None, Any]:
    """Exponents of a register's numbers, None if they are not needed; and an i32 that is not 0 if one is unusual."""
    if not is_float(element):
        return None, ir.Constant(I32, 0)
    if BITS[element] == 16:
        both, unusual = _pair_exponents(b, register, element)
        return lambda e, lanes: shuffle(b, both, undefined(both.type), [2 * lane + e for lane in lanes]), unusual
    tops = [exponents(b, x, _lowest_exponent(element, converted)) for x in numbers]
    found: Any = ir.Constant(I32, 0)
    for x in numbers:
        found = b.or_(found, _unusual(b, x))
    return lambda e, lanes: shuffle(b, tops[e], undefined(tops[e].type), lanes), found


def spread_a(b: Builder, element: Element, halves: Halves = Halves.NONE) -> Any:
    """Function (register, to, step, sign, exponents, half): a block of A to vectors of 32 lanes, one for each k, ``step``
    bytes apart; the second of ``halves`` is ``half`` k later. Exponents of floats, i16, likewise. Returns 0 if
    all are usual."""

    def build(inner: Builder, register: Any, to: Any, step: Any, sign: Any, tops: Any, half: Any) -> Any:
        numbers = elements(inner, register, element)
        tops_of, unusual = _tops(inner, register, element, numbers, halves != Halves.NONE)
        for e, x in enumerate(numbers):
            value = _negated(inner, x, sign) if is_float(element) else x
            for q in range(4):
                k, second = _place(element, halves, q, e)
                at = inner.mul(step, inner.add(half, word(k)) if second else word(k))
                picks = [i // 4 * 4 + q for i in range(LANES)]
                store(inner, shuffle(inner, value, undefined(value.type), picks), inner.add(to, at), 64)
                if tops_of is not None:
                    row = tops_of(e, picks)
                    store(inner, row, inner.add(tops, inner.lshr(at, word(1))), 64)
        return inner.zext(unusual, I64)

    return helper(b, f"spread_a.{element.name}.{halves:d}", 6, build, I64)


def spread_b(b: Builder, element: Element, halves: Halves = Halves.NONE) -> Any:
    """Function (register, to, exponents, half): a block of B to the eight columns of a tile, in the order COLUMNS, for each k
    in turn. Otherwise as `spread_a`."""

    def build(inner: Builder, register: Any, to: Any, tops: Any, half: Any) -> Any:
        size = number_bytes(element)
        picks = [4 * column + q for q in range(4) for column in COLUMNS]
        numbers = elements(inner, register, element)
        tops_of, unusual = _tops(inner, register, element, numbers, halves != Halves.NONE)

        def put(turned: Any, at: Any, e: int, bytes_: int) -> None:
            for q in range(4):
                part = shuffle(inner, turned, undefined(turned.type), range(8 * q, 8 * q + 8))
                k, second = _place(element, halves, q, e)
                place = inner.mul(word(8 * bytes_), inner.add(half, word(k)) if second else word(k))
                store(inner, part, inner.add(at, place), 8 * bytes_)

        for e, x in enumerate(numbers):
            put(shuffle(inner, x, undefined(x.type), picks), to, e, size)
            if tops_of is not None:
                put(tops_of(e, picks), tops, e, 2)
        return inner.zext(unusual, I64)

    return helper(b, f"spread_b.{element.name}.{halves:d}", 4, build, I64)
