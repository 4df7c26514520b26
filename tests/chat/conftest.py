from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.chat.alike import ALIKE, name_of
from tests.chat.world import World

DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that would ask PostgreSQL nothing new run on SQLite alone."""
    if "database" in metafunc.fixturenames:
        alike = name_of(metafunc.definition.nodeid) in ALIKE
        every = metafunc.config.getoption("--every-database") or not alike
        metafunc.parametrize("database", DATABASES if every else DATABASES[:1], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, of each kind in turn (`pytest_generate_tests`)."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def chat(database: str) -> AsyncIterator[World]:
    """A node with conversations, on each database. What it holds at the end was arrived at by its events, too."""
    async with World(database) as world:
        yield world
