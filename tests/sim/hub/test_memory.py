"""What packets do to memory: atomics, masks, order."""

import random
from itertools import pairwise

import numpy as np
import pytest
from fabric import Fabric, address

from isa.types import AtomOp, ValType
from sim.hub import dam
from sim.hub.dam import add_gate
from sim.hub.masks import bytes_within, mask_end, mask_first
from sim.layout import gpu_base
from sim.net.packet import Packet

HOPS = 2 * 400


def op(operation, value):
    return operation | value << 8


@pytest.mark.parametrize(
    ("operation", "value", "dtype", "apply"),
    [
        (AtomOp.ADD, ValType.U32, np.uint32, lambda old, x: old + x),
        (AtomOp.MAX, ValType.S64, np.int64, np.maximum),
        (AtomOp.ADD, ValType.F16, np.float16, lambda old, x: old + x),
        (AtomOp.EXCH, ValType.B32, np.uint32, lambda old, x: x),
    ],
)
def test_an_atomic_changes_the_masked_elements_and_returns_what_was_there(operation, value, dtype, apply):
    f = Fabric(2)
    n = 128 // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    old, operand = (rng.integers(1, 1000, n).astype(dtype) for _ in range(2))
    f.memory(1)[128:256] = old.view(np.uint8)
    chosen = rng.random(n) < 0.5
    size = np.dtype(dtype).itemsize
    mask = sum((1 << size) - 1 << size * i for i in range(n) if chosen[i])
    f.send(0, 0, Packet.ATOM, address(1, 128), operand.tobytes(), mask, op=op(operation, value), tag=9)
    f.run()
    want = np.where(chosen, apply(old, operand), old)
    assert (f.memory(1)[128:256].view(dtype) == want).all()
    (reply,) = f.replies[0]
    assert (np.frombuffer(reply.data, dtype)[chosen] == old[chosen]).all()
    assert (reply.kind, reply.tag) == (Packet.ATOM_RESP, 9)


def test_an_atomic_is_answered_as_soon_as_a_read():
    f = Fabric(2)
    for t in (0, 5000):
        f.send(0, t, Packet.ATOM, address(1, 128), bytes(128), 0xFFFF, op=op(AtomOp.ADD, ValType.U32))
    f.run()
    assert f.replies[0][1].t == 5000 + HOPS + 3 + 280 + HOPS + 3


def test_compare_and_swap_takes_the_new_value_from_aux():
    f = Fabric(2)
    f.memory(1)[128:136].view(np.uint32)[:] = (5, 6)
    for at, compare, new in ((0, 5, 50), (1, 5, 60)):
        data = np.full(32, compare, np.uint32).tobytes()
        mask = 0xF << 4 * at
        f.send(0, at, Packet.ATOM, address(1, 128), data, mask, op=op(AtomOp.CAS, ValType.B32), aux=new, tag=at)
    f.run()
    assert f.memory(1)[128:136].view(np.uint32).tolist() == [50, 6]
    assert {r.tag: int(np.frombuffer(r.data, np.uint32)[r.tag]) for r in f.replies[0]} == {0: 5, 1: 6}


def test_atomics_from_all_gpus_to_one_address_lose_no_update():
    f = Fabric(4)
    one = np.ones(32, np.uint32).tobytes()
    for src in range(1, 4):
        for i in range(50):
            kind = Packet.RED if i % 2 else Packet.ATOM
            f.send(src, i, kind, address(0, 128), one, 0xF, op=op(AtomOp.ADD, ValType.U32))
    f.run()
    assert f.memory(0)[128:132].view(np.uint32)[0] == 150
    old = sorted(int(np.frombuffer(r.data, np.uint32)[0]) for src in range(1, 4) for r in f.replies[src])
    assert len(set(old)) == 75
    assert all(f.flushed(g, f.flush(g, f.now)) for g in range(4))


def test_a_reduction_counts_for_the_dam():
    f = Fabric(2)
    add_gate(f.A, gpu_base(1), 1, 64, [(address(1, 0), 1024, 1024, 0, 1024, 0)])
    f.send(0, 0, Packet.RED, address(1, 0), bytes(128), (1 << 64) - 1, op=op(AtomOp.ADD, ValType.F32))
    f.run()
    assert f.field(1, dam.RELEASES) == 1


def test_stores_of_one_sm_to_one_address_take_effect_in_order():
    """A flag is overwritten; merged, buffered and direct stores must not change places."""
    rng = random.Random(4)
    f = Fabric(3, RPM_TIMER=100, PLANES=2)
    last = {}
    for i in range(300):
        word = rng.randrange(64)
        kind = rng.choice([Packet.STORE, Packet.STORE_SYNC])
        line, at = 128 * (word // 32), 4 * (word % 32)
        f.send(0, 7 * i, kind, address(1, line), np.full(32, i + 1, np.uint32).tobytes(), 0xF << at)
        last[word] = i + 1
    f.run()
    words = f.memory(1)[:256].view(np.uint32)
    assert {word: int(words[word]) for word in last} == last


def test_mask_arithmetic():
    rng = random.Random(0)
    for _ in range(500):
        mask = rng.getrandbits(128) & rng.getrandbits(128) | 1 << rng.randrange(128)
        lo, hi = (x - (1 << 64) if x >> 63 else x for x in (mask & (1 << 64) - 1, mask >> 64))
        assert mask_end(lo, hi) == mask.bit_length()
        assert mask_first(lo, hi) == (mask & -mask).bit_length() - 1
        first, last = rng.randrange(-50, 150), rng.randrange(-50, 180)
        assert bytes_within(lo, hi, first, last) == sum(mask >> i & 1 for i in range(max(first, 0), min(last, 128)))


def test_atomics_of_other_gpus_on_one_line_take_their_interval():
    f = Fabric(2, HUB_ATOMIC_TICKS=50 * 1024)
    for t in (0, 5000, 5001, 5002):
        f.send(0, t, Packet.ATOM, address(1, 128), bytes(128), 0xFFFF, op=op(AtomOp.ADD, ValType.U32))
    f.run()
    times = [reply.t for reply in f.replies[0]]
    assert [b - a for a, b in pairwise(times[1:])] == [50, 50]  # the first brings the line from memory


def test_a_request_reaches_the_memory_later_and_its_answer_leaves_earlier():
    """The way there is longer by what the hub takes over requests; what is near is answered sooner."""
    times = []
    for late, near in ((0, 0), (100, 0), (100, 60)):
        f = Fabric(2, HUB_REQUEST=late, HUB_NEAR=near)
        for t in (0, 5000):
            f.send(0, t, Packet.LOAD, address(1, 128))
        f.run()
        times.append(f.replies[0][1].t)
    assert [t - times[0] for t in times] == [0, 100, 40]
