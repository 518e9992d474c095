"""Latency, size and bandwidth of packets, cycle by cycle."""

from itertools import pairwise

import pytest
from fabric import FULL, Fabric, address

from sim.net.interface import LIVE, UP_USED, uplink
from sim.net.packet import Packet, data_flits
from sim.raw import BIG

HOPS = 2 * 400
HBM, L2 = 660, 280


def test_a_load_takes_four_hops_its_flits_and_the_owners_memory():
    f = Fabric(2)
    f.memory(1)[256:384] = range(128)
    f.send(0, 1000, Packet.LOAD, address(1, 256), tag=7)
    f.send(0, 5000, Packet.LOAD, address(1, 256), tag=8)
    f.run()
    cold, warm = f.replies[0]
    assert cold.t == 1000 + HOPS + 1 + HBM + HOPS + 9
    assert warm.t == 5000 + HOPS + 1 + L2 + HOPS + 9
    assert (cold.kind, cold.src, cold.tag, cold.data) == (Packet.LOAD_RESP, 1, 7, bytes(range(128)))


def test_a_store_is_written_on_arrival_and_acknowledged_as_a_read_is_answered():
    f = Fabric(2, RPM_ENABLED=0)
    f.send(0, 10, Packet.STORE, address(1, 128), bytes(range(128)))
    f.run()
    (store,), (ack,) = f.records(1), f.records(0)
    assert (store.arrived, store.flits, store.waited) == (10 + HOPS + 9, 9, 0)
    assert (ack.kind, ack.vc, ack.flits) == (Packet.ACK, 1, 1)
    assert ack.arrived == store.arrived + 280 + HOPS + 1  # 280: the L2 latency, both ways
    assert bytes(f.memory(1)[128:256]) == bytes(range(128))


@pytest.mark.parametrize(
    ("mask", "flits", "partial"),
    [
        (FULL, 8, 0),
        (0xF, 1, 1),
        (0xFFFF, 1, 0),
        (0xFFFF << 112, 1, 0),
        (0xFFFFFFFF << 32, 2, 0),
        (0xFFFFFFFF << 24, 3, 1),
        (1 | 1 << 127, 8, 1),
        (0, 0, 0),
    ],
)
def test_flits_of_a_mask(mask, flits, partial):
    low, high = mask & (1 << 64) - 1, mask >> 64
    words = [x - (1 << 64) if x >> 63 else x for x in (low, high)]
    assert data_flits(*words) == flits | partial << 8


@pytest.mark.parametrize(
    ("kind", "mask", "flits"),
    [
        (Packet.STORE_SYNC, FULL, 9),
        (Packet.STORE_SYNC, 0xF, 3),
        (Packet.LOAD, 0xF, 1),
        (Packet.RED, 0xFFFF, 3),
        (Packet.ATOM, FULL, 10),
    ],
)
def test_packets_cost_what_they_cost_on_an_h200(kind, mask, flits):
    f = Fabric(2)
    f.send(0, 0, kind, address(1, 128), bytes(128), mask)
    f.run()
    assert f.records(1)[0].flits == flits


def test_a_short_response_carries_32_bytes():
    f = Fabric(2)
    f.send(0, 0, Packet.LOAD, address(1, 128), mask=0xF)
    f.run()
    assert f.records(0)[0].flits == 3


@pytest.mark.parametrize("ticks", [72, 1024, 1500])
def test_back_to_back_stores_leave_at_link_rate(ticks):
    f = Fabric(2, FLIT_TICKS=ticks, RPM_ENABLED=0, CREDIT_FLITS=1 << 20)
    for i in range(200):
        f.send(0, 0, Packet.STORE, address(1, 128 * i), bytes([i]) * 128)
    f.run()
    arrived = [r.arrived for r in f.records(1)]
    assert arrived == [-(-9 * ticks * (i + 1) // 1024) + HOPS for i in range(200)]


def test_small_requests_are_limited_by_their_number():
    f = Fabric(2, REQUEST_TICKS=5 * 1024, RPM_ENABLED=0)
    for i in range(50):
        f.send(0, 0, Packet.STORE, address(1, 128 * i), bytes(16), 0xFFFF)
    f.run()
    arrived = [r.arrived for r in f.records(1)]
    assert [b - a for a, b in pairwise(arrived)] == [5] * 49


def test_responses_use_the_link_between_short_requests():
    """Both GPUs load from each other: requests follow one another by 30 cycles, answers of 9 flits fit between."""
    f = Fabric(2, REQUEST_TICKS=30 * 1024, RPM_ENABLED=0)
    for i in range(200):
        for gpu in (0, 1):
            f.send(gpu, 0, Packet.LOAD, address(1 - gpu, 128 * i), tag=i)
    f.run()
    for gpu in (0, 1):
        times = sorted(r.t for r in f.replies[gpu])
        assert times[-1] - times[99] <= 31 * 100


@pytest.mark.parametrize(("ack_ticks", "interval"), [(1024, 10), (0, 9)])
def test_acknowledgements_may_ride_in_idle_parts_of_the_protocol(ack_ticks, interval):
    """Stores both ways: each direction carries 9 flits a store, and the acknowledgement's flit if it takes time."""
    f = Fabric(2, RPM_ENABLED=0, ACK_TICKS=ack_ticks, CREDIT_FLITS=1 << 20)
    for i in range(600):
        for gpu in (0, 1):
            f.send(gpu, 0, Packet.STORE, address(1 - gpu, 128 * i), bytes(128))
    f.run()
    arrived = [r.arrived for r in f.records(1, Packet.STORE)]
    assert abs((arrived[-1] - arrived[299]) / 300 - interval) < 0.35


def test_credits_bound_the_bandwidth():
    """A credit returns two hops and 9 flits after its packet started: there, out of the buffer, back."""
    f = Fabric(2, CREDIT_FLITS=90, RPM_ENABLED=0)
    for i in range(40):
        f.send(0, 0, Packet.STORE, address(1, 128 * i), bytes(128))
    f.run()
    sent = [r.arrived - HOPS - 9 for r in f.records(1)]
    assert sent == [9 * (i % 10) + i // 10 * (HOPS + 9) for i in range(40)]


def test_all_credits_and_rows_come_back():
    f = Fabric(3, PLANES=2)
    for i in range(300):
        kind = (Packet.STORE, Packet.LOAD, Packet.STORE_SYNC)[i % 3]
        f.send(i % 3, 3 * i, kind, address((i + 1) % 3, 128 * i))
    f.run()
    for _ in range(8):
        f.window()
    for gpu in range(3):
        assert f.field(gpu, LIVE) == 0
        assert [f.field(gpu, uplink(0, plane) + UP_USED + vc) for plane in (0, 1) for vc in (0, 1)] == [0] * 4


def test_requests_do_not_hold_up_responses():
    """GPU 1's requests fill their class of the switch; its answers to GPU 0 go on."""
    f = Fabric(3, CREDIT_FLITS=36, RPM_ENABLED=0)
    for i in range(100):
        f.send(1, 0, Packet.STORE, address(2, 128 * i), bytes(128))
    f.send(0, 0, Packet.LOAD, address(1, 128), tag=1)
    f.run()
    (reply,) = f.replies[0]
    assert reply.t <= HOPS + 1 + HBM + HOPS + 9 + 9


def test_a_sleeping_fabric_has_no_next_event():
    f = Fabric(2)
    f.window()
    assert f.next_event(0) == BIG
    f.send(0, 700, Packet.STORE, address(1, 0), bytes(4), 0xF)
    f.window()
    assert f.next_event(0) == 700 + 256, "the RPM's timer"
    f.run()
