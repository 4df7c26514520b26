"""One Engine.IO connection, whatever carries it: its id, its heartbeat, its end.

A carrier (`polling.Polling`, `websocket.EngineWebSocket`, `asgi.AsgiSocket`) moves the bytes. The session is what
Socket.IO holds on to: the carrier under it changes when the client upgrades.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import BAD_COMMAND, CONNECT_TIMEOUT, DRAIN, NO_PONG, Disconnect, ProtocolError, reason
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing, Payload
from hubbub.protocols.engineio import Packet, PacketType
from hubbub.socketio.link import Client

if TYPE_CHECKING:
    from hubbub.transports.engineio.endpoint import EngineIo

PROTOCOL = "socketio"
_MESSAGE = ord("4")
PING = (Payload(engineio.PING),)

# Why a link is down, in the reference's words; what is not here was closed by the server for a reason of its own.
WHYS = {
    DRAIN: "server shutting down",
    NO_PONG: "ping timeout",
    **{reason(code): "transport error" for code in (1002, 1007, 1009, 3002, 3505)},
}


class Owner(NamedTuple):
    """What a client must show again with each request: the Origin that it came from, and a digest of its
    Authorization header (empty: it sends none)."""

    origin: bytes | None
    authorization: bytes


class Carrier(Protocol):
    """What moves a session's packets."""

    transport: str

    @property
    def heard(self) -> float:
        """When something last came from the peer (monotonic)."""

    @property
    def writable(self) -> bool: ...

    @property
    def taking(self) -> bool:
        """Whether the peer's messages are taken; if not, its silence means nothing."""

    def write(self, frame: bytes) -> None: ...
    def close(self, reason: Disconnect) -> None: ...
    def fail(self, reason: Disconnect) -> None:
        """End without a wait for the peer, but not without a word."""

    def abort(self, reason: Disconnect) -> None: ...
    def drop(self) -> None:
        """Hold nothing any more for the peer to fetch."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def call_at(self, at: float) -> None:
        """Have the session checked at that time (monotonic)."""

    def pinged(self) -> None:
        """A ping was written just now."""

    def ping_advances(self) -> bool:
        """Whether that ping is still on its way behind other bytes, and those move."""


class Probe(Protocol):
    """A WebSocket to which a client may upgrade."""

    def leave(self) -> None:
        """Close it: it is not wanted any more."""


class Session:
    """A `hubbub.socketio.link.Link`."""

    __slots__ = (
        "_address",
        "_admitted",
        "_authorization",
        "_deadline",
        "_engine",
        "_from_page",
        "_mark",
        "_opened",
        "_origin",
        "_pinged",
        "_refreshed",
        "carrier",
        "client",
        "framing",
        "id",
        "info",
        "probe",
        "transport",
        "write",
    )

    def __init__(
        self, engine: EngineIo, info: ConnectionInfo, owner: Owner, address: str | None = None
    ) -> None:
        """`address` was admitted, and is given back at the end; None if a socket stands for it."""
        now = engine.node.clock.monotonic()
        self._engine = engine
        self._address = address
        self._origin = owner.origin
        self._from_page = owner.origin is not None
        self._authorization = owner.authorization
        self._admitted = False
        self._opened = now
        self._deadline = now + engine.node.config.socketio.ping_interval  # of the next ping, or of the pong
        self._pinged: float | None = None
        self._refreshed = False
        self._mark = 0
        self.id = engine.node.hub.node_id + base64.urlsafe_b64encode(os.urandom(15)).decode()
        self.info = info
        self.transport = info.transport
        self.framing: Framing
        self.write: Callable[[bytes], None]
        self.client: Client | None = None  # None once the link is down
        self.carrier: Carrier
        self.probe: Probe | None = None
        """The WebSocket to which the client may be about to upgrade."""

    def open(self, carrier: Carrier, framing: Framing) -> None:
        """Send the opening packet and show the link to Socket.IO."""
        engine, config = self._engine, self._engine.node.config
        self.carrier = carrier
        self.framing = framing
        self.write = carrier.write
        metrics = engine.node.metrics
        metrics.connections[self.transport, PROTOCOL] += 1
        metrics.connections_opened[self.transport, PROTOCOL] += 1
        engine.sessions[self.id] = self
        packet = engineio.open_packet(
            self.id,
            upgrades=engine.upgrades if self.transport == "polling" else (),
            ping_interval=config.socketio.ping_interval,
            ping_timeout=config.socketio.ping_timeout,
            max_payload=config.limits.packet_bytes,
        )
        carrier.write(framing((Payload(packet),)))
        try:
            self.client = engine.accept(self)
        except BaseException:
            self.forget()
            raise
        engine.node.newcomers.add(self)

    @property
    def anonymous(self) -> bool:
        return self.client is not None and not self.client.admitted

    def belongs_to(self, owner: Owner) -> bool:
        """Whether a request is from whoever opened the session.

        Browsers name the origin of a page with a POST and an upgrade to the page's own server, but not with a GET:
        one that was not named at first may be named later, and stays the same from then on.
        """
        if not compare_digest(owner.authorization, self._authorization):
            return False
        if owner.origin is None:
            return not self._from_page
        if self._origin is None:
            self._origin = owner.origin
        return compare_digest(owner.origin, self._origin)

    # --- packets ------------------------------------------------------------------------------------------

    def receive(self, packet: Packet) -> None:
        """One packet from the peer."""
        client = self.client
        if client is None:
            return
        kind = packet.type
        if kind is PacketType.MESSAGE:
            client.receive(packet.data, packet.binary)
        elif kind is PacketType.PONG:
            self._pong()
        elif kind is PacketType.PING:
            self.fail("transport error")  # heartbeats are the server's affair

    def receive_message(self, data: bytes, binary: bool) -> None:
        """One message of a WebSocket."""
        client = self.client
        if client is None:
            return
        if binary:
            client.receive(data, True)
        elif data and data[0] == _MESSAGE:  # as most are
            client.receive(data[1:], False)
        else:
            try:
                packet = engineio.decode(data, False)
            except ProtocolError:
                self.fail("parse error")
            else:
                self.receive(packet)

    def _pong(self) -> None:
        self._deadline = self._engine.node.clock.monotonic() + self._engine.node.config.socketio.ping_interval
        if self._pinged is not None:
            self._pinged = None
            if self.client is not None:
                self.client.heard(self._mark)
        self.carrier.call_at(self._deadline)

    # --- deadlines ----------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        """When `check` is to be called next."""
        if self._admitted:
            return self._deadline
        return min(self._deadline, self._opened + self._engine.node.config.limits.handshake_timeout)

    def check(self, now: float) -> float | None:
        """See to the heartbeat and to a client that enters no namespace. Returns when to be called again, None if the
        link is down."""
        client, node = self.client, self._engine.node
        if client is None:
            return None
        if not self._admitted:
            if client.admitted:
                self._admitted = True
            elif now >= self._opened + node.config.limits.handshake_timeout:
                node.metrics.rejected["handshake_timeout"] += 1
                self.gone("forced server close", resumable=True)
                self.carrier.close(CONNECT_TIMEOUT)
                return None
        if now >= self._deadline:
            if self._pinged is None:
                self._mark = client.mark()
                self._pinged = now
                self._refreshed = False
                self._deadline = now + node.config.socketio.ping_timeout
                self.write(self.framing(PING))
                self.carrier.pinged()
            elif not self._still_there(now):
                self.gone(why(NO_PONG), resumable=True)
                self.carrier.fail(NO_PONG)
                return None
        return self.due

    def _still_there(self, now: float) -> bool:
        """Whether a pong that is late may come yet. Anything else that came moves the deadline, but once only."""
        timeout = self._engine.node.config.socketio.ping_timeout
        if not self.carrier.taking or self.carrier.ping_advances():
            self._deadline = now + timeout
        elif self._pinged is not None and self.carrier.heard > self._pinged and not self._refreshed:
            self._refreshed = True
            self._deadline = self.carrier.heard + timeout
        return self._deadline > now

    def postpone(self, now: float) -> None:
        """The peer takes what is written to it, but slowly: a pong may take as long as it takes."""
        if self._pinged is not None:
            self._deadline = now + self._engine.node.config.socketio.ping_timeout

    # --- what Socket.IO asks for --------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        return self.client is not None and self.carrier.writable

    def count(self, change: int) -> None:
        self._engine.node.queued_bytes += change

    def pause(self) -> None:
        self.carrier.pause()

    def resume(self) -> None:
        self.carrier.resume()

    def close(self, reason: Disconnect) -> None:
        if self.client is not None:
            self.gone(why(reason), resumable=reason.resumable)
            self.carrier.close(reason)

    def abort(self, reason: Disconnect) -> None:
        if self.client is not None:
            self.gone(why(reason), resumable=reason.resumable)
            self.carrier.abort(reason)

    # --- the end ------------------------------------------------------------------------------------------

    def fail(self, text: str) -> None:
        """The peer broke the protocol; `text` is the reference's word for it."""
        if self.client is not None:
            self.gone(text, resumable=text == "transport error")
            self.carrier.fail(BAD_COMMAND)

    def gone(self, text: str, *, resumable: bool) -> None:
        """The link is down for Socket.IO; what it has written may still be on its way. Nothing happens if it was."""
        client, self.client = self.client, None
        self.write = _drop
        self._engine.node.newcomers.discard(self)
        if client is not None:
            client.gone(text, resumable=resumable)

    def forget(self) -> None:
        """Nothing is left to be carried: the id is free."""
        if self.probe is not None:
            self.probe.leave()
        if self._engine.sessions.pop(self.id, None) is not None:
            self._engine.node.metrics.connections[self.transport, PROTOCOL] -= 1
            if self._address is not None:
                self._engine.node.admission.leave(self._address)

    def left(self) -> None:
        """The client has said that it leaves. Its poll may come by another node, and so later."""
        if self._engine.node.forwarder is not None:
            self._engine.has_left(self.id)

    # --- the upgrade --------------------------------------------------------------------------------------

    def move(self, carrier: Carrier, framing: Framing) -> None:
        """From here on `carrier` has the session; what waited for the old one has been written to it already."""
        connections = self._engine.node.metrics.connections
        connections[self.transport, PROTOCOL] -= 1
        self.transport = carrier.transport
        connections[self.transport, PROTOCOL] += 1
        if not self.carrier.taking:
            carrier.pause()
        self.carrier = carrier
        self.probe = None
        if self.client is None:
            return
        self.framing = framing
        self.write = carrier.write
        self.info = replace(self.info, transport=self.transport)
        self.client.moved()


def why(reason: Disconnect | None) -> str:
    """The reference's word for an end; None if the peer or the network ended it."""
    return "transport close" if reason is None else WHYS.get(reason, "forced close")


def owner(origin: bytes | None, authorization: bytes | None) -> Owner:
    """Who sends a request with these headers."""
    return Owner(
        origin, blake2b(authorization, digest_size=16).digest() if authorization is not None else b""
    )


def _drop(frame: bytes) -> None:
    """Where frames go once a link is down."""
