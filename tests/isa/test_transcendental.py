"""Approximate functions keep the error bounds of the PTX manual, and its table of special values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from oracle import apply

INF, NAN, ZERO, MINUS = 0x7F800000, 0x7FFFFFFF, 0, 0x80000000


def run(opcode: str, x: np.ndarray, *more: np.ndarray) -> np.ndarray:
    """f32 values through a lane function, as f64."""
    bits = [[int(v) for v in np.asarray(a, np.float32).view(np.uint32)] for a in (x, *more)]
    return np.array(apply(opcode, *bits), np.uint32).view(np.float32).astype(np.float64)


def spread(low: float, high: float, seed: int, n: int = 4000) -> np.ndarray:
    """Positive numbers spread evenly over the exponents."""
    return np.exp2(np.random.default_rng(seed).uniform(low, high, n)).astype(np.float32)


def uniform(low: float, high: float, n: int = 4000) -> np.ndarray:
    return np.random.default_rng(1).uniform(low, high, n).astype(np.float32)


def ulp(x: np.ndarray) -> np.ndarray:
    return np.spacing(np.abs(x).astype(np.float32)).astype(np.float64)


RELATIVE: list[tuple[str, np.ndarray, Callable[[np.ndarray], np.ndarray], float]] = [
    ("sqrt.approx.f32", spread(-140, 127, 1), np.sqrt, 2**-23),
    ("rsqrt.approx.f32", spread(-140, 127, 2), lambda x: 1 / np.sqrt(x), 2**-22.9),
    ("rcp.approx.f32", spread(-126, 126, 3), lambda x: 1 / x, 2**-23),
    ("tanh.approx.f32", np.concatenate([spread(-30, 4, 4), -spread(-30, 4, 5)]), np.tanh, 2**-11),
    ("ex2.approx.f32", uniform(-125, 127), np.exp2, 2**-22),
    ("ex2.approx.ftz.f32", uniform(-125, 127), np.exp2, 2**-22),
]


@pytest.mark.parametrize(("opcode", "x", "exact", "bound"), RELATIVE, ids=[r[0] for r in RELATIVE])
def test_relative_error(opcode: str, x: np.ndarray, exact: Callable[[np.ndarray], np.ndarray], bound: float):
    want = exact(x.astype(np.float64))
    assert (np.abs(run(opcode, x) - want) / np.abs(want)).max() <= bound


@pytest.mark.parametrize(("opcode", "exact"), [("sin.approx.f32", np.sin), ("cos.approx.f32", np.cos)])
def test_circular_functions(opcode: str, exact: Callable[[np.ndarray], np.ndarray]):
    x = uniform(-math.pi, math.pi)
    assert np.abs(run(opcode, x) - exact(x.astype(np.float64))).max() <= 2**-20.5


def test_logarithm():
    near = uniform(0.5, 2)
    assert np.abs(run("lg2.approx.f32", near) - np.log2(near.astype(np.float64))).max() <= 2**-22
    far = spread(-140, 127, 6)
    far = far[(far <= 0.5) | (far >= 2)]
    want = np.log2(far.astype(np.float64))
    assert (np.abs(run("lg2.approx.f32", far) - want) / np.abs(want)).max() <= 2**-22


@pytest.mark.parametrize("opcode", ["div.approx.f32", "div.full.f32", "div.approx.ftz.f32", "div.full.ftz.f32"])
def test_quotients_within_two_units(opcode: str):
    a, b = spread(-20, 20, 7), spread(-100, 100, 8)
    want = a.astype(np.float64) / b.astype(np.float64)
    assert (np.abs(run(opcode, a, b) - want) / ulp(want)).max() <= 2


def test_subnormal_results_of_ex2():
    x = uniform(-149, -126)
    assert np.abs(run("ex2.approx.f32", x) - np.exp2(x.astype(np.float64))).max() <= 2**-148
    assert (run("ex2.approx.ftz.f32", uniform(-149, -126.1)) == 0).all()


@pytest.mark.parametrize(
    ("opcode", "inputs", "outputs"),
    [
        ("ex2.approx.f32", [ZERO, MINUS, INF, INF | MINUS, NAN], [0x3F800000, 0x3F800000, INF, 0, NAN]),
        ("lg2.approx.f32", [ZERO, MINUS, INF, 0xBF800000, 0x3F800000, 1, NAN],
         [INF | MINUS, INF | MINUS, INF, NAN, 0, 0xC3150000, NAN]),
        ("lg2.approx.ftz.f32", [1, 0x807FFFFF], [INF | MINUS, INF | MINUS]),
        ("rcp.approx.f32", [ZERO, MINUS, INF, INF | MINUS, 0x7F7FFFFF, NAN],
         [INF, INF | MINUS, 0, MINUS, 0x200000, NAN]),
        ("rcp.approx.ftz.f32", [0x7F7FFFFF, 1, 0x80000001], [0, INF, INF | MINUS]),
        ("rsqrt.approx.f32", [ZERO, MINUS, INF, 0xBF800000], [INF, INF | MINUS, 0, NAN]),
        ("sqrt.approx.f32", [ZERO, MINUS, INF, 0xBF800000], [0, MINUS, INF, NAN]),
        ("sin.approx.f32", [ZERO, MINUS, INF, NAN, 0x00800000], [0, MINUS, NAN, NAN, 0]),
        ("cos.approx.f32", [ZERO, INF], [0x3F800000, NAN]),
        ("tanh.approx.f32", [ZERO, MINUS, INF, INF | MINUS, NAN, 1], [0, MINUS, 0x3F800000, 0xBF800000, NAN, 1]),
    ],
)  # fmt: skip
def test_special_values(opcode: str, inputs: list[int], outputs: list[int]):
    assert apply(opcode, inputs) == outputs


def test_the_largest_divisors_give_zero():
    assert apply("div.approx.ftz.f32", [0x3F800000, INF], [0x7F000001, 0x7F000001]) == [0, NAN]


@pytest.mark.parametrize(("t", "bound"), [("f16", 2**-9.9), ("bf16", 2**-7)])
def test_half_precision(t: str, bound: float):
    x = uniform(-10, 10, 500)
    op = "rn.f16.f32" if t == "f16" else "rn.bf16.f32"
    half = apply(f"cvt.{op}", [int(v) for v in x.view(np.uint32)])
    value = np.array(apply(f"cvt.f32.{t}", half), np.uint32).view(np.float32).astype(np.float64)
    ex2 = apply(f"ex2.approx.{'ftz.' if t == 'bf16' else ''}{t}", half)
    got = np.array(apply(f"cvt.f32.{t}", ex2), np.uint32).view(np.float32).astype(np.float64)
    assert (np.abs(got - np.exp2(value)) / np.exp2(value)).max() <= bound
    tanh = apply(f"tanh.approx.{t}", half)
    got = np.array(apply(f"cvt.f32.{t}", tanh), np.uint32).view(np.float32).astype(np.float64)
    assert np.abs(got - np.tanh(value)).max() <= (2**-10.9 if t == "f16" else 2**-8)
    packed = apply(f"tanh.approx.{t}x2", [h | h << 16 for h in half])
    assert packed == [v | v << 16 for v in tanh]


def test_double_approximations_use_the_upper_half():
    x = np.random.default_rng(9).uniform(0.1, 1000, 300)
    bits = [int(v) for v in x.view(np.uint64)]
    got = apply("rcp.approx.ftz.f64", bits)
    assert all(g & 0xFFFFFFFF == 0 for g in got)
    value = np.array(got, np.uint64).view(np.float64)
    assert (np.abs(value * x - 1)).max() <= 2**-19
    exact = np.array(apply("rsqrt.approx.f64", bits), np.uint64).view(np.float64)
    assert (np.abs(exact * np.sqrt(x) - 1)).max() <= 2**-50
