"""Loads, stores and lane constants against loops in Python."""

import mmap

import numpy as np
import pytest
from native import FULL, buffer, lanes_of, masks

PAGE = mmap.PAGESIZE


@pytest.mark.parametrize("is64", [0, 1])
@pytest.mark.parametrize("wbytes", [1, 2, 4, 8, 16])
def test_addresses(functions, rng, is64, wbytes):
    dtype = np.uint64 if is64 else np.uint32
    for mask in masks(rng, 5):
        for unit in (False, True):
            first = int(rng.integers(0, 1 << 30))
            values = first + np.arange(32) * wbytes if unit else rng.integers(0, 1 << 31, 32)
            if is64:
                values = values.astype(np.uint64) << np.uint64(20) if not unit else values
            register, out = buffer(32, dtype, values), buffer(34, np.uint64)
            off = int(rng.integers(0, 1000))
            result = functions.addresses(out, register, is64, off, wbytes, mask)
            want = register.astype(np.uint64) + np.uint64(off)
            assert (out[:32] == want).all()
            active = [int(want[lane]) for lane in lanes_of(mask)] or [0]
            assert (int(out[32]), int(out[33])) == (min(active), max(active))
            assert result == int(all(int(want[i]) == int(want[0]) + i * wbytes for i in range(32)))


def test_addresses_wrap_and_compare_unsigned(functions):
    register, out = buffer(32, np.uint64, (1 << 64) - 8), buffer(34, np.uint64)
    register[3] = 16
    functions.addresses(out, register, 1, -8, 4, 0b1010)
    assert int(out[3]) == 8 and (int(out[32]), int(out[33])) == (8, (1 << 64) - 16)
    register[:] = (np.arange(32, dtype=np.uint64) * np.uint64(8)) - np.uint64(16)  # wraps from the top to zero
    assert functions.addresses(out, register, 1, 0, 8, FULL) == 1
    assert (int(out[32]), int(out[33])) == (0, (1 << 64) - 8)


def test_addresses_of_32_bits_wrap(functions):
    register, out = buffer(32, np.uint32, 0xFFFFFFFC), buffer(34, np.uint64)
    functions.addresses(out, register, 0, 12, 4, FULL)
    assert (out[:32] == 8).all() and (int(out[32]), int(out[33])) == (8, 8)


def formats():
    for width in range(4):
        for signed in (0, 1):
            for wide in (0, 1):
                if width < 3 or wide:
                    yield width, signed, wide


@pytest.mark.parametrize(("width", "signed", "wide"), list(formats()))
def test_load(functions, rng, width, signed, wide):
    memory = buffer(4096, np.uint8, rng.integers(0, 256, 4096))
    base = 1 << 40
    slot = np.uint64 if wide else np.uint32
    for mask in masks(rng, 4):
        for unit in (0, 1):
            out, d = buffer(34, np.int64), buffer(32, slot, rng.integers(0, 1 << 32, 32))
            out[:32] = base + 512 + (np.arange(32) << width if unit else rng.integers(0, 400, 32) << width)
            want = d.copy()
            for lane in lanes_of(mask):
                at = int(out[lane]) - base
                raw = memory[at : at + (1 << width)].view(("i" if signed else "u") + str(1 << width))[0]
                want[lane] = int(raw) & (1 << 8 * want.itemsize) - 1
            fmt = width | signed << 4 | wide << 5 | unit << 6
            functions.load(d, out, memory.ctypes.data - base, fmt, mask)
            assert (d == want).all(), (mask, unit)


@pytest.mark.parametrize(("width", "signed", "wide"), list(formats()))
def test_store(functions, rng, width, signed, wide):
    base = 1 << 41
    source = buffer(32, np.uint64 if wide else np.uint32, rng.integers(0, 1 << 32, 32))
    for mask in masks(rng, 4):
        for unit in (0, 1):
            memory = buffer(1024, np.uint8, rng.integers(0, 256, 1024))
            out = buffer(34, np.int64)
            out[:32] = base + (np.arange(32) << width if unit else rng.integers(0, 40, 32) << width)
            want = memory.copy()
            for lane in lanes_of(mask):
                at = int(out[lane]) - base
                want[at : at + (1 << width)] = source[lane : lane + 1].view(np.uint8)[: 1 << width]
            functions.store(source, out, memory.ctypes.data - base, width | signed << 4 | wide << 5 | unit << 6, mask)
            assert (memory == want).all(), (mask, unit)


@pytest.mark.parametrize(("width", "signed", "wide"), list(formats()))
def test_lanes_without_mask_touch_nothing(functions, width, signed, wide):
    """The page after the active lanes' bytes, and the pages inactive lanes point to, must not be touched."""
    import ctypes

    size = 1 << width
    pages = mmap.mmap(-1, 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc = ctypes.CDLL(None)
    assert libc.mprotect(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(PAGE), 0) == 0
    slot, out = buffer(32, np.uint64 if wide else np.uint32), buffer(34, np.int64)
    fmt = width | signed << 4 | wide << 5
    out[:32] = start + PAGE - 5 * size + np.arange(32) * size
    for unit in (0, 1 << 6):
        functions.load(slot, out, 0, fmt | unit, 0b11111)
        functions.store(slot, out, 0, fmt | unit, 0b11111)
    out[5:32] = 0
    functions.load(slot, out, 0, fmt, 0b11111)
    functions.store(slot, out, 0, fmt, 0b11111)


def test_splat(functions, rng):
    for mask in masks(rng, 3):
        single, double = buffer(32, np.uint32, 7), buffer(32, np.uint64, 7)
        functions.splat32(single, -3, mask)
        functions.splat64(double, -3, mask)
        for lane in range(32):
            inside = mask >> lane & 1
            assert int(single[lane]) == ((1 << 32) - 3 if inside else 7)
            assert int(double[lane]) == ((1 << 64) - 3 if inside else 7)


@pytest.mark.parametrize("shape", [(32, 1), (1024, 1), (7, 5), (1, 64), (33, 3), (3, 100)])
def test_thread_index(functions, rng, shape):
    nx, ny = shape
    for first in (0, 32, 320, 992):
        for axis in range(3):
            d = buffer(32, np.uint32, 9)
            functions.fill_tid(d, first, nx, ny, axis, 0xF0F0F0FF)
            for lane in range(32):
                i = first + lane
                want = (i % nx, i // nx % ny, i // (nx * ny))[axis] if 0xF0F0F0FF >> lane & 1 else 9
                assert int(d[lane]) == want


def test_lane_constants(functions):
    for what in range(6):
        d = buffer(32, np.uint32)
        functions.fill_lane(d, what, FULL)
        for lane in range(32):
            le = (2 << lane) - 1
            eq = 1 << lane
            assert int(d[lane]) == (lane, eq, le, le ^ eq, FULL & ~(le ^ eq), FULL & ~le)[what]
