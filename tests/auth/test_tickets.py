"""Tickets work once, soon, on every node, and for whom and what they were issued."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from hubbub.auth.tickets import Tickets
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Permission, Principal
from hubbub.state.memory import MemoryState
from hubbub.testing.clock import FakeClock

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0
ADA = Principal("ada", expires=NOW + 600)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


class Slow(MemoryState):
    """Others have their turn between the steps."""

    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        await asyncio.sleep(0)
        return value


@pytest.fixture
def state(clock: FakeClock) -> MemoryState:
    return Slow(clock)


@pytest.fixture
def tickets(state: MemoryState, clock: FakeClock) -> Tickets:
    return Tickets(state, clock, ttl=30.0, per_user=3)


async def refused(tickets: Tickets, ticket: str, *channels: str) -> None:
    with pytest.raises(HubbubError) as caught:
        await tickets.redeem(ticket, channels)
    assert caught.value.code is ErrorCode.TICKET_INVALID
    assert not ticket or ticket not in str(caught.value)


async def test_a_ticket_works_once(tickets: Tickets) -> None:
    ticket = await tickets.issue(ADA)
    assert len(ticket) == 43
    assert await tickets.redeem(ticket) == ADA
    await refused(tickets, ticket)


async def test_a_ticket_works_once_on_all_nodes(
    tickets: Tickets, state: MemoryState, clock: FakeClock
) -> None:
    other = Tickets(state, clock, ttl=30.0, per_user=3)
    ticket = await tickets.issue(ADA)
    assert await other.redeem(ticket) == ADA
    await refused(tickets, ticket)
    for issuing in (tickets, other, tickets):
        await issuing.issue(ADA)
    for issuing in (tickets, other):
        with pytest.raises(HubbubError, match="too many"):
            await issuing.issue(ADA)


async def test_many_at_once_are_counted(tickets: Tickets) -> None:
    outcomes = await asyncio.gather(*(tickets.issue(ADA) for _ in range(10)), return_exceptions=True)
    issued = [each for each in outcomes if isinstance(each, str)]
    assert len(issued) == 3
    assert await asyncio.gather(*(tickets.redeem(each) for each in issued)) == [ADA] * 3
    for _ in range(3):
        await tickets.issue(ADA)


async def test_of_many_at_once_one_gets_it(tickets: Tickets) -> None:
    ticket = await tickets.issue(ADA)
    outcomes = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(10)), return_exceptions=True)
    assert outcomes.count(ADA) == 1


async def test_a_principal_comes_back_as_it_was(tickets: Tickets) -> None:
    whole = Principal(
        "ä",
        "agent",
        NOW + 60,
        (Permission("a*", ("publish", "history")),),
        ("b", "c"),
        b'{"x":"\xc3\xa4"}',
        "jti",
        NOW - 1,
    )
    assert await tickets.redeem(await tickets.issue(whole)) == whole


async def test_tickets_are_opaque_and_not_kept(tickets: Tickets, state: MemoryState) -> None:
    one, two = await tickets.issue(ADA), await tickets.issue(ADA)
    assert one != two
    kept = repr(vars(state))
    assert one not in kept
    assert base64.urlsafe_b64decode(one + "=").hex() not in kept
    assert hashlib.sha256(one.encode()).hexdigest() in kept


@pytest.mark.parametrize("ticket", ["", "xyz", "é", "\ud800", "x" * 100_000, "../..", "\0"])
async def test_what_is_no_ticket(tickets: Tickets, ticket: str) -> None:
    known = await tickets.issue(ADA)
    await refused(tickets, ticket)
    assert await tickets.redeem(known) == ADA


async def test_a_ticket_ends_exactly_at_its_ttl(tickets: Tickets, clock: FakeClock) -> None:
    ticket, late = await tickets.issue(ADA), await tickets.issue(ADA)
    clock.advance(29.999)
    assert await tickets.redeem(ticket) == ADA
    clock.advance(0.001)
    await refused(tickets, late)


async def test_the_wall_clock_does_not_revive_a_ticket(tickets: Tickets, clock: FakeClock) -> None:
    ticket = await tickets.issue(ADA)
    clock.advance(30)
    clock.step_wall(-3_600)
    await refused(tickets, ticket)


async def test_a_ticket_does_not_outlive_its_token(tickets: Tickets, clock: FakeClock) -> None:
    short = Principal("ada", expires=NOW + 10)
    first, second = await tickets.issue(short), await tickets.issue(short)
    clock.advance(9.5)
    assert await tickets.redeem(first) == short
    clock.advance(0.5)
    await refused(tickets, second)


async def test_a_ticket_is_for_its_channels(tickets: Tickets) -> None:
    assert await tickets.redeem(await tickets.issue(ADA, ["a", "b"]), ["a"]) == ADA
    assert await tickets.redeem(await tickets.issue(ADA), ["a", "z"]) == ADA
    ticket = await tickets.issue(ADA, ["a", "b"])
    await refused(tickets, ticket, "a", "z")
    await refused(tickets, ticket, "a")
    await refused(tickets, await tickets.issue(ADA, []), "a")


async def test_a_ticket_for_too_much_is_refused(tickets: Tickets) -> None:
    with pytest.raises(HubbubError) as caught:
        await tickets.issue(ADA, [f"{'x' * 60}{number}" for number in range(2_000)])
    assert (caught.value.code, caught.value.field) == (ErrorCode.VALIDATION_FAILED, "channels")


async def test_a_users_unused_tickets_are_bounded(tickets: Tickets, clock: FakeClock) -> None:
    await tickets.issue(ADA)
    clock.advance(10)
    used = await tickets.issue(ADA)
    await tickets.issue(ADA)
    with pytest.raises(HubbubError) as caught:
        await tickets.issue(ADA)
    assert caught.value.code is ErrorCode.RATE_LIMITED
    assert caught.value.retry_after == 20
    await tickets.issue(Principal("eve"))
    await tickets.redeem(used)
    await tickets.issue(ADA)
    clock.advance(20)
    await tickets.issue(ADA)


async def test_expired_tickets_are_not_listed_for_ever(
    tickets: Tickets, state: MemoryState, clock: FakeClock
) -> None:
    for _ in range(100):
        await tickets.issue(ADA)
        clock.advance(29)
    (key,) = [key for key in vars(state)["_values"] if key.startswith("tickets:")]
    kept = await state.get(key)
    assert kept is not None
    assert len(kept) < 3 * 100


async def test_the_anonymous_need_no_ticket(tickets: Tickets) -> None:
    with pytest.raises(HubbubError) as caught:
        await tickets.issue(Principal(""))
    assert caught.value.code is ErrorCode.UNAUTHENTICATED
