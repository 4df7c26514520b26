from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import until

from hubbub.engines.nats_wire import LONGEST, NatsError, Wire, header, headers_of

pytestmark = pytest.mark.anyio

Message = tuple[int, bytes, bytes, bytes, bytes]


class Pipe(asyncio.Transport):
    """What was written, in how many writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


class World:
    def __init__(self, timeout: float = 60.0) -> None:
        self.heard: list[Message] = []
        self.lost: list[Exception] = []
        self.pipe = Pipe()
        self.wire = Wire(lambda *message: self.heard.append(message), self.lost.append, timeout)
        self.wire.connection_made(self.pipe)


SAID = (
    b'INFO {"server_id":"x","version":"2.9.10","max_payload":100,"headers":true,"other":[1]}\r\n'
    b"PING\r\n+OK\r\n"
    b"MSG a.b 7 3\r\nabc\r\n"
    b"msg a.b 8 reply.to 0\r\n\r\n"
    b"HMSG a 9 22 25\r\nNATS/1.0\r\nName: x y\r\n\r\nabc\r\n"
    b"HMSG a 9 r 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
    b"MSG a.b 7 4\r\n\r\n\r\n\r\n"
)
HEARD = [
    (7, b"a.b", b"", b"", b"abc"),
    (8, b"a.b", b"reply.to", b"", b""),
    (9, b"a", b"", b"NATS/1.0\r\nName: x y\r\n\r\n", b"abc"),
    (9, b"a", b"r", b"NATS/1.0 503\r\n\r\n", b""),
    (7, b"a.b", b"", b"", b"\r\n\r\n"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_what_a_server_says_in_whatever_pieces(size: int) -> None:
    world = World()
    said = SAID
    said = SAID.replace(b"HMSG a 9 22 25", b"HMSG a 9 %d %d" % (len(HEARD[2][3]), len(HEARD[2][3]) + 3))
    for start in range(0, len(said), size):
        world.wire.data_received(said[start : start + size])
    assert world.heard == HEARD
    info = await world.wire.info
    assert (info.version, info.max_payload, info.headers, info.jetstream) == ("2.9.10", 100, True, False)
    await asyncio.sleep(0)
    assert world.pipe.writes == [b"PONG\r\n"]


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"MSG a\r\n",
        b"MSG a x 1\r\n",
        b"INFO {\r\n",
        b"x" * (LONGEST + 1),
    ],
)
async def test_what_is_not_the_protocol_ends_the_connection(said: bytes) -> None:
    world = World()
    world.wire.data_received(said)
    assert world.pipe.aborted
    world.wire.connection_lost(None)
    assert isinstance(world.lost[0], NatsError)
    with pytest.raises(NatsError):
        await world.wire.info


@given(st.binary(max_size=200))
def test_rubbish_never_raises(said: bytes) -> None:
    async def run() -> None:
        world = World()
        world.wire.data_received(said)

    asyncio.run(run())


async def test_a_turn_is_one_write_and_one_confirmation() -> None:
    world = World()
    first = world.wire.confirm()
    world.wire.publish("a", b"abc")
    world.wire.publish("b", b"", "reply", header("X", 1))
    assert world.wire.confirm() is first
    await asyncio.sleep(0)
    assert world.pipe.writes == [
        b"PUB a  3\r\nabc\r\nHPUB b reply 18 18\r\nNATS/1.0\r\nX: 1\r\n\r\n\r\nPING\r\n"
    ]
    second = world.wire.confirm()
    assert second is not first
    await asyncio.sleep(0)
    world.wire.data_received(b"PONG\r\n")
    assert first.done()
    assert not second.done()
    world.wire.data_received(b"PONG\r\nPONG\r\n")
    assert second.done()


async def test_what_is_not_confirmed_in_time_ends_the_connection() -> None:
    world = World(timeout=0.01)
    future = world.wire.confirm()
    await until(lambda: world.pipe.aborted)
    world.wire.connection_lost(None)
    with pytest.raises(TimeoutError):
        await future
    assert isinstance(world.lost[0], TimeoutError)
    late = world.wire.confirm()
    with pytest.raises(ConnectionError):
        await late


async def test_what_the_server_complains_of_is_told_when_it_closes() -> None:
    world = World()
    future = world.wire.confirm()
    await asyncio.sleep(0)
    world.wire.data_received(b"-ERR 'Authorization Violation'\r\n")
    world.wire.connection_lost(None)
    with pytest.raises(NatsError, match=r"^Authorization Violation$"):
        await future
    assert not world.wire.open


def test_headers() -> None:
    assert headers_of(b"NATS/1.0\r\nA: 1\r\nB:2\r\n\r\n") == {b"A": b"1", b"B": b"2"}
    assert headers_of(b"NATS/1.0 503 No Responders\r\n\r\n") == {b"": b"503"}
