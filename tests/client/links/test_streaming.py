from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.client.places import take, until

from hubbub.client import Client, HubbubError, Transport
from hubbub.client.links.streaming import _events
from hubbub.errors import ErrorCode
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio
BY_HTTP: list[Transport] = ["sse", "polling"]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


STREAM = b'retry: 1000\n\n: comment\n\nid: 1\ndata: {"a":1}\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\n'


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
async def test_events_are_read_wherever_they_are_cut(size: int) -> None:
    cut = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    told = [each async for each in _events(chunks(*cut))]
    assert [each for each in told if each[1]] == [(1, b'{"a":1}'), (2, b"x\ny")]
    assert (0, b"") in told  # a sign of life


@pytest.mark.parametrize("transport", BY_HTTP)
async def test_a_session_over_http(transport: Transport) -> None:
    async with (
        running_server() as server,
        Client(server.url, server.token("ada"), transports=[transport]) as client,
        client.channel("lobby").subscribe() as subscription,
    ):
        assert client.user == "ada"
        assert client.state.transport == transport
        for number in range(20):
            await client.publish("lobby", number)
        assert [each.data for each in await take(subscription, 20)] == list(range(20))
        with pytest.raises(HubbubError) as refused:
            await client.call("nothing")
        assert refused.value.code == ErrorCode.METHOD_NOT_FOUND
        assert (await client.presence("lobby")).users == 1
        session = client.state.session
    await until(lambda: session not in server.app.hub.sessions)


@pytest.mark.parametrize("transport", BY_HTTP)
async def test_a_lost_connection_loses_nothing(transport: Transport) -> None:
    async with (
        running_server() as server,
        FaultProxy(server.host, server.port) as proxy,
    ):
        url = f"http://127.0.0.1:{proxy.port}"
        async with (
            Client(url, server.token(), transports=[transport]) as client,
            client.channel("lobby").subscribe() as subscription,
        ):
            seen: list[Any] = []
            for number in range(12):
                await server.app.publish("lobby", "message", number)
                if number % 4 == 3:
                    proxy.reset()
            seen += await take(subscription, 12)
            assert [each.data for each in seen] == list(range(12))
            assert client.state.transport == transport
        await until(lambda: not proxy.connections)


@pytest.mark.parametrize("transport", BY_HTTP)
async def test_a_command_that_is_too_large_is_refused_and_the_session_goes_on(transport: Transport) -> None:
    async with (
        running_server(limits={"message_bytes": 2_000}) as server,
        Client(server.url, server.token(), transports=[transport]) as client,
    ):
        with pytest.raises(HubbubError) as refused:
            await client.publish("lobby", "x" * 3_000)
        assert refused.value.code == ErrorCode.MESSAGE_TOO_LARGE
        assert await client.publish("lobby", "x") is not None


@pytest.mark.parametrize("transport", BY_HTTP)
async def test_a_session_that_the_server_ends(transport: Transport) -> None:
    from hubbub.client import Disconnected
    from hubbub.errors import REVOKED

    async with (
        running_server() as server,
        Client(server.url, server.token(), transports=[transport]) as client,
    ):
        (session,) = server.app.hub.sessions.values()
        await until(lambda: session.connection is not None)
        session.disconnect(REVOKED)
        async with asyncio.timeout(10):
            states = [state.status async for state in client.states()]
        assert states[-1] == "failed"
        with pytest.raises(Disconnected, match="access was revoked"):
            await client.publish("lobby", 1)


async def test_an_answer_of_nobody_we_know() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"hello": "world"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    from hubbub.client import ClientError

    with pytest.raises(ClientError, match="does not speak"):
        async with Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", transports=["sse"]):
            pass
    server.close()
