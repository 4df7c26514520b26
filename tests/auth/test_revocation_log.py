"""Revocations in State: for who starts later, for who was away, and after it was emptied."""

from __future__ import annotations

import asyncio

import pytest

from hubbub.auth.revocation import Revocations
from hubbub.auth.revocation_log import RevocationLog
from hubbub.state.base import VALUE_BYTES
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0


class Slow(MemoryState):
    """Others have their turn between the steps."""

    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        await asyncio.sleep(0)
        return value


class Node:
    def __init__(self, state: MemoryState, clock: FakeClock) -> None:
        self.revocations = Revocations(clock, 1_000.0)
        self.log = RevocationLog(state, self.revocations)

    async def revoke(self, *, user: str | None = None, token_id: str | None = None) -> None:
        if user is not None:
            self.revocations.revoke_user(user)
        if token_id is not None:
            self.revocations.revoke_token(token_id)
        await self.log.save(self.revocations.known(user, token_id))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def state(clock: FakeClock) -> MemoryState:
    return Slow(clock)


async def test_who_starts_later_learns_it(state: MemoryState, clock: FakeClock) -> None:
    one = Node(state, clock)
    await one.revoke(user="ada")
    await one.revoke(token_id="t1")
    clock.advance(10)
    two = Node(state, clock)
    await two.log.load()
    assert two.revocations.revoked("ada", None, NOW)
    assert not two.revocations.revoked("ada", None, NOW + 5), "it was revoked then, not now"
    assert two.revocations.revoked("bob", "t1", NOW + 5)
    assert not two.revocations.revoked("bob", "t2", NOW)


async def test_nothing_is_there_at_first(state: MemoryState, clock: FakeClock) -> None:
    node = Node(state, clock)
    await node.log.load()
    assert len(node.revocations) == len(state) == 0


async def test_it_is_remembered_as_long_as_it_matters(state: MemoryState, clock: FakeClock) -> None:
    await Node(state, clock).revoke(user="ada")
    clock.advance(999)
    late = Node(state, clock)
    await late.log.load()
    assert late.revocations.revoked("ada", None, NOW)
    clock.advance(1)
    assert not late.revocations.revoked("ada", None, NOW)
    later = Node(state, clock)
    await later.log.load()
    assert len(later.revocations) == 0
    assert await state.get("revoked:0") is None


async def test_many_need_several_pages(state: MemoryState, clock: FakeClock) -> None:
    one, two = Node(state, clock), Node(state, clock)
    names = [f"{'x' * 200}{number}" for number in range(1_000)]
    await asyncio.gather(
        *(node.revoke(user=name) for node, name in zip([one, two] * 500, names, strict=True))
    )
    third = Node(state, clock)
    await third.log.load()
    assert all(third.revocations.revoked(name, None, NOW) for name in names)
    assert await state.get("revoked:5") is not None
    values = vars(state)["_values"].values()
    assert all(len(value.data) <= VALUE_BYTES for value in values)


async def test_the_longest_names_fit(state: MemoryState, clock: FakeClock) -> None:
    node = Node(state, clock)
    for number in range(40):
        node.revocations.revoke_user("ü" * 4_000 + str(number))
    await node.log.save(node.revocations.known())
    late = Node(state, clock)
    await late.log.load()
    assert len(late.revocations) == 40


async def test_what_was_emptied_is_written_again(clock: FakeClock) -> None:
    before, after = MemoryState(clock), MemoryState(clock)
    one = Node(before, clock)
    await one.revoke(user="ada")
    one.log = RevocationLog(after, one.revocations)
    await one.log.load()
    await one.log.load()
    late = Node(after, clock)
    await late.log.load()
    assert late.revocations.known() == one.revocations.known()
    assert len(late.revocations) == 1
    kept = await after.get("revoked:0")
    await one.log.load()
    assert await after.get("revoked:0") == kept, "it is written once"


async def test_pages_that_have_ended_are_read_no_more(state: MemoryState, clock: FakeClock) -> None:
    node = Node(state, clock)
    for round in range(3):
        for number in range(200):
            await node.revoke(user=f"{'x' * 200}{round}-{number}")
        clock.advance(600)
    await node.log.load()
    late = Node(state, clock)
    asked: list[str] = []
    get = state.get

    async def noted(key: str) -> bytes | None:
        asked.append(key)
        return await get(key)

    state.get = noted  # type: ignore[method-assign]
    await late.log.load()
    assert "revoked:0" not in asked
    assert len(late.revocations) == len(node.revocations.known())
