"""The wire of curl and EventSource: `GET /v1/sse`, and a POST for each message. HTTP/1.1 by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import msgspec

from bench.faults.wires import (
    CONVERSATION,
    PATIENCE,
    Listener,
    Lost,
    Page,
    Position,
    Refused,
    page_of,
)

SILENCE = 8.0
"""Seconds without a byte after which nobody is there any more: the server writes a comment now and then."""


class Stream:
    """Goes on by `Last-Event-ID`: the positions of all its channels in the order of the URL. It cannot publish but to
    conversations."""

    def __init__(self, address: str, listener: Listener) -> None:
        self._address = address
        self._listener = listener
        self._writer: asyncio.StreamWriter | None = None
        self._events: AsyncIterator[dict[str, Any]] | None = None
        self._attached: set[str] = set()

    async def open(self) -> None:
        listener = self._listener
        channels = "&".join(f"channel={quote(each)}" for each in listener.channels)
        cursors = [listener.position(each) for each in listener.channels]
        headers = {"Accept": "text/event-stream"}
        if any(cursors):
            headers["Last-Event-ID"] = ",".join(
                f"{each.epoch}:{each.offset}" if each is not None else "-" for each in cursors
            )
        try:
            async with asyncio.timeout(PATIENCE):
                reader, self._writer = await connect(self._address)
                self._writer.write(head("GET", f"/v1/sse?{channels}", listener.token, headers))
                status, found = await head_of(reader)
                if status != 200:
                    raise Lost(f"status {status}")
                self._events = events_of(body_of(reader, found, SILENCE))
                while len(self._attached) < len(listener.channels):
                    self._take(await anext(self._events))
        except (OSError, EOFError, TimeoutError, StopAsyncIteration, ValueError) as error:
            self.cut()
            raise Lost(repr(error)) from error
        except Lost:
            self.cut()
            raise

    async def listen(self) -> None:
        assert self._events is not None
        try:
            async for event in self._events:
                self._take(event)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            raise Lost(repr(error)) from error
        finally:
            self.cut()
        raise Lost("the stream has ended")

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed":
            self._attached.add(message["channel"])
            self._listener.attached(message["channel"], message)
        elif message["type"] == "publication":
            self._listener.published(message)

    async def send(self, channel: str, text: str, key: str) -> Position:
        body = msgspec.json.encode({"parts": [{"type": "text", "text": text}]})
        path = f"/v1/conversations/{channel.removeprefix(CONVERSATION)}/messages"
        answer = await self._request("POST", path, body, {"Idempotency-Key": key})
        return Position("", int(answer["message"]["seq"]))

    async def read(self, channel: str) -> Page:
        path = f"/v1/conversations/{channel.removeprefix(CONVERSATION)}/messages"
        if not channel.startswith(CONVERSATION):
            path = f"/v1/channels/{quote(channel)}/history?limit=50&reverse=true"
        return page_of(channel, await self._request("GET", path))

    async def mark(self, channel: str, seq: int) -> None:
        mark = {"conversation": channel.removeprefix(CONVERSATION), "read": seq}
        await self._request("POST", "/v1/receipts", msgspec.json.encode({"marks": [mark]}))

    async def leave(self, channel: str, at_once: Callable[[], None]) -> None:
        raise NotImplementedError

    async def enter(self, channel: str) -> None:
        raise NotImplementedError

    async def _request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        answer = await request(self._address, self._listener.token, method, path, body, headers)
        found: dict[str, Any] = msgspec.json.decode(answer[1])
        if answer[0] >= 400:
            raise Refused(found)
        return found

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port), limit=2**24)


async def request(
    address: str, token: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of an answer, on a connection of its own, which the server closes. Raises Lost."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await connect(address)
            fields = {**(headers or {}), "Connection": "close", "Content-Length": str(len(body))}
            writer.write(head(method, path, token, fields) + body)
            status, found = await head_of(reader)
            return status, await whole(reader, found)
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        raise Lost(repr(error)) from error
    finally:
        if writer is not None:
            writer.transport.abort()


def head(method: str, path: str, token: str, headers: dict[str, str]) -> bytes:
    fields = {"Host": "localhost", "Authorization": f"Bearer {token}", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    return int(head[0].split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}


async def body_of(
    reader: asyncio.StreamReader, headers: dict[str, str], silence: float | None = None
) -> AsyncIterator[bytes]:
    """The parts of a body as they come. Raises EOFError where it ends too early, and TimeoutError after `silence`."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await asyncio.wait_for(reader.readline(), silence) or b"!", 16):
            yield await reader.readexactly(size)
            await reader.readline()
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while part := await asyncio.wait_for(reader.read(65_536), silence):
            yield part


async def whole(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """A body."""
    return b"".join([part async for part in body_of(reader, headers)])


async def events_of(parts: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The objects in the `data` of server-sent events."""
    rest = b""
    with contextlib.suppress(GeneratorExit):
        async for part in parts:
            *events, rest = (rest + part).split(b"\n\n")
            for event in events:
                data = b"\n".join(
                    line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:")
                )
                if data:
                    yield msgspec.json.decode(data)
