"""Requests that are answered by calls and not by a task: short ones, of which there are many.

Under our own server they are read and answered in the callbacks of the HTTP parser (`DirectRequest`); elsewhere
`direct_asgi` brings them.
"""

from __future__ import annotations

import asyncio
import http
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from hubbub.auth.base import ConnectionInfo
from hubbub.cluster.passes import Origin
from hubbub.telemetry.logging import get_logger
from hubbub.transports.http import Scope
from hubbub.transports.kernel import reset, sent
from hubbub.transports.node import Node
from hubbub.transports.peers import Incoming
from hubbub.transports.streams import connection_info

if TYPE_CHECKING:
    from hubbub.transports.http_connection import HttpConnection

log = get_logger("hubbub.http")


class Lines:
    """Headers, made once and sent many times: as pairs, and as they are written."""

    __slots__ = ("pairs", "raw")

    def __init__(self, *pairs: tuple[bytes, bytes]) -> None:
        self.pairs = pairs
        self.raw = b"".join([b"%b: %b\r\n" % pair for pair in pairs])


class Answer:
    """An answer but for its body. `kind` is the class of its status, as the metrics count it."""

    __slots__ = ("head", "headers", "kind", "status")

    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.kind = f"{status // 100}xx"
        self.headers = headers
        line = b"HTTP/1.1 %d %b\r\n" % (status, http.HTTPStatus(status).phrase.encode())
        self.head = line + Lines(*headers).raw


INTERNAL_ERROR = Answer(500)
NO_LINES = Lines()


class Request(Protocol):
    """A request from when its headers are there. It is answered once, by `respond` or `abort`, at any time."""

    method: str
    query: bytes
    extra: Lines
    """What is added to the headers of any answer."""
    reader: Reader | None
    """Set by the endpoint: who is told what becomes of the request before it is answered."""
    forwarded: bool
    """Whether another node has handed it on."""

    @property
    def scheme(self) -> str:
        """The client's, as trusted proxies tell it."""

    def header(self, name: bytes) -> bytes | None:
        """The last header of that name, which is given in lower case."""

    def info(self, transport: str, protocol: str) -> ConnectionInfo:
        """What is known of the client, its query too."""

    def incoming(self) -> Incoming:
        """The request, to be handed on."""

    def admit(self) -> str | None:
        """Count something that outlives the request among the connections: the address to be given back then, None if
        the request's own socket has been counted. Raises HubbubError."""

    def respond(self, answer: Answer, body: bytes = b"") -> None: ...

    def abort(self) -> None:
        """End the connection without an answer."""


class Reader(Protocol):
    """Who waits for the rest of a request."""

    def read(self, request: Request, body: bytes) -> None:
        """The body of a request that is not a GET is whole."""

    def oversized(self, request: Request) -> None:
        """The body is larger than the endpoint takes; what is left of it is dropped."""

    def lost(self, request: Request) -> None:
        """The client has left."""


class DirectEndpoint(Protocol):
    """What stands at a path of `Node.direct`."""

    @property
    def body_bytes(self) -> int:
        """The largest body."""

    def begin(self, request: Request) -> None:
        """Answer `request`, or become its `reader`, or make somebody else that."""

    async def stop(self) -> None:
        """Answer all that waits."""


class DirectRequest:
    """A `Request` that came in on a connection of our own server. It stands where uvicorn has its cycle of request
    and answer, so that keeping alive, pipelining and shutting down are uvicorn's as for every other request."""

    __slots__ = (
        "_body",
        "_connection",
        "_continue",
        "_endpoint",
        "_fields",
        "_headers",
        "_oversized",
        "_scope",
        "_started",
        "_target",
        "disconnected",
        "extra",
        "forwarded",
        "keep_alive",
        "method",
        "more_body",
        "query",
        "reader",
        "response_complete",
        "response_started",
    )

    def __init__(self, endpoint: DirectEndpoint, connection: HttpConnection) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self._scope = connection.scope
        self._fields = connection.headers
        self._headers = dict(connection.headers)
        self._continue = connection.expect_100_continue
        self._body: bytes | bytearray = b""
        self._started = False
        length = self._headers.get(b"content-length")
        self._oversized = length is not None and int(length[:20]) > endpoint.body_bytes
        self.method: str = connection.scope["method"]
        self._target = connection.url
        self.query = connection.url.partition(b"?")[2]
        self.forwarded = connection.forwarded
        self.extra = NO_LINES
        self.reader: Reader | None = None
        # What uvicorn asks of a cycle.
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.keep_alive = connection.parser.should_keep_alive() and connection.scope["http_version"] != "1.0"

    # --- the request --------------------------------------------------------------------------------------

    def start(self) -> None:
        """It is this request's turn."""
        self._started = True
        try:
            self._endpoint.begin(self)
            if self.reader is not None and self.method != "GET":
                if self._oversized or not self.more_body:
                    self._tell(self.reader)
                elif self._continue:
                    self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        except Exception as error:
            self._failed(error)

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        if self._oversized or self.method == "GET" or (self._started and self.reader is None):
            return
        if len(self._body) + len(data) > self._endpoint.body_bytes:
            self._oversized = True
            self._body = b""
            if self.reader is not None:
                self._tell(self.reader)
        elif not self._body:
            self._body = data
        else:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += data

    def finish(self) -> None:
        """The body is whole."""
        self.more_body = False
        if self.reader is not None and self.method != "GET" and not self._oversized:
            self._tell(self.reader)

    def _tell(self, reader: Reader) -> None:
        body, self._body = self._body, b""
        try:
            if self._oversized:
                reader.oversized(self)
            else:
                reader.read(self, bytes(body))
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """A fault of ours ends this request, not the parser."""
        log.error("request failed", method=self.method, exc_info=error)
        if not self.response_started:
            self.respond(INTERNAL_ERROR)

    @property
    def message_event(self) -> DirectRequest:
        return self

    def set(self) -> None:
        """uvicorn's way to say that something has happened: all that can is that the client has left."""
        reader, self.reader = self.reader, None
        if self.disconnected and reader is not None:
            reader.lost(self)

    def header(self, name: bytes) -> bytes | None:
        return self._headers.get(name)

    @property
    def scheme(self) -> str:
        scheme: str = self._scope["scheme"]
        return scheme

    def info(self, transport: str, protocol: str) -> ConnectionInfo:
        info = connection_info(cast(Scope, self._scope), transport, protocol)
        return replace(info, query=self.query.decode("latin-1"))

    def incoming(self) -> Incoming:
        scope = self._scope
        address = scope["client"][0] if scope["client"] else ""
        return Incoming(self.method, self._target, self._fields, Origin(address, scope["scheme"]))

    def admit(self) -> str | None:
        return None

    # --- the answer ---------------------------------------------------------------------------------------

    def respond(self, answer: Answer, body: bytes = b"") -> None:
        self.reader = None
        if self.disconnected or self.response_started:
            return
        self.response_started = True
        connection = self._connection
        connection.node.metrics.http_requests[answer.kind] += 1
        connection.transport.write(
            b"%b%b%b%bContent-Length: %d\r\n\r\n%b"
            % (
                answer.head,
                _written(tuple(connection.server_state.default_headers)),
                self.extra.raw,
                b"" if self.keep_alive else b"Connection: close\r\n",
                len(body),
                body if self.method != "HEAD" else b"",
            )
        )
        if connection.flow.write_paused:
            connection.wait_for(self)  # `sent` comes later
        else:
            self.sent()

    def sent(self) -> None:
        """The client takes the answer: the next request may have its turn."""
        self.response_complete = True
        if self.keep_alive:
            pass
        elif self.more_body:
            self._connection.hang_up()
        else:
            self._connection.transport.close()
        self._connection.on_response_complete()

    def abort(self) -> None:
        self.reader = None
        self.response_started = self.response_complete = True
        self._connection.transport.abort()


class Unread:
    """An answer that the client has not begun to take. One that takes nothing for `write_timeout` is cut off."""

    __slots__ = ("_acknowledged", "_left", "_node", "_since", "_transport", "due", "request")

    def __init__(self, request: DirectRequest, transport: asyncio.Transport, node: Node) -> None:
        self.request = request
        self._transport = transport
        self._node = node
        self._since = node.clock.monotonic()
        self._left = transport.get_write_buffer_size()
        self._acknowledged, _ = sent(transport)
        self.due = self._since + self._look
        """When to call `beat`."""

    @property
    def _look(self) -> float:
        """Seconds between looks at its progress."""
        return min(1.0, self._node.config.limits.write_timeout / 5)

    def beat(self, now: float) -> float | None:
        """Returns when to be called again, None if the client was cut off."""
        left, acknowledged = self._transport.get_write_buffer_size(), sent(self._transport)[0]
        if left < self._left or acknowledged > self._acknowledged:
            self._since = now
        self._left, self._acknowledged = left, acknowledged
        if now - self._since < self._node.config.limits.write_timeout:
            return now + self._look
        self._node.metrics.rejected["write_timeout"] += 1
        reset(self._transport)
        return None


@lru_cache(maxsize=4)
def _written(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Headers that are the same for a second."""
    return Lines(*headers).raw
