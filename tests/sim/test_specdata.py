"""Data and comparisons of conformance specs against what they are defined as."""

import numpy as np
import pytest

from sim.specdata import differences, initial, scalar

MASK = (1 << 64) - 1


def splitmix(seed, i):
    z = ((seed << 32) + i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def test_random_bits_are_a_function_of_seed_and_place():
    assert initial("u64", [2, 3], {"kind": "bits", "seed": 7}).tolist() == [
        [splitmix(7, i) for i in range(3)],
        [splitmix(7, i) for i in range(3, 6)],
    ]
    assert initial("u16", [4], {"kind": "bits", "seed": 9}).tolist() == [splitmix(9, i) >> 48 for i in range(4)]


@pytest.mark.parametrize(
    ("dtype", "init", "want"),
    [
        ("s8", {"kind": "list", "values": [-1, 300]}, [-1, 44, 0]),
        ("u32", {"kind": "iota", "start": 1, "step": -2}, [1, 0xFFFFFFFF, 0xFFFFFFFD]),
        ("bf16", {"kind": "fill", "value": 1.00390625}, [0x3F80] * 3),
        ("bf16", {"kind": "fill", "value": 1.01171875}, [0x3F82] * 3),
        ("f16", {"kind": "iota", "step": 0.5}, [0.0, 0.5, 1.0]),
        ("u8", {"kind": "randint", "lo": 3, "hi": 5, "seed": 1}, [3 + splitmix(1, i) % 2 for i in range(3)]),
    ],
)
def test_data(dtype, init, want):
    assert initial(dtype, [3], init).tolist() == want


def test_edges_meet_one_another():
    """Operands of axes 0 and 1 take all pairs of special values."""
    a, b = (initial("u8", [144], {"kind": "edges", "axis": axis, "seed": 1}) for axis in (0, 1))
    assert len(set(zip(a.tolist(), b.tolist(), strict=True))) == 144


def test_scalars_wrap():
    assert scalar("s16", -2) == b"\xfe\xff" and scalar("f32", 1) == b"\0\0\x80\x3f"


def test_comparisons():
    one, two = np.array([1, 2, 3], np.uint32), np.array([1, 3, 2], np.uint32)
    assert differences({"mode": "multiset"}, "u32", one, two) == ""
    assert differences({"mode": "exact"}, "u32", one, two) == "2 of 3 differ, first [1]: 0x2 instead of 0x3"
    assert differences({"mode": "exact", "range": [0, 1]}, "u32", one, two) == ""
    nans = np.array([0x7FC0, 0x7F81, 0x3F80], np.uint16)
    assert differences({"mode": "exact", "nan": "any"}, "bf16", nans, nans[[1, 0, 2]]) == ""
    assert differences({"mode": "exact"}, "bf16", nans, nans[[1, 0, 2]]) != ""
    x = np.array([1.0, np.inf, np.nan], np.float32)
    assert differences({"mode": "tol", "rtol": 0.1}, "f32", x * np.float32(1.05), x) == ""
    assert differences({"mode": "tol", "rtol": 0.01}, "f32", x * np.float32(1.05), x).startswith("1 of 3 differ")
