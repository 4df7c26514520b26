"""Who may open a session, who may go on with one, and what neither may do."""

from __future__ import annotations

from typing import Any

import pytest
from tests.transports.engineio.echo import PATH, EchoServer, echo_server, http, refused, say
from tests.waiting import until

pytestmark = pytest.mark.anyio

POLLING = PATH + "polling"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


# --- room -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_too_many_newcomers(transport: str) -> None:
    async with echo_server(limits={"unauthenticated": 2}) as echo:
        clients: list[Any] = [await echo.websocket(), await echo.polling()]
        assert await status(echo, transport) == 503
        assert echo.metrics.rejected["unauthenticated"] == 1
        echo.clients[0].admitted = True
        assert await status(echo, transport) in (101, 200)
        for client in clients:
            async with client:
                pass


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_server_that_drains(transport: str) -> None:
    async with echo_server() as echo, await echo.polling() as client:
        echo.server.app.hub.draining = True
        assert await status(echo, transport) == 503
        await client.post(b"4x")  # who is here may stay until told
        assert await client.packets() == [b"4x"]


async def status(echo: EchoServer, transport: str) -> int:
    """Of one more handshake."""
    async with await echo.raw() as client:
        if transport == "polling":
            await client.send(http("GET", PATH + "polling"))
            return (await client.read_response()).status
        try:
            await client.upgrade(PATH + "websocket")
        except AssertionError as refusal:
            return 503 if "status=503" in str(refusal) else 0
        return 101


async def test_sessions_without_a_socket_are_bounded_too() -> None:
    async with echo_server(limits={"connections": 8}) as echo:
        async with await echo.raw() as one:
            for _ in range(8):
                await one.send(http("GET", PATH + "polling"))
                assert (await one.read_response()).status == 200
            await one.send(http("GET", PATH + "polling"))
            response = await one.read_response()
            assert (response.status, response.headers["retry-after"]) == (503, "5")
            assert response.body == b'{"code":4,"message":"too many connections"}'
        assert echo.metrics.rejected["connections"] == 1


# --- whose it is ------------------------------------------------------------------------------------------

SECRET = {"Authorization": "Bearer secret"}
PAGE = {"Origin": "https://app.example.com"}
OTHER = {"Origin": "https://other.example.com"}
OWN = {"Origin": "http://localhost"}
ORIGINS = {"allowed_origins": ("https://app.example.com", "https://other.example.com")}


@pytest.mark.parametrize(
    ("headers", "stolen"),
    [(SECRET, {}), (SECRET, {"Authorization": "Bearer guess"}), ({}, SECRET), (PAGE, OTHER), (PAGE, {}), (PAGE, OWN),
     (PAGE | SECRET, PAGE), (PAGE | SECRET, SECRET)],
)  # fmt: skip
async def test_a_sid_alone_opens_nothing(headers: dict[str, str], stolen: dict[str, str]) -> None:
    async with echo_server(server=ORIGINS) as echo, await echo.polling(headers) as client:
        for method, body in (("GET", None), ("POST", b"4stolen")):
            async with await echo.raw() as thief:
                await thief.send(http(method, client.target, stolen, body))
                response = await thief.read_response()
                assert (response.status, response.body) == (
                    400,
                    b'{"code":1,"message":"Session ID unknown"}',
                )
        upgrade: dict[str, str | None] = dict(stolen)
        response = await refused(echo, f"{PATH}websocket&sid={client.sid}", upgrade)
        assert (response.status, response.body) == (400, b"Session ID unknown")
        await client.post(b"4mine")
        assert await client.packets() == [b"4mine"]
        assert client.client.messages == [b"mine"]


async def test_a_page_of_our_own_names_its_origin_only_sometimes() -> None:
    """Browsers do so with a POST and an upgrade, and not with a GET. Another page cannot come in between."""
    async with echo_server(server=ORIGINS) as echo, await echo.polling() as client:
        assert (await client.post(b"4x", OWN)).body == b"ok"
        assert await client.packets() == [b"4x"]
        assert (await client.post(b"4x", OWN)).body == b"ok"
        assert (await client.post(b"4x", OTHER)).status == 400
        async with await echo.raw() as socket:
            await socket.upgrade(f"{PATH}websocket&sid={client.sid}", dict(OWN))
            await say(socket, "5")
            assert (await socket.read_frame()).payload == b"4x"


async def test_sids_are_not_to_be_guessed() -> None:
    async with echo_server() as echo:
        clients = [await echo.polling() for _ in range(20)]
        sids = {client.sid for client in clients}
        assert len(sids) == 20
        assert all(len(sid) == 20 and sid.replace("-", "a").replace("_", "a").isalnum() for sid in sids)
        for client in clients:
            async with client:
                pass


# --- hostile input (each must leave the server as it was) -------------------------------------------------


async def healthy(echo: EchoServer) -> None:
    """New clients are served, and nothing is left of old ones."""
    async with await echo.polling() as client:
        await client.post(b"4x")
        assert await client.packets() == [b"4x"]
        await client.post(b"1")
    await until(lambda: not echo.server.app.node.websockets)
    assert not echo.engine.sessions
    assert echo.server.app.node.queued_bytes == 0
    assert sum(echo.metrics.connections.values()) == 0
    assert not echo.server.app.node.newcomers._open


@pytest.mark.parametrize(
    "query",
    [
        "EIO=4&transport=constructor",
        "EIO=4&transport=__proto__",
        "EIO=4&transport=toString&sid=__proto__",
        "EIO=4&transport=polling&sid=constructor",
        "EIO=4&transport=polling&sid=" + "x" * 8000,
        "EIO=99&transport=polling",
        "EIO[]=4&transport[]=polling",
        "EIO=4&transport=polling%00",
        "EIO=4&transport=polling&sid=%ff%fe",
        "&" * 5000,
        "=" * 5000,
        "%" * 5000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_queries_that_nobody_means(query: str, method: str) -> None:
    async with echo_server() as echo:
        async with await echo.raw() as client:
            await client.send(http(method, f"/socket.io/?{query}", body=b"4x" if method == "POST" else None))
            response = await client.read_response()
            assert response.status == 400
            assert response.body.startswith(b'{"code":')
        async with await echo.raw() as client:
            with pytest.raises(AssertionError, match="status=400"):
                await client.upgrade(f"/socket.io/?{query}")
        assert not echo.clients
        await healthy(echo)


async def test_a_body_above_the_limit() -> None:
    async with echo_server() as echo:
        async with await echo.polling() as client:
            assert (await client.post(b"4" + b"x" * 999_999)).body == b"ok"
            client.client.silent = True
            response = await client.post(b"4" + b"x" * 1_000_000)
            assert (response.status, response.body) == (413, b"")
            assert "content-type" not in response.headers
            assert echo.metrics.rejected["packet_bytes"] == 1
            await client.writing.send(
                http("POST", client.target, {"Transfer-Encoding": "chunked"})
                + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [b"4" + b"x" * 99_999] * 11)
                + b"0\r\n\r\n"
            )
            assert (await client.writing.read_response()).status == 413
            assert len(client.client.messages) == 1
            assert (await client.post(b"4after")).body == b"ok"  # the session lives on
            assert len(client.client.messages) == 2
            await client.get()
            await client.post(b"1")
        await healthy(echo)


async def test_a_body_of_separators() -> None:
    async with echo_server() as echo:
        async with await echo.polling() as client:
            assert (await client.post(b"\x1e" * 100_000)).body == b"ok"
            assert client.client.ends == [("parse error", False)]
            assert echo.metrics.rejected["packets"] == 1
        await healthy(echo)


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 100, b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x81\xfe\xff\xff", b"\x89\xff" + b"\xff" * 8],
)
@pytest.mark.parametrize("sid", [True, False])
async def test_garbage_right_behind_the_handshake(garbage: bytes, sid: bool) -> None:
    """CVE-2022-21676 and CVE-2023-31125 took the reference down by it."""
    async with echo_server() as echo:
        async with await echo.polling() as client, await echo.raw() as socket:
            await socket.upgrade(PATH + "websocket" + (f"&sid={client.sid}" if sid else ""))
            await socket.send(garbage)
            socket.reset() if garbage.startswith(b"\x81") else await socket.read_end()
            await client.post(b"4x")
            assert await client.packets() == [b"4x"]
            await client.post(b"1")
        await until(lambda: len(echo.engine.sessions) == 0)
        await healthy(echo)


async def test_many_upgrades_at_once() -> None:
    async with echo_server() as echo:
        async with await echo.polling() as client:
            sockets = [await echo.raw() for _ in range(20)]
            for socket in sockets:
                await socket.upgrade(f"{PATH}websocket&sid={client.sid}")
            for socket in sockets[1:]:
                assert (await socket.read_close()).code == 1005
            await say(sockets[0], "5")
            await say(sockets[0], "4x")
            assert (await sockets[0].read_frame()).payload == b"4x"
            for socket in sockets:
                socket.close()
        await until(lambda: not echo.engine.sessions)
        await healthy(echo)


# --- what waits for a poll --------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "ended"), [(9_999, False), (10_000, False), (10_001, True)])
async def test_bytes_that_wait_for_a_poll(size: int, ended: bool) -> None:
    async with echo_server(limits={"queue_bytes": 10_000}) as echo, await echo.polling() as client:
        client.client.send(b"x" * (size - 1))
        async with await echo.raw() as other:  # a turn of the loop later
            await other.send(http("GET", "/socket.io/"))
            await other.read_response()
        assert bool(client.client.ends) is ended
        assert echo.metrics.rejected["queue_bytes"] == int(ended)
        if ended:
            assert client.client.ends == [("transport error", True)]
            assert echo.metrics.disconnects[3002] == 1
            assert (await client.get()).status == 400
        else:
            assert len((await client.get()).body) == size
        assert echo.server.app.node.queued_bytes == 0


async def test_what_one_answer_takes_is_not_counted() -> None:
    async with echo_server(limits={"queue_bytes": 10_000}) as echo, await echo.polling() as client:
        await client.ask()
        await until(lambda: client.client.link.writable)
        client.client.send(b"x" * 50_000)
        assert len((await client.reading.read_response()).body) == 50_001
        assert client.client.ends == []
