"""Tickets work once, soon, and for whom and what they were issued."""

from __future__ import annotations

import pytest

from hubbub.auth.tickets import Tickets
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Principal
from hubbub.testing.clock import FakeClock

NOW = 1_700_000_000.0
ADA = Principal("ada", expires=NOW + 600)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def tickets(clock: FakeClock) -> Tickets:
    return Tickets(clock, ttl=30.0, per_user=3)


def refused(tickets: Tickets, ticket: str, *channels: str) -> None:
    with pytest.raises(HubbubError) as caught:
        tickets.redeem(ticket, channels)
    assert caught.value.code is ErrorCode.TICKET_INVALID
    assert not ticket or ticket not in str(caught.value)


def test_a_ticket_works_once(tickets: Tickets) -> None:
    ticket = tickets.issue(ADA)
    assert len(ticket) == 43
    assert tickets.redeem(ticket) is ADA
    refused(tickets, ticket)
    assert len(tickets) == 0


def test_tickets_are_opaque_and_not_kept(tickets: Tickets) -> None:
    one, two = tickets.issue(ADA), tickets.issue(ADA)
    assert one != two
    assert one not in repr(tickets) + repr(tickets._tickets)


@pytest.mark.parametrize("ticket", ["", "xyz", "é", "\ud800", "x" * 100_000, "../..", "\0"])
def test_what_is_no_ticket(tickets: Tickets, ticket: str) -> None:
    tickets.issue(ADA)
    refused(tickets, ticket)
    assert len(tickets) == 1


def test_a_ticket_ends_exactly_at_its_ttl(tickets: Tickets, clock: FakeClock) -> None:
    ticket, late = tickets.issue(ADA), tickets.issue(ADA)
    clock.advance(29.999)
    assert tickets.redeem(ticket) is ADA
    clock.advance(0.001)
    refused(tickets, late)


def test_the_wall_clock_does_not_revive_a_ticket(tickets: Tickets, clock: FakeClock) -> None:
    ticket = tickets.issue(ADA)
    clock.advance(30)
    clock.step_wall(-3_600)
    refused(tickets, ticket)


def test_a_ticket_does_not_outlive_its_token(tickets: Tickets, clock: FakeClock) -> None:
    short = Principal("ada", expires=NOW + 10)
    first, second = tickets.issue(short), tickets.issue(short)
    clock.advance(9.5)
    assert tickets.redeem(first) is short
    clock.advance(0.5)
    refused(tickets, second)


def test_a_ticket_is_for_its_channels(tickets: Tickets) -> None:
    assert tickets.redeem(tickets.issue(ADA, ["a", "b"]), ["a"]) is ADA
    assert tickets.redeem(tickets.issue(ADA), ["a", "z"]) is ADA
    ticket = tickets.issue(ADA, ["a", "b"])
    refused(tickets, ticket, "a", "z")
    refused(tickets, ticket, "a")
    refused(tickets, tickets.issue(ADA, []), "a")


def test_a_users_unused_tickets_are_bounded(tickets: Tickets, clock: FakeClock) -> None:
    tickets.issue(ADA)
    clock.advance(10)
    used = tickets.issue(ADA)
    tickets.issue(ADA)
    with pytest.raises(HubbubError) as caught:
        tickets.issue(ADA)
    assert caught.value.code is ErrorCode.RATE_LIMITED
    assert caught.value.retry_after == 20
    tickets.issue(Principal("eve"))
    tickets.redeem(used)
    tickets.issue(ADA)
    clock.advance(20)
    tickets.issue(ADA)


def test_expired_tickets_leave_no_trace(tickets: Tickets, clock: FakeClock) -> None:
    for number in range(100):
        tickets.issue(Principal(f"u{number}"))
    clock.advance(30)
    tickets.issue(ADA)
    assert len(tickets) == 1
    assert len(tickets._counts) == 1


def test_the_anonymous_need_no_ticket(tickets: Tickets) -> None:
    with pytest.raises(HubbubError) as caught:
        tickets.issue(Principal(""))
    assert caught.value.code is ErrorCode.UNAUTHENTICATED
