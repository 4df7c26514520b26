from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from tests.cluster.serving import Node, Three, three
from tests.transports.httpclient import TIMEOUT, HttpSession, lines, publish, subscribe
from tests.waiting import until

from hubbub.cluster.passes import HEADER, Origin
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
Through = Callable[[Node, HttpSession], Awaitable[HttpSession]]


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Three]:
    async with three(heartbeat={"poll_timeout": 0.5}) as running:
        yield running


@pytest.fixture
async def http(cluster: Three) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=cluster.url, timeout=TIMEOUT) as http:
        yield http


async def opened(http: httpx2.AsyncClient, cluster: Three, user: str = "ada") -> HttpSession:
    answer = await http.post("/v1/sessions", json={"token": cluster.token(user)})
    assert answer.status_code == 200, answer.text
    return HttpSession(http, answer.json())


def at(node: Node) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{node.port}", timeout=TIMEOUT)


@pytest.fixture
async def clients() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def through(clients: contextlib.AsyncExitStack) -> Through:
    """The same session, all of whose requests go to one node."""

    async def through(node: Node, session: HttpSession) -> HttpSession:
        return HttpSession(await clients.enter_async_context(at(node)), session.connected)

    return through


# --- native sessions ----------------------------------------------------------------------------------------------


async def test_each_request_may_come_to_another_node(cluster: Three, http: httpx2.AsyncClient) -> None:
    before = len(cluster.balancer.failed)
    session = await opened(http, cluster)
    (reply,) = await session.post(subscribe(1, "news"))
    assert reply["type"] == "subscribed"
    got: list[Any] = []
    ack = 0
    for number in range(20):
        await session.post(publish(number + 2, "news", number))
        answer = await session.poll(ack)
        got += [each["data"] for each in lines(answer) if each["type"] == "publication"]
        ack = int(answer.headers["hubbub-next"])
    while len(got) < 20:
        answer = await session.poll(ack)
        got += [each["data"] for each in lines(answer) if each["type"] == "publication"]
        ack = int(answer.headers["hubbub-next"])
    assert got == list(range(20))
    assert len(cluster.balancer.served) == 3
    answer = await http.delete(f"/v1/sessions/{session.id}", headers=session.headers)
    assert answer.status_code == 204
    assert session.id not in cluster.node(session.id).app.hub.sessions
    assert cluster.balancer.failed[before:] == []


async def test_a_stream_comes_as_it_is_written(
    cluster: Three, http: httpx2.AsyncClient, through: Through
) -> None:
    session = await opened(http, cluster)
    await session.post(subscribe(1, "stream"))
    other = await through(cluster.others(session.id)[0], session)
    async with other.events() as events:
        for number in range(5):
            await session.post(publish(number + 2, "stream", number))
            assert (await events.until("publication"))[1]["data"] == number
        assert events.response.headers["content-type"] == "text/event-stream"
        assert events.response.headers.get_list("date") == [events.response.headers["date"]]


async def test_a_client_that_leaves_its_stream_is_missed_where_its_session_is(
    cluster: Three, http: httpx2.AsyncClient, through: Through
) -> None:
    session = await opened(http, cluster)
    owner = cluster.node(session.id)
    mailbox: Any = owner.app.hub.sessions[session.id].connection
    other = await through(cluster.others(session.id)[0], session)
    async with other.events():
        await until(lambda: mailbox._reader is not None)
    await until(lambda: mailbox._reader is None)


async def test_a_wrong_secret_is_refused_wherever_it_comes(cluster: Three, http: httpx2.AsyncClient) -> None:
    session = await opened(http, cluster)
    for node in cluster.nodes:
        async with at(node) as http:
            path = session.connected["stream"]["events"]
            answer = await http.get(path, headers={"Hubbub-Session-Secret": "wrong"})
            assert (answer.status_code, answer.json()["code"]) == (410, ErrorCode.SESSION_GONE)
            assert "hubbub-node" not in answer.headers
            assert (await http.get(path)).status_code == 401


async def test_a_body_is_limited_where_it_comes_in(cluster: Three, http: httpx2.AsyncClient) -> None:
    session = await opened(http, cluster)
    size = cluster.nodes[0].app.config.limits.body_bytes + 1
    for node in cluster.nodes:
        async with at(node) as http:
            path = session.connected["stream"]["commands"]
            answer = await http.post(path, content=b" " * size, headers=session.headers)
            assert answer.status_code == 413


async def test_ids_that_no_node_has_made_are_gone(cluster: Three) -> None:
    id = cluster.nodes[0].nodes.id
    async with at(cluster.nodes[1]) as http:
        for session in (id + "x" * 20, "nodeZZ" + "x" * 20, "x"):
            answer = await http.get(f"/v1/sessions/{session}/events", headers={"Hubbub-Session-Secret": "x"})
            assert (answer.status_code, answer.json()["code"]) == (410, ErrorCode.SESSION_GONE)


async def test_a_session_that_has_moved_is_found_by_all(
    cluster: Three, http: httpx2.AsyncClient, through: Through
) -> None:
    first = await opened(http, cluster)
    await first.post(subscribe(1, "moved"))
    left: Any = cluster.node(first.id).app.hub.sessions[first.id].connection
    b, c = cluster.others(first.id)
    async with at(b) as there:
        answer = await there.post("/v1/sessions", json={"resume": first.proof()})
        assert (answer.status_code, answer.json()["session"]) == (200, first.id)
        session = HttpSession(there, answer.json())
    assert first.id in b.app.hub.sessions
    for node in (c, cluster.node(first.id), c, b):
        through_it = await through(node, session)
        (reply,) = await through_it.post(publish(2, "moved", "x"))
        assert reply["type"] == "published"
    left._forget()  # as some time later
    for node in (cluster.node(first.id), c):
        node.claims._gone.clear()
        node.claims._known.clear()
    await b.claims._records.flush()
    (reply,) = await (await through(c, session)).post(publish(3, "moved", "y"))
    assert reply["type"] == "published"
    await until(lambda: c.claims.node(first.id) == b.nodes.id)


# --- by what nodes know each other ------------------------------------------------------------------------------


async def test_nobody_else_can_say_that_he_hands_something_on(
    cluster: Three, http: httpx2.AsyncClient
) -> None:
    session = await opened(http, cluster)
    path = session.connected["stream"]["events"]
    a, b, _ = cluster.nodes
    passes: Any = a.forwarder._passes
    good = passes.write(b.nodes.id, Origin("192.0.2.77", "https"), "GET", path.encode())
    other = passes.write(b.nodes.id, Origin("192.0.2.77", "https"), "GET", b"/v1/other")
    not_mine = passes.write(a.nodes.id, Origin("192.0.2.77", "https"), "GET", path.encode())
    async with at(b) as http:
        for value in (
            b"",
            b"x",
            good[:-1] + (b"1" if good.endswith(b"0") else b"0"),
            other,
            not_mine,
            good + b" x",
        ):
            answer = await http.get(path, headers=session.headers | {HEADER.decode(): value.decode()})
            assert answer.status_code == 403, value


async def test_the_owner_sees_the_client_and_not_the_node_between(cluster: Three) -> None:
    a, b, _ = cluster.nodes
    passes: Any = a.forwarder._passes
    value = passes.write(b.nodes.id, Origin("192.0.2.77", "https"), "POST", b"/v1/sessions")
    async with at(b) as http:
        answer = await http.post(
            "/v1/sessions", json={"token": cluster.token("zoe")}, headers={HEADER.decode(): value.decode()}
        )
    (session,) = b.app.hub.users["zoe"]
    assert answer.status_code == 200
    assert session.info.address == "192.0.2.77"


async def test_what_was_handed_on_is_not_handed_on_again(cluster: Three, http: httpx2.AsyncClient) -> None:
    session = await opened(http, cluster)
    path = session.connected["stream"]["events"]
    b, c = cluster.others(session.id)
    passes: Any = c.forwarder._passes
    value = passes.write(b.nodes.id, Origin("192.0.2.77", "http"), "GET", path.encode())
    async with at(b) as http:
        answer = await http.get(path, headers=session.headers | {HEADER.decode(): value.decode()})
    assert answer.status_code == 410
    assert answer.headers["hubbub-node"] == cluster.node(session.id).nodes.id


# --- nodes that are gone ----------------------------------------------------------------------------------------


async def test_the_client_is_told_when_the_node_of_its_session_cannot_be_reached(through: Through) -> None:
    async with three() as cluster, httpx2.AsyncClient(base_url=cluster.url, timeout=TIMEOUT) as http:
        session = await opened(http, cluster)
        a, (b, _) = cluster.node(session.id), cluster.others(session.id)
        stream = await through(b, session)
        async with stream.events() as events:
            await a.ends.aclose()  # its sockets are closed, but its lease holds
            assert [each["type"] for each in await rest(events)] in ([], ["disconnect"])
        answer = await stream.poll()
        assert (answer.status_code, answer.json()["code"]) == (503, ErrorCode.NODE_UNAVAILABLE)
        assert answer.headers["retry-after"] == "1"
        await a.nodes.stop()
        await until(lambda: a.nodes.id not in b.nodes.others)
        answer = await stream.poll()
        assert (answer.status_code, answer.json()["code"]) == (410, ErrorCode.SESSION_GONE)


async def rest(events: Any) -> list[Any]:
    try:
        found: list[Any] = await events.rest()
    except httpx2.TransportError:  # cut off in the midst
        return []
    return found


async def test_a_request_that_waits_at_a_node_that_dies_is_answered(through: Through) -> None:
    async with three() as cluster, httpx2.AsyncClient(base_url=cluster.url, timeout=TIMEOUT) as http:
        session = await opened(http, cluster)
        a, (b, _) = cluster.node(session.id), cluster.others(session.id)
        stream = await through(b, session)
        waiting = asyncio.create_task(stream.poll())
        mailbox: Any = a.app.hub.sessions[session.id].connection
        await until(lambda: mailbox._reader is not None)
        a.vanish()
        answer = await waiting
        assert answer.status_code == 503
        assert json.loads(answer.text)["temporary"]
