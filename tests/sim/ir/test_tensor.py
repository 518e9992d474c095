"""Matrix instructions of a warp against the fragment layouts of the PTX manual."""

import math
from fractions import Fraction
from functools import reduce

import ml_dtypes
import numpy as np
import pytest
import tensor_oracle
from native import buffer

from isa.table import instances, resolve
from isa.tensor import MMA
from sim.ir.tensor import mma_format
from sim.wgmma_format import CHAINED_MMA

BITS = {"f64": 64, "f32": 32, "s32": 32, "tf32": 32, "f16": 16, "bf16": 16, "b1": 32}
NUMPY = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2,
         "f32": np.float32, "tf32": np.float32, "f64": np.float64, "s8": np.int8, "u8": np.uint8, "s32": np.int32,
         "b1": np.uint32}  # fmt: skip


def bits_of(t):
    return BITS.get(t, 4 if t in ("s4", "u4") else 8)


def fragment(t, lane, i, halves):
    """Row (of A; column of B) and k of element i of a factor: PTX ISA 9.0, 9.7.14.5, one rule for all shapes."""
    per = max(1, 32 // bits_of(t))
    register, inside = i // per, i % per
    half = register % 2 if halves else 0
    return lane // 4 + 8 * half, (register // (2 if halves else 1)) * 4 * per + lane % 4 * per + inside


def words(elements, t):
    """Elements of every lane, [32, n], as the bits of registers, [32, m]."""
    if t in ("s4", "u4"):
        nibbles = elements.astype(np.int64).astype(np.uint32) & 15
        shifts = np.arange(8, dtype=np.uint32) * np.uint32(4)
        return np.bitwise_or.reduce(nibbles.reshape(32, -1, 8) << shifts, axis=2)
    return np.ascontiguousarray(elements.astype(NUMPY[t])).view(np.uint64 if t == "f64" else np.uint32)


def spread(matrix, t, halves):
    """Registers that hold a factor, ``matrix[row or column, k]``."""
    per = max(1, 32 // bits_of(t))
    n = matrix.size // 32
    assert n % per == 0
    elements = np.array([[matrix[fragment(t, lane, i, halves)] for i in range(n)] for lane in range(32)])
    return registers(words(elements, t))


def registers(columns):
    return [buffer(32, columns.dtype, columns[:, i]) for i in range(columns.shape[1])]


def place_of_sum(lane, i):
    return lane // 4 + 8 * (i // 2), lane % 4 * 2 + i % 2


def spread_sums(c, t):
    """Registers that hold the accumulator."""
    n = c.size // 32
    return registers(words(np.array([[c[place_of_sum(lane, i)] for i in range(n)] for lane in range(32)], c.dtype), t))


def collect(found, t, rows):
    """The matrix that registers hold in the layout of C."""
    elements = np.ascontiguousarray(np.stack(found, axis=1)).view(NUMPY[t])
    out = np.zeros((rows, 8), NUMPY[t])
    for lane in range(32):
        for i in range(rows // 4):
            out[place_of_sum(lane, i)] = elements[lane, i]
    return out


def factor(rng, t, shape):
    if t == "b1":
        return rng.integers(0, 1 << 32, shape, dtype=np.uint32)
    if t[0] in "su":
        low = -(1 << bits_of(t) - 1) if t[0] == "s" else 0
        return rng.integers(low, low + (1 << bits_of(t)), shape)
    x = rng.normal(0, 8, shape)
    if t == "tf32":
        return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    return x.astype(NUMPY[t])


def expected(mods, a, b, c):
    """A times B plus C; ``b[column, k]``."""
    d = mods["dtype"]
    if mods["atype"] == "b1":
        mixed = (a[:, None] ^ b[None]) if mods["bitop"] == "xor" else (a[:, None] & b[None])
        return c + np.bitwise_count(mixed).sum(axis=2).astype(np.int32)
    if d == "s32":
        total = a.astype(np.int64) @ b.astype(np.int64).T + c
        return np.clip(total, -(1 << 31), (1 << 31) - 1 if "satfinite" in mods else 1 << 62).astype(np.int32)
    if d == "f64":
        out = [[reduce(lambda s, k: math.fma(*k, s), zip(x, y, strict=True), s) for y, s in zip(b, z, strict=True)]
               for x, z in zip(a.tolist(), c, strict=True)] if hasattr(math, "fma") else None  # fmt: skip
        return np.array(out) if out else None
    return tensor_oracle.mma(a, b, c, (mods["atype"], mods["btype"]), d)


@pytest.mark.parametrize("op", [op for row in MMA for op in instances(row)], ids=lambda op: op.text)
def test_mma(functions, rng, op):
    mods, count = op.mods, {o.name: o.count for o in op.operands}
    rows = 16 if mods["shape"].startswith("m16") else 8
    types = mods["atype"], mods["btype"]
    depth = count["b"] * 4 * max(1, 32 // bits_of(types[1]))
    a, b = factor(rng, types[0], (rows, depth)), factor(rng, types[1], (8, depth))
    d = mods["dtype"]
    c = rng.integers(-(1 << 31), 1 << 31, (rows, 8)) if d == "s32" else rng.normal(0, 50, (rows, 8)).astype(NUMPY[d])
    if "satfinite" in mods:
        c[0], c[1] = -(1 << 31), (1 << 31) - 1
    c = c.astype(NUMPY[d])
    want = expected(mods, a, b, c if d == "f64" or d[0] == "f" else c.astype(np.int64))
    if want is None:
        want = a @ b.T + c  # no fused multiply-add before Python 3.13: to the last bits only
    sources = [*spread(a, types[0], rows == 16), *spread(b, types[1], False), *spread_sums(c, d)]
    found = [buffer(32, sources[-1].dtype) for _ in range(count["d"])]
    pointers = buffer(64, np.int64)
    pointers[: len(found) + len(sources)] = [x.ctypes.data for x in found + sources]
    functions.mma(pointers, mma_format(mods, count))
    got = collect(found, d, rows)
    if d == "f64" and not hasattr(math, "fma"):
        assert np.allclose(got, want, rtol=1e-13)
    else:
        assert (got.view(f"u{got.itemsize}") == want.astype(got.dtype).view(f"u{got.itemsize}")).all()
    # in place: d is c
    last = sources[-count["c"] :]
    pointers[: len(found)] = [x.ctypes.data for x in last]
    functions.mma(pointers, mma_format(mods, count))
    assert (collect(last, d, rows) == got).all()


@pytest.mark.parametrize("d", ["f32", "f16"])
def test_sums_that_are_chains(functions, rng, d):
    op = resolve(f"mma.sync.aligned.m16n8k16.row.col.{d}.f16.f16.{d}")
    count = {o.name: o.count for o in op.operands}
    a, b, c = factor(rng, "f16", (16, 16)), factor(rng, "f16", (8, 16)), rng.normal(0, 50, (16, 8)).astype(NUMPY[d])
    want = c.astype(np.float32)
    for k in range(16):
        for i, j in np.ndindex(16, 8):
            exact = Fraction(float(a[i, k])) * Fraction(float(b[j, k])) + Fraction(float(want[i, j]))
            want[i, j] = np.float32(float(exact))
    found = [buffer(32, np.uint32) for _ in range(count["d"])]
    pointers = buffer(64, np.int64)
    sources = [*spread(a, "f16", True), *spread(b, "f16", False), *spread_sums(c, d)]
    pointers[: len(found) + len(sources)] = [x.ctypes.data for x in found + sources]
    functions.mma(pointers, mma_format(op.mods, count) | 1 << CHAINED_MMA)
    assert (collect(found, d, 16) == want.astype(NUMPY[d])).all()


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("trans", [0, 1])
def test_stmatrix_is_the_opposite_of_ldmatrix(functions, rng, n, trans):
    memory = buffer(64 * 8, np.uint16, 7)
    base, out = 1 << 40, buffer(34, np.int64)
    rows = rng.permutation(64)[:32]
    out[:32] = base + rows * 16
    values = rng.integers(0, 1 << 32, (32, 4), dtype=np.uint32)
    sources, pointers = registers(values), buffer(4, np.int64)
    pointers[:] = [r.ctypes.data for r in sources]
    functions.stmatrix(pointers, out, memory.ctypes.data - base, n, trans)
    want = np.full((64, 8), 7, np.uint16)
    for i in range(n):
        whole = np.ascontiguousarray(values[:, i]).view(np.uint16).reshape(8, 8)
        want[rows[8 * i : 8 * i + 8]] = whole.T if trans else whole
    assert (memory.reshape(64, 8) == want).all()


def test_movmatrix_transposes(functions, rng):
    source, target, pointers = (
        buffer(32, np.uint32, rng.integers(0, 1 << 32, 32)),
        buffer(32, np.uint32),
        buffer(2, np.int64),
    )
    pointers[:] = target.ctypes.data, source.ctypes.data
    functions.movmatrix(pointers)
    assert (target.view(np.uint16).reshape(8, 8) == source.view(np.uint16).reshape(8, 8).T).all()


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("trans", [0, 1])
def test_ldmatrix(functions, rng, n, trans):
    memory = buffer(64 * 8, np.uint16, rng.integers(0, 1 << 16, 512))
    base, out = 1 << 40, buffer(34, np.int64)
    rows = rng.permutation(64)[:32]
    out[:32] = base + rows * 16
    registers, pointers = [buffer(32, np.uint32, 9) for _ in range(4)], buffer(4, np.int64)
    pointers[:] = [r.ctypes.data for r in registers]
    functions.ldmatrix(pointers, out, memory.ctypes.data - base, n, trans)
    for i in range(4):
        matrix = memory.reshape(64, 8)[rows[8 * i : 8 * i + 8]]
        matrix = matrix.T if trans else matrix
        for lane in range(32):
            pair = matrix[lane // 4, 2 * (lane % 4) : 2 * (lane % 4) + 2]
            assert int(registers[i][lane]) == (int(pair[0]) | int(pair[1]) << 16 if i < n else 9)
