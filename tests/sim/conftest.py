"""Both drivers of the core run the same tests."""

import pytest


@pytest.fixture(params=[False, True], ids=["timing", "functional"])
def functional(request: pytest.FixtureRequest) -> bool:
    """Whether time is left out."""
    return bool(request.param)
