"""Cases: the packets of socket.io-msgpack-parser, which are compared by what they say, not by their bytes."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from tests.reference.table import add, case
from tests.reference.wire import Socket, Wire

UNDEFINED = object()


def pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def unpack(data: bytes) -> Any:
    """What JavaScript makes of a packet: `undefined` (an extension of type 0) is nothing."""
    return without_undefined(msgspec.msgpack.decode(data, ext_hook=lambda code, data: UNDEFINED))


def without_undefined(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_undefined(each) for name, each in value.items() if each is not UNDEFINED}
    return value


async def read(channel: Socket, count: int = 1) -> bool:
    """See so many packets; False at the end of the connection."""
    for _ in range(count):
        before = len(channel.wire.seen)
        await channel.read()
        frame = channel.last
        if frame is None:
            return False
        packet = unpack(frame.payload)
        if packet["type"] == 0:
            packet["data"] = dict.fromkeys(packet["data"], "SID")
        channel.wire.seen[before:] = [f"packet: {dict(sorted(packet.items()))}"]
    return True


async def joined(wire: Wire) -> Socket:
    channel = await wire.websocket(join=False)
    await channel.send(pack({"type": 0, "nsp": "/"}))
    await read(channel, 2)
    return channel


async def mark(channel: Socket) -> None:
    """See what there is up to the answer of a further event, or to the end."""
    await channel.send(pack({"type": 2, "nsp": "/", "data": ["message", "mark"]}))
    while await read(channel):
        if "'mark'" in channel.wire.seen[-1]:
            return


PACKETS: dict[str, Any] = {
    "event": {"type": 2, "nsp": "/", "data": ["message", 1, "2", {"3": [True, None]}]},
    "event with binary": {"type": 2, "nsp": "/", "data": ["message", b"ab", {"x": [b""]}]},
    "event with an ack": {"type": 2, "nsp": "/", "id": 7, "data": ["message-with-ack", b"ab", 1.5]},
    "event in the stock client's form": {
        "type": 2,
        "data": ["message", "a"],
        "options": {"compress": True},
        "nsp": "/",
    },
    "event of no namespace": {"type": 2, "nsp": "/nope", "data": ["message"]},
    "event without data": {"type": 2, "nsp": "/"},
    "event of an object": {"type": 2, "nsp": "/", "data": {}},
    "event without a handler": {"type": 2, "nsp": "/", "data": ["nothing"]},
    "ack that nobody awaits": {"type": 3, "nsp": "/", "id": 4_711, "data": []},
    "ack without data": {"type": 3, "nsp": "/", "id": 4_711},
    "connect to a namespace": {"type": 0, "nsp": "/custom", "data": {"token": "abc"}},
    "connect again": {"type": 0, "nsp": "/"},
    "connect with a text": {"type": 0, "nsp": "/custom", "data": "abc"},
    "connect to an unknown namespace": {"type": 0, "nsp": "/nope"},
    "connect that is refused": {"type": 0, "nsp": "/refused"},
    "disconnect with data": {"type": 1, "nsp": "/", "data": []},
    "connect error": {"type": 4, "nsp": "/", "data": {"message": "x"}},
    "type 5": {"type": 5, "nsp": "/", "data": ["message"]},
    "type -1": {"type": -1, "nsp": "/", "data": ["message"]},
    "type as text": {"type": "2", "nsp": "/", "data": ["message"]},
    "no type": {"nsp": "/", "data": ["message"]},
    "no namespace": {"type": 2, "data": ["message"]},
    "namespace that is no text": {"type": 2, "nsp": 1, "data": ["message"]},
    "id as text": {"type": 2, "nsp": "/", "id": "1", "data": ["message"]},
    "id that is no integer": {"type": 2, "nsp": "/", "id": 1.5, "data": ["message"]},
    "no map": ["message"],
    "null": None,
}
BYTES: dict[str, str | bytes] = {
    "text": "4abc",
    "text of JSON": '42["message",1]',
    "nothing": b"",
    "no msgpack": b"\xc1",
    "half a packet": pack(PACKETS["event"])[:-1],
    "more than a packet": pack(PACKETS["event"]) + b"\x00",
}


async def packet(wire: Wire, sent: str | bytes) -> None:
    channel = await joined(wire)
    await channel.send(sent)
    await mark(channel)


for name, value in PACKETS.items():
    add(f"msgpack: {name}", partial(packet, sent=pack(value)), parser="msgpack")
for name, data in BYTES.items():
    add(f"msgpack: {name}", partial(packet, sent=data), parser="msgpack")


@case(parser="msgpack")
async def msgpack_disconnect_and_connect_again(wire: Wire) -> None:
    channel = await joined(wire)
    await channel.send(pack({"type": 1, "nsp": "/"}))
    await channel.send(pack({"type": 0, "nsp": "/", "data": {"again": 1}}))
    await read(channel, 2)
    await channel.send(pack({"type": 2, "nsp": "/", "data": ["kick"]}))
    while await read(channel):
        pass


@case(parser="msgpack")
async def msgpack_by_polling(wire: Wire) -> None:
    session = await wire.poll(join=False)
    poll = await session.begin()
    await session.post(b"bgqR0eXBlAKNuc3ChLw==")
    answer = (await poll.answer()).body.decode().split("\x1e")
    wire.seen.pop()
    wire.see(f"begins: {[each[0] for each in answer]}")
