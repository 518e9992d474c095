"""Shuffle, match and redux against the pseudo-code of the PTX manual."""

import numpy as np
import pytest
from native import FULL, buffer, lanes_of, masks

from isa.types import AtomOp, ValType


def shuffle_lane(mode, lane, b, c):
    """Source lane and predicate: PTX ISA 9.0, shfl.sync."""
    segment, clamp, b = c >> 8 & 31, c & 31, b & 31
    last = lane & segment | clamp & ~segment
    first = lane & segment
    source = (lane - b, lane + b, lane ^ b, first | b & ~segment)[mode]
    return (source, True) if (source >= last if mode == 0 else source <= last) else (lane, False)


@pytest.mark.parametrize("mode", range(4))
def test_shfl(functions, rng, mode):
    a = buffer(32, np.uint32, rng.integers(0, 1 << 32, 32))
    widths = [0, 31, 0x1C03, 0x181F, 0x1000, 0x1F1F]
    for mask in masks(rng, 4):
        for trial in range(6):
            b = buffer(32, np.uint32, rng.integers(0, 40, 32) if trial % 2 else trial * 5)
            c = buffer(32, np.uint32, widths[trial])
            alias = trial == 3
            d = a.copy() if alias else None
            d = buffer(32, np.uint32, a if alias else 5)
            source = d if alias else a
            p, old = buffer(1, np.uint32, 0xA5A5A5A5), d.copy()
            functions.shfl(d, p if trial else 0, source, b, c, mode, mask)
            for lane in range(32):
                want, in_range = int(old[lane]), 0xA5A5A5A5 >> lane & 1
                if mask >> lane & 1:
                    j, in_range = shuffle_lane(mode, lane, int(b[lane]), int(c[lane]))
                    want = int(a[j]) if mask >> j & 1 else int(a[lane])
                assert int(d[lane]) == want
                if trial:
                    assert int(p[0]) >> lane & 1 == in_range


@pytest.mark.parametrize("is64", [0, 1])
def test_match(functions, rng, is64):
    for mask in masks(rng, 6):
        for kinds in (1, 3, 40):
            values = rng.integers(0, kinds, 32).astype(np.uint64) << np.uint64(32 if is64 else 0)
            a = buffer(32, np.uint64 if is64 else np.uint32, values)
            d, every, p = buffer(32, np.uint32, 7), buffer(32, np.uint32, 7), buffer(1, np.uint32, 0xF0F0F0F0)
            functions.match(d, 0, a, is64, 0, mask)
            functions.match(every, p, a, is64, 1, mask)
            same = len({int(a[lane]) for lane in lanes_of(mask)}) <= 1
            for lane in range(32):
                equal = sum(1 << i for i in lanes_of(mask) if a[i] == a[lane])
                assert int(d[lane]) == (equal if mask >> lane & 1 else 7)
                assert int(every[lane]) == ((mask if same else 0) if mask >> lane & 1 else 7)
            assert int(p[0]) == 0xF0F0F0F0 & ~mask | (mask if same else 0)


def test_match_may_overwrite_its_source(functions):
    a = buffer(32, np.uint32, np.arange(32) // 8)
    functions.match(a, 0, a, 0, 0, FULL)
    assert [int(x) for x in a] == [0xFF << lane // 8 * 8 for lane in range(32)]


REDUX = {
    (AtomOp.ADD, ValType.U32): lambda x: sum(x),
    (AtomOp.ADD, ValType.S32): lambda x: sum(x),
    (AtomOp.MIN, ValType.U32): min,
    (AtomOp.MAX, ValType.U32): max,
    (AtomOp.MIN, ValType.S32): min,
    (AtomOp.MAX, ValType.S32): max,
    (AtomOp.AND, ValType.B32): np.bitwise_and.reduce,
    (AtomOp.OR, ValType.B32): np.bitwise_or.reduce,
    (AtomOp.XOR, ValType.B32): np.bitwise_xor.reduce,
}


@pytest.mark.parametrize(("op", "t"), REDUX)
def test_redux(functions, rng, op, t):
    for mask in masks(rng, 6)[1:]:
        a, d = buffer(32, np.uint32, rng.integers(0, 1 << 32, 32)), buffer(32, np.uint32, 3)
        view = a.view(np.int32) if t == ValType.S32 else a
        want = int(REDUX[op, t]([int(view[lane]) for lane in lanes_of(mask)])) & FULL
        functions.redux(d, a, op | t << 8, mask)
        assert all(int(d[lane]) == (want if mask >> lane & 1 else 3) for lane in range(32))
