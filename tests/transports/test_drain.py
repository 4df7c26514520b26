"""The end of a server, as an operator brings it about: a process of its own, on uvloop, and signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hubbub.auth import tokens
from hubbub.clock import SystemClock
from hubbub.testing.raw import CLOSE, RawClient, request
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio

SECRET = "a secret of more than thirty-two bytes"
PROGRAM = f"""
import asyncio, json, sys
from hubbub import Hubbub, Session
from hubbub.config import Config, development

app = Hubbub(development(Config(**json.loads(sys.argv[1])), {SECRET!r}))

@app.on("slow")
async def slow(session: Session) -> str:  # until everybody else has been sent away
    while sum(each.connection is not None for each in app.hub.sessions.values()) > 1:
        await asyncio.sleep(0.01)
    return "done"

app.run(ready=lambda host, port: print(port, flush=True))
"""


@dataclass
class Process:
    port: int
    process: asyncio.subprocess.Process
    clients: list[RawClient] = field(default_factory=list)

    async def client(self, *channels: str) -> RawClient:
        client = await RawClient.open("127.0.0.1", self.port)
        self.clients.append(client)
        await client.connect(tokens.mint(SECRET, "ada", ttl=600.0, now=SystemClock().now()), *channels)
        return client

    async def code(self) -> int:
        """Its exit code, when it has ended."""
        async with asyncio.timeout(10):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def serving(folder: Path, window: float) -> AsyncIterator[Process]:
    settings = f'{{"server": {{"port": 0, "drain_window": {window}}}}}'
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, settings, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    assert process.stdout is not None
    served = None
    try:
        async with asyncio.timeout(15):
            while not (line := await process.stdout.readline()).strip().isdigit():
                assert line, "it ended before it listened"
        served = Process(int(line), process)
        yield served
    finally:
        for client in served.clients if served else ():
            client.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def read_all(client: RawClient) -> tuple[list[dict[str, Any]], int]:
    """What comes until the close frame, and its code; the close is answered."""
    received = []
    while (frame := await client.read_frame(within=10)).opcode != CLOSE:
        if frame.opcode == 1:
            received.append(json.loads(frame.payload))
    client.close()
    return received, frame.code


async def test_sigterm_sends_everybody_away_and_ends_with_0(tmp_path: Path) -> None:
    async with serving(tmp_path, window=1.0) as server:
        loop = asyncio.get_running_loop()
        clients = [await server.client("news") for _ in range(10)]
        # Neither who keeps a connection of HTTP nor who has not said his name holds the end up.
        idle = await RawClient.open("127.0.0.1", server.port)
        await idle.send(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await idle.read_response()).status == 200
        anonymous = await RawClient.open("127.0.0.1", server.port)
        await anonymous.upgrade()
        server.clients += [idle, anonymous]
        await clients[0].send_json({"type": "call", "id": 50, "method": "slow", "params": {}})

        server.process.send_signal(signal.SIGTERM)
        began = loop.time()

        async def left(client: RawClient) -> tuple[float, list[dict[str, Any]], int]:
            received, code = await read_all(client)
            return loop.time() - began, received, code

        outcomes = await asyncio.gather(*map(left, clients))
        for _, received, code in outcomes:
            kinds = [push["type"] for push in received if push["type"] in ("advice", "disconnect")]
            assert kinds == ["advice", "disconnect"]
            assert code == 3000
            (end,) = [push for push in received if push["type"] == "disconnect"]
            assert end["reconnect"] is True
        # The command under way when the signal came is answered before its connection is closed.
        assert any(push.get("id") == 50 and push["type"] == "result" for push in outcomes[0][1])
        times = sorted(took for took, _, _ in outcomes[1:])
        assert times[-1] - times[0] > 0.2  # spread, not all at once
        assert (await anonymous.read_close()).code == 3000
        anonymous.close()
        assert await server.code() == 0
        assert loop.time() - began < 8


async def test_nobody_new_comes_in_meanwhile(tmp_path: Path) -> None:
    async with serving(tmp_path, window=5.0) as server:
        first, second = await server.client("news"), await server.client("news")
        early = await RawClient.open("127.0.0.1", server.port)
        server.clients.append(early)
        server.process.send_signal(signal.SIGTERM)
        while (await first.read_json())["type"] != "advice":
            pass
        with pytest.raises(ConnectionError):
            await RawClient.open("127.0.0.1", server.port)
        await early.send(request())
        assert (await early.read_response()).status == 503
        # Those who are in go on until their turn comes.
        await second.send_json({"type": "publish", "id": 9, "channel": "news", "event": "e", "data": 1})
        while (reply := await second.read_json())["type"] != "published":
            assert reply["type"] in ("advice", "join", "leave", "publication")


async def test_a_second_signal_hurries(tmp_path: Path) -> None:
    async with serving(tmp_path, window=60.0) as server:
        clients = [await server.client() for _ in range(5)]
        server.process.send_signal(signal.SIGTERM)
        while (await clients[0].read_json())["type"] != "advice":
            pass
        server.process.send_signal(signal.SIGTERM)
        assert [code for _, code in await asyncio.gather(*map(read_all, clients))] == [3000] * 5
        assert await server.code() == 0


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), ("asyncio", {})])
async def test_the_end_waits_for_nobody_who_hangs(
    monkeypatch: pytest.MonkeyPatch, anyio_backend: object
) -> None:
    """Peers that do not close, requests that never end, and links that read nothing are cut off."""
    monkeypatch.setattr("hubbub.transports.server.GRACE", 0.5)
    loop = asyncio.get_running_loop()
    clients = []
    async with running_server(heartbeat={"ping_interval": 0.0}) as server:
        for part in (b"", b"GET /v1/", b"POST /v1/publish HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"):
            clients.append(await RawClient.open(server.host, server.port))
            await clients[-1].send(part)
        for _ in range(2):
            clients.append(await RawClient.open(server.host, server.port, receive_buffer=4096))
            await clients[-1].connect(server.token(), "news")
        clients.append(await RawClient.open(server.host, server.port))
        await clients[-1].connect(server.token())  # and then says nothing, not even that it closes too
        for _ in range(50):
            await server.app.publish("news", "e", "x" * 10_000)
            await asyncio.sleep(0)
        began = loop.time()
    assert loop.time() - began < 3.0
    assert not server.app.node.websockets
    assert server.app.node.admission.total == 0
    for client in clients:
        assert await client.read_end() in ("closed", "reset")
        client.close()
