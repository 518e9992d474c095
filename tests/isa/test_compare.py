"""Comparison and selection against Python's own comparisons."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from oracle import FORMATS, apply, decode, floats, integers, number

CMP: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
BOOL: dict[str, Callable[[int, int], int]] = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


def pairs(values: list[int]) -> tuple[list[int], list[int]]:
    few = values[:24]
    both = [(a, b) for a in few for b in few]
    return [a for a, _ in both], [b for _, b in both]


@pytest.mark.parametrize("t", ["u16", "u32", "u64", "s16", "s32", "s64"])
def test_integers(t: str):
    a, b = pairs(integers(int(t[1:]), 1))
    for cmp, f in CMP.items():
        want = [int(f(number(x, t), number(y, t))) for x, y in zip(a, b, strict=True)]
        assert apply(f"setp.{cmp}.{t}", a, b) == want
    for cmp, same in UNSIGNED.items() if t[0] == "u" else ():
        assert apply(f"setp.{cmp}.{t}", a, b) == apply(f"setp.{same}.{t}", a, b)


@pytest.mark.parametrize("t", ["f16", "bf16", "f32", "f64"])
def test_floats(t: str):
    a, b = pairs(floats(t, 2))
    values = [(decode(x, t), decode(y, t)) for x, y in zip(a, b, strict=True)]
    known = [not any(isinstance(v, float) and math.isnan(v) for v in pair) for pair in values]
    for cmp, f in CMP.items():
        holds = [f(x, y) for x, y in values]
        ordered = [int(h and k) for h, k in zip(holds, known, strict=True)]
        either = [int(h or not k) for h, k in zip(holds, known, strict=True)]
        assert apply(f"setp.{cmp}.{t}", a, b) == ordered, cmp
        assert apply(f"setp.{cmp}u.{t}", a, b) == either, cmp
    assert apply(f"setp.num.{t}", a, b) == [int(k) for k in known]
    assert apply(f"setp.nan.{t}", a, b) == [int(not k) for k in known]


def test_subnormals_are_zero_under_ftz():
    assert apply("setp.eq.ftz.f32", [1, 0x807FFFFF], [0, 2]) == [1, 1]
    assert apply("setp.eq.f32", [1, 0x807FFFFF], [0, 2]) == [0, 0]


@pytest.mark.parametrize("name", BOOL)
def test_combined_with_a_predicate(name: str):
    a, b = pairs(integers(32, 3))
    c = [i % 2 for i in range(len(a))]
    p = apply("setp.lt.s32", a, b)
    f = BOOL[name]
    with_c = [f(x, z) for x, z in zip(p, c, strict=True)]
    complement = [f(1 - x, z) for x, z in zip(p, c, strict=True)]
    with_not = [f(x, 1 - z) for x, z in zip(p, c, strict=True)]
    both_not = [f(1 - x, 1 - z) for x, z in zip(p, c, strict=True)]
    assert apply(f"setp.lt.{name}.s32", a, b, c) == with_c
    assert apply(f"setp.lt.{name}.s32;form=not", a, b, c) == with_not
    assert apply(f"setp.lt.{name}.s32;form=both", a, b, c) == (with_c, complement)
    assert apply(f"setp.lt.{name}.s32;form=both_not", a, b, c) == (with_not, both_not)
    assert apply(f"set.lt.{name}.u32.s32", a, b, c) == [0xFFFFFFFF * x for x in with_c]
    assert apply(f"set.lt.{name}.f32.s32;form=not", a, b, c) == [0x3F800000 * x for x in with_not]


def test_both_results_without_a_third_predicate():
    a, b = pairs(integers(32, 4))
    p = apply("setp.ge.u32", a, b)
    assert apply("setp.ge.u32;form=both", a, b) == (p, [1 - x for x in p])


@pytest.mark.parametrize("t", ["f16", "bf16"])
def test_halves_compare_separately(t: str):
    a, b = pairs(floats(t, 5))
    x = [v | a[i - 1] << 16 for i, v in enumerate(a)]
    y = [v | b[i - 1] << 16 for i, v in enumerate(b)]
    low = apply(f"setp.lt.{t}", a, b)
    high = [low[i - 1] for i in range(len(low))]
    assert apply(f"setp.lt.{t}x2", x, y) == (low, high)
    one = 0x3C00 if t == "f16" else 0x3F80
    assert apply(f"set.lt.{t}x2.{t}x2", x, y) == [one * p | one * q << 16 for p, q in zip(low, high, strict=True)]
    assert apply(f"set.lt.u32.{t}x2", x, y) == [0xFFFF * p | 0xFFFF0000 * q for p, q in zip(low, high, strict=True)]
    assert apply(f"set.lt.{t}.{t}", a, b) == [one * p for p in low]


@pytest.mark.parametrize("t", ["b16", "b32", "b64", "f32", "f64", "s32"])
def test_selection(t: str):
    n = FORMATS[t].bits if t in FORMATS else int(t[1:])
    a, b = integers(n, 6), list(reversed(integers(n, 6)))
    c = [i % 3 == 0 for i in range(len(a))]
    assert apply(f"selp.{t}", a, b, c) == [x if z else y for x, y, z in zip(a, b, c, strict=True)]


def test_selection_by_sign():
    a, b = [1] * 6, [2] * 6
    assert apply("slct.u32.s32", a[:3], b[:3], [0, 5, 0xFFFFFFFF]) == [1, 1, 2]
    c = [0, 0x80000000, 0x3F800000, 0xBF800000, 0x7FC00000, 0x80000001]
    assert apply("slct.u32.f32", a, b, c) == [1, 1, 1, 2, 2, 2]
    assert apply("slct.ftz.u32.f32", a, b, c) == [1, 1, 1, 2, 2, 1]
