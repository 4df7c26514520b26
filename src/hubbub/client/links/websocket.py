"""The native protocol over a WebSocket: its best way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from hubbub.client import wire
from hubbub.client.events import ClientError
from hubbub.client.failures import (
    RETRYABLE_STATUS,
    EndedError,
    LostError,
    UnreachableError,
    ended_by,
    endpoint,
    no_network,
    nobody_there,
    refused,
    refused_with,
    told_to_wait,
    why,
)
from hubbub.client.links.base import WITHIN, Place
from hubbub.client.state import Transport
from hubbub.errors import ABNORMAL, GOING_AWAY, PROTOCOL_ERROR, reason
from hubbub.model import Command, Connect, Connected, DisconnectPush, ErrorReply

PING_INTERVAL, PING_TIMEOUT = 6.0, 3.0


class WebSocketLink:
    """See Link."""

    def __init__(self, url: str, socket: ClientConnection) -> None:
        self.transport: Transport = "websocket"
        self.socket = socket
        self._url = url

    @classmethod
    async def open(cls, place: Place) -> WebSocketLink:
        """Raises UnreachableError, and ClientError for an address that is none."""
        url = endpoint(place.url)
        try:
            socket = await connect(
                url,
                subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
                compression=None,
                ssl=place.ssl,
                open_timeout=WITHIN,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                max_size=None,  # one answer may hold as much as `limits.history` publications
                close_timeout=1,
            )
        except InvalidStatus as error:
            raise _refused(error) from error
        except InvalidURI as error:
            raise ClientError(f"{url} is not the address of a server: {error}") from error
        except InvalidHandshake as error:
            raise UnreachableError(f"{url} does not speak WebSocket: {error}", True, other=True) from error
        except (OSError, EOFError) as error:
            raise UnreachableError(
                f"cannot connect to {url}: {why(error)}",
                True,
                other=not nobody_there(error),
                offline=no_network(error),
            ) from error
        return cls(url, socket)

    async def begin(self, command: Connect) -> tuple[wire.Reply, Sequence[wire.Reply | wire.Push]]:
        try:
            async with asyncio.timeout(WITHIN):
                await self.socket.send(wire.encode(command))
                while True:
                    items = list(wire.decode(await self.socket.recv()))
                    for place, item in enumerate(items):
                        if isinstance(item, Connected | ErrorReply):
                            return item, items[place + 1 :]
                        if isinstance(item, DisconnectPush):
                            raise ended_by(item)
        except ConnectionClosed as error:
            raise UnreachableError(f"{self._url} closed the connection: {error}", True, other=True) from error
        except TimeoutError as error:
            raise UnreachableError(f"{self._url} does not answer", True, other=True) from error
        except ValueError as error:
            raise ClientError(f"{self._url} does not speak {wire.SUBPROTOCOL}: {error}") from error

    async def send(self, command: Command) -> None:
        try:
            await self.socket.send(wire.encode(command))
        except ConnectionClosed as error:
            raise LostError(str(error)) from error

    async def receive(self) -> Sequence[wire.Reply | wire.Push]:
        try:
            return list(wire.decode(await self.socket.recv()))
        except ConnectionClosed:
            pass
        except ValueError as error:
            await self.socket.close(PROTOCOL_ERROR.code)
            raise ClientError(f"{self._url} does not speak {wire.SUBPROTOCOL}: {error}") from error
        code, text = self.socket.close_code or ABNORMAL.code, self.socket.close_reason
        if (
            code == 1000
        ):  # a server that is killed or restarted behind a proxy says 1000: only we leave for good
            raise EndedError(GOING_AWAY)
        raise EndedError(replace(reason(code), text=text or reason(code).text))

    async def close(self) -> None:
        await self.socket.close()

    def abort(self) -> None:
        self.socket.transport.abort()


def _refused(error: InvalidStatus) -> UnreachableError:
    response = error.response
    body = bytes(response.body or b"")
    known = refused_with(body)
    again = known.temporary if known is not None else response.status_code in RETRYABLE_STATUS
    after = known.retry_after if known is not None else None
    return UnreachableError(
        refused(response.status_code, body),
        again,
        after or told_to_wait(response.headers.get("Retry-After")),
        other=known is None and response.status_code != 503,  # perhaps a proxy that lets no WebSocket through
    )
