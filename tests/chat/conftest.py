from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.chat.world import World

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def chat(database: str) -> AsyncIterator[World]:
    """A node with conversations, on each database. What it holds at the end was arrived at by its events, too."""
    async with World(database) as world:
        yield world
