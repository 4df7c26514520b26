"""Cases: long-polling: what a session says to each kind of request and body, and how it ends."""

from __future__ import annotations

from functools import partial

from tests.reference.table import add, case
from tests.reference.wire import Wire

MESSAGE = b'42["message",1]'
BINARY = b'451-["message",{"_placeholder":true,"num":0}]'

BODIES = (
    b"",
    b"\x1e",
    b"abc",
    b"7",
    b"8",
    b"4",
    b"2",
    b"2probe",
    b"3",
    b"3probe",
    b"6",
    b"0",
    b"5",
    b"1",
    b"1abc",
    b"b",
    b"bAQID",
    MESSAGE,
    MESSAGE + b"\x1e" + b'42["message",2]',
    MESSAGE + b"\x1e",
    MESSAGE + b"\x1e\x1e" + MESSAGE,
    MESSAGE + b"\x1ex\x1e" + MESSAGE,
    b"1\x1e" + MESSAGE,
    b"3\x1e" + MESSAGE,
    b"6\x1e" + MESSAGE,
    b"2\x1e" + MESSAGE,
    BINARY + b"\x1ebAQID",
    BINARY + b"\x1eb",
    BINARY + b"\x1ebAQIDBA==",
    BINARY + b"\x1ebAQIDBA",
    BINARY + b"\x1ebA-_D",
    BINARY + b"\x1ebAQ ID",
    BINARY + b"\x1eb!!!!",
    BINARY + b"\x1e" + MESSAGE,
    '42["message","é€\U0001f600"]'.encode(),
    b'42["message","\xff"]',
    b"\xff",
)

ENDINGS = ("kick", "parting", "drop")
LEAVINGS = ("leave", "say then leave")


async def post_while_a_poll_hangs(wire: Wire, body: bytes) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(body)
    await session.post(b'42["message","mark"]')
    if (await poll.answer()).status == 200:
        await session.rest()


async def post_while_none_polls(wire: Wire, body: bytes) -> None:
    session = await wire.poll()
    await session.post(body)
    await session.post(b'42["message","mark"]')
    await session.rest()


async def ends_while_a_poll_hangs(wire: Wire, event: str) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(f'42["{event}"]'.encode())
    await poll.answer()
    await session.rest()


async def ends_while_none_polls(wire: Wire, event: str) -> None:
    session = await wire.poll()
    await session.post(f'42["{event}"]'.encode())
    await session.rest()


async def leaves_while_a_poll_hangs(wire: Wire, event: str) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(f'42["{event}"]'.encode())
    await poll.answer()
    await session.post(b"40")
    await session.get()


async def leaves_while_none_polls(wire: Wire, event: str) -> None:
    session = await wire.poll()
    await session.post(f'42["{event}"]'.encode())
    await session.get()
    await session.post(b"40")
    await session.get()


for body in BODIES:
    shown = body.decode("utf-8", "backslashreplace").replace("\x1e", "\\x1e")
    add(f"body while a poll hangs: {shown}", partial(post_while_a_poll_hangs, body=body))
    add(f"body while none polls: {shown}", partial(post_while_none_polls, body=body))
for event in ENDINGS:
    add(f"server's {event} while a poll hangs", partial(ends_while_a_poll_hangs, event=event))
    add(f"server's {event} while none polls", partial(ends_while_none_polls, event=event))

for event in LEAVINGS:
    add(f"server's {event} while a poll hangs", partial(leaves_while_a_poll_hangs, event=event))
    add(f"server's {event} while none polls", partial(leaves_while_none_polls, event=event))


@case()
async def post_and_get(wire: Wire) -> None:
    session = await wire.poll(join=False)
    await session.post(b"40")
    await session.get()
    await session.post(b'40/custom,{"a":1}')
    await session.get()


@case()
async def many_answers_wait(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'42["burst",12,3]')
    await session.get()


@case()
async def more_answers_than_one_poll_takes(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'42["burst",20,1]')
    await session.get()
    await session.rest()


@case()
async def first_answer_goes_alone(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(b'42["burst",3,3]')
    await poll.answer()
    await session.rest()


@case()
async def two_polls(wire: Wire) -> None:
    session = await wire.poll()
    first = await session.begin()
    second = await session.begin()
    await second.answer()
    await first.answer()
    await session.get()


@case()
async def two_posts(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    first = await wire.begin("POST", session.query, body=MESSAGE, part=5)
    await session.post(MESSAGE)
    await first.answer()
    await poll.answer()
    await session.get()


@case()
async def post_in_two_parts(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    post = await wire.begin("POST", session.query, body=MESSAGE, part=5)
    await poll.hangs()
    await post.finish()
    await post.answer()
    await poll.answer()


@case()
async def poll_that_is_abandoned_ends_the_session(wire: Wire) -> None:
    session = await wire.poll()
    await (await session.begin()).abandon()
    await session.post(MESSAGE)
    await session.get()


@case()
async def post_that_is_abandoned_ends_the_session(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await (await wire.begin("POST", session.query, body=MESSAGE, part=5)).abandon()
    await poll.answer()
    await session.get()


CONTENT_TYPES = (
    "application/octet-stream",
    "application/octet-stream; charset=utf-8",
    "Application/Octet-Stream",
    "text/plain;charset=UTF-8",
    "application/x-www-form-urlencoded",
    "application/json",
)


async def post_of_a_type(wire: Wire, content_type: str) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(MESSAGE, {"Content-Type": content_type})
    await poll.answer()
    await session.post(b'42["message","mark"]')
    await session.get()


for content_type in CONTENT_TYPES:
    add(f"post of {content_type}", partial(post_of_a_type, content_type=content_type))


def sized(size: int) -> bytes:
    """A message of so many bytes."""
    return b'42["message","' + b"x" * (size - 16) + b'"]'


@case(max_payload=1_000)
async def body_at_the_limit(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(sized(1_000))
    await session.get()


@case(max_payload=1_000)
async def body_above_the_limit(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    await session.post(sized(1_001))
    await poll.hangs()
    await session.post(MESSAGE)
    await poll.answer()


@case(max_payload=1_000)
async def body_far_above_the_limit(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(sized(300_000))
    await session.post(MESSAGE)
    await session.get()


@case(max_payload=1_000)
async def body_above_the_limit_by_its_bytes(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(('42["message","' + "é" * 500 + '"]').encode())
    await session.post(MESSAGE)
    await session.get()


@case(max_payload=1_000)
async def body_in_chunks(wire: Wire) -> None:
    for size in (1_000, 1_001):
        session = await wire.poll()
        client = await wire.connect()
        head = f"POST {wire.path}{session.query} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        half = sized(size)[:500], sized(size)[500:]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*half, b""))
        await client.send(head.encode() + chunks)
        await wire.settle()
        wire.see((await client.read_response()).status.__str__())
        await session.post(MESSAGE)
        await session.get()


ENCODINGS = (
    "",
    "gzip",
    "deflate",
    "gzip, deflate, br",
    "deflate, gzip",
    "gzip;q=0",
    "gzip;q=0.5, deflate;q=0.9",
    "*",
    "gzip;q=0, *",
    "*;q=0",
    "br",
    "identity",
    "GZIP",
    "x-gzip",
)


async def compressed(wire: Wire, accept: str) -> None:
    session = await wire.poll()
    await session.post(b'42["burst",1,2000]')
    await session.get({"Accept-Encoding": accept} if accept else None)


for accept in ENCODINGS:
    add(f"compression for {accept or 'no Accept-Encoding'}", partial(compressed, accept=accept))


@case()
async def compression_from_1024_bytes(wire: Wire) -> None:
    for size in (1_009, 1_010):
        session = await wire.poll()
        await session.post(b'42["burst",1,%d]' % size)
        await session.get({"Accept-Encoding": "gzip"})


@case()
async def handshake_and_short_answers_are_not_compressed(wire: Wire) -> None:
    await wire.request("GET", "?EIO=4&transport=polling", {"Accept-Encoding": "gzip"})
    session = await wire.poll()
    await session.post(MESSAGE, {"Accept-Encoding": "gzip"})
    await session.get({"Accept-Encoding": "gzip"})


@case(connect_timeout=0.6)
async def connect_timeout_while_a_poll_hangs(wire: Wire) -> None:
    session = await wire.poll(join=False)
    await (await session.begin()).answer()
    await session.get()


@case(connect_timeout=0.6)
async def connect_timeout_of_one_that_is_in_no_namespace(wire: Wire) -> None:
    session = await wire.poll(join=False)
    await session.post(b"40/nope,")
    await session.get()
    await session.get()
    await session.get()
