"""From an event that the server emits to publications in the rooms' channels, or to single sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.commands import check_name
from hubbub.model import NO_RETENTION, Envelope, Publication, Raw
from hubbub.protocols.base import Framing, Payload
from hubbub.protocols.socketio import RESERVED, extract
from hubbub.protocols.socketio_encoding import NamespaceEncoding
from hubbub.socketio.connection import Answer, NamespaceConnection
from hubbub.socketio.sockets import Sockets, inner
from hubbub.telemetry.metrics import Metrics


class Packed(NamedTuple):
    """An event's arguments as a Publication carries them."""

    data: Raw
    attachments: tuple[bytes, ...]
    spread: bool


class _Shared:
    """An event that is encoded once for all who get the same bytes."""

    def __init__(self, metrics: Metrics, encode: Callable[[NamespaceEncoding], Sequence[Payload]]) -> None:
        self._metrics = metrics
        self._encode = encode
        self._frames: dict[tuple[NamespaceEncoding, Framing], tuple[bytes, int]] = {}

    def write(self, connection: NamespaceConnection) -> None:
        metrics, key = self._metrics, (connection.dialect.events, connection.framing)
        found = self._frames.get(key)
        if found is None:
            payloads = self._encode(connection.dialect.events)
            found = self._frames[key] = connection.framing(payloads), len(payloads)
            metrics.encodes += 1
        frame, count = found
        metrics.messages_out += count
        metrics.bytes_out += len(frame)
        connection.write(frame)


class Emitter:
    """What emits. All names are checked before anything is sent."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._hub = sockets.hub

    def pack(self, event: str, data: Any) -> Packed:
        """Raises BAD_REQUEST for a name that no event can have, INVALID_DATA for data that cannot be sent,
        MESSAGE_TOO_LARGE."""
        limits = self._hub.config.limits
        check_name(event, limits.key_length, "event")
        if event in RESERVED:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"the event name {event} is reserved", field="event")
        arguments = list(data) if type(data) is tuple else [] if data is None else [data]
        try:
            raw, attachments = extract(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise HubbubError(ErrorCode.INVALID_DATA, f"data: {error}", field="data") from None
        self._check_size("packet_bytes", len(raw), limits.packet_bytes)
        self._check_size("attachments", len(attachments), limits.attachments)
        self._check_size("attachment_bytes", sum(map(len, attachments)), limits.attachment_bytes)
        if len(arguments) == 1:
            return Packed(Raw(bytes(raw)[1:-1]), attachments, False)
        return Packed(raw, attachments, True)

    def _check_size(self, limit: str, size: int, most: int) -> None:
        if size > most:
            self._hub.metrics.rejected[limit] += 1
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"data: more than limits.{limit} = {most}", field="data"
            )

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
        # All envelopes share it: in each channel what stands before that counts.
        names = (*unless, *channels) if unless or len(channels) > 1 else ()
        for channel in channels:
            envelope = Envelope(
                self.publication(channel, event, packed),
                exclude,
                hub.clock.monotonic(),
                names,
                volatile,
            )
            hub.metrics.publications += 1
            # What may be dropped is not worth a place in the log of a mapped room.
            await hub.live.echoes.publish(envelope, NO_RETENTION if volatile else hub.retention(channel))

    def to_sockets(
        self,
        connections: Iterable[NamespaceConnection],
        event: str,
        packed: Packed,
        *,
        volatile: bool = False,
    ) -> None:
        """Send to single sockets."""
        hub = self._hub
        hub.metrics.publications += 1
        shared = _Shared(
            hub.metrics,
            lambda events: events.encode(self.publication("", event, packed), hub.journal.head),
        )
        for connection in connections:
            session = connection.session
            if session is None:
                continue
            if not volatile and (session.trail is not None or session.connection is None):
                session.direct(self.publication(f"session:{connection.id}", event, packed))
            elif session.connection is not None and (not volatile or connection.writable):
                shared.write(connection)
            else:
                hub.metrics.volatile_dropped += 1

    def to_user(self, user: str, event: str, packed: Packed, namespace: str, skipped: Container[str]) -> None:
        """Send to all sessions of a user: its sockets in the namespace, and those of other protocols."""
        self._hub.metrics.publications += 1
        publication = self.publication(f"user:{user}", event, packed)
        for session in self._hub.users.get(user, ()):
            connection = self._sockets.by_id.get(session.id)
            if session.id not in skipped and (connection is None or connection.namespace == namespace):
                session.direct(publication)

    def asking(
        self,
        connections: Sequence[NamespaceConnection],
        event: str,
        packed: Packed,
        answers: Sequence[Answer],
    ) -> int:
        """Send an event that asks each socket for an acknowledgement. Returns its id.

        A socket that owes `limits.pending_acks` already is not asked; if it is the only one, LIMIT_EXCEEDED is raised.
        """
        hub = self._hub
        limit = hub.config.limits.pending_acks
        id = self._sockets.next_ack()
        publication = self.publication("", event, packed)
        envelope = Envelope(publication)
        arguments = inner(publication)
        shared = _Shared(
            hub.metrics, lambda events: events.event(event, arguments, packed.attachments, ack=id)
        )
        for connection, answer in zip(connections, answers, strict=True):
            session = connection.session
            if session is None or session.closed:
                answer(None)
                continue
            if connection.acks is not None and len(connection.acks) >= limit:
                hub.metrics.rejected["pending_acks"] += 1
                if len(connections) == 1:
                    message = f"limits.pending_acks = {limit} of this client"
                    raise HubbubError(ErrorCode.LIMIT_EXCEEDED, message)
                answer(None)
                continue
            sequence = 0
            if session.trail is not None:
                sequence = session.trail.journal.record(f"session:{connection.id}", envelope, id)
            connection.await_ack(id, answer, sequence)
            if session.connection is not None:
                shared.write(connection)
                if sequence:
                    offset = connection.framing(connection.dialect.events.offset(sequence))
                    hub.metrics.messages_out += 1
                    hub.metrics.bytes_out += len(offset)
                    connection.write(offset)
        hub.metrics.publications += 1
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
