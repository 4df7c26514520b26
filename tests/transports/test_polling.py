from __future__ import annotations

import asyncio
import json

import pytest
from tests.transports.httpclient import client, lines, open_session, subscribe
from tests.waiting import until

from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_a_client_that_leaves_its_poll_loses_nothing() -> None:
    async with running_server() as server, client(server) as http:
        session = await open_session(http, server)
        await session.post(subscribe(1, "left", presence=False))
        reader, writer = await asyncio.open_connection(server.host, server.port)
        url = session.connected["stream"]["events"]
        writer.write(
            f"GET {url} HTTP/1.1\r\nHost: x\r\nHubbub-Session-Secret: {session.secret}\r\n\r\n".encode()
        )
        await until(lambda: server.app.metrics.http_requests["2xx"] >= 2)
        writer.transport.abort()
        await server.app.publish("left", "tick", 1)
        assert [item["data"] for item in lines(await session.poll())] == [1]
        del reader


async def test_a_poll_of_a_stopped_session_ends_at_once() -> None:
    async with running_server(heartbeat={"poll_timeout": 60.0}) as server, client(server) as http:
        session = await open_session(http, server)
        poll = asyncio.create_task(session.poll())
        await asyncio.wait([poll], timeout=0.05)
        await http.delete(f"/v1/sessions/{session.id}", headers=session.headers)
        answer = await asyncio.wait_for(poll, 5)
        assert (answer.status_code, answer.content) == (204, b"")


async def test_every_push_of_a_burst_arrives_once_and_in_order() -> None:
    async with running_server() as server, client(server) as http:
        session = await open_session(http, server)
        await session.post(subscribe(1, "burst", presence=False))

        async def burst() -> None:
            for n in range(300):
                await server.app.publish("burst", "tick", n)
                if n % 7 == 0:
                    await asyncio.sleep(0)

        task = asyncio.create_task(burst())
        got: list[int] = []
        ack = 0
        while len(got) < 300:
            answer = await session.poll(ack)
            got += [json.loads(line)["data"] for line in answer.text.splitlines()]
            ack = int(answer.headers["hubbub-next"])
        await task
        assert got == list(range(300))
