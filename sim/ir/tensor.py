"""Library functions of the tensor cores: ``mma.sync`` on fragments in registers, and the moves of 8 x 8 matrices.

Floating-point products are added in f32 (f64 for f64), one fused multiply-add for each k in ascending order, so a result
does not depend on the CPU; integers are exact. Fragment layouts: PTX ISA 9.0, 9.7.14.5.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from llvmlite import ir

from . import matrix
from .build import (
    F32,
    F64,
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
    shuffle,
    store,
    undefined,
    vector,
    word,
)
from .matrix import BITS, Element, Product, counted

_PAIRS = 2 * LANES
"""16-bit elements of a register."""
_TRANSPOSED = [i % 8 * 8 + i // 8 for i in range(_PAIRS)]
_SCRATCH_ROWS = 64
"""Most k of an instruction, counted in numbers."""
F16_SUMS = 6
"""In the place of a `Product`: f32 sums that begin and end as f16."""


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


def _unpack_factor(b: Builder, registers: Any, kind: Any, count: Any, halves: Any, at: Any, places: int) -> None:
    """The registers of a factor to rows of ``places`` numbers. ``halves``: odd registers hold rows 8 to 15."""

    def case(element: Element) -> None:
        size = places * max(4, BITS[element] // 8)
        columns = max(1, 32 // BITS[element])
        function = matrix.unpack(b, element)
        with counted(b, count) as i:
            half = b.and_(i, halves)
            block = b.mul(b.lshr(i, halves), word(4 * columns * size))
            to = b.add(b.add(at, block), b.mul(half, word(size // 2)))
            b.call(function, [load(b, lane_of(b, registers, i, 8), I64, 8), to, word(columns * size), word(size)])

    dispatch(b, b.trunc(kind, I32), {int(element): partial(case, element) for element in Element})


def _sums(b: Builder, registers: Any, sums: Any, count: Any, product: Any, is_load: bool) -> None:
    """The accumulator's registers to columns of 16 sums (``is_load``), or back."""

    def case(kind: int) -> None:
        number = F64 if kind == Product.F64 else F32 if kind in (Product.F32, F16_SUMS) else I32
        size = 128 if kind == Product.F64 else 64
        with counted(b, count) as i:
            register = load(b, lane_of(b, registers, i, 8), I64, 8)
            half, parity = (i, word(0)) if kind == F16_SUMS else (b.lshr(i, word(1)), b.and_(i, word(1)))
            at = b.add(b.add(sums, b.mul(parity, word(size))), b.mul(half, word(size // 2)))
            if is_load:
                element = {F16_SUMS: Element.F16, Product.F64: Element.F64}.get(kind, Element.WORD)
                b.call(matrix.unpack(b, element), [register, at, word(2 * size), word(size)])
            elif kind == F16_SUMS:
                low, high = (matrix.gather(b, b.add(at, word(e * size)), word(2 * size), F32) for e in (0, 1))
                store(b, matrix.pack_halves(b, low, high), register, 64)
            else:
                store(b, matrix.gather(b, at, word(2 * size), number), register, 64)

    dispatch(b, b.trunc(product, I32), {kind: partial(case, kind) for kind in (*map(int, Product), F16_SUMS)})


def _multiply(b: Builder, a: Any, rows: Any, sums: Any, depth: Any, product: Any, sign: Any) -> None:
    def case(kind: Product) -> None:
        b.call(matrix.multiply(b, kind), [a, rows, sums, depth, sign])

    cases = {int(kind): partial(case, kind) for kind in Product}
    dispatch(b, b.trunc(product, I32), {**cases, F16_SUMS: partial(case, Product.F32)})


def _room(b: Builder, places: int, rows: int = _SCRATCH_ROWS) -> Any:
    """Address of scratch for rows of numbers, 64-byte aligned."""
    scratch = b.alloca(ir.ArrayType(I32, places * rows))
    scratch.align = 64
    return b.ptrtoint(scratch, I64)


def mma(b: Builder, ptrs: Any, fmt: Any) -> None:
    """(ptrs, fmt): ``mma.sync`` for a whole warp. ``ptrs``: address of an i64 array with the addresses of the operand
    registers in PTX order (d, a, b, c). fmt: bits 0-3 `Element` of a, 4-7 of b, 8-11 `Product` or F16_SUMS, 12-15
    registers of a, 16-19 of b, 20-23 of c and d, 24 a has 16 rows, 28-35 k, counted in numbers."""
    a, rows, sums = _room(b, 16), _room(b, 8), _room(b, 32, 8)
    n_a, n_b, n_c = (_field(b, fmt, at, 4) for at in (12, 16, 20))
    product = _field(b, fmt, 8, 4)
    at_a = lane_of(b, ptrs, n_c, 8)
    at_b = lane_of(b, at_a, n_a, 8)
    _unpack_factor(b, at_a, _field(b, fmt, 0, 4), n_a, _field(b, fmt, 24, 1), a, 16)
    _unpack_factor(b, at_b, _field(b, fmt, 4, 4), n_b, word(0), rows, 8)
    _sums(b, lane_of(b, at_b, n_b, 8), sums, n_c, product, True)
    _multiply(b, a, rows, sums, _field(b, fmt, 28, 8), product, word(0))
    _sums(b, ptrs, sums, n_c, product, False)


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


def mma_format(mods: Mapping[str, str], registers: Mapping[str, int]) -> int:
    """The format word of an ``mma`` with these modifiers and counts of registers."""
    names = {"tf32": Element.TF32, "b1": Element.WORD}
    a, b = (names.get(t) or Element[t.upper()] for t in (mods["atype"], mods["btype"]))
    if mods["dtype"] == "f16":
        product = F16_SUMS
    elif "bitop" in mods:
        product = int(Product[mods["bitop"].upper()])
    elif mods["dtype"] == "s32":
        product = int(Product.S32_SATURATED if "satfinite" in mods else Product.S32)
    else:
        product = int(Product[mods["dtype"].upper()])
    depth = registers["b"] * 4 * max(1, 32 // BITS[b])
    counts = registers["a"] << 12 | registers["b"] << 16 | registers["d"] << 20
    return a | b << 4 | product << 8 | counts | mods["shape"].startswith("m16") << 24 | depth << 28


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
