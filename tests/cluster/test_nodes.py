from __future__ import annotations

import pytest
from tests.cluster.fake_state import Leases
from tests.hub.world import World, settle

from hubbub.cluster.nodes import ALPHABET, ID_LENGTH, Nodes, new_node_id
from hubbub.state.base import NodeInfo
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState

pytestmark = pytest.mark.anyio


class Few:
    """Some nodes on one clock and one State."""

    def __init__(self, *ids: str, lease: float = 4.0) -> None:
        self.clock = FakeClock()
        self.leases = Leases(self.clock)
        self.states = {id: NodeState(self.leases) for id in ids}
        self.told: dict[str, list[str]] = {id: [] for id in ids}
        self.weight = 1.0
        self.spawn = World(clock=self.clock).hub.spawn
        self.nodes = {id: self._node(id, lease) for id in ids}

    def _node(self, id: str, lease: float) -> Nodes:
        def describe(id: str) -> NodeInfo:
            return NodeInfo(id, name=f"name of {id}", weight=self.weight)

        nodes = Nodes(self.states[id], self.clock, lease, describe, World(clock=self.clock).hub.spawn, id=id)
        nodes.joined.append(lambda node: self.told[id].append(f"+{node.id}"))
        nodes.left.append(lambda node: self.told[id].append(f"-{node.id}"))
        nodes.lapsed.append(lambda: self.told[id].append("lapsed"))
        return nodes

    async def start(self) -> Few:
        for node in self.nodes.values():
            await node.start()
        await self.pass_by(1.0)
        return self

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            await settle()

    def kill(self, id: str) -> None:
        """The process is gone: no beat, no retirement."""
        node = self.nodes[id]
        node._running = False
        self.states[id].cut = True


def test_ids_are_six_characters_of_which_no_two_are_alike() -> None:
    ids = {new_node_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id) == ID_LENGTH == 6 and set(id) <= set(ALPHABET) for id in ids)


async def test_nodes_see_each_other_within_a_second() -> None:
    few = await Few("a", "b").start()
    assert list(few.nodes["a"].others) == ["b"]
    assert few.nodes["b"].others["a"].name == "name of a"
    assert [node.id for node in few.nodes["b"].all] == ["a", "b"]
    assert few.told == {"a": ["+b"], "b": ["+a"]}
    assert "b" in few.nodes["a"]
    assert "a" in few.nodes["a"]
    assert "c" not in few.nodes["a"]


async def test_what_a_node_tells_of_itself_is_renewed() -> None:
    few = await Few("a", "b").start()
    few.weight = 0.5
    await few.pass_by(2.0)
    assert few.nodes["a"].others["b"].weight == 0.5


async def test_a_node_that_ends_is_gone_with_the_next_beat() -> None:
    few = await Few("a", "b").start()
    await few.nodes["b"].stop()
    await few.pass_by(1.0)
    assert few.told["a"] == ["+b", "-b"]


async def test_a_node_that_is_killed_is_gone_within_five_seconds() -> None:
    few = await Few("a", "b").start()
    few.kill("b")
    await few.pass_by(2.5)
    assert few.told["a"] == ["+b"]
    await few.pass_by(2.5)
    assert few.told["a"] == ["+b", "-b"]
    assert not few.nodes["a"].others


async def test_a_node_that_has_said_goodbye_is_forgotten_at_once_and_told_of_once() -> None:
    few = await Few("a", "b").start()
    few.nodes["a"].forget("b")
    few.nodes["a"].forget("b")
    assert few.told["a"] == ["+b", "-b"]


async def test_an_emptied_state_kills_nobody() -> None:
    few = await Few("a", "b", "c").start()
    for _ in range(3):
        few.leases.empty()
        await few.pass_by(1.25)
    assert all("-" not in "".join(told) for told in few.told.values()), few.told
    await few.pass_by(5)
    few.kill("c")
    await few.pass_by(5)
    assert "-c" in few.told["a"], "and is believed again later"


async def test_nor_does_one_that_is_emptied_between_a_beat_and_a_look() -> None:
    few = await Few("a", "b").start()
    few.leases.empty_before_look = True
    await few.nodes["a"].look()
    assert few.told["a"] == ["+b"]


async def test_a_state_that_does_not_answer_kills_nobody_nor_do_the_first_seconds_after() -> None:
    few = await Few("a", "b").start()
    for state in few.states.values():
        state.cut = True
    await few.pass_by(15)
    assert few.told == {"a": ["+b", "lapsed"], "b": ["+a", "lapsed"]}
    few.states["a"].cut = False
    await few.pass_by(1.25)
    assert list(few.nodes["a"].others) == ["b"], "b has not had time to show itself"
    few.states["b"].cut = False
    await few.pass_by(5)
    assert few.told == {"a": ["+b", "lapsed"], "b": ["+a", "lapsed"]}


async def test_a_node_that_was_away_for_longer_than_its_lease_learns_of_it() -> None:
    few = await Few("a", "b").start()
    few.states["b"].cut = True
    await few.pass_by(3.5)
    assert few.nodes["a"].sure
    await few.pass_by(2.0)
    assert not few.nodes["b"].sure
    assert few.told["b"] == ["+a", "lapsed"], "it knows by its own clock"
    assert few.told["a"] == ["+b", "-b"]
    few.states["b"].cut = False
    await few.pass_by(2.0)
    assert few.nodes["b"].sure
    assert few.told["b"] == ["+a", "lapsed"], "once"
    assert few.told["a"] == ["+b", "-b", "+b"]


async def test_a_process_that_stood_still_knows_before_it_beats() -> None:
    few = await Few("a", "b").start()
    few.clock._monotonic += 15.0  # SIGSTOP: no timer has run
    assert not few.nodes["a"].sure
    few.clock.run_ready()
    assert few.told["a"] == ["+b", "lapsed"]
    await settle()
    assert few.nodes["a"].sure


async def test_a_new_node_has_not_lapsed_though_state_is_away_at_first() -> None:
    few = Few("a", "b")
    few.states["a"].cut = True
    await few.start()
    assert not few.nodes["a"].sure
    await few.pass_by(6)
    few.states["a"].cut = False
    await few.pass_by(1)
    assert few.told["a"] == ["+b"]


async def test_short_leases_are_renewed_in_time() -> None:
    few = await Few("a", "b", lease=0.5).start()
    await few.pass_by(5)
    assert few.told == {"a": ["+b"], "b": ["+a"]}


async def test_looks_that_are_asked_for_meanwhile_are_done_once_more() -> None:
    few = await Few("a").start()
    node = few.nodes["a"]
    looks = 0

    async def within() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            await node.look()

    node.beaten.append(lambda: few.clock.call_later(0, lambda: None))
    node.beaten.append(lambda: World(clock=few.clock).hub.spawn(within()))
    await node.look()
    assert looks == 2


async def test_a_look_that_is_asked_for_during_one_is_waited_for() -> None:
    """Whoever looks when told of a beat sees the next beat, and does not look again and again."""
    few = await Few("aaaaaa").start()
    node = few.nodes["aaaaaa"]
    beats: list[int] = []
    looked: list[int] = []

    async def look() -> None:
        await node.look()
        looked.append(len(beats))

    def beaten() -> None:
        beats.append(len(beats))
        if len(beats) == 1:
            few.spawn(look())

    node.beaten.append(beaten)
    await node.look()
    await settle()
    assert len(beats) == 2
    assert looked == [2]
