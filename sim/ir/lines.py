"""Library functions that see an access as 128-byte lines: coalescing, packet payloads and their byte masks.

``out`` holds the 32 lane addresses (i64). Accesses are naturally aligned, so none crosses a line or, up to 32 bytes, a
32-byte sector. ``line`` is an address shifted right by 7.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from .build import (
    I32,
    I64,
    Builder,
    bits,
    constant,
    dispatch,
    each_lane,
    every,
    iota,
    lane_of,
    lanes,
    load,
    load_slot,
    masked_store,
    nonzero,
    reduce,
    splat,
    store,
    vector,
    word,
)

_LINE_SHIFT, _SECTOR_SHIFT = 7, 5


def _lines(b: Builder, out: Any) -> tuple[Any, Any]:
    """Lane addresses and their lines."""
    places = load(b, out, vector(I64), 8)
    return places, b.lshr(places, constant(I64, _LINE_SHIFT))


def coalesce(b: Builder, res: Any, out: Any, wbytes: Any, mask: Any) -> Any:
    """(res, out, wbytes, mask): the distinct lines that lanes of ``mask`` touch, in order of their first lane:
    ``res[2i]`` line, ``res[2i+1]`` mask of its 32-byte sectors. Returns their number."""
    places, numbers = _lines(b, out)
    sector = b.and_(b.lshr(places, constant(I64, _SECTOR_SHIFT)), constant(I64, 3))
    in_sector = [bits(b, b.icmp_unsigned("==", sector, constant(I64, s))) for s in range(4)]
    before, loop, after = b.block, b.append_basic_block("line"), b.append_basic_block("done")
    b.cbranch(nonzero(b, mask), loop, after)
    b.position_at_end(loop)
    left, count = b.phi(I32), b.phi(I64)
    lane = b.zext(b.cttz(left, ir.Constant(ir.IntType(1), 1)), I64)
    line = b.lshr(load(b, lane_of(b, out, lane, 8), I64, 8), word(_LINE_SHIFT))
    here = b.and_(bits(b, b.icmp_unsigned("==", numbers, splat(b, line))), left)
    sectors: Any = word(0)
    for s, flags in enumerate(in_sector):
        sectors = b.or_(sectors, b.shl(b.zext(nonzero(b, b.and_(here, flags)), I64), word(s)))
    entry = lane_of(b, res, count, 16)
    store(b, line, entry, 8)
    store(b, sectors, b.add(entry, word(8)), 8)
    rest, more = b.and_(left, b.not_(here)), b.add(count, word(1))
    for phi, first, again in ((left, mask, rest), (count, word(0), more)):
        phi.add_incoming(first, before)
        phi.add_incoming(again, b.block)
    b.cbranch(nonzero(b, rest), loop, after)
    b.position_at_end(after)
    result = b.phi(I64)
    result.add_incoming(word(0), before)
    result.add_incoming(more, loop)
    return result


def line_masks(b: Builder, res: Any, out: Any, wbytes: Any, line: Any, mask: Any) -> None:
    """(res, out, wbytes, line, mask): what lanes of ``mask`` touch of ``line``: ``res[0..1]`` mask of the 128 bytes,
    ``res[2]`` mask of the lanes."""
    places, numbers = _lines(b, out)
    here = b.and_(b.icmp_unsigned("==", numbers, splat(b, line)), lanes(b, mask))
    touched = b.shl(splat(b, b.sub(b.shl(word(1), wbytes), word(1))), b.and_(places, constant(I64, 63)))
    is_high = b.icmp_unsigned("!=", b.and_(places, constant(I64, 64)), constant(I64, 0))
    zero = constant(I64, 0)
    low = b.select(b.and_(here, b.not_(is_high)), touched, zero)
    high = b.select(b.and_(here, is_high), touched, zero)
    store(b, reduce(b, "or", low), res, 8)
    store(b, reduce(b, "or", high), b.add(res, word(8)), 8)
    store(b, b.zext(bits(b, here), I64), b.add(res, word(16)), 8)


def gather_line(b: Builder, dst: Any, out: Any, unused: Any, srcptr: Any, wbytes: Any, line: Any, mask: Any) -> None:
    """(dst, out, 0, srcptr, wbytes, line, mask): each lane of ``mask`` whose address is in ``line`` copies the low
    ``wbytes`` of its register (a 64-bit one if ``wbytes`` is 8) to its place in the 128 bytes at ``dst``."""
    places, numbers = _lines(b, out)
    here = bits(b, b.and_(b.icmp_unsigned("==", numbers, splat(b, line)), lanes(b, mask)))
    first = b.extract_element(places, ir.Constant(I32, 0))

    def case(width: int) -> None:
        slot = I64 if width == 8 else I32
        unit = every(b, b.icmp_unsigned("==", places, b.add(splat(b, first), iota(I64, width))))
        with b.if_else(unit if width >= 4 else ir.Constant(ir.IntType(1), 0)) as (consecutive, scattered):
            with consecutive:
                target = b.add(dst, b.sub(first, b.shl(line, word(_LINE_SHIFT))))
                if width >= 4:
                    masked_store(b, load_slot(b, srcptr, slot), target, lanes(b, here))
            with scattered, each_lane(b, here) as lane:
                value = load(b, lane_of(b, srcptr, lane, slot.width // 8), slot, 4)
                offset = b.and_(load(b, lane_of(b, out, lane, 8), I64, 8), word(127))
                store(b, b.trunc(value, ir.IntType(8 * width)) if width < 4 else value, b.add(dst, offset), 1)

    dispatch(b, b.trunc(wbytes, I32), {width: partial(case, width) for width in (1, 2, 4, 8)})


FUNCTIONS: dict[str, Callable[..., Any]] = {"coalesce": coalesce, "line_masks": line_masks, "gather_line": gather_line}
