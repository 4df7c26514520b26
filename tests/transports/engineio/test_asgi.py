"""Engine.IO mounted in another application, under plain uvicorn: the same engine, reached by ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.transports.asgihost import hosted
from tests.transports.engineio.echo import PATH, Echo, http, opened, say
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.config import Config, development
from hubbub.errors import FORCED, SLOW
from hubbub.socketio.link import Link
from hubbub.testing.raw import BINARY, CLOSE, TEXT, Frame, RawClient, Response, masked
from hubbub.transports.asgi import AsgiWebSockets
from hubbub.transports.engineio.asgi import EngineWebSockets
from hubbub.transports.engineio.endpoint import EngineIo
from hubbub.transports.root import Root

pytestmark = pytest.mark.anyio

UNKNOWN_SID = (400, b'{"code":1,"message":"Session ID unknown"}')


@dataclass
class Mounted:
    """A host with the engine in it; `clients` as in `echo.EchoServer`."""

    app: Hubbub
    port: int
    engine: EngineIo
    clients: list[Echo] = field(default_factory=list)

    async def raw(self) -> RawClient:
        return await RawClient.open("127.0.0.1", self.port)

    async def websocket(self) -> RawClient:
        client = await self.raw()
        await client.upgrade(PATH + "websocket")
        opened(await client.read_frame())
        return client

    async def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Response:
        async with await self.raw() as client:
            await client.send(http(method, target, headers, body))
            return await client.read_response()

    async def open(self) -> str:
        """The target of a new session's polling."""
        sid = opened((await self.ask("GET", PATH + "polling")).body)["sid"]
        return f"{PATH}polling&sid={sid}"


@contextlib.asynccontextmanager
async def mounted(**sections: Any) -> AsyncIterator[Mounted]:
    app = Hubbub(development(Config(**sections), secrets.token_urlsafe(32)))
    clients: list[Echo] = []

    def accept(link: Link) -> Echo:
        clients.append(Echo(link))
        return clients[-1]

    engine = EngineIo(app.node, accept)
    app.node.direct[app.config.socketio.path] = engine
    websockets = AsgiWebSockets(app.node, {app.config.socketio.path: EngineWebSockets(engine)})
    root = Root(app.node, app, endpoints=(), websocket=websockets, api=app._http())
    app._asgi = root
    async with hosted(root) as address:
        yield Mounted(app, int(address.rpartition(":")[2]), engine, clients)


@pytest.fixture
async def host() -> AsyncIterator[Mounted]:
    async with mounted(limits={"packet_bytes": 1000}) as running:
        yield running


# --- polling ----------------------------------------------------------------------------------------------


async def test_messages_by_polling(host: Mounted) -> None:
    response = await host.ask("GET", PATH + "polling")
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Origin"
    assert host.app.node.admission.total == 1
    target = f"{PATH}polling&sid={opened(response.body)['sid']}"
    response = await host.ask("POST", target, b"4a\x1ebAAE=")
    assert (response.status, response.body) == (200, b"ok")
    response = await host.ask("GET", target)
    assert (response.status, response.body) == (200, b"4a\x1ebAAE=")
    link = host.clients[0].link
    assert (link.info.address, link.info.transport) == ("127.0.0.1", "polling")
    assert link.info.query == "EIO=4&transport=polling"
    await host.ask("POST", target, b"1")
    assert host.app.node.admission.total == 0


async def test_a_poll_waits_for_something_to_say(host: Mounted) -> None:
    target = await host.open()
    waiting = asyncio.create_task(host.ask("GET", target))
    await until(lambda: host.clients[0].link.writable)
    host.clients[0].send(b"x")
    assert (await waiting).body == b"4x"


async def test_the_ends_of_polling(host: Mounted) -> None:
    target = await host.open()
    waiting = asyncio.create_task(host.ask("GET", target))
    await until(lambda: host.clients[0].link.writable)
    overlapping = await host.ask("GET", target)
    assert (overlapping.status, overlapping.body) == (400, b"")
    assert (await waiting).body == b"1"
    after = await host.ask("GET", target)
    assert (after.status, after.body) == UNKNOWN_SID
    assert host.clients[0].ends == [("transport error", True)]


async def test_a_poll_whose_client_leaves(host: Mounted) -> None:
    target = await host.open()
    async with await host.raw() as client:
        await client.send(http("GET", target))
        await until(lambda: host.clients[0].link.writable)
    await until(lambda: host.clients[0].ends)
    assert host.clients[0].ends == [("transport error", True)]


async def test_posts_that_do_not_come_whole(host: Mounted) -> None:
    target = await host.open()
    large = await host.ask("POST", target, b"4" + b"x" * 1000)
    assert (large.status, large.body) == (413, b"")
    fitting = await host.ask("POST", target, b"4" + b"x" * 999)
    assert fitting.body == b"ok"
    async with await host.raw() as client:
        await client.send(http("POST", target, body=b"4abc")[:-1])
        async with await host.raw() as other:  # a second one ends the session, and with it the first
            await until(lambda: host.engine.sessions and _reading(host))
            await other.send(http("POST", target, body=b"4"))
            assert (await other.read_response()).status == 400
        assert (await client.read_response()).status == 400
    assert host.clients[0].ends == [("transport error", True)]


def _reading(host: Mounted) -> bool:
    """Whether a POST is being read."""
    return any(session.carrier._post is not None for session in host.engine.sessions.values())  # type: ignore[attr-defined]


async def test_refusals(host: Mounted) -> None:
    assert (await host.ask("GET", PATH + "x")).body == b'{"code":0,"message":"Transport unknown"}'
    assert (await host.ask("POST", PATH + "polling", b"4")).body.startswith(b'{"code":2')
    foreign = await host.ask("GET", PATH + "polling", Origin="https://evil.example.com")
    assert (foreign.status, foreign.body) == (403, b'{"code":4,"message":"Forbidden"}')
    target = await host.open()
    assert (await host.ask("PUT", target, b"4")).status == 500


async def test_pages_are_the_engines_affair() -> None:
    """The application around all others adds nothing to what the engine says, and answers no preflight for it."""
    page = "https://app.example.com"
    async with mounted(server={"allowed_origins": (page,)}) as host, await host.raw() as client:
        asking = {
            "Origin": page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-token",
        }
        await client.send(http("OPTIONS", PATH + "polling", asking) + http("GET", PATH + "polling", asking))
        preflight, opening = await client.read_response(), await client.read_response()
        assert preflight.headers["access-control-allow-headers"] == "x-token"
        assert opening.headers["access-control-allow-origin"] == page
        assert "access-control-expose-headers" not in opening.headers


async def test_a_fault_of_ours_is_answered(host: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    target = await host.open()

    def fault(*_: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(host.clients[0], "receive", fault)
    assert (await host.ask("POST", target, b"4x")).status == 500


async def test_places_for_sessions_are_given_back() -> None:
    async with mounted(limits={"connections": 3}) as host:
        targets = [await host.open() for _ in range(3)]
        full = await host.ask("GET", PATH + "polling")
        assert full.status == 503
        assert full.headers["retry-after"] == "5"
        await host.ask("POST", targets[0], b"1")
        assert (await host.ask("GET", PATH + "polling")).status == 200


# --- WebSockets -------------------------------------------------------------------------------------------


async def test_messages_by_websocket(host: Mounted) -> None:
    async with await host.websocket() as client:
        await say(client, "4hé")
        await client.send(masked(BINARY, b"\x00\x01"))
        assert await client.read_frame() == Frame(TEXT, "4hé".encode())
        assert await client.read_frame() == Frame(BINARY, b"\x00\x01")
        link = host.clients[0].link
        link.write(b"4several\x1ebAAE=\x1eb")
        assert await client.read_frame() == Frame(TEXT, b"4several")
        assert await client.read_frame() == Frame(BINARY, b"\x00\x01")
        assert await client.read_frame() == Frame(BINARY, b"")
        await until(lambda: link.writable)
        assert (link.info.transport, link.info.query) == ("websocket", "EIO=4&transport=websocket")
    await until(lambda: host.clients[0].ends)
    assert host.clients[0].ends == [("transport close", True)]
    await until(lambda: host.app.node.admission.total == 0)
    assert not host.engine.sessions


@pytest.mark.parametrize(("packet", "why"), [("9", "parse error"), ("2", "transport error")])
async def test_packets_that_end_a_session(host: Mounted, packet: str, why: str) -> None:
    async with await host.websocket() as client:
        await say(client, packet)
        assert (await client.read_frame()).opcode == CLOSE
        assert host.clients[0].ends[0][0] == why


async def test_a_packet_of_the_largest_size(host: Mounted) -> None:
    async with await host.websocket() as client:
        await say(client, "4" + "x" * 999)
        assert len((await client.read_frame()).payload) == 1000
        await say(client, "4" + "x" * 1000)
        assert (await client.read_frame()).code == 1009
        assert host.app.metrics.rejected["packet_bytes"] == 1


async def test_an_upgrade(host: Mounted) -> None:
    target = await host.open()
    async with await host.raw() as socket:
        await socket.upgrade(target.replace("polling", "websocket"))
        await say(socket, "2probe")
        assert await socket.read_frame() == Frame(TEXT, b"3probe")
        assert (await host.ask("GET", target)).body == b"6"
        host.clients[0].send(b"waits")
        host.clients[0].send(b"\xff", binary=True)
        await say(socket, "5")
        await say(socket, "4after")
        assert await socket.read_frame() == Frame(TEXT, b"4waits")
        assert await socket.read_frame() == Frame(BINARY, b"\xff")
        assert await socket.read_frame() == Frame(TEXT, b"4after")
        assert host.clients[0].moves == 1
        async with await host.raw() as again:
            await again.upgrade(target.replace("polling", "websocket"))
            assert (await again.read_frame()).opcode == CLOSE
    await until(lambda: host.clients[0].ends)
    await until(lambda: host.app.node.admission.total == 0)


async def test_an_attempt_that_fails(host: Mounted) -> None:
    target = await host.open()
    async with await host.raw() as socket:
        await socket.upgrade(target.replace("polling", "websocket"))
        await say(socket, "4x")
        assert (await socket.read_frame()).opcode == CLOSE
    await host.ask("POST", target, b"4x")
    assert (await host.ask("GET", target)).body == b"4x"
    async with await host.raw() as again:
        await again.upgrade(target.replace("polling", "websocket"))
        await say(again, "5")
        await say(again, "4y")
        assert await again.read_frame() == Frame(TEXT, b"4y")


async def test_refused_websockets(host: Mounted) -> None:
    async with await host.raw() as client:
        with pytest.raises(AssertionError, match=r"status=40\d.*Session ID unknown"):
            await client.upgrade(PATH + "websocket&sid=nope")
    async with await host.raw() as client:
        with pytest.raises(AssertionError, match="status=403"):
            await client.upgrade(PATH + "websocket", {"Origin": "https://evil.example.com"})
    assert host.app.node.admission.total == 0


async def test_closings_by_the_server(host: Mounted) -> None:
    async with await host.websocket() as client:
        host.clients[0].send(b"bye")
        host.clients[0].link.close(FORCED)
        host.clients[0].link.write(b"late")
        assert await client.read_frame() == Frame(TEXT, b"4bye")
        assert (await client.read_frame()).opcode == CLOSE
        assert host.clients[0].ends == [("forced close", False)]
    async with await host.websocket() as client:
        host.clients[1].send(b"bye")
        host.clients[1].link.abort(SLOW)
        assert host.clients[1].ends == [("transport error", True)]
        await until(lambda: not host.engine.sessions)
        assert host.app.node.queued_bytes == 0


async def test_heartbeats() -> None:
    fast = {"ping_interval": 0.2, "ping_timeout": 0.3}
    async with mounted(socketio=fast) as host, await host.websocket() as client:
        assert await client.read_frame() == Frame(TEXT, b"2")
        await say(client, "3")
        assert await client.read_frame() == Frame(TEXT, b"2")
        assert host.clients[0].heards == [1]
        assert (await client.read_frame()).opcode == CLOSE
        assert host.clients[0].ends == [("ping timeout", True)]


async def test_a_reader_that_takes_nothing() -> None:
    limits = {"queue_bytes": 200_000, "write_timeout": 60.0}
    async with mounted(limits=limits) as host, await host.websocket() as client:
        side = host.clients[0]

        async def flood() -> None:
            while not side.ends:
                side.send(b"x" * 50_000)
                await asyncio.sleep(0)

        async with asyncio.timeout(10):
            await flood()
        assert side.ends == [("transport error", True)]
        assert host.app.metrics.rejected["queue_bytes"] == 1
        assert host.app.node.queued_bytes == 0
        client.close()


async def test_a_paused_session_reads_nothing(host: Mounted) -> None:
    async with await host.websocket() as client:
        side = host.clients[0]
        side.link.pause()
        for number in range(5):
            await say(client, f"4{number}")
        await host.ask("GET", "/socket.io/")
        assert len(side.messages) <= 1  # one was being received already
        side.link.resume()
        await until(lambda: len(side.messages) == 5)


async def test_the_end_of_the_server(host: Mounted) -> None:
    target = await host.open()
    waiting = asyncio.create_task(host.ask("GET", target))
    await until(lambda: host.clients[0].link.writable)
    async with await host.websocket() as client:
        await host.app.stop()
        assert (await waiting).body == b"1"
        assert (await client.read_frame()).opcode == CLOSE
    assert [side.ends for side in host.clients] == [[("server shutting down", True)]] * 2
