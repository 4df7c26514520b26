from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from hubbub.clock import Clock, SystemClock
from hubbub.config import StorageConfig
from hubbub.engines.postgres import SCHEMA, Postgres
from hubbub.model import Join, Leave, Member, Presence
from hubbub.presence.base import PresenceStore
from hubbub.presence.ledger import Owner, Pulse
from hubbub.presence.postgres import PostgresLedger, PostgresPresence
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock
from hubbub.testing.contracts import SharedPresenceContract
from hubbub.testing.postgres import Cluster

pytestmark = pytest.mark.anyio

FOREVER = float("inf")
ANN, BOB = Member("s1", "ann"), Member("s2", "bob")


class Node:
    def __init__(self, url: str, name: str, lease: float = 4.0, clock: Clock | None = None) -> None:
        self.metrics = Metrics()
        self.engine = Postgres(StorageConfig(url=SecretStr(url)), SystemClock(), self.metrics)
        self.presence = PostgresPresence(self.engine, name, clock or SystemClock(), self.metrics, lease=lease)


class TestContract(SharedPresenceContract):
    """Time passes in a moment: the nodes' clock is moved, and all times that PostgreSQL keeps are put back."""

    lease = 60.0

    @pytest.fixture(autouse=True)
    async def at(self, empty_postgres_url: str) -> AsyncIterator[None]:
        self.url = empty_postgres_url
        self.clock = FakeClock()
        self.nodes: list[Node] = []
        yield
        for node in self.nodes:
            await node.engine.stop()

    async def open(self) -> PresenceStore:
        node = Node(self.url, f"node{len(self.nodes)}", self.lease, self.clock)
        self.nodes.append(node)
        await node.engine.start()
        return node.presence

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await put_back(self.nodes[0].engine, seconds)


async def put_back(engine: Postgres, seconds: float) -> None:
    """All times that are kept: as if so many seconds had passed."""
    await engine.fetch(f"UPDATE {SCHEMA}.leases SET at = at - make_interval(secs => $1)", seconds)


@pytest.fixture
async def ledgers(empty_postgres_url: str) -> AsyncIterator[tuple[PostgresLedger, Postgres]]:
    engine = Postgres(StorageConfig(url=SecretStr(empty_postgres_url)), SystemClock(), Metrics())
    ledger = PostgresLedger(engine)
    await engine.start()
    yield ledger, engine
    await engine.stop()


async def test_late_words_of_an_old_generation_do_no_harm(ledgers: tuple[PostgresLedger, Postgres]) -> None:
    ledger, _ = ledgers
    old, new, other = Owner("one", 1), Owner("one", 2), Owner("two", 1)
    assert await ledger.enter("a", new, [(ANN, True)]) == [1]
    assert await ledger.enter("a", old, [(Member("s1", "bob"), True)]) == [0]
    assert await ledger.leave("a", old, ANN) == 0
    assert await ledger.enter("a", other, [(ANN, False)]) == [0], "it is not theirs"
    assert await ledger.purge("a", old) == []
    assert await ledger.enter("a", other, [(ANN, True)]) == [-1], "now it is"
    assert await ledger.leave("a", new, ANN) == 0
    assert await ledger.leave("a", other, ANN) == 1
    assert await ledger.leave("a", other, ANN) == -1


async def test_a_purge_tells_of_those_who_are_gone_everywhere(
    ledgers: tuple[PostgresLedger, Postgres],
) -> None:
    ledger, _ = ledgers
    dead, alive = Owner("dead", 3), Owner("alive", 1)
    sessions = [Member("s1", "ann"), Member("s2", "ann"), Member("s3", "bob"), Member("s4", "")]
    assert await ledger.enter("a", dead, [(member, True) for member in sessions]) == [1, 2, 1, 1]
    assert await ledger.enter("a", alive, [(Member("s5", "bob"), True)]) == [2]
    assert await ledger.enter("b", dead, [(ANN, True)]) == [1]
    assert await ledger.listed(dead, "0") == ("0", ["a", "b"])
    assert [member.user for member in await ledger.purge("a", dead)] == ["ann", ""]
    assert await ledger.members("a", 10) == Presence(1, 1, (Member("s5", "bob"),))
    assert await ledger.listed(dead, "0") == ("0", ["b"])


async def test_channels_of_a_dead_one_come_in_pages(
    ledgers: tuple[PostgresLedger, Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _ = ledgers
    dead = Owner("dead", 1)
    names = sorted(f"ch-{number}" for number in range(1100))
    await asyncio.gather(*(ledger.enter(name, dead, [(ANN, True)]) for name in names))
    found, cursor = list[str](), "0"
    while True:
        cursor, page = await ledger.listed(dead, cursor)
        found += page
        if cursor == "0":
            break
    assert found == names


async def test_one_buries_the_dead(ledgers: tuple[PostgresLedger, Postgres]) -> None:
    ledger, engine = ledgers
    dead, one, two = Owner("dead", 1), Owner("one", 1), Owner("two", 1)
    assert await ledger.beat(dead, 30.0, 5.0, new=True, verdicts=()) == Pulse(1, [], [])
    assert await ledger.beat(one, 60.0, 5.0, new=True, verdicts=()) == Pulse(1, [], [])
    await put_back(engine, 40.0)
    buried = [await ledger.beat(owner, 60.0, 20.0, new=True, verdicts=()) for owner in (two, one)]
    assert buried == [Pulse(1, [dead], []), Pulse(1, [], [])]
    assert (await ledger.beat(dead, 30.0, 5.0, new=False, verdicts=())).standing == -1
    await put_back(engine, 21.0)
    assert await ledger.beat(one, 60.0, 5.0, new=False, verdicts=()) == Pulse(1, [dead], []), (
        "two has not done it"
    )
    assert await ledger.beat(one, 60.0, 5.0, new=False, verdicts=[(dead, "S")]) == Pulse(1, [], [])
    assert (await ledger.beat(Owner("lost", 1), 60.0, 5.0, new=False, verdicts=())).standing == 0
    # Earlier generations live as long as their node says, and not longer.
    older = Owner("one", 0)
    await ledger.beat(older, 60.0, 5.0, new=True, verdicts=())
    assert await ledger.beat(two, 60.0, 5.0, new=False, verdicts=[(older, "L")]) == Pulse(1, [], [])
    assert await ledger.beat(two, 60.0, 5.0, new=False, verdicts=[(older, "D")]) == Pulse(1, [older], [])
    assert await ledger.beat(two, 60.0, 5.0, new=False, verdicts=[(older, "L")]) == Pulse(1, [], [older])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


async def test_presence_is_whole_again_after_a_crash_and_ghosts_are_told_once(cluster: Cluster) -> None:
    url = await asyncio.to_thread(cluster.create, "crash")
    one, two, dead = (Node(url, name, lease=1.0) for name in ("one", "two", "dead"))
    for node in (one, two, dead):
        await node.engine.start()
    assert await one.presence.touch("a", ANN, FOREVER)
    assert await two.presence.touch("a", BOB, FOREVER)
    assert await dead.presence.touch("a", Member("s3", "ghost"), FOREVER)
    await asyncio.to_thread(cluster.kill)
    assert (await one.presence.members("a", 10)).members == (ANN,), "what is known here"
    assert await one.presence.touch("a", Member("s4", "cid"), FOREVER) is True
    await asyncio.to_thread(cluster.start)
    await dead.engine.stop()
    told: list[Join | Leave] = []
    async with asyncio.timeout(60):
        while True:
            told += await one.presence.sweep()
            told += await two.presence.sweep()
            members = (await two.presence.members("a", 10)).members or ()
            if {member.user for member in members} == {"ann", "bob", "cid"} and one.presence.converged:
                break
            await asyncio.sleep(0.05)
    assert not [each for each in told if type(each) is Leave or each.member.user != "cid"]
    told.clear()
    # A node that is killed while all is well: its Leave is told by one of the others, once.
    await one.engine.stop()
    async with asyncio.timeout(60):
        while len(told) < 2:
            told += await two.presence.sweep()
            await asyncio.sleep(0.05)
    assert {(type(each), each.member.user) for each in told} == {(Leave, "ann"), (Leave, "cid")}
    assert await two.presence.members("a", 10) == Presence(1, 1, (BOB,))
    await two.engine.stop()
