"""NATS on both loops: their transports differ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.nats import NatsServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


async def test_what_is_said_is_heard(server: NatsServer) -> None:
    nats = Nats(NatsConfig(url=SecretStr(server.url)), SystemClock(), Metrics())
    await nats.start()
    heard: list[bytes] = []
    await nats.listen("a", lambda subject, reply, headers, body: heard.append(body))
    await nats.confirmed(nats.publish("a", b"1"))
    await until(lambda: heard == [b"1"])
    await nats.stop()
