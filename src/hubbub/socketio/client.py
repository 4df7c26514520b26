"""One Engine.IO connection's Socket.IO side: packets in, to the namespaces that the client is in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from hubbub.errors import BAD_COMMAND, ERRORS, SERVER_ERROR, ErrorCode, HubbubError, ProtocolError
from hubbub.model import ErrorReply, Event
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import Invalid, Packet, PacketType, revive
from hubbub.protocols.socketio_encoding import refusal
from hubbub.socketio.connection import NamespaceConnection
from hubbub.socketio.link import Link
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.socketio.sockets import Sockets

log = get_logger("hubbub.socketio")

EVENT, ACK, CONNECT, DISCONNECT = PacketType.EVENT, PacketType.ACK, PacketType.CONNECT, PacketType.DISCONNECT


class SocketIoClient:
    """`connections` are the namespaces it is in, by name; `offsets` tells whether its events carry one."""

    __slots__ = (
        "_connecting",
        "_decoder",
        "_paused",
        "_sockets",
        "admitted",
        "closed",
        "connections",
        "link",
        "offsets",
    )

    def __init__(self, sockets: Sockets, link: Link) -> None:
        self._sockets = sockets
        self._decoder = sockets.parser.decoder()
        self._connecting: set[str] | None = None
        self._paused: set[NamespaceConnection] | None = None
        self.link = link
        self.connections: dict[str, NamespaceConnection] = {}
        self.admitted = False
        self.closed = False
        self.offsets = sockets.wants_offsets(link.info)

    # --- packets ------------------------------------------------------------------------------------------

    def receive(self, data: bytes, binary: bool) -> None:
        if self.closed:
            return
        try:
            packet = self._decoder.feed(data, binary)
            if packet is not None:
                self._take(packet)
        except ProtocolError as error:
            self._refuse(error.message)
        except Exception as error:  # a fault of ours must not take the loop's other connections with it
            log.error("packet failed", exc_info=error)
            self.link.close(SERVER_ERROR)

    def _take(self, packet: Packet | Invalid) -> None:
        connection = self.connections.get(packet.namespace)
        kind = packet.type
        if connection is None or connection.session is None:
            if kind is CONNECT and isinstance(packet, Packet) and not self._is_connecting(packet.namespace):
                self._begin(packet)
            else:
                self._refuse("a packet for a namespace that was not entered")
        elif isinstance(packet, Invalid):
            self._sockets.hub.metrics.errors[packet.code] += 1
            if kind is EVENT:
                connection.session.refuse(
                    -1 if packet.id is None else packet.id,
                    HubbubError(ErrorCode(packet.code), packet.message, field=packet.field),
                )
        elif kind is EVENT:
            self._event(connection, packet)
        elif kind is ACK:
            self._acknowledged(connection, packet)
        elif kind is DISCONNECT:
            self.left(connection, "client namespace disconnect")
            self._sockets.hub.end(connection.session, None)
        elif kind is CONNECT:
            self._refuse("a namespace that was entered already")
        # What remains is a CONNECT_ERROR, which a server does not get; the reference passes over it too.

    def _event(self, connection: NamespaceConnection, packet: Packet) -> None:
        session = connection.session
        assert session is not None
        assert packet.data is not None
        values = packet.value if not packet.attachments else revive(packet.value, packet.attachments)
        name = values[0]
        event = Event(
            -1 if packet.id is None else packet.id,
            name if type(name) is str else str(name),
            values[1:],
            packet.data,
            packet.attachments,
        )
        if self._sockets.concurrent and self._sockets.run_apart(connection, event):
            return
        session.accept(event)

    def _acknowledged(self, connection: NamespaceConnection, packet: Packet) -> None:
        """Past the queue of events: the handler at its head may be waiting for just this."""
        answer = connection.take_ack(packet.id) if packet.id is not None else None
        if answer is not None:
            answer(packet.value if not packet.attachments else revive(packet.value, packet.attachments))

    def _refuse(self, message: str) -> None:
        """The peer broke the protocol: end its link, as the reference does."""
        hub = self._sockets.hub
        hub.metrics.errors[int(ErrorCode.BAD_REQUEST)] += 1
        log.debug("protocol broken", sid=self.link.id[:6], reason=message)
        self.link.close(BAD_COMMAND)

    # --- entering a namespace -----------------------------------------------------------------------------

    def _is_connecting(self, namespace: str) -> bool:
        return self._connecting is not None and namespace in self._connecting

    def _begin(self, packet: Packet) -> None:
        hub = self._sockets.hub
        name = packet.namespace
        connecting = self._connecting or set()
        if len(self.connections) + len(connecting) >= hub.config.limits.socketio_namespaces:
            hub.metrics.rejected["socketio_namespaces"] += 1
            limit = hub.config.limits.socketio_namespaces
            self.refuse(
                name,
                HubbubError(
                    ErrorCode.LIMIT_EXCEEDED, f"limits.socketio_namespaces = {limit} of a connection"
                ),
            )
            return
        self._connecting = connecting
        connecting.add(name)
        auth = packet.value if type(packet.value) is dict else {}
        hub.spawn(self._enter(name, auth))

    async def _enter(self, namespace: str, auth: dict[str, Any]) -> None:
        try:
            await self._sockets.connect(self, namespace, auth)
        except HubbubError as error:
            self.refuse(namespace, error)
        except Exception as error:
            self._sockets.hub.metrics.handler_errors += 1
            log.error("connect failed", namespace=namespace, exc_info=error)
            self.refuse(namespace, HubbubError(ErrorCode.INTERNAL))
        finally:
            if self._connecting is not None:
                self._connecting.discard(namespace)
                if not self._connecting:
                    self._connecting = None

    def refuse(self, namespace: str, error: HubbubError) -> None:
        """Answer a CONNECT with a numbered error."""
        info = ERRORS[error.code]
        data = msgspec.json.encode(
            ErrorReply(
                0,
                int(error.code),
                error.message,
                name=info.name,
                temporary=info.temporary,
                retry_after=error.retry_after,
                field=error.field,
            )
        )
        self._sockets.hub.metrics.errors[int(error.code)] += 1
        self.reject(namespace, error.message, data)

    def reject(self, namespace: str, message: str, data: bytes | None = None) -> None:
        """Answer a CONNECT with a CONNECT_ERROR."""
        if not self.closed:
            self.write(refusal(self._sockets.parser, namespace, message, data))

    def write(self, payloads: tuple[Payload, ...]) -> None:
        self.link.write(self.link.framing(payloads))

    # --- leaving ------------------------------------------------------------------------------------------

    def left(self, connection: NamespaceConnection, why: str) -> None:
        """`connection` stands here no more, whatever its session does."""
        if self.connections.get(connection.namespace) is connection:
            del self.connections[connection.namespace]
            self.resume(connection)
            self._sockets.dropped(connection, why)

    def gone(self, why: str, *, resumable: bool) -> None:
        self.closed = True
        connections, self.connections = self.connections, {}
        for connection in connections.values():
            self._sockets.dropped(connection, why)
            if (session := connection.session) is not None:
                self._sockets.hub.detach(session, resumable=resumable and session.trail is not None)

    # --- what the link tells ------------------------------------------------------------------------------

    def moved(self) -> None:
        transport = self.link.info.transport
        for connection in self.connections.values():
            connection.moved()
            if connection.session is not None:
                connection.session.info = replace(connection.session.info, transport=transport)

    def mark(self) -> int:
        return self._sockets.hub.journal.head

    def heard(self, mark: int) -> None:
        for connection in self.connections.values():
            if connection.session is not None and connection.session.trail is not None:
                connection.session.trail.heard(mark)

    def pause(self, connection: NamespaceConnection) -> None:
        """Some namespace has too much to do: take nothing from the whole link."""
        if self._paused is None:
            self._paused = set()
        self._paused.add(connection)
        self.link.pause()

    def resume(self, connection: NamespaceConnection) -> None:
        if self._paused is not None:
            self._paused.discard(connection)
            if not self._paused:
                self._paused = None
                self.link.resume()
