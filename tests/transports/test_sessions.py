from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets
from tests.transports.httpclient import (
    EVENT_STREAM,
    HttpSession,
    client,
    lines,
    open_session,
    publish,
    subscribe,
)
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.errors import FORCED, ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(heartbeat={"poll_timeout": 0.5}) as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server) as http:
        yield http


# --- opening ----------------------------------------------------------------------------------------------


async def test_opening_answers_connected_and_where_to_go_on(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    answer = await http.post("/v1/sessions", json={"token": server.token("ada")})
    connected = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (connected["type"], connected["user"]) == ("connected", "ada")
    assert connected["stream"] == {
        "events": f"/v1/sessions/{connected['session']}/events",
        "commands": f"/v1/sessions/{connected['session']}/commands",
        "poll_timeout": 0.5,
    }


async def test_the_token_may_be_in_the_authorization_header(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    answer = await http.post("/v1/sessions", headers={"Authorization": f"Bearer {server.token('bo')}"})
    assert answer.json()["user"] == "bo"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 401, ErrorCode.UNAUTHENTICATED),
        (b"{}", 401, ErrorCode.UNAUTHENTICATED),
        (b'{"token":"x"}', 401, ErrorCode.INVALID_TOKEN),
        (b'{"token":1}', 400, ErrorCode.BAD_REQUEST),
        (b"[]", 400, ErrorCode.BAD_REQUEST),
        (b"{", 400, ErrorCode.BAD_REQUEST),
        (b"\xff", 400, ErrorCode.BAD_REQUEST),
        (b"[" * 50_000, 400, ErrorCode.BAD_REQUEST),
        (b" " * 70_000, 413, ErrorCode.MESSAGE_TOO_LARGE),
        (b'{"resume":{"session":"x","secret":"y"}}', 410, ErrorCode.SESSION_GONE),
        (b'{"resume":{"session":"x"}}', 400, ErrorCode.BAD_REQUEST),
        (b'{"resume":{"session":"x","secret":"y","positions":{"a":{"epoch":"e","offset":1e400}}}}', 400, 107),
    ],
)
async def test_a_refused_opening_says_why(
    server: RunningServer, http: httpx2.AsyncClient, body: bytes, status: int, code: int
) -> None:
    before = server.app.metrics.connections_total()
    answer = await http.post("/v1/sessions", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["name"]
    assert server.app.metrics.connections_total() == before


async def test_an_authorization_that_is_no_bearer_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/sessions", headers={"Authorization": "Basic YTpi"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_hook_that_refuses_answers_with_its_error(server: RunningServer) -> None:
    app = Hubbub(server.app.config)

    @app.on_connect
    async def refuse(session: Session) -> None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "not today")

    async with running_server(app=app) as refusing, client(refusing) as http:
        answer = await http.post("/v1/sessions", json={"token": refusing.token()})
        assert (answer.status_code, answer.json()["message"]) == (403, "not today")
        assert app.metrics.connections_total() == 0


async def test_a_draining_server_takes_no_new_sessions() -> None:
    async with running_server() as server, client(server) as http:
        server.app.hub.draining = True
        answer = await http.post("/v1/sessions", json={"token": server.token()})
        assert (answer.status_code, answer.json()["code"]) == (503, ErrorCode.DRAINING)
        assert int(answer.headers["retry-after"]) >= 1


# --- commands ---------------------------------------------------------------------------------------------


async def test_replies_come_in_order_in_the_answer(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    replies = await session.post(
        subscribe(1, "replies"),
        publish(2, "replies", {"n": 1}),
        {"type": "history", "id": 3, "channel": "replies"},
        {"type": "nonsense", "id": 4},
        {"type": "ping", "id": 5},
    )
    assert [(reply["type"], reply["id"]) for reply in replies] == [
        ("subscribed", 1),
        ("published", 2),
        ("result", 3),
        ("error", 4),
        ("result", 5),
    ]
    assert replies[2]["result"]["publications"][0]["data"] == {"n": 1}


async def test_parallel_posts_get_their_own_replies() -> None:
    async with running_server() as server, client(server) as http:
        release = asyncio.Event()

        @server.app.on("wait")
        async def wait(session: Session) -> str:
            await release.wait()
            return "waited"

        session = await open_session(http, server)
        slow = asyncio.create_task(session.post({"type": "call", "id": 1, "method": "wait"}))
        others = [asyncio.create_task(session.post({"type": "ping", "id": id})) for id in range(2, 8)]
        await asyncio.wait(others, timeout=0.05)
        assert not any(task.done() for task in (slow, *others))
        release.set()
        assert (await slow)[0]["result"] == "waited"
        for id, task in enumerate(others, 2):
            assert [reply["id"] for reply in await task] == [id]


async def test_more_commands_than_may_wait_are_handled_all() -> None:
    async with running_server(limits={"pending_commands": 4}) as server, client(server) as http:

        @server.app.on("turn")
        async def turn(session: Session) -> int:
            await asyncio.sleep(0)
            return 1

        session = await open_session(http, server)
        replies = await session.post(*({"type": "call", "id": id, "method": "turn"} for id in range(1, 60)))
        assert [reply["id"] for reply in replies] == list(range(1, 60))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, ErrorCode.BAD_REQUEST),
        (b"nonsense", 400, ErrorCode.BAD_REQUEST),
        (b'{"type":"ping","id":1}\n{"type"', 400, ErrorCode.BAD_REQUEST),
        (b"\xef\xbb\xbf{}", 400, ErrorCode.BAD_REQUEST),
        (b'{"type":"ping","id":1}\n' * 1_001, 400, ErrorCode.BAD_REQUEST),
        (b'{"a":"' + b"x" * 66_000 + b'"}', 413, ErrorCode.MESSAGE_TOO_LARGE),
        (b"\n" * 1_048_577, 413, ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_whole(
    server: RunningServer, http: httpx2.AsyncClient, body: bytes, status: int, code: int
) -> None:
    session = await open_session(http, server)
    done = server.app.metrics.commands["ping"]
    url = session.connected["stream"]["commands"]
    answer = await http.post(url, content=body, headers=session.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert server.app.metrics.commands["ping"] == done
    assert (await session.post({"type": "ping", "id": 9}))[0]["id"] == 9


async def test_another_users_secret_opens_nothing(server: RunningServer, http: httpx2.AsyncClient) -> None:
    mine, theirs = await open_session(http, server), await open_session(http, server, "eve")
    for method, action in (("POST", "/commands"), ("GET", "/events"), ("DELETE", "")):
        url = f"/v1/sessions/{mine.id}{action}"
        wrong = await http.request(method, url, headers=theirs.headers)
        unknown = await http.request(method, f"/v1/sessions/none{action}", headers=theirs.headers)
        without = await http.request(method, url)
        assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
        assert (wrong.status_code, without.status_code) == (410, 401)
    assert (await mine.post({"type": "ping", "id": 1}))[0]["type"] == "result"


async def test_a_beacon_may_have_its_secret_in_the_url(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    answer = await http.post(
        f"{session.connected['stream']['commands']}?secret={session.secret}",
        content=b'{"type":"ping","id":1}',
    )
    assert lines(answer)[0]["type"] == "result"


# --- events -----------------------------------------------------------------------------------------------


async def test_pushes_come_on_the_stream_numbered(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    async with session.events() as events:
        assert events.response.headers["content-type"] == "text/event-stream"
        assert events.response.headers["cache-control"] == "no-cache, no-transform"
        assert events.response.headers["x-accel-buffering"] == "no"
        await session.post(subscribe(1, "numbered", presence=False))
        for n in range(3):
            await server.app.publish("numbered", "tick", n)
        got = [await events.next() for _ in range(3)]
    assert [(id, item["data"], item["offset"]) for id, item in got] == [("1", 0, 1), ("2", 1, 2), ("3", 2, 3)]


async def test_a_dropped_stream_loses_nothing(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "dropped", presence=False))
    async with session.events() as events:
        await server.app.publish("dropped", "tick", 1)
        await events.next()
        await server.app.publish("dropped", "tick", 2)  # perhaps sent, never read
    await server.app.publish("dropped", "tick", 3)
    async with session.events(last=1) as events:
        assert [(await events.next())[0] for _ in range(2)] == ["2", "3"]


async def test_a_poll_waits_for_the_first_push(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "polled", presence=False))
    poll = asyncio.create_task(session.poll())
    await asyncio.wait([poll], timeout=0.05)
    assert not poll.done()
    await server.app.publish("polled", "tick", 1)
    answer = await poll
    assert (answer.status_code, answer.headers["hubbub-next"]) == (200, "1")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [item["data"] for item in lines(answer)] == [1]


async def test_a_poll_with_nothing_to_say_ends_empty(server: RunningServer, http: httpx2.AsyncClient) -> None:
    answer = await (await open_session(http, server)).poll()
    assert (answer.status_code, answer.content, answer.headers["hubbub-next"]) == (204, b"", "0")


async def test_polls_repeat_until_acknowledged(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "repeated", presence=False))
    for n in (1, 2):
        await server.app.publish("repeated", "tick", n)
    assert [item["data"] for item in lines(await session.poll())] == [1, 2]
    assert [item["data"] for item in lines(await session.poll(ack=0))] == [1, 2]
    await server.app.publish("repeated", "tick", 3)
    answer = await session.poll(ack=1)
    assert ([item["data"] for item in lines(answer)], answer.headers["hubbub-next"]) == ([2, 3], "3")
    assert (await session.poll(ack=3)).status_code == 204


async def test_polls_and_streams_may_take_turns(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "turns", presence=False))
    await server.app.publish("turns", "tick", 1)
    await session.poll()
    await server.app.publish("turns", "tick", 2)
    async with session.events(last=1) as events:
        assert (await events.next())[0] == "2"
        connections = server.app.metrics.connections
        assert connections["sse", "native-json"] >= 1
    await server.app.publish("turns", "tick", 3)
    assert [item["data"] for item in lines(await session.poll(ack=2))] == [3]


@pytest.mark.parametrize("ack", ["-1", "x", "1.5", "9" * 400, "٣", "7", "0x1", "1 "])
async def test_a_number_that_was_never_given_is_refused(
    server: RunningServer, http: httpx2.AsyncClient, ack: str
) -> None:
    session = await open_session(http, server)
    url = session.connected["stream"]["events"]
    for headers, query in (
        (session.headers, {"ack": ack}),
        (session.headers | EVENT_STREAM, {"last_event_id": ack}),
    ):
        answer = await http.get(url, params=query, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, ErrorCode.BAD_REQUEST)


async def test_a_new_reader_takes_over_and_the_old_one_ends(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "taken", presence=False))
    async with session.events() as old, session.events() as new:
        await server.app.publish("taken", "tick", 1)
        assert (await new.next())[1]["data"] == 1
        rest = await old.rest()
        assert [(item["type"], item["code"]) for item in rest] == [("disconnect", 3504)]
    assert session.id not in server.app.hub.detached


async def test_a_new_poll_takes_over_and_the_old_one_ends(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    old = asyncio.create_task(session.poll())
    await asyncio.wait([old], timeout=0.05)
    new = await session.poll()
    assert [item["code"] for item in lines(await old)] == [3504]
    assert new.status_code == 204


# --- the end ----------------------------------------------------------------------------------------------


async def test_delete_ends_the_session_and_its_stream(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    async with session.events() as events:
        answer = await http.delete(f"/v1/sessions/{session.id}", headers=session.headers)
        assert answer.status_code == 204
        assert await events.rest() == []
    assert session.id not in server.app.hub.sessions
    assert (await session.poll()).status_code == 410


async def test_a_session_without_a_reader_is_detached_and_later_ended() -> None:
    async with (
        running_server(
            heartbeat={"ping_interval": 0.3, "ping_timeout": 0.2}, sessions={"resume_window": 0.5}
        ) as server,
        client(server) as http,
    ):
        session = await open_session(http, server)
        hub, connections = server.app.hub, server.app.metrics.connections
        assert connections["poll", "native-json"] == 1
        await until(lambda: session.id in hub.detached)
        assert connections["poll", "native-json"] == 0
        assert (await session.poll()).status_code == 410
        await until(lambda: session.id not in hub.sessions)


async def test_a_forced_disconnect_is_told_at_the_next_poll(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    server.app.hub.sessions[session.id].disconnect(FORCED)
    answer = lines(await session.poll())
    assert [(item["type"], item["code"], item["reconnect"]) for item in answer] == [
        ("disconnect", 3502, False)
    ]
    assert (await session.poll()).status_code == 410


async def test_stopping_the_server_ends_streams_and_polls() -> None:
    async with running_server() as server, client(server) as http:
        first, second = await open_session(http, server), await open_session(http, server)
        async with first.events() as events:
            poll = asyncio.create_task(second.poll())
            await asyncio.wait([poll], timeout=0.05)
            await server.app.stop()
            assert [item["code"] for item in await events.rest()] == [3000]
            assert [item["code"] for item in lines(await poll)] == [3000]


# --- resume, across transports ----------------------------------------------------------------------------


async def resume(http: httpx2.AsyncClient, proof: dict[str, Any]) -> HttpSession:
    answer = await http.post("/v1/sessions", json={"resume": proof})
    assert answer.status_code == 200, answer.text
    return HttpSession(http, answer.json())


async def test_a_websocket_session_goes_on_over_http(server: RunningServer, http: httpx2.AsyncClient) -> None:
    async with websockets.connect(server.websocket_url) as socket:
        await socket.send(json.dumps({"type": "connect", "id": 1, "token": server.token("ada")}))
        connected = json.loads(await socket.recv())
        await socket.send(json.dumps(subscribe(2, "moved", presence=False)))
        position = json.loads(await socket.recv())["position"]
        await socket.close(1001)  # a page that goes away and may come back
    for n in (1, 2):
        await server.app.publish("moved", "tick", n)
    session = await resume(
        http,
        {"session": connected["session"], "secret": connected["secret"], "positions": {"moved": position}},
    )
    assert (session.id, session.connected["user"]) == (connected["session"], "ada")
    assert session.connected["resumed"]
    assert session.connected["recovered"]
    missed = session.connected["subscriptions"][0]["publications"]
    assert [publication["data"] for publication in missed] == [1, 2]
    async with session.events() as events:
        await server.app.publish("moved", "tick", 3)
        assert (await events.next())[1]["data"] == 3


async def test_an_http_session_goes_on_over_a_websocket(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    position = (await session.post(subscribe(1, "back", presence=False)))[0]["position"]
    for n in (1, 2):
        await server.app.publish("back", "tick", n)
    poll = asyncio.create_task(session.poll(ack=2))  # which has nothing to say until the session moves away
    async with websockets.connect(server.websocket_url) as socket:
        await socket.send(json.dumps({"type": "connect", "id": 1, "resume": session.proof(back=position)}))
        connected = json.loads(await socket.recv())
        assert connected["recovered"]
        assert [p["data"] for p in connected["subscriptions"][0]["publications"]] == [1, 2]
        assert [item["code"] for item in lines(await poll)] == [3504]
        await server.app.publish("back", "tick", 3)
        assert json.loads(await socket.recv())["data"] == 3
    assert (await session.poll()).status_code == 410


async def test_a_lost_position_is_said_to_be_lost(server: RunningServer, http: httpx2.AsyncClient) -> None:
    session = await open_session(http, server)
    await session.post(subscribe(1, "lost", presence=False))
    again = await resume(http, session.proof(lost={"epoch": "other", "offset": 1}))
    assert again.connected["resumed"]
    assert not again.connected.get("recovered", False)


async def test_resuming_with_a_wrong_secret_opens_nothing(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    session = await open_session(http, server)
    answer = await http.post("/v1/sessions", json={"resume": session.proof() | {"secret": "wrong"}})
    assert answer.status_code == 410
    assert (await session.post({"type": "ping", "id": 1}))[0]["type"] == "result"
