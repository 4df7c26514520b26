"""The promises of `hubbub.state.base.State`."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar

import anyio
import pytest

from hubbub.state.base import KEY_CHARACTERS, OWED, VALUE_BYTES, NodeInfo, State


class StateContract(ABC):
    """Subclass it, implement `open` and `elapse`, and run it with pytest and anyio's plugin.

    Each `open` is another node's view of the same state. Views may share one server with other tests: keys are unique
    to each test, and of the nodes only those are looked at that the test has named. Against a server with real time,
    make `ttl` short.
    """

    pytestmark = pytest.mark.anyio

    ttl: ClassVar[float] = 30.0

    @abstractmethod
    async def open(self) -> State:
        """Another node's view of the state, not started."""

    @abstractmethod
    async def elapse(self, seconds: float) -> None:
        """Let the state's time pass."""

    @pytest.fixture
    async def state(self) -> AsyncIterator[State]:
        state = await self.open()
        await state.start()
        yield state
        await state.stop()

    @pytest.fixture
    async def other(self, state: State) -> AsyncIterator[State]:
        other = await self.open()
        await other.start()
        yield other
        await other.stop()

    @pytest.fixture
    def key(self) -> str:
        return f"contract:{uuid.uuid4().hex}"

    # --- values -------------------------------------------------------------------------------------------

    async def test_what_is_put_is_there_for_every_node(self, state: State, other: State, key: str) -> None:
        assert await state.get(key) is None
        assert await state.put(key, b"one", self.ttl) is True
        assert await other.get(key) == b"one"
        assert await other.put(key, b"two", self.ttl) is True
        assert await state.get(key) == b"two"
        assert await state.get(key + "x") is None

    @pytest.mark.parametrize("value", [b"", b"\0", b"\r\n$-1", bytes(range(256)), b"x" * VALUE_BYTES])
    async def test_values_come_back_as_they_were(self, state: State, key: str, value: bytes) -> None:
        await state.put(key, value, self.ttl)
        assert await state.get(key) == value
        assert await state.swap(key, value, b"new", self.ttl) is True
        assert await state.swap(key, b"new", value, self.ttl) is True
        assert await state.take(key) == value

    @pytest.mark.parametrize("odd", [" ", "}", "{}", "a}b{c", "ü:\n\0*?[", "x" * (KEY_CHARACTERS - 41)])
    async def test_keys_are_any_text(self, state: State, other: State, key: str, odd: str) -> None:
        for name in (odd + key, key + odd):
            assert await state.put(name, name.encode(), self.ttl, fresh=True) is True
            assert await other.get(name) == name.encode()
            assert await other.spend(name, 1.0, 1) == 0.0
            assert await other.swap(name, name.encode(), b"2", self.ttl) is True
            assert await other.delete(name) is True

    async def test_what_is_too_large_is_refused(self, state: State, key: str) -> None:
        wrong = ("", "x" * (KEY_CHARACTERS + 1), "\ud800")
        for name, value in ((key, b"x" * (VALUE_BYTES + 1)), *((name, b"") for name in wrong)):
            with pytest.raises(ValueError):
                await state.put(name, value, self.ttl)
            with pytest.raises(ValueError):
                await state.swap(name, None, value, self.ttl)
        for name in wrong:
            for asked in (state.get, state.take, state.delete):
                with pytest.raises(ValueError):
                    await asked(name)
            with pytest.raises(ValueError):
                await state.spend(name, 1.0, 1)

    async def test_values_end(self, state: State, other: State, key: str) -> None:
        await state.put(key, b"short", self.ttl)
        await state.put(key + "long", b"long", self.ttl * 10)
        await state.put(key + "again", b"1", self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await other.get(key) == b"short"
        await other.put(key + "again", b"2", self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await other.get(key) is None
        assert await other.take(key) is None
        assert await other.delete(key) is False
        assert await state.swap(key, b"short", b"new", self.ttl) is False
        assert await state.get(key + "long") == b"long"
        assert await state.get(key + "again") == b"2"
        assert await state.put(key, b"fresh", self.ttl, fresh=True) is True

    async def test_fresh_is_for_the_first(self, state: State, other: State, key: str) -> None:
        kept = await asyncio.gather(
            *(view.put(key, b"%d" % n, self.ttl, fresh=True) for n, view in enumerate([state, other] * 10))
        )
        assert sum(kept) == 1
        assert await other.get(key) == b"%d" % kept.index(True)

    async def test_a_value_is_taken_once(self, state: State, other: State, key: str) -> None:
        await state.put(key, b"ticket", self.ttl)
        taken = await asyncio.gather(*(view.take(key) for view in [state, other] * 10))
        assert (taken.count(b"ticket"), taken.count(None)) == (1, 19)
        assert await state.get(key) is None
        assert await state.put(key, b"again", self.ttl, fresh=True) is True

    async def test_swaps_lose_nothing(self, state: State, other: State, key: str) -> None:
        assert await state.swap(key, b"0", b"1", self.ttl) is False
        assert await state.get(key) is None
        assert await state.swap(key, None, b"0", self.ttl) is True
        assert await state.swap(key, None, b"1", self.ttl) is False

        async def add(view: State) -> None:
            while True:
                old = await view.get(key)
                assert old is not None
                if await view.swap(key, old, b"%d" % (int(old) + 1), self.ttl):
                    return

        await asyncio.gather(*(add(view) for view in [state, other] * 10))
        assert await state.get(key) == b"20"

    async def test_a_swap_renews(self, state: State, key: str) -> None:
        await state.put(key, b"1", self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await state.swap(key, b"1", b"2", self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await state.get(key) == b"2"

    async def test_what_is_deleted_is_gone(self, state: State, other: State, key: str) -> None:
        await state.put(key, b"1", self.ttl)
        assert await other.delete(key) is True
        assert await other.delete(key) is False
        assert await state.get(key) is None

    # --- token buckets ------------------------------------------------------------------------------------

    async def test_a_bucket_is_shared(self, state: State, other: State, key: str) -> None:
        spent = await asyncio.gather(*(view.spend(key, 1 / self.ttl, 6) for view in [state, other] * 4))
        assert spent.count(0.0) == 6
        assert all(0.5 * self.ttl < wait <= self.ttl for wait in spent if wait)
        assert await state.spend(key + "x", 1 / self.ttl, 6) == 0.0

    async def test_a_bucket_fills_again(self, state: State, other: State, key: str) -> None:
        rate = 1 / self.ttl
        for view in (state, other):
            assert await view.spend(key, rate, 2) == 0.0
        first = await state.spend(key, rate, 2)
        second = await other.spend(key, rate, 2)
        assert 0 < second <= first <= self.ttl, "nothing was taken by the one that was refused"
        await self.elapse(self.ttl * 1.1)
        assert await other.spend(key, rate, 2) == 0.0
        assert await state.spend(key, rate, 2) > 0
        await self.elapse(self.ttl * 2.5)
        assert [await state.spend(key, rate, 2) > 0 for _ in range(3)] == [False, False, True]

    async def test_what_is_charged_is_owed(self, state: State, other: State, key: str) -> None:
        rate = 1 / self.ttl
        first = await state.charge(key, rate, 4, 1)
        assert 0.9 * self.ttl < first <= self.ttl + 1e-6
        both = await asyncio.gather(*(view.charge(key, rate, 4, 3) for view in (state, other)))
        assert 6 * self.ttl < max(both) <= 7 * self.ttl + 1e-6
        assert 3 * self.ttl < min(both) <= 4 * self.ttl + 1e-6
        assert await other.spend(key, rate, 4) > 0
        await self.elapse(self.ttl)
        assert await other.charge(key, rate, 4, 0) < max(both)

    async def test_what_was_charged_is_there_again_after_its_time(self, state: State, key: str) -> None:
        rate = 1 / self.ttl
        await state.charge(key, rate, 1, 1)
        assert await state.spend(key, rate, 1) > 0
        await self.elapse(self.ttl * 1.1)
        assert await state.charge(key, rate, 1, 0) == 0.0
        assert await state.spend(key, rate, 1) == 0.0

    async def test_a_bucket_owes_no_more_than_so_many_bursts(self, state: State, key: str) -> None:
        most = 2 * (1 + OWED) * self.ttl
        assert 0.9 * most < await state.charge(key, 1 / self.ttl, 2, 1_000_000) <= most + 1e-6
        assert 0.9 * most < await state.charge(key, 1 / self.ttl, 2, 1_000_000) <= most + 1e-6

    async def test_a_rate_of_none_allows_everything(self, state: State, key: str) -> None:
        assert [await state.spend(key, 0.0, 1) for _ in range(5)] == [0.0] * 5
        assert await state.charge(key, 0.0, 1, 1000) == 0.0

    # --- nodes --------------------------------------------------------------------------------------------

    async def test_nodes_know_each_other(self, state: State, other: State) -> None:
        one, two = node("1"), node("2")
        two = NodeInfo(two.id, "näme", "host:1", "1.0", 12.5, 3, 4, "busy", 0.75, 2.0, True)
        assert await state.beat(one, self.ttl) is True
        assert await other.beat(two, self.ttl) is True
        for view in (state, other):
            assert await known(view, one, two) == sorted([one, two], key=lambda each: each.id)
        newer = NodeInfo(one.id, sessions=7)
        assert await state.beat(newer, self.ttl) is True
        assert await known(other, one) == [newer]

    async def test_a_node_that_is_silent_is_held_dead_and_learns_of_it(
        self, state: State, other: State
    ) -> None:
        silent, alive = node("1"), node("2")
        await state.beat(silent, self.ttl)
        await other.beat(alive, self.ttl)
        for _ in range(3):
            await self.elapse(self.ttl * 0.4)
            assert await other.beat(alive, self.ttl) is True
        assert await known(other, silent, alive) == [alive]
        assert await state.beat(silent, self.ttl) is False
        assert await state.beat(silent, self.ttl) is True
        assert len(await known(other, silent, alive)) == 2

    async def test_a_node_that_retires_is_gone_at_once(self, state: State, other: State) -> None:
        one, two = node("1"), node("2")
        await state.beat(one, self.ttl)
        await other.beat(two, self.ttl)
        await state.retire(one.id)
        assert await known(other, one, two) == [two]
        await state.retire(one.id)
        await other.retire("nobody")

    async def test_the_condition_is_up_soon(self, state: State) -> None:
        with anyio.fail_after(10.0):
            while not state.condition.up:  # noqa: ASYNC110 (it tells nobody)
                await anyio.sleep(0.01)


def node(name: str) -> NodeInfo:
    return NodeInfo(name + uuid.uuid4().hex[:5])


async def known(state: State, *nodes: NodeInfo) -> list[NodeInfo]:
    """What `state` says of those among `nodes` that it holds alive."""
    ids = {each.id for each in nodes}
    return [each for each in await state.nodes() if each.id in ids]
