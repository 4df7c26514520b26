from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import sseclient
from tests.transports.httpclient import Events, client
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Position, Principal
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.sse import cursor, parse_cursor

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(namespaces={"bare": {"subscribe": "authenticated"}}) as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server) as http:
        yield http


class Stream(Events):
    """The events without those about presence."""

    async def next(self) -> tuple[str | None, Any]:
        while True:
            id, item = await super().next()
            if item["type"] not in ("join", "leave"):
                return id, item


def listen(
    http: httpx2.AsyncClient, server: RunningServer, *channels: str, last: str | None = None, **query: str
) -> Any:
    headers = {} if last is None else {"Last-Event-ID": last}
    if not query:
        headers["Authorization"] = f"Bearer {server.token()}"
    return http.stream("GET", "/v1/sse", params={"channel": channels, **query}, headers=headers)


# --- the cursor, purely -----------------------------------------------------------------------------------

ONE = Position("ab", 7)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("ab:7", [ONE]),
        ("ab:7,-", [ONE, None]),
        ("-,ab:7,-", [None, ONE, None]),
        ("ab:0,c_-9:12", [Position("ab", 0), Position("c_-9", 12)]),
    ],
)
def test_cursors_are_read_as_written(text: str, positions: list[Position | None]) -> None:
    assert parse_cursor(text, len(positions)) == positions
    assert cursor(positions) == text


HOSTILE_IDS = [
    "",
    "7",
    "ab",
    "ab:",
    ":7",
    "ab:-7",
    "ab:7:8",
    "ab:7,cd:8",
    "ab:1e3",
    "ab:٧",
    "ab:" + "9" * 400,
    "a" * 1_000_000 + ":1",
    "," * 1_000_000,
    "ab:7\n",
    "ab:7\x00",
    "a b:7",
    "constructor:__proto__",
    "ab:9223372036854775808",
    "\ud800:1",
]


@pytest.mark.parametrize("text", HOSTILE_IDS, ids=lambda text: ascii(text[:20]))
def test_what_is_no_cursor_knows_no_position(text: str) -> None:
    assert parse_cursor(text, 1) == [None]


def test_without_a_log_there_is_no_cursor() -> None:
    assert cursor([None, None]) is None


# --- streams ----------------------------------------------------------------------------------------------


async def test_one_channel_by_a_real_sse_client(server: RunningServer) -> None:
    """sseclient reads in a thread, as its users do."""
    events: list[sseclient.Event] = []
    ready, done = threading.Event(), threading.Event()

    def read() -> None:
        with httpx2.stream(
            "GET", f"{server.url}/v1/sse?channel=real&token={server.token()}", timeout=10
        ) as response:
            for event in sseclient.SSEClient(response.iter_bytes()).events():
                events.append(event)
                ready.set()
                if len(events) == 4:
                    break
        done.set()

    thread = asyncio.create_task(asyncio.to_thread(read))
    await until(lambda: ready.is_set() or thread.done())
    await until(lambda: len(events) == 2)  # subscribed, and its own join
    await server.app.publish("real", "tick", {"text": "line\nbreak \u2028 and\rmore"})
    await server.app.publish("real", "tick", 2)
    await until(done.is_set)
    await thread
    assert {event.event for event in events} == {"message"}
    objects = [json.loads(event.data) for event in events]
    assert [item["type"] for item in objects] == ["subscribed", "join", "publication", "publication"]
    assert objects[2]["data"] == {"text": "line\nbreak \u2028 and\rmore"}
    assert events[3].id == f"{objects[3]['epoch']}:{objects[3]['offset']}"


async def test_last_event_id_recovers_what_was_missed(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with listen(http, server, "missed") as response:
        stream = Stream(response)
        last, first = await stream.next()
        assert (first["type"], first.get("recovered", False)) == ("subscribed", False)
    for n in (1, 2):
        await server.app.publish("missed", "tick", n)
    async with listen(http, server, "missed", last=last) as response:
        stream = Stream(response)
        id, subscribed = await stream.next()
        assert subscribed["recovered"]
        assert "publications" not in subscribed
        assert id == last  # nothing has been told yet
        got = [await stream.next() for _ in range(2)]
        assert [item["data"] for _, item in got] == [1, 2]
    query = f"channel=missed&last_event_id={got[0][0]}&token={server.token()}"
    async with http.stream("GET", f"/v1/sse?{query}") as response:
        stream = Stream(response)
        await stream.next()
        assert (await stream.next())[1]["data"] == 2


async def test_several_channels_have_one_cursor(server: RunningServer, http: httpx2.AsyncClient) -> None:
    names = ("many-a", "bare:b", "many-c")
    async with listen(http, server, *names) as response:
        stream = Stream(response)
        told = [await stream.next() for _ in names]
        assert [item["channel"] for _, item in told] == list(names)
        await server.app.publish("many-a", "tick", 1)
        id, _ = await stream.next()
        await server.app.publish("bare:b", "tick", 2)
        assert (await stream.next())[0] is None
    assert id is not None
    assert [part.partition(":")[2] for part in id.split(",")] == ["1", "", "0"]
    assert id.split(",")[1] == "-"
    await server.app.publish("many-c", "tick", 3)
    await server.app.publish("many-a", "tick", 4)
    async with listen(http, server, *names, last=id) as response:
        stream = Stream(response)
        items = [(await stream.next())[1] for _ in range(5)]
    items_told = [(i["type"], i["channel"], i.get("recovered"), i.get("data")) for i in items]
    assert items_told == [
        ("subscribed", "many-a", True, None),
        ("publication", "many-a", None, 4),
        ("subscribed", "bare:b", None, None),
        ("subscribed", "many-c", True, None),
        ("publication", "many-c", None, 3),
    ]


@pytest.mark.parametrize("last", ["forged:1", "x", "-7", "a:-1", "9" * 5000, "a:1,b:2", ":", "\x7f\x01"])
async def test_a_hostile_last_event_id_recovers_nothing(
    server: RunningServer, http: httpx2.AsyncClient, last: str
) -> None:
    await server.app.publish("hostile", "tick", 1)
    query = {"channel": "hostile", "token": server.token(), "last_event_id": last}
    async with http.stream("GET", "/v1/sse", params=query) as response:
        assert response.status_code == 200
        _, subscribed = await Stream(response).next()
        assert not subscribed.get("recovered", False)


async def test_another_channels_last_event_id_recovers_nothing(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    position = await server.app.publish("theirs", "secret", 1)
    await server.app.publish("mine", "tick", 1)
    await server.app.publish("theirs", "secret", 2)
    assert position is not None
    async with listen(http, server, "mine", last=f"{position.epoch}:{position.offset}") as response:
        stream = Stream(response)
        assert not (await stream.next())[1].get("recovered", False)
        await server.app.publish("mine", "tick", 2)
        assert (await stream.next())[1]["data"] == 2


async def test_a_head_of_a_megabyte_is_refused(server: RunningServer) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        b"GET /v1/sse?channel=a HTTP/1.1\r\nHost: x\r\nLast-Event-ID: " + b"9" * 1_000_000 + b"\r\n\r\n"
    )
    assert b" 431 " in await reader.readline()
    writer.close()


async def test_one_channel_streams_share_their_encoding(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with listen(http, server, "shared") as one, listen(http, server, "shared") as two:
        streams = Stream(one), Stream(two)
        for stream in streams:
            await stream.next()
        before = server.app.metrics.encodes
        await server.app.publish("shared", "tick", 1)
        got = [await stream.next() for stream in streams]
        assert got[0] == got[1]
        assert server.app.metrics.encodes == before + 1


async def test_a_stream_is_counted_while_it_is_open(server: RunningServer, http: httpx2.AsyncClient) -> None:
    connections, hub = server.app.metrics.connections, server.app.hub
    before = connections["sse", "native-json"]
    async with listen(http, server, "counted") as response:
        await Stream(response).next()
        assert connections["sse", "native-json"] == before + 1
        assert hub.channels["counted"].size == 1
    await until(lambda: "counted" not in hub.channels)
    assert connections["sse", "native-json"] == before
    assert not hub.sessions
    assert not hub.detached


# --- credentials ------------------------------------------------------------------------------------------


async def test_a_ticket_works_once_and_for_its_channels(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    ticket = await server.app.tickets.issue(Principal("ada"), ["ticketed"])
    async with listen(http, server, "ticketed", ticket=ticket) as response:
        assert (await Stream(response).next())[1]["type"] == "subscribed"
    other = await server.app.tickets.issue(Principal("ada"), ["ticketed"])
    for used, channel in ((ticket, "ticketed"), (other, "elsewhere"), ("x", "ticketed")):
        async with listen(http, server, channel, ticket=used) as response:
            assert response.status_code == 401
            assert json.loads(await response.aread())["code"] == ErrorCode.TICKET_INVALID


@pytest.mark.parametrize("channels", [("passed",), ("passed", "bare:x")], ids=["one", "several"])
async def test_an_event_source_with_a_ticket_comes_back_by_its_pass(
    server: RunningServer, http: httpx2.AsyncClient, channels: tuple[str, ...]
) -> None:
    """It reconnects with the same URL, and so the same ticket, as browsers do."""
    ticket = await server.app.tickets.issue(Principal("ida"), channels)
    async with listen(http, server, *channels, ticket=ticket) as response:
        stream = Stream(response)
        for _ in channels:
            first, _item = await stream.next()
        await server.app.publish("passed", "tick", 1)
        seen, item = await stream.until("publication")
        assert item["data"] == 1
    assert first is not None
    assert seen is not None
    await server.app.publish("passed", "tick", 2)
    async with listen(http, server, *channels, ticket=ticket, last=seen) as response:
        assert response.status_code == 200
        stream = Stream(response)
        _, item = await stream.next()
        assert item["recovered"]
        again, item = await stream.until("publication")
        assert item["data"] == 2
    for last in (first, seen, "ab:7~x.y", again + "x" if again else ""):  # used up, or never given
        async with listen(http, server, *channels, ticket=ticket, last=last) as response:
            assert response.status_code == 401
    async with listen(http, server, "elsewhere", ticket=ticket, last=again) as response:
        assert response.status_code == 401  # the pass opens no more than the ticket did
    assert {session.user for session in server.app.hub.sessions.values()} >= {
        "ida"
    }  # and was not used up by that
    async with listen(http, server, *channels, ticket=ticket, last=again) as response:
        assert response.status_code == 200


async def test_a_pass_ends_with_the_resume_window() -> None:
    async with running_server(sessions={"resume_window": 0.0}) as server, client(server) as http:
        ticket = await server.app.tickets.issue(Principal("ida"), ["passed"])
        async with listen(http, server, "passed", ticket=ticket) as response:
            seen, _ = await Stream(response).next()
        await until(lambda: not server.app.hub.sessions)
        async with listen(http, server, "passed", ticket=ticket, last=seen) as response:
            assert response.status_code == 401


async def test_channels_that_the_token_enters_are_recovered_too(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    position = await server.app.publish("entered", "tick", 1)
    await server.app.publish("entered", "tick", 2)
    assert position is not None
    query = {
        "channel": "entered",
        "token": server.token("cy", subscribe=["entered", "beside"]),
        "last_event_id": cursor([position]),
    }
    async with http.stream("GET", "/v1/sse", params=query) as response:
        stream = Stream(response)
        while ((told := (await stream.next())[1]) and told["channel"] != "entered") or "id" not in told:
            pass
        assert told["recovered"]
        assert (await stream.next())[1]["data"] == 2
        await server.app.publish("beside", "tick", 3)
        id, item = await stream.until("publication")
        assert (id, item["channel"]) == (None, "beside")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, ErrorCode.BAD_REQUEST),
        ("channel=a", 401, ErrorCode.UNAUTHENTICATED),
        ("channel=a&token=x", 401, ErrorCode.INVALID_TOKEN),
        ("channel=a&token=x&token=y", 400, ErrorCode.BAD_REQUEST),
        ("channel=a&ticket=x&ticket=y", 400, ErrorCode.BAD_REQUEST),
        ("channel=&token=TOKEN", 400, ErrorCode.INVALID_CHANNEL),
        ("channel=a%0Ab&token=TOKEN", 400, ErrorCode.INVALID_CHANNEL),
        ("channel=%FF&token=TOKEN", 400, ErrorCode.BAD_REQUEST),
        ("channel=*&token=TOKEN", 400, ErrorCode.INVALID_CHANNEL),
        ("channel=session:x&token=TOKEN", 403, ErrorCode.PERMISSION_DENIED),
        ("channel=fine&channel=session:x&token=TOKEN", 403, ErrorCode.PERMISSION_DENIED),
        ("&".join(f"channel=c{n}" for n in range(129)) + "&token=TOKEN", 422, ErrorCode.LIMIT_EXCEEDED),
        ("&" * 5000 + "channel=a", 400, ErrorCode.BAD_REQUEST),
    ],
)
async def test_a_refusal_before_the_stream_has_its_status(
    server: RunningServer, http: httpx2.AsyncClient, query: str, status: int, code: int
) -> None:
    before = set(server.app.hub.sessions)
    answer = await http.get(f"/v1/sse?{query.replace('TOKEN', server.token())}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    await until(lambda: server.app.metrics.connections["sse", "native-json"] == 0)
    assert set(server.app.hub.sessions) == before


async def test_a_draining_server_takes_no_new_streams() -> None:
    async with running_server() as server, client(server) as http:
        server.app.hub.draining = True
        answer = await http.get("/v1/sse", params={"channel": "a", "token": server.token()})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_policy_that_hangs_is_given_up() -> None:
    async with running_server(limits={"handshake_timeout": 0.3}) as server, client(server) as http:

        @server.app.authorize("subscribe", "slow")
        async def hang(session: Session, channel: str) -> bool:
            await asyncio.Event().wait()
            return True

        answer = await http.get("/v1/sse", params={"channel": "slow", "token": server.token()})
        assert (answer.status_code, answer.json()["code"]) == (504, ErrorCode.TIMEOUT)
        assert not server.app.hub.sessions


async def test_no_credential_of_a_url_reaches_the_policy(server: RunningServer) -> None:
    """The query is in no ConnectionInfo: a policy that logs what it is shown logs no secret."""
    seen: list[str] = []

    class Curious:
        async def authenticate(self, token: str | None, info: Any) -> Principal:
            seen.append(repr(info) + repr(info.headers))
            return Principal("x")

        async def authorize(self, *_: Any) -> None:
            raise HubbubError(ErrorCode.PERMISSION_DENIED)

    async with running_server(policy=Curious()) as curious, client(curious) as http:
        await http.get("/v1/sse", params={"channel": "a", "token": "s3cr3t"})
    assert seen
    assert "s3cr3t" not in seen[0]


# --- the end ----------------------------------------------------------------------------------------------


async def test_the_server_says_why_before_it_ends_a_stream() -> None:
    async with (
        running_server() as server,
        client(server) as http,
        listen(http, server, "ending") as response,
    ):
        stream = Stream(response)
        await stream.next()
        (session,) = server.app.hub.sessions.values()
        await server.app.stop()
        rest = await stream.rest()
    assert [(item["type"], item.get("code")) for item in rest] == [("disconnect", 3000)]
    assert session.closed


async def test_a_silent_stream_gets_comments() -> None:
    async with (
        running_server(heartbeat={"sse_comment": 0.3}) as server,
        client(server) as http,
        listen(http, server, "silent") as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith(":"):
                break
