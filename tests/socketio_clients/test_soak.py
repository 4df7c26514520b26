"""500 stock clients, dropped at random bytes while messages flow, are recovered without gap, duplicate or reorder.

`HUBBUB_TEST_SOAK=100000` asks for that many drops instead of two for each client.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from tests.socketio_clients.playing import Stage
from tests.socketio_clients.servers import REFERENCE, serving

from hubbub.testing.proxy import FaultProxy, Way

pytestmark = pytest.mark.anyio

CLIENTS = 500
DROPS = int(os.environ.get("HUBBUB_TEST_SOAK", 2 * CLIENTS))
# How many of the connections are reset, and after how many bytes at the most. Each poll has a connection of its own.
CHANCES: Mapping[str, tuple[float, int]] = {
    "polling": (0.15, 500),
    "websocket": (1.0, 2500),
    "upgrade": (0.6, 2500),
}


class DroppingProxy(FaultProxy):
    """Resets connections after a random number of bytes, in either direction, while `dropping`."""

    def __init__(self, port: int, chance: float, most: int, *, seed: str) -> None:
        super().__init__("127.0.0.1", port)
        self.dropping = False
        self._chance = chance
        self._most = most
        self._dice = random.Random(seed)  # repeatable, as far as the order of things is
        self._left: dict[Any, float] = {}

    async def _write(self, link: Any, target: socket.socket, way: Way, data: bytes) -> None:
        if not self.dropping:
            self._left.clear()
            return await super()._write(link, target, way, data)
        left = self._left.get(link)
        if left is None:
            doomed = self._dice.random() < self._chance
            left = self._dice.randint(0, self._most) if doomed else float("inf")
        self._left[link] = left - len(data)
        if left < len(data):
            await super()._write(link, target, way, data[: int(left)])
            raise ConnectionResetError
        return await super()._write(link, target, way, data)


@pytest.mark.skipif(REFERENCE, reason="it does not recover all")
@pytest.mark.timeout(120 + DROPS)
async def test_everybody_sees_everything() -> None:
    async with serving(recovery=60_000) as port, contextlib.AsyncExitStack() as stack:
        proxies = {
            name: DroppingProxy(port, chance, most, seed=name) for name, (chance, most) in CHANCES.items()
        }
        for proxy in proxies.values():
            await stack.enter_async_context(proxy)

        def drop(on: bool) -> None:
            for proxy in proxies.values():
                proxy.dropping = on

        urls = {name: f"http://127.0.0.1:{proxy.port}" for name, proxy in proxies.items()}
        options = {"urls": urls, "clients": CLIENTS, "drops": DROPS}
        it = Stage(f"http://127.0.0.1:{port}", options, {"drop": drop})
        results = await it.play("soak", "websocket")
        assert results["everybody_sees_everything"]["drops"] >= DROPS
