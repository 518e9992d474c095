"""All drivers of the core run the same tests."""

import pytest

from sim.translate import translator


@pytest.fixture(params=["timing", "functional", "translated"])
def functional(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether time is left out; without time also with every block compiled before it is hot."""
    monkeypatch.setattr(translator, "EAGER", request.param == "translated")
    return bool(request.param != "timing")
