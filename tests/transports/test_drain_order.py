"""The order in which a server sends its clients away, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from tests.hub.world import World, settle
from tests.waiting import until

from hubbub.hub.session import Session
from hubbub.testing.server import running_server
from hubbub.transports.drain import CLAIMING, PATIENCE, Drain, in_time
from hubbub.transports.node import Node
from hubbub.transports.sse import RETRY_SPREAD

pytestmark = pytest.mark.anyio


class Ending:
    """A node with clients, and its end."""

    def __init__(self, world: World, window: float) -> None:
        self.world = world
        self.drain = Drain(Node(world.config, world.clock, world.hub, {}), window)
        self.task = asyncio.ensure_future(self.drain.run())

    async def advance(self, seconds: float, step: float = 0.01) -> None:
        for _ in range(round(seconds / step)):
            self.world.clock.advance(step)
            await settle()


async def ending(clients: int, window: float) -> tuple[Ending, list[Any]]:
    world = await World().start()
    here = [await world.connected(f"user-{number}", "lobby") for number in range(clients)]
    for client in here:
        client.take()
    end = Ending(world, window)
    await settle()
    return end, here


def closed(world: World, client: Any) -> bool:
    """As the link does it: it tells the hub once it is down."""
    if client.connection.closed is not None and client.connection.session is not None:
        client.drop()
    return client.connection.closed is not None


async def test_all_are_advised_at_once_and_sent_away_evenly() -> None:
    end, clients = await ending(40, 4.0)
    assert end.world.hub.draining
    for client in clients:
        (advice,) = client.take("advice")
        assert (advice["reconnect_after"], advice["spread"]) == (0.0, 4.0)
    counts = []
    for _ in range(4):
        await end.advance(1.0)
        counts.append(sum(client.connection.closed is not None for client in clients))
    assert counts in ([10, 20, 30, 40], [9, 19, 29, 39])  # one may be due just now
    await end.advance(0.1)
    assert {client.connection.closed.code for client in clients} == {3000}
    await end.task


async def test_nobody_is_waited_for_where_there_is_nobody() -> None:
    end, _ = await ending(0, 60.0)
    assert end.task.done()


async def test_few_clients_have_the_whole_window_between_them() -> None:
    end, clients = await ending(2, 10.0)
    await end.advance(4.9, step=0.1)
    assert [client.connection.closed is not None for client in clients] == [True, False]
    await end.advance(0.2, step=0.1)
    assert [client.connection.closed is not None for client in clients] == [True, True]


async def test_many_go_in_steps_that_are_no_shorter_than_a_twentieth_of_a_second() -> None:
    end, clients = await ending(30, 0.5)
    before, steps = 0, []
    for _ in range(52):
        await end.advance(0.01)
        now = sum(client.connection.closed is not None for client in clients)
        if now != before:
            steps.append(now - before)
        before = now
    assert steps == [3] * 10


async def test_a_second_signal_sends_all_away_that_are_left() -> None:
    end, clients = await ending(10, 60.0)
    await end.advance(7.0, step=0.1)
    assert sum(client.connection.closed is not None for client in clients) == 2
    end.drain.hurry()
    async with asyncio.timeout(5):
        await end.task
    assert all(client.connection.closed is not None for client in clients)


async def test_a_command_under_way_is_answered_and_not_waited_for_without_end() -> None:
    end, clients = await ending(2, 1.0)
    quick, never = (end.world.hub.sessions[client.session] for client in clients)
    held: dict[Session, bool] = {quick: True, never: True}

    class Busy(Session):
        __slots__ = ()

        @property
        def busy(self) -> bool:
            return held[self]

    for session in (quick, never):
        session.__class__ = Busy
    await end.advance(1.5, step=0.05)
    assert [client.connection.closed is not None for client in clients] == [False, False]
    held[quick] = False
    await end.advance(0.1)
    assert [client.connection.closed is not None for client in clients] == [True, False]
    await end.advance(PATIENCE, step=0.05)
    assert end.task.done()


class NoClaims:
    """Another node may ask for sessions here."""

    fence = float("inf")


async def test_the_node_stays_until_the_others_have_taken_what_it_has_sent_away() -> None:
    end, clients = await ending(2, 1.0)
    hub = end.world.hub
    hub.claims = NoClaims()  # type: ignore[assignment]
    for _ in range(22):
        await end.advance(0.05)
        for client in clients:
            closed(end.world, client)
    assert set(hub.detached) == {client.session for client in clients}
    assert not end.task.done()
    hub.claims = None
    for session in list(hub.detached.values()):
        hub.end(session, None)  # as a claim does
    await end.advance(0.2)
    assert end.task.done()


async def test_and_not_for_longer_than_they_need() -> None:
    end, clients = await ending(1, 1.0)
    end.world.hub.claims = NoClaims()  # type: ignore[assignment]
    await end.advance(0.05, step=0.05)
    assert closed(end.world, clients[0]), "who is alone is not kept waiting"
    await end.advance(CLAIMING - 0.2, step=0.05)
    assert not end.task.done()
    await end.advance(0.4, step=0.05)
    assert end.task.done()
    end.world.hub.claims = None


async def test_what_does_not_end_is_not_waited_for() -> None:
    stuck = asyncio.Event()
    async with asyncio.timeout(5):
        await in_time(stuck.wait(), 0.01)


async def test_polls_and_streams_are_answered_and_told_when_to_come_back() -> None:
    async with running_server() as server, httpx2.AsyncClient(base_url=server.url, timeout=10) as http:
        opened = (await http.post("/v1/sessions", json={"token": server.token()})).json()
        secret = {"Hubbub-Session-Secret": opened["secret"]}
        poll = asyncio.create_task(http.get(opened["stream"]["events"], headers=secret))
        lines: list[str] = []

        async def read() -> None:
            url = f"/v1/sse?channel=news&token={server.token('bob')}"
            async with http.stream("GET", url) as response:
                lines.extend([line async for line in response.aiter_lines()])

        stream = asyncio.create_task(read())
        hub = server.app.hub
        await until(lambda: sum(bool(each.subscriptions) for each in hub.sessions.values()) == 1)
        await until(lambda: len(hub.sessions) == 2)
        await Drain(server.app.node, 0.2).run()
        async with asyncio.timeout(5):
            await stream
            told = (await poll).text
        if "disconnect" not in told:  # the poll was answered with the advice
            told += (await http.get(opened["stream"]["events"], headers=secret, params={"ack": "1"})).text
        assert "advice" in told
        assert '"disconnect"' in told
        retries = [int(line.removeprefix("retry: ")) for line in lines if line.startswith("retry: ")]
        assert len(retries) == 3, "at the begin, with the advice, at the end"
        assert RETRY_SPREAD[0] <= retries[-1] < RETRY_SPREAD[1]
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        refused = await http.post("/v1/sessions", json={"token": server.token()})
        assert (refused.status_code, refused.json()["name"]) == (503, "draining")
