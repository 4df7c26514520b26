"""Both places for dead letters: that of a single process, and that of many in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.broker.redis_case import running
from tests.waiting import until

from hubbub.broker import deadletters
from hubbub.broker.base import Broker
from hubbub.broker.deadletters import FRAME_BYTES, KEPT, RATE, DeadLetters, letters_of, opened, replay
from hubbub.broker.envelopes import frame_of
from hubbub.broker.memory import MemoryBroker
from hubbub.clock import SystemClock
from hubbub.config.cluster import RedisConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Publication, Retention
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock
from hubbub.testing.contracts import Inbox, publication
from hubbub.testing.faults import FaultyBroker

pytestmark = pytest.mark.anyio

SAID = Envelope(msgspec.structs.replace(publication("a", 1), id="id-1"))


class Case:
    """A broker that is started and in channel `a`."""

    def __init__(self, broker: Any, metrics: Metrics, inbox: Inbox) -> None:
        self.broker = broker
        self.metrics = metrics
        self.inbox = inbox
        self.letters: DeadLetters = letters_of(broker)

    def add(self, reason: str = "listener", frame: bytes = b"frame", channel: str = "a") -> None:
        self.letters.add(channel, reason, f"about {reason}", frame)

    async def ids(self) -> list[str]:
        return [each.id for each in await self.letters.page(limit=KEPT)]


@pytest.fixture(params=["memory", "redis"])
async def case(
    request: pytest.FixtureRequest, redis_config: RedisConfig, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Case]:
    monkeypatch.setattr(deadletters, "RATE", 10_000)
    inbox, metrics = Inbox(), Metrics()
    if request.param == "memory":
        memory = MemoryBroker(SystemClock(), metrics=metrics)
        await memory.start(inbox)
        await memory.subscribe("a")
        yield Case(memory, metrics, inbox)
        await memory.stop()
    else:
        async with running(redis_config, 1) as (node,):
            await node.subscribe("a")
            yield Case(node, node.metrics, node.inbox)


async def test_they_are_listed_newest_first_in_pages(case: Case) -> None:
    assert await case.letters.page() == []
    for number in range(7):
        case.add(frame=b"%d" % number, channel=f"c:{number}")
    pages, before = list[list[str]](), None
    while page := await case.letters.page(before, 3):
        pages.append([each.channel for each in page])
        before = page[-1].id
    assert pages == [["c:6", "c:5", "c:4"], ["c:3", "c:2", "c:1"], ["c:0"]]
    assert len(set(await case.ids())) == 7
    assert case.metrics.dead_letters == {"listener": 7}


async def test_one_is_kept_as_it_was(case: Case) -> None:
    frame = bytes(range(256))
    case.add("malformed", frame)
    (id,) = await case.ids()
    letter = await case.letters.get(id)
    assert letter is not None
    assert (letter.channel, letter.reason, letter.detail) == ("a", "malformed", "about malformed")
    assert (letter.size, letter.frame, letter.id) == (256, frame, id)
    assert abs(letter.time - SystemClock().now()) < 60
    assert [letter] == await case.letters.page()
    assert deadletters.check_id(id) == id
    assert await case.letters.get("1-1") is None


async def test_they_are_thrown_away_one_or_all(case: Case) -> None:
    for _ in range(4):
        case.add()
    newest, *others = await case.ids()
    assert await case.letters.drop(newest) == 1
    assert await case.letters.drop(newest) == 0
    assert await case.ids() == others
    assert await case.letters.drop() == 3
    assert await case.letters.drop() == 0
    assert await case.ids() == []


async def test_the_newest_are_kept(case: Case) -> None:
    for number in range(KEPT + 300):
        case.add(channel=f"c:{number}")
    kept = [each.channel for each in await case.letters.page(limit=10 * KEPT)]
    assert KEPT <= len(kept) <= KEPT + 200, "Redis lets go in batches"
    assert kept[0] == f"c:{KEPT + 299}"


async def test_a_large_frame_is_told_but_not_kept(case: Case) -> None:
    case.add(frame=bytes(FRAME_BYTES))
    case.add(frame=bytes(FRAME_BYTES + 1))
    large, small = await case.letters.page()
    assert (large.size, large.frame) == (FRAME_BYTES + 1, b"")
    assert small.frame == bytes(FRAME_BYTES)
    with pytest.raises(HubbubError) as refusal:
        await replay(case.broker, large.id)
    assert refusal.value.code is ErrorCode.NOT_AVAILABLE


async def test_what_fails_without_end_is_counted_and_not_kept(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "RATE", RATE)
    for _ in range(1_000):
        case.add()
    assert RATE <= len(await case.ids()) <= 3 * RATE, "in as many seconds as it took"
    assert case.metrics.dead_letters == {"listener": 1_000}


async def test_where_the_listener_failed_is_replayed(case: Case) -> None:
    """To who has not had it; by its offset, who has passes it over."""
    failing = True

    def listen(envelope: Envelope) -> None:
        if failing:
            raise RuntimeError("this receiver is broken")
        case.inbox(envelope)

    delivery = case.broker._delivery
    delivery.listener = listen
    await case.broker.publish(SAID)
    position = (await case.broker.publish(Envelope(publication("a", 2)), Retention(10, 60.0))).position
    await until(lambda: case.metrics.dead_letters == {"listener": 2})
    failing = False
    for id in reversed(await case.ids()):
        letter = await replay(case.broker, id)
        assert (letter.reason, letter.detail) == ("listener", "RuntimeError in the listener")
    first, second = await case.inbox.expect(2)
    assert first == SAID.push
    assert (second.epoch, second.offset, bytes(second.data)) == (position.epoch, position.offset, b"2")
    assert await case.ids() == []
    assert (await case.broker.history("a", Retention(10, 60.0))).position == position, "in the log once"


async def test_what_fails_again_is_there_again(case: Case) -> None:
    case.add(frame=frame_of(SAID))
    (id,) = await case.ids()

    def fail(envelope: Envelope) -> None:
        raise RuntimeError

    case.broker._delivery.listener = fail
    await replay(case.broker, id)
    await until(lambda: case.metrics.dead_letters == {"listener": 2})
    (again,) = await case.letters.page()
    assert again.id != id
    assert isinstance(opened(again).push, Publication)


@pytest.mark.parametrize("frame", [b"", b"\x00", b"\x09 from the future", frame_of(SAID)[:-1]])
async def test_what_cannot_be_read_stays(case: Case, frame: bytes) -> None:
    case.add("version", frame)
    (id,) = await case.ids()
    with pytest.raises(HubbubError) as refusal:
        await replay(case.broker, id)
    assert refusal.value.code is ErrorCode.NOT_AVAILABLE
    assert await case.ids() == [id]
    assert case.inbox.envelopes == []


async def test_one_that_is_not_there_is_not_replayed(case: Case) -> None:
    with pytest.raises(HubbubError) as refusal:
        await replay(case.broker, "1-1")
    assert refusal.value.code is ErrorCode.NOT_FOUND


async def test_a_broker_may_have_no_place_for_them() -> None:
    broker: Broker = FaultyBroker(MemoryBroker(FakeClock()))
    with pytest.raises(HubbubError) as refusal:
        letters_of(broker)
    assert refusal.value.code is ErrorCode.NOT_AVAILABLE


@pytest.mark.parametrize(
    "id", ["", "1", "-", "1-", "-1", "a-1", "1-1-1", "+", "²-1", "1" * 40 + "-1", "1 -1"]
)
def test_what_is_no_id_is_refused(id: str) -> None:
    with pytest.raises(HubbubError) as refusal:
        deadletters.check_id(id)
    assert refusal.value.code is ErrorCode.VALIDATION_FAILED
