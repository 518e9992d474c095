"""Matrix products of warpgroups: operands through descriptors, all shapes and types."""

import itertools

import numpy as np
import pytest
import tensor_oracle
from native import buffer
from test_tensor import NUMPY, bits_of, factor, place_of_sum, spread, words

from isa.table import instances, resolve
from isa.wgmma import ROWS, columns
from sim.ir.wgmma import WINDOW, wgmma_format

OPS = [op for row in ROWS for op in instances(row) if "mma_async.sync" in op.text and not op.instr.form]
WIDTH = {0: 16, 1: 128, 2: 64, 3: 32}
"""Bytes of a swizzle's rows, by its number in a descriptor."""


def descriptor(start, leading=0, stride=0, base=0, swizzle=0):
    return start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | base << 49 | swizzle << 62


def place(d, row, byte, across):
    """Where byte ``byte`` along k of a row is; across k: byte ``byte`` along the rows, at k ``row``."""
    start, leading, stride = ((d >> at & 0x3FFF) << 4 for at in (0, 16, 32))
    base, swizzle = d >> 49 & 7, d >> 62
    width = WIDTH[swizzle]
    if not across:
        inner = byte // 16 * leading + byte % 16 if swizzle == 0 else byte
        at = start + row % 8 * width + row // 8 * stride + inner
    else:
        outer, step = (stride, leading) if swizzle == 0 else (leading, stride)
        at = start + row % 8 * width + row // 8 * step + byte // width * outer + byte % width
    return (at ^ (at - 128 * base) >> 3 & (width - 16)) % WINDOW


def put(shared, d, matrix, t, across):
    """Lay a matrix [rows, k] of elements out in shared memory."""
    raw = words(matrix.reshape(1, -1), t).view(np.uint8).reshape(len(matrix), -1)
    size = bits_of(t) // 8
    for row in range(raw.shape[0]):
        for byte in range(raw.shape[1]):
            at = place(d, byte // size, row * size + byte % size, True) if across else place(d, row, byte, False)
            shared[at] = raw[row, byte]


class Warpgroup:
    """Registers of four warps, and the call."""

    def __init__(self, functions, op, c, a=None):
        self.functions, self.op = functions, op
        self.count = op.operands[0].count
        self.a = a
        self.half = op.mods["dtype"] == "f16"
        self.regs = [buffer(32 * (self.count + 4), np.uint32) for _ in range(4)]
        for w, regs in enumerate(self.regs):
            for lane, i in itertools.product(range(32), range(c.shape[1] // 2)):
                row, column = place_of_sum(lane, i % 4)
                self.sums(regs)[
                    i // (2 if self.half else 1), lane * (2 if self.half else 1) + i % (2 if self.half else 1)
                ] = c[16 * w + row, 8 * (i // 4) + column]
            if a is not None:
                for i, register in enumerate(spread(a[16 * w : 16 * w + 16], op.mods["atype"], True)):
                    regs[32 * (self.count + i) : 32 * (self.count + i + 1)] = register

    def sums(self, regs):
        return regs[: 32 * self.count].view(NUMPY[self.op.mods["dtype"]]).reshape(self.count, -1)

    def run(self, shared, a, b, scale=1, trans=(0, 0), negate=False):
        where = buffer(32, np.int64)
        for w, regs in enumerate(self.regs):
            where[w] = regs.ctypes.data
            where[4 + 4 * w : 8 + 4 * w] = [regs.ctypes.data + 128 * (self.count + i) for i in range(4)]
        table = buffer(self.count, np.int64, np.arange(self.count) * 128)
        fmt = wgmma_format(self.op.mods, self.a is not None, trans, negate)
        return self.functions.wgmma(table, where, fmt, a, b, shared, scale)

    def result(self):
        n = columns(self.op.mods)
        out = np.zeros((64, n), NUMPY[self.op.mods["dtype"]])
        per = 2 if self.half else 1
        for w, regs in enumerate(self.regs):
            for lane, i in itertools.product(range(32), range(n // 2)):
                row, column = place_of_sum(lane, i % 4)
                out[16 * w + row, 8 * (i // 4) + column] = self.sums(regs)[i // per, lane * per + i % per]
        return out


def expected(mods, a, b, c):
    if mods["atype"] == "b1":
        return c + np.bitwise_count(a[:, None] & b[None]).sum(axis=2).astype(np.int32)
    if mods["dtype"] == "s32":
        total = a.astype(np.int64) @ b.astype(np.int64).T + c.astype(np.int64)
        return (
            np.clip(total, -(1 << 31), (1 << 31) - 1).astype(np.int32)
            if "satfinite" in mods
            else total.astype(np.int32)
        )
    return tensor_oracle.wgmma(a, b, c, (mods["atype"], mods["btype"]), mods["dtype"])


def factors(rng, mods, rows):
    depth = 8 if mods["atype"] == "b1" else 256 // bits_of(mods["atype"])
    return factor(rng, mods["atype"], (rows, depth)), factor(rng, mods["btype"], (columns(mods), depth))


def accumulator(rng, mods):
    shape = (64, columns(mods))
    if mods["dtype"] == "s32":
        c = rng.integers(-1000, 1000, shape)
        c[0], c[1] = (1 << 31) - 1, -(1 << 31)
        return c.astype(np.int32)
    return rng.normal(0, 50, shape).astype(NUMPY[mods["dtype"]])


def same(x, y):
    return (x.view(f"u{x.itemsize}") == y.astype(x.dtype).view(f"u{x.itemsize}")).all()


@pytest.mark.parametrize("op", [op for op in OPS if columns(op.mods) == 8], ids=lambda op: op.text)
@pytest.mark.parametrize("in_registers", [False, True])
def test_types(functions, rng, op, in_registers):
    a, b = factors(rng, op.mods, 64)
    c = accumulator(rng, op.mods)
    shared = buffer(WINDOW, np.uint8)
    da, db = descriptor(0, 128, 256), descriptor(8192, 128, 256)
    put(shared, da, a, op.mods["atype"], False)
    put(shared, db, b, op.mods["btype"], False)
    group = Warpgroup(functions, op, c, a if in_registers else None)
    assert group.run(shared, da, db) == 8192 + 256
    assert same(group.result(), expected(op.mods, a, b, c))


@pytest.mark.parametrize("n", sorted({columns(op.mods) for op in OPS}))
def test_columns(functions, rng, n):
    op = resolve(f"wgmma.mma_async.sync.aligned.m64n{n}k16.f32.bf16.bf16;form=registers")
    a, b = factors(rng, op.mods, 64)
    c = np.zeros((64, n), np.float32)
    shared, db = buffer(WINDOW, np.uint8), descriptor(0, 128, 256)
    put(shared, db, b, "bf16", False)
    group = Warpgroup(functions, op, np.full((64, n), 7, np.float32), a)
    group.run(shared, 0, db, scale=0)
    rows = rng.permutation(64)[:3]
    assert same(group.result()[rows], expected(op.mods, a[rows], b, c[rows]))


@pytest.mark.parametrize("swizzle", [0, 1, 2, 3])
@pytest.mark.parametrize("trans", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_layouts(functions, rng, swizzle, trans):
    op = resolve("wgmma.mma_async.sync.aligned.m64n72k16.f32.f16.f16")
    a, b = rng.integers(-9, 10, (64, 16)).astype(np.float16), rng.integers(-9, 10, (72, 16)).astype(np.float16)
    block = 8 * WIDTH[swizzle]
    shared = buffer(WINDOW, np.uint8)
    descriptors = [
        descriptor(
            1024 * (40 * i + 1) + 128 * i, 16 * block if turned else 4096, block if turned else 2 * block, i, swizzle
        )
        if turned or swizzle
        else descriptor(1024 * (40 * i + 1), 8192, 128 + 16 * i, 0, 0)
        for i, turned in enumerate(trans)
    ]
    for d, matrix, turned in zip(descriptors, (a, b), trans, strict=True):
        put(shared, d, matrix, "f16", bool(turned))
    group = Warpgroup(functions, op, np.ones((64, 72), np.float32))
    group.run(shared, *descriptors, trans=trans)
    assert (group.result() == a.astype(int) @ b.astype(int).T + 1).all()
    group = Warpgroup(functions, op, np.ones((64, 72), np.float32))
    group.run(shared, *descriptors, trans=trans, negate=True)
    assert (group.result() == 1 - a.astype(int) @ b.astype(int).T).all()
