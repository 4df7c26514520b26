from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.waiting import until

from hubbub.storage import postgres_notices
from hubbub.storage.base import Logged
from hubbub.storage.postgres_notices import ANY, MOST, PAYLOAD, Notices, payloads
from hubbub.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Wire:
    """An asyncpg connection to a server that passes on what is notified, unless it is deaf."""

    def __init__(self) -> None:
        self.deaf = False
        self.silent = False
        self.closed = False
        self.said: list[str] = []
        self.hear: Callable[..., None] = len  # type: ignore[assignment]
        self.ended: Callable[[Any], None] = len  # type: ignore[assignment]

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        if self.silent:
            await asyncio.Event().wait()
        self.hear = callback

    def add_termination_listener(self, callback: Callable[[Any], None]) -> None:
        self.ended = callback

    async def execute(self, query: str, channel: str, parts: list[str]) -> None:
        self.said.extend(parts)
        for part in parts if not self.deaf else ():
            self.hear(self, 1, channel, part)

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.hints: list[tuple[str, int]] = []
        self.fail = 0
        self.silent = 0
        self.notices = Notices(self.connect, self.hint, 0.05, Metrics())

    async def connect(self, within: float) -> Wire:
        if self.fail:
            self.fail -= 1
            raise ConnectionRefusedError("by the test")
        self.wires.append(Wire())
        if self.silent:
            self.silent -= 1
            self.wires[-1].silent = True
        return self.wires[-1]

    def hint(self, channel: str, offset: int) -> None:
        self.hints.append((channel, offset))
        if channel == "bad":
            raise ValueError("by the test")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(postgres_notices, "BACKOFF", (0.001, 0.01))
    return World()


def event(channel: str, offset: int) -> Logged:
    return Logged(channel, offset, "e", b"{}", None, 0.0)


@pytest.mark.parametrize("length", [1, 60, 255])
def test_payloads_hold_all_and_fit(length: int) -> None:
    offsets = {f"{n:0{length}}"[-length:] + str(n): n * 10**9 for n in range(500)}
    made = payloads("0123456789ab", offsets)
    assert max(len(part.encode()) for part in made) <= PAYLOAD
    found: dict[str, int] = {}
    for part in made:
        node, some = msgspec.json.decode(part)
        assert node == "0123456789ab"
        found |= some
    assert found == offsets
    if length == 60:
        assert len(made) < 10


def test_nothing_is_no_payload() -> None:
    assert payloads("node", {}) == []


async def test_the_latest_of_each_channel_is_told_at_once(world: World) -> None:
    world.notices.start()
    await world.notices.listening.wait()
    world.notices.tell([event("a", 1), event("b", 7), event("a", 2)])
    await until(lambda: world.wires[0].said)
    assert msgspec.json.decode(world.wires[0].said[0]) == [world.notices.node, {"a": 2, "b": 7}]
    assert world.hints == []
    await world.notices.stop()
    assert world.wires[0].closed


async def test_others_are_heard_and_nonsense_is_not(world: World) -> None:
    world.notices.start()
    await world.notices.listening.wait()
    for payload in (
        "",
        "nonsense",
        "[1]",
        '["other",{"a":"b"}]',
        '["other",{"bad":1,"a":5}]',
        '["other",{}]',
    ):
        world.wires[0].hear(None, 1, "hubbub", payload)
    assert world.hints == [("bad", 1), ("a", 5)]
    await world.notices.stop()


@pytest.mark.parametrize("how", ["closed", "deaf"])
async def test_a_connection_that_is_of_no_use_is_made_anew(
    world: World, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_notices, "PROBE", 0.01)
    world.notices.start()
    await world.notices.listening.wait()
    world.fail = 5
    if how == "deaf":  # open, and silent: only hearing oneself shows that one hears
        world.wires[0].deaf = True
    else:
        world.wires[0].closed = True
        world.wires[0].ended(None)
    await until(lambda: len(world.wires) == 2 and world.notices.listening.is_set())
    assert world.hints == [(ANY, 0)]
    assert world.wires[0].closed
    await until(lambda: world.wires[1].said)
    assert msgspec.json.decode(world.wires[1].said[0]) == [world.notices.node, {ANY: 0}]
    await world.notices.stop()


async def test_what_nobody_takes_does_not_pile_up(world: World) -> None:
    world.fail = 10**9
    world.notices.start()
    world.notices.tell(event(f"c{n}", 1) for n in range(MOST + 1))
    assert world.notices._pending == {ANY: 0}
    await world.notices.stop()


async def test_a_server_that_goes_silent_before_it_listens_is_left(world: World) -> None:
    world.silent = 2
    world.notices.start()
    await world.notices.listening.wait()
    assert [wire.closed for wire in world.wires] == [True, True, False]
    await world.notices.stop()
