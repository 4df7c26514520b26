"""Scenarios: small runs of each, against fakes of every protocol and against Hubbub itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.loadgen.fake import Fake, running

from hubbub.loadgen import SCENARIOS, BenchError, Options, Target, own_server, run, scenarios
from hubbub.loadgen.adapters import ADAPTERS

SECRET = "0123456789abcdef0123456789abcdef"
SMALL = Options(connections=10, in_flight=2, seconds=0.2, warmup=0.05, rate=400, group=5)


def small(protocol: str) -> Options:
    return Options(protocol, connections=10, in_flight=2, seconds=0.2, warmup=0.05, rate=400, group=5)


@pytest.fixture(scope="module")
def hubbub() -> Iterator[Target]:
    with own_server() as target:
        yield target


@pytest.mark.parametrize("protocol", ADAPTERS)
@pytest.mark.parametrize("scenario", ["connect", "fanout", "echo", "latency"])
def test_every_protocol_can_be_loaded(protocol: str, scenario: str) -> None:
    fake = Fake(protocol)
    with running(fake) as url:
        report = run(scenario, small(protocol), Target(url, secret=SECRET))
    assert (report.scenario, report.protocol) == (scenario, protocol)
    assert report.settings["connections"] == 10
    assert all(value >= 0 for value in report.figures.values())
    assert report.figures.get("lost", 0) == report.figures.get("dropped_connections", 0) == 0


@pytest.mark.parametrize("protocol", ADAPTERS)
def test_fanout_counts_what_was_published_times_the_subscribers(protocol: str) -> None:
    fake = Fake(protocol)
    # More subscribers than are sampled, so that most of them are only counted.
    options = Options(protocol, connections=30, in_flight=4, seconds=0.2, warmup=0.0)
    with running(fake) as url:
        figures = run("fanout", options, Target(url, secret=SECRET)).figures
    assert figures["published"] == fake.published > 0
    assert figures["lost"] == 0
    assert figures["deliveries_per_s"] == pytest.approx(figures["publishes_per_s"] * 30)


def test_fanout_says_what_was_lost() -> None:
    fake = Fake("plain", lose_every=7)
    options = Options("plain", connections=30, in_flight=16, seconds=0.2, warmup=0.0)
    with running(fake) as url:
        figures = run("fanout", options, Target(url)).figures
    assert figures["lost"] == fake.withheld > 0


def test_a_dropped_connection_ends_the_run() -> None:
    with running(Fake("hubbub", drop=True)) as url, pytest.raises(BenchError, match="closed"):
        run("fanout", SMALL, Target(url, secret=SECRET))


def test_memory_needs_the_servers_process() -> None:
    with running(Fake("plain")) as url, pytest.raises(BenchError, match="--pid"):
        run("memory", small("plain"), Target(url))


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"stall", "poll", "poll-echo"}))
def test_hubbub_takes_every_load(hubbub: Target, scenario: str) -> None:
    figures = run(scenario, SMALL, hubbub).figures
    assert figures.get("lost", 0) == figures.get("dropped_connections", 0) == 0
    if scenario == "memory":
        assert figures["before_bytes"] > 1_000_000
    if scenario == "fanout":  # the others may be over within a tick of the kernel's
        assert figures["server_cpu"] > 0


def test_hubbub_gives_a_stalled_reader_up(hubbub: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "FLOODS_PER_SECOND", 1_000.0)
    figures = run("stall", SMALL, hubbub).figures
    assert figures["gone_after_s"] < scenarios.STALL_LIMIT_SECONDS
    assert figures["dropped_others"] == 0
