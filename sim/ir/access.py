"""Library functions of compiled blocks (sim/translate): accesses of lanes whose addresses are not consecutive, checked.

``out`` holds the 32 lane addresses (i64), of shared memory: offsets. ``data`` has 256 bytes for each element of a vector
access: 32 lanes of i32, or of i64 for elements of 8 bytes. ``fmt``: bits 0-3 log2 of an element's bytes, bits 4-7 elements
of a lane. ``own`` is the region of the GPU, ``limits`` and ``lines`` its table of lines (sim/memory.py). A function that
finds an address which is not the GPU's own, not allocated or not aligned does nothing and returns 0; the core then
executes the instruction and says what is wrong.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from .build import (
    FULL,
    I1,
    I8,
    I32,
    I64,
    Builder,
    constant,
    dispatch,
    each_lane,
    every,
    gather,
    lane_of,
    lanes,
    load,
    nonzero,
    shuffle,
    splat,
    store,
    vector,
    word,
)

_REGION_BITS, _OWN_REGION, _LINE_SHIFT = 38, 127, 7
_ELEMENT = 256
"""Bytes of ``data`` for an element of all lanes."""
_HALF = 64
"""Bytes of words of half a warp."""
_WORD = 2 | 1 << 4
"""``fmt`` of one word a lane."""


def _bytes(b: Builder, fmt: Any) -> Any:
    """Bytes of a lane's access."""
    return b.shl(b.and_(b.lshr(fmt, word(4)), word(15)), b.and_(fmt, word(15)))


def _misaligned(b: Builder, places: Any, nbytes: Any) -> Any:
    low = b.and_(places, splat(b, b.sub(nbytes, word(1))))
    return b.icmp_unsigned("!=", low, constant(I64, 0))


def _none(b: Builder, active: Any, flags: Any) -> Any:
    """i1: no active lane has the flag."""
    return every(b, b.not_(b.and_(active, flags)))


def _check_shared(b: Builder, places: Any, limit: Any, nbytes: Any, mask: Any) -> Any:
    """i1: all bytes that lanes of ``mask`` access lie below ``limit``, and are aligned."""
    outside = b.icmp_unsigned(">", b.add(places, splat(b, nbytes)), splat(b, limit))
    beyond = b.icmp_unsigned(">", places, splat(b, limit))
    return _none(b, lanes(b, mask), b.or_(b.or_(outside, beyond), _misaligned(b, places, nbytes)))


def _check_global(b: Builder, out: Any, limits: Any, lines: Any, own: Any, nbytes: Any, mask: Any) -> tuple[Any, Any]:
    """i1: lanes of ``mask`` access allocated bytes of the GPU's memory; and the region their addresses are in."""
    active, places = lanes(b, mask), load(b, out, vector(I64), 8)
    lane = b.zext(b.cttz(mask, ir.Constant(I1, 0)), I64)
    first = load(b, lane_of(b, out, b.and_(lane, word(31)), 8), I64, 8)
    region = b.lshr(first, word(_REGION_BITS))
    is_own = b.or_(b.icmp_unsigned("==", region, own), b.icmp_unsigned("==", region, word(_OWN_REGION)))
    other = b.icmp_unsigned("!=", b.lshr(places, constant(I64, _REGION_BITS)), splat(b, region))
    offsets = b.and_(places, constant(I64, (1 << _REGION_BITS) - 1))
    line = b.lshr(offsets, constant(I64, _LINE_SHIFT))
    line = b.select(b.icmp_unsigned("<", line, splat(b, lines)), line, splat(b, lines))
    limit = b.and_(gather(b, b.add(line, splat(b, limits)), I32, active), constant(I32, 255))
    last = b.add(b.trunc(b.and_(offsets, constant(I64, 127)), vector(I32)), splat(b, b.trunc(nbytes, I32)))
    outside = b.icmp_unsigned(">", last, limit)
    bad = b.or_(b.or_(other, outside), _misaligned(b, places, nbytes))
    return b.or_(b.and_(is_own, _none(b, active, bad)), b.not_(nonzero(b, mask))), region


def _when(b: Builder, flag: Any, action: Callable[[], None]) -> Any:
    """Do something if a flag is set. Returns the flag as i64."""
    with b.if_then(flag):
        action()
    return b.zext(flag, I64)


def _fetch(b: Builder, data: Any, out: Any, delta: Any, fmt: Any, mask: Any) -> None:
    """Elements at ``out[l] + delta`` to ``data``, zero-extended."""
    count = b.trunc(b.sub(b.shl(word(1), b.and_(b.lshr(fmt, word(4)), word(15))), word(1)), I32)

    def case(width: int) -> None:
        element, slot = ir.IntType(8 << width), I64 if width == 3 else I32
        with each_lane(b, count) as i:
            at = b.add(delta, b.shl(i, word(width)))
            target = b.add(data, b.mul(i, word(_ELEMENT)))
            if width >= 2:
                places = b.add(load(b, out, vector(I64), 8), splat(b, at))
                store(b, gather(b, places, element, lanes(b, mask)), target, 8)
            else:
                with each_lane(b, mask) as lane:
                    value = load(b, b.add(load(b, lane_of(b, out, lane, 8), I64, 8), at), element, 1)
                    store(b, b.zext(value, slot), lane_of(b, target, lane, 4), 4)

    dispatch(b, b.trunc(b.and_(fmt, word(15)), I32), {width: partial(case, width) for width in range(4)})


def _scatter(b: Builder, data: Any, out: Any, delta: Any, fmt: Any, mask: Any) -> None:
    """Low bits of the elements at ``data`` to ``out[l] + delta``, in ascending order of lanes."""
    count = b.trunc(b.sub(b.shl(word(1), b.and_(b.lshr(fmt, word(4)), word(15))), word(1)), I32)

    def case(width: int) -> None:
        element, size = ir.IntType(8 << width), 8 if width == 3 else 4
        with each_lane(b, count) as i:
            at = b.add(delta, b.shl(i, word(width)))
            source = b.add(data, b.mul(i, word(_ELEMENT)))
            with each_lane(b, mask) as lane:
                value = load(b, lane_of(b, source, lane, size), element, min(size, element.width // 8))
                store(b, value, b.add(load(b, lane_of(b, out, lane, 8), I64, 8), at), 1)

    dispatch(b, b.trunc(b.and_(fmt, word(15)), I32), {width: partial(case, width) for width in range(4)})


def _half_holds(b: Builder, first: Any, limits: Any, lines: Any, own: Any) -> tuple[Any, Any]:
    """i1: 16 words from an address on are allocated words of the GPU's memory; and their offset."""
    region, offset = b.lshr(first, word(_REGION_BITS)), b.and_(first, word((1 << _REGION_BITS) - 1))
    is_own = b.or_(b.icmp_unsigned("==", region, own), b.icmp_unsigned("==", region, word(_OWN_REGION)))
    last = b.add(offset, word(_HALF - 4))
    low, high = (
        b.select(b.icmp_unsigned("<", line, lines), line, lines)
        for line in (b.lshr(offset, word(_LINE_SHIFT)), b.lshr(last, word(_LINE_SHIFT)))
    )
    low_limit, high_limit = (b.zext(load(b, b.add(limits, line), I8, 1), I64) for line in (low, high))
    ends = b.icmp_unsigned("<=", b.add(b.and_(last, word(127)), word(4)), high_limit)
    whole = b.or_(b.icmp_unsigned("==", low_limit, word(128)), b.icmp_unsigned("==", low, high))
    aligned = b.icmp_unsigned("==", b.and_(first, word(3)), word(0))
    return b.and_(b.and_(is_own, aligned), b.and_(ends, whole)), offset


def _two_rows(b: Builder, out: Any, limits: Any, lines: Any, own: Any, fmt: Any, mask: Any) -> tuple[Any, list[Any]]:
    """i1: all lanes access words, those of each half of the warp consecutive ones that are allocated; their offsets.

    Blocks that are 16 threads wide do this."""
    places = load(b, out, vector(I64), 8)
    heads = shuffle(b, places, places, [0] * 16 + [16] * 16)
    steps = constant(I64, [4 * (lane % 16) for lane in range(32)])
    unit = every(b, b.icmp_unsigned("==", places, b.add(heads, steps)))
    asked = b.icmp_unsigned("==", b.or_(b.shl(fmt, word(32)), b.zext(mask, I64)), word(_WORD << 32 | FULL))
    found = [_half_holds(b, load(b, b.add(out, word(8 * lane)), I64, 8), limits, lines, own) for lane in (0, 16)]
    return b.and_(b.and_(asked, unit), b.and_(found[0][0], found[1][0])), [offset for _, offset in found]


def fetch_global(
    b: Builder, out: Any, data: Any, memory: Any, limits: Any, lines: Any, own: Any, fmt: Any, mask: Any
) -> Any:
    """(out, data, memory, limits, lines, own, fmt, mask): the elements of lanes of ``mask`` to ``data``, zero-extended."""
    is_simple, offsets = _two_rows(b, out, limits, lines, own, fmt, mask)
    with b.if_then(is_simple):
        for half, offset in enumerate(offsets):
            row = load(b, b.add(memory, offset), vector(I32, 16), 4)
            store(b, row, b.add(data, word(_HALF * half)), 8)
        b.ret(word(1))
    return _global(_fetch)(b, out, data, memory, limits, lines, own, fmt, mask)


def _global(move: Callable[..., None]) -> Callable[..., Any]:
    def build(
        b: Builder, out: Any, data: Any, memory: Any, limits: Any, lines: Any, own: Any, fmt: Any, mask: Any
    ) -> Any:
        ok, region = _check_global(b, out, limits, lines, own, _bytes(b, fmt), mask)
        delta = b.sub(memory, b.shl(region, word(_REGION_BITS)))
        return _when(b, ok, lambda: move(b, data, out, delta, fmt, mask))

    return build


def _shared(move: Callable[..., None]) -> Callable[..., Any]:
    def build(b: Builder, out: Any, data: Any, base: Any, limit: Any, fmt: Any, mask: Any) -> Any:
        ok = _check_shared(b, load(b, out, vector(I64), 8), limit, _bytes(b, fmt), mask)
        return _when(b, ok, lambda: move(b, data, out, base, fmt, mask))

    return build


def check_global(b: Builder, out: Any, memory: Any, limits: Any, lines: Any, own: Any, nbytes: Any, mask: Any) -> Any:
    """(out, memory, limits, lines, own, nbytes, mask): what to add to the addresses to get those of the host, or 0."""
    ok, region = _check_global(b, out, limits, lines, own, nbytes, mask)
    return b.select(ok, b.sub(memory, b.shl(region, word(_REGION_BITS))), word(0))


def check_shared(b: Builder, out: Any, limit: Any, nbytes: Any, mask: Any) -> Any:
    """(out, limit, nbytes, mask): 1 if all accesses lie below ``limit``, else 0."""
    return b.zext(_check_shared(b, load(b, out, vector(I64), 8), limit, nbytes, mask), I64)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "fetch_global": fetch_global,
    "scatter_global": _global(_scatter),
    "fetch_shared": _shared(_fetch),
    "scatter_shared": _shared(_scatter),
    "check_global": check_global,
    "check_shared": check_shared,
}
