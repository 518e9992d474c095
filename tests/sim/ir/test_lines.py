"""Coalescing, byte masks and payloads of lines against loops in Python."""

import numpy as np
import pytest
from native import FULL, buffer, lanes_of, masks


def patterns(rng, wbytes):
    """Naturally aligned lane addresses of many shapes."""
    lanes = np.arange(32)
    base = 1 << 38
    yield base + 128 * 5 + lanes * wbytes
    yield base + 64 + lanes * wbytes
    yield np.full(32, base + 16 * 33)
    yield base + rng.permutation(32) * wbytes
    yield base + rng.integers(0, 512 // wbytes, 32) * wbytes
    yield base + rng.integers(0, 1 << 20, 32) * wbytes
    yield base + (31 - lanes) * wbytes
    yield (7 << 56) + rng.integers(0, 64, 32) * wbytes


@pytest.mark.parametrize("wbytes", [1, 2, 4, 8, 16])
def test_coalesce(functions, rng, wbytes):
    for places in patterns(rng, wbytes):
        for mask in masks(rng, 4):
            out, res = buffer(34, np.int64), buffer(64, np.int64)
            out[:32] = places
            want = {}
            for lane in lanes_of(mask):
                line = int(places[lane]) >> 7
                want[line] = want.get(line, 0) | 1 << (int(places[lane]) >> 5 & 3)
            count = functions.coalesce(res, out, wbytes, mask)
            assert count == len(want)
            assert [(int(res[2 * i]), int(res[2 * i + 1])) for i in range(count)] == list(want.items())


@pytest.mark.parametrize("wbytes", [1, 2, 4, 8, 16])
def test_line_masks(functions, rng, wbytes):
    for places in patterns(rng, wbytes):
        for mask in masks(rng, 4):
            out, res = buffer(34, np.int64), buffer(3, np.uint64)
            out[:32] = places
            line = int(places[int(rng.integers(0, 32))]) >> 7
            inside = [lane for lane in lanes_of(mask) if int(places[lane]) >> 7 == line]
            touched = 0
            for lane in inside:
                touched |= (1 << wbytes) - 1 << (int(places[lane]) & 127)
            functions.line_masks(res, out, wbytes, line, mask)
            assert [int(x) for x in res] == [touched & (1 << 64) - 1, touched >> 64, sum(1 << lane for lane in inside)]


@pytest.mark.parametrize("wbytes", [1, 2, 4, 8])
def test_gather_line(functions, rng, wbytes):
    source = buffer(32, np.uint64 if wbytes == 8 else np.uint32, rng.integers(0, 1 << 32, 32))
    for places in patterns(rng, wbytes):
        for mask in [*masks(rng, 4), FULL]:
            out, got = buffer(34, np.int64), buffer(128, np.uint8, 0xEE)
            out[:32] = places
            line = int(places[int(rng.integers(0, 32))]) >> 7
            want = got.copy()
            for lane in lanes_of(mask):
                at = int(places[lane]) & 127
                if int(places[lane]) >> 7 == line:
                    want[at : at + wbytes] = source[lane : lane + 1].view(np.uint8)[:wbytes]
            functions.gather_line(got, out, 0, source, wbytes, line, mask)
            assert (got == want).all()
