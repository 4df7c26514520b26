"""How the hub's pushes and replies look to Socket.IO clients. Pure.

A publication is an event: its `event` the name, its `data` the arguments. Whatever is Hubbub's own is an event whose
name begins with `hubbub:`, which clients that do not listen to it never notice.

For connection state recovery (https://socket.io/docs/v4/connection-state-recovery) an event ends with its offset as
one more argument, a string, which the JavaScript client remembers and gives back when it returns. Here it is
`<epoch>.<sequence>`, the place in the node's journal.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from hubbub.errors import HubbubError
from hubbub.model import (
    Acknowledged,
    Advice,
    Command,
    DisconnectPush,
    ErrorReply,
    Invalid,
    Publication,
    Push,
    Reply,
    SessionPush,
)
from hubbub.protocols.base import Encoding, Payload
from hubbub.protocols.socketio import RESERVED, Packet, PacketType, Parser

_encode = msgspec.json.Encoder().encode

OWN = "hubbub:"
"""Events of Hubbub's own have names that begin so."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as clients get it: in `{"error": ...}` as the one argument of an acknowledgement, in the event
    `hubbub:error` where none was asked for, and as `data` of a CONNECT_ERROR."""

    code: int
    name: str
    message: str
    temporary: bool = False
    retry_after: float | None = None
    field: str | None = None

    @classmethod
    def of(cls, error: HubbubError) -> Failure:
        info = error.info
        return cls(int(error.code), info.name, error.message, info.temporary, error.retry_after, error.field)


class NamespaceEncoding:
    """Broadcasts as events of one namespace. Compared by identity: `NamespaceCodec` makes one for each audience.

    With `epoch` events carry their offset; with `spread` the items of an array are arguments each.
    """

    __slots__ = ("_epoch", "_namespace", "_parser", "_spread")
    journaled = True

    def __init__(self, namespace: str, parser: Parser, epoch: str | None, *, spread: bool) -> None:
        self._namespace = namespace
        self._parser = parser
        self._epoch = None if epoch is None else epoch.encode()
        self._spread = spread

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        if type(push) is not Publication:
            return self.event(f"{OWN}{type(push).__name__.lower()}", _encode(push), sequence=sequence)
        name = f"{OWN}{push.event}" if push.event in RESERVED else push.event
        data = bytes(push.data)
        if push.spread or (self._spread and data.lstrip()[:1] == b"["):
            data = data.strip()[1:-1].strip()
        return self.event(name, data, push.attachments, sequence=sequence)

    def event(
        self,
        name: str,
        arguments: bytes,
        attachments: tuple[bytes, ...] = (),
        *,
        sequence: int | None = None,
        ack: int | None = None,
    ) -> tuple[Payload, ...]:
        """An event; `arguments` are JSON with commas between them. Without a `sequence` it has no offset: it is not
        recovered. One that asks for an `ack` cannot carry an offset (the client would not find it), so a small event
        behind it does."""
        parts = [b"[", _encode(name)]
        if arguments:
            parts += (b",", arguments)
        offset = None
        if self._epoch is not None and sequence is not None:
            offset = b',"%b.%d"' % (self._epoch, sequence)
            if ack is None:
                parts.append(offset)
        parts.append(b"]")
        packet = Packet(PacketType.EVENT, self._namespace, ack, Raw(b"".join(parts)), attachments)
        payloads = self._parser.encode(packet)
        if offset is not None and ack is not None:
            payloads += self.offset(sequence)
        return payloads

    def offset(self, sequence: int | None) -> tuple[Payload, ...]:
        """The small event that carries the offset of the one before it."""
        return self.event(f"{OWN}offset", b"", sequence=sequence)


class NamespaceCodec:
    """The Codec of all connections in one namespace whose clients understand the same."""

    __slots__ = ("__weakref__", "_namespace", "_parser", "events")

    def __init__(self, namespace: str, parser: Parser, epoch: str | None, *, spread: bool) -> None:
        self._namespace = namespace
        self._parser = parser
        self.events = NamespaceEncoding(namespace, parser, epoch, spread=spread)

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        """Nothing: a packet can only be read by what knows all namespaces of its client."""
        return ()

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        if type(reply) is Acknowledged:
            return self._ack(reply.id, bytes(reply.arguments), reply.attachments)
        if isinstance(reply, ErrorReply):
            failure = _encode(_failure(reply))
            if reply.id < 0:
                return self.events.event(f"{OWN}error", failure)
            return self._ack(reply.id, b'[{"error":%b}]' % failure)
        if reply.id < 0:
            return ()
        return self._ack(reply.id, b"[%b]" % _encode(reply))

    def push(self, push: SessionPush) -> Sequence[Payload]:
        """Advice, and why the server ends a connection. That a room was entered or left is not told: it never was."""
        if isinstance(push, Advice | DisconnectPush):
            return self.events.event(f"{OWN}{push.__struct_config__.tag}", _encode(push))
        return ()

    def encoding(self, channel: str) -> Encoding:
        return self.events

    def connected(self, sid: str, pid: str | None) -> tuple[Payload, ...]:
        """The answer to a CONNECT; `pid` is what a client proves itself with when it recovers."""
        answer = {"sid": sid} if pid is None else {"sid": sid, "pid": pid}
        return self.packet(PacketType.CONNECT, _encode(answer))

    def packet(self, kind: PacketType, data: bytes | None = None) -> tuple[Payload, ...]:
        return self._parser.encode(Packet(kind, self._namespace, None, None if data is None else Raw(data)))

    def _ack(self, id: int, arguments: bytes, attachments: tuple[bytes, ...] = ()) -> tuple[Payload, ...]:
        return self._parser.encode(Packet(PacketType.ACK, self._namespace, id, Raw(arguments), attachments))


def refusal(parser: Parser, namespace: str, message: str, data: bytes | None = None) -> tuple[Payload, ...]:
    """A CONNECT_ERROR: `{"message": ..., "data": ...}`."""
    error: dict[str, object] = {"message": message}
    if data is not None:
        error["data"] = Raw(data)
    return parser.encode(Packet(PacketType.CONNECT_ERROR, namespace, None, Raw(_encode(error))))


def _failure(reply: ErrorReply) -> Failure:
    return Failure(reply.code, reply.name, reply.message, reply.temporary, reply.retry_after, reply.field)
