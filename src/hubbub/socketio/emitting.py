"""From an event that the server emits to publications in the rooms' channels, or to single sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Envelope, Publication, Raw
from hubbub.protocols.socketio import RESERVED, extract
from hubbub.socketio.connection import Answer, NamespaceConnection
from hubbub.socketio.sockets import Sockets, inner


class Packed(NamedTuple):
    """An event's arguments as a Publication carries them."""

    data: Raw
    attachments: tuple[bytes, ...]
    spread: bool


class Emitter:
    """What emits. All names are checked before anything is sent."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._hub = sockets.hub

    def pack(self, event: str, data: Any) -> Packed:
        """Raises BAD_REQUEST for a reserved or empty name, INVALID_DATA for data that cannot be sent,
        MESSAGE_TOO_LARGE."""
        limits = self._hub.config.limits
        if event in RESERVED or not event or len(event) > limits.key_length:
            raise HubbubError(
                ErrorCode.BAD_REQUEST,
                f"event: {event[:32]!r} is no name for an event (reserved, empty or above limits.key_length)",
                field="event",
            )
        arguments = list(data) if type(data) is tuple else [] if data is None else [data]
        try:
            raw, attachments = extract(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise HubbubError(ErrorCode.INVALID_DATA, f"data: {error}", field="data") from None
        if len(raw) > limits.packet_bytes or len(attachments) > limits.attachments:
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE,
                "data: more than limits.packet_bytes or limits.attachments",
                field="data",
            )
        if sum(map(len, attachments)) > limits.attachment_bytes:
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, "data: more than limits.attachment_bytes", field="data"
            )
        if len(arguments) == 1:
            return Packed(Raw(bytes(raw)[1:-1]), attachments, False)
        return Packed(raw, attachments, True)

    def publication(self, channel: str, event: str, packed: Packed, sender: str | None = None) -> Publication:
        return Publication(
            channel,
            event,
            packed.data,
            sender=sender,
            time=round(self._hub.clock.now(), 3),
            attachments=packed.attachments,
            spread=packed.spread,
        )

    async def to_channels(
        self,
        channels: Sequence[str],
        event: str,
        packed: Packed,
        *,
        exclude: str | None = None,
        unless: tuple[str, ...] = (),
        volatile: bool = False,
    ) -> None:
        """Publish in each channel, so that a socket in several of them gets it once."""
        hub = self._hub
        for number, channel in enumerate(channels):
            envelope = Envelope(
                self.publication(channel, event, packed),
                exclude,
                hub.clock.monotonic(),
                (*unless, *channels[:number]),
                volatile,
            )
            hub.metrics.publications += 1
            await hub.broker.publish(envelope, hub.retention(channel))

    def to_sockets(
        self,
        connections: Iterable[NamespaceConnection],
        event: str,
        packed: Packed,
        *,
        volatile: bool = False,
    ) -> int:
        """Send to single sockets. Returns to how many."""
        count = 0
        self._hub.metrics.publications += 1
        for connection in connections:
            session = connection.session
            if session is None:
                continue
            count += 1
            publication = self.publication(f"session:{connection.id}", event, packed)
            if not volatile:
                session.direct(publication)
            elif session.connection is not None and connection.writable:
                sequence = session.trail.journal.head if session.trail is not None else 0
                payloads = connection.codec.encoding("").encode(publication, sequence)
                connection.write(connection.framing(payloads))
            else:
                self._hub.metrics.volatile_dropped += 1
        return count

    def to_user(self, sessions: Sequence[Session], event: str, packed: Packed, namespace: str) -> int:
        """Send to all sessions of a user: its sockets in the namespace, and those of other protocols."""
        count = 0
        for session in sessions:
            connection = self._sockets.by_id.get(session.id)
            if connection is not None and connection.namespace != namespace:
                continue
            session.direct(self.publication(f"user:{session.user}", event, packed))
            count += 1
        return count

    def asking(
        self,
        connections: Sequence[NamespaceConnection],
        event: str,
        packed: Packed,
        answers: Sequence[Answer],
    ) -> int:
        """Send an event that asks each socket for an acknowledgement, encoded once. Returns its id.

        Raises LIMIT_EXCEEDED if one of them owes us `limits.pending_acks` already.
        """
        hub = self._hub
        limit = hub.config.limits.pending_acks
        if any(each.acks is not None and len(each.acks) >= limit for each in connections):
            hub.metrics.rejected["pending_acks"] += 1
            raise HubbubError(ErrorCode.LIMIT_EXCEEDED, f"limits.pending_acks = {limit} of this client")
        id = self._sockets.next_ack()
        hub.metrics.publications += 1
        publication = self.publication("", event, packed)
        envelope = Envelope(publication)
        arguments = inner(publication)
        for connection, answer in zip(connections, answers, strict=True):
            session = connection.session
            if session is None or session.closed:
                answer(None)
                continue
            sequence = 0
            if session.trail is not None:
                sequence = session.trail.journal.record(f"session:{connection.id}", envelope, id)
            connection.await_ack(id, answer, sequence)
            if session.connection is not None:
                payloads = connection.dialect.events.event(
                    event, arguments, packed.attachments, sequence=sequence, ack=id
                )
                frame = connection.framing(payloads)
                hub.metrics.messages_out += len(payloads)
                hub.metrics.bytes_out += len(frame)
                connection.write(frame)
        return id

    async def answers(
        self, connections: Sequence[NamespaceConnection], event: str, packed: Packed, timeout: float
    ) -> list[list[Any] | None]:
        """Ask, and wait for `timeout` seconds at the most: what each has answered, None for those who have not."""
        if not connections:
            return []
        waiters = [asyncio.get_running_loop().create_future() for _ in connections]

        def take(waiter: asyncio.Future[list[Any] | None]) -> Answer:
            return lambda arguments: None if waiter.done() else waiter.set_result(arguments)

        id = self.asking(connections, event, packed, [take(waiter) for waiter in waiters])
        try:
            await asyncio.wait(waiters, timeout=timeout)
            return [waiter.result() if waiter.done() else None for waiter in waiters]
        finally:
            for connection in connections:
                connection.forget_ack(id)
