from __future__ import annotations

from functools import partial

import pytest
from tests.hub.world import settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Publication, Raw, Retention
from hubbub.state.base import NodeInfo
from hubbub.state.memory import MemoryState
from hubbub.testing import FakeClock
from hubbub.testing.cluster import NodeBroker, NodeState, SharedBroker

pytestmark = pytest.mark.anyio
KEPT = Retention(10, 60.0)


class Pair:
    def __init__(self) -> None:
        self.shared = SharedBroker(FakeClock())
        self.heard: list[tuple[str, bytes]] = []
        self.missed = 0

    async def start(self) -> tuple[NodeBroker, NodeBroker]:
        one, other = self.shared.node(), self.shared.node()
        for name, broker in (("one", one), ("other", other)):
            await broker.start(partial(self.hear, name), self.miss)
            await broker.subscribe("a")
        return one, other

    def miss(self) -> None:
        self.missed += 1

    def hear(self, name: str, envelope: Envelope) -> None:
        assert isinstance(envelope.push, Publication)
        self.heard.append((name, bytes(envelope.push.data)))

    async def say(self, broker: NodeBroker, number: int, retention: Retention = KEPT) -> None:
        publication = Publication("a", "message", Raw(str(number).encode()))
        await broker.publish(Envelope(publication), retention)


async def test_all_hear_one_order_in_a_later_turn_of_the_loop() -> None:
    pair = Pair()
    one, other = await pair.start()
    await pair.say(one, 1)
    await pair.say(other, 2)
    assert pair.heard == []
    await settle()
    assert [each for name, each in pair.heard if name == "one"] == [b"1", b"2"]
    assert [each for name, each in pair.heard if name == "other"] == [b"1", b"2"]
    await other.unsubscribe("a")
    await pair.say(one, 3)
    await settle()
    assert ("other", b"3") not in pair.heard
    assert (one.delivered, other.delivered) == (3, 2)
    assert (await other.history("a", KEPT)).position.offset == 3


async def test_a_node_that_is_cut_off_knows_it_and_speaks_to_itself_alone() -> None:
    pair = Pair()
    one, other = await pair.start()
    one.cut_off()
    assert (one.condition.up, other.condition.up) == (False, True)
    with pytest.raises(HubbubError) as failure:
        await pair.say(one, 1)
    assert failure.value.code == ErrorCode.BROKER_UNAVAILABLE
    for ask in (one.history("a", KEPT), one.channels()):
        with pytest.raises(HubbubError):
            await ask
    await pair.say(one, 2, Retention())
    await pair.say(other, 3)
    await settle()
    assert pair.heard == [("one", b"2"), ("other", b"3")]
    one.rejoin()
    assert (one.condition.up, pair.missed) == (True, 1)


async def test_a_deaf_node_does_not_know_it_and_messages_may_be_lost() -> None:
    pair = Pair()
    one, other = await pair.start()
    other.deaf = True
    await pair.say(one, 1)
    other.deaf = False
    other.lose(1)
    await pair.say(one, 2)
    await pair.say(one, 3)
    await settle()
    assert [each for name, each in pair.heard if name == "other"] == [b"3"]
    assert other.condition.up


async def test_what_is_paused_comes_later() -> None:
    pair = Pair()
    one, other = await pair.start()
    pair.shared.pause()
    await pair.say(one, 1)
    await settle()
    assert pair.heard == []
    pair.shared.resume()
    await settle()
    assert len(pair.heard) == 2
    other.kill()
    await pair.say(one, 2)
    await settle()
    assert pair.heard[2:] == [("one", b"2")]


async def test_a_state_can_be_cut_off() -> None:
    shared = MemoryState(FakeClock())
    one, other = NodeState(shared), NodeState(shared)
    await one.start()
    assert await one.beat(NodeInfo("a"), 4.0)
    assert await one.put("k", b"v", 10.0)
    assert await other.get("k") == b"v"
    assert await other.swap("k", b"v", b"w", 10.0)
    assert await other.spend("bucket", 1.0, 1) == 0.0
    other.cut = True
    for ask in (other.get("k"), other.take("k"), other.delete("k"), other.nodes(), other.retire("a")):
        with pytest.raises(HubbubError):
            await ask
    assert (one.condition.up, other.condition.up) == (True, False)
    assert await one.take("k") == b"w"
    assert not await one.delete("k")
    assert [node.id for node in await one.nodes()] == ["a"]
    await one.retire("a")
    assert await one.nodes() == []
    await one.stop()
