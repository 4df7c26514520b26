"""Sessions by long-polling: GETs that wait, POSTs that bring, and the ends of both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.transports.engineio.echo import PATH, EchoServer, Poller, echo_server, http, opened
from tests.waiting import until

from hubbub.errors import DRAIN, FORCED, SLOW
from hubbub.testing.raw import Response

pytestmark = pytest.mark.anyio

POLLING = PATH + "polling"
UNKNOWN_SID = (400, b'{"code":1,"message":"Session ID unknown"}')


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    async with echo_server(limits={"packet_bytes": 1000, "packets": 40}) as running:
        yield running


def said(response: Response) -> tuple[int, bytes]:
    return response.status, response.body


async def hanging(client: Poller) -> None:
    """Send a GET, and see it wait."""
    await client.ask()
    await until(lambda: client.client.link.writable)


# --- what goes well ---------------------------------------------------------------------------------------


async def test_a_session_opens_with_its_packet(echo: EchoServer) -> None:
    async with await echo.raw() as client:
        await client.send(http("GET", POLLING))
        response = await client.read_response()
        assert response.status == 200
        assert response.headers["content-type"] == "text/plain; charset=UTF-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "Origin"
        assert "connection" not in response.headers
        assert "date" in response.headers
        fields = opened(response.body)
        assert len(fields.pop("sid")) == 20
        assert fields == {
            "upgrades": ["websocket"],
            "pingInterval": 25000,
            "pingTimeout": 20000,
            "maxPayload": 1000,
        }
        assert echo.metrics.connections["polling", "socketio"] == 1
        assert echo.metrics.http_requests["2xx"] == 1
        link = echo.clients[0].link
        assert (link.info.transport, link.info.query) == ("polling", "EIO=4&transport=polling")
        assert ("host", "localhost") in link.info.headers


@pytest.mark.parametrize(
    "options", [{"upgrades": False}, {"transports": ("polling",)}], ids=["upgrades", "transports"]
)
async def test_no_upgrades_are_offered_that_are_not_there(options: dict[str, Any]) -> None:
    async with echo_server(socketio=options) as echo, await echo.raw() as client:
        await client.send(http("GET", POLLING))
        assert opened((await client.read_response()).body)["upgrades"] == []


async def test_messages_go_both_ways(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        response = await client.post("4hé\x1ebAAE=\x1e4".encode())
        assert said(response) == (200, b"ok")
        assert response.headers["content-type"] == "text/html"
        assert response.headers["cache-control"] == "no-store"
        assert await client.packets() == ["4hé".encode(), b"bAAE=", b"4"]
        assert client.client.messages == ["hé".encode(), b"\x00\x01", b""]


async def test_a_poll_waits_for_something_to_say(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        client.client.send(b"a")
        assert not client.client.link.writable
        client.client.send(b"b")
        assert said(await client.reading.read_response()) == (200, b"4a\x1e4b")


@pytest.mark.parametrize("count", [1, 15, 16, 17, 32, 33, 1000])
async def test_an_answer_holds_sixteen_packets(echo: EchoServer, count: int) -> None:
    async with await echo.polling() as client:
        expected = [b"4%d" % number for number in range(count)]
        for packet in expected:
            client.client.send(packet[1:])
        received: list[bytes] = []
        while len(received) < count:
            packets = await client.packets()
            assert len(packets) == min(16, count - len(received))
            received += packets
        assert received == expected
        assert not client.client.link.writable
        assert echo.server.app.node.queued_bytes == 0


async def test_one_event_of_many_packets_is_parted(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        link = client.client.link
        client.client.send(b"first")
        link.write(b"\x1e".join(b"4%d" % number for number in range(20)))
        client.client.send(b"last")
        assert await client.packets() == [b"4first", *(b"4%d" % number for number in range(15))]
        assert await client.packets() == [*(b"4%d" % number for number in range(15, 20)), b"4last"]


@pytest.mark.parametrize("packets", [b"0", b"5", b"6", b"3", b"3x", b"0{}\x1e5\x1e6"])
async def test_packets_without_a_meaning_here_are_passed_over(echo: EchoServer, packets: bytes) -> None:
    async with await echo.polling() as client:
        assert said(await client.post(packets)) == (200, b"ok")
        await client.post(b"4x")
        assert await client.packets() == [b"4x"]


async def test_any_content_type_but_one(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        for kind in ("text/plain;charset=UTF-8", "application/json", "application/octet-stream; x=y"):
            assert said(await client.post(b"4x", {"Content-Type": kind})) == (200, b"ok")
        assert len(client.client.messages) == 3


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "code", "message"),
    [
        ("GET", "/socket.io/", 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=4&transport=constructor", 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=4&transport=__proto__", 0, "Transport unknown"),
        ("POST", "/socket.io/?EIO=4&transport=x&sid=nope", 0, "Transport unknown"),
        ("GET", POLLING + "&sid=nope", 1, "Session ID unknown"),
        ("GET", POLLING + "&sid=__proto__", 1, "Session ID unknown"),
        ("POST", "/socket.io/?EIO=3&transport=polling&sid=nope", 1, "Session ID unknown"),
        ("POST", POLLING, 2, "Bad handshake method"),
        ("PUT", POLLING + "&sid=", 2, "Bad handshake method"),
        ("OPTIONS", POLLING, 2, "Bad handshake method"),
        ("GET", PATH + "websocket", 3, "Bad request"),
        ("GET", "/socket.io/?transport=polling", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=3&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=99&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=4&transport=polling&EIO=abc", 5, "Unsupported protocol version"),
    ],
)
async def test_refusals(echo: EchoServer, method: str, target: str, code: int, message: str) -> None:
    async with await echo.raw() as client:
        await client.send(http(method, target, body=b"4x" if method == "POST" else None))
        response = await client.read_response()
        assert response.status == 400
        assert response.headers["content-type"] == "application/json"
        assert json.loads(response.body) == {"code": code, "message": message}
        assert response.body.startswith(b'{"code":%d,"message":"' % code)
        await client.send(http("GET", POLLING))  # the connection goes on
        assert (await client.read_response()).status == 200
        assert len(echo.clients) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_do_no_harm(echo: EchoServer, method: str) -> None:
    async with await echo.polling() as client:
        await client.writing.send(http(method, client.target, body=b"4x"))
        response = await client.writing.read_response()
        assert said(response) == (500, b"")
        assert "content-type" not in response.headers
        await client.post(b"4x")
        assert await client.packets() == [b"4x"]


@pytest.mark.parametrize(
    ("sid", "status"), [("", b"400 Bad Request"), ("known", b"500 Internal Server Error")]
)
async def test_the_head_alone(echo: EchoServer, sid: str, status: bytes) -> None:
    async with await echo.polling() as client:
        await client.writing.send(http("HEAD", client.target if sid else POLLING) + http("PUT", "/x"))
        head = await client.writing.read_some()
        assert head.startswith(b"HTTP/1.1 " + status)
        assert b'{"code":2' not in head


async def test_the_version_goes_with_every_request(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await client.writing.send(http("POST", client.target.replace("EIO=4", "EIO=3"), body=b"4x"))
        assert said(await client.writing.read_response()) == (400, b'{"code":3,"message":"Bad request"}')
        await client.post(b"4x")
        assert await client.packets() == [b"4x"]


async def test_the_sid_of_a_websocket_does_not_poll(echo: EchoServer) -> None:
    async with await echo.websocket() as client, await echo.raw() as other:
        sid = echo.clients[0].link.id
        for target in (f"{POLLING}&sid={sid}", f"{PATH}websocket&sid={sid}"):
            await other.send(http("GET", target))
            assert said(await other.read_response()) == (400, b'{"code":3,"message":"Bad request"}')
        await client.send(b"")


# --- ends -------------------------------------------------------------------------------------------------


async def ended(client: Poller, why: str, resumable: bool = True) -> None:
    """The session is known to nobody any more."""
    assert client.client.ends == [(why, resumable)]
    async with await client.echo.raw() as other:
        await other.send(http("GET", client.target, client.headers))
        assert said(await other.read_response()) == UNKNOWN_SID
    assert not client.echo.engine.sessions
    assert client.echo.metrics.connections["polling", "socketio"] == 0
    assert client.echo.server.app.node.queued_bytes == 0


async def test_two_polls_at_once(echo: EchoServer) -> None:
    async with await echo.polling() as client, await echo.raw() as other:
        await hanging(client)
        await other.send(http("GET", client.target))
        response = await other.read_response()
        assert said(response) == (400, b"")
        assert "content-type" not in response.headers
        assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "transport error")


async def test_two_posts_at_once(echo: EchoServer) -> None:
    async with await echo.polling() as client, await echo.raw() as other:
        await hanging(client)
        await client.writing.send(http("POST", client.target, body=b"4first")[:-1])
        await echo_has_read(echo)
        await other.send(http("POST", client.target, body=b"4second"))
        assert said(await other.read_response()) == (400, b"")
        assert await client.writing.read_end() in ("closed", "reset")
        assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "transport error")
        assert client.client.messages == []


async def echo_has_read(echo: EchoServer) -> None:
    """All that has been sent so far has been read: a request after it was answered."""
    async with await echo.raw() as other:
        await other.send(http("GET", "/socket.io/"))
        await other.read_response()


async def test_bytes_for_a_text(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        response = await client.post(b"4x", {"Content-Type": "application/octet-stream"})
        assert said(response) == (400, b"")
        assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "transport error")
        assert client.client.messages == []


@pytest.mark.parametrize(
    ("body", "why", "resumable"),
    [(b"", "parse error", False), (b"4a\x1e", "parse error", False), (b"4a\x1e\x1e4b", "parse error", False),
     (b"4a\x1e9", "parse error", False), (b"4a\x1ebAA", "parse error", False), (b"4\xff", "parse error", False),
     (b"4a\x1e2", "transport error", True), (b"4a\x1e2probe\x1e4b", "transport error", True)],
)  # fmt: skip
@pytest.mark.parametrize("hangs", [True, False])
async def test_packets_that_end_a_session(
    echo: EchoServer, body: bytes, why: str, resumable: bool, hangs: bool
) -> None:
    async with await echo.polling() as client:
        client.client.silent = True
        if hangs:
            await hanging(client)
        assert said(await client.post(body)) == (200, b"ok")
        if hangs:
            assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, why, resumable)
        assert client.client.messages == ([b"a"] if body.startswith(b"4a") else [])


async def test_packets_at_and_above_their_limit(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        client.client.silent = True
        assert said(await client.post(b"\x1e".join([b"4"] * 40))) == (200, b"ok")
        assert len(client.client.messages) == 40
        assert echo.metrics.rejected["packets"] == 0
        assert said(await client.post(b"\x1e".join([b"4"] * 41))) == (200, b"ok")
        assert echo.metrics.rejected["packets"] == 1
        await ended(client, "parse error", False)
        assert len(client.client.messages) == 40


@pytest.mark.parametrize("hangs", [True, False])
async def test_the_client_closes(echo: EchoServer, hangs: bool) -> None:
    async with await echo.polling() as client:
        if hangs:
            await hanging(client)
        assert said(await client.post(b"1\x1e4late")) == (200, b"ok")
        if hangs:
            assert said(await client.reading.read_response()) == (200, b"6")
        await ended(client, "transport close")
        assert client.client.messages == []


async def test_a_poll_whose_client_leaves(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        client.reading.reset()
        await until(lambda: client.client.ends)
        await ended(client, "transport error")


async def test_a_post_whose_client_leaves(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        await client.writing.send(http("POST", client.target, body=b"4first")[:-1])
        client.writing.close()
        assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "transport error")


# --- the server closes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "why"), [(DRAIN, "server shutting down"), (FORCED, "forced close"), (SLOW, "transport error")]
)
async def test_a_close_answers_the_poll(echo: EchoServer, reason: Any, why: str) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        client.client.link.close(reason)
        client.client.link.close(reason)
        client.client.send(b"after the end")
        assert said(await client.reading.read_response()) == (200, b"1")
        assert echo.metrics.disconnects[reason.code] == 1
        await ended(client, why, reason.resumable)


async def test_a_close_behind_last_words(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await hanging(client)
        client.client.send(b"bye")
        client.client.link.close(FORCED)
        assert said(await client.reading.read_response()) == (200, b"4bye")
        assert said(await client.get()) == (200, b"6\x1e1")
        await ended(client, "forced close", False)


async def test_a_close_waits_for_the_polls_that_fetch_the_rest(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        for number in range(20):
            client.client.send(b"%d" % number)
        client.client.link.close(FORCED)
        assert client.client.ends == [("forced close", False)]
        assert said(await client.post(b"4late")) == (200, b"ok")
        assert len(await client.packets()) == 16
        assert len(await client.packets()) == 4
        assert await client.packets() == [b"6", b"1"]
        await ended(client, "forced close", False)
        assert client.client.messages == []


async def test_a_close_cuts_off_a_post_that_is_being_read(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        await client.writing.send(http("POST", client.target, body=b"4first")[:-1])
        await echo_has_read(echo)
        client.client.link.close(FORCED)
        assert await client.writing.read_end() in ("closed", "reset")
        assert await client.packets() == [b"6", b"1"]


@pytest.mark.parametrize("hangs", [True, False])
async def test_an_abort_drops_what_waits(echo: EchoServer, hangs: bool) -> None:
    async with await echo.polling() as client:
        if hangs:
            await hanging(client)
        client.client.send(b"bye")
        client.client.link.abort(SLOW)
        if hangs:
            assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "transport error")


async def test_the_end_of_the_server(echo: EchoServer) -> None:
    async with await echo.polling() as client, await echo.polling() as other:
        await hanging(client)
        other.client.send(b"unread")
        await echo.engine.stop()
        assert said(await client.reading.read_response()) == (200, b"1")
        await ended(client, "server shutting down")
        await ended(other, "server shutting down")


# --- back-pressure ----------------------------------------------------------------------------------------


async def test_a_paused_session_holds_the_answer_of_a_post(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        link = client.client.link
        link.pause()
        await client.writing.send(http("POST", client.target, body=b"4a"))
        await echo_has_read(echo)
        assert client.client.messages == []
        link.resume()
        assert said(await client.writing.read_response()) == (200, b"ok")
        assert client.client.messages == [b"a"]


async def test_a_pause_by_what_a_post_brings(echo: EchoServer) -> None:
    async with await echo.polling() as client:
        receive, link = client.client.receive, client.client.link

        def pausing(data: bytes, binary: bool) -> None:
            receive(data, binary)
            link.pause()

        client.client.receive = pausing  # type: ignore[method-assign]
        await client.writing.send(http("POST", client.target, body=b"4a\x1e4b"))
        await until(lambda: len(client.client.messages) == 2)
        async with await echo.raw() as other:  # still one at a time
            await other.send(http("POST", client.target, body=b"4c"))
            assert said(await other.read_response()) == (400, b"")
        assert said(await client.writing.read_response()) == (200, b"ok")
        await ended(client, "transport error")
