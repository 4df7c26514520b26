"""Cases: Socket.IO's packets: namespaces, events, acknowledgements, attachments, and all that is malformed."""

from __future__ import annotations

from functools import partial

from tests.reference.table import add, case
from tests.reference.wire import Wire

AFTER_JOINING = """\
40
40{}
40{"a":1}
40[]
40null
40"x"
40/
40/,
40custom
40/custom
40/custom,
40/custom,{}
40/custom,{"token":"abc"}
40/custom,[1]
40/custom{"a":1}
40/nope
40/nope,
40/nope,{"a":1}
40/nope?a=b,
40/é,
40/refused,
40/refused-plainly,
40/picky,{"token":"abc"}
40/picky,{"token":"x"}
40/picky,
40/dynamic-12,
40/dynamic-x,
40/custom,{"a":1}x
41
41,
41/
41/custom,
41{}
41"x"
42
42[]
42["message"]
42["message",1,"2",{"3":[true]}]
42["message",null,true,1.5,-1,"é€😀","\\\\"]
42["message",[],{},[[]],""]
42 ["message-with-ack",1]
42["message",1]\x20
42["message",1]x
42["message",
42["message",1],
42{"a":1}
42{}
42null
42"message"
42[null]
42[true]
42[{}]
42[1,2]
42[""]
42["connect"]
42["connect_error"]
42["disconnect"]
42["disconnecting",1]
42["newListener"]
42["removeListener"]
42["connection"]
42["error"]
42["auth"]
42["__proto__"]
42["nothing","here"]
4212["nothing"]
420["message-with-ack"]
42456["message-with-ack",1,"2",{"3":[false]}]
42007["message-with-ack"]
42-1["message-with-ack"]
421.5["message-with-ack"]
42abc["message-with-ack",1]
42 1["message-with-ack",1]
429007199254740991["message-with-ack"]
429007199254740993["message-with-ack"]
42/,["message",1]
42/["message",1]
42/custom,["message",1]
42/nope,["message",1]
42/custom,1["message",1]
42["message",{"_placeholder":true,"num":0}]
42["message",1.0,1e2,12345678901234567890]
42["message",1e400]
42["message",NaN]
42["message",{"a":1,"a":2}]
42["message",{"2":1,"1":2,"b":0}]
42["message","\\ud800"]
42["message","\\u0041\\/"]
42["message",01]
42['message']
43
43[]
430
430[]
437["x"]
43{}
43"x"
430{}
43/custom,0[]
44
44{"message":"x"}
44"x"
44[]
44/custom,{"message":"x"}
45
45["message"]
45-["message"]
45x-["message"]
450-["message"]
451["message"]
451-["message",{"_placeholder":true,"num":0}]
451-
4510-["message"]
4511-["message"]
451.0-["message"]
451e0-["message"]
45 1-["message"]
45-1-["message"]
451-/custom,["message",1]
451-{"a":1}
451-["connect"]
461-["x"]
461-0["x"]
460-0["x"]
46["x"]
47
48
49
4a
4abc
4\x20
4-1["x"]
4["message"]
4\x002["message"]
"""

BEFORE_JOINING = ('42["message",1]', '420["message-with-ack"]', "41", "43[]", "44{}", "4x", "45-", b"abc")


async def one_packet(wire: Wire, sent: str) -> None:
    """Joined to the main namespace: the packet, and then an event to show whether the connection has survived."""
    channel = await wire.websocket()
    await channel.send(sent)
    if sent == "40/dynamic-12,":
        await channel.read(2)
    await channel.mark()


async def first_packet(wire: Wire, sent: str | bytes) -> None:
    channel = await wire.websocket(join=False)
    await channel.send(sent)
    await channel.read_on()


for sent in AFTER_JOINING.splitlines():
    add(f"packet {sent!r}", partial(one_packet, sent=sent))
for sent_first in BEFORE_JOINING:
    add(f"first packet {sent_first!r}", partial(first_packet, sent=sent_first))


CONNECTS = (
    "40",
    "40{}",
    '40{"token":"123"}',
    '40{"token":{"a":[1,null,"é"]}}',
    "40/",
    "40/,",
    '40/,{"a":1}',
    "40/custom",
    '40/custom,{"token":"abc"}',
    "40/dynamic-1,",
)


async def connect(wire: Wire, sent: str) -> None:
    channel = await wire.websocket(join=False)
    await channel.send(sent)
    await channel.read(2)


for sent in CONNECTS:
    add(f"connect by {sent}", partial(connect, sent=sent))


@case()
async def connect_that_is_refused_then_another(wire: Wire) -> None:
    channel = await wire.websocket(join=False)
    for sent in ("40/nope,", "40/refused,", "40/refused-plainly,", '40/picky,{"token":"no"}'):
        await channel.send(sent)
        await channel.read()
    await channel.send('40/picky,{"token":"abc"}')
    await channel.read(2)


@case()
async def two_namespaces(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send("40/custom,")
    await channel.read(2)
    await channel.send('42/custom,["message",1]')
    await channel.read()
    await channel.send('42/custom,5["message-with-ack",1]')
    await channel.read()
    await channel.send("41/custom,")
    await channel.mark()
    await channel.send("40/custom,")
    await channel.read(2)
    await channel.send("41")
    await channel.send('42/custom,["message",2]')
    await channel.read()
    await channel.send("40")
    await channel.read(2)
    await channel.mark()


@case()
async def event_for_a_namespace_that_was_left(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send("41")
    await channel.send('42["message",1]')
    await channel.read_on()


@case()
async def server_leaves_a_namespace(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send("40/custom,")
    await channel.read(2)
    await channel.send('42/custom,["say then leave"]')
    await channel.read(2)
    await channel.mark()
    await channel.send("40/custom,")
    await channel.read(2)
    await channel.send('42["leave"]')
    await channel.read()
    await channel.send('42/custom,["message",1]')
    await channel.read()
    await channel.send("40")
    await channel.read(2)


@case()
async def event_that_crosses_a_leave_of_the_server(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send('42["leave"]')
    await channel.read()
    await channel.send('42["message",1]')
    await channel.send("40")
    await channel.read(2)


@case()
async def server_closes_one_that_is_in_two_namespaces(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send("40/custom,")
    await channel.read(2)
    await channel.send('42["kick"]')
    await channel.read_on()


@case()
async def events_in_one_segment_are_answered_in_order(wire: Wire) -> None:
    channel = await wire.websocket()
    await channel.send(*(f'42{at}["message-with-ack",{at}]' for at in range(10)))
    await channel.read(10)


TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
BINARIES: dict[str, tuple[str | bytes, ...]] = {
    "two": (f'452-["message",{TWO}]', b"\1\2\3", b"\4\5\6"),
    "an event with an ack": (f'452-789["message-with-ack",{TWO}]', b"\1\2\3", b"\4\5\6"),
    "swapped": (
        '452-["message",{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]}]',
        b"ab",
        b"cd",
    ),
    "empty": ('451-["message",{"_placeholder":true,"num":0}]', b""),
    "not used": ('451-["message",1]', b"ab"),
    "used twice": (
        '451-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]',
        b"ab",
    ),
    "more keys": ('451-["message",{"_placeholder":true,"num":0,"x":1}]', b"ab"),
    "false": ('451-["message",{"_placeholder":false,"num":0}]', b"ab"),
    "1 for true": ('451-["message",{"_placeholder":1,"num":0}]', b"ab"),
    "no number": ('451-["message",{"_placeholder":true}]', b"ab"),
    "number too high": ('451-["message",{"_placeholder":true,"num":1}]', b"ab"),
    "negative number": ('451-["message",{"_placeholder":true,"num":-1}]', b"ab"),
    "number as text": ('451-["message",{"_placeholder":true,"num":"0"}]', b"ab"),
    "half a number": ('451-["message",{"_placeholder":true,"num":0.5}]', b"ab"),
    "text in between": (f'452-["message",{TWO}]', b"ab", '42["message",1]'),
    "one too many": ('451-["message",1]', b"ab", b"cd"),
    "event without data": ("451-", b"ab"),
    "namespace that is not joined": (
        '451-/custom,["message",{"_placeholder":true,"num":0}]',
        b"ab",
    ),
    "ten": ("4510-" + '["message",' + '{"_placeholder":true,"num":9}]', *([b"a"] * 9), b"z"),
    "ack that nobody awaits": ('461-0["x",{"_placeholder":true,"num":0}]', b"ab"),
}


async def binary(wire: Wire, sent: tuple[str | bytes, ...]) -> None:
    channel = await wire.websocket()
    await channel.send(*sent)
    await channel.mark()


for name, sent_binary in BINARIES.items():
    add(f"attachments: {name}", partial(binary, sent=sent_binary))


@case()
async def server_asks_and_the_client_acknowledges(wire: Wire) -> None:
    channel = await wire.websocket()
    numbers = []
    for _ in range(3):
        await channel.send('42["ask",1]')
        await channel.read()
        text = wire.seen[-1].removeprefix("socket: text 42")
        numbers.append(text.partition("[")[0])
        wire.seen[-1] = wire.seen[-1].replace(f"42{numbers[-1]}[", "42ID[")
    first, second, third = numbers
    assert len({first, second, third}) == 3
    await channel.send(f'43{second}["a",1]')
    await channel.read()
    await channel.send(f'43{second}["again"]')
    await channel.send(f"43{first}[]")
    await channel.read()
    await channel.send(f'461-{third}[{{"_placeholder":true,"num":0}}]', b"xy")
    await channel.read(2)
    await channel.mark()


@case()
async def ack_of_an_event_with_binary_by_polling(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'451-3["message-with-ack",{"_placeholder":true,"num":0},"x"]\x1ebAQID')
    await session.get()
