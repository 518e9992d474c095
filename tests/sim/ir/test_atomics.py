"""Atomics and line reductions against one-element references in Python."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from native import buffer, lanes_of, masks

from isa.types import AtomOp, ValType

WORDS = (ValType.U32, ValType.S32, ValType.U64, ValType.S64)
UNTYPED = (ValType.B32, ValType.B64)
SMALL_FLOATS = (ValType.F16, ValType.BF16, ValType.F16X2, ValType.BF16X2)
ARITHMETIC = (AtomOp.ADD, AtomOp.MIN, AtomOp.MAX)
LOGIC = (AtomOp.AND, AtomOp.OR, AtomOp.XOR)
CASES = [
    *((op, t) for op in ARITHMETIC for t in (*WORDS, ValType.F32, ValType.F64, *SMALL_FLOATS)),
    *((op, t) for op in (*LOGIC, AtomOp.EXCH, AtomOp.CAS) for t in UNTYPED),
    (AtomOp.INC, ValType.U32),
    (AtomOp.DEC, ValType.U32),
    (AtomOp.CAS, ValType.U16),
]
DTYPES = {
    ValType.F32: np.float32,
    ValType.F64: np.float64,
    ValType.F16: np.float16,
    ValType.BF16: ml_dtypes.bfloat16,
    ValType.U16: np.uint16,
}


def dtype_of(t):
    """NumPy type of a value (of each half of a pair)."""
    if t in DTYPES:
        return np.dtype(DTYPES[t])
    if t in (ValType.F16X2, ValType.BF16X2):
        return dtype_of(ValType.F16 if t == ValType.F16X2 else ValType.BF16)
    return np.dtype({"U32": "u4", "S32": "i4", "U64": "u8", "S64": "i8", "B32": "u4", "B64": "u8"}[t.name])


def integer_result(op, bits, old, x, y):
    """New value of an integer element, as any Python integer."""
    return {
        AtomOp.ADD: lambda: old + x,
        AtomOp.MIN: lambda: min(old, x),
        AtomOp.MAX: lambda: max(old, x),
        AtomOp.INC: lambda: 0 if old >= x else old + 1,
        AtomOp.DEC: lambda: x if old == 0 or old > x else old - 1,
        AtomOp.AND: lambda: old & x,
        AtomOp.OR: lambda: old | x,
        AtomOp.XOR: lambda: old ^ x,
        AtomOp.EXCH: lambda: x,
        AtomOp.CAS: lambda: y if old == x else old,
    }[op]()


def float_result(op, dtype, old, x):
    """New value of a float element. Sums of two such numbers are exact as fractions and rounded once."""
    old, x = dtype.type(old), dtype.type(x)
    if np.isnan(old) or np.isnan(x):
        return old + x if op == AtomOp.ADD else x if np.isnan(old) else old
    if op == AtomOp.ADD:
        if np.isinf(old) or np.isinf(x) or dtype.itemsize == 8:
            return old + x
        total = Fraction(float(old)) + Fraction(float(x))
        return round_fraction(total, dtype) if total else old + x
    signed = [(float(v), not np.signbit(v), v) for v in (old, x)]
    return (min if op == AtomOp.MIN else max)(signed, key=lambda item: item[:2])[2]


def round_fraction(value, dtype):
    """Nearest, ties to even: try the neighbours of a first guess."""
    with np.errstate(over="ignore"):
        guess = dtype.type(float(value))
    if not np.isfinite(guess):
        return guess
    raw = int(guess.view(f"u{dtype.itemsize}"))
    near = [np.array(raw + step, f"u{dtype.itemsize}").view(dtype)[()] for step in (-1, 0, 1) if raw + step >= 0]
    near = [v for v in near if np.isfinite(v)]
    best = min(near, key=lambda v: (abs(Fraction(float(v)) - value), int(v.view(f"u{dtype.itemsize}")) & 1))
    return best


def element_result(op, t, old, x, y):
    """New bits of an element from the bits of the old value and the operands."""
    dtype = dtype_of(t)
    bits = 8 * dtype.itemsize
    if t in (ValType.F16X2, ValType.BF16X2):
        half = ValType.F16 if t == ValType.F16X2 else ValType.BF16
        low, high = (element_result(op, half, old >> s & 0xFFFF, x >> s & 0xFFFF, 0) for s in (0, 16))
        return low | high << 16
    old, x, y = (np.array(v & (1 << bits) - 1, f"u{bits // 8}").view(dtype)[()] for v in (old, x, y))
    if dtype.kind in "ui":
        return integer_result(op, bits, int(old), int(x), int(y)) & (1 << bits) - 1
    return int(np.asarray(float_result(op, dtype, old, x)).view(f"u{bits // 8}"))


def same(t, got, want):
    """Equal bits, or both NaN (each half of a pair)."""
    dtype = dtype_of(t)
    for shift in (0, 16) if t in (ValType.F16X2, ValType.BF16X2) else (0,):
        mask = (1 << 8 * dtype.itemsize) - 1
        a, b = (np.array(v >> shift & mask, f"u{dtype.itemsize}").view(dtype) for v in (got, want))
        if got >> shift & mask != want >> shift & mask and not (np.isnan(a) and np.isnan(b)):
            return False
    return True


def values(rng, t, n):
    """Random and awkward bits of a type."""
    dtype = dtype_of(t)
    size = 4 if t in (ValType.F16X2, ValType.BF16X2) else dtype.itemsize
    raw = rng.integers(0, 1 << 63, n, dtype=np.uint64) * np.uint64(2) + rng.integers(0, 2, n, dtype=np.uint64)
    raw[rng.integers(0, 3, n) == 0] &= np.uint64(3)
    if dtype.kind not in "ui":
        tame = np.asarray(rng.normal(0, 2, 2 * n)).astype(dtype).view(f"u{size}")[:n]
        raw = np.where(rng.integers(0, 2, n) == 0, raw, tame)
    return [int(v) & (1 << 8 * size) - 1 for v in raw]


def size_of(t):
    """Bytes of an element."""
    return 4 if t in (ValType.F16X2, ValType.BF16X2) else dtype_of(t).itemsize


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("op", "t"), CASES)
def test_atom_one(functions, rng, op, t):
    size = size_of(t)
    for old, x, y in zip(*(values(rng, t, 60) for _ in range(3)), strict=True):
        if op == AtomOp.CAS and y & 1:
            x = old
        cell = buffer(1, f"u{size}", old)
        before = functions.atom_one(cell, op | t << 8, x, y) & (1 << 64) - 1
        assert before == old
        assert same(t, int(cell[0]), element_result(op, t, old, x, y)), (hex(old), hex(x), hex(y))


@pytest.mark.parametrize(("op", "t"), CASES)
def test_atom_goes_through_lanes_in_order(functions, rng, op, t):
    size = size_of(t)
    slot = np.uint64 if size == 8 else np.uint32
    for mask in masks(rng, 2):
        for returns in (True, False):
            memory = buffer(8, f"u{size}", values(rng, t, 8))
            want, places = memory.copy(), rng.integers(0, 8, 32)
            b, c = (buffer(32, slot, values(rng, t, 32)) for _ in range(2))
            d = b.copy() if not returns else buffer(32, slot, b)  # the destination may be the operand
            expected, operand = d.copy(), b.copy()
            for lane in lanes_of(mask):
                old = int(want[places[lane]])
                want[places[lane]] = element_result(op, t, old, int(operand[lane]), int(c[lane]))
                expected[lane] = old
            out = buffer(34, np.int64)
            out[:32] = (1 << 40) + places * size
            functions.atom(d if returns else 0, out, memory.ctypes.data - (1 << 40), d, c, op | t << 8, mask)
            assert all(same(t, int(g), int(w)) for g, w in zip(memory, want, strict=True))
            if returns:
                assert all(same(t, int(g), int(w)) for g, w in zip(d, expected, strict=True))


FLUSHED = [
    (0x00000001, 0x00000000, 0x00000000),
    (0x80000001, 0x80000001, 0x80000000),
    (0x00800000, 0x80800001, 0x80000000),  # a subnormal difference of normal numbers
    (0x00000005, 0x3F800000, 0x3F800000),
    (0x00800000, 0x00800000, 0x01000000),
]


@pytest.mark.parametrize(("old", "x", "want"), FLUSHED)
def test_atom_add_f32_may_flush_subnormals(functions, old, x, want):
    cell = buffer(1, np.uint32, old)
    functions.atom_one(cell, AtomOp.ADD | ValType.F32 << 8 | 1 << 12, x, 0)
    assert int(cell[0]) == want


LINE_CASES = [(op, t) for op, t in CASES if op != AtomOp.CAS and t != ValType.U16]


@pytest.mark.parametrize(("op", "t"), LINE_CASES)
def test_reduce_bytes(functions, rng, op, t):
    size = size_of(t)
    step = 2 if t in SMALL_FLOATS else size
    for nbytes in (128, 64, 12 * size):
        n = nbytes // step
        half = {ValType.F16X2: ValType.F16, ValType.BF16X2: ValType.BF16}.get(t, t)
        dst, src = (buffer(n, f"u{step}", values(rng, half, n)) for _ in range(2))
        chosen = rng.integers(0, 2, n)
        mask = sum((1 << step) - 1 << i * step for i in range(n) if chosen[i])
        want = [
            element_result(op, half, int(a), int(b), 0) if c else int(a)
            for a, b, c in zip(dst, src, chosen, strict=True)
        ]
        padded = buffer(128, np.uint8, 0x5A)
        padded[:nbytes] = dst.view(np.uint8)
        operand = buffer(128, np.uint8, 0x77)
        operand[:nbytes] = src.view(np.uint8)
        beyond = ((1 << 128) - 1) ^ ((1 << nbytes) - 1)  # bits past the end mean nothing
        functions.reduce_bytes(
            padded, operand, op | t << 8, nbytes, (mask | beyond) & (1 << 64) - 1, (mask | beyond) >> 64
        )
        got = padded[:nbytes].view(f"u{step}")
        assert all(same(half, int(g), w) for g, w in zip(got, want, strict=True))
        assert (padded[nbytes:] == 0x5A).all()
