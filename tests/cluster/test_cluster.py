from __future__ import annotations

import pytest
from tests.cluster.several import Several
from tests.hub.world import settle

from hubbub import __version__
from hubbub.hub import operations
from hubbub.hub.base import Tally

pytestmark = pytest.mark.anyio


async def test_nodes_know_each_other_at_once_and_what_each_is() -> None:
    async with Several(3, cluster={"name": "east", "address": "10.0.0.1:8000"}) as several:
        ids = sorted(node.id for node in several.nodes)
        for node in several.nodes:
            assert [each.id for each in node.cluster.nodes.all] == ids
        await several[1].connected("ada")
        several[1].cluster.load = lambda: ("busy", 0.8)
        await several.pass_by(2)
        seen = several[0].cluster.nodes.others[several[1].id]
        assert (seen.name, seen.address, seen.version) == ("east", "10.0.0.1:8000", __version__)
        assert (seen.sessions, seen.level, seen.load, seen.weight) == (1, "busy", 0.8, 1.0)
        assert seen.started == 1_700_000_000.0
        several[1].hub.draining = True
        await several.pass_by(2)
        seen = several[0].cluster.nodes.others[several[1].id]
        assert (seen.draining, seen.weight) == (True, 0.0)


async def test_a_node_without_a_name_goes_by_its_id() -> None:
    async with Several(1) as several:
        assert several[0].cluster.nodes.me.name == several[0].id == several[0].hub.node_id


async def test_how_the_nodes_are_is_measured() -> None:
    async with Several(3) as several:
        metrics = several[0].world.metrics
        assert metrics.gauges["nodes"]() == 3
        await several.pass_by(2)
        metrics.node_questions.clear()
        several[2].broker.deaf = True
        await several.within(3, operations.to_user(several[0].hub, "ada", "hello", 1))
        counts = metrics.node_questions
        assert (counts["answered"], counts["unanswered"], counts["refused"]) == (1, 1, 0)
        several[0].cut_off()
        await several.pass_by(5)
        assert metrics.node_lapses == 1
        assert b"hubbub_nodes 3.0" in metrics.exposition()
        several[0].rejoin()
        several[2].broker.deaf = False


async def test_a_node_that_stops_says_so() -> None:
    async with Several(2) as several:
        gone: list[str] = []
        several[0].cluster.nodes.left.append(lambda node: gone.append(node.id))
        await several[1].stop()
        await settle()
        assert gone == [several[1].id]


async def test_a_node_may_start_again() -> None:
    async with Several(2) as several:
        await several[1].stop()
        await several[1].start()
        await settle()
        await several[1].connected("ada")
        assert await operations.to_user(several[0].hub, "ada", "hello", 1) == Tally(1)


async def test_a_node_starts_and_stops_though_nobody_answers() -> None:
    several = Several(1)
    several[0].cut_off()
    await several.start()
    await several[0].stop()
