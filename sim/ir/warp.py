"""Library functions in which lanes see one another: shuffle, match, reduction over the warp."""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from isa.types import AtomOp, ValType

from .build import (
    FULL,
    I1,
    I32,
    I64,
    LANES,
    Builder,
    bits,
    constant,
    dispatch,
    each_lane,
    intrinsic,
    iota,
    lane_of,
    lanes,
    load,
    load_slot,
    nonzero,
    reduce,
    shuffle,
    splat,
    store,
    store_predicate,
    store_slot,
    undefined,
    vector,
    word,
)

UP, DOWN, BFLY, IDX = range(4)


def _permute_avx512(b: Builder, x: Any, picks: Any) -> Any:
    """Lane ``picks[l]`` (0 to 31) of ``x``: vpermi2d looks up 16 lanes in 32."""
    half = vector(I32, 16)
    low, high = (shuffle(b, x, undefined(x.type), range(at, at + 16)) for at in (0, 16))
    parts = []
    for at in (0, 16):
        index = shuffle(b, picks, undefined(picks.type), range(at, at + 16))
        parts.append(intrinsic(b, "x86.avx512.vpermi2var.d.512", half, [low, index, high]))
    return shuffle(b, parts[0], parts[1], range(LANES))


def _permute_avx2(b: Builder, x: Any, picks: Any) -> Any:
    """The same with vpermd, which looks up 8 lanes in 8."""
    eighth = vector(I32, 8)
    tables = [shuffle(b, x, undefined(x.type), range(at, at + 8)) for at in range(0, LANES, 8)]
    parts = []
    for at in range(0, LANES, 8):
        index = shuffle(b, picks, undefined(picks.type), range(at, at + 8))
        table = b.lshr(index, constant(I32, 3, 8))
        found = undefined(eighth)
        for i, part in enumerate(tables):
            here = intrinsic(b, "x86.avx2.permd", eighth, [part, index])
            found = b.select(b.icmp_unsigned("==", table, constant(I32, i, 8)), here, found) if i else here
        parts.append(found)
    return shuffle(
        b, shuffle(b, parts[0], parts[1], range(16)), shuffle(b, parts[2], parts[3], range(16)), range(LANES)
    )


def permute(b: Builder, x: Any, picks: Any) -> Any:
    """Lane ``picks[l]`` (0 to 31) of ``x``, both vectors of i32."""
    return _permute_avx512(b, x, picks) if b.avx512 else _permute_avx2(b, x, picks)


def source_lanes(b: Builder, mode: int, offset: Any, clamp: Any, segment: Any) -> tuple[Any, Any]:
    """Lane each lane reads, and whether it is in range (PTX ISA 9.0, 9.7.9.6, the pseudo-code of shfl.sync)."""
    own, low5 = iota(I32), constant(I32, 31)
    offset = b.and_(offset, low5)
    outside = b.xor(segment, low5)
    first = b.and_(own, segment)
    last = b.or_(first, b.and_(b.and_(clamp, low5), outside))
    if mode == UP:
        source = b.sub(own, offset)
        return source, b.icmp_signed(">=", source, last)
    if mode == DOWN:
        source = b.add(own, offset)
    elif mode == BFLY:
        source = b.xor(own, offset)
    else:
        source = b.or_(first, b.and_(offset, outside))
    return source, b.icmp_signed("<=", source, last)


def shfl(b: Builder, dptr: Any, pptr: Any, aptr: Any, bptr: Any, cptr: Any, mode: Any, mask: Any) -> None:
    """(dptr, pptr or 0, aptr, bptr, cptr, mode, mask): ``shfl.sync``; mode 0 up, 1 down, 2 bfly, 3 idx; all operands
    are registers. The predicate tells whether the source was in range. Out of range, or from a lane that is not in
    ``mask`` (PTX: undefined), a lane gets its own value."""
    offset, clamp = load_slot(b, bptr), load_slot(b, cptr)
    segment = b.and_(b.lshr(clamp, constant(I32, 8)), constant(I32, 31))
    value = load_slot(b, aptr)

    def case(number: int) -> None:
        source, in_range = source_lanes(b, number, offset, clamp, segment)
        source = b.and_(source, constant(I32, 31))
        active = b.trunc(b.lshr(splat(b, mask), source), vector(I1))
        result = b.select(b.and_(in_range, active), permute(b, value, source), value)
        store_slot(b, result, dptr, mask)
        with b.if_then(nonzero(b, pptr)):
            store_predicate(b, bits(b, in_range), pptr, mask)

    dispatch(b, b.trunc(mode, I32), {number: partial(case, number) for number in range(4)})


def match(b: Builder, dptr: Any, pptr: Any, aptr: Any, is64: Any, all_: Any, mask: Any) -> None:
    """(dptr, pptr or 0, aptr, is64, all, mask): ``match.sync``. any: the lanes of ``mask`` with a lane's value. all:
    ``mask`` if their values are equal, else 0; the predicate tells which."""
    with b.if_else(nonzero(b, is64)) as (wide, narrow):
        with wide:
            doubles, from_wide = load_slot(b, aptr, I64), b.block
        with narrow:
            singles, from_narrow = b.zext(load_slot(b, aptr), vector(I64)), b.block
    values = b.phi(vector(I64))
    values.add_incoming(doubles, from_wide)
    values.add_incoming(singles, from_narrow)
    copy = b.alloca(values.type)
    copy.align = 64
    b.store(values, copy, align=64)
    base = b.ptrtoint(copy, I64)

    def equals(lane: Any) -> Any:
        value = load(b, lane_of(b, base, lane, 8), I64, 8)
        return b.and_(bits(b, b.icmp_unsigned("==", values, splat(b, value))), mask)

    with b.if_else(nonzero(b, all_)) as (match_all, match_any):
        with match_all:
            first = b.and_(b.zext(b.cttz(mask, ir.Constant(I1, 0)), I64), word(31))
            same = b.icmp_unsigned("==", equals(first), mask)
            store_slot(b, splat(b, b.select(same, mask, ir.Constant(I32, 0))), dptr, mask)
            with b.if_then(nonzero(b, pptr)):
                store_predicate(b, b.sext(same, I32), pptr, mask)
        with match_any, each_lane(b, mask) as lane:
            store(b, equals(lane), lane_of(b, dptr, lane, 4), 4)


_REDUCTIONS = {
    (AtomOp.ADD, ValType.U32): ("add", 0),
    (AtomOp.ADD, ValType.S32): ("add", 0),
    (AtomOp.MIN, ValType.U32): ("umin", FULL),
    (AtomOp.MAX, ValType.U32): ("umax", 0),
    (AtomOp.MIN, ValType.S32): ("smin", FULL >> 1),
    (AtomOp.MAX, ValType.S32): ("smax", 1 << 31),
    **{(AtomOp.AND, t): ("and", FULL) for t in (ValType.B32, ValType.U32)},
    **{(AtomOp.OR, t): ("or", 0) for t in (ValType.B32, ValType.U32)},
    **{(AtomOp.XOR, t): ("xor", 0) for t in (ValType.B32, ValType.U32)},
}


def redux(b: Builder, dptr: Any, aptr: Any, fmt: Any, mask: Any) -> None:
    """(dptr, aptr, fmt, mask): ``redux.sync``: every lane of ``mask`` gets the values of all of them combined;
    fmt = AtomOp | ValType << 8: add, min, max of u32 and s32; and, or, xor of b32."""
    value = load_slot(b, aptr)

    def case(name: str, neutral: int) -> None:
        kept = b.select(lanes(b, mask), value, constant(I32, neutral))
        store_slot(b, splat(b, reduce(b, name, kept)), dptr, mask)

    cases = {op | t << 8: partial(case, *row) for (op, t), row in _REDUCTIONS.items()}
    dispatch(b, b.trunc(fmt, I32), cases)


FUNCTIONS: dict[str, Callable[..., Any]] = {"shfl": shfl, "match": match, "redux": redux}
