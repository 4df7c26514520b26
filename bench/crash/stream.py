"""The wire of curl and EventSource: `GET /v1/sse`, and a POST for each message. HTTP/1.1 by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import msgspec

from bench.crash.wires import CHANNEL, PATIENCE, Listener, Lost, Refused


class Stream:
    """Goes on by `Last-Event-ID`: the positions of all its channels in the order of the URL."""

    def __init__(self, port: int, listener: Listener) -> None:
        self._port = port
        self._listener = listener
        self._writer: asyncio.StreamWriter | None = None
        self._events: AsyncIterator[dict[str, Any]] | None = None
        self._attached: set[str] = set()

    async def open(self) -> None:
        listener = self._listener
        channels = "&".join(f"channel={quote(CHANNEL + each)}" for each in listener.conversations)
        cursors = [listener.position(each) for each in listener.conversations]
        headers = {"Accept": "text/event-stream"}
        if any(cursors):
            headers["Last-Event-ID"] = ",".join(
                f"{each.epoch}:{each.offset}" if each is not None else "-" for each in cursors
            )
        try:
            async with asyncio.timeout(PATIENCE):
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
                self._writer.write(self._head("GET", f"/v1/sse?{channels}", headers))
                status, found = await _head(reader)
                if status != 200:
                    raise Lost(f"status {status}")
                self._events = _events(_body(reader, found))
                while len(self._attached) < len(listener.conversations):
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
        except (OSError, EOFError, ValueError) as error:
            raise Lost(repr(error)) from error
        finally:
            self.cut()
        raise Lost("the stream has ended")

    def _take(self, message: dict[str, Any]) -> None:
        conversation = message.get("channel", "").removeprefix(CHANNEL)
        if message["type"] == "subscribed":
            self._attached.add(conversation)
            self._listener.attached(conversation, message)
        elif message["type"] == "publication":
            self._listener.published(message["data"])

    async def send(self, conversation: str, text: str, key: str) -> int:
        body = msgspec.json.encode({"parts": [{"type": "text", "text": text}]})
        path = f"/v1/conversations/{conversation}/messages"
        answer = await self._request("POST", path, body, {"Idempotency-Key": key})
        return int(answer["message"]["seq"])

    async def read(self, conversation: str) -> list[dict[str, Any]]:
        answer = await self._request("GET", f"/v1/conversations/{conversation}/messages")
        found: list[dict[str, Any]] = answer["messages"]
        return found

    async def _request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """On a connection of its own, which is closed by the server. Raises Lost and Refused."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                fields = {**(headers or {}), "Connection": "close", "Content-Length": str(len(body))}
                writer.write(self._head(method, path, fields) + body)
                status, found = await _head(reader)
                data = b"".join([part async for part in _body(reader, found)])
            answer: dict[str, Any] = msgspec.json.decode(data)
        except (OSError, EOFError, TimeoutError, ValueError, msgspec.DecodeError) as error:
            raise Lost(repr(error)) from error
        finally:
            if writer is not None:
                writer.transport.abort()
        if status >= 400:
            raise Refused(answer)
        return answer

    def _head(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        fields = {"Host": "localhost", "Authorization": f"Bearer {self._listener.token}", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in head[1:] if line)
    return int(head[0].split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """The parts of a body as they come. Raises EOFError where it ends too early."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline() or b"!", 16):
            yield await reader.readexactly(size)
            await reader.readline()
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while part := await reader.read(65_536):
            yield part


async def _events(parts: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
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
