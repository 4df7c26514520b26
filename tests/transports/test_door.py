from __future__ import annotations

import heapq
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.transports.door import JITTER, LONGEST, SLACK, Turnstile


class Crowd:
    """Clients that come when they are told to, a little late, and are let in or told again."""

    def __init__(self, turnstile: Turnstile, seed: int = 1) -> None:
        self.turnstile = turnstile
        self.random = random.Random(seed)
        self.entered: list[tuple[float, int]] = []
        self.attempts: dict[int, int] = {}

    def come(self, clients: dict[int, float], *, resumed: frozenset[int] = frozenset()) -> None:
        """`clients`: who first comes when."""
        coming = [(at, client) for client, at in clients.items()]
        heapq.heapify(coming)
        while coming:
            now, client = heapq.heappop(coming)
            self.attempts[client] = self.attempts.get(client, 0) + 1
            assert self.attempts[client] < 50
            wait = self.turnstile.enter(now, resumed=client in resumed)
            if wait:
                heapq.heappush(coming, (now + wait + self.random.uniform(0, 0.02), client))
            else:
                self.entered.append((now, client))


def test_as_many_at_once_as_the_burst_and_then_at_the_rate() -> None:
    turnstile = Turnstile(10.0, 1)
    assert turnstile.enter(100.0) == 0.0
    assert turnstile.enter(100.0) == pytest.approx(0.1)
    assert turnstile.enter(100.099) > 0
    assert turnstile.enter(100.1) == 0.0


@pytest.mark.parametrize(("come", "let_in"), [(3, 3), (4, 4), (5, 4)])
def test_resumed_ones_have_the_whole_burst(come: int, let_in: int) -> None:
    turnstile = Turnstile(1.0, 4)
    assert sum(turnstile.enter(50.0, resumed=True) == 0.0 for _ in range(come)) == let_in


def test_new_ones_leave_a_part_of_the_burst_to_those_that_are_resumed() -> None:
    turnstile = Turnstile(1.0, 8)
    assert sum(turnstile.enter(50.0) == 0.0 for _ in range(20)) == 6
    assert [turnstile.enter(50.0, resumed=True) == 0.0 for _ in range(3)] == [True, True, False]


def test_a_rate_of_0_lets_everybody_in() -> None:
    turnstile = Turnstile(0.0, 1)
    assert all(turnstile.enter(1.0) == 0.0 for _ in range(10_000))
    assert turnstile.later(1.0) == 0.0


def test_each_is_told_a_moment_of_its_own_and_none_sooner_than_the_one_before() -> None:
    turnstile = Turnstile(100.0, 1, uniform=lambda: 0.0)
    assert turnstile.enter(10.0) == 0.0
    waits = [turnstile.enter(10.0) for _ in range(500)]
    assert waits == pytest.approx([0.01 * (1 + SLACK * n) for n in range(500)])


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    turnstile = Turnstile(1.0, 1, uniform=itertools.cycle((0.0, 0.5, 1.0)).__next__)
    waits = [turnstile.enter(10.0) for _ in range(1_000)]
    assert max(waits) <= LONGEST + JITTER
    assert set(waits[100:]) == {LONGEST / 2, LONGEST * 3 / 4, LONGEST}


def test_when_nobody_has_come_for_a_while_the_moments_that_were_told_are_free_again() -> None:
    turnstile = Turnstile(10.0, 4, uniform=lambda: 0.0)
    for _ in range(200):
        turnstile.enter(10.0)
    assert (
        turnstile.enter(10.5, resumed=True) == 0.0
    )  # none of those who were told has come, so there are tokens
    assert turnstile.enter(10.5) == 0.0
    assert turnstile.enter(10.5) < 0.3


def test_ten_thousand_come_back_in_order() -> None:
    crowd = Crowd(Turnstile(1_000.0, 2_000))
    arrivals = {client: 100.0 + client / 20_000 for client in range(10_000)}  # within half a second
    crowd.come(arrivals)
    assert len(crowd.entered) == 10_000
    last = crowd.entered[-1][0] - 100.0
    assert last < 10.0  # 8,000 at 1,000 a second, and some
    for second in range(1, 10):
        within = sum(second <= at - 100.0 < second + 1 for at, _ in crowd.entered)
        assert within <= 1_010 + 500  # what the reserve of the burst held is let in at some time
    assert sum(crowd.attempts.values()) < 2.2 * 10_000
    # Who came earlier is in earlier, but for the jitter and those who found that somebody new had come.
    moved = sorted(abs(place - client) for place, (_, client) in enumerate(crowd.entered))
    assert moved[len(moved) // 2] < 500
    assert moved[int(len(moved) * 0.9)] < 1_000


def test_those_who_resume_do_not_wait_for_those_who_are_new() -> None:
    crowd = Crowd(Turnstile(1_000.0, 500))
    everybody = {client: 100.0 + client / 20_000 for client in range(6_000)}
    resumed = frozenset(range(0, 6_000, 3))
    crowd.come(everybody, resumed=resumed)
    assert len(crowd.entered) == 6_000
    back = sorted(at for at, client in crowd.entered if client in resumed)
    new = sorted(at for at, client in crowd.entered if client not in resumed)
    assert back[-1] - 100.0 < 3.0
    assert new[-1] - 100.0 < 8.0
    assert sum(at > back[-1] for at in new) > 3_000


@given(
    rate=st.floats(0.5, 5_000),
    burst=st.integers(1, 5_000),
    steps=st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200),
)
def test_never_more_than_rate_and_burst_allow(
    rate: float, burst: int, steps: list[tuple[float, bool]]
) -> None:
    turnstile = Turnstile(rate, burst)
    began = now = 1_000.0
    entered = 0
    for step, resumed in steps:
        now += step
        wait = turnstile.enter(now, resumed=resumed)
        assert 0 <= wait <= LONGEST + JITTER
        entered += wait == 0
        assert entered <= burst + (now - began) * rate + 1e-6


@given(rate=st.floats(0.5, 1_000), burst=st.integers(1, 100), count=st.integers(1, 300))
def test_who_keeps_to_the_moment_is_let_in(rate: float, burst: int, count: int) -> None:
    turnstile = Turnstile(rate, burst)
    told = sorted(wait for _ in range(count) if (wait := turnstile.enter(10.0)))
    if told and told[-1] < LONGEST / 2:
        assert all(turnstile.enter(10.0 + wait + 1e-6) == 0.0 for wait in told)


def test_what_is_given_back_lets_another_in_and_never_more_than_the_burst() -> None:
    turnstile = Turnstile(0.01, 2)
    assert [turnstile.enter(10.0, resumed=True) == 0.0 for _ in range(3)] == [True, True, False]
    for _ in range(5):
        turnstile.give_back()
    assert [turnstile.enter(10.0, resumed=True) == 0.0 for _ in range(3)] == [True, True, False]
