from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.chat.world import World

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'chat.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def chat(database: str) -> AsyncIterator[World]:
    """A node with conversations, on each database. What it holds at the end was arrived at by its events, too."""
    async with World(database) as world:
        yield world
