"""Direct endpoints over ASGI: for an application that is mounted in another, and for requests that our own server
would not take for one at first sight."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger
from hubbub.transports.direct import INTERNAL_ERROR, NO_LINES, Answer, DirectEndpoint, Reader
from hubbub.transports.http import TRANSPORT, Exchange, Gone
from hubbub.transports.node import Node
from hubbub.transports.peers import Incoming, of_scope
from hubbub.transports.streams import connection_info

log = get_logger("hubbub.http")

ABORTED = Answer(400, (b"connection", b"close"))
"""What is said instead of nothing, where a connection cannot be ended."""


class AsgiRequest:
    """A `direct.Request`; `run` waits for what becomes of it."""

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self._node = node
        self._exchange = exchange
        self._answer: tuple[Answer, bytes] | None = None
        self._done = asyncio.get_running_loop().create_future()
        self.method = exchange.method
        self.query: bytes = exchange.scope.get("query_string", b"")
        self.extra = NO_LINES
        self.reader: Reader | None = None
        self.forwarded = exchange.forwarded

    @property
    def scheme(self) -> str:
        return str(self._exchange.scope.get("scheme", "http"))

    def header(self, name: bytes) -> bytes | None:
        found = None
        for each, value in self._exchange.scope["headers"]:
            if each.lower() == name:
                found = bytes(value)
        return found

    def info(self, transport: str, protocol: str) -> ConnectionInfo:
        info = connection_info(self._exchange.scope, transport, protocol)
        return replace(info, query=self.query.decode("latin-1"))

    def incoming(self) -> Incoming:
        return of_scope(self._exchange.scope)

    def admit(self) -> str | None:
        scope = self._exchange.scope
        if TRANSPORT in (scope.get("extensions") or {}):
            return None
        address: str = (scope.get("client") or ("",))[0]
        if not self._node.admission.enter(address):
            raise HubbubError(ErrorCode.CONNECTION_LIMIT, retry_after=5.0)
        return address

    def respond(self, answer: Answer, body: bytes = b"") -> None:
        self.reader = None
        if not self._done.done():
            self._answer = (answer, body)
            self._done.set_result(None)

    def abort(self) -> None:
        if (socket := self._exchange.socket) is not None:
            socket.abort()
        self.respond(ABORTED)

    async def run(self, body_bytes: int) -> None:
        """Bring the body, wait for the answer or for the client's leaving, and send the answer."""
        coming = asyncio.create_task(self._arrive(body_bytes))
        coming.add_done_callback(self._arrived)
        try:
            await self._done
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        if self._answer is not None:
            answer, body = self._answer
            length = (b"content-length", b"%d" % len(body))
            await self._exchange.start(answer.status, (*answer.headers, *self.extra.pairs, length))
            await self._exchange.write(body if self.method != "HEAD" else b"", more=False)

    async def _arrive(self, body_bytes: int) -> None:
        try:
            body = await self._exchange.body(body_bytes, self._patience)
        except HubbubError as error:
            if error.code is not ErrorCode.MESSAGE_TOO_LARGE:
                self._leave()
            elif self.reader is not None:
                self.reader.oversized(self)
            return
        except Gone:
            self._leave()
            return
        if self.reader is not None and self.method != "GET":
            self.reader.read(self, body)
        await self._exchange.gone()
        self._leave()

    def _arrived(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("request failed", method=self.method, exc_info=error)
            self.respond(INTERNAL_ERROR)

    @property
    def _patience(self) -> float:
        """Seconds that a body may take: its client is not found to be dead before that."""
        return self._node.config.socketio.ping_interval + self._node.config.socketio.ping_timeout

    def _leave(self) -> None:
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.lost(self)
        if not self._done.done():
            self._done.set_result(None)


class DirectOverAsgi:
    """The `root.Endpoint` for what is in `Node.direct`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def takes(self, method: str, path: str) -> bool:
        return self._find(path) is not None

    def _find(self, path: str) -> DirectEndpoint | None:
        return next((each for place, each in self._node.direct.items() if path.startswith(place)), None)

    async def answer(self, exchange: Exchange) -> None:
        endpoint = self._find(exchange.path)
        assert endpoint is not None
        request = AsgiRequest(self._node, exchange)
        endpoint.begin(request)
        await request.run(endpoint.body_bytes)

    async def stop(self) -> None:
        for endpoint in self._node.direct.values():
            await endpoint.stop()
