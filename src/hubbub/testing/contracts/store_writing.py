"""What a store promises of writing: durable when answered, in order, each for itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Logged, Store, Transaction, each
from hubbub.storage.tables import events, users
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts.store_case import APPEND, STAMP, StoreCase, logged, unheard, user_row


class WritingContract(StoreCase):
    """Answers, order, refusals, limits."""

    async def test_what_was_answered_is_there_when_it_is_opened_again(self, metrics: Metrics) -> None:
        store = await self.open(metrics)
        await store.start(len, unheard)
        epoch = store.epoch
        assert await asyncio.gather(*[store.write(APPEND, ("log", n)) for n in range(10)]) == [*range(1, 11)]
        await store.stop()
        again = await self.open(metrics)
        await again.start(len, unheard)
        assert again.epoch == epoch
        assert await again.read(logged("log")) == [(n + 1, str(n)) for n in range(10)]
        assert await again.write(APPEND, ("log", "more")) == 11
        await again.stop()

    async def test_many_writes_share_transactions(self, store: Store, metrics: Metrics) -> None:
        await asyncio.gather(*[store.write(APPEND, ("log", n)) for n in range(200)])
        assert (metrics.writes, metrics.gauges["writes_pending"]()) == (200, 0)
        assert metrics.commits <= 10
        assert sum(metrics.commit_seconds.counts) == metrics.commits

    async def test_what_is_durable_is_told_in_order_and_before_it_is_answered(self, metrics: Metrics) -> None:
        answered: list[bool] = []
        heard: list[Logged] = []

        def committed(outbox: Sequence[Logged]) -> None:
            heard.extend(outbox)
            answered.extend(futures[int(each.data)].done() for each in outbox)

        store = await self.open(metrics, batch=7)
        await store.start(committed, unheard)
        futures = [store.write(APPEND, (f"log{n % 3}", n), f"log{n % 3}") for n in range(50)]
        await asyncio.gather(*futures)
        await store.stop()
        assert answered == [False] * 50
        for name in ("log0", "log1", "log2"):
            mine = [each for each in heard if each.channel == name]
            assert [each.offset for each in mine] == [*range(1, len(mine) + 1)]
            assert [int(each.data) for each in mine] == [*range(int(name[-1]), 50, 3)]

    async def test_a_lane_is_written_in_the_order_of_the_calls_whatever_is_done_in_it(
        self, metrics: Metrics
    ) -> None:
        order: list[int] = []

        def remember(tx: Transaction, item: int) -> None:
            order.append(item)

        actions = [each(f"action {n}", remember) for n in range(3)]
        store = await self.open(metrics, batch=10)
        await store.start(len, unheard)
        await asyncio.gather(*[store.write(actions[n * n % 3], n, "lane") for n in range(100)])
        await store.stop()
        assert order == [*range(100)]

    async def test_a_refused_item_leaves_nothing_and_the_others_of_its_batch_stand(
        self, store: Store, durable: list[Logged]
    ) -> None:
        data = ["a", "refuse", "b", "refuse", "c"]
        outcomes = await asyncio.gather(
            *[store.write(APPEND, ("log", each)) for each in data], return_exceptions=True
        )
        assert [outcomes[0], outcomes[2], outcomes[4]] == [1, 2, 3]
        for refused in (outcomes[1], outcomes[3]):
            assert isinstance(refused, HubbubError)
            assert refused.code is ErrorCode.CONFLICT
        assert await store.read(logged("log")) == [(1, "a"), (2, "b"), (3, "c")]
        assert [each.data for each in durable] == [b"a", b"b", b"c"]

    @pytest.mark.parametrize("fault", ["break", "twice"])
    async def test_a_fault_is_answered_to_its_item_alone_and_logged_once(
        self, store: Store, durable: list[Logged], fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            data = ["a", fault, "b"]
            outcomes = await asyncio.gather(
                *[store.write(APPEND, ("log", each)) for each in data], return_exceptions=True
            )
        assert [outcomes[0], outcomes[2]] == [1, 2]
        assert isinstance(outcomes[1], HubbubError)
        assert outcomes[1].code is ErrorCode.INTERNAL
        assert await store.read(logged("log")) == [(1, "a"), (2, "b")]
        assert [each.data for each in durable] == [b"a", b"b"]
        assert len([record for record in caplog.records if record.name == "hubbub.storage"]) == 1

    async def test_what_was_to_be_written_is_not_in_the_log(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(HubbubError):
            await store.write(APPEND, ("precious", "twice"))
        assert "IntegrityError" in caplog.text or "UniqueViolation" in caplog.text
        assert "precious" not in caplog.text

    async def test_an_action_refuses_single_items_of_a_set_by_its_outcomes(self, store: Store) -> None:
        def run(tx: Transaction, items: Sequence[str]) -> list[str | HubbubError]:
            tx.execute(sa.insert(users), [user_row(item, tx.stamp) for item in items if item != "no"])
            return [HubbubError(ErrorCode.NOT_FOUND) if item == "no" else item for item in items]

        action = Action("set", run)
        outcomes = await asyncio.gather(
            *[store.write(action, item) for item in ("a", "no", "b")], return_exceptions=True
        )
        assert [outcomes[0], outcomes[2]] == ["a", "b"]
        assert isinstance(outcomes[1], HubbubError)
        assert outcomes[1].code is ErrorCode.NOT_FOUND

    async def test_what_an_action_raises_undoes_all_and_each_is_then_tried_alone(self, store: Store) -> None:
        sizes: list[int] = []

        def run(tx: Transaction, items: Sequence[str]) -> list[int]:
            sizes.append(len(items))
            tx.execute(sa.insert(users), [user_row(item, tx.stamp) for item in items])
            if "no" in items:
                raise HubbubError(ErrorCode.CONFLICT)
            return [tx.stamp for _ in items]

        action = Action("set", run)
        outcomes = await asyncio.gather(
            *[store.write(action, item) for item in ("a", "no", "b")], return_exceptions=True
        )
        assert sizes == [3, 1, 1, 1]
        assert isinstance(outcomes[1], HubbubError)
        assert outcomes[1].code is ErrorCode.CONFLICT
        assert await store.read(lambda s: sorted(s.execute(sa.select(users.c.id)).scalars())) == ["a", "b"]

    async def test_outcomes_that_do_not_match_the_items_are_a_fault(self, store: Store) -> None:
        action: Action[str, str] = Action("wrong", lambda tx, items: ["one"] * (len(items) + 1))
        with pytest.raises(HubbubError) as refused:
            await store.write(action, "a")
        assert refused.value.code is ErrorCode.INTERNAL

    async def test_a_write_that_is_awaited_no_more_is_written_all_the_same(self, store: Store) -> None:
        abandoned = store.write(APPEND, ("log", "a"))
        abandoned.cancel()
        assert await store.write(APPEND, ("log", "b")) == 2
        assert await store.read(logged("log")) == [(1, "a"), (2, "b")]

    async def test_writes_are_refused_above_the_limit_and_taken_again_below(self, metrics: Metrics) -> None:
        store = await self.open(metrics, pending_writes=3)
        await store.start(len, unheard)
        accepted = [store.write(APPEND, ("log", n)) for n in range(3)]
        with pytest.raises(HubbubError) as refused:
            store.write(APPEND, ("log", 3))
        assert refused.value.code is ErrorCode.LIMIT_EXCEEDED
        assert "limits.pending_writes" in refused.value.message
        assert metrics.rejected["pending_writes"] == 1
        assert await asyncio.gather(*accepted) == [1, 2, 3]
        assert await store.write(APPEND, ("log", 4)) == 4
        await store.stop()

    async def test_stopping_finishes_what_was_accepted_and_takes_no_more(self, metrics: Metrics) -> None:
        store = await self.open(metrics, batch=4)
        await store.start(len, unheard)
        accepted = [store.write(APPEND, ("log", n)) for n in range(30)]
        await store.stop()
        assert [future.result() for future in accepted] == [*range(1, 31)]
        with pytest.raises(HubbubError) as refused:
            store.write(APPEND, ("log", 0))
        assert refused.value.code is ErrorCode.DRAINING
        with pytest.raises(HubbubError) as refused:
            await store.read(logged("log"))
        assert refused.value.code is ErrorCode.DRAINING

    async def test_it_is_answered_even_if_nobody_could_be_told(self, metrics: Metrics) -> None:
        def committed(outbox: Sequence[Logged]) -> None:
            raise RuntimeError("nobody hears")

        store = await self.open(metrics)
        await store.start(committed, unheard)
        assert await store.write(APPEND, ("log", 0)) == 1
        assert await store.write(APPEND, ("log", 0)) == 2
        await store.stop()

    async def test_five_hundred_at_once_lose_and_double_nothing(
        self, store: Store, durable: list[Logged]
    ) -> None:
        async def writer(number: int) -> None:
            for step in range(3):
                lane = f"log{(number + step) % 20}"
                await store.write(APPEND, (lane, f"{number}.{step}"), lane)

        await asyncio.gather(*[writer(number) for number in range(500)])
        written: list[str] = []
        for name in [f"log{n}" for n in range(20)]:
            rows = await store.read(logged(name))
            assert [seq for seq, _ in rows] == [*range(1, len(rows) + 1)]
            mine = [(each.offset, each.data.decode()) for each in durable if each.channel == name]
            assert mine == rows
            written += [data for _, data in rows]
        assert sorted(written) == sorted(f"{n}.{step}" for n in range(500) for step in range(3))

    async def test_stamps_grow_from_transaction_to_transaction_also_when_it_is_opened_again(
        self, metrics: Metrics
    ) -> None:
        seen: list[int] = []
        for _ in range(3):
            store = await self.open(metrics)
            await store.start(len, unheard)
            seen += [await store.write(STAMP, "a") for _ in range(5)]
            await store.stop()
        assert seen == sorted(set(seen))

    async def test_an_action_cannot_publish_what_it_takes_back(
        self, store: Store, durable: list[Logged]
    ) -> None:
        def run(tx: Transaction, items: Sequence[int]) -> list[int]:
            tx.outbox.append(Logged("log", 1, "test", b"", None, 0.0))
            tx.execute(sa.insert(events).values(conversation="log", seq=1, type="t", time=0.0, data=""))
            raise RuntimeError

        with pytest.raises(HubbubError):
            await store.write(Action("fails", run), 1)
        assert durable == []
        assert await store.read(logged("log")) == []
