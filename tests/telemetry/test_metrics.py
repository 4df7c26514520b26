from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.hub.world import World

from hubbub.hub import operations
from hubbub.telemetry.metrics import LATENCY_BUCKETS, TABLE, Histogram, Metrics

FROM_ELSEWHERE = {
    "writes_pending",
    "queue_bytes",
    "sessions",
    "sessions_detached",
    "users",
    "channels",
    "journal_bytes",
    "subscriptions",
    "nodes",
    "presence_behind",
    "agenda_late_seconds",
}
"""Gauges that the hub, the node and the cluster hang in."""


def families(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {
            (sample.name, *sorted(sample.labels.values())): sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(metrics.exposition().decode())
    }


def test_every_name_of_the_table_is_counted_somewhere() -> None:
    metrics = Metrics()
    assert {name for name in TABLE if not hasattr(metrics, name)} == FROM_ELSEWHERE


def test_the_exposition_has_every_family_and_is_read_by_prometheus() -> None:
    metrics = Metrics()
    metrics.connections["websocket", "native-json"] += 3
    metrics.errors[104] += 2
    metrics.publications += 5
    metrics.gauges["sessions"] = lambda: 7
    found = families(metrics)
    assert set(found) == {f"hubbub_{name}" for name in TABLE}
    assert found["hubbub_connections"] == {("hubbub_connections", "native-json", "websocket"): 3}
    assert found["hubbub_errors"] == {("hubbub_errors_total", "104"): 2}
    assert found["hubbub_publications"] == {("hubbub_publications_total",): 5}
    assert found["hubbub_sessions"] == {("hubbub_sessions",): 7}


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.0005, 0), (0.00051, 1), (5.0, len(LATENCY_BUCKETS) - 1), (9.0, len(LATENCY_BUCKETS))],
)
def test_buckets_hold_what_is_not_above_their_bound(seconds: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert [index for index, count in enumerate(histogram.counts) if count] == [bucket]
    bounds = histogram.buckets()
    assert [count for _, count in bounds] == sorted(count for _, count in bounds)
    assert bounds[-1] == ("+Inf", 1.0)


def test_a_delivery_lasts_from_accepted_to_flushed() -> None:
    metrics = Metrics()
    metrics.delivering(10.0)
    metrics.delivering(10.5)
    metrics.flushed(11.0)
    metrics.flushed(99.0)
    assert metrics.delivery_seconds.total == pytest.approx(1.5)
    assert families(metrics)["hubbub_delivery_seconds"]["hubbub_delivery_seconds_count",] == 2


def test_the_largest_lag_is_that_since_the_last_scrape() -> None:
    metrics = Metrics()
    metrics.lag(0.5)
    metrics.lag(0.1)
    for largest in (0.5, 0.0):
        found = families(metrics)
        assert found["hubbub_loop_lag_seconds"]["hubbub_loop_lag_seconds",] == 0.1
        assert found["hubbub_loop_lag_max_seconds"]["hubbub_loop_lag_max_seconds",] == largest


@pytest.mark.anyio
async def test_no_label_is_made_of_what_a_client_says() -> None:
    world = await World().start()
    alice = await world.connected("mallory-user", "mallory-channel")
    await alice.ask(
        type="publish",
        channel="mallory-channel",
        event="mallory-event",
        data="mallory-data",
        key="mallory-key",
    )
    await alice.ask(type="mallory-type")
    await alice.ask(type="call", method="mallory-method")
    await alice.ask(type="connect", token="mallory-token", client="mallory-client")
    await operations.publish(world.hub, "mallory-2", "mallory-event", 1)
    assert "mallory" not in world.metrics.exposition().decode()
    assert world.metrics.errors
