"""Library functions of the tensor cores: ``mma.sync`` on fragments in registers, and the moves of 8 x 8 matrices.

Floating-point products are added in f32 (f64 for f64), one fused multiply-add for each k in ascending order, so a result
does not depend on the CPU; integers are exact. Fragment layouts: PTX ISA 9.0, 9.7.14.5.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from llvmlite import ir

from ..wgmma_format import CHAINED_MMA as CHAINED
from . import aligned
from .aligned import RULES
from .build import (
    I1,
    I16,
    I32,
    I64,
    LANES,
    Builder,
    dispatch,
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
from .fragments import BITS, Element, Halves, accumulated, counted, number_bytes, per_register, spread_a, spread_b
from .products import EXACT, MODES, Product, multiply
from .sparse import chunk_length, expand

_PAIRS = 2 * LANES
"""16-bit elements of a register."""
_TRANSPOSED = [i % 8 * 8 + i // 8 for i in range(_PAIRS)]
SPARSE = 27
"""Bit of an `mma` format: A is sparse."""
_MODE = 38
"""First bit of the rounding of a format (MODES)."""
_MOST_DEPTH = 128
"""Most k of an instruction, counted in numbers."""


def _pick(b: Builder, x: Any, picks: Any) -> Any:
    return shuffle(b, x, undefined(x.type), picks)


def _join(b: Builder, rows: list[Any]) -> Any:
    """Equal vectors one after another."""
    while len(rows) > 1:
        count = 2 * rows[0].type.count
        rows = [shuffle(b, x, y, range(count)) for x, y in zip(rows[::2], rows[1::2], strict=True)]
    return rows[0]


def _field(b: Builder, fmt: Any, at: int, width: int) -> Any:
    """Bits of a format word, as i64."""
    return b.and_(b.lshr(fmt, word(at)), word((1 << width) - 1))


def _room(b: Builder, size: int) -> Any:
    """Address of ``size`` bytes of scratch."""
    scratch = b.alloca(ir.ArrayType(I32, size // 4))
    scratch.align = 64
    return b.ptrtoint(scratch, I64)


def _pointer(b: Builder, pointers: Any, i: Any) -> Any:
    return load(b, lane_of(b, pointers, i, 8), I64, 8)


def _each_element(b: Builder, kind: Any, case: Callable[[Element], Any]) -> Any:
    return dispatch(b, b.trunc(kind, I32), {int(element): partial(case, element) for element in Element})


def _is_pairs(element: Element) -> bool:
    """Whether ``mma`` converts the factors to f16 and multiplies those of even registers so got before the others; of a sparse
    A a register so got has two of four k, so of B it is every other one as it was."""
    return element in (Element.E4M3, Element.E5M2)


def _all_registers(b: Builder, count: Any, one: Callable[[Any], Any]) -> Any:
    """``one(i)`` for each of ``count`` registers; what they return or'ed together."""
    return accumulated(b, count, [word(0)], lambda i, found: [b.or_(found[0], one(i))])[0]


def _spread_a(b: Builder, fmt: Any, registers: Any, count: Any, to: Any, tops: Any) -> Any:
    """Registers of A to vectors of lanes for each k; odd ones of 16 rows hold rows 8 to 15. Returns 0 if all are usual."""
    half = _field(b, fmt, 24, 1)

    def case(element: Element) -> Any:
        size, pairs = LANES * number_bytes(element), _is_pairs(element)
        halves = Halves.ELEMENTS if pairs else Halves.NONE
        step = b.shl(word(size), half)
        columns = word((4 if not pairs else 2) * per_register(element))
        second = b.lshr(_field(b, fmt, 28, 8), b.add(word(1), _field(b, fmt, SPARSE, 1)))

        def one(i: Any) -> Any:
            k = b.mul(b.lshr(i, half), columns)
            place = b.add(b.mul(k, step), b.mul(b.and_(i, half), word(size)))
            args = [
                _pointer(b, registers, i),
                b.add(to, place),
                step,
                word(0),
                b.add(tops, b.lshr(place, word(1))),
                second,
            ]
            return b.call(spread_a(b, element, halves), args)

        return _all_registers(b, count, one)

    return _each_element(b, _field(b, fmt, 0, 4), case)


def _spread_b(b: Builder, fmt: Any, registers: Any, count: Any, to: Any, tops: Any) -> Any:
    def case(element: Element) -> Any:
        pairs = _is_pairs(element)
        size = 8 * number_bytes(element) * (2 if pairs else 4) * per_register(element)
        second = b.lshr(_field(b, fmt, 28, 8), word(1))
        spread = spread_b(b, element, Halves.ELEMENTS if pairs else Halves.NONE)
        if pairs:
            is_sparse = nonzero(b, _field(b, fmt, SPARSE, 1))
            spread = b.select(is_sparse, spread_b(b, element, Halves.REGISTERS), spread)

        def one(i: Any) -> Any:
            place = b.mul(i, word(size))
            args = [_pointer(b, registers, i), b.add(to, place), b.add(tops, b.lshr(place, word(1))), second]
            return b.call(spread, args)

        return _all_registers(b, count, one)

    return _each_element(b, _field(b, fmt, 4, 4), case)


def _sum_apart(b: Builder, half: bool, args: list[Any], unusual: Any) -> None:
    """Products of factors of eight bits, added up from zero in two halves, then added to the accumulator: ``mma`` converts them
    to f16 and takes two instructions of f16 and an addition."""
    sums, table = _room(b, 4 * 128), _room(b, 4 * 8)
    for i in range(4):
        store(b, b.add(sums, word(128 * i)), b.add(table, word(8 * i)), 8)
    a, rows, tops_a, tops_b, c, d, base, depth = args
    aligned.two_groups(b, RULES[half, False], [a, rows, tops_a, tops_b, word(0), table, base, depth], unusual)
    b.call(aligned.add_apart(b, half), [table, c, d])


def _expanded(b: Builder, fmt: Any, lanes: Any, tops: Any, metadata: Any) -> tuple[Any, Any]:
    """Where the vectors of A are, with all k: of a sparse A in other places."""
    is_sparse = nonzero(b, _field(b, fmt, SPARSE, 1))
    all_lanes, all_tops = _room(b, _MOST_DEPTH * 256), _room(b, _MOST_DEPTH * 128)

    def case(element: Element) -> None:
        chunks = b.udiv(_field(b, fmt, 28, 8), word(chunk_length(element)))
        args = [lanes, tops, _pointer(b, metadata, word(0)), all_lanes, all_tops, chunks, _field(b, fmt, 36, 2)]
        b.call(expand(b, element, _is_pairs(element)), args)

    with b.if_then(is_sparse):
        used = {int(element): partial(case, element) for element in Element if BITS[element] != 64}
        dispatch(b, b.trunc(_field(b, fmt, 0, 4), I32), used)
    return b.select(is_sparse, all_lanes, lanes), b.select(is_sparse, all_tops, tops)


def mma(b: Builder, ptrs: Any, fmt: Any) -> None:
    """(ptrs, fmt): ``mma.sync`` for a whole warp. ``ptrs``: address of an i64 array with the addresses of the operand
    registers in PTX order (d, a, b, c). fmt: bits 0-3 `Element` of a, 4-7 of b, 8-11 `Product`, 12-15 registers of a,
    16-19 of b, 20-23 of c and d, 24 a has 16 rows, 25 the accumulator is added apart, 26 sums are
    chains (products.py), 27 A is sparse and its metadata follows c, 28-35 k, counted in numbers, 36-37 the first thread of
    four that has metadata, 38-39 rounding (products.py)."""
    lanes, rows = _room(b, _MOST_DEPTH * 256), _room(b, _MOST_DEPTH * 32)
    tops_a, tops_b = _room(b, _MOST_DEPTH * 128), _room(b, _MOST_DEPTH * 16)
    n_a, n_b, n_c = (_field(b, fmt, at, 4) for at in (12, 16, 20))
    at_a = lane_of(b, ptrs, n_c, 8)
    at_b = lane_of(b, at_a, n_a, 8)
    unusual = _spread_a(b, fmt, at_a, n_a, lanes, tops_a)
    at_c = lane_of(b, at_b, n_b, 8)
    lanes, tops_a = _expanded(b, fmt, lanes, tops_a, lane_of(b, at_c, n_c, 8))
    unusual = b.or_(unusual, _spread_b(b, fmt, at_b, n_b, rows, tops_b))
    depth = _field(b, fmt, 28, 8)
    args = [at_c, ptrs, word(0), depth]

    def exact(product: Product) -> None:
        for halves in (1, 2):
            with b.if_then(b.icmp_unsigned("==", _field(b, fmt, 24, 1), word(halves - 1))):
                mode = [_field(b, fmt, _MODE, 2)] if product == Product.F64_DIRECTED else []
                b.call(multiply(b, product, halves, 1), [lanes, rows, *args, *mode])

    def floating(half: bool) -> None:
        with b.if_else(nonzero(b, _field(b, fmt, CHAINED, 1))) as (chained, aligned_):
            with chained:
                b.call(multiply(b, Product.F16 if half else Product.F32, 2, 1), [lanes, rows, *args])
            with aligned_:
                exactly(half)

    def exactly(half: bool) -> None:
        places = [lanes, rows, tops_a, tops_b, *args]
        with b.if_else(nonzero(b, _field(b, fmt, 25, 1))) as (apart, together):
            with apart:
                _sum_apart(b, half, places, unusual)
            with together:
                aligned.tile(b, RULES[half, False], places, unusual)

    cases = {int(product): partial(exact, product) for product in EXACT}
    cases |= {int(Product.F32): partial(floating, False), int(Product.F16): partial(floating, True)}
    dispatch(b, b.trunc(_field(b, fmt, 8, 4), I32), cases)


def ldmatrix(b: Builder, ptrs: Any, out: Any, delta: Any, n: Any, trans: Any) -> None:
    """(ptrs, out, delta, n, trans): load ``n`` (1, 2, 4) 8 x 8 matrices of 16-bit elements for a whole warp; row r of
    matrix i is the 16 bytes at ``out[8i + r] + delta``. ``ptrs``: address of an i64 array of ``n`` registers."""
    flip = b.trunc(trans, I1)

    def matrix(i: int) -> None:
        rows = []
        for r in range(8):
            row_at = b.add(load(b, lane_of(b, out, word(8 * i + r), 8), I64, 8), delta)
            rows.append(load(b, row_at, vector(I16, 8), 1))
        whole = _join(b, rows)
        value = b.select(flip, _pick(b, whole, _TRANSPOSED), whole)
        store(b, b.bitcast(value, vector(I32)), load(b, b.add(ptrs, word(8 * i)), I64, 8), 64)

    def matrices(count: int) -> None:
        for i in range(count):
            matrix(i)

    dispatch(b, b.trunc(n, I32), {count: partial(matrices, count) for count in (1, 2, 4)})


def mma_format(mods: Mapping[str, str], registers: Mapping[str, int], selector: int = 0) -> int:
    """The format word of an ``mma`` with these modifiers and counts of registers; ``selector`` of sparse metadata."""
    names = {"tf32": Element.TF32, "b1": Element.WORD}
    a, b = (names.get(t) or Element[t.upper()] for t in (mods["atype"], mods["btype"]))
    mode = MODES.index(mods.get("rnd", "rn"))
    product = Product["S32_SATURATED" if "satfinite" in mods else mods.get("bitop", mods["dtype"]).upper()]
    product = Product.F64_DIRECTED if mode else product
    depth = registers["b"] * 4 * per_register(b)
    counts = registers["a"] << 12 | registers["b"] << 16 | registers["d"] << 20
    rows = mods["shape"].startswith("m16") << 24 | _is_pairs(a) << 25
    out = a | b << 4 | product << 8 | counts | rows | depth << 28 | mode << _MODE
    if "sp" not in mods:
        return out
    one_word = depth // chunk_length(a) <= (8 if BITS[a] <= 8 else 4)
    threads = 2 if (BITS[a] <= 8 and one_word) or (BITS[a] > 8 and not one_word) else 1 if one_word else 0
    return out | 1 << SPARSE | selector * threads << 36


def stmatrix(b: Builder, ptrs: Any, out: Any, delta: Any, n: Any, trans: Any) -> None:
    """(ptrs, out, delta, n, trans): the opposite of ``ldmatrix``: registers to rows in memory, 8x8 after 8x8."""
    flip = b.trunc(trans, I1)
    with counted(b, n) as i:
        register = load(b, lane_of(b, ptrs, i, 8), I64, 8)
        whole = b.bitcast(load_slot(b, register), vector(I16, _PAIRS))
        whole = b.select(flip, _pick(b, whole, _TRANSPOSED), whole)
        for r in range(8):
            row_at = b.add(load(b, lane_of(b, out, b.add(b.shl(i, word(3)), word(r)), 8), I64, 8), delta)
            store(b, _pick(b, whole, range(8 * r, 8 * r + 8)), row_at, 1)


def movmatrix(b: Builder, ptrs: Any) -> None:
    """(ptrs): ``movmatrix``: register ``ptrs[1]``, an 8 x 8 matrix of 16-bit elements, transposed to ``ptrs[0]``."""
    whole = b.bitcast(load_slot(b, load(b, b.add(ptrs, word(8)), I64, 8)), vector(I16, _PAIRS))
    store(b, b.bitcast(_pick(b, whole, _TRANSPOSED), vector(I32)), load(b, ptrs, I64, 8), 64)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mma": mma, "ldmatrix": ldmatrix, "stmatrix": stmatrix, "movmatrix": movmatrix,
}  # fmt: skip
