"""`--scenario-seeds 20`: with how many seeds each scenario is played."""

from __future__ import annotations

import pytest

SEEDS = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scenario-seeds", type=int, default=SEEDS, help="seeds of each scenario")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds to play. Without this folder on the command line there is no such option."""
    return range(1, 1 + int(request.config.getoption("--scenario-seeds", SEEDS)))
