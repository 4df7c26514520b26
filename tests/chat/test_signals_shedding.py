"""What of typing, receipts and presence is given up while there is too much load: never what is written."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.chat.wire import Wire, chat_server, do, group, text

from hubbub.chat.signals import Moved, Typists
from hubbub.telemetry.levels import NOTHING, SHEDDING, Level, Shedding
from hubbub.testing import FakeClock
from hubbub.testing.server import RunningServer

pytestmark = pytest.mark.anyio
LEVELS = pytest.mark.parametrize("level", Level)


def give_up(server: RunningServer, shedding: Shedding) -> None:
    server.app.node.load.stop()
    server.app.hub.shedding = shedding


@pytest.mark.parametrize(
    ("factor", "after", "said"), [(3.0, 2.9, False), (3.0, 3.0, True), (math.inf, 1e9, False)]
)
def test_it_is_said_more_rarely_that_somebody_types(factor: float, after: float, said: bool) -> None:
    typists = Typists(1.0)
    assert typists.take("ada", "c", None, 10.0)
    assert typists.take("ada", "c", None, 10.0 + after, factor) is said


@LEVELS
async def test_who_has_begun_to_type_is_seen_to_stop(level: Level, database: str) -> None:
    async with chat_server(database, chat={"typing_interval": 0.0001}) as server:
        id = await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            await bob.subscribe(f"conversation:{id}")
            assert (await do(server, "typing.start", "ada", conversation=id)).shown
            await bob.heard("typing", user="ada", ttl=6.0)
            give_up(server, replace(SHEDDING[level], typing=1.0 if level is Level.NORMAL else math.inf))
            again = await do(server, "typing.start", "ada", conversation=id)
            assert again.shown is (level is Level.NORMAL)
            assert server.app.metrics.shed["typing"] == (level is not Level.NORMAL)
            assert (await do(server, "typing.start", "ada", conversation=id, stop=True)).shown
            await bob.heard("typing", user="ada", ttl=0.0)


@pytest.mark.parametrize("level", Level)
def test_receipts_are_told_later_and_all_together(level: Level) -> None:
    chat: Any = _Chat(SHEDDING[level])
    moved = Moved(chat)
    for read in range(1, 6):
        moved.add("c", "ada", read, read)
    wait = 2.0 * SHEDDING[level].receipts
    chat.clock.advance(wait - 0.01)
    assert chat.hub.spawned == 0
    chat.clock.advance(0.01)
    assert chat.hub.spawned == 1
    assert chat.hub.metrics.shed["receipts"] == (level is not Level.NORMAL)


class _Chat:
    """As much of a chat as receipts need."""

    def __init__(self, shedding: Shedding) -> None:
        from types import SimpleNamespace

        from hubbub.telemetry.metrics import Metrics

        self.clock = FakeClock()
        self.config = SimpleNamespace(chat=SimpleNamespace(receipts_interval=2.0))
        self.store = SimpleNamespace(lossless=False)
        self.hub = SimpleNamespace(
            shedding=shedding, metrics=Metrics(), channels={}, spawned=0, spawn=self._spawn
        )

    def _spawn(self, work: Any) -> None:
        work.close()
        self.hub.spawned += 1


@LEVELS
async def test_what_is_written_is_accepted_and_told_at_every_level(level: Level, database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        async with Wire.open(server, "ada") as ada, Wire.open(server, "bob") as bob:
            await bob.subscribe(f"conversation:{id}")
            give_up(server, SHEDDING[level])
            for number in range(5):
                await ada.call("messages.send", conversation=id, parts=text(str(number)))
            await bob.until(lambda wire: len(wire.events("message.created")) == 5)


async def test_presence_is_told_as_it_is_in_the_end(database: str) -> None:
    quick = {"presence_grace": 0.05}
    async with chat_server(database, chat=quick, sessions={"resume_window": 0}) as server:
        await group(server, "ada", "bob", "cyd")
        async with Wire.open(server, "bob") as bob:
            await bob.call("presence.follow", users=["ada", "cyd"])
            give_up(server, replace(NOTHING, presence=0.7))
            async with Wire.open(server, "cyd") as cyd:
                await cyd.call("presence.set", away=True)
                await cyd.call("presence.set", away=False)
                await cyd.call("presence.set", away=True)
                await bob.heard("presence", user="cyd", availability="away")
                assert len(bob.events("presence")) == 1, "not that it was online before"
                assert server.app.metrics.shed["presence"] == 3
                give_up(server, NOTHING)
                async with Wire.open(server, "ada"):
                    await bob.heard("presence", user="ada", availability="online")
