"""Sockets to other nodes on both loops: their transports differ."""

from __future__ import annotations

import asyncio

import pytest
from tests.waiting import until

from hubbub.testing.clock import FakeClock
from hubbub.transports.peers import Peers

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class End(asyncio.Protocol):
    lost = False

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True


async def test_sockets_to_a_node_that_is_gone_end() -> None:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    peers = Peers(FakeClock(), 10.0)
    end = await peers.socket(address, End)
    peers.cut(address)
    await until(lambda: end.lost)
    server.close()
