"""Products and operands as an H200 has them. ``silicon/products.npz``: by instruction and constants, words of registers
(for ``wgmma`` also of B in shared memory) and results, random and with infinities, NaNs and subnormal numbers.
``silicon/doubles.npz``: the same of f64 in directed rounding.
``silicon/layouts.npz``: an image of shared memory at address 1024, pairs of descriptors that count from there, sums."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from native import buffer

from isa.table import resolve
from sim.ir.tensor import mma_format
from sim.ir.wgmma import WINDOW, wgmma_format

HERE = Path(__file__).parent / "silicon"
WARPS = 4
B_IN_SHARED = 8 << 16 | 16 << 32


@cache
def recorded(name):
    with np.load(HERE / name) as found:
        return {key: found[key] for key in found.files}


def cases(name, start=""):
    return sorted({key.rpartition("/")[0] for key in recorded(name) if key.startswith(start)})


def warpgroup(sums, a=None):
    """Registers of four warps, [register, warp, lane], and the arrays that say where they are."""
    count = len(sums)
    regs = [buffer(32 * (count + 4), np.uint32) for _ in range(WARPS)]
    where = buffer(32, np.int64)
    for w, own in enumerate(regs):
        own.reshape(-1, 32)[:count] = sums[:, w]
        if a is not None:
            own.reshape(-1, 32)[count:] = a[:, w]
        where[w] = own.ctypes.data
        where[4 + 4 * w : 8 + 4 * w] = [own.ctypes.data + 128 * (count + i) for i in range(4)]
    return regs, where, buffer(count, np.int64, np.arange(count) * 128)


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in ("products.npz", "doubles.npz") for case in cases(name, "mma")],
)
def test_mma(functions, name, case):
    text, _, selector = case.partition("/")
    op = resolve(text)
    count = {o.name: o.count for o in op.operands}
    kind = np.uint64 if op.mods["dtype"] == "f64" else np.uint32
    for words, want in zip(recorded(name)[case + "/in"], recorded(name)[case + "/out"], strict=True):
        sources = [buffer(32, kind, row) for row in np.ascontiguousarray(words).view(kind).reshape(-1, 32)]
        found = [buffer(32, kind) for _ in range(count["d"])]
        places = buffer(64, np.int64)
        places[: len(found) + len(sources)] = [x.ctypes.data for x in found + sources]
        functions.mma(places, mma_format(op.mods, count, int(selector or "0", 16)))
        assert (np.concatenate(found).view(np.uint32) == want).all()


@pytest.mark.parametrize("case", cases("products.npz", "wgmma"))
def test_wgmma(functions, case):
    text, _, constants = case.partition("/")
    op = resolve(text + ";form=registers")
    constants, _, selector = constants.partition(";")
    signs = constants.split(",")[1:3]
    fmt = wgmma_format(op.mods, True, (0, 0), signs.count("-1") == 1, int(selector or "0"))
    size = 64 << ("sp" in op.mods)
    for words, want in zip(
        recorded("products.npz")[case + "/in"], recorded("products.npz")[case + "/out"], strict=True
    ):
        shared = buffer(WINDOW, np.uint8)
        shared[: 4 * size] = words[512 : 512 + size].view(np.uint8)
        count = op.operands[0].count
        sums, metadata = np.split(words[512 + size :], [count * WARPS * 32])
        regs, where, table = warpgroup(sums.reshape(count, WARPS, 32), words[:512].reshape(4, WARPS, 32))
        own = [buffer(32, np.uint32, row) for row in metadata.reshape(-1, 32)]
        where[20 : 20 + len(own)] = [row.ctypes.data for row in own]
        functions.wgmma(table, where, fmt, 0, B_IN_SHARED, shared, 1)
        found = np.stack([own.reshape(-1, 32)[:count] for own in regs], axis=1)
        assert (found.reshape(-1) == want).all()


def raw(image, t):
    if t == "e4m3":
        return image
    numbers = image.astype(np.float32).view(np.uint32)
    return (numbers if t == "tf32" else (numbers >> 16).astype(np.uint16)).view(np.uint8)


@pytest.mark.parametrize("case", cases("layouts.npz"))
def test_layouts(functions, case):
    text, _, constants = case.partition("/")
    op = resolve(text)
    found = recorded("layouts.npz")
    trans = tuple(map(int, constants.split(",")[3:])) or (0, 0)
    shared = buffer(WINDOW, np.uint8)
    shared[1024 : 1024 + 65536] = raw(found[case + "/image"], op.mods["atype"])
    for pair, want in zip(found[case + "/descriptors"], found[case + "/out"], strict=True):
        regs, where, table = warpgroup(np.zeros((len(want), WARPS, 32), np.uint32))
        a, b = (int(d) + (1024 >> 4) for d in pair)
        functions.wgmma(table, where, wgmma_format(op.mods, False, trans, False), a, b, shared, 0)
        sums = np.stack([own.view(np.float32).reshape(-1, 32)[: len(want)] for own in regs], axis=1)
        assert (sums.reshape(len(want), -1) == want).all()
