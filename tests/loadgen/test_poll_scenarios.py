"""Long-polling's scenarios: small runs against a fake, and what they count."""

from __future__ import annotations

import pytest
from tests.loadgen.fake_polling import Polling, polling

from hubbub.loadgen import BenchError, Options, Target, poll_scenarios, run


def small(in_flight: int) -> Options:
    return Options("socketio", connections=10, in_flight=in_flight, seconds=0.2, warmup=0.05)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_poll_counts_what_was_published_times_the_subscribers(in_flight: int, chunked: bool) -> None:
    fake = Polling(chunked=chunked)
    with polling(fake) as url:
        figures = run("poll", small(in_flight), Target(url)).figures
    assert figures["published"] == fake.published > 0
    assert figures["lost"] == 0
    assert figures["deliveries_per_s"] == pytest.approx(figures["publishes_per_s"] * 10)
    assert 0 < figures["latency_p50_ms"] <= figures["latency_max_ms"]


def test_poll_says_what_was_lost() -> None:
    fake = Polling(lose_every=7)
    options = Options("socketio", connections=30, in_flight=16, seconds=0.2, warmup=0.0)
    with polling(fake) as url:
        figures = run("poll", options, Target(url)).figures
    assert figures["lost"] == fake.withheld > 0


@pytest.mark.parametrize("in_flight", [1, 4])
def test_poll_echo_counts_acknowledgements(in_flight: int) -> None:
    fake = Polling()
    with polling(fake) as url:
        figures = run("poll-echo", small(in_flight), Target(url)).figures
    assert figures["acks_per_s"] > 0
    assert 0 < figures["latency_p50_ms"] <= figures["latency_max_ms"]
    assert sum(body.count("echo") for s in fake.sessions.values() for body in s.posted) > 10


@pytest.mark.parametrize("in_flight", [1, 3])
def test_no_more_is_published_than_may_be_on_its_way(in_flight: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each publish one delivery is withheld, until all that may be on their way wait for one: that ends the run."""
    monkeypatch.setattr(poll_scenarios, "QUIET_SECONDS", 0.2)
    fake = Polling(lose_every=1)
    with polling(fake) as url, pytest.raises(BenchError, match="nothing came"):
        run("poll", small(in_flight), Target(url))
    assert fake.published - (fake.published * 10 - fake.withheld) // 10 == in_flight
