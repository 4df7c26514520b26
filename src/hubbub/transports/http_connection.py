"""One HTTP connection: uvicorn's, with limits and deadlines before it, and the way out to WebSockets and to endpoints
without ASGI."""

from __future__ import annotations

import asyncio
import http
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from hubbub.cluster.passes import HEADER
from hubbub.transports import upgrade
from hubbub.transports.direct import DirectRequest, Unread
from hubbub.transports.handshake import HandshakeError, Headers
from hubbub.transports.http import FORWARDED, TRANSPORT, Scope
from hubbub.transports.kernel import tune
from hubbub.transports.node import Node, Weakly
from hubbub.transports.upgrade import Refusal, UpgradeRequest, target

if TYPE_CHECKING:
    from hubbub.transports.forwarding import Forwarder

KERNEL_PATIENCE = 6
"""How many `write_timeout`s the kernel waits by itself. It takes a steady reader whose window is smaller than one of
its own segments for a dead one (measured), so it comes long after us."""
LINGER = 1.0
"""Seconds for which a refused client may still send, so that it comes to read the answer."""
LINGER_BYTES = 1_048_576


class HttpConnection(HttpToolsProtocol):
    """uvicorn's HTTP, with what it lacks: admission, a deadline for each request's head, limits of its size, and an
    upgrade that hands the socket over without reading the request a second time."""

    node: Node  # set on the subclass that `Listener` makes

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._proxied = False  # the peer is a trusted proxy
        self._admitted: str | None = None
        self._spare = False
        self.forwarded = False  # the request that is being read: another node has handed it on
        self._refused = False
        self._upgrading = False
        self._in_head = True
        self._head_bytes = 0  # of the head so far, as it has been parsed
        self._idle_bytes = 0  # read since the last head or piece of a body was complete
        self._began = 0.0  # when the head began to come
        self._deadline: float | None = None
        self._idle_until = math.inf  # closed then unless another request comes
        self._due = math.inf  # when the wheel calls next
        self._arriving: DirectRequest | None = None  # whose body is being read
        self._answered: DirectRequest | None = None  # whose turn it is, or was last
        self._unread: Unread | None = None

    # --- life ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self._proxied = self.node.proxies.trusts(address)
        tune(transport, KERNEL_PATIENCE * self.node.config.limits.write_timeout)
        if self.node.admission.enter(address):
            self._admitted = address
        elif self.node.admission.enter_spare():
            # Above the limit the request is read all the same, so that health and metrics are answered.
            self._spare = True
        else:
            self._refused = True
            transport.abort()
            return
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deadline = self._unread = None
        self._idle_until = math.inf
        if (
            self._answered is not None and not self._answered.disconnected
        ):  # uvicorn tells the last in line only
            self._answered.disconnected = True
            self._answered.set()
        if self._admitted is not None:
            self.node.admission.leave(self._admitted)
            self._admitted = None
        if self._spare:
            self.node.admission.leave_spare()
            self._spare = False

    def _begin_head(self) -> None:
        self._began = self.node.clock.monotonic()
        self._expect_by(self._began + self.node.config.limits.handshake_timeout)

    def _expect_by(self, deadline: float) -> None:
        self._deadline = deadline
        self._call_by(deadline)

    def _call_by(self, at: float) -> None:
        if at < self._due:
            self._due = at
            self.node.wheel.add(Weakly(self), at)

    def beat(self, now: float) -> float | None:
        """The wheel's question: is a request's head overdue, the connection idle, or a refused client still here?"""
        if now < self._due:
            return None  # another entry in the wheel stands for this connection
        self._due = math.inf
        if self._unread is not None and (again := self._unread.beat(now)) is not None:
            self._due = again
            return again
        if now >= self._idle_until:
            self.transport.close()
            return None
        if self._deadline is not None and now >= self._deadline and self._answering:
            self._deadline = (
                now + self.node.config.limits.handshake_timeout
            )  # the next request waits its turn
        if self._deadline is None or now < self._deadline:
            self._due = min(self._idle_until, math.inf if self._deadline is None else self._deadline)
            return self._due if self._due < math.inf else None
        self._deadline = None
        if self._refused:
            self.transport.abort()
            return None
        self.node.metrics.rejected["handshake_timeout"] += 1
        if not self._idle_bytes:
            self.transport.abort()
            return None
        self.refuse(408, "the request's head took longer than limits.handshake_timeout")
        return None

    @property
    def _answering(self) -> bool:
        """Whether an answer is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    # --- in -----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._idle_bytes += len(data)
        if self._refused:
            if self._idle_bytes > LINGER_BYTES:
                self.transport.abort()
            return
        if self._in_head:
            # Not so in a body: bytes of one that is answered already must not keep the connection.
            self._idle_until = math.inf
            if self._deadline is None:
                self._begin_head()
        self._parse(data)
        if self._idle_bytes > self.node.config.limits.header_bytes and not self._refused:
            self._head_too_large()  # or a trailer, or a chunk's extension, that does not end

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            if self._refused:
                return
            rest = data[end.args[0] :] if end.args else b""
            self._idle_bytes = 0
            if self._wants_websocket():
                self._upgrade(rest)
            else:
                self._ignore_upgrade(rest)
        except httptools.HttpParserError:
            if not self._refused:
                self.refuse(400, "invalid HTTP request")

    def _head_too_large(self) -> None:
        self.node.metrics.rejected["header_bytes"] += 1
        limit = self.node.config.limits.header_bytes
        self.refuse(431, f"the request's head is larger than limits.header_bytes = {limit}")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._upgrading = False
        self._in_head = True
        self._head_bytes = 0
        if self._deadline is None:
            self._begin_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)
        if self._head_bytes > self.node.config.limits.header_bytes and not self._refused:
            self._head_too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers, limits = self.headers, self.node.config.limits
        headers.append((name, value))
        self._head_bytes += len(name) + len(value) + 4
        if self._refused:
            return
        if self._head_bytes > limits.header_bytes:
            self._head_too_large()
        elif len(headers) > limits.headers:
            self.node.metrics.rejected["headers"] += 1
            self.refuse(431, f"more than limits.headers = {limits.headers} headers")

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        self._in_head = False
        self._idle_bytes = 0
        self._deadline = None
        self._idle_until = math.inf
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = self.parser.get_http_version()
        if self._proxied and self.client is not None:
            address, scheme = self.node.proxies.client(self.client[0], self.scheme or "http", self.headers)
            self.scope["client"] = (address, self.client[1])
            self.scope["scheme"] = "https" if scheme == "https" else "http"
        if self.node.forwarder is not None and not self._check_forwarded(self.node.forwarder):
            self.refuse(403, "no other node of this server has handed this request on")
            return
        if self._admitted is None and not _operational(self.url):
            self.refuse(503, "connection limit reached", ((b"Retry-After", b"5"),))
        elif self.scope["method"] == "CONNECT":
            self.refuse(405, "this server is not a proxy", ((b"Allow", b"GET, POST"),))
        elif self.parser.should_upgrade():
            self._upgrading = True  # `_parse` goes on
        elif not self._begin_direct():
            self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]
            super().on_headers_complete()

    def _check_forwarded(self, forwarder: Forwarder) -> bool:
        """Take the client's address from a request that another node has handed on; False if it is none."""
        self.forwarded = False
        for pair in self.headers:
            if pair[0] == HEADER:
                origin = forwarder.read(pair[1], self.scope["method"], self.url)
                if origin is None:
                    return False
                self.headers.remove(pair)
                self.scope["client"] = (origin.address, 0)
                self.scope["scheme"] = "https" if origin.scheme == "https" else "http"
                cast(Scope, self.scope)[FORWARDED] = self.forwarded = True
                return True
        return True

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        if self._refused:
            return
        if self._arriving is not None:
            self._arriving.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused or self._upgrading:
            return
        if self._arriving is not None:
            self._arriving.finish()
        else:
            super().on_message_complete()
        self._in_head = True
        self._idle_bytes = 0

    # --- what is answered without ASGI --------------------------------------------------------------------

    def _begin_direct(self) -> bool:
        """Begin a request to an endpoint of `Node.direct`, if it is one: at once, or when its turn comes."""
        for path, each in self.node.direct.items():
            if self.url.startswith(_encoded(path)):
                endpoint = each
                break
        else:
            self._arriving = None
            return False
        waits = self._answering
        request = self._arriving = DirectRequest(endpoint, self)
        self.cycle = request  # type: ignore[assignment]
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, self.app))  # type: ignore[arg-type]
        elif not self.transport.is_closing():
            self._answered = request
            request.start()
        return True

    def _start_asgi_task(self, cycle: RequestResponseCycle | DirectRequest, app: Any) -> None:
        if isinstance(cycle, DirectRequest):
            self._answered = cycle
            cycle.start()
        else:
            super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each answer: the wheel ends connections that are idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_until = self.node.clock.monotonic() + self.timeout_keep_alive
            self._call_by(self._idle_until)

    def wait_for(self, request: DirectRequest) -> None:
        """The client has not begun to take the answer to `request`; it is not over before that."""
        self._unread = Unread(request, self.transport, self.node)
        self._call_by(self._unread.due)

    def resume_writing(self) -> None:
        super().resume_writing()
        unread, self._unread = self._unread, None
        if unread is not None:
            # Not here: asyncio's own transport, closed within this call, tells of the loss of the connection twice.
            self.loop.call_soon(unread.request.sent)

    # --- refusals -----------------------------------------------------------------------------------------

    def refuse(self, status: int, message: str, headers: Headers = ()) -> None:
        """Answer with a plain sentence and close."""
        headers = ((b"Content-Type", b"text/plain; charset=utf-8"), *headers)
        self._refuse(status, message.encode() + b"\n", headers)

    def _refuse(self, status: int, body: bytes, headers: Headers) -> None:
        self._refused = True
        self._deadline = None
        self._idle_bytes = 0
        if self.transport.is_closing():
            return
        self.node.metrics.http_requests[f"{status // 100}xx"] += 1
        if self._answering and not self._take_over():
            return
        lines = [
            b"HTTP/1.1 %d %s" % (status, http.HTTPStatus(status).phrase.encode()),
            b"Content-Length: %d" % len(body),
            b"Connection: close",
            *(name + b": " + value for name, value in headers),
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.hang_up()

    def hang_up(self) -> None:
        """Close behind the answer, whatever the client is still sending."""
        self._refused = True
        if self.transport.can_write_eof():
            # To close with bytes unread would reset the connection, and the client might never see the answer.
            self.transport.write_eof()
            self._expect_by(self.node.clock.monotonic() + LINGER)
        else:
            self.transport.close()

    def _take_over(self) -> bool:
        """Whether the answer under way can be replaced: a sentence in the middle of it would be taken for a part."""
        if not self.cycle.more_body:
            self.cycle.keep_alive = False  # what is refused came after that request: its answer is the last
            return False
        if self.cycle.response_started or self.pipeline:
            self.transport.close()
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    # --- upgrades -----------------------------------------------------------------------------------------

    def _wants_websocket(self) -> bool:
        return any(name == b"upgrade" and b"websocket" in value.lower() for name, value in self.headers)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """An upgrade that is not known here, such as `h2c`, is passed over (RFC 9110, section 7.8): the request is
        read again without it, because the parser takes what follows an upgrade for another protocol."""
        head = [
            b" ".join(
                (self.scope["method"].encode(), self.url, b"HTTP/" + self.scope["http_version"].encode())
            )
        ]
        for name, value in self.headers:
            if name == b"connection":
                value = b"close" if b"close" in value.lower() else b"keep-alive"
            if name != b"upgrade":
                head.append(name + b": " + value)
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join(head) + b"\r\n\r\n" + rest)

    def _upgrade(self, rest: bytes) -> None:
        """Judge the handshake and hand the socket over; `rest` is what the client sent behind its request."""
        node, path, query = self.node, *target(self.url)
        try:
            if self._answering:
                raise HandshakeError(400, "an upgrade cannot be asked for while another answer is under way")
            request = UpgradeRequest(
                method=self.scope["method"],
                http_version=self.scope["http_version"],
                path=path,
                query=query,
                headers=self.headers,
                address=self.scope["client"][0] if self.scope["client"] else "",
                scheme=self.scope["scheme"],
                deadline=self._began + node.config.limits.handshake_timeout,
                forwarded=self.forwarded,
            )
            verdict = upgrade.judge(node, request, self._admitted)
        except Refusal as refusal:
            self._refuse(refusal.status, refusal.body, refusal.headers)
            return
        except HandshakeError as error:
            self.refuse(error.status, error.message, error.headers)
            return
        self._admitted = None  # the WebSocket gives the place back
        self._deadline = None
        self.connections.discard(self)
        connection = upgrade.accept(node, verdict, self.transport)
        self.transport.set_protocol(connection)
        self.parser = None  # type: ignore[assignment]  # as connection_lost does
        if rest:
            connection.data_received(rest)


_encoded = lru_cache(str.encode)  # of the few paths of `Node.direct`


def _operational(url: bytes) -> bool:
    return url.startswith((b"/health/", b"/metrics"))
