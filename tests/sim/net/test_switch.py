"""Contention at switch ports, multicast, in-switch reduction."""

import random

import ml_dtypes
import numpy as np
import pytest
from fabric import WINDOW, Fabric, address

from isa.types import AtomOp, ValType
from sim.hub.multimem import add_multicast
from sim.layout import gpu_base
from sim.net.interface import ANSWER_FRESH, BYPASSED, RECEIVED_FLITS, REDUCE_ENTRIES, REDUCED, SENT_FLITS
from sim.net.packet import Packet
from sim.net.sums import ACC_F32

HOPS = 2 * 400
OBJECT = 128 << 38


def with_object(gpus, members, base=4096, nbytes=1 << 16, **changes):
    """GPUs with one multicast object whose buffers lie at ``base`` of each member."""
    f = Fabric(gpus, **changes)
    group = sum(1 << m for m in members)
    for gpu in range(gpus):
        add_multicast(f.A, gpu_base(gpu), 0, group, address(gpu, base), nbytes)
    return f


def test_incast_shares_the_port_fairly_and_loses_no_time():
    f = Fabric(4, RPM_ENABLED=0)
    for src in (1, 2, 3):
        for i in range(100):
            f.send(src, 0, Packet.STORE, address(0, 128 * (100 * src + i)), bytes(128))
    f.run()
    stores = f.records(0, Packet.STORE)
    assert [r.arrived for r in stores] == [HOPS + 9 * (i + 1) for i in range(300)]
    assert [r.src for r in stores[:30]] == [1, 2, 3] * 10


def test_a_full_input_buffer_blocks_packets_for_idle_ports_too():
    """Head-of-line blocking: GPU 0 sends to the congested GPU 3 first, then to the idle GPU 2."""

    def last_arrival_at_2(interleaved):
        f = Fabric(4, CREDIT_FLITS=180, RPM_ENABLED=0)
        order = [3] * 200 + [2] * 50 if not interleaved else ([3] * 4 + [2]) * 50
        for i, dst in enumerate(order):
            f.send(0, 0, Packet.STORE, address(dst, 128 * i), bytes(128))
        for i in range(200):
            f.send(1, 0, Packet.STORE, address(3, 128 * (500 + i)), bytes(128))
        f.run()
        return np.mean([r.arrived for r in f.records(2)])

    assert last_arrival_at_2(False) > 1.5 * last_arrival_at_2(True)


@pytest.mark.parametrize("planes", [1, 3])
def test_results_do_not_depend_on_the_order_in_which_gpus_are_run(planes):
    def run(order):
        rng = random.Random(5)
        f = Fabric(4, PLANES=planes, FLIT_TICKS=700)
        f.order = order
        for _ in range(400):
            src = rng.randrange(4)
            dst = rng.choice([g for g in range(4) if g != src])
            kind = rng.choice([Packet.STORE, Packet.STORE_SYNC, Packet.LOAD])
            mask = rng.choice([0xFFFF, 0xF0, (1 << 128) - 1])
            f.send(src, rng.randrange(3000), kind, address(dst, 128 * rng.randrange(40)), rng.randbytes(128), mask)
        f.run()
        return [f.records(g) for g in range(4)], [bytes(f.memory(g)) for g in range(4)], f.replies

    assert run([0, 1, 2, 3]) == run([3, 1, 0, 2])


def test_everything_sent_arrives_once_and_is_answered_once():
    rng = random.Random(1)
    f = Fabric(5, PLANES=2, CREDIT_FLITS=100)
    expected = [bytearray(1 << 20) for _ in range(5)]
    loads = []
    for i in range(600):
        src = rng.randrange(5)
        dst = rng.choice([g for g in range(5) if g != src])
        t = rng.randrange(6000)
        if rng.random() < 0.5:
            start = rng.randrange(16)
            data, mask = rng.randbytes(128), (0xFF << 8 * start)
            line = 128 * (i + 1)
            f.send(src, t, Packet.STORE, address(dst, line), data, mask)
            expected[dst][line + 8 * start : line + 8 * start + 8] = data[8 * start : 8 * start + 8]
        else:
            loads.append((src, i))
            f.send(src, t, Packet.LOAD, address(dst, 128 * (i + 1)), tag=i)
    f.run()
    assert [bytes(f.memory(g)) for g in range(5)] == expected
    assert sorted((src, r.tag) for src in range(5) for r in f.replies[src]) == sorted(loads)
    stores = 600 - len(loads)
    assert sum(len(f.records(g, Packet.ACK)) for g in range(5)) == stores


def test_a_multicast_store_crosses_the_uplink_once_and_is_acknowledged_once():
    f = with_object(4, [0, 2, 3])
    f.send(0, 0, Packet.MM_ST, OBJECT + 256, bytes(range(128)))
    f.run()
    for gpu in (0, 2, 3):
        (copy,) = f.records(gpu, Packet.MM_ST)
        assert (copy.flits, copy.arrived) == (9, HOPS + 9)
        assert bytes(f.memory(gpu)[4096 + 256 : 4096 + 384]) == bytes(range(128))
    assert not f.records(1)
    assert len(f.records(0, Packet.ACK)) == 1


def test_a_multicast_store_keeps_its_credit_until_the_last_copy_has_left():
    """GPU 7's port is busy: with room for one packet, the second multicast waits for it."""
    f = with_object(9, [7, 8], CREDIT_FLITS=9)
    for src in range(1, 7):
        f.send(src, 0, Packet.STORE_SYNC, address(7, 128 * src), bytes(128))
    f.send(0, 1, Packet.MM_ST, OBJECT, bytes(128))
    f.send(0, 1, Packet.MM_ST, OBJECT + 128, bytes(128))
    f.run()
    late = f.records(7, Packet.MM_ST)[0].arrived
    first, second = (r.arrived for r in f.records(8, Packet.MM_ST))
    assert (first, late) == (1 + HOPS + 9, HOPS + 7 * 9)
    assert second == late + HOPS + 9


def test_a_fence_waits_for_all_members():
    f = with_object(3, [0, 1, 2])
    f.send(0, 0, Packet.MM_ST, OBJECT, bytes(128))
    f.window()
    ticket = f.flush(0, WINDOW)
    windows = 0
    while not f.flushed(0, ticket):
        f.window()
        windows += 1
    assert windows == -(-(HOPS + 9 + 280 + HOPS + 1) // WINDOW) - 1


@pytest.mark.parametrize(
    ("op", "value", "dtype", "reduce"),
    [
        (AtomOp.ADD, ValType.U32, np.uint32, np.add),
        (AtomOp.MAX, ValType.S32, np.int32, np.maximum),
        (AtomOp.ADD, ValType.F32, np.float32, np.add),
        (AtomOp.XOR, ValType.B64, np.uint64, np.bitwise_xor),
    ],
)
def test_the_switch_returns_the_reduction_of_all_members(op, value, dtype, reduce):
    f = with_object(4, [0, 1, 2, 3])
    rng = np.random.default_rng(0)
    lines = [rng.integers(0, 1 << 24, 128 // np.dtype(dtype).itemsize).astype(dtype) for _ in range(4)]
    for gpu, line in enumerate(lines):
        f.memory(gpu)[4096:4224] = line.view(np.uint8)
    f.send(1, 0, Packet.MM_LDRED, OBJECT, op=op | value << 8, tag=3)
    f.run()
    (reply,) = f.replies[1]
    assert (np.frombuffer(reply.data, dtype) == reduce.reduce(lines, dtype=dtype)).all()
    assert (reply.kind, reply.tag) == (Packet.LOAD_RESP, 3)
    # 4 responses of 9 flits arrive at the switch at once, one goes on
    assert reply.t == HOPS + 1 + 660 + 400 + 1 + 400 + 9
    assert f.field(1, REDUCED) == 4


@pytest.mark.parametrize(("value", "dtype"), [(ValType.F16, np.float16), (ValType.BF16X2, ml_dtypes.bfloat16)])
def test_half_precision_is_added_up_in_f32_and_rounded_once(value, dtype):
    f = with_object(8, range(8))
    lines = np.random.default_rng(1).normal(0, 3, (8, 64)).astype(dtype)
    for gpu in range(8):
        f.memory(gpu)[4096:4224] = lines[gpu].view(np.uint8)
    f.send(0, 0, Packet.MM_LDRED, OBJECT, op=AtomOp.ADD | value << 8 | ACC_F32)
    f.run()
    total = np.zeros(64, np.float32)
    for line in lines:
        total += line.astype(np.float32)
    assert (np.frombuffer(f.replies[0][0].data, dtype) == total.astype(dtype)).all()


def test_a_full_reduction_buffer_costs_downlink_but_not_the_result():
    def run(entries):
        f = with_object(4, range(4), SWITCH_REDUCE_ENTRIES=entries)
        for gpu in range(4):
            f.memory(gpu)[4096 : 4096 + 6400].view(np.uint32)[:] = gpu + 1
        for i in range(50):
            f.send(0, 0, Packet.MM_LDRED, OBJECT + 128 * i, op=AtomOp.ADD | ValType.U32 << 8, tag=i)
        f.run()
        assert sorted(r.tag for r in f.replies[0]) == list(range(50))
        assert {r.data for r in f.replies[0]} == {np.full(32, 10, np.uint32).tobytes()}
        assert f.field(0, REDUCE_ENTRIES) == 0
        return f.replies[0][-1].t, f.field(0, BYPASSED)

    (fast, merged), (slow, bypassed) = run(1000), run(0)
    assert (merged, bypassed) == (0, 200)
    assert slow > fast + 50 * 2 * 9


def test_answer_entries_are_used_again():
    f = with_object(2, [0, 1])
    for i in range(100):
        f.send(0, 4000 * i, Packet.MM_ST, OBJECT + 128, bytes(128))
    f.run()
    assert f.field(0, ANSWER_FRESH) == 1


def test_multimem_red_adds_into_every_member():
    f = with_object(3, [0, 1, 2])
    for gpu in range(3):
        f.memory(gpu)[4096:4224].view(np.uint32)[:] = 100 * gpu
    for src in range(3):
        f.send(src, 0, Packet.MM_RED, OBJECT, np.full(32, 7, np.uint32).tobytes(), op=AtomOp.ADD | ValType.U32 << 8)
    f.run()
    for gpu in range(3):
        assert (f.memory(gpu)[4096:4224].view(np.uint32) == 100 * gpu + 21).all()


def test_a_load_reduce_makes_all_members_send_and_one_receive():
    """As NVIDIA describes multimem.ld_reduce: all members transmit, the requester too; one line comes back."""
    f = with_object(4, range(4))
    for i in range(10):
        f.send(0, 0, Packet.MM_LDRED, OBJECT + 128 * i, op=AtomOp.ADD | ValType.U32 << 8)
    f.run()
    assert [f.field(gpu, SENT_FLITS, Packet.MM_RESP) for gpu in range(4)] == [90] * 4
    assert [f.field(gpu, RECEIVED_FLITS, Packet.LOAD_RESP) for gpu in range(4)] == [90, 0, 0, 0]
