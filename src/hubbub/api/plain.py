"""Requests that are answered without Litestar: what is sent and fetched is too large to be held in memory at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hubbub.api.errors import body_of, headers_of
from hubbub.attachments.uploads import Cut
from hubbub.errors import ErrorCode, HubbubError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

PATIENCE = 30.0
"""Seconds without a byte of a body."""
SLOWEST = 1_024.0
"""Bytes a second that a body comes at, all in all, after `PATIENCE`."""
WRITTEN = 65_536
"""Bytes that are given to the server at once: it takes the next when most of them are on the way."""
QUERY_FIELDS = 20


class StalledError(Cut):
    """The body does not come, or too slowly."""


class PlainRequest:
    """A request, and its answer. `started`: it is too late to refuse."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.mounted: str = scope["state"]["mounted"]
        self.started = False
        self._receive = receive
        self._send = send
        self._whole = False

    # --- the request --------------------------------------------------------------------------------------

    def header(self, name: str) -> str | None:
        """The value of a header that may be there once. Raises BAD_REQUEST if it is there twice."""
        wanted = name.lower().encode()
        found = [value for key, value in self.scope["headers"] if key.lower() == wanted]
        if len(found) > 1:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"the header {name} may be there once")
        return found[0].decode("latin-1") if found else None

    def number(self, name: str) -> int | None:
        """The value of a header that is a number, as it is written without a sign. Raises BAD_REQUEST."""
        value = self.header(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 16):
            raise HubbubError(ErrorCode.BAD_REQUEST, f"{name}: must be a number", field=name)
        return int(value)

    def query(self) -> dict[str, str]:
        """The query's fields. Raises BAD_REQUEST for what cannot be read, and for one that is there twice."""
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode("latin-1"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=QUERY_FIELDS,
            )
        except ValueError:
            raise HubbubError(ErrorCode.BAD_REQUEST, "the query cannot be read") from None
        found = dict(pairs)
        if len(found) < len(pairs):
            raise HubbubError(ErrorCode.BAD_REQUEST, "a field of the query is there twice")
        return found

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Cut when the client has left, and StalledError."""
        loop = asyncio.get_running_loop()
        began, size = loop.time(), 0
        while not self._whole:
            left = began + PATIENCE + size / SLOWEST - loop.time()
            try:
                async with asyncio.timeout(min(PATIENCE, left)):
                    message = await self._receive()
            except TimeoutError:
                raise StalledError from None
            if message["type"] != "http.request":
                raise Cut
            self._whole = not message.get("more_body", False)
            chunk = message.get("body", b"")
            size += len(chunk)
            if chunk:
                yield chunk

    # --- the answer ---------------------------------------------------------------------------------------

    async def respond(self, status: int, headers: Iterable[Header] = (), body: bytes = b"") -> None:
        """The whole answer at once. What is left of the body of the request is not read: the connection ends."""
        given = list(headers)
        if status != 204:
            given.append((b"content-length", b"%d" % len(body)))
        if not self._whole and self._has_body():
            given.append((b"connection", b"close"))
        await self._start(status, given)
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def bare(self, status: int, headers: Iterable[Header]) -> None:
        """An answer that is all headers."""
        await self._start(status, list(headers))
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(
        self, error: HubbubError, status: int | None = None, headers: Iterable[Header] = ()
    ) -> None:
        """Answer with `error`, as the rest of the API does."""
        said = [(name.lower().encode(), value.encode()) for name, value in headers_of(error).items()]
        body = msgspec.json.encode(body_of(error))
        given = [(b"content-type", b"application/json"), *said, *headers]
        await self.respond(status or error.info.status, given, body)

    async def stream(
        self,
        status: int,
        headers: Iterable[Header],
        content: AsyncIterator[bytes],
        within: float,
        close: Callable[[], object] | None,
    ) -> None:
        """Send `content`, unless the client leaves. If it takes nothing for `within` seconds, or the content cannot be
        read, `close` ends the connection; without it whoever serves us does, for what is raised."""
        await self._start(status, list(headers))
        leaving = asyncio.create_task(self._gone())
        try:
            async for chunk in content:
                for begin in range(0, len(chunk), WRITTEN):
                    if leaving.done():
                        return
                    part = chunk[begin : begin + WRITTEN]
                    async with asyncio.timeout(within):
                        await self._send({"type": "http.response.body", "body": part, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        except (TimeoutError, HubbubError):
            if close is None:
                raise
            close()  # a whole answer it can be no more
            await leaving
        finally:
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving

    def _has_body(self) -> bool:
        fields = dict(self.scope["headers"])
        return b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0"

    async def _gone(self) -> None:
        while (await self._receive())["type"] == "http.request":
            pass

    async def _start(self, status: int, headers: list[Header]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
