"""Sessions that the server ends: by every transport the client learns why, and stays away."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.client.places import until

from hubbub.auth.api_keys import new_key
from hubbub.client import Client, Disconnected, Transport
from hubbub.client.server import Server
from hubbub.client.transports import ALL
from hubbub.hub import operations
from hubbub.testing.server import RunningServer, running_server

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("transport", ALL)]


async def ended(server: RunningServer, client: Client) -> tuple[int, str]:
    """How it has ended for the client, for good: nobody has come again."""
    await until(lambda: client.state.ended)
    assert client.state.status == "failed"
    error = client.state.error
    assert isinstance(error, Disconnected)
    with pytest.raises(Disconnected):
        await client.call("x")
    assert server.app.hub.sessions == {}
    return error.reason.code, error.reason.name


async def test_of_a_user_that_is_disconnected(transport: Transport) -> None:
    async with (
        running_server() as server,
        Client(server.url, lambda: server.token("ada"), transports=[transport]) as client,
        client.channel("lobby").subscribe(),
    ):
        await operations.disconnect(server.app.hub, user="ada")
        assert await ended(server, client) == (3502, "forced")


async def test_of_one_whose_tokens_are_revoked(transport: Transport) -> None:
    key, hashed = new_key()
    async with (
        running_server(auth={"hmac_secret": "s" * 32, "api_keys": [hashed]}) as server,
        Client(server.url, lambda: server.token("ada"), transports=[transport]) as client,
        client.channel("lobby").subscribe(),
        Server(server.url, key) as backend,
    ):
        await backend.revoke("ada")
        assert await ended(server, client) == (3503, "revoked")


async def test_of_one_who_is_just_sending(transport: Transport) -> None:
    async with (
        running_server() as server,
        Client(server.url, lambda: server.token("ada"), transports=[transport]) as client,
    ):

        async def publish() -> None:
            while True:
                await client.publish("lobby", 1)

        publishing = asyncio.create_task(publish())
        await until(lambda: server.app.hub.metrics.messages_in > 5)
        await operations.disconnect(server.app.hub, user="ada")
        assert await ended(server, client) == (3502, "forced")
        with contextlib.suppress(Exception):
            await publishing
        assert isinstance(publishing.exception(), Disconnected)
