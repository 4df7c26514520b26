"""The mailbox's numbers, over a fake ASGI and a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from hubbub.app import Hubbub
from hubbub.auth import tokens
from hubbub.config import Config, development
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Connect, Connected, Ping, Subscribe
from hubbub.testing.clock import FakeClock
from hubbub.transports.http import Exchange
from hubbub.transports.mailbox import Mailbox

pytestmark = pytest.mark.anyio


class Get:
    """A GET that reads, until `leave`."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._left = asyncio.Event()
        scope = {"method": "GET", "path": "/", "headers": [], "query_string": b""}
        self.exchange = Exchange(scope, self._receive, self._send, Counter())

    async def _receive(self) -> MutableMapping[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    def leave(self) -> None:
        self._left.set()

    @property
    def ids(self) -> list[int]:
        return [int(line[4:]) for line in self.body.splitlines() if line.startswith(b"id: ")]

    @property
    def data(self) -> list[Any]:
        lines = [line for line in self.body.splitlines() if line.startswith((b"data: ", b"{"))]
        return [json.loads(line.removeprefix(b"data: ")) for line in lines]


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.app = Hubbub(development(Config(), secrets.token_urlsafe(32)), clock=self.clock)
        self.forgotten = 0

    async def mailbox(self) -> Mailbox:
        """A mailbox whose session is in channel `a`."""
        secret = self.app.config.auth.hmac_secret
        assert secret is not None
        token = tokens.mint(secret.get_secret_value(), "ada", now=self.clock.now(), ttl=600)
        mailbox = Mailbox(self.app.node, Get().exchange, set())
        (reply,) = await mailbox.execute([Connect(0, token)])
        assert isinstance(reply, Connected)
        await mailbox.execute([Subscribe(1, "a", presence=False)])
        mailbox.begin(reply.secret, self._forget)
        return mailbox

    def _forget(self) -> None:
        self.forgotten += 1

    async def publish(self, *data: Any) -> None:
        for each in data:
            await self.app.publish("a", "tick", each)
        self.clock.advance(0)
        await turn()

    async def stream(self, mailbox: Mailbox, seen: int | None = None) -> tuple[Get, asyncio.Task[None]]:
        get = Get()
        task = asyncio.create_task(mailbox.stream(get.exchange, seen))
        await turn()
        return get, task

    async def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.25)):
            self.clock.advance(0.25)
            await turn()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.app.start()
    yield world
    await world.app.stop()


async def test_what_a_stream_sent_is_kept_until_it_must_have_arrived(world: World) -> None:
    mailbox = await world.mailbox()
    get, task = await world.stream(mailbox)
    await world.publish(1, 2)
    await world.pass_time(9)
    get.leave()
    await task
    again, task = await world.stream(mailbox, seen=0)
    assert again.ids == [1, 2]
    again.leave()
    await task


async def test_a_reader_that_comes_back_too_late_is_told_so(world: World) -> None:
    mailbox = await world.mailbox()
    get, task = await world.stream(mailbox)
    await world.publish(1, 2)
    await world.pass_time(40)
    get.leave()
    await task
    again, task = await world.stream(mailbox, seen=1)
    await task
    assert [item["code"] for item in again.data] == [3003]
    assert world.forgotten == 1
    assert len(world.app.hub.detached) == 1  # it can resume with its positions


async def test_one_that_has_everything_goes_on_after_any_time(world: World) -> None:
    mailbox = await world.mailbox()
    get, task = await world.stream(mailbox)
    await world.publish(1, 2)
    await world.pass_time(40)
    get.leave()
    await task
    again, task = await world.stream(mailbox, seen=2)
    await world.publish(3)
    assert (again.ids, [item["data"] for item in again.data]) == ([3], [3])
    again.leave()
    await task


async def test_a_silent_stream_gets_a_comment_in_time(world: World) -> None:
    mailbox = await world.mailbox()
    get, task = await world.stream(mailbox)
    await world.pass_time(7)
    assert get.body.count(b": \n") == 1
    await world.pass_time(60)
    assert 9 <= get.body.count(b": \n") <= 13
    get.leave()
    await task


async def test_without_a_reader_it_is_given_up_after_the_grace(world: World) -> None:
    mailbox = await world.mailbox()
    await world.pass_time(8)
    assert world.forgotten == 0
    await mailbox.execute([Ping(1)])  # whoever sends is there
    await world.pass_time(8)
    assert world.forgotten == 0
    await world.pass_time(2)
    assert world.forgotten == 1
    with pytest.raises(HubbubError) as gone:
        await mailbox.execute([Ping(2)])
    assert gone.value.code is ErrorCode.SESSION_GONE
    assert world.app.metrics.connections_total() == 0


async def test_an_open_stream_keeps_it(world: World) -> None:
    mailbox = await world.mailbox()
    get, task = await world.stream(mailbox)
    await world.pass_time(60)
    assert world.forgotten == 0
    get.leave()
    await task
    await world.pass_time(10)
    assert world.forgotten == 1


async def test_what_is_acknowledged_is_let_go(world: World) -> None:
    mailbox = await world.mailbox()
    await world.publish(1, 2, 3)
    assert world.app.node.queued_bytes > 0
    get = Get()
    await mailbox.poll(get.exchange, 2)
    assert [item["data"] for item in get.data] == [3]
    assert world.app.node.queued_bytes == 0
    with pytest.raises(HubbubError):
        await mailbox.poll(Get().exchange, 4)


async def test_one_answer_to_a_poll_is_bounded(world: World) -> None:
    mailbox = await world.mailbox()
    await world.publish(*["x" * 30_000] * 5)
    first, second = Get(), Get()
    await mailbox.poll(first.exchange, None)
    await mailbox.poll(second.exchange, 2)
    assert [item["offset"] for item in first.data] == [1, 2]
    assert [item["offset"] for item in second.data] == [3, 4]
