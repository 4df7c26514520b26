"""The scripts against the model: whatever is written in whatever order, both answer the same."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from msgspec import Raw
from tests.presence.book import Book

from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.engines.redis import Redis
from hubbub.model import Member
from hubbub.presence import redis as presence
from hubbub.presence.ledger import Owner
from hubbub.presence.redis import RedisLedger, RedisPresence
from hubbub.presence.shared import person_of
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(redis_config: RedisConfig) -> AsyncIterator[Redis]:
    engine = Redis(redis_config, SystemClock(), Metrics())
    await engine.start()
    yield engine
    await engine.stop()


@pytest.mark.parametrize("seed", range(10))
async def test_it_answers_as_the_model_does(
    seed: int, engine: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "STEP", 3)
    rng = random.Random(seed)
    ledger, book = RedisLedger(engine), Book(FakeClock())
    for step in range(400):
        channel = rng.choice(("a", "b", "a}b{c"))
        owner = Owner(rng.choice(("n1", "n2", "n3")), rng.randrange(1, 4))

        def member() -> Member:
            info = Raw(rng.choice((b'{"a":"\xc3\xa4 1 2"}', b"null", b'"\\u0000"')))
            user = rng.choice(("ann", "bö b", "", "1 x", "~s1"))
            return Member(f"s{rng.randrange(8)}", user, info) if rng.random() < 0.5 else Member("s9", user)

        match rng.randrange(4):
            case 0 | 1:
                members = [(member(), rng.random() < 0.5) for _ in range(rng.randrange(1, 4))]
                assert await ledger.enter(channel, owner, members) == book.enter(channel, owner, members)
            case 2:
                who = member()
                assert await ledger.leave(channel, owner, who) == book.leave(channel, owner, who)
            case _ if step % 5 == 0:
                gone, model = await ledger.purge(channel, owner), book.purge(channel, owner)
                assert sorted(map(str, map(person_of, gone))) == sorted(map(str, map(person_of, model)))
        limit = rng.choice((0, 3, 100))
        shown, model_shown = await ledger.members(channel, limit), book.members(channel, limit)
        assert (shown.sessions, shown.users) == (model_shown.sessions, model_shown.users)
        assert sorted(shown.members or (), key=repr) == sorted(model_shown.members or (), key=repr)


async def test_lists_of_channels_are_walked_in_steps(engine: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "STEP", 7)
    ledger, owner = RedisLedger(engine), Owner("n1", 1)
    names = [f"c{number:03}ü" for number in range(1_000)]
    await ledger.put_down(owner, names)
    await ledger.put_down(Owner("n1", 2), ["other"])
    await ledger.cross_out(owner, names[500:])
    cursor, found, rounds = "0", list[str](), 0
    while True:
        cursor, some = await ledger.listed(owner, cursor)
        found += some
        rounds += 1
        if cursor == "0":
            break
    assert sorted(set(found)) == names[:500]
    assert rounds > 10
    await ledger.forget(owner)
    assert await ledger.listed(owner, "0") == ("0", [])
    assert await ledger.listed(Owner("n1", 2), "0") == ("0", ["other"])


async def test_the_dead_are_given_to_one_at_a_time(engine: Redis) -> None:
    ledger = RedisLedger(engine)
    dead, one, two = Owner("n1", 1), Owner("n2", 1), Owner("n3", 1)
    for owner in (dead, one, two):
        assert (await ledger.beat(owner, 5.0, 5.0, new=True, verdicts=[])).standing == 1
    pulse = await ledger.beat(one, 5.0, 0.05, new=False, verdicts=[(dead, "D")])
    assert pulse.dead == [dead]
    assert (await ledger.beat(dead, 5.0, 5.0, new=False, verdicts=[])).standing == -1
    given = 0
    while not given:  # until that claim has ended
        given += len((await ledger.beat(two, 5.0, 5.0, new=False, verdicts=[])).dead)
    assert (await ledger.beat(one, 5.0, 5.0, new=False, verdicts=[])).dead == []
    pulse = await ledger.beat(two, 5.0, 5.0, new=False, verdicts=[(dead, "S"), (one, "L")])
    assert (pulse.standing, pulse.dead, pulse.lapsed) == (1, [], [])
    pulse = await ledger.beat(one, 5.0, 5.0, new=False, verdicts=[(dead, "L"), (dead, "D")])
    assert (pulse.standing, pulse.dead, pulse.lapsed) == (1, [], [dead])
    assert (await ledger.beat(Owner("n9", 1), 5.0, 5.0, new=False, verdicts=[])).standing == 0


@pytest.mark.parametrize("name", ["", "a.1", "a b", "é", "a-b"])
async def test_a_nodes_name_is_plain(name: str, engine: Redis) -> None:
    with pytest.raises(ValueError):
        RedisPresence(engine, name, SystemClock(), Metrics())
