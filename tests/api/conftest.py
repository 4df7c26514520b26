from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.server import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = await Server().start()
    yield running
    await running.stop()
