"""One HTTP request and its answer over ASGI, with limits of size and time, and refusals in JSON."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from hubbub.errors import ErrorCode, HubbubError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

TRANSPORT = "hubbub.transport"
"""The ASGI extension by which our own server shows the socket's transport; its connections are admitted already."""

FORWARDED = "hubbub.forwarded"
"""In the scope of a request that another node has handed on."""

JSON = b"application/json"
NDJSON = b"application/x-ndjson"
NO_STORE = (b"cache-control", b"no-store")
QUERY_FIELDS = 1_000
REQUEST_TIMEOUT = 408


class Socket(Protocol):
    """What is used of an asyncio.Transport."""

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int: ...


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused; the same as in the REST API."""

    code: int
    name: str
    message: str
    temporary: bool
    field: str | None = None
    retry_after: float | None = None


class Gone(Exception):
    """The client has left before its request was whole: there is nobody to answer."""


class Exchange:
    """A request that is being answered. `path` is relative to where the application is mounted; `started` tells
    whether the answer has begun, so that it is too late to refuse."""

    __slots__ = (
        "_body_read",
        "_receive",
        "_requests",
        "_send",
        "_values",
        "method",
        "path",
        "scope",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, requests: Counter[str]) -> None:
        """`requests` counts the answers by the class of their status."""
        self.scope = scope
        self._requests = requests
        self.method: str = scope["method"]
        self.path = route_path(scope)
        self._receive = receive
        self._send = send
        self._body_read = False
        self._values: list[tuple[str, str]] | None = None
        self.started = False  # the answer

    # --- the request --------------------------------------------------------------------------------------

    def header(self, name: bytes) -> str | None:
        """The value of a header that may be there once. Raises BAD_REQUEST if it is there twice."""
        values = header_values(self.scope, name)
        if len(values) > 1:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"the header {name.decode()} may be there once")
        return values[0] if values else None

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer`. Raises UNAUTHENTICATED for other schemes."""
        value = self.header(b"authorization")
        if value is None:
            return None
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "Authorization must be `Bearer` and a token")
        return token.strip()

    def query(self, name: str) -> str | None:
        """The value of a query parameter. Raises BAD_REQUEST if it is there twice."""
        values = self.query_all(name)
        if len(values) > 1:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"?{name}= may be there once", field=name)
        return values[0] if values else None

    def query_all(self, name: str) -> list[str]:
        if self._values is None:
            text = self.scope.get("query_string", b"").decode("latin-1")
            try:
                self._values = parse_qsl(
                    text, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS
                )
            except ValueError as error:
                raise HubbubError(ErrorCode.BAD_REQUEST, "the query cannot be read") from error
        return [value for key, value in self._values if key == name]

    async def body(self, limit: int, within: float) -> bytes:
        """The whole body. Raises MESSAGE_TOO_LARGE, TIMEOUT after `within` seconds, and Gone."""
        length = self.header(b"content-length")
        if length is not None and length.isascii() and length.isdigit() and int(length[:20]) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(within):
                while not self._body_read:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        raise Gone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise _too_large(limit)
                    chunks.append(chunk)
                    self._body_read = not message.get("more_body", False)
        except TimeoutError:
            raise HubbubError(
                ErrorCode.TIMEOUT, f"the request's body took longer than {within:g} s"
            ) from None
        return b"".join(chunks)

    async def gone(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] == "http.request":
            pass

    @property
    def forwarded(self) -> bool:
        """Whether another node has handed the request on."""
        return FORWARDED in self.scope

    @property
    def socket(self) -> Socket | None:
        """The socket's transport, under our own server."""
        socket: Socket | None = (self.scope.get("extensions") or {}).get(TRANSPORT)
        return socket

    # --- the answer ---------------------------------------------------------------------------------------

    async def respond(
        self, status: int, body: bytes = b"", content_type: bytes = JSON, headers: Headers = ()
    ) -> None:
        """The whole answer at once; never to be cached."""
        described = [] if status == 204 else [(b"content-type", content_type)]
        if status != 204:
            described.append((b"content-length", b"%d" % len(body)))
        if not self._body_read and self.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
            described.append((b"connection", b"close"))  # what is left of the body is not read
        await self.start(status, (*described, NO_STORE, *headers))
        await self.write(b"" if self.method == "HEAD" else body, more=False)

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self._requests[f"{status // 100}xx"] += 1
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """A part of the body. Waits while the client reads too slowly."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, error: HubbubError, headers: Headers = ()) -> None:
        """Answer with `error`: its HTTP status and its row of the error table."""
        info = error.info
        body = ErrorBody(
            int(error.code), info.name, error.message, info.temporary, error.field, error.retry_after
        )
        status = info.status
        if error.code is ErrorCode.TIMEOUT and not self._body_read and self.method == "POST":
            status = REQUEST_TIMEOUT
        extra = list(headers)
        if status == 401:
            extra.append((b"www-authenticate", b'Bearer realm="hubbub"'))
        if error.retry_after is not None:
            extra.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
        await self.respond(status, msgspec.json.encode(body), headers=extra)


def _too_large(limit: int) -> HubbubError:
    return HubbubError(
        ErrorCode.MESSAGE_TOO_LARGE, f"the body is larger than {limit} bytes (limits.body_bytes)"
    )


def header_values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def route_path(scope: Scope) -> str:
    """The path below the mount point: by ASGI `path` includes `root_path`, but older hosts strip it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path
