"""What a run has found: figures by name, in plain units, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Report:
    """`figures` maps names that end in their unit (`_per_s`, `_ms`, `_us`, `_bytes`, `_s`) or are counts to values."""

    scenario: str
    protocol: str
    settings: Mapping[str, float | int | str] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)

    def json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def rows(self) -> list[tuple[str, str]]:
        """The figures for people: ("publish to receive p99", "1.23 ms")."""
        return [_readable(name, value) for name, value in self.figures.items()]


_UNITS = (("_per_s", "/s"), ("_ms", " ms"), ("_us", " µs"), ("_bytes", " B"), ("_s", " s"))


def _readable(name: str, value: float) -> tuple[str, str]:
    for suffix, unit in _UNITS:
        if name.endswith(suffix):
            digits = 0 if unit == "/s" or value >= 1000 else 2
            return name.removesuffix(suffix).replace("_", " "), f"{value:,.{digits}f}{unit}"
    return name.replace("_", " "), f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of `ordered` values that at least `share` (0 to 1) of them do not exceed. NaN of none."""
    if not ordered:
        return float("nan")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def latencies(seconds: Sequence[float], name: str = "latency") -> dict[str, float]:
    """p50, p95, p99 and the maximum, in milliseconds."""
    ordered = sorted(seconds)
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {f"{name}_{label}_ms": percentile(ordered, share) * 1000 for label, share in shares.items()}
