"""Heaps, lists and half-precision conversion against Python and NumPy."""

import heapq
import random

import ml_dtypes
import numpy as np

from sim.net.halves import narrow, widen
from sim.net.packet import ROW_WORDS
from sim.net.queues import heap_first, heap_pop, heap_push, list_pop, list_push
from sim.raw import BIG, Arena


def test_a_heap_gives_the_smallest_key_first():
    rng = random.Random(0)
    arena, model = Arena(1 + 2 * 500), []
    assert heap_first(arena, 0) == BIG
    for _ in range(3000):
        if (model and rng.random() < 0.48) or len(model) == 500:
            key = heap_first(arena, 0)
            value = heap_pop(arena, 0)
            assert key == model[0][0] == value // 1000
            model.remove((key, value))
            heapq.heapify(model)
        else:
            key = rng.randrange(100)
            value = key * 1000 + rng.randrange(1000)
            heap_push(arena, 0, key, value)
            heapq.heappush(model, (key, value))
    assert arena[0] == len(model)


def test_a_list_keeps_its_order():
    arena = Arena(2 + 20 * ROW_WORDS)
    rows = [2 + i * ROW_WORDS for i in range(20)]
    for row in rows[:10]:
        list_push(arena, 0, row)
    assert [list_pop(arena, 0) for _ in range(5)] == rows[:5]
    for row in rows[10:]:
        list_push(arena, 0, row)
    assert [list_pop(arena, 0) for _ in range(15)] == rows[5:]
    assert arena[0] == 0


def _convert(function, bits, dtype, is_bf16):
    source, target = Arena(32), Arena(32)
    source.words.view(dtype)[: len(bits)] = bits
    function(target.address, source.address, is_bf16)
    return target.words


def test_every_half_widens_exactly():
    for start in range(0, 1 << 16, 64):
        bits = np.arange(start, start + 64, dtype=np.uint16)
        for is_bf16, dtype in ((False, np.float16), (True, ml_dtypes.bfloat16)):
            got = _convert(widen, bits, np.uint16, is_bf16).view(np.float32)
            want = bits.view(dtype).astype(np.float32)
            assert ((got == want) | np.isnan(want)).all() and (np.isnan(got) == np.isnan(want)).all()
            assert (np.signbit(got) == np.signbit(want)).all() or np.isnan(want).any()


def test_narrowing_rounds_to_nearest_even():
    rng = np.random.default_rng(0)
    special = [0, 1, 0x80000000, 0x7F800000, 0xFF800000, 0x477FEFFF, 0x477FF000, 0x33000000, 0x33000001, 0x387FE000]
    anything, around_f16 = rng.integers(0, 1 << 32, 64 * 60), rng.integers(0x32000000, 0x48000000, 64 * 60)
    bits = np.concatenate([anything, around_f16, special * 32])
    bits = bits[: len(bits) // 64 * 64].astype(np.uint32)
    for chunk in bits.reshape(-1, 64):
        value = chunk.view(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            wants = (value.astype(np.float16), value.astype(ml_dtypes.bfloat16))
        for is_bf16, want in enumerate(wants):
            got = _convert(narrow, chunk, np.uint32, bool(is_bf16)).view(np.uint16)[:64]
            nan = np.isnan(value)
            assert (got[~nan] == want.view(np.uint16)[~nan]).all()
            assert (got[nan] == 0x7FFF).all()
