"""Makes the helpers of this folder importable from its tests."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20)


@pytest.fixture(params=["host", "portable"])
def functions(request):
    """The library, for this CPU and for the least CPU supported."""
    from native import Functions

    from sim.ir.library import load_library
    from sim.ir.objects import PORTABLE, host

    return Functions(load_library(host() if request.param == "host" else PORTABLE))
