from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Retention
from hubbub.testing import FakeClock, FaultyBroker
from hubbub.testing.contracts import BrokerContract, Inbox, publication

pytestmark = pytest.mark.anyio
KEPT = Retention(100, 60.0)


class TestWithoutFaultsItIsABroker(BrokerContract):
    clock: FakeClock

    async def open(self) -> Broker:
        self.clock = FakeClock()
        return FaultyBroker(MemoryBroker(self.clock, idempotency_ttl=self.idempotency_ttl, logs=10))

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def lose(self, broker: Broker, channel: str) -> None:
        for number in range(10):
            await broker.history(f"filler:{number}", self.retention())


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def broker(inbox: Inbox) -> AsyncIterator[FaultyBroker]:
    broker = FaultyBroker(MemoryBroker(FakeClock()))
    await broker.start(inbox)
    await broker.subscribe("a")
    await broker.subscribe("b")
    yield broker
    await broker.stop()


async def publish(broker: FaultyBroker, channel: str = "a", count: int = 1) -> None:
    for number in range(count):
        await broker.publish(Envelope(publication(channel, number)), KEPT)


def heard(inbox: Inbox, channel: str = "a") -> list[int | None]:
    return [p.offset for p in inbox.publications if p.channel == channel]


async def logged(broker: FaultyBroker, channel: str = "a") -> list[int | None]:
    return [p.offset for p in (await broker.history(channel, KEPT)).publications]


async def test_heads_need_checking(broker: FaultyBroker) -> None:
    assert not broker.lossless


async def test_drop_loses_what_is_live_and_not_what_is_logged(broker: FaultyBroker, inbox: Inbox) -> None:
    await publish(broker)
    broker.drop(2)
    await publish(broker, count=3)
    assert heard(inbox) == [1, 4]
    assert await logged(broker) == [1, 2, 3, 4]
    assert broker.dropped == 2


async def test_faults_of_one_channel_leave_others_alone(broker: FaultyBroker, inbox: Inbox) -> None:
    broker.drop(1, "b")
    broker.duplicate(1, "a")
    await publish(broker, "a", 2)
    await publish(broker, "b", 2)
    assert heard(inbox, "a") == [1, 1, 2]
    assert heard(inbox, "b") == [2]


async def test_duplicate_delivers_twice(broker: FaultyBroker, inbox: Inbox) -> None:
    broker.duplicate()
    await publish(broker, count=2)
    assert heard(inbox) == [1, 1, 2]
    assert await logged(broker) == [1, 2]


@pytest.mark.parametrize(("reverse", "order"), [(False, [1, 2, 3, 4]), (True, [1, 3, 2, 4])])
async def test_hold_delays_until_release(
    broker: FaultyBroker, inbox: Inbox, reverse: bool, order: list[int]
) -> None:
    await publish(broker)
    broker.hold()
    await publish(broker, count=2)
    assert heard(inbox) == [1]
    assert await logged(broker) == [1, 2, 3]
    broker.release(reverse=reverse)
    await publish(broker)
    assert heard(inbox) == order
    broker.release()
    assert heard(inbox) == order


async def test_reads_are_counted_and_can_be_made_to_fail(broker: FaultyBroker) -> None:
    async def refuse() -> None:
        raise HubbubError(ErrorCode.INTERNAL)

    await publish(broker)
    broker.before_history = refuse
    with pytest.raises(HubbubError):
        await logged(broker)
    broker.before_history = None
    assert await logged(broker) == [1]
    assert broker.histories == 2


async def test_publishes_can_overtake_a_read(broker: FaultyBroker, inbox: Inbox) -> None:
    async def meanwhile() -> None:
        await publish(broker, count=2)

    broker.before_history = meanwhile
    assert await logged(broker) == heard(inbox) == [1, 2]
