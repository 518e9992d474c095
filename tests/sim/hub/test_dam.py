"""DAM: thresholds, columns, endings."""

import random

import pytest
from fabric import Fabric, address, row_register

from sim.hub import dam
from sim.hub.aau import add_region
from sim.hub.dam import add_gate, group_ready
from sim.layout import gpu_base
from sim.net.packet import Packet

WAITING, RELEASED, RETIRED = 0, 1, 2
HOPS = 2 * 400


def states(f, gpu, gate, groups):
    """What the scheduler sees."""
    return [group_ready(f.A, gpu_base(gpu), gate, group) for group in range(groups)]


def release_window(f, gpu, gate, group):
    """Run until the group is no longer waiting; cycle at the end of that window."""
    for _ in range(60):
        if group_ready(f.A, gpu_base(gpu), gate, group):
            return f.now
        f.window()
    return -1


def test_a_group_is_released_at_its_threshold_and_not_a_byte_before():
    f = Fabric(2, RPM_ENABLED=0)
    gate = add_gate(f.A, gpu_base(1), 2, 256, [(address(1, 0), 256, 128, 0, 128, 0)])
    f.send(0, 0, Packet.STORE, address(1, 0), bytes(128))
    f.send(0, 1, Packet.STORE, address(1, 128), bytes(128), (1 << 127) - 1)
    f.run()
    assert states(f, 1, gate, 2) == [WAITING, WAITING]
    f.send(0, f.now, Packet.STORE, address(1, 128), bytes(128), 1 << 127)
    f.run()
    assert states(f, 1, gate, 2) == [RELEASED, WAITING]
    assert f.field(1, dam.RELEASES) == 1


def test_the_scheduler_hears_of_a_release_after_its_latency():
    f = Fabric(2, RPM_ENABLED=0, DAM_CYCLES=1000)
    gate = add_gate(f.A, gpu_base(1), 1, 128, [(address(1, 0), 128, 128, 0, 128, 0)])
    f.send(0, 0, Packet.STORE, address(1, 0), bytes(128))
    written = HOPS + 9 + 80
    assert release_window(f, 1, gate, 0) == -(-(written + 1000) // 384) * 384


def test_random_writes_count_like_a_dict():
    rng = random.Random(3)
    f = Fabric(2, 1 << 17, RPM_ENABLED=0)
    stride, rows_per_group, groups, low, high = 336, 4, 6, 40, 300
    base = 1000 // 8 * 8
    first = 2
    watch = (address(1, base), stride * rows_per_group, stride, low, high, first)
    gate = add_gate(f.A, gpu_base(1), groups, 1 << 40, [watch])
    got = [0] * groups
    for i in range(300):
        line = 128 * rng.randrange(96)
        mask = rng.getrandbits(128) | 1 << rng.randrange(128)
        f.send(0, 10 * i, Packet.STORE, address(1, line), bytes(128), mask)
        for byte in range(128):
            at = line + byte - base
            row = at // stride
            group = first + row // rows_per_group
            if mask >> byte & 1 and at >= 0 and first <= group < groups and low <= at % stride < high:
                got[group] += 1
    f.run()
    start = f.field(1, dam.GROUP_BASE, gate)
    assert [f.field(1, dam.GOT, start + group) for group in range(groups)] == got
    assert f.field(1, dam.TOTAL, gate) == sum(got) > 0


def test_two_gates_may_watch_the_same_bytes():
    f = Fabric(2, RPM_ENABLED=0)
    watch = (address(1, 0), 128, 128, 0, 128, 0)
    gates = [add_gate(f.A, gpu_base(1), 4, threshold, [watch]) for threshold in (128, 64)]
    f.send(0, 0, Packet.STORE, address(1, 256), bytes(128), (1 << 64) - 1)
    f.run()
    f.window()
    assert [states(f, 1, gate, 4) for gate in gates] == [[0, 0, 0, 0], [0, 0, 1, 0]]


def test_a_gate_that_has_all_its_bytes_releases_the_partial_and_retires_the_empty():
    f = Fabric(2, RPM_ENABLED=0)
    gate = add_gate(f.A, gpu_base(1), 3, 256, [(address(1, 0), 256, 128, 0, 128, 0)], expects_bytes=384)
    for line in (0, 1, 4):
        f.send(0, 0, Packet.STORE, address(1, 128 * line), bytes(128))
    f.run()
    assert states(f, 1, gate, 3) == [RELEASED, RETIRED, RELEASED]
    assert (f.field(1, dam.PARTIAL_RELEASES), f.field(1, dam.RETIRES)) == (1, 1)


def test_without_early_release_a_full_group_waits_for_its_gate():
    f = Fabric(2, RPM_ENABLED=0, DAM_EARLY_RELEASE=0)
    gate = add_gate(f.A, gpu_base(1), 2, 128, [(address(1, 0), 128, 128, 0, 128, 0)], expects_bytes=256)
    f.send(0, 0, Packet.STORE, address(1, 0), bytes(128))
    f.run()
    assert states(f, 1, gate, 2) == [WAITING, WAITING]
    f.send(0, f.now, Packet.STORE, address(1, 128), bytes(128))
    f.run()
    assert states(f, 1, gate, 2) == [RELEASED, RELEASED]


def rowsp_fabric(gpus, **changes):
    """A region of 32 rows of 256 bytes per GPU; its gate of 4 groups never fills, but closes with ending 5."""
    f = Fabric(gpus, **changes)
    for gpu in range(gpus):
        add_region(f.A, f.P, gpu_base(gpu), address(gpu, 0), 256, 32)
        watch = (address(gpu, 0), 2048, 256, 0, 256, 0)
        assert add_gate(f.A, gpu_base(gpu), 4, 1 << 20, [watch], closes_key=5) == 0
    return f


@pytest.mark.parametrize("timer", [20, 100_000])
def test_an_ending_closes_the_gates_when_all_that_was_announced_has_arrived(timer):
    """Every GPU sends 3 rows to GPU 1, which also sends to itself; partial entries sit in the RPM until the ending."""
    f = rowsp_fabric(3, RPM_TIMER=timer)
    for src in range(3):
        for row in range(3):
            for offset in (0, 128):
                register = row_register(1, 0, 10 * src + row, offset)
                f.send(src, 5 * row, Packet.ROWSP, register, bytes(128), (1 << 100) - 1)
                f.send(src, 300, Packet.ROWSP, register, bytes(128), (1 << 120) - (1 << 90))
    f.window()
    for src in (0, 1):
        f.end(src, 5)
    for _ in range(12):
        f.window()
    assert states(f, 1, 0, 4) == [WAITING] * 4
    f.end(2, 5)
    f.run()
    assert states(f, 1, 0, 4) == [RELEASED, RELEASED, RETIRED, RETIRED]
    assert states(f, 0, 0, 4) == states(f, 2, 0, 4) == [RETIRED] * 4
    assert f.field(1, dam.KEY_CLOSED, 5) > 0


def test_later_stores_cannot_stand_in_for_announced_ones():
    """After its ending, GPU 0 sends stores that overtake those before it; the gate waits for the right ones."""
    f = Fabric(4, FLIT_TICKS=8 * 1024, RPM_ENABLED=0, PLANES=2)
    watch = (address(1, 0), 1 << 16, 128, 0, 128, 0)
    add_gate(f.A, gpu_base(1), 1, 1 << 30, [watch], closes_key=0)
    for i in range(100):
        f.send(3, 0, Packet.STORE, address(1, (1 << 17) + 256 * i), bytes(128))
    for i in range(4):
        f.send(0, 300, Packet.STORE, address(1, 256 * i), bytes(128))
    f.window()
    for gpu in range(4):
        f.end(gpu, 0)
    for i in range(8):
        f.send(0, f.now, Packet.STORE, address(1, 128 * (2 * i + 1)), bytes(128))
    release_window(f, 1, 0, 0)
    arrived = [r for r in f.records(1, Packet.STORE) if r.arrived < f.field(1, dam.KEY_CLOSED, 0)]
    assert sum(r.src == 3 for r in arrived) == 100
    assert {r.address for r in arrived if r.src == 0} >= {address(1, 256 * i) for i in range(4)}


def test_endings_may_follow_one_another():
    f = rowsp_fabric(2)
    for key in (3, 4, 5):
        f.send(0, f.now, Packet.ROWSP, row_register(1, 0, key), bytes(128))
        f.window()
        for gpu in range(2):
            f.end(gpu, key)
    f.run()
    assert [f.field(1, dam.KEY_CLOSED, key) > 0 for key in range(7)] == [False] * 3 + [True] * 3 + [False]
    assert states(f, 1, 0, 4) == [RELEASED, RETIRED, RETIRED, RETIRED]


def test_a_gate_must_fit_its_buffer():
    f = Fabric(1)
    with pytest.raises(ValueError, match="whole rows"):
        add_gate(f.A, gpu_base(0), 1, 1, [(0, 100, 64, 0, 64, 0)])
    with pytest.raises(ValueError, match="columns"):
        add_gate(f.A, gpu_base(0), 1, 1, [(0, 128, 64, 0, 65, 0)])
    with pytest.raises(ValueError, match="full"):
        add_gate(f.A, gpu_base(0), dam.GROUPS_MAX + 1, 1, [])
