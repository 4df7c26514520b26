"""One Engine.IO connection's Socket.IO side: packets in, to the namespaces that the client is in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from hubbub.errors import BAD_COMMAND, FLOOD, SERVER_ERROR, SLOW, ErrorCode, HubbubError, ProtocolError
from hubbub.model import Event
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import Invalid, Packet, PacketType, revive
from hubbub.protocols.socketio_encoding import Failure, refusal
from hubbub.socketio.connection import NamespaceConnection
from hubbub.socketio.link import Link
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.session import Session
    from hubbub.socketio.sockets import Sockets

log = get_logger("hubbub.socketio")

EVENT, ACK, CONNECT, DISCONNECT = PacketType.EVENT, PacketType.ACK, PacketType.CONNECT, PacketType.DISCONNECT


class SocketIoClient:
    """`connections` are the namespaces it is in, by name, `entering` those that it has asked for and got no answer,
    with what is being made for them; `held` is how many bytes wait for those. `offsets` tells whether its events carry
    one; `closed` says why the link is down.
    """

    __slots__ = (
        "_connect_tat",
        "_decoder",
        "_expelled",
        "_paused",
        "_sockets",
        "admitted",
        "closed",
        "connections",
        "entering",
        "held",
        "link",
        "offsets",
    )

    def __init__(self, sockets: Sockets, link: Link) -> None:
        self._sockets = sockets
        self._decoder = sockets.parser.decoder()
        self._connect_tat = 0.0
        self._expelled: set[str] | None = None
        self._paused: set[NamespaceConnection] | None = None
        self.link = link
        self.connections: dict[str, NamespaceConnection] = {}
        self.entering: dict[str, NamespaceConnection | None] = {}
        self.held = 0
        self.admitted = False
        self.closed = ""
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
        if connection is None:
            self._take_outside(packet)
        elif connection.session is None:
            pass  # ended by the server, and the link with it
        elif isinstance(packet, Invalid):
            self._invalid(connection.session, packet)
        elif kind is EVENT:
            self._event(connection, packet)
        elif kind is ACK:
            self._acknowledged(connection, packet)
        elif kind is DISCONNECT:
            session = connection.session
            self.left(connection, "client namespace disconnect")
            self._sockets.hub.end(session, None)
        else:
            self._refuse("a CONNECT for a namespace that was entered already, or a CONNECT_ERROR")

    def _take_outside(self, packet: Packet | Invalid) -> None:
        """A packet for a namespace that the client is not in."""
        name = packet.namespace
        if packet.type is CONNECT and name not in self.entering:
            if isinstance(packet, Packet):
                self._begin(packet)
            else:
                self.refuse(name, HubbubError(ErrorCode(packet.code), packet.message, field=packet.field))
        elif self._expelled is None or name not in self._expelled:
            self._refuse("a packet for a namespace that was not entered")
        # What remains was on its way when the server ended the socket.

    def _invalid(self, session: Session, packet: Invalid) -> None:
        if packet.type is EVENT:
            id = -1 if packet.id is None else packet.id
            session.refuse(id, HubbubError(ErrorCode(packet.code), packet.message, field=packet.field))
        else:
            self._sockets.hub.metrics.errors[packet.code] += 1

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
        answer = connection.acknowledged(packet.id) if packet.id is not None else None
        if answer is not None:
            answer(packet.value if not packet.attachments else revive(packet.value, packet.attachments))

    def _refuse(self, message: str) -> None:
        """The peer broke the protocol: end its link, as the reference does."""
        hub = self._sockets.hub
        hub.metrics.errors[int(ErrorCode.BAD_REQUEST)] += 1
        log.debug("protocol broken", sid=self.link.id[:6], reason=message)
        self.link.close(BAD_COMMAND)

    # --- entering a namespace -----------------------------------------------------------------------------

    def _begin(self, packet: Packet) -> None:
        hub = self._sockets.hub
        name = packet.namespace
        try:
            self._connect_tat = hub.take(self._connect_tat, hub.command_rate, "command_rate")
        except HubbubError:
            self.link.close(FLOOD)
            return
        limit = hub.config.limits.socketio_namespaces
        if len(self.connections) + len(self.entering) >= limit:
            hub.metrics.rejected["socketio_namespaces"] += 1
            message = f"limits.socketio_namespaces = {limit} of a connection"
            self.refuse(name, HubbubError(ErrorCode.LIMIT_EXCEEDED, message))
            return
        self.entering[name] = None
        if self._expelled is not None:
            self._expelled.discard(name)
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
            self.entering.pop(namespace, None)
            self.admitted = bool(self.connections) or any(self.entering.values())

    def entered(self, connection: NamespaceConnection) -> None:
        """The client is in the namespace from now on."""
        self.entering.pop(connection.namespace, None)
        self.connections[connection.namespace] = connection

    def hold(self, change: int) -> None:
        """More bytes (or less) wait for the client to be let in. Too many are one too many for the link, as those are
        that it has not taken."""
        limit = self._sockets.hub.config.limits.queue_bytes
        before, self.held = self.held, self.held + change
        self.link.count(change)
        if before <= limit < self.held:
            self._sockets.hub.clock.call_later(0, self._check_held)  # not now: `write` never calls back

    def _check_held(self) -> None:
        if self.held > self._sockets.hub.config.limits.queue_bytes:
            self._sockets.hub.metrics.rejected["queue_bytes"] += 1
            self.link.abort(SLOW)

    def refuse(self, namespace: str, error: HubbubError) -> None:
        """Answer a CONNECT with a numbered error."""
        self._sockets.hub.metrics.errors[int(error.code)] += 1
        self.reject(namespace, error.message, msgspec.json.encode(Failure.of(error)))

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

    def expel(self, connection: NamespaceConnection) -> None:
        """The server has ended it, and goes on with the client's other namespaces. What the client has sent meanwhile
        is no fault of its."""
        if self._expelled is None:
            self._expelled = set()
        if len(self._expelled) < self._sockets.hub.config.limits.socketio_namespaces:
            self._expelled.add(connection.namespace)
        self.left(connection, "server namespace disconnect")

    def gone(self, why: str, *, resumable: bool) -> None:
        self.closed = why
        hub = self._sockets.hub
        for entering in list(self.entering.values()):
            if entering is not None and entering.session is not None:
                hub.end(entering.session, None)
        connections, self.connections = self.connections, {}
        for connection in connections.values():
            self._sockets.dropped(connection, why)
            if (session := connection.session) is not None:
                hub.detach(session, resumable=resumable and session.trail is not None)

    # --- what the link tells ------------------------------------------------------------------------------

    def moved(self) -> None:
        transport = self.link.info.transport
        for connection in (*self.connections.values(), *self.entering.values()):
            if connection is not None:
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
