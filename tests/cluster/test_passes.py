from __future__ import annotations

import pytest
from tests.hub.world import settle

from hubbub.cluster.nodes import Nodes
from hubbub.cluster.passes import KEY, KEY_TTL, RENEW, WINDOW, Origin, Passes
from hubbub.state.base import NodeInfo
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock
from hubbub.testing.cluster import NodeState

pytestmark = pytest.mark.anyio

CLIENT = Origin("2001:db8::1", "https")


class Pair:
    """Two nodes that share a State."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.state = MemoryState(self.clock)
        self.states = [NodeState(self.state) for _ in range(2)]
        self.a, self.b = [
            Passes(Nodes(state, self.clock, 4.0, NodeInfo, lambda _: None, id=id), state, self.clock)
            for state, id in zip(self.states, ("nodeAA", "nodeBB"), strict=True)
        ]

    async def know(self) -> Pair:
        await self.a.refresh()
        await self.b.refresh()
        return self

    def told(self, **changed: str) -> Origin | None:
        """What B makes of A's header when something is changed on the way."""
        said = {"method": "POST", "target": "/x?y=1", "to": "nodeBB"} | changed
        value = self.a.write(said["to"], CLIENT, "POST", b"/x?y=1")
        return self.b.read(value, said["method"], said["target"].encode())


async def test_what_one_writes_the_other_reads() -> None:
    pair = await Pair().know()
    assert pair.told() == CLIENT


@pytest.mark.parametrize("changed", [{"method": "GET"}, {"target": "/x?y=2"}, {"to": "nodeCC"}])
async def test_it_is_good_for_one_request_to_one_node(changed: dict[str, str]) -> None:
    pair = await Pair().know()
    assert pair.told(**changed) is None


async def test_no_byte_of_it_may_be_another() -> None:
    pair = await Pair().know()
    value = pair.a.write("nodeBB", CLIENT, "GET", b"/")
    for place in range(len(value)):
        changed = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        assert pair.b.read(changed, "GET", b"/") is None
    for cut in range(len(value)):
        assert pair.b.read(value[:cut], "GET", b"/") is None


async def test_it_is_good_for_a_minute() -> None:
    pair = await Pair().know()
    value = pair.a.write("nodeBB", CLIENT, "GET", b"/")
    pair.clock.advance(WINDOW)
    assert pair.b.read(value, "GET", b"/") == CLIENT
    pair.clock.advance(1)
    assert pair.b.read(value, "GET", b"/") is None


async def test_the_key_never_leaves_state() -> None:
    pair = await Pair().know()
    key = await pair.state.get(KEY)
    assert key
    assert key not in pair.a.write("nodeBB", CLIENT, "GET", b"/")


async def test_a_node_without_state_is_not_ready() -> None:
    pair = Pair()
    pair.states[0].cut = True
    await pair.a.refresh()
    assert not pair.a.ready
    pair.states[0].cut = False
    await pair.a.refresh()
    assert pair.a.ready


async def test_the_key_stays_as_long_as_somebody_is_there() -> None:
    pair = await Pair().know()
    key = await pair.state.get(KEY)
    for _ in range(4):
        pair.clock.advance(KEY_TTL / 2)
        for _ in range(RENEW):
            await pair.a.refresh()
    assert await pair.state.get(KEY) == key


async def test_both_agree_again_when_state_was_emptied() -> None:
    pair = await Pair().know()
    await pair.state.delete(KEY)
    stranger = Passes(Nodes(pair.state, pair.clock, 4.0, NodeInfo, lambda _: None), pair.state, pair.clock)
    await stranger.refresh()  # a third one was faster
    for _ in range(RENEW):
        await pair.a.refresh()
    await settle()
    assert pair.told() is None, "not yet"
    for _ in range(RENEW):
        await pair.b.refresh()
    assert pair.told() == CLIENT
