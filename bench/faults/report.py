"""Verdicts as tables, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.faults.checker import Verdict


def report(about: str, verdicts: Mapping[Any, Verdict]) -> str:
    """Counts and times by run, the verdict, and what speaks against it."""
    counts = list(dict.fromkeys(name for verdict in verdicts.values() for name in verdict.counts))
    times = list(dict.fromkeys(name for verdict in verdicts.values() for name in verdict.times))
    lines = [about, "", f"| | {' | '.join(verdicts)} |", f"|---|{'--:|' * len(verdicts)}"]
    lines += [
        f"| {name} | {' | '.join(f'{v.counts.get(name, 0):,}' for v in verdicts.values())} |"
        for name in counts
    ]
    lines += [
        f"| {name}, ms | {' | '.join(f'{v.times.get(name, 0):,.1f}' for v in verdicts.values())} |"
        for name in times
    ]
    lines.append(f"| **verdict** | {' | '.join(verdict.word for verdict in verdicts.values())} |")
    for run, verdict in verdicts.items():
        found = verdict.anomalies.items()
        lines += [f"\n{run}: {name}, {count} times; first: {first}" for name, (count, first) in found]
        lines += [f"\n{run}: too few {short}" for short in verdict.short]
    return "\n".join(lines) + "\n"


def plain(verdict: Verdict) -> dict[str, object]:
    return {
        "verdict": verdict.word,
        "counts": dict(verdict.counts),
        "times_ms": dict(verdict.times),
        "anomalies": {
            name: {"count": count, "first": first} for name, (count, first) in verdict.anomalies.items()
        },
        "too_few": list(verdict.short),
    }
