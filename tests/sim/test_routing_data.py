"""The initialiser `routing`: what goes to a GPU comes back from it, and a skewed load is one."""

import numpy as np
import pytest

from sim.routing_data import GPU_BITS, routing


@pytest.mark.parametrize("gpus", [1, 2, 4])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_every_row_comes_back_to_where_it_was_sent_from(gpus: int, alpha: float) -> None:
    init = {"gpus": gpus, "tokens": 96, "topk": 3, "experts": 16, "alpha": alpha, "seed": 5}
    there = [routing(init | {"side": "there", "gpu": g}) for g in range(gpus)]
    back = [routing(init | {"side": "back", "gpu": g}) for g in range(gpus)]
    assert sum(len(b) for b in back) == gpus * 96 * 3
    for gpu, words in enumerate(there):
        for row, word in enumerate(words):
            assert back[word >> GPU_BITS][word & (1 << GPU_BITS) - 1] == gpu << GPU_BITS | row


def test_low_experts_get_more_of_a_skewed_load() -> None:
    init = {"gpus": 2, "tokens": 512, "topk": 2, "experts": 8, "seed": 1, "side": "back"}
    even, skewed = ([len(routing(init | {"alpha": a, "gpu": g})) for g in (0, 1)] for a in (0.0, 1.0))
    assert np.isclose(even[0], even[1], rtol=0.1)
    assert skewed[0] > 1.8 * skewed[1]
