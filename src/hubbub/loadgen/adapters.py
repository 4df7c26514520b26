"""What a server's protocol looks like to the load generator. Pure.

An adapter turns intentions into payloads and tells what a payload is, by its first bytes. `plain` is the little
protocol of the bare peers in `bench/peers`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

import msgspec

from hubbub.loadgen.frames import PONG, masked
from hubbub.model import Connect, Publish, Subscribe


class Kind(Enum):
    """What the server has said."""

    CONNECTED = auto()
    REPLY = auto()
    PUSH = auto()
    PING = auto()
    ERROR = auto()
    OTHER = auto()


class Adapter(Protocol):
    """One protocol. Payloads are whole messages, before framing; `id` comes back with the reply."""

    path: str
    polling: str | None
    """Path of the protocol's long-polling, where this adapter's payloads can go that way."""
    subprotocol: str | None
    alive: bytes
    """A whole client frame that keeps a connection alive which was pinged."""

    def connect(self, token: str) -> bytes | None:
        """The first command, or None where an upgraded connection is a connected one."""

    def subscribe(self, id: int, channel: str) -> bytes: ...

    def publish(self, id: int, channel: str, data: bytes) -> bytes: ...

    def echo(self, id: int, channel: str, data: bytes) -> bytes:
        """The cheapest command with `data` that the server acknowledges."""

    def kind(self, payload: bytes) -> Kind: ...


class Hubbub:
    """`hubbub.v1.json`."""

    path = "/v1/ws"
    polling: str | None = None
    subprotocol: str | None = "hubbub.v1.json"
    alive = masked(b"", PONG)

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode

    def connect(self, token: str) -> bytes | None:
        return self._encode(Connect(id=1, token=token, client="hubbub-bench"))

    def subscribe(self, id: int, channel: str) -> bytes:
        return self._encode(Subscribe(id=id, channel=channel, presence=False))

    def publish(self, id: int, channel: str, data: bytes) -> bytes:
        return self._encode(Publish(id=id, channel=channel, data=msgspec.Raw(data)))

    def echo(self, id: int, channel: str, data: bytes) -> bytes:
        return self.publish(id, channel, data)

    def kind(self, payload: bytes) -> Kind:
        if payload.startswith(b'{"type":"publication"'):
            return Kind.PUSH
        if payload.startswith((b'{"type":"published"', b'{"type":"subscribed"')):
            return Kind.REPLY
        if payload.startswith(b'{"type":"connected"'):
            return Kind.CONNECTED
        if payload.startswith((b'{"type":"error"', b'{"type":"disconnect"')):
            return Kind.ERROR
        return Kind.OTHER


class SocketIO:
    """Socket.IO 5 over Engine.IO 4, by WebSocket or polling, without a token. Every emit asks for an ack.

    It asks Hubbub for connection state recovery, which the JavaScript client gets unasked; others pass over that.
    """

    path = "/socket.io/?EIO=4&transport=websocket&recovery=on"
    polling: str | None = "/socket.io/?EIO=4&transport=polling&recovery=on"
    subprotocol: str | None = None
    alive = masked(b"3")

    def connect(self, token: str) -> bytes | None:
        return b"40"

    def subscribe(self, id: int, channel: str) -> bytes:
        return b'42%d["subscribe","%b"]' % (id, channel.encode())

    def publish(self, id: int, channel: str, data: bytes) -> bytes:
        return b'42%d["publish","%b",%b]' % (id, channel.encode(), data)

    def echo(self, id: int, channel: str, data: bytes) -> bytes:
        return b'42%d["echo",%b]' % (id, data)

    def kind(self, payload: bytes) -> Kind:
        kind = _SOCKETIO_KINDS.get(payload[:2], Kind.OTHER)
        # Hubbub's answer to an event that has failed; elsewhere such an event has no answer.
        return Kind.ERROR if kind is Kind.REPLY and b'[{"error":' in payload else kind


class SocketIOToken(SocketIO):
    """The same, with the token in the `auth` payload."""

    def connect(self, token: str) -> bytes | None:
        return b'40{"token":"%b"}' % token.encode()


_SOCKETIO_KINDS = {
    b"42": Kind.PUSH,
    b"43": Kind.REPLY,
    b"40": Kind.CONNECTED,
    b"2": Kind.PING,
    b"44": Kind.ERROR,
    b"41": Kind.ERROR,
    b"1": Kind.ERROR,
}


class Plain:
    """JSON objects tagged by `type` and nothing else: `bench/peers/node/ws.js` and `bench/peers/loop.c`."""

    path = "/"
    polling: str | None = None
    subprotocol: str | None = None
    alive = masked(b"", PONG)

    def connect(self, token: str) -> bytes | None:
        return None

    def subscribe(self, id: int, channel: str) -> bytes:
        return b'{"type":"subscribe","id":%d,"channel":"%b"}' % (id, channel.encode())

    def publish(self, id: int, channel: str, data: bytes) -> bytes:
        return b'{"type":"publish","id":%d,"channel":"%b","data":%b}' % (id, channel.encode(), data)

    def echo(self, id: int, channel: str, data: bytes) -> bytes:
        return b'{"type":"echo","id":%d,"data":%b}' % (id, data)

    def kind(self, payload: bytes) -> Kind:
        if payload.startswith(b'{"type":"publication"'):
            return Kind.PUSH
        return Kind.REPLY if payload.startswith(b'{"type":"ok"') else Kind.OTHER


ADAPTERS: dict[str, type[Hubbub] | type[SocketIO] | type[Plain]] = {
    "hubbub": Hubbub,
    "socketio": SocketIO,
    "socketio-token": SocketIOToken,
    "plain": Plain,
}
"""The protocols by the name that `--protocol` takes."""
