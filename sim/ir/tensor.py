"""Library functions of the tensor cores: ``mma.sync.m16n8k16`` on fragments in registers, and ``ldmatrix``.

The matrices are multiplied in f32, one fused multiply-add for each k in ascending order, so a result does not depend on
the CPU. Fragment layouts: PTX ISA 9.0, 9.7.14.5.8.
"""

from collections.abc import Callable
from typing import Any

from . import floats
from .build import (
    F32,
    I1,
    I16,
    I32,
    I64,
    LANES,
    Builder,
    dispatch,
    intrinsic,
    lane_of,
    load,
    load_slot,
    shuffle,
    store,
    undefined,
    vector,
    word,
)

_PAIRS = 2 * LANES
"""16-bit elements of a register; a half of the accumulator: 8 rows of 8 columns."""
_EVEN, _ODD = range(0, _PAIRS, 2), range(1, _PAIRS, 2)
_INTERLEAVED = [i // 2 + i % 2 * LANES for i in range(_PAIRS)]
_TRANSPOSED = [i % 8 * 8 + i // 8 for i in range(_PAIRS)]


def _pick(b: Builder, x: Any, picks: Any) -> Any:
    return shuffle(b, x, undefined(x.type), picks)


def _elements(b: Builder, address: Any, widen: Callable[..., Any]) -> Any:
    """A register of pairs as 64 f32: an 8 x 8 matrix, row after row."""
    return widen(b, b.bitcast(load_slot(b, address), vector(I16, _PAIRS)))


def _multiply(b: Builder, a: list[Any], columns: list[Any], sums: list[Any]) -> None:
    """Add A (16 x 16, four 8 x 8 registers) times B (two 8 x 8 registers, k-major) to the two halves of ``sums``."""
    for k in range(16):
        at, i = divmod(k, 8)
        row_of_b = _pick(b, columns[at], [i * 8 + n % 8 for n in range(_PAIRS)])
        for half in range(2):
            column_of_a = _pick(b, a[2 * at + half], [n // 8 * 8 + i for n in range(_PAIRS)])
            sums[half] = intrinsic(b, "fma", sums[half].type, [column_of_a, row_of_b, sums[half]], sums[half].type)


def _load_sums(b: Builder, pointers: list[Any], is_single: bool) -> list[Any]:
    if not is_single:
        return [_elements(b, p, floats.half_to_single) for p in pointers]
    parts = [load_slot(b, p, F32) for p in pointers]
    return [shuffle(b, parts[i], parts[i + 1], _INTERLEAVED) for i in (0, 2)]


def _store_sums(b: Builder, sums: list[Any], pointers: list[Any], is_single: bool) -> None:
    if is_single:
        values = [_pick(b, half, picks) for half in sums for picks in (_EVEN, _ODD)]
    else:
        values = [b.bitcast(floats.single_to_half(b, half), vector(I32)) for half in sums]
    for value, p in zip(values, pointers, strict=True):
        store(b, value, p, 64)


def mma(b: Builder, ptrs: Any, fmt: Any) -> None:
    """(ptrs, fmt): ``mma.sync.aligned.m16n8k16.row.col`` for a whole warp. ``ptrs``: address of an i64 array with the
    addresses of the operand registers in PTX order (d, a, b, c). fmt 0: f32 sums, f16 factors; 1: f32 sums, bf16
    factors; 2: f16 sums (two registers), f16 factors; they are rounded once, at the end."""

    def case(widen: Callable[..., Any], is_single: bool) -> None:
        n = 4 if is_single else 2
        p = [load(b, b.add(ptrs, word(8 * i)), I64, 8) for i in range(2 * n + 6)]
        sums = _load_sums(b, p[n + 6 :], is_single)
        factors = [_elements(b, address, widen) for address in p[n : n + 6]]
        columns = [_pick(b, x, _TRANSPOSED) for x in factors[4:]]
        _multiply(b, factors[:4], columns, sums)
        _store_sums(b, sums, p[:n], is_single)

    cases = [(floats.half_to_single, True), (floats.brain_to_single, True), (floats.half_to_single, False)]
    dispatch(b, b.trunc(fmt, I32), {i: (lambda row=row: case(*row)) for i, row in enumerate(cases)})


def ldmatrix(b: Builder, ptrs: Any, out: Any, delta: Any, n: Any, trans: Any) -> None:
    """(ptrs, out, delta, n, trans): load ``n`` (1, 2, 4) 8 x 8 matrices of 16-bit elements for a whole warp; row r of
    matrix i is the 16 bytes at ``out[8i + r] + delta``. ``ptrs``: address of an i64 array of ``n`` registers."""
    flip = b.trunc(trans, I1)

    def matrix(i: int) -> None:
        rows = []
        for r in range(8):
            row_at = b.add(load(b, lane_of(b, out, word(8 * i + r), 8), I64, 8), delta)
            rows.append(load(b, row_at, vector(I16, 8), 1))
        while len(rows) > 1:
            count = 2 * rows[0].type.count
            rows = [shuffle(b, x, y, range(count)) for x, y in zip(rows[::2], rows[1::2], strict=True)]
        value = b.select(flip, _pick(b, rows[0], _TRANSPOSED), rows[0])
        store(b, b.bitcast(value, vector(I32)), load(b, b.add(ptrs, word(8 * i)), I64, 8), 64)

    def matrices(count: int) -> None:
        for i in range(count):
            matrix(i)

    dispatch(b, b.trunc(n, I32), {count: (lambda count=count: matrices(count)) for count in (1, 2, 4)})


FUNCTIONS = {"mma": mma, "ldmatrix": ldmatrix}
