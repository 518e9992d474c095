"""RPM: merging, order, timers, back-pressure."""

import random
from itertools import pairwise

import pytest
from fabric import FULL, Fabric, address, row_register

from sim.hub import rpm
from sim.hub.aau import add_region
from sim.hub.order import SM_DONE
from sim.layout import gpu_base
from sim.net.packet import Packet

HOPS = 2 * 400


def with_region(gpus=2, rows=4096, row_bytes=1024, memory=1 << 22, **changes):
    """GPUs with one row region at the start of each GPU's memory."""
    f = Fabric(gpus, memory, **changes)
    for gpu in range(gpus):
        assert add_region(f.A, f.P, gpu_base(gpu), address(gpu, 0), row_bytes, rows) == 0
    return f


def halves(f, gpu, t, kind, where, **more):
    """Send a line in two halves."""
    f.send(gpu, t, kind, where, bytes([1]) * 128, (1 << 64) - 1, **more)
    f.send(gpu, t + 10, kind, where, bytes([2]) * 128, FULL ^ (1 << 64) - 1, **more)


def test_two_halves_of_a_line_leave_as_one_full_packet_at_once():
    f = Fabric(2)
    halves(f, 0, 0, Packet.STORE, address(1, 256), sm=3)
    f.run()
    (packet,) = f.records(1)
    assert (packet.flits, packet.nbytes, packet.arrived) == (9, 128, 10 + HOPS + 9)
    assert bytes(f.memory(1)[256:384]) == bytes([1] * 64 + [2] * 64)
    assert f.field(0, rpm.MERGED) == 1
    assert f.field(0, SM_DONE, 3) == 2, "both credits are back"


def test_a_lonely_store_leaves_when_its_timer_runs_out():
    f = Fabric(2, RPM_TIMER=100)
    f.send(0, 50, Packet.STORE, address(1, 256), bytes(128), 0xF)
    f.run()
    assert f.records(1)[0].arrived == 50 + 100 + HOPS + 3
    assert f.field(0, rpm.TIMED_OUT) == 1


def test_without_the_rpm_nothing_is_merged():
    f = Fabric(2, RPM_ENABLED=0)
    halves(f, 0, 0, Packet.STORE, address(1, 256))
    f.run()
    assert [r.arrived for r in f.records(1)] == [HOPS + 5, 10 + HOPS + 5]


def test_priorities_are_not_merged():
    f = with_region()
    f.send(0, 0, Packet.ROWSP, row_register(1, 0, 5), bytes(128), 0xF, aux=0)
    f.send(0, 1, Packet.ROWSP, row_register(1, 0, 5), bytes(128), 0xF0, aux=1)
    f.run()
    assert len(f.records(1)) == 2
    assert f.field(0, rpm.MERGED) == 0


def test_rows_of_different_regions_are_not_merged():
    f = with_region()
    add_region(f.A, f.P, gpu_base(1), address(1, 1 << 16), 1024, 8)
    for region in (0, 1):
        f.send(0, 0, Packet.ROWSP, row_register(1, region, 5), bytes([region + 1]) * 128)
    f.run()
    assert len(f.records(1)) == 2
    assert (f.memory(1)[0], f.memory(1)[1 << 16]) == (1, 2)


def rows_in_order_of_arrival(f, gpu):
    return [r.address >> 16 & 0xFFFFFF for r in f.records(gpu, Packet.ROWSP)]


def test_full_entries_leave_by_row_id_and_nop_entries_last():
    """A blocker keeps the link busy while the rows come in."""
    f = with_region(FLIT_TICKS=20 * 1024)
    f.send(0, 0, Packet.STORE_SYNC, address(1, 1 << 20), bytes(128))
    for i, row in enumerate([9, 4, 7, 1]):
        f.send(0, 1 + i, Packet.ROWSP, row_register(1, 0, row), bytes(128), aux=1 if row == 4 else 0)
    f.run()
    assert rows_in_order_of_arrival(f, 1) == [1, 7, 9, 4]


@pytest.mark.parametrize(
    ("switch", "order"),
    [("RPM_ROW_ORDER", [9, 7, 1, 4]), ("RPM_PRIORITIES", [1, 4, 7, 9])],
)
def test_without_its_orders_the_scheduler_takes_the_oldest(switch, order):
    f = with_region(FLIT_TICKS=20 * 1024, **{switch: 0})
    f.send(0, 0, Packet.STORE_SYNC, address(1, 1 << 20), bytes(128))
    for i, row in enumerate([9, 4, 7, 1]):
        f.send(0, 1 + i, Packet.ROWSP, row_register(1, 0, row), bytes(128), aux=1 if row == 4 else 0)
    f.run()
    assert rows_in_order_of_arrival(f, 1) == order


def test_without_merging_the_second_store_pushes_the_first_out():
    f = Fabric(2, RPM_MERGING=0)
    halves(f, 0, 0, Packet.STORE, address(1, 256))
    f.run()
    assert [r.nbytes for r in f.records(1, Packet.STORE)] == [64, 64]
    assert bytes(f.memory(1)[256:384]) == bytes([1] * 64 + [2] * 64)
    assert f.field(0, rpm.MERGED) == 0


def test_without_round_robin_bursts_leave_in_the_order_they_came():
    f = Fabric(4, FLIT_TICKS=2048, RPM_ROUND_ROBIN=0)
    for dst in (3, 2, 1):
        for i in range(8):
            f.send(0, 8 * (3 - dst) + i, Packet.STORE, address(dst, 128 * i), bytes(128))
    f.run()
    order = sorted((r.seq, dst) for dst in (1, 2, 3) for r in f.records(dst))
    assert [dst for _, dst in order] == [3] * 8 + [2] * 8 + [1] * 8


def scheduled(entries):
    """Slow model of the scheduler: all entries are there and full, the link takes one after the other."""
    left, order, turn = list(entries), [], 0
    while left:
        turn = min({dst for dst, *_ in left}, key=lambda dst: (dst <= turn, dst))
        best = min((e for e in left if e[0] == turn), key=lambda e: (e[2], e[1], e[3]))
        left.remove(best)
        order.append(best)
    return order


@pytest.mark.parametrize("seed", range(3))
def test_random_full_entries_leave_as_the_model_says(seed):
    """Round robin over peers, high priority first, smallest RowID first, oldest first."""
    rng = random.Random(seed)
    f = with_region(4, FLIT_TICKS=40 * 1024)
    f.send(0, 0, Packet.STORE_SYNC, address(3, 1 << 20), bytes(128))
    entries = []
    for i in range(40):
        dst, row, low = rng.randrange(1, 4), rng.randrange(12), rng.randrange(2)
        if any(e[:2] == (dst, row) for e in entries):
            continue
        f.send(0, 1 + i, Packet.ROWSP, row_register(dst, 0, row), bytes(128), aux=low)
        entries.append((dst, row, low, i))
    f.run()
    sent = sorted((r.seq, dst, r.address >> 16 & 0xFFFFFF) for dst in (1, 2, 3) for r in f.records(dst, Packet.ROWSP))
    assert [(dst, row) for _, dst, row in sent] == [(dst, row) for dst, row, *_ in scheduled(entries)]


def test_full_entries_leave_before_those_that_timed_out():
    f = with_region(FLIT_TICKS=20 * 1024, RPM_TIMER=20)
    f.send(0, 0, Packet.STORE_SYNC, address(1, 1 << 20), bytes(128))
    f.send(0, 1, Packet.ROWSP, row_register(1, 0, 1), bytes(128), 0xF)
    f.send(0, 60, Packet.ROWSP, row_register(1, 0, 2), bytes(128))
    f.run()
    assert rows_in_order_of_arrival(f, 1) == [2, 1]


def test_an_entry_that_timed_out_can_still_fill_up_and_gain_rank():
    f = with_region(FLIT_TICKS=20 * 1024, RPM_TIMER=20)
    f.send(0, 0, Packet.STORE_SYNC, address(1, 1 << 20), bytes(128))
    f.send(0, 1, Packet.ROWSP, row_register(1, 0, 1), bytes(128), 0xF)
    f.send(0, 2, Packet.ROWSP, row_register(1, 0, 2), bytes(128), 0xF)
    f.send(0, 60, Packet.ROWSP, row_register(1, 0, 2), bytes(128), FULL)
    f.run()
    assert rows_in_order_of_arrival(f, 1) == [2, 1]


def test_bursts_to_one_peer_are_interleaved_with_others():
    f = with_region(4, FLIT_TICKS=2048)
    for dst in (1, 2, 3):
        for i in range(20):
            f.send(0, 0, Packet.STORE, address(dst, 128 * i), bytes(128))
    f.run()
    seqs = {dst: [r.seq for r in f.records(dst)] for dst in (1, 2, 3)}
    assert all(b - a <= 3 for s in seqs.values() for a, b in pairwise(s[1:]))


def test_a_full_partition_makes_stores_wait_but_loses_none():
    f = Fabric(2, RPM_ENTRIES=4, RPM_TIMER=50)
    for i in range(40):
        f.send(0, i, Packet.STORE, address(1, 128 * i), bytes([i + 1]) * 128, 0xF)
    f.run()
    assert [f.memory(1)[128 * i] for i in range(40)] == list(range(1, 41))
    assert f.field(0, rpm.STALLED) > 0
    assert f.records(1)[4].sent == 4 and f.records(1)[4].arrived >= 50 + 50 + HOPS


def test_a_load_does_not_overtake_a_buffered_store_to_its_line():
    f = Fabric(2)
    f.send(0, 0, Packet.STORE, address(1, 256), bytes([7]) * 128, 0xFF)
    f.send(0, 5, Packet.LOAD, address(1, 256), mask=0xFF)
    f.send(0, 6, Packet.STORE, address(1, 512), bytes([7]) * 128, 0xFF)
    f.run()
    assert f.replies[0][0].data[:8] == bytes([7]) * 8
    assert [r.kind for r in f.records(1)] == [Packet.STORE, Packet.LOAD, Packet.STORE]


def test_a_fence_flushes_what_is_buffered_and_what_waits_for_a_place():
    f = Fabric(2, RPM_ENTRIES=2, RPM_TIMER=100_000)
    for i in range(6):
        f.send(0, 0, Packet.STORE, address(1, 128 * i), bytes(128), 0xF)
    f.window()
    ticket = f.flush(0, f.now)
    while not f.flushed(0, ticket):
        f.window()
    assert len(f.records(1)) == 6
    assert f.now <= 384 * 2 + HOPS + 200 + HOPS


def test_a_fence_does_not_wait_for_later_stores():
    f = Fabric(2, RPM_TIMER=3000)
    f.send(0, 0, Packet.STORE, address(1, 0), bytes(128), 0xF)
    f.window()
    ticket = f.flush(0, f.now)
    for i in range(200):
        f.send(0, f.now + 20 * i, Packet.STORE, address(1, 128 * (i + 1)), bytes(128), 0xF)
    while not f.flushed(0, ticket):
        f.window()
    assert f.now < 384 + 2 * HOPS + 384 * 2
    assert f.flushed(0, f.flush(1, 0)), "nothing was sent by GPU 1"
    f.run()


def test_a_fence_is_not_satisfied_by_later_stores_that_return_early():
    """The store before the fence goes to a port that is busy, those after it go elsewhere."""
    f = Fabric(4, FLIT_TICKS=8 * 1024, RPM_ENABLED=0)
    for i in range(60):
        f.send(3, 0, Packet.STORE, address(1, 128 * (i + 9)), bytes(128))
    f.send(0, 300, Packet.STORE, address(1, 0), bytes(128))
    f.window()
    ticket = f.flush(0, f.now)
    for i in range(5):
        f.send(0, f.now + 1, Packet.STORE, address(2, 128 * i), bytes(128))
    while not f.flushed(0, ticket):
        f.window()
    assert any(r.src == 1 for r in f.records(0, Packet.ACK))


def test_a_held_back_peer_does_not_fill_the_switch():
    """rpm.peer_flits: stores to a congested GPU leave room for the others."""

    def last_arrival_at_2(limit):
        f = Fabric(5, CREDIT_FLITS=2000, RPM_PEER_FLITS=limit, RPM_ENTRIES=512)
        for i in range(300):
            for src in (1, 4):
                f.send(src, 0, Packet.STORE_SYNC, address(3, 128 * (500 + 300 * src + i)), bytes(128))
        for i in range(400):
            f.send(0, 0, Packet.STORE, address(3, 128 * i), bytes(128))
            f.send(0, 0, Packet.STORE, address(2, 128 * i), bytes(128))
        f.run()
        return max(r.arrived for r in f.records(2))

    assert last_arrival_at_2(900) < 0.8 * last_arrival_at_2(0)


@pytest.mark.parametrize("seed", range(3))
def test_random_traffic_loses_and_duplicates_nothing(seed):
    """Bytes are written once per line, in any order, merged or not; credits and acknowledgements balance."""
    rng = random.Random(seed)
    f = Fabric(3, 1 << 17, RPM_ENTRIES=rng.choice([2, 16]), RPM_TIMER=rng.choice([30, 300]), PLANES=rng.choice([1, 2]))
    want = [bytearray(1 << 17) for _ in range(3)]
    sent = [0] * 3
    pieces = [(dst, line, part) for dst in range(3) for line in range(60) for part in range(4)]
    rng.shuffle(pieces)
    for i, (dst, line, part) in enumerate(pieces):
        src = rng.choice([g for g in range(3) if g != dst])
        data = rng.randbytes(128)
        first = 32 * part + rng.randrange(8)
        last = 32 * part + 32
        f.send(src, 2 * i, Packet.STORE, address(dst, 128 * line), data, (1 << last) - (1 << first), sm=src)
        want[dst][128 * line + first : 128 * line + last] = data[first:last]
        sent[src] += 1
    f.run()
    assert [bytes(f.memory(g)) for g in range(3)] == want
    assert [f.field(g, SM_DONE, g) for g in range(3)] == sent
    merged = sum(f.field(g, rpm.MERGED) for g in range(3))
    assert sum(len(f.records(g, Packet.STORE)) for g in range(3)) == sum(sent) - merged
    assert all(f.flushed(g, f.flush(g, f.now)) for g in range(3))
    assert [f.field(g, rpm.COUNT, p) for g in range(3) for p in range(3)] == [0] * 9
