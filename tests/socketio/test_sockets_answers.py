"""What an event is answered with."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import msgspec
import pytest
from tests.socketio.world import World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Raw
from hubbub.socketio.socket import Socket

pytestmark = pytest.mark.anyio


class Point(msgspec.Struct):
    x: int
    day: datetime.date


@pytest.mark.parametrize(
    ("returned", "text", "attachments"),
    [
        (None, "30[]", []),
        (1, "30[1]", []),
        ([1, 2], "30[[1,2]]", []),
        ((1, "a"), '30[1,"a"]', []),
        ((), "30[]", []),
        ((None,), "30[null]", []),
        (Point(1, datetime.date(2026, 11, 21)), '30[{"x":1,"day":"2026-11-21"}]', []),
        (Raw(b'{"a": 1}'), '30[{"a": 1}]', []),
        (b"\1", '61-0[{"_placeholder":true,"num":0}]', [b"\1"]),
        (
            ({"b": [b"\1", bytearray(b"\2")]}, 3),
            '62-0[{"b":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]},3]',
            [b"\1", b"\2"],
        ),
    ],
)
async def test_what_a_handler_returns_is_the_acknowledgement(
    returned: Any, text: str, attachments: list[bytes]
) -> None:
    world = World()

    @world.sio.event
    async def waiting(socket: Socket) -> Any:
        await asyncio.sleep(0)
        return returned

    world.sio.on("plain", lambda socket: returned)
    await world.start()
    for event in ("waiting", "plain"):
        peer = await world.entered()
        peer.emit(event, ack=True)
        peer.emit(event)
        await settle()
        assert peer.texts() == [text, *attachments]


async def test_a_handler_may_be_a_function_that_returns_something_to_wait_for() -> None:
    world = World()

    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value + 1

    world.sio.on("plus", lambda socket, value: later(value))
    await world.start()
    assert await (await world.entered()).ask("plus", 1) == [2]


@pytest.mark.parametrize(
    ("error", "failure", "counted"),
    [
        (
            HubbubError(ErrorCode.RATE_LIMITED, "slowly", retry_after=2.5, field="x"),
            {
                "code": 116,
                "name": "rate_limited",
                "message": "slowly",
                "temporary": True,
                "retry_after": 2.5,
                "field": "x",
            },
            0,
        ),
        (
            ValueError("a secret of the server"),
            {"code": 100, "name": "internal", "message": "internal error", "temporary": True},
            1,
        ),
        (
            TimeoutError("a call's"),
            {"code": 100, "name": "internal", "message": "internal error", "temporary": True},
            1,
        ),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
async def test_a_handler_that_raises_answers_with_an_error(
    error: Exception, failure: dict[str, Any], counted: int, waits: bool
) -> None:
    world = World()

    @world.sio.event
    async def fail(socket: Socket) -> None:
        if waits:
            await asyncio.sleep(0)
        raise error

    await world.start()
    peer = await world.entered()
    assert await peer.ask("fail") == [{"error": failure}]
    assert world.metrics.handler_errors == counted
    peer.emit("fail")
    await settle()
    assert peer.events() == [["hubbub:error", failure]]
    assert peer.link.closed is None


@pytest.mark.parametrize("returned", [object(), {1, object()}, "\ud800", {"_placeholder": True, "b": b"\1"}])
async def test_what_cannot_be_sent_is_an_error_of_the_handler(returned: Any) -> None:
    world = World()
    world.sio.on("x", lambda socket: returned)
    await world.start()
    (answer,) = await (await world.entered()).ask("x")
    assert answer["error"]["name"] == "internal"
    assert world.metrics.handler_errors == 1


async def test_arguments_are_checked_before_the_handler_is_called() -> None:
    world = World()
    world.sio.on("x", lambda socket, a: a)

    @world.sio.event
    async def typed(socket: Socket, point: Point, count: int = 1) -> Any:
        return point.x + count

    await world.start()
    peer = await world.entered()
    assert (await peer.ask("x"))[0]["error"]["name"] == "validation_failed"
    assert await peer.ask("typed", {"x": 1, "day": "2026-11-21"}) == [2]
    (answer,) = await peer.ask("typed", {"x": "1", "day": "2026-11-21"})
    assert answer["error"]["field"] == "arguments[0].x"


async def test_binary_arguments_are_bytes_wherever_they_stand() -> None:
    world = World()
    world.sio.on("x", lambda socket, *arguments: arguments)
    await world.start()
    peer = await world.entered()
    peer.send('52-0["x",{"a":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]', b"\1", b"\2")
    await settle()
    peer.read()
    assert peer.place().acks[0] == [{"a": [b"\2"]}, b"\1"]


async def test_what_nobody_handles() -> None:
    world = await World().start()
    peer = await world.entered()
    peer.emit("nothing", 1)
    await settle()
    assert peer.texts() == []
    (answer,) = await peer.ask("nothing", 1)
    assert answer["error"]["name"] == "method_not_found"
