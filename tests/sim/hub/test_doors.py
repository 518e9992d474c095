"""The hub's bounded queue: SMs take turns, order of an SM is kept, nothing is lost."""

import pytest
from fabric import Fabric, address

from sim.hub import doors
from sim.net.packet import Packet

FLITS = 9
QUEUE = 20
LIMITED = {"RPM_ENABLED": 0, "HUB_QUEUE": QUEUE, "CREDIT_FLITS": 1 << 20}


def order(f):
    """(SM, line) of the stores in order of arrival."""
    return [(r.tag >> 16, r.address >> 7 & 0xFFF) for r in f.records(1, Packet.STORE)]


def many(f, sm, count, t=0):
    for i in range(count):
        f.send(0, t, Packet.STORE, address(1, 128 * (1000 * sm + i)), bytes([sm]) * 128, sm=sm)


def test_an_sm_that_sends_little_waits_for_the_queue_and_one_turn():
    """However much two others have sent before it."""
    f = Fabric(2, **LIMITED)
    many(f, 1, 300)
    many(f, 2, 300)
    f.send(0, 1, Packet.STORE, address(1, 128 * 3000), bytes(128), sm=3)
    f.run()
    place = [sm for sm, _ in order(f)].index(3)
    assert QUEUE <= place <= QUEUE + 3


def test_without_a_limit_it_waits_for_all():
    f = Fabric(2, **LIMITED | {"HUB_QUEUE": 0})
    many(f, 1, 300)
    f.send(0, 1, Packet.STORE, address(1, 128 * 3000), bytes(128), sm=3)
    f.run()
    assert order(f)[-1][0] == 3


@pytest.mark.parametrize("rpm", [0, 1])
def test_every_sm_has_its_share_and_its_order(rpm):
    """Crowded SMs of several words of the bit mask, in turns; the link never idles."""
    f = Fabric(2, memory=1 << 24, **LIMITED | {"RPM_ENABLED": rpm})
    sms = (0, 31, 32, 33, 100, 131)
    for i in range(60):
        for n, sm in enumerate(sms):
            f.send(0, i, Packet.STORE, address(1, 128 * (1000 * n + i)), bytes([i]) * 128, sm=sm)
    f.run()
    seen = [r.tag >> 16 for r in f.records(1, Packet.STORE)]
    for n, sm in enumerate(sms):
        lines = [r.address >> 7 & (1 << 31) - 1 for r in f.records(1, Packet.STORE) if r.tag >> 16 == sm]
        assert lines == [1000 * n + i for i in range(60)]
        assert abs(seen[: len(seen) // 2].count(sm) - 30) <= QUEUE
    arrived = [r.arrived for r in f.records(1, Packet.STORE)]
    assert arrived[-1] - arrived[0] == FLITS * (len(arrived) - 1)
    assert (f.field(0, doors.QUEUED), f.field(0, doors.WAITING)) == (0, 0)


def test_a_fence_waits_for_packets_at_the_doors():
    f = Fabric(2, **LIMITED)
    many(f, 1, 100)
    f.window()
    ticket = f.flush(0, f.now)
    while len(f.records(0, Packet.ACK)) < 100:
        assert not f.flushed(0, ticket)
        f.window()
    assert f.flushed(0, ticket)


def test_an_ending_follows_the_stores_at_the_doors():
    """The bytes it announces are all bytes that were sent before it."""
    f = Fabric(2, **LIMITED)
    many(f, 1, 100)
    f.window()
    f.end(0, 5)
    f.run()
    kinds = [r.kind for r in f.records(1)]
    assert kinds == [Packet.STORE] * 100 + [Packet.EOS]
