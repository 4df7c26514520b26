"""What the tests of HTTP sessions share: a client of the protocol that does what it is told and no more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from hubbub.testing.server import RunningServer

EVENT_STREAM = {"Accept": "text/event-stream"}
TIMEOUT = 10.0


class Events:
    """Server-sent events of an open response, one by one."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.comments = 0

    async def next(self) -> tuple[str | None, Any]:
        """The id and the object of the next event with data. Raises StopAsyncIteration at the end."""
        id, data = None, None
        while True:
            line = await anext(self._lines)
            if line.startswith(":"):
                self.comments += 1
            elif line.startswith("id: "):
                id = line[4:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and data is not None:
                return id, data

    async def until(self, type: str) -> tuple[str | None, Any]:
        """The next event whose object is of that type."""
        while True:
            id, item = await self.next()
            if item["type"] == type:
                return id, item

    async def rest(self) -> list[Any]:
        """The objects up to the end of the stream."""
        items = []
        while True:
            try:
                items.append((await self.next())[1])
            except StopAsyncIteration:
                return items


class HttpSession:
    """A session over HTTP."""

    def __init__(self, http: httpx2.AsyncClient, connected: dict[str, Any]) -> None:
        self.http = http
        self.connected = connected
        self.id: str = connected["session"]
        self.secret: str = connected["secret"]
        self.headers = {"Hubbub-Session-Secret": self.secret}

    async def post(self, *commands: dict[str, Any]) -> list[Any]:
        """Send commands; their replies."""
        body = "\n".join(map(json.dumps, commands)).encode()
        answer = await self.http.post(
            self.connected["stream"]["commands"], content=body, headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    async def poll(self, ack: int | None = None) -> httpx2.Response:
        query = {} if ack is None else {"ack": str(ack)}
        return await self.http.get(self.connected["stream"]["events"], params=query, headers=self.headers)

    @asynccontextmanager
    async def events(self, last: int | str | None = None) -> AsyncIterator[Events]:
        headers = self.headers | EVENT_STREAM | ({} if last is None else {"Last-Event-ID": str(last)})
        async with self.http.stream("GET", self.connected["stream"]["events"], headers=headers) as response:
            yield Events(response)

    def proof(self, **positions: Any) -> dict[str, Any]:
        return {"session": self.id, "secret": self.secret, "positions": positions}


@asynccontextmanager
async def client(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT) as http:
        yield http


async def open_session(http: httpx2.AsyncClient, server: RunningServer, user: str = "ada") -> HttpSession:
    answer = await http.post("/v1/sessions", json={"token": server.token(user)})
    assert answer.status_code == 200, answer.text
    return HttpSession(http, answer.json())


def lines(response: httpx2.Response) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


def subscribe(id: int, channel: str, **more: Any) -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "channel": channel, **more}


def publish(id: int, channel: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"type": "publish", "id": id, "channel": channel, "data": data, **more}
