"""Cases: WebSocket and heartbeats: packets, frames that break RFC 6455, pings, ends."""

from __future__ import annotations

from functools import partial

from tests.reference.table import add, case
from tests.reference.wire import Wire

from hubbub.testing.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, masked

PACKETS: tuple[str | bytes, ...] = (
    "",
    "x",
    "7",
    "b",
    "bAQID",
    "0",
    "1",
    "1abc",
    "2",
    "2probe",
    "3",
    "3probe",
    "4",
    "5",
    "5x",
    "6",
    "6abc",
    b"",
    b"abc",
)


async def packet(wire: Wire, sent: str | bytes) -> None:
    channel = await wire.websocket()
    await channel.send(sent)
    await channel.mark()


for sent in PACKETS:
    add(f"websocket packet {sent!r}", partial(packet, sent=sent))

TOO_LONG = b"4" * 1_001
FRAMES = {
    "close 1000": masked(CLOSE, b"\x03\xe8"),
    "close 1001 with a reason": masked(CLOSE, b"\x03\xe9bye"),
    "close without a code": masked(CLOSE),
    "close with half a code": masked(CLOSE, b"\x03"),
    "close with a wrong code": masked(CLOSE, b"\x00\x01"),
    "close with code 1005": masked(CLOSE, b"\x03\xed"),
    "close with code 3999": masked(CLOSE, b"\x0f\x9f"),
    "close with a reason that is not UTF-8": masked(CLOSE, b"\x03\xe8\xff"),
    "frame without a mask": b"\x81\x01x",
    "frame with a reserved bit": masked(TEXT, b'42["message"]', rsv=4),
    "frame with an unknown opcode": masked(3),
    "text that is not UTF-8": masked(TEXT, b"4\xff"),
    "text above the limit": masked(TEXT, TOO_LONG),
    "head of a text above the limit": masked(TEXT, TOO_LONG)[:8],
    "binary above the limit": masked(BINARY, TOO_LONG),
    "fragments above the limit": masked(TEXT, b"4" * 600, fin=False) + masked(CONTINUATION, b"4" * 600),
    "continuation of nothing": masked(CONTINUATION, b"x"),
    "text amid a text": masked(TEXT, b"4", fin=False) + masked(TEXT, b"4"),
    "long ping": masked(PING, b"x" * 126),
    "ping in fragments": masked(PING, b"x", fin=False),
}
HARMLESS = {
    "text at the limit": masked(TEXT, b'42["message","' + b"x" * 984 + b'"]'),
    "fragments": masked(TEXT, b'42["mess', fin=False) + masked(CONTINUATION, b'age",1]'),
    "ping": masked(PING, b"hi"),
    "ping amid fragments": masked(TEXT, b'42["mess', fin=False) + masked(PING) + masked(0, b'age",1]'),
    "pong": masked(PONG, b"hi"),
}


async def frame(wire: Wire, data: bytes) -> None:
    channel = await wire.websocket()
    await channel.raw(data)
    await channel.read_on()


async def harmless_frame(wire: Wire, data: bytes) -> None:
    channel = await wire.websocket()
    await channel.raw(data)
    await channel.read(0 if data == HARMLESS["pong"] else 1)
    await channel.mark()


for name, data in FRAMES.items():
    add(f"websocket {name}", partial(frame, data=data), max_payload=1_000)
for name, data in HARMLESS.items():
    add(f"websocket {name}", partial(harmless_frame, data=data), max_payload=1_000)


async def ending(wire: Wire, event: str) -> None:
    channel = await wire.websocket()
    await channel.send(f'42["{event}"]')
    await channel.read_on()


for event in ("kick", "parting", "drop"):
    add(f"server's {event} by websocket", partial(ending, event=event))


@case()
async def packets_after_the_server_has_closed(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send('42["drop"]', '42["message",1]', "x")
    await channel.read_on()


@case()
async def fin_without_a_close_frame(wire: Wire) -> None:
    channel = await wire.websocket()
    channel.client.half_close()
    await channel.read_on()


@case()
async def sid_is_unknown_after_the_end(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.raw(masked(CLOSE))
    await channel.read_on()
    channel.hang_up()
    await wire.request("GET", f"?EIO=4&transport=polling&sid={channel.sid}")


async def reason(wire: Wire, *, packets: tuple[str | bytes, ...] = (), frames: bytes = b"") -> None:
    """Why the server says that a client has gone."""
    channel = await wire.websocket()
    if packets:
        await channel.send(*packets)
    if frames:
        await channel.raw(frames)
    if packets[:1] not in {("41",), ('42["leave"]',)}:
        await channel.client.read_close()
    channel.hang_up()
    await wire.settle()
    watcher = await wire.websocket()
    await watcher.send(f'420["why","{channel.id}"]')
    await watcher.read()


LAST_PACKETS: dict[str, tuple[str | bytes, ...]] = {
    "41": ("41",),
    "leave": ('42["leave"]',),
    "kick": ('42["kick"]',),
    "drop": ('42["drop"]',),
    "no packet of Engine.IO": ("x",),
    "a ping": ("2",),
    "no packet of Socket.IO": ("4x",),
    "an event of no namespace": ('42/x,["a"]',),
    "binary out of place": (b"abc",),
}
for name, packets in LAST_PACKETS.items():
    add(f"reason after {name}", partial(reason, packets=packets))
for name in ("close 1000", "frame without a mask", "text above the limit"):
    add(f"reason after {name}", partial(reason, frames=FRAMES[name]), max_payload=1_000)


@case(ping_interval=0.1)
async def heartbeats_by_websocket(wire: Wire) -> None:
    channel = await wire.websocket(join=False)
    for answer in ("3", "3x", "3"):
        await channel.read()
        await channel.send(answer)
    await channel.read()


@case(ping_interval=0.1)
async def heartbeats_by_polling(wire: Wire) -> None:
    session = await wire.poll(join=False)
    for _ in range(3):
        await session.get()
        await session.post(b"3")
    await session.get()


@case(ping_interval=0.3, ping_timeout=0.2)
async def ping_timeout_by_websocket(wire: Wire) -> None:
    channel = await wire.websocket(join=False)
    await channel.read_on()


@case(ping_interval=0.2, ping_timeout=0.8)
async def ping_timeout_while_a_poll_hangs(wire: Wire) -> None:
    session = await wire.poll(join=False)
    await session.get()
    await session.get()
    await session.get()


@case(ping_interval=0.2)
async def ping_waits_for_a_poll_and_goes_over_at_an_upgrade(wire: Wire) -> None:
    session = await wire.poll(join=False)
    watch = await wire.websocket(join=False)
    await watch.client.read_frame()
    await wire.settle()
    channel = await session.probe()
    await channel.send("5")
    await channel.read()
    await channel.send("3")
    await channel.read()


@case(ping_interval=0.2)
async def pings_go_on_after_an_upgrade(wire: Wire) -> None:
    session = await wire.poll(join=False)
    channel = await session.probe()
    await channel.send("5")
    for _ in range(3):
        await channel.read()
        await channel.send("3")


@case(connect_timeout=0.6)
async def connect_timeout_by_websocket(wire: Wire) -> None:
    channel = await wire.websocket(join=False)
    await channel.read_on()


@case(connect_timeout=0.6)
async def refused_namespace_does_not_count(wire: Wire) -> None:
    channel = await wire.websocket(join=False)
    await channel.send("40/nope,")
    await channel.read_on()
