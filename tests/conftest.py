"""What all tests share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Examples are the same in every run, and a slow machine is no failure.
settings.register_profile("simasm", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("simasm")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment for a child process that runs `simasm`: this interpreter's packages and this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "SIMASM_PYTHON": sys.executable, "NO_COLOR": "1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes expected outputs anew instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="write the expected outputs anew")
