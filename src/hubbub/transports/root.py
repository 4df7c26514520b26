"""The whole server as one ASGI application: who answers which path, and what all answers have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger
from hubbub.transports.cors import Cors
from hubbub.transports.direct_asgi import DirectOverAsgi
from hubbub.transports.http import TRANSPORT, AsgiApp, Exchange, Gone, Receive, Scope, Send
from hubbub.transports.node import Node

log = get_logger("hubbub.http")

FOREIGN = "no other node of this server has handed this request on"
NOT_STARTED = (
    "Hubbub has not been started: pass lifespan=hubbub.lifespan to the application it is mounted in, "
    "or await hubbub.start()"
)


class Endpoint(Protocol):
    """Answers some of the requests itself."""

    def takes(self, method: str, path: str) -> bool: ...

    async def answer(self, exchange: Exchange) -> None:
        """Raises HubbubError to refuse."""

    async def stop(self) -> None:
        """End all streams."""


class Life(Protocol):
    """The server's beginning and end."""

    @property
    def started(self) -> bool: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Root:
    """`endpoints` are asked first, in order; everything else that is HTTP goes to `api`."""

    def __init__(
        self,
        node: Node,
        life: Life,
        *,
        endpoints: Sequence[Endpoint],
        websocket: AsgiApp,
        api: AsgiApp,
        closing: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._node = node
        self._life = life
        self._endpoints = (DirectOverAsgi(node), *endpoints)
        self._websocket = websocket
        self._api = api
        self._closing = (*(endpoint.stop for endpoint in self._endpoints), *closing)
        self._http = Cors(self._route, node.origins, node.metrics.http_requests, node.direct)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                forwarder = self._node.forwarder
                # Our own server has looked at it before it began to read the body.
                if (
                    forwarder is None
                    or TRANSPORT in (scope.get("extensions") or {})
                    or forwarder.unwrap(scope)
                ):
                    await self._http(scope, receive, send)
                else:
                    exchange = Exchange(scope, receive, send, self._node.metrics.http_requests)
                    await exchange.refuse(HubbubError(ErrorCode.PERMISSION_DENIED, FOREIGN))
            case "websocket":
                if not self._life.started:
                    raise RuntimeError(NOT_STARTED)
                await self._websocket(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case other:
                raise RuntimeError(f"there is no ASGI scope {other!r} here")

    async def close(self) -> None:
        """End every stream; clients are told to come back."""
        for close in self._closing:
            await close()

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, self._node.metrics.http_requests)
        for endpoint in self._endpoints:
            if endpoint.takes(exchange.method, exchange.path):
                await self._answer(endpoint, exchange)
                return
        await self._api(scope, receive, send)

    async def _answer(self, endpoint: Endpoint, exchange: Exchange) -> None:
        try:
            if not self._life.started:
                raise HubbubError(ErrorCode.INTERNAL, NOT_STARTED)
            await endpoint.answer(exchange)
        except Gone:
            return
        except HubbubError as error:
            if exchange.started:
                raise
            self._node.metrics.errors[int(error.code)] += 1
            await exchange.refuse(error)
        except Exception as error:
            # Neither the query nor the headers: they hold credentials.
            log.error("request failed", method=exchange.method, path=exchange.path, exc_info=error)
            if exchange.started:
                raise
            await exchange.refuse(HubbubError(ErrorCode.INTERNAL))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """The outermost application is told when to start and stop (ASGI, Lifespan Protocol)."""
        while True:
            message = await receive()
            starting = message["type"] == "lifespan.startup"
            try:
                await (self._life.start() if starting else self._life.stop())
            except Exception as error:
                log.error("could not start" if starting else "could not stop", exc_info=error)
                await send({"type": f"{message['type']}.failed", "message": str(error)})
                return
            await send({"type": f"{message['type']}.complete"})
            if not starting:
                return
