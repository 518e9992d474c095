"""Integer and logic instructions against Python's integers."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from oracle import apply, integers, number, signed

WIDTH = {f"{c}{n}": n for c in "usb" for n in (8, 16, 32, 64)}
ALL = ("u16", "u32", "u64", "s16", "s32", "s64")


def clamp(x: int, width: int) -> int:
    return max(-(1 << width - 1), min((1 << width - 1) - 1, x))


def quotient(a: int, b: int) -> int:
    return -1 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


BINARY: dict[str, tuple[tuple[str, ...], Callable[[int, int, int], int]]] = {
    "add": (ALL, lambda a, b, w: a + b),
    "sub": (ALL, lambda a, b, w: a - b),
    "mul.lo": (ALL, lambda a, b, w: a * b),
    "mul.hi": (ALL, lambda a, b, w: a * b >> w),
    "div": (ALL, lambda a, b, w: quotient(a, b)),
    "rem": (ALL, lambda a, b, w: -1 if b == 0 else a - quotient(a, b) * b),
    "min": (ALL, lambda a, b, w: min(a, b)),
    "max": (ALL, lambda a, b, w: max(a, b)),
    "add.sat": (("s32",), lambda a, b, w: clamp(a + b, w)),
    "sub.sat": (("s32",), lambda a, b, w: clamp(a - b, w)),
    "min.relu": (("s32",), lambda a, b, w: max(0, min(a, b))),
    "max.relu": (("s32",), lambda a, b, w: max(0, a, b)),
    "and": (("b16", "b32", "b64"), lambda a, b, w: a & b),
    "or": (("b16", "b32", "b64"), lambda a, b, w: a | b),
    "xor": (("b16", "b32", "b64"), lambda a, b, w: a ^ b),
}


def pairs(width: int) -> tuple[list[int], list[int]]:
    values = integers(width, 1)
    edges = values[:17]
    both = [(a, b) for a in edges for b in edges] + list(zip(values, reversed(values), strict=True))
    return [a for a, _ in both], [b for _, b in both]


@pytest.mark.parametrize(("name", "t"), [(n, t) for n, (types, _) in BINARY.items() for t in types])
def test_two_operands(name: str, t: str):
    a, b = pairs(WIDTH[t])
    mask = (1 << WIDTH[t]) - 1
    want = [BINARY[name][1](number(x, t), number(y, t), WIDTH[t]) & mask for x, y in zip(a, b, strict=True)]
    assert apply(f"{name}.{t}", a, b) == want


@pytest.mark.parametrize("t", ["u16", "u32", "s16", "s32"])
def test_wide_products(t: str):
    w = WIDTH[t]
    a, b = pairs(w)
    c = [(x * 0x1234567 + y) & (1 << 2 * w) - 1 for x, y in zip(a, b, strict=True)]
    mask = (1 << 2 * w) - 1
    product = [number(x, t) * number(y, t) for x, y in zip(a, b, strict=True)]
    assert apply(f"mul.wide.{t}", a, b) == [p & mask for p in product]
    assert apply(f"mad.wide.{t}", a, b, c) == [(p + z) & mask for p, z in zip(product, c, strict=True)]


@pytest.mark.parametrize("t", ALL)
def test_mad_and_sad(t: str):
    w = WIDTH[t]
    a, b = pairs(w)
    c = list(reversed(a))
    mask = (1 << w) - 1
    n = [(number(x, t), number(y, t), number(z, t)) for x, y, z in zip(a, b, c, strict=True)]
    assert apply(f"mad.lo.{t}", a, b, c) == [(x * y + z) & mask for x, y, z in n]
    assert apply(f"mad.hi.{t}", a, b, c) == [((x * y >> w) + z) & mask for x, y, z in n]
    assert apply(f"sad.{t}", a, b, c) == [(abs(x - y) + z) & mask for x, y, z in n]
    if t == "s32":
        assert apply("mad.hi.sat.s32", a, b, c) == [clamp((x * y >> w) + z, w) & mask for x, y, z in n]


@pytest.mark.parametrize("t", ["u32", "s32"])
def test_24_bit_products(t: str):
    a, b = pairs(32)
    low = (lambda x: signed(x & 0xFFFFFF, 24)) if t == "s32" else (lambda x: x & 0xFFFFFF)
    product = [low(x) * low(y) for x, y in zip(a, b, strict=True)]
    assert apply(f"mul24.lo.{t}", a, b) == [p & 0xFFFFFFFF for p in product]
    assert apply(f"mul24.hi.{t}", a, b) == [p >> 16 & 0xFFFFFFFF for p in product]
    assert apply(f"mad24.lo.{t}", a, b, a) == [(p + x) & 0xFFFFFFFF for p, x in zip(product, a, strict=True)]


@pytest.mark.parametrize("w", [32, 64])
def test_bit_counting(w: int):
    a = integers(w, 3)
    mask = (1 << w) - 1
    assert apply(f"popc.b{w}", a) == [x.bit_count() for x in a]
    assert apply(f"clz.b{w}", a) == [w - x.bit_length() for x in a]
    assert apply(f"brev.b{w}", a) == [int(f"{x:0{w}b}"[::-1], 2) for x in a]
    assert apply(f"bfind.u{w}", a) == [(x.bit_length() - 1) & 0xFFFFFFFF for x in a]
    magnitude = [~x & mask if x >> w - 1 else x for x in a]
    assert apply(f"bfind.s{w}", a) == [(x.bit_length() - 1) & 0xFFFFFFFF for x in magnitude]
    assert apply(f"bfind.shiftamt.u{w}", a) == [w - x.bit_length() if x else 0xFFFFFFFF for x in a]


@pytest.mark.parametrize("t", ["s16", "s32", "s64"])
def test_one_operand(t: str):
    a = integers(WIDTH[t], 4)
    mask = (1 << WIDTH[t]) - 1
    assert apply(f"abs.{t}", a) == [abs(number(x, t)) & mask for x in a]
    assert apply(f"neg.{t}", a) == [-x & mask for x in a]
    assert apply(f"not.b{WIDTH[t]}", a) == [~x & mask for x in a]
    assert apply(f"cnot.b{WIDTH[t]}", a) == [int(x == 0) for x in a]


@pytest.mark.parametrize("t", ["u32", "s32", "u64", "s64"])
def test_extracted_fields(t: str):
    w, rng = WIDTH[t], random.Random(5)
    a = integers(w, 6, 300)
    pos = [rng.choice([0, 1, 5, 31, 32, 63, 64, 200, 255, 256, 300]) for _ in a]
    length = [rng.choice([0, 1, 4, 31, 32, 33, 64, 100, 255, 257]) for _ in a]

    def field(x: int, p: int, n: int) -> int:
        msb = w - 1
        if w == 32:  # only their low bytes count; an H100 takes all bits of those of 64-bit values
            p, n = p & 255, n & 255
        sign = 0 if t[0] == "u" or n == 0 else x >> min(p + n - 1, msb) & 1
        return sum((x >> p + i & 1 if i < n and p + i <= msb else sign) << i for i in range(w))

    assert apply(f"bfe.{t}", a, pos, length) == [field(*v) for v in zip(a, pos, length, strict=True)]


@pytest.mark.parametrize("w", [32, 64])
def test_inserted_fields(w: int):
    rng = random.Random(7)
    a, b = integers(w, 8, 300), integers(w, 9, 300)
    pos = [rng.choice([0, 1, 5, 31, 32, 63, 64, 255, 256]) for _ in a]
    length = [rng.choice([0, 1, 4, 31, 32, 33, 64, 255, 257]) for _ in a]

    def field(x: int, y: int, p: int, n: int) -> int:
        if w == 32:
            p, n = p & 255, n & 255
        for i in range(n):
            at = p + i
            if at < w:
                y = y & ~(1 << at) | (x >> i & 1 if i < w else 0) << at
        return y

    assert apply(f"bfi.b{w}", a, b, pos, length) == [field(*v) for v in zip(a, b, pos, length, strict=True)]


@pytest.mark.parametrize("w", [16, 32, 64])
def test_shifts_clamp_their_amount(w: int):
    a = integers(w, 10)
    b = [(0, 1, w - 1, w, w + 1, 255, 0xFFFFFFFF)[i % 7] for i in range(len(a))]
    mask = (1 << w) - 1
    n = [min(x, w) for x in b]
    assert apply(f"shl.b{w}", a, b) == [x << k & mask for x, k in zip(a, n, strict=True)]
    assert apply(f"shr.u{w}", a, b) == [x >> k for x, k in zip(a, n, strict=True)]
    assert apply(f"shr.b{w}", a, b) == [x >> k for x, k in zip(a, n, strict=True)]
    assert apply(f"shr.s{w}", a, b) == [signed(x, w) >> k & mask for x, k in zip(a, n, strict=True)]


def test_funnel_shifts():
    a, b = pairs(32)
    c = [(0, 1, 31, 32, 33, 63, 0x80000000)[i % 7] for i in range(len(a))]
    for mode, limit in (("wrap", lambda n: n & 31), ("clamp", lambda n: min(n, 32))):
        wide = [(y << 32 | x, limit(n)) for x, y, n in zip(a, b, c, strict=True)]
        assert apply(f"shf.l.{mode}.b32", a, b, c) == [x << n >> 32 & 0xFFFFFFFF for x, n in wide]
        assert apply(f"shf.r.{mode}.b32", a, b, c) == [x >> n & 0xFFFFFFFF for x, n in wide]


@pytest.mark.parametrize("table", [0, 0x80, 0xFE, 0x96, 0xE8, 0xCA, 0x1B, 0xFF])
def test_any_function_of_three(table: int):
    a, b = pairs(32)
    c = list(reversed(a))

    def each(x: int, y: int, z: int) -> int:
        return sum((table >> ((x >> i & 1) << 2 | (y >> i & 1) << 1 | z >> i & 1) & 1) << i for i in range(32))

    assert apply("lop3.b32", a, b, c, imm={"immLut": table}) == [each(*v) for v in zip(a, b, c, strict=True)]


MODES: dict[str, Callable[[int], list[int]]] = {
    "f4e": lambda s: [s, s + 1, s + 2, s + 3],
    "b4e": lambda s: [s, (s - 1) % 8, (s - 2) % 8, (s - 3) % 8],
    "rc8": lambda s: [s] * 4,
    "ecl": lambda s: [max(s, i) for i in range(4)],
    "ecr": lambda s: [min(s, i) for i in range(4)],
    "rc16": lambda s: [s % 2 * 2, s % 2 * 2 + 1] * 2,
}


def test_permuted_bytes():
    a, b = pairs(32)
    c = [random.Random(11).getrandbits(32) ^ x for x in a]

    def pick(x: int, y: int, nibbles: list[int]) -> int:
        source = (y << 32 | x).to_bytes(8, "little")
        out = [source[n & 7] if not n & 8 else 255 * (source[n & 7] >> 7) for n in nibbles]
        return int.from_bytes(bytes(out), "little")

    want = [pick(x, y, [z >> 4 * i & 15 for i in range(4)]) for x, y, z in zip(a, b, c, strict=True)]
    assert apply("prmt.b32", a, b, c) == want
    for mode, choose in MODES.items():
        want = [pick(x, y, choose(z & 3)) for x, y, z in zip(a, b, c, strict=True)]
        assert apply(f"prmt.b32.{mode}", a, b, c) == want


@pytest.mark.parametrize("types", [(s, t) for s in ("u32", "s32") for t in ("u32", "s32")])
def test_dot_products(types: tuple[str, str]):
    a, b = pairs(32)
    c = list(reversed(a))

    def part(x: int, i: int, bits: int, t: str) -> int:
        raw = x >> bits * i & (1 << bits) - 1
        return signed(raw, bits) if t == "s32" else raw

    s, t = types
    four = [
        (z + sum(part(x, i, 8, s) * part(y, i, 8, t) for i in range(4))) & 0xFFFFFFFF
        for x, y, z in zip(a, b, c, strict=True)
    ]
    assert apply(f"dp4a.{s}.{t}", a, b, c) == four
    for half, first in (("lo", 0), ("hi", 2)):
        two = [
            (z + sum(part(x, i, 16, s) * part(y, i + first, 8, t) for i in range(2))) & 0xFFFFFFFF
            for x, y, z in zip(a, b, c, strict=True)
        ]
        assert apply(f"dp2a.{half}.{s}.{t}", a, b, c) == two


@pytest.mark.parametrize("t", ["u16x2", "s16x2"])
def test_packed_integers(t: str):
    a, b = pairs(32)
    one = t[:3]

    def halves(f: Callable[[int, int], int]) -> list[int]:
        low = [f(number(x & 0xFFFF, one), number(y & 0xFFFF, one)) & 0xFFFF for x, y in zip(a, b, strict=True)]
        high = [f(number(x >> 16, one), number(y >> 16, one)) & 0xFFFF for x, y in zip(a, b, strict=True)]
        return [x | y << 16 for x, y in zip(low, high, strict=True)]

    assert apply(f"add.{t}", a, b) == halves(lambda x, y: x + y)
    assert apply(f"min.{t}", a, b) == halves(min)
    assert apply(f"max.{t}", a, b) == halves(max)
    if t == "s16x2":
        assert apply("min.relu.s16x2", a, b) == halves(lambda x, y: max(0, min(x, y)))


def test_packing_and_unpacking():
    a, b = pairs(32)
    wide = [y << 32 | x for x, y in zip(a, b, strict=True)]
    assert apply("mov.b64;form=pack2", a, b) == wide
    assert apply("mov.b64;form=unpack2", wide) == (a, b)
    quarters = [[x >> 16 * i & 0xFFFF for x in wide] for i in range(4)]
    assert apply("mov.b64;form=pack4", *quarters) == wide
    assert apply("mov.b64;form=unpack4", wide) == tuple(quarters)
    assert apply("mov.b32;form=unpack2", a) == ([x & 0xFFFF for x in a], [x >> 16 for x in a])


def test_row_addresses():
    got = apply("rowsp.pack.b64", [0x123456, 1, 0xFF000001], [0xABCDEF, 2, 0x1000003], [0x1234, 3, 0x10005])
    assert got == [0x123456ABCDEF1234, 1 << 40 | 2 << 16 | 3, 1 << 40 | 3 << 16 | 5]


def test_windows_of_the_generic_space():
    assert apply("cvta.shared.u64", [8]) == [(96 << 38) + 8]
    assert apply("cvta.to.shared.u64", [(96 << 38) + 8]) == [8]
    assert apply("cvta.to.local.u64", apply("cvta.local.u64", [40])) == [40]
    assert apply("cvta.global.u64", [1 << 40]) == [1 << 40]
    places = [(96 << 38) + 8, (97 << 38) + 8, (3 << 38) + 8]
    assert apply("isspacep.shared", places) == [1, 0, 0]
    assert apply("isspacep.local", places) == [0, 1, 0]
    assert apply("isspacep.global", places) == [0, 0, 1]


@pytest.mark.parametrize("w", [32, 64])
def test_carry_chains(w: int):
    mask = (1 << w) - 1
    a, b = pairs(w)
    c = [i % 2 for i in range(len(a))]
    rows = list(zip(a, b, c, strict=True))
    for t in (f"u{w}", f"s{w}"):
        assert apply(f"add.cc.{t}", a, b) == ([x + y & mask for x, y, _ in rows], [x + y >> w for x, y, _ in rows])
        assert apply(f"addc.{t}", a, b, c) == [x + y + z & mask for x, y, z in rows]
        assert apply(f"addc.cc.{t}", a, b, c)[1] == [x + y + z >> w for x, y, z in rows]
        assert apply(f"sub.cc.{t}", a, b) == ([x - y & mask for x, y, _ in rows], [int(x >= y) for x, y, _ in rows])
        assert apply(f"subc.{t}", a, b, c) == [x - y - 1 + z & mask for x, y, z in rows]
        assert apply(f"subc.cc.{t}", a, b, c)[1] == [int(x - y - 1 + z >= 0) for x, y, z in rows]
        high = [(number(x, t) * number(y, t) >> w & mask) + y for x, y, _ in rows]
        assert apply(f"mad.hi.cc.{t}", a, b, b) == ([h & mask for h in high], [h >> w for h in high])
        assert apply(f"madc.lo.{t}", a, b, a, c) == [x * y + x + z & mask for x, y, z in rows]
