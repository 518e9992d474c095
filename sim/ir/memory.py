"""Library functions of the load/store unit: lane addresses, loads, stores, and lane constants.

``out`` is an array of 34 i64: the simulated addresses of the lanes, their minimum and their maximum. ``delta`` turns a
simulated address into a host address. ``fmt`` of loads and stores: bits 0-3 log2 of the element's bytes, bit 4 signed,
bit 5 the register slot has 64 bits, bit 6 the addresses of all lanes are consecutive.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from .build import (
    F64,
    FULL,
    I32,
    I64,
    LANES,
    Builder,
    constant,
    dispatch,
    each_lane,
    every,
    gather,
    iota,
    lane_of,
    lanes,
    load,
    load_slot,
    masked_load,
    masked_store,
    nonzero,
    reduce,
    splat,
    store,
    store_slot,
    vector,
    word,
)

UNIT = 6
"""Bit of ``fmt``: consecutive addresses."""


def addresses(b: Builder, out: Any, rptr: Any, is64: Any, off: Any, wbytes: Any, mask: Any) -> Any:
    """(out, rptr, is64, off, wbytes, mask): lane addresses, register + ``off``, to ``out[0..31]``; their unsigned
    minimum and maximum over the lanes of ``mask`` to ``out[32]`` and ``out[33]``, all their bits or'ed together to
    ``out[34]`` (0 for an empty mask; consecutive lanes: only the bits below ``wbytes``). Returns 1 if
    ``out[l] == out[0] + l * wbytes`` for all 32 lanes, else 0."""
    with b.if_else(nonzero(b, is64)) as (wide, narrow):
        with wide:
            doubles, from_wide = b.add(load_slot(b, rptr, I64), splat(b, off)), b.block
        with narrow:  # 32 bits wrap, as code of nvcc that indexes backwards from a symbol expects
            sums = b.add(load_slot(b, rptr), splat(b, b.trunc(off, I32)))
            singles, from_narrow = b.zext(sums, vector(I64)), b.block
    values = b.phi(vector(I64))
    values.add_incoming(doubles, from_wide)
    values.add_incoming(singles, from_narrow)
    store(b, values, out, 8)
    first = b.extract_element(values, ir.Constant(I32, 0))
    steps = b.zext(b.mul(iota(I32), splat(b, b.trunc(wbytes, I32))), vector(I64))
    unit = every(b, b.icmp_unsigned("==", values, b.add(splat(b, first), steps)))
    last = b.add(first, b.mul(wbytes, word(LANES - 1)))
    simple = b.and_(unit, b.icmp_unsigned("==", mask, ir.Constant(I32, FULL)))
    simple = b.and_(simple, b.icmp_unsigned(">=", last, first))
    with b.if_else(simple) as (consecutive, general):
        with consecutive:
            _write_range(b, out, first, last, first)
        with general:
            active = lanes(b, mask)
            lowest = reduce(b, "umin", b.select(active, values, constant(I64, -1)))
            highest = reduce(b, "umax", b.select(active, values, constant(I64, 0)))
            bits = reduce(b, "or", b.select(active, values, constant(I64, 0)))
            _write_range(b, out, b.select(nonzero(b, mask), lowest, word(0)), highest, bits)
    return b.zext(unit, I64)


def _write_range(b: Builder, out: Any, lowest: Any, highest: Any, bits: Any) -> None:
    store(b, lowest, b.add(out, word(8 * LANES)), 8)
    store(b, highest, b.add(out, word(8 * LANES + 8)), 8)
    store(b, bits, b.add(out, word(8 * LANES + 16)), 8)


def _formats() -> list[tuple[int, int, bool, bool]]:
    """(fmt, log2 bytes, signed, 64-bit slot) of every load and store."""
    every_format = [
        (width | signed << 4 | wide << 5, width, bool(signed), bool(wide))
        for width in range(4)
        for signed in (0, 1)
        for wide in (0, 1)
    ]
    return [row for row in every_format if row[1] < 3 or row[3]]


def _is_unit(b: Builder, fmt: Any, mask: Any, width: int) -> Any:
    """i1: one vector access does it. Elements below 32 bits have no masked access on every CPU: all lanes needed."""
    unit = b.trunc(b.lshr(fmt, word(UNIT)), ir.IntType(1))
    if width >= 2:
        return unit
    return b.and_(unit, b.icmp_unsigned("==", mask, ir.Constant(I32, FULL)))


def _host(b: Builder, out: Any, delta: Any, lane: Any) -> Any:
    """Host address of a lane's element."""
    return b.add(load(b, lane_of(b, out, lane, 8), I64, 8), delta)


def memory_load(b: Builder, dptr: Any, out: Any, delta: Any, fmt: Any, mask: Any) -> None:
    """(dptr, out, delta, fmt, mask): each lane of ``mask`` reads its element at ``out[l] + delta`` into its register,
    extended to the slot by ``fmt``'s sign bit. No byte of another lane's element is read."""

    def case(width: int, signed: bool, wide: bool) -> None:
        element, slot = ir.IntType(8 << width), I64 if wide else I32
        extend = b.sext if signed else b.zext
        with b.if_else(_is_unit(b, fmt, mask, width)) as (unit, scattered):
            with unit:
                first = _host(b, out, delta, word(0))
                if width >= 2:
                    values = masked_load(b, first, element, lanes(b, mask))
                else:
                    values = load(b, first, vector(element), 1)
                store_slot(b, extend(values, vector(slot)), dptr, mask)
            with scattered:
                if width >= 2 and b.avx512:
                    places = b.add(load(b, out, vector(I64), 8), splat(b, delta))
                    values = gather(b, places, element, lanes(b, mask))
                    store_slot(b, extend(values, vector(slot)), dptr, mask)
                else:
                    with each_lane(b, mask) as lane:
                        value = load(b, _host(b, out, delta, lane), element, 1)
                        store(b, extend(value, slot), lane_of(b, dptr, lane, slot.width // 8), 4)

    _by_format(b, fmt, case)


def memory_store(b: Builder, sptr: Any, out: Any, delta: Any, fmt: Any, mask: Any) -> None:
    """(sptr, out, delta, fmt, mask): each lane of ``mask`` writes the low bits of its register to ``out[l] + delta``,
    in ascending order of lanes."""

    def case(width: int, signed: bool, wide: bool) -> None:
        element, slot = ir.IntType(8 << width), I64 if wide else I32
        with b.if_else(_is_unit(b, fmt, mask, width)) as (unit, scattered):
            with unit:
                first = _host(b, out, delta, word(0))
                values = b.trunc(load_slot(b, sptr, slot), vector(element))
                if width >= 2:
                    masked_store(b, values, first, lanes(b, mask))
                else:
                    store(b, values, first, 1)
            with scattered, each_lane(b, mask) as lane:
                value = load(b, lane_of(b, sptr, lane, slot.width // 8), slot, 4)
                store(b, b.trunc(value, element), _host(b, out, delta, lane), 1)

    _by_format(b, fmt, case, signs=False)


def _by_format(b: Builder, fmt: Any, case: Any, signs: bool = True) -> None:
    """Run ``case`` for the format at hand. The sign does not matter where nothing is extended."""
    kept = fmt if signs else b.and_(fmt, word(~16))
    cases = {
        code: partial(case, width, signed, wide) for code, width, signed, wide in _formats() if signs or not signed
    }
    dispatch(b, b.trunc(b.and_(kept, word(63)), I32), cases)


def splat32(b: Builder, dptr: Any, value: Any, mask: Any) -> None:
    """(dptr, value, mask): the low 32 bits of ``value`` to every lane of ``mask``."""
    store_slot(b, splat(b, b.trunc(value, I32)), dptr, mask)


def splat64(b: Builder, dptr: Any, value: Any, mask: Any) -> None:
    """(dptr, value, mask): ``value`` to every lane of ``mask`` of a 64-bit register."""
    store_slot(b, splat(b, value), dptr, mask)


def _divide(b: Builder, x: Any, divisor: Any) -> Any:
    """Quotient of u32 vectors through f64, which holds both exactly."""
    wide = vector(F64, x.type.count)
    return b.fptoui(b.fdiv(b.uitofp(x, wide), b.uitofp(divisor, wide)), x.type)


def fill_tid(b: Builder, dptr: Any, linear0: Any, nx: Any, ny: Any, axis: Any, mask: Any) -> None:
    """(dptr, linear0, ntid_x, ntid_y, axis, mask): thread index along ``axis`` (0 x, 1 y, 2 z) of the threads
    ``linear0 + lane`` of a block."""
    thread = b.add(splat(b, b.trunc(linear0, I32)), iota(I32))

    def axis_x() -> None:
        columns = splat(b, b.trunc(nx, I32))
        store_slot(b, b.sub(thread, b.mul(_divide(b, thread, columns), columns)), dptr, mask)

    def axis_y() -> None:
        row, rows = _divide(b, thread, splat(b, b.trunc(nx, I32))), splat(b, b.trunc(ny, I32))
        store_slot(b, b.sub(row, b.mul(_divide(b, row, rows), rows)), dptr, mask)

    def axis_z() -> None:
        store_slot(b, _divide(b, thread, splat(b, b.trunc(b.mul(nx, ny), I32))), dptr, mask)

    dispatch(b, b.trunc(axis, I32), {0: axis_x, 1: axis_y, 2: axis_z})


def fill_lane(b: Builder, dptr: Any, what: Any, mask: Any) -> None:
    """(dptr, what, mask): a constant of each lane: 0 its number, 1-5 the masks %lanemask_eq, le, lt, ge, gt."""
    rows = [
        [lane for lane in range(LANES)],
        [1 << lane for lane in range(LANES)],
        [(2 << lane) - 1 for lane in range(LANES)],
        [(1 << lane) - 1 for lane in range(LANES)],
        [FULL & -(1 << lane) for lane in range(LANES)],
        [FULL & -(2 << lane) for lane in range(LANES)],
    ]
    cases = {i: partial(store_slot, b, constant(I32, row), dptr, mask) for i, row in enumerate(rows)}
    dispatch(b, b.trunc(what, I32), cases)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "addresses": addresses,
    "load": memory_load,
    "store": memory_store,
    "splat32": splat32,
    "splat64": splat64,
    "fill_tid": fill_tid,
    "fill_lane": fill_lane,
}
