"""A WebSocket whose session is on another node: two sockets joined, so that what comes in on one goes out on the other.

The upgrade itself is handed on too, so the client is answered by the node that has its session (decision 13).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hubbub.errors import Disconnect
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.transports.node import Node
    from hubbub.transports.peers import Peers

log = get_logger("hubbub.http")


class _End(asyncio.Protocol):
    """One of the two sockets, as the other one uses it: what it is told after it has gone is nothing to it."""

    _transport: asyncio.Transport | None = None

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


class Splice(_End):
    """The client's side. It owns the client's socket and its address's place among the connections."""

    def __init__(
        self, node: Node, address: str, peers: Peers, head: bytes, refused: bytes, client: str
    ) -> None:
        """`head` is the request as the other node gets it; `refused` is said if it cannot be reached."""
        self._node = node
        self._address = address
        self._peers = peers
        self._head = head
        self._refused = refused
        self._client = client
        self._other: _Other | None = None
        self._early = b""
        self._opening: asyncio.Task[None] | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """From here on the socket is this one's; it becomes the transport's protocol."""
        self._transport = transport
        transport.pause_reading()
        self._node.websockets.add(self)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._node.config.limits.handshake_timeout):
                other = await self._peers.socket(self._address, lambda: _Other(self))
        except (OSError, TimeoutError):
            if self._transport is not None:
                self._transport.write(self._refused)
                self._transport.close()
            return
        finally:
            self._opening = None
        if self._transport is None:
            other.end()
            return
        self._other = other
        other.write(self._head + self._early)
        self._early = b""
        loop.call_soon(self._transport.resume_reading)

    # --- the client's socket --------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._other is not None:
            self._other.write(data)
        else:
            self._early += data  # what came with the request

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other.pause()

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other.resume()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._node.websockets.discard(self)
        self._node.admission.leave(self._client)
        if self._opening is not None:
            self._opening.cancel()
        if self._other is not None:
            self._other.end()

    # --- what the other side tells --------------------------------------------------------------------------

    def ended(self) -> None:
        """The other node has ended it, or has ended itself."""
        if self._transport is not None:
            self._transport.close()
            self._node.clock.call_later(self._node.config.limits.write_timeout, self.cut)

    # --- the end of the server ------------------------------------------------------------------------------

    def close(self, reason: Disconnect) -> None:
        """The session lives on: its client comes back by itself."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Other(_End):
    """The socket to the other node."""

    def __init__(self, splice: Splice) -> None:
        self._splice = splice

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._splice.write(data)

    def pause_writing(self) -> None:
        self._splice.pause()

    def resume_writing(self) -> None:
        self._splice.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._splice.ended()

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
