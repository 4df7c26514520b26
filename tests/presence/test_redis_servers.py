"""Two whole servers on one Redis: what clients on both hear of who comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.chat.wire import Wire
from tests.waiting import until

import hubbub.broker.redis  # here: scripts are read from disk when these are imported
import hubbub.presence.redis
import hubbub.state.redis  # noqa: F401
from hubbub.config import RedisConfig
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

ROOM = "room:1"


@contextlib.asynccontextmanager
async def two(redis: RedisConfig, **sections: Any) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    settings: dict[str, Any] = {
        "broker": {"type": "redis"},
        "redis": redis.model_dump(),
        "namespaces": {"room": {"subscribe": "anyone", "presence": "full", "join_leave": True}},
        "sessions": {"resume_window": 0.0},
        **sections,
    }
    async with running_server(**settings) as one, running_server(**settings) as other:
        yield one, other


def moves(wire: Wire) -> list[tuple[str, str]]:
    """What the client heard of others, in order."""
    return [
        (push["type"], push["member"]["user"]) for push in wire.pushes if push["type"] in ("join", "leave")
    ]


async def counts(server: RunningServer, **expected: int) -> None:
    """Wait until it does: while Redis is slow to answer, a node tells of its own sessions alone."""
    async with asyncio.timeout(60):
        while True:
            who = await server.app.hub.who(ROOM)
            if {"sessions": who.sessions, "users": who.users} == expected:
                return
            await asyncio.sleep(0.02)


async def test_a_user_of_several_nodes_joins_once_and_leaves_once(redis_config: RedisConfig) -> None:
    async with (
        two(redis_config) as (one, other),
        Wire.open(one, "watcher") as near,
        Wire.open(other, "watcher") as far,
    ):
        for watcher in (near, far):
            await watcher.subscribe(ROOM)
        async with Wire.open(one, "ada") as phone, Wire.open(other, "ada") as laptop:
            await phone.subscribe(ROOM)
            await laptop.subscribe(ROOM)
            for server in (one, other):
                await counts(server, sessions=4, users=2)
            await phone.close()
            await until(lambda: len(one.app.hub.sessions) == 1)
            await laptop.ask(type="unsubscribe", channel=ROOM)
        for watcher in (near, far):
            await watcher.until(lambda wire: ("leave", "ada") in moves(wire))
        async with Wire.open(other, "end") as last:
            await last.subscribe(ROOM)
            for watcher in (near, far):
                await watcher.until(lambda wire: ("join", "end") in moves(wire))
        expected = [("join", "ada"), ("leave", "ada"), ("join", "end")]
        assert [each for each in moves(near) if each[1] != "watcher"][:3] == expected
        assert [each for each in moves(far) if each[1] != "watcher"][:3] == expected
