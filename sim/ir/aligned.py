"""Sums of floating-point products as the tensor cores of an H100 and H200 form them.

The products of a group of k and the accumulator are added at once: each is exact, shifted to the largest exponent among them
(products count with the sum of their factors' exponents, zeros not at all), cut off towards zero ``kept`` bits below it, and
the sum of these integers is cut off to f32, or rounded to the nearest f16. A zero is +0 then, NaN 0x7fffffff. This was found
by comparing with outputs of an H200; tests/sim/ir/silicon holds some.

The usual way computes in f32 and 32-bit integers. Factors beyond its range, infinities and NaNs take another one, in f64.
"""

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from . import floats
from .build import (
    F32,
    F64,
    I1,
    I16,
    I32,
    I64,
    LANES,
    Builder,
    bits,
    constant,
    intrinsic,
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
from .fragments import ABSENT, USUAL, accumulated, counted, exponents, helper

V32, V64, VINT = vector(F32), vector(F64), vector(I32)
_NAN, _INFINITY, _SIGN = 0x7FFFFFFF, 0x7F800000, 0x80000000
HALVES = 2
"""Blocks of eight rows of A."""
LEAST = 127 - 2 * USUAL - 1
"""Biased exponent below those of all usual products."""


@dataclass(frozen=True)
class Rule:
    """``half``: the accumulator is f16. ``kept``: bits below the largest exponent's. ``dropped``: low bits of an f32 sum that
    are always zero."""

    half: bool
    kept: int
    dropped: int

    @property
    def registers(self) -> int:
        """Registers of an accumulator for eight rows and a tile."""
        return 1 if self.half else 2

    @property
    def name(self) -> str:
        """For names of functions."""
        return f"{'f16' if self.half else 'f32'}.{self.kept}"


RULES = {
    (half, eight_bit): Rule(half, 13 if eight_bit else 25, 10 if eight_bit and not half else 0)
    for half in (False, True)
    for eight_bit in (False, True)
}
"""By whether the accumulator is f16, and whether a wgmma's factors have eight bits."""


def _columns(b: Builder, row: Any, e: int, element: ir.Type, size: int) -> Any:
    """The columns 2 q + e of a tile, as often as a register has rows."""
    four = load(b, b.add(row, word(4 * size * e)), vector(element, 4), 4 * size)
    return shuffle(b, four, undefined(four.type), [i % 4 for i in range(LANES)])


def _lane_constant(value: float, type_: ir.Type = V32) -> ir.Constant:
    return ir.Constant(type_, [value] * LANES)


@dataclass(frozen=True)
class _Group:
    """Where the factors of a group of k are: numbers and exponents of A and of B; how many k (i64)."""

    a: Any
    rows: Any
    tops_a: Any
    tops_b: Any
    count: Any

    def numbers(self, b: Builder, k: Any) -> list[tuple[Any, Any]]:
        """Factors of the four accumulators: eight rows by even and odd columns."""
        x = [load(b, b.add(self.a, b.add(b.shl(k, word(8)), word(128 * h))), V32, 64) for h in range(HALVES)]
        y = [_columns(b, b.add(self.rows, b.shl(k, word(5))), e, F32, 4) for e in (0, 1)]
        return [(x[h], y[e]) for h in range(HALVES) for e in (0, 1)]

    def stored(self, b: Builder, k: Any) -> list[tuple[Any, Any]]:
        """The same, with zeros for factors of B that a sparse A has nothing for."""
        x = [
            load(b, b.add(self.tops_a, b.add(b.shl(k, word(7)), word(64 * h))), vector(I16), 64) for h in range(HALVES)
        ]
        absent = [b.icmp_unsigned("==", top, constant(I16, ABSENT & 0xFFFF)) for top in x]
        return [(a, b.select(absent[i // 2], _lane_constant(0.0), y)) for i, (a, y) in enumerate(self.numbers(b, k))]

    def largest(self, b: Builder, least: int) -> list[Any]:
        """Largest exponent of the products, i32, for each accumulator, not below ``least``."""

        def step(k: Any, tops: list[Any]) -> list[Any]:
            x = [load(b, b.add(self.tops_a, b.add(b.shl(k, word(7)), word(64 * h))), vector(I16), 64) for h in (0, 1)]
            y = [_columns(b, b.add(self.tops_b, b.shl(k, word(4))), e, I16, 2) for e in (0, 1)]
            sums = [b.add(x[i // 2], y[i % 2]) for i in range(2 * HALVES)]
            return [intrinsic(b, "smax", top.type, [top, s], top.type) for top, s in zip(tops, sums, strict=True)]

        nothing = constant(I16, least & 0xFFFF)
        return [b.sext(value, VINT) for value in accumulated(b, self.count, [nothing] * (2 * HALVES), step)]


def _magnitude(b: Builder, x: Any) -> Any:
    return b.and_(b.bitcast(x, VINT), constant(I32, _NAN))


def _finish(b: Builder, rule: Rule, raw: Any, inexact: Any) -> Any:
    """f32 lanes of a sum that was cut off (``raw``): with its last bit odd where it was inexact and goes on to f16, with
    those bits cleared that are never kept."""
    if rule.half:
        raw = b.or_(raw, b.zext(inexact, VINT))
    if rule.dropped:
        raw = b.and_(raw, constant(I32, (1 << 32) - (1 << rule.dropped)))
    return raw


def _usual_sums(b: Builder, rule: Rule, group: _Group, before: list[Any]) -> tuple[list[Any], Any]:
    """Sums of a group, and an i1: one of them may not fit 32 bits, or its accumulator is not finite or tiny.

    Exponents are those of f32 where they lie in a number, so that a power of two takes one subtraction."""
    own = [b.and_(b.bitcast(c, VINT), constant(I32, _INFINITY)) for c in before]
    tops = [b.shl(b.add(top, constant(I32, 127)), constant(I32, 23)) for top in group.largest(b, LEAST - 127)]
    tops = [intrinsic(b, "umax", VINT, pair, VINT) for pair in zip(tops, own, strict=True)]
    scales = [b.sub(_field(rule.kept + 2 * 127), top) for top in tops]
    powers = [b.bitcast(scale, V32) for scale in scales]

    def step(k: Any, totals: list[Any]) -> list[Any]:
        terms = [b.fmul(b.fmul(x, y), power) for (x, y), power in zip(group.numbers(b, k), powers, strict=True)]
        return [b.add(total, b.fptosi(term, VINT)) for total, term in zip(totals, terms, strict=True)]

    first = [b.fptosi(b.fmul(c, power), VINT) for c, power in zip(before, powers, strict=True)]
    sums = accumulated(b, group.count, first, step)
    units = [b.bitcast(b.sub(_field(2 * 127), scale), V32) for scale in scales]
    out = [_usual_end(b, rule, total, unit) for total, unit in zip(sums, units, strict=True)]
    return out, b.or_(_is_tiny(b, before, tops), _is_beyond(b, tops, sums))


def _field(exponent: int) -> ir.Constant:
    """A biased exponent where it lies in an f32."""
    return constant(I32, exponent << 23)


def _usual_end(b: Builder, rule: Rule, total: Any, unit: Any) -> Any:
    """A sum in units as f32; zero has no sign."""
    cut = floats.int_to_single_cut(b, total)
    inexact = b.icmp_signed("!=", b.fptosi(cut, VINT), total) if rule.half else None
    return b.fmul(b.bitcast(_finish(b, rule, b.bitcast(cut, VINT), inexact), V32), unit)


def _is_beyond(b: Builder, tops: list[Any], sums: list[Any]) -> Any:
    """i1: an accumulator is infinite or NaN, or a sum is so near to what fits 32 bits that it may have been beyond.
    Sixteen products of less than four units at the largest exponent fit, and the accumulator has less than two."""
    top = _most(b, "umax", tops)
    high, low = _most(b, "smax", sums), _most(b, "smin", sums)
    limit = 62 << 25
    found = b.icmp_unsigned(">=", top, _field(255))
    found = b.or_(found, b.icmp_signed(">=", high, constant(I32, limit)))
    return nonzero(b, bits(b, b.or_(found, b.icmp_signed("<", low, constant(I32, (1 << 32) - limit)))))


def _is_tiny(b: Builder, before: list[Any], tops: list[Any]) -> Any:
    """i1: a sum has no products, and its accumulator is smaller than those reach, but not 0."""
    block = b.block
    some = nonzero(b, bits(b, b.icmp_unsigned("==", _most(b, "umin", tops), _field(LEAST))))
    with b.if_then(some, likely=False):
        found: Any = ir.Constant(vector(I1), None)
        for c, top in zip(before, tops, strict=True):
            is_least = b.icmp_unsigned("==", top, _field(LEAST))
            found = b.or_(found, b.and_(is_least, b.fcmp_unordered("une", c, _lane_constant(0.0))))
        tiny, inside = nonzero(b, bits(b, found)), b.block
    out = b.phi(I1)
    out.add_incoming(ir.Constant(I1, 0), block)
    out.add_incoming(tiny, inside)
    return out


def _most(b: Builder, name: str, values: list[Any]) -> Any:
    """The largest or smallest of vectors, lane by lane."""
    found = values[0]
    for value in values[1:]:
        found = intrinsic(b, name, value.type, [found, value], value.type)
    return found


def _special(b: Builder, x: Any) -> Any:
    """An infinity as it is, NaN as the tensor cores give it."""
    nan = b.icmp_unsigned(">", _magnitude(b, x), constant(I32, _INFINITY))
    return b.select(nan, b.bitcast(constant(I32, _NAN), V32), x)


def _power64(b: Builder, exponent: Any) -> Any:
    """2 ** exponent (i32 lanes) as f64."""
    wide = b.sext(b.add(exponent, constant(I32, 1023)), vector(I64))
    return b.bitcast(b.shl(wide, constant(I64, 52)), V64)


def _sign_only(b: Builder, x: Any) -> Any:
    """Infinities and NaNs as they are, zeros too, other numbers as 1 or -1."""
    raw = b.bitcast(x, VINT)
    one = b.bitcast(b.or_(b.and_(raw, constant(I32, _SIGN)), constant(I32, 0x3F800000)), V32)
    magnitude = _magnitude(b, x)
    kept = b.or_(b.icmp_unsigned(">=", magnitude, constant(I32, _INFINITY)),
                 b.icmp_unsigned("==", magnitude, constant(I32, 0)))  # fmt: skip
    return b.select(kept, x, one)


def _any_sums(b: Builder, rule: Rule, group: _Group, before: list[Any]) -> list[Any]:
    """Sums of a group, whatever the factors are."""
    tops = []
    for top, c in zip(group.largest(b, -300), before, strict=True):
        own = b.sext(exponents(b, c, -126), VINT)
        tops.append(intrinsic(b, "smax", VINT, [top, own], VINT))
    scales = [_power64(b, b.sub(constant(I32, rule.kept), top)) for top in tops]

    def aligned(value: Any, scale: Any) -> Any:
        return intrinsic(b, "trunc", V64, [b.fmul(value, scale)], V64)

    first = [aligned(b.fpext(c, V64), scale) for c, scale in zip(before, scales, strict=True)]

    def step(k: Any, values: list[Any]) -> list[Any]:
        factors = group.stored(b, k)
        products = [b.fmul(b.fpext(x, V64), b.fpext(y, V64)) for x, y in factors]
        totals = [b.fadd(t, aligned(p, s)) for t, p, s in zip(values[: 2 * HALVES], products, scales, strict=True)]
        signs = [
            [_sign_only(b, x), _sign_only(b, y), s] for (x, y), s in zip(factors, values[2 * HALVES :], strict=True)
        ]
        return [*totals, *(intrinsic(b, "fma", V32, args, V32) for args in signs)]

    after = accumulated(b, group.count, [*first, *(_sign_only(b, c) for c in before)], step)
    after, found = after[: 2 * HALVES], after[2 * HALVES :]
    return [_any_end(b, rule, total, special, top) for total, special, top in zip(after, found, tops, strict=True)]


def _any_end(b: Builder, rule: Rule, total: Any, special: Any, top: Any) -> Any:
    value = b.fmul(total, _power64(b, b.sub(top, constant(I32, rule.kept))))
    near = b.fptrunc(value, V32)
    back = b.fpext(near, V64)
    magnitude = floats.absolute(b, value)
    too_far = b.fcmp_ordered(">", floats.absolute(b, back), magnitude)
    cut = b.sub(b.bitcast(near, VINT), b.zext(too_far, VINT))
    raw = _finish(b, rule, cut, b.fcmp_ordered("!=", back, value))
    raw = b.select(b.icmp_unsigned("==", b.and_(raw, constant(I32, _NAN)), constant(I32, 0)), constant(I32, 0), raw)
    infinite = b.or_(b.and_(b.bitcast(near, VINT), constant(I32, _SIGN)), constant(I32, _INFINITY))
    raw = b.select(b.fcmp_ordered(">=", magnitude, _lane_constant(2.0**128, V64)), infinite, raw)
    is_special = b.icmp_unsigned(">=", _magnitude(b, special), constant(I32, _INFINITY))
    return b.select(is_special, _special(b, special), b.bitcast(raw, V32))


def _load_sums(b: Builder, rule: Rule, c: Any, base: Any) -> list[Any]:
    """The accumulator as f32; ``c`` 0: zeros."""
    count = rule.registers * HALVES
    before = b.block
    with b.if_then(nonzero(b, c)):
        at = [b.add(load(b, lane_of(b, c, word(i), 8), I64, 8), base) for i in range(count)]
        loaded, block = [load_slot(b, address) for address in at], b.block
    out = []
    for value in loaded:
        out.append(b.phi(VINT))
        out[-1].add_incoming(constant(I32, 0), before)
        out[-1].add_incoming(value, block)
    if not rule.half:
        return [b.bitcast(x, V32) for x in out]
    parts = [b.trunc(b.lshr(x, constant(I32, s)), vector(I16)) for x in out for s in (0, 16)]
    return [floats.half_to_single(b, x) for x in parts]


def _store_sums(b: Builder, rule: Rule, sums: list[Any], d: Any, base: Any) -> None:
    values = sums
    if rule.half:
        halves = [b.zext(_to_half(b, x), VINT) for x in sums]
        values = [b.or_(x, b.shl(y, constant(I32, 16))) for x, y in zip(halves[::2], halves[1::2], strict=True)]
    for i, value in enumerate(values):
        store(b, value, b.add(load(b, lane_of(b, d, word(i), 8), I64, 8), base), 64)


def _to_half(b: Builder, x: Any) -> Any:
    nan = b.fcmp_unordered("uno", x, x)
    half = floats.single_to_half(b, x)
    half = b.select(b.icmp_unsigned("==", half, constant(I16, 0x8000)), constant(I16, 0), half)  # a zero has no sign
    return b.select(nan, constant(I16, 0x7FFF), half)


ARGUMENTS = 8
"""Of `tile`: numbers of A, of B, exponents of A, of B; addresses of the arrays of i64 that with ``base`` added are the
addresses of the accumulator's registers before (0: zeros) and after; base; k."""


def _any_tile(b: Builder, rule: Rule) -> Any:
    def build(
        inner: Builder, a: Any, rows: Any, tops_a: Any, tops_b: Any, c: Any, d: Any, base: Any, depth: Any
    ) -> None:
        sums = _any_sums(inner, rule, _Group(a, rows, tops_a, tops_b, depth), _load_sums(inner, rule, c, base))
        _store_sums(inner, rule, sums, d, base)

    return helper(b, f"any.{rule.name}", ARGUMENTS, build)


def _usual_tile(b: Builder, rule: Rule) -> Any:
    def build(inner: Builder, *args: Any) -> None:
        a, rows, tops_a, tops_b, c, d, base, depth = args
        group = _Group(a, rows, tops_a, tops_b, depth)
        sums, wrong = _usual_sums(inner, rule, group, _load_sums(inner, rule, c, base))
        with inner.if_else(wrong, likely=False) as (general, usual):
            with general:
                inner.call(_any_tile(inner, rule), args)
            with usual:
                _store_sums(inner, rule, sums, d, base)

    return helper(b, f"usual.{rule.name}", ARGUMENTS, build)


def tile(b: Builder, rule: Rule, args: list[Any], unusual: Any) -> None:
    """Sum 16 rows by a tile of eight columns (ARGUMENTS). ``unusual``: not 0 if factors may be beyond the usual range."""
    with b.if_else(nonzero(b, unusual), likely=False) as (general, usual):
        with general:
            b.call(_any_tile(b, rule), args)
        with usual:
            b.call(_usual_tile(b, rule), args)


def tiles(b: Builder, rule: Rule, args: list[Any], unusual: Any, count: Any) -> None:
    """`tile` for ``count`` tiles; the arguments are those of the first."""
    a, rows, tops_a, tops_b, c, d, base, depth = args
    with counted(b, count) as i:
        skip = b.mul(i, word(8 * rule.registers * HALVES))
        k = b.mul(i, depth)
        here = b.select(nonzero(b, c), b.add(c, skip), c)
        at = [a, b.add(rows, b.shl(k, word(5))), tops_a, b.add(tops_b, b.shl(k, word(4))), here, b.add(d, skip)]
        tile(b, rule, [*at, base, depth], unusual)


def two_groups(b: Builder, rule: Rule, args: list[Any], unusual: Any) -> None:
    """`tile` with the halves of k one after the other; the accumulator begins as zeros."""
    a, rows, tops_a, tops_b, _, d, base, depth = args
    count = b.lshr(depth, word(1))
    tile(b, rule, [a, rows, tops_a, tops_b, word(0), d, base, count], unusual)
    at = [b.add(p, b.shl(count, word(s))) for p, s in ((a, 8), (rows, 5), (tops_a, 7), (tops_b, 4))]
    tile(b, rule, [*at, d, d, base, count], unusual)


def add_apart(b: Builder, half: bool) -> Any:
    """Function (sums, c, d): ``d`` = ``sums`` + ``c`` for 16 rows and a tile, rounded once; arrays of i64 with the addresses of
    registers."""
    rule = RULES[half, False]

    def build(inner: Builder, sums: Any, c: Any, d: Any) -> None:
        after = []
        for x, y in zip(_load_sums(inner, rule, sums, word(0)), _load_sums(inner, rule, c, word(0)), strict=True):
            total = inner.fadd(x, y)
            nan = inner.fcmp_unordered("uno", total, total)
            after.append(inner.select(nan, inner.bitcast(constant(I32, _NAN), V32), total))
        _store_sums(inner, rule, after, d, word(0))

    return helper(b, f"add_apart.{rule.name}", 3, build)
