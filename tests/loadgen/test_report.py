"""Reports: percentiles, and figures for people."""

from __future__ import annotations

import json
import math

import pytest

from hubbub.loadgen.report import Report, latencies, percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.5, 5.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0, 3.0], 0.5, 2.0),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 1.0, 100),
        (range(1, 101), 0.0, 1),
        (range(1, 201), 0.95, 190),
    ],
)
def test_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


def test_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 0.5))


def test_latencies_are_sorted_and_in_milliseconds() -> None:
    figures = latencies([0.003, 0.001, 0.002])
    assert figures == {
        "latency_p50_ms": 2.0,
        "latency_p95_ms": 3.0,
        "latency_p99_ms": 3.0,
        "latency_max_ms": 3.0,
    }


def test_a_report_is_told_with_units() -> None:
    figures = {
        "acks_per_s": 12_345.6,
        "latency_p99_ms": 1.234,
        "lost": 0.0,
        "after_bytes": 2048.0,
        "ratio": 1.25,
    }
    report = Report("echo", "hubbub", {"size": 128}, figures)
    assert report.rows() == [
        ("acks", "12,346/s"),
        ("latency p99", "1.23 ms"),
        ("lost", "0"),
        ("after", "2,048 B"),
        ("ratio", "1.25"),
    ]
    assert json.loads(report.json())["figures"] == figures
