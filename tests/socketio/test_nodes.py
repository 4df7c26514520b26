"""What one node tells the others."""

from __future__ import annotations

from typing import Any

import pytest
from tests.hub.world import World, settle

from hubbub.model import Envelope
from hubbub.protocols.socketio import JSON
from hubbub.socketio import SocketIo

pytestmark = pytest.mark.anyio


async def two_nodes() -> tuple[SocketIo, SocketIo]:
    """Two servers, of which each hears what both publish, as with a broker that both share."""
    worlds = [World(), World()]
    servers = [SocketIo(world.hub, JSON) for world in worlds]

    def everywhere(envelope: Envelope) -> None:
        for world in worlds:
            world.hub.live.on_push(envelope)

    for world in worlds:
        await world.hub.start()
        await world.hub.broker.start(everywhere)
    return servers[0], servers[1]


async def test_the_others_hear_it_and_the_teller_does_not() -> None:
    here, there = await two_nodes()
    heard: list[Any] = []

    @here.on_server_event("clear")
    async def mine(*arguments: Any) -> None:
        heard.append(("here", *arguments))

    @there.on_server_event("clear")
    def theirs(*arguments: Any) -> None:
        heard.append(("there", *arguments))

    await here.server_emit("clear", "users", {"age": 3})
    await here.server_emit("unknown")
    await settle()
    assert heard == [("there", "users", {"age": 3})]


async def test_a_handler_that_fails_is_counted_and_harms_nobody() -> None:
    here, there = await two_nodes()

    @there.on_server_event("fail")
    async def fail() -> None:
        raise ValueError("no")

    await here.server_emit("fail")
    await settle()
    assert there.sockets.hub.metrics.handler_errors == 1


async def test_a_second_handler_is_refused() -> None:
    here, _ = await two_nodes()
    here.on_server_event("clear")(print)
    with pytest.raises(TypeError):
        here.on_server_event("clear")(print)
