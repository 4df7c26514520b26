"""What the load generator speaks, and how it reads what it hears at fifty thousand messages a second. Pure."""

from __future__ import annotations

from typing import Protocol

from hubbub.loadgen.adapters import Adapter, Hubbub, Kind, SocketIO

Place = tuple[bytes, int]
"""A conversation's id and a seq."""
PREFIX = b"conversation:"


class ChatAdapter(Adapter, Protocol):
    """An adapter whose server knows conversations. Nothing here looks at more of a payload than it must."""

    live: bool
    """Whether a client is in its conversations once it is connected; else it subscribes to each."""

    def send(self, id: int, conversation: str, text: str, key: str) -> bytes:
        """Send a message; the ack comes back with `id`."""

    def delivery(self, payload: bytes) -> Place | None:
        """Where the new message in `payload` stands; None if there is none in it."""

    def ack(self, payload: bytes) -> tuple[int, bytes, int]:
        """Of a REPLY: the id, and where the message stands; (id, b"", 0) if the server had no time for it."""


class HubbubChat(Hubbub):
    """`call` of `chat.messages.send` with an idempotency key, and `subscribe` to each conversation."""

    live = False

    def send(self, id: int, conversation: str, text: str, key: str) -> bytes:
        return (
            f'{{"type":"call","id":{id},"method":"chat.messages.send","key":"{key}","params":{{"conversation":'
            f'"{conversation}","parts":[{{"type":"text","text":"{text}"}}]}}}}'
        ).encode()

    def kind(self, payload: bytes) -> Kind:
        if payload.startswith(b'{"type":"result"'):
            return Kind.REPLY
        if payload.startswith(b'{"type":"error"') and b'"temporary":true' in payload:
            return Kind.REPLY
        return super().kind(payload)

    def delivery(self, payload: bytes) -> Place | None:
        if not payload.startswith(b'{"type":"publication","channel":"conversation:'):
            return None
        end = payload.index(b'"', 46)
        if not payload.startswith(b',"event":"message.created"', end + 1):
            return None
        return payload[46:end], int(payload[payload.rindex(b":") + 1 : -1])

    def ack(self, payload: bytes) -> tuple[int, bytes, int]:
        if payload.startswith(b'{"type":"error"'):
            return int(payload[21 : payload.index(b",", 21)]), b"", 0
        return int(payload[22 : payload.index(b",", 22)]), *_place(payload)


class SocketIOChat(SocketIO):
    """The events of `bench/peers/chat_python_socketio.py` and `bench/peers/node/chat.js`."""

    path = "/socket.io/?EIO=4&transport=websocket"
    live = True

    def connect(self, token: str) -> bytes | None:
        """Here the token is the user's id: nobody is verified."""
        return b'40{"user":"%b"}' % token.encode()

    def send(self, id: int, conversation: str, text: str, key: str) -> bytes:
        return f'42{id}["send",{{"conversation":"{conversation}","text":"{text}"}}]'.encode()

    def delivery(self, payload: bytes) -> Place | None:
        if not payload.startswith(b'42["message",{"conversation":"'):
            return None
        return payload[30 : payload.index(b'"', 30)], int(payload[payload.rindex(b":") + 1 : -2])

    def ack(self, payload: bytes) -> tuple[int, bytes, int]:
        return int(payload[2 : payload.index(b"[")]), *_place(payload)


def _place(payload: bytes) -> Place:
    start = payload.index(b'"conversation":"') + 16
    end = payload.index(b'"', start)
    seq = payload.index(b'"seq":', end) + 6
    stop = seq
    while payload[stop : stop + 1].isdigit():
        stop += 1
    return payload[start:end], int(payload[seq:stop])


ADAPTERS: dict[str, type[HubbubChat] | type[SocketIOChat]] = {"hubbub": HubbubChat, "socketio": SocketIOChat}
