"""AAU: rows are packed in order of arrival, whatever the RAT forgets."""

import random

import pytest
from fabric import FULL, Fabric, address, row_register

from sim.hub import aau
from sim.hub.aau import add_region
from sim.hub.cam import cam_find, cam_insert, cam_words
from sim.layout import gpu_base
from sim.net.faults import HUB_FAULTS, HubFault
from sim.net.packet import Packet
from sim.raw import Arena

HOPS = 2 * 400


def with_regions(regions, **changes):
    """Two GPUs; ``regions`` of GPU 1 as (address, row bytes, rows)."""
    f = Fabric(2, 1 << 20, **changes)
    for region, (base, row_bytes, rows) in enumerate(regions):
        assert add_region(f.A, f.P, gpu_base(1), address(1, base), row_bytes, rows) == region
    return f


def test_a_table_forgets_the_oldest_key():
    """The content-addressed table against a dict."""
    rng = random.Random(2)
    size, limit = 64, 50
    arena, model = Arena(cam_words(size)), {}
    for _ in range(4000):
        key = rng.randrange(1, 120) << rng.choice([0, 24, 40])
        at = cam_find(arena, 0, size, key)
        assert (at > 0) == (key in model)
        if at > 0:
            assert arena[at] == model[key]
            continue
        value = rng.randrange(1 << 40)
        oldest = next(iter(model)) if len(model) == limit else 0
        assert cam_insert(arena, 0, size, limit, key, value) == oldest
        model.pop(oldest, None)
        model[key] = value


@pytest.mark.parametrize(("entries", "row_bytes"), [(8192, 512), (3, 512), (5, 336)])
def test_rows_are_dense_in_order_of_arrival(entries, row_bytes):
    """Random packets of random rows, unmerged and in order, against a dict that forgets nothing."""
    rng = random.Random(entries)
    f = with_regions([(0, row_bytes, 40), (1 << 16, row_bytes, 40)], RAT_ENTRIES=entries, RPM_ENABLED=0)
    want, places = bytearray(1 << 20), {}
    for i in range(400):
        region, row = rng.randrange(2), rng.randrange(40)
        offset = 128 * rng.randrange((row_bytes + 127) // 128)
        width = min(128, row_bytes - offset)
        data = rng.randbytes(128)
        f.send(0, 20 * i, Packet.ROWSP, row_register(1, region, 7 * row, offset), data, (1 << width) - 1)
        place = places.setdefault(region, {}).setdefault(row, len(places[region]))
        start = (region << 16) + place * row_bytes + offset
        want[start : start + width] = data[:width]
    f.run()
    assert bytes(f.memory(1)) == want
    assert [f.field(1, aau.POINTER, region) for region in (0, 1)] == [len(places[0]), len(places[1])]
    assert f.field(1, aau.HITS) + f.field(1, aau.NEW_ROWS) + f.field(1, aau.RECOVERED) == 400
    assert (f.field(1, aau.RECOVERED) > 0) == (entries < 40)
    assert f.field(1, aau.EVICTED) == max(0, f.field(1, aau.NEW_ROWS) + f.field(1, aau.RECOVERED) - entries)


def test_a_spilled_row_costs_an_l2_access():
    f = with_regions([(0, 128, 16)], RAT_ENTRIES=1, RPM_ENABLED=0)
    for i, row in enumerate([1, 2, 2, 1]):
        f.send(0, 3000 * i, Packet.ROWSP, row_register(1, 0, row), bytes(128))
    f.run()
    latency = [r.arrived - 3000 * i for i, r in enumerate(f.records(0, Packet.ACK))]
    base = HOPS + 9 + 2 + 280 + HOPS + 1
    assert latency == [base, base, base, base + 280]


def test_rows_to_the_own_gpu_use_the_same_mapping_but_no_link():
    f = with_regions([(0, 128, 16)])
    f.send(1, 0, Packet.ROWSP, row_register(1, 0, 4), bytes([1]) * 128, sm=2)
    f.send(0, 0, Packet.ROWSP, row_register(1, 0, 3), bytes([2]) * 128)
    f.send(0, 3000, Packet.ROWSP, row_register(1, 0, 4), bytes([3]) * 128, 0xF)
    f.run()
    assert [f.memory(1)[i] for i in (0, 4, 128)] == [3, 1, 2]
    local = f.records(1)[0]
    assert (local.src, local.arrived) == (1, 20)
    assert f.flushed(1, f.flush(1, f.now)), "the own acknowledgement came back"


@pytest.mark.parametrize(
    ("register", "mask", "fault"),
    [
        (row_register(1, 1, 0), FULL, HubFault.NO_REGION),
        (row_register(1, 0, 0, 256), FULL, HubFault.ROW_OFFSET),
        (row_register(1, 0, 9), FULL, HubFault.ROWS),
    ],
)
def test_mistakes_are_faults(register, mask, fault):
    f = with_regions([(0, 256, 2)], RPM_ENABLED=0)
    for row in (0, 1):
        f.send(0, row, Packet.ROWSP, row_register(1, 0, row), bytes(128))
    f.send(0, 10, Packet.ROWSP, register, bytes(128), mask)
    for _ in range(6):
        f.window()
    assert f.fault(1) == HUB_FAULTS + fault


def test_a_region_must_fit_the_tables():
    f = with_regions([], APT_ENTRIES=1)
    add_region(f.A, f.P, gpu_base(1), address(1, 0), 128, 4)
    with pytest.raises(ValueError, match="apt_entries"):
        add_region(f.A, f.P, gpu_base(1), address(1, 0), 128, 4)
    with pytest.raises(ValueError, match="65536"):
        add_region(f.A, f.P, gpu_base(0), address(0, 0), 1 << 17, 4)
