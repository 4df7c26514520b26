from __future__ import annotations

import pytest
from tests.api.server import Server

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def test_servers_in_one_process_have_nothing_in_common() -> None:
    one, other = await Server().start(), await Server().start()
    await one.ok("POST", "/v1/publish", {"channel": "a", "data": 1})
    assert await other.ok("GET", "/v1/channels") == {"channels": [], "more": False}
    other.key = one.key
    await other.refused(ErrorCode.UNAUTHENTICATED, "GET", "/v1/channels")
    assert (one.world.metrics.publications, other.world.metrics.publications) == (1, 0)
    assert (one.world.metrics.http_requests, other.world.metrics.http_requests) == (
        {"2xx": 1},
        {"2xx": 1, "4xx": 1},
    )
    await one.stop()
    await other.stop()
