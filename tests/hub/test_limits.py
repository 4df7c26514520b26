from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.hub.limits import Rate


def test_a_burst_then_the_rate() -> None:
    rate, state, now = Rate(10, 3), 0.0, 100.0
    for _ in range(3):
        state = rate.take(state, now)
        assert state > 0
    assert rate.take(state, now) == pytest.approx(-0.1)
    assert rate.take(state, now + 0.09) < 0
    state = rate.take(state, now + 0.1)
    assert state > 0
    assert rate.take(state, now + 0.1) < 0


def test_a_refusal_costs_nothing() -> None:
    rate = Rate(1, 1)
    state = rate.take(0.0, 100.0)
    for _ in range(1000):
        assert rate.take(state, 100.5) == pytest.approx(-0.5)
    assert rate.take(state, 101.0) > 0


@pytest.mark.parametrize("burst", [0, 1])
def test_the_smallest_burst_is_one(burst: int) -> None:
    rate = Rate(2, burst)
    state = rate.take(0.0, 10.0)
    assert state > 0
    assert rate.take(state, 10.0) == pytest.approx(-0.5)


def test_a_rate_of_zero_has_no_interval() -> None:
    assert Rate(0, 5).interval == 0.0


@given(
    st.floats(0.5, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_the_burst_and_its_share(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate, state, now, taken = Rate(per_second, burst), 0.0, 1000.0, []
    for pause in pauses:
        now += pause
        after = rate.take(state, now)
        if after >= 0:
            state = after
            taken.append(now)
    for start in range(len(taken)):
        for end in range(start, len(taken)):
            assert end - start + 1 <= burst + (taken[end] - taken[start]) * per_second + 1e-6
