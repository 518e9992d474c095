"""`simasm calibrate FILE --points`: measured figures of memory and links become cases, whose clock reads become values."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from assembler import assemble
from sim.config import Config
from sim.errors import MachineFault
from sim.points import KERNELS, Sketch, outcomes, points, simulate, value
from sim.points_link import LINK
from sim.points_memory import MEMORY

PEER_LOAD = {"op": "ld.relaxed.sys"}


def figure(name: str, median: float, **cond: object) -> dict[str, object]:
    return {"name": name, "unit": "cycles, warm", "median": median, "cond": cond}


def lines(*blocks: tuple[int, int, int, int]) -> Any:
    return np.array(blocks, np.int64)


def test_figures_with_a_kernel_become_points_and_doubtful_ones_do_not() -> None:
    figures = [
        figure("peer_load_latency", 1691.0, **PEER_LOAD),
        figure("fence", 555.0, fence="membar.gl", outstanding_warp_stores=0, blocks=1),
        figure("fence", 900.0, fence="membar.gl", outstanding_warp_stores=0, blocks=132),
        figure("chase_ca", 32.0, working_set=4096) | {"doubtful": "why"},
        figure("nobody_knows", 1.0),
        {"what": "no name"},
    ]
    found = points(figures, LINK | MEMORY)
    assert [p.label for p in found] == [
        "peer_load_latency op=ld.relaxed.sys",
        "fence fence=membar.gl outstanding_warp_stores=0 blocks=1",
    ]
    assert [p.name for p in points(figures, LINK | MEMORY, "fence,x")] == ["fence"]
    assert found[0].unit == "cycles"


def test_a_rate_is_what_the_longer_launch_does_more_in_the_time_it_takes_more() -> None:
    made = Sketch("stream", kind="rate", units=600)
    for phase in (0, 1):
        made.launch(0, "k", 2, 32, [], phase)
    reads = [lines((0, 9, 100, 150), (0, 9, 110, 200)), lines((0, 9, 1000, 1250), (0, 9, 1050, 1400))]
    assert value(made.case, reads) == pytest.approx(600 / (400 - 100))


def test_latencies_are_of_the_first_block_of_the_last_phase() -> None:
    made = Sketch("chase", kind="cycles", per=10)
    made.launch(0, "k", 1, 32, [], 0)
    made.launch(0, "k", 1, 32, [], 1)
    assert value(made.case, [lines((0, 9, 0, 0)), lines((50, 250, 0, 0))]) == 20


def test_a_chain_of_peer_loads_takes_the_latency() -> None:
    (point,) = points([figure("peer_load_latency", 1691.0, **PEER_LOAD)], LINK)
    found = list(outcomes([point], partial(assemble, optimised=True), "h200", [], 1, 600))
    assert found[0].reason == "" and abs(found[0].error) < 0.05


def test_a_case_that_fails_says_why() -> None:
    made = LINK["peer_load_latency"](PEER_LOAD)
    assert made is not None
    made.case["launches"][1]["params"][0] = {"dtype": "u64", "value": 4096}
    image = assemble(KERNELS / "chase.s")
    with pytest.raises(MachineFault, match="of size 8 bytes"):
        simulate(made.case, image, Config.load())
