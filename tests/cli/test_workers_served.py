"""Two workers on one port with a real Redis: one server to clients, one process to whoever runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from hubbub.auth import tokens
from hubbub.client import Client, Reconnected
from hubbub.clock import SystemClock
from hubbub.model import Publication
from hubbub.testing.raw import RawClient

pytestmark = pytest.mark.anyio
SECRET = "0123456789abcdef0123456789abcdef"
WITHIN = 60.0


class Served:
    """`hubbub serve --workers 2` and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    def logged(self, event: str, logger: str = "hubbub.workers") -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event and line["logger"] == logger]

    async def until(self, condition: Callable[[], object]) -> None:
        def looked() -> object:
            assert self.process.returncode is None, self._log.read_text()
            return condition()

        await until(looked)

    @property
    def port(self) -> int:
        port: int = self.logged("listening")[0]["port"]
        return port

    def workers(self) -> list[int]:
        """Their process ids."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in children.split()]

    def token(self, user: str) -> str:
        return tokens.mint(SECRET, user, ttl=600.0, now=SystemClock().now())

    async def node_of(self, client: RawClient) -> str:
        """The node on which a fresh session is."""
        connected = await client.connect(self.token(secrets.token_hex(4)))
        session: str = connected["session"]
        return session[:6]


@contextlib.asynccontextmanager
async def served(folder: Path, redis_url: str) -> AsyncIterator[Served]:
    settings = {
        "HUBBUB_AUTH__HMAC_SECRET": SECRET,
        "HUBBUB_BROKER__TYPE": "redis",
        "HUBBUB_REDIS__URL": redis_url,
        "HUBBUB_REDIS__PREFIX": f"test-{secrets.token_hex(6)}",
        "HUBBUB_SERVER__DRAIN_WINDOW": "1",
        "HUBBUB_DEFAULT__SUBSCRIBE": "authenticated",
        "HUBBUB_DEFAULT__PUBLISH": "authenticated",
        "HUBBUB_DEFAULT__RETENTION": "100",
        "HUBBUB_TELEMETRY__LOG_FORMAT": "json",
        "HUBBUB_CHAT__ENABLED": "false",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hubbub", "serve", "--port", "0", "--workers", "2"),
            env={**os.environ, **settings},
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    server = Served(process, log)
    try:
        await server.until(lambda: server.logged("listening"))
        yield server
    finally:
        for pid in [*(server.workers() if process.returncode is None else ()), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()


async def test_workers_are_one_server(tmp_path: Path, redis_url: str) -> None:
    async with served(tmp_path, redis_url) as server, contextlib.AsyncExitStack() as stack:
        clients: dict[str, RawClient] = {}
        for _ in range(60):  # the kernel spreads them
            client = await stack.enter_async_context(await RawClient.open("127.0.0.1", server.port))
            clients.setdefault(await server.node_of(client), client)
            if len(clients) == 2:
                break
        first, second = clients.values()
        await first.send_json({"type": "subscribe", "id": 2, "channel": "news"})
        while (await first.read_json(within=20))["type"] != "subscribed":
            pass
        await second.send_json({"type": "publish", "id": 2, "channel": "news", "event": "e", "data": 7})
        while (heard := await first.read_json(within=20))["type"] != "publication":
            pass
        assert heard["data"] == 7

        # One is killed: another takes its place, and its client's session goes on elsewhere.
        async with Client(f"ws://127.0.0.1:{server.port}", server.token("ada")) as ada:
            await ada.subscribe("news")
            old = server.workers()
            os.kill(old[0], signal.SIGKILL)
            await server.until(lambda: server.logged("worker started again"))
            await server.until(lambda: len(server.workers()) == 2)
            assert old[1] in server.workers()
            assert old[0] not in server.workers()
            heard_after = False
            async with asyncio.timeout(WITHIN):
                while (
                    not heard_after
                ):  # the channel keeps no log: what is said while a session moves may be lost
                    await ada.publish("news", "after")
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(2.0):
                            async for event in ada:
                                if isinstance(event, Publication) and bytes(event.data) == b'"after"':
                                    heard_after = True
                                    break

        await server.until(lambda: len(server.logged("listening", "hubbub")) == 3)
        server.process.send_signal(signal.SIGTERM)
        assert (await asyncio.wait_for(server.process.wait(), WITHIN)) == 0
        assert len(server.logged("draining", "hubbub.drain")) == 2


async def test_workers_are_replaced_without_a_gap_and_die_with_their_parent(
    tmp_path: Path, redis_url: str
) -> None:
    async with served(tmp_path, redis_url) as server:
        old = set(server.workers())
        url = f"ws://127.0.0.1:{server.port}"
        async with Client(url, server.token("ada")) as ada, Client(url, server.token("bob")) as bob:
            await ada.subscribe("news")
            server.process.send_signal(signal.SIGUSR2)
            sent = 0
            while len(server.logged("worker replaced")) < 2:
                assert server.process.returncode is None
                await bob.publish("news", sent)
                sent += 1
                await asyncio.sleep(0.05)
            assert not old & set(server.workers())
            await bob.publish("news", "end")
            heard: list[Any] = []
            resumed: list[bool] = []
            async with asyncio.timeout(WITHIN):
                async for event in ada:
                    if isinstance(event, Reconnected):
                        resumed.append(event.resumed)
                    if isinstance(event, Publication):
                        heard.append(json.loads(bytes(event.data)))
                        if heard[-1] == "end":
                            break
            assert heard == [*range(sent), "end"], "in order, none twice and none lost"
            assert resumed
            assert all(resumed), "the sessions were handed over"

        workers = server.workers()
        server.process.kill()
        await server.process.wait()

        def gone() -> bool:
            return not any(Path(f"/proc/{pid}/exe").exists() for pid in workers)

        await until(gone)
