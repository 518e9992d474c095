"""Library functions of the tensor cores: ``mma.sync.m16n8k16`` on fragments in registers, and ``ldmatrix``.

The matrices are multiplied in f32, one fused multiply-add for each k in ascending order, so a result does not depend on
the CPU. Fragment layouts: PTX ISA 9.0, 9.7.14.5.8.
"""

from collections.abc import Callable
from functools import partial
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
    splat,
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


def _elements(b: Builder, address: Any, widen: Callable[..., Any], picks: Any = range(_PAIRS)) -> Any:
    """A register of pairs, an 8 x 8 matrix row after row, as 64 f32 in the order ``picks``."""
    return widen(b, _pick(b, b.bitcast(load_slot(b, address), vector(I16, _PAIRS)), picks))


def _multiply(b: Builder, rows_of_a: Any, rows_of_b: Any, sums: list[Any], depth: int) -> list[Any]:
    """Add 8 rows of A times B to 8 rows of sums. A is in memory as 8 x 8 matrices 512 bytes apart, B as ``depth`` rows.

    A loop, so that elements of A are broadcast by loads and not by shuffles, which have one port on most CPUs.
    """
    before, loop, after = b.block, b.append_basic_block("k"), b.append_basic_block("done")
    b.branch(loop)
    b.position_at_end(loop)
    k = b.phi(I64)
    totals = [b.phi(vector(F32, 8)) for _ in sums]
    row_of_b = load(b, lane_of(b, rows_of_b, k, 32), vector(F32, 8), 32)
    half = b.shl(b.and_(k, word(8)), word(6))
    column = b.add(rows_of_a, b.add(half, b.shl(b.and_(k, word(7)), word(2))))
    added = []
    for row, total in enumerate(totals):
        element = splat(b, load(b, b.add(column, word(32 * row)), F32, 4), 8)
        added.append(intrinsic(b, "fma", total.type, [element, row_of_b, total], total.type))
    next_k = b.add(k, word(1))
    for phi, first, again in zip([k, *totals], [word(0), *sums], [next_k, *added], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(again, loop)
    b.cbranch(b.icmp_unsigned("<", next_k, word(depth)), loop, after)
    b.position_at_end(after)
    return added


def _load_sums(b: Builder, pointers: list[Any], is_single: bool) -> list[Any]:
    """Rows of the accumulator."""
    if is_single:
        parts = [load_slot(b, p, F32) for p in pointers]
        halves = [shuffle(b, parts[i], parts[i + 1], _INTERLEAVED) for i in (0, 2)]
    else:
        halves = [_elements(b, p, floats.half_to_single) for p in pointers]
    return [_pick(b, half, range(at, at + 8)) for half in halves for at in range(0, _PAIRS, 8)]


def _join(b: Builder, rows: list[Any]) -> Any:
    """Equal vectors one after another."""
    while len(rows) > 1:
        count = 2 * rows[0].type.count
        rows = [shuffle(b, x, y, range(count)) for x, y in zip(rows[::2], rows[1::2], strict=True)]
    return rows[0]


def _store_sums(b: Builder, rows: list[Any], pointers: list[Any], is_single: bool) -> None:
    halves = [_join(b, rows[:8]), _join(b, rows[8:])]
    if is_single:
        values = [_pick(b, half, picks) for half in halves for picks in (_EVEN, _ODD)]
    else:
        values = [b.bitcast(floats.single_to_half(b, half), vector(I32)) for half in halves]
    for value, p in zip(values, pointers, strict=True):
        store(b, value, p, 64)


def mma(b: Builder, ptrs: Any, fmt: Any) -> None:
    """(ptrs, fmt): ``mma.sync.aligned.m16n8k16.row.col``, or m16n8k8 with bit 2 of fmt, for a whole warp. ``ptrs``:
    address of an i64 array with the addresses of the operand registers in PTX order (d, a, b, c). Bits 0-1 of fmt: 0
    f32 sums, f16 factors; 1 f32 sums, bf16 factors; 2 f16 sums (two registers), f16 factors, rounded once, at the end.
    """
    scratch = b.alloca(vector(F32, _PAIRS), size=6)
    scratch.align = 64
    rows_of_a = b.ptrtoint(scratch, I64)
    rows_of_b = b.add(rows_of_a, word(4 * 4 * _PAIRS))

    def case(widen: Callable[..., Any], is_single: bool, depth: int) -> None:
        n, n_a, n_b = 4 if is_single else 2, depth // 4, depth // 8
        p = [load(b, b.add(ptrs, word(8 * i)), I64, 8) for i in range(2 * n + n_a + n_b)]
        sums = _load_sums(b, p[n + n_a + n_b :], is_single)
        for i, address in enumerate(p[n : n + n_a]):
            store(b, _elements(b, address, widen), b.add(rows_of_a, word(4 * _PAIRS * i)), 64)
        for i, address in enumerate(p[n + n_a : n + n_a + n_b]):
            store(b, _elements(b, address, widen, _TRANSPOSED), b.add(rows_of_b, word(4 * _PAIRS * i)), 64)
        for half in range(2):
            part = slice(8 * half, 8 * half + 8)
            sums[part] = _multiply(b, b.add(rows_of_a, word(4 * _PAIRS * half)), rows_of_b, sums[part], depth)
        _store_sums(b, sums, p[:n], is_single)

    kinds = [(floats.half_to_single, True), (floats.brain_to_single, True), (floats.half_to_single, False)]
    cases = {i | shallow << 2: (*kind, 16 >> shallow) for i, kind in enumerate(kinds) for shallow in (0, 1)}
    dispatch(b, b.trunc(fmt, I32), {number: partial(case, *row) for number, row in cases.items()})


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


FUNCTIONS: dict[str, Callable[..., Any]] = {"mma": mma, "ldmatrix": ldmatrix}
