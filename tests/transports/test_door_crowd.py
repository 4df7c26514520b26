"""A crowd of our clients that comes back at once: in order, by what each is told."""

from __future__ import annotations

import asyncio

import pytest

from hubbub.client import Client, Reconnected, Reconnecting
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio

CROWD = 60
RATE, BURST = 40.0, 8


async def back(client: Client) -> tuple[int, bool]:
    """How many attempts it took until the client was back, and whether with its session."""
    attempts = 0
    async for event in client:
        if isinstance(event, Reconnecting):
            attempts = event.attempt
        if isinstance(event, Reconnected):
            return attempts, event.resumed
    raise AssertionError


@pytest.mark.parametrize("resumed", [True, False])
async def test_all_come_back_and_few_are_told_twice(resumed: bool) -> None:
    door = {"handshake_rate": 0, "handshake_burst": BURST}
    async with running_server(load=door) as server:
        clients = [Client(server.url, server.token(f"user-{number}")) for number in range(CROWD)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        try:
            turnstile = server.app.node.door._turnstile
            turnstile.__init__(RATE, BURST)  # type: ignore[misc]  # from now on it is a real one
            if not resumed:
                for session in list(server.app.hub.sessions.values()):
                    server.app.hub.end(session, None)
            for client in clients:
                client.drop()
            async with asyncio.timeout(60):
                outcomes = await asyncio.gather(*map(back, clients))
        finally:
            await asyncio.gather(*(client.__aexit__(None, None, None) for client in clients))
        assert {kept for _, kept in outcomes} == {resumed}
        attempts = sorted(count for count, _ in outcomes)
        assert attempts[0] == 1, "as many as the burst came in at once"
        refused = server.app.metrics.rejected["handshake_rate"]
        assert refused >= CROWD / 3, "the others were told to come later"
        assert sum(attempts) == CROWD + refused
        assert attempts[CROWD // 2] <= 2, "most of them once"
