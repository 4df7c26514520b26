"""Stock clients before three nodes, each of whose requests comes to another one: to them it is one server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.cluster.serving import Three, three
from tests.socketio_clients.app import make
from tests.socketio_clients.playing import Stage, faults
from tests.socketio_clients.servers import REFERENCE

from hubbub.testing.proxy import FaultProxy

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(REFERENCE, reason="it is about our nodes")]

BETTER = ",".join(
    f"better:{each}"
    for each in (
        "one_who_had_no_event_yet",
        "one_whose_old_connection_still_seems_open",
        "all_handled_when_it_leaves_at_once",
        "after_a_reset_that_the_server_did_not_see",
        "a_session_is_never_two",
    )
)
"""Those of its scenarios that do not ask one node what another one was told."""
PLAIN = ("connecting", "messages", "binary", "acks", "rooms", "namespaces", "order")


@contextlib.asynccontextmanager
async def stage(**options: Any) -> AsyncIterator[tuple[Stage, Three]]:
    async with (
        three(lambda: make(**options)) as nodes,
        FaultProxy("127.0.0.1", nodes.balancer.port) as proxy,
    ):
        told = {"direct": nodes.url, "reference": False, **options}
        yield Stage(f"http://127.0.0.1:{proxy.port}", told, faults(proxy)), nodes


@pytest.mark.parametrize("transport", ["polling", "upgrade"])
@pytest.mark.parametrize("file", PLAIN)
async def test_scenarios(file: str, transport: str) -> None:
    if file == "order" and transport == "polling":
        file = "order:bursts_both_ways_at_once,order:in_a_room"  # the others take their time
    async with stage() as (it, nodes):
        await it.play(file, transport)
        assert len(nodes.balancer.served) == 3
        assert nodes.balancer.failed == []


@pytest.mark.parametrize("transport", ["polling", "websocket"])  # the client hangs if cut off as it upgrades
async def test_reconnecting(transport: str) -> None:
    async with stage() as (it, _):
        await it.play("reconnecting", transport)


@pytest.mark.parametrize("transport", ["polling", "websocket", "upgrade"])
async def test_recovery(transport: str) -> None:
    async with stage(recovery=10_000) as (it, _):
        await it.play(f"recovery,{BETTER}", transport)
