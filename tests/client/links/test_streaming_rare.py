"""What happens over HTTP at rare moments, by a server that is a table of answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hubbub.client.failures import EndedError, LostError
from hubbub.client.http import Answer
from hubbub.client.links import streaming
from hubbub.client.links.base import Place
from hubbub.client.links.streaming import STILLBORN, HttpLink
from hubbub.client.state import Transport
from hubbub.errors import REVOKED
from hubbub.model import Connect, DisconnectPush, Ping

pytestmark = pytest.mark.anyio
CONNECTED = {
    "type": "connected",
    "id": 1,
    "session": "s1",
    "secret": "x",
    "user": "ada",
    "ping_interval": 6.0,
    "ping_timeout": 3.0,
    "resume_window": 60.0,
    "stream": {
        "events": "/v1/sessions/s1/events",
        "commands": "/v1/sessions/s1/commands",
        "poll_timeout": 25,
    },
}
ENDED = {"type": "disconnect", "code": int(REVOKED.code), "reason": "revoked", "reconnect": False}


class Table:
    """The link's `Http`. Streams are lost before they begin; `poll` answers polls, `post` commands."""

    url = "http://server.test"

    def __init__(self, poll: Callable[[], Any], post: Callable[[], Any]) -> None:
        self.poll, self.post = poll, post
        self.streams = 0

    async def request(self, method: str, path: str, **_: Any) -> Answer:
        if path == streaming.PATH:
            return Answer(200, {}, json.dumps(CONNECTED).encode())
        answer: Answer = await (self.post if method == "POST" else self.poll)()
        return answer

    @contextlib.asynccontextmanager
    async def open(self, method: str, path: str, **_: Any) -> AsyncIterator[Any]:
        self.streams += 1
        raise LostError("cut off")
        yield

    def close(self) -> None:
        pass


async def never() -> Answer:
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def link_to(table: Table, transport: Transport) -> HttpLink:
    link = HttpLink(Place(table.url, None), transport)
    link._http = table  # type: ignore[assignment]
    await link.begin(Connect(1, token="t"))
    return link


async def end_of(link: HttpLink) -> tuple[list[Any], Exception]:
    """What is told, and what ends it."""
    told: list[Any] = []
    async with asyncio.timeout(10):
        try:
            while True:
                told += await link.receive()
        except Exception as error:
            return told, error


async def test_it_polls_where_streams_are_cut_off_before_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "delay", lambda attempt: 0.0)
    polled = asyncio.Event()

    async def poll() -> Answer:
        polled.set()
        return await never()

    table = Table(poll, never)
    link = await link_to(table, "sse")
    async with asyncio.timeout(10):
        await polled.wait()
    assert (table.streams, link.transport) == (STILLBORN, "polling")
    await link._stop()


async def test_what_is_read_says_why_though_the_answer_to_a_post_is_faster() -> None:
    gone = asyncio.Event()

    async def post() -> Answer:
        gone.set()
        return Answer(410, {}, b'{"type":"error","code":119,"message":"gone"}')

    async def poll() -> Answer:
        await gone.wait()
        await asyncio.sleep(0)
        return Answer(200, {}, json.dumps(ENDED).encode() + b"\n")

    link = await link_to(Table(poll, post), "polling")
    await link.send(Ping(2))
    async with asyncio.timeout(10):
        while not (told := await link.receive()):
            pass  # it polls now
    (said,) = told
    assert isinstance(said, DisconnectPush)
    assert said.code == REVOKED.code
    await link._stop()


async def test_where_nothing_says_why_the_answer_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "GONE_GRACE", 0.0)

    async def post() -> Answer:
        return Answer(410, {}, b'{"type":"error","code":119,"message":"gone"}')

    link = await link_to(Table(never, post), "polling")
    await link.send(Ping(2))
    told, error = await end_of(link)
    assert told == []
    assert isinstance(error, EndedError)
    assert "410" in str(error)
    await link._stop()
