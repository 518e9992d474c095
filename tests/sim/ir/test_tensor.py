"""mma.sync and ldmatrix against the fragment layouts of the PTX manual."""

import ml_dtypes
import numpy as np
import pytest
from native import buffer

FACTOR = [np.float16, ml_dtypes.bfloat16, np.float16]
SUM = [np.float32, np.float32, np.float16]


def fragment_a(lane, i):
    """Row and column of element i of A: PTX ISA 9.0, mma.m16n8k16 (and its first half, m16n8k8) with 16-bit types."""
    group, inside = lane >> 2, lane & 3
    row = group if i in (0, 1, 4, 5) else group + 8
    return row, inside * 2 + (i & 1) + (8 if i >= 4 else 0)


def fragment_b(lane, i):
    """Row and column of element i of B."""
    return (lane & 3) * 2 + (i & 1) + (8 if i >= 2 else 0), lane >> 2


def fragment_c(lane, i):
    """Row and column of element i of C and D."""
    return (lane >> 2) + (8 if i >= 2 else 0), (lane & 3) * 2 + (i & 1)


def spread(matrix, place, n, dtype):
    """Registers that hold ``n`` elements of a matrix per lane."""
    elements = np.array([[matrix[place(lane, i)] for i in range(n)] for lane in range(32)], dtype)
    words = np.ascontiguousarray(elements).view(np.uint32)
    return [buffer(32, np.uint32, words[:, i]) for i in range(words.shape[1])]


def collect(registers, dtype, n):
    """The matrix that registers hold in the layout of C."""
    words = np.ascontiguousarray(np.stack(registers, axis=1))
    elements = words.view(dtype)
    out = np.zeros((16, 8), dtype)
    for lane in range(32):
        for i in range(n):
            out[fragment_c(lane, i)] = elements[lane, i]
    return out


def fma32(a, b, c):
    """Fused multiply-add of 16-bit factors: their product is exact in f64, and so is the sum's error."""
    product = a.astype(np.float64) * b.astype(np.float64)
    total = product + c
    virtual = total - product
    error = (product - (total - virtual)) + (c - virtual)
    near = total.astype(np.float32)
    tie = (total.view(np.uint64) & np.uint64(0x1FFFFFFF)) == np.uint64(0x10000000)
    nudged = np.nextafter(total, np.where(error > 0, np.inf, -np.inf)).astype(np.float32)
    return np.where(tie & (error != 0), nudged, near)


@pytest.mark.parametrize("fmt", range(3))
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_mma(functions, rng, fmt, depth, scale):
    factor, total = FACTOR[fmt], SUM[fmt]
    a, b = (rng.normal(0, scale, shape).astype(factor) for shape in ((16, depth), (depth, 8)))
    c = rng.normal(0, scale, (16, 8)).astype(total)
    want = c.astype(np.float32)
    for k in range(depth):
        want = fma32(a[:, k : k + 1].astype(np.float32), b[k : k + 1].astype(np.float32), want.astype(np.float64))
    with np.errstate(over="ignore"):
        want = want.astype(total)
    code = fmt if depth == 16 else fmt | 4
    factors = spread(a, fragment_a, depth // 2, factor) + spread(b, fragment_b, depth // 4, factor)
    operands = factors + spread(c, fragment_c, 4, total)
    n = 4 if total == np.float32 else 2
    d = [buffer(32, np.uint32) for _ in range(n)]
    pointers = buffer(16, np.int64)
    pointers[: n + len(operands)] = [x.ctypes.data for x in d + operands]
    functions.mma(pointers, code)
    got = collect(d, total, 4)
    assert (got.view(f"u{got.itemsize}") == want.view(f"u{want.itemsize}")).all()
    # in place: d is c
    pointers[:n] = [x.ctypes.data for x in operands[len(factors) :]]
    functions.mma(pointers, code)
    assert (collect(operands[len(factors) :], total, 4) == want).all()


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
