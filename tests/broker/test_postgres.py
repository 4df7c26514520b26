from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import ClassVar

import msgspec
import pytest
from tests.broker.postgres_case import Node, engine, running

from hubbub.broker.base import Accepted, Broker, nothing
from hubbub.broker.postgres import PostgresBroker, lane_of
from hubbub.broker.postgres_schema import CALL_SWEEP
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Position, Retention
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import SharedBrokerContract, publication
from hubbub.testing.postgres import create_database, drop_database, execute

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    """One for all tests that need none of their own."""
    name = f"test_{secrets.token_hex(6)}"
    yield create_database(postgres_server, name)
    drop_database(postgres_server, name)


class Settling(PostgresBroker):
    """What is said later is heard later."""

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        self.settled = asyncio.Event()

        def listen(envelope: Envelope) -> None:
            if envelope.push.channel == "settled":
                self.settled.set()
            else:
                listener(envelope)

        await super().start(listen, missed)

    async def settle(self) -> None:
        self.settled.clear()
        await self.subscribe("settled")
        await self.publish(Envelope(publication("settled")))
        async with asyncio.timeout(60):
            await self.settled.wait()
        await self.unsubscribe("settled")


class TestContract(SharedBrokerContract):
    ttl: ClassVar[float] = 0.6
    idempotency_ttl: ClassVar[float] = 0.6

    url = ""

    @pytest.fixture(autouse=True)
    def use(self, database: str) -> None:
        self.url = database

    async def open(self) -> Broker:
        metrics = Metrics()
        config = BrokerConfig(idempotency_ttl=self.idempotency_ttl)
        return Settling(engine(self.url, metrics), config, SystemClock(), metrics)

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def lose(self, broker: Broker, channel: str) -> None:
        await asyncio.to_thread(execute, self.url, f"DELETE FROM hubbub_live.logs WHERE name = '{channel}'")

    async def settle(self, broker: Broker) -> None:
        assert isinstance(broker, Settling)
        await broker.settle()

    async def interrupt(self, broker: Broker) -> None:
        assert isinstance(broker, Settling)
        broker._engine._listener.cut()


KEPT = Retention(100, 60.0)


async def test_nodes_hear_each_other_in_one_order(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, 3) as nodes:
        for node in nodes:
            await node.broker.subscribe("a")

        async def publish(number: int) -> None:
            for count in range(30):
                data = publication("a", f"[{number},{count}]")
                await nodes[number].broker.publish(Envelope(data), KEPT if count % 3 else Retention())

        await asyncio.gather(*map(publish, range(3)))
        for node in nodes:
            await node.inbox.expect(90)
        logged = [
            [(each.offset, bytes(each.data)) for each in node.inbox.publications if each.offset]
            for node in nodes
        ]
        assert logged[0] == logged[1] == logged[2]
        assert [offset for offset, _ in logged[0]] == list(range(1, 61))
        for node in nodes:
            for number in range(3):
                own = [data for data in node.heard() if data.startswith(b"[%d," % number)]
                assert own == [b"[%d,%d]" % (number, count) for count in range(30)]


async def test_a_node_hears_of_no_channel_that_it_has_not_subscribed_to(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, 2) as (here, there):
        heard: list[str] = []
        hear = there.engine.heard

        def listen(name: str, payload: str) -> None:
            heard.append(name)
            hear(name, payload)

        there.engine.heard = listen
        await there.broker.subscribe("mine")
        for channel in ("other", "mine", "another"):
            await here.broker.publish(Envelope(publication(channel)))
            await here.broker.publish(Envelope(publication(channel)), KEPT)
        await there.inbox.expect(2)
        assert set(heard) == {lane_of("mine")}
        await there.broker.unsubscribe("mine")
        await there.broker.subscribe("other")
        await here.broker.publish(Envelope(publication("mine")))
        await here.broker.publish(Envelope(publication("other", 7)))
        await there.inbox.expect(3)
        assert there.heard()[-1] == b"7"


@pytest.mark.parametrize(
    "retention", [Retention(), KEPT, Retention(5, 60.0, True)], ids=["no", "log", "conflate"]
)
async def test_messages_of_any_size_arrive_whole_and_in_order(
    empty_postgres_url: str, retention: Retention
) -> None:
    async with running(empty_postgres_url, 2) as (here, there):
        await there.broker.subscribe("a")
        sizes = [1, 5_000, 5_639, 5_640, 5_641, 5_700, 11_400, 1_000_000, 2, 300_000]
        datas = [b'"' + b"x" * size + b'"' for size in sizes]
        # Sent at once: they share a transaction, in which PostgreSQL drops notices that are equal.
        await asyncio.gather(
            *(
                here.broker.publish(Envelope(publication("a", data, publication_id="same")), retention)
                for data in datas * 2
            )
        )
        await there.inbox.expect(20)
        assert there.heard() == datas * 2


async def test_equal_pushes_in_one_transaction_are_all_heard(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, 2) as (here, there):
        await there.broker.subscribe("a")
        push = publication("a", 1, publication_id="same")
        await asyncio.gather(*(here.broker.publish(Envelope(push)) for _ in range(50)))
        await there.inbox.expect(50)


async def test_a_message_above_the_limit_is_refused(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.broker.postgres.MESSAGE_BYTES", 1000)
    async with running(empty_postgres_url) as (node,):
        with pytest.raises(HubbubError) as refusal:
            await node.broker.publish(Envelope(publication("a", b"1" * 1001)), KEPT)
        assert refusal.value.code is ErrorCode.MESSAGE_TOO_LARGE


async def test_what_has_its_offset_is_delivered_here_at_once_and_there_in_order(
    empty_postgres_url: str,
) -> None:
    async with running(empty_postgres_url, 2) as (here, there):
        for node in (here, there):
            await node.broker.subscribe("a")
        for number in range(1, 101):
            push = msgspec.structs.replace(publication("a", number), epoch="chat", offset=number)
            await here.broker.publish(Envelope(push), KEPT)
            assert len(here.envelopes) == number
        assert [each.offset for each in await there.inbox.expect(100)] == list(range(1, 101))
        await here.broker.publish(Envelope(publication("a", 0)))
        await here.inbox.expect(101)
        assert (await here.broker.history("a", KEPT)).position.offset == 0


async def listed(node: Node, prefix: str, names: list[str]) -> None:
    """Wait until the list is that."""
    async with asyncio.timeout(60):
        while await node.broker.channels(prefix) != names:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)


async def test_lists_of_channels_have_those_of_all_nodes(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, 2) as (here, there):
        await here.broker.subscribe("ä-here")
        await there.broker.publish(Envelope(publication("ä-log")), KEPT)
        await there.broker.subscribe("other")

        await listed(there, "ä", ["ä-here", "ä-log"])
        await here.broker.stop()
        await listed(there, "ä", ["ä-log"])
        await here.broker.start(here.inbox)


async def test_idle_logs_and_old_keys_are_swept(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, idempotency_ttl=0.0) as (node,):
        for retention in (Retention(10, 0.05), Retention(10, 0.05, True)):
            channel = f"short-{retention.conflate}"
            await node.broker.publish(Envelope(publication(channel)), retention, key="k")
            await node.broker.publish(Envelope(publication(channel)), retention)
        await node.broker.publish(Envelope(publication("long")), Retention(10, 3600.0))
        counts = (
            "SELECT (SELECT count(*) FROM hubbub_live.entries), (SELECT count(*) FROM hubbub_live.keys), "
            "(SELECT count(*) FROM hubbub_live.logs)"
        )
        async with asyncio.timeout(60):
            while tuple((await node.engine.fetch(counts))[0]) != (1, 0, 3):
                await node.engine.fetch(CALL_SWEEP, 3600.0)
        for conflate in (False, True):
            retention = Retention(10, 0.05, conflate)
            head = (await node.broker.history(f"short-{conflate}", retention)).position
            assert head.offset == 2
            since = Position(head.epoch, 1)
            assert not (await node.broker.history(f"short-{conflate}", retention, since=since)).complete
        await node.engine.fetch(CALL_SWEEP, 0.0)
        assert not await node.broker.channels()


async def test_publishers_that_go_away_disturb_nobody(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as (node,):
        await node.broker.subscribe("a")
        tasks = [
            asyncio.create_task(node.broker.publish(Envelope(publication("a", number)), Retention(1000)))
            for number in range(300)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in done[::2])
        positions = [result.position for result in done[1::2] if not isinstance(result, BaseException)]
        history = await node.broker.history("a", Retention(1000), limit=1000)
        kept = {each.offset: bytes(each.data) for each in history.publications}
        for number, position in zip(range(1, 300, 2), positions, strict=True):
            assert position is not None
            assert kept[position.offset] == str(number).encode()


async def test_the_head_is_right_whatever_was_in_one_transaction(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as (node,):
        conflated = Retention(100, 60.0, True)

        def publish(
            data: int, retention: Retention, key: str | None = None, channel: str = "a"
        ) -> Awaitable[Accepted]:
            return node.broker.publish(Envelope(publication(channel, data)), retention, key=key)

        await asyncio.gather(
            *(publish(1, KEPT, "k") for _ in range(5)),
            publish(2, Retention()),
            publish(3, KEPT, channel="b"),
            publish(4, KEPT),
            publish(5, Retention(), "k5"),
        )
        assert (await node.broker.history("a", KEPT)).position.offset == 2
        assert (await node.broker.history("b", KEPT)).position.offset == 1
        # A log of another kind begins anew, in the middle of a transaction too.
        before = (await node.broker.history("a", KEPT)).position.epoch
        accepted = await asyncio.gather(
            publish(6, KEPT),
            publish(7, conflated),
            publish(8, conflated),
            publish(9, KEPT),
            publish(10, KEPT),
        )
        places = [each.position for each in accepted if each.position]
        assert [place.offset for place in places] == [3, 1, 2, 1, 2]
        assert len({before, *(place.epoch for place in places)}) == 3
        assert [bytes(each.data) for each in (await node.broker.history("a", KEPT)).publications] == [
            b"9",
            b"10",
        ]


async def test_a_crash_may_leave_no_table_of_logs_or_keys_behind(empty_postgres_url: str) -> None:
    """What PostgreSQL brought back without its end would give offsets again."""
    async with running(empty_postgres_url) as (node,):
        logged = await node.engine.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'hubbub_live'::regnamespace "
            "AND relkind = 'r' AND relpersistence <> 'u' ORDER BY relname"
        )
        assert [row[0] for row in logged] == ["dead", "parts"]
