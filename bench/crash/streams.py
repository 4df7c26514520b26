"""What every subscriber got, walked in time: nothing twice, nothing late, nothing left out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.crash.history import Attach, Detach, Recv

Place = tuple[str, str]
"""A participant and a conversation."""


class Report:
    """Anomalies with their first example, and counts."""

    def __init__(self) -> None:
        self.anomalies: dict[str, tuple[int, str]] = {}
        self.counts: defaultdict[str, int] = defaultdict(int)

    def add(self, name: str, example: str) -> None:
        count, first = self.anomalies.get(name, (0, example))
        self.anomalies[name] = (count + 1, first)

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by


@dataclass(slots=True)
class _Stream:
    """One participant in one conversation, over all of its connections."""

    last: int
    begins: int  # what comes after this is to be got
    attached: bool = True
    got: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    lost_at: float | None = None
    until: int = 0  # recovered when it has got up to here


class Streams:
    """`recoveries` are seconds from the loss of a connection to the place that the server named when it was back."""

    def __init__(self, report: Report, gaps: bool) -> None:
        self._report = report
        self._gaps = gaps
        self._streams: dict[Place, _Stream] = {}
        self._online: set[str] = set()
        self.recoveries: list[float] = []

    def attached(self, record: Attach) -> None:
        place = (record.p, record.ch)
        stream = self._streams.get(place)
        if stream is None:
            self._streams[place] = _Stream(record.pos, record.pos)
            if record.since is not None:
                self._report.add("resumed elsewhere", f"{place} began with since {record.since}")
            return
        stream.attached = True
        if record.recovered is not None and record.since != stream.last:
            self._report.add("resumed elsewhere", f"{place} asked for {record.since} and had {stream.last}")
        if record.recovered:
            self._report.count("resumes")
            stream.until = record.pos
            self._recovered(stream, record.t)
            return
        self._report.count("declared gaps")
        if not self._gaps:
            self._report.add("declared gap", f"{place} was at {stream.last} and begins again at {record.pos}")
        stream.excused |= set(range(stream.last + 1, record.pos + 1))
        stream.last = max(stream.last, record.pos)
        stream.lost_at = None

    def _recovered(self, stream: _Stream, time: float) -> None:
        if stream.lost_at is not None and stream.last >= stream.until:
            self.recoveries.append(time - stream.lost_at)
            stream.lost_at = None

    def detached(self, record: Detach) -> None:
        for (p, _), stream in self._streams.items():
            if p == record.p and stream.attached:
                stream.attached = False
                if stream.lost_at is None:
                    stream.lost_at = record.t

    def received(self, record: Recv) -> None:
        self._report.count("delivered")
        place, seq = (record.p, record.ch), record.seq
        stream = self._streams.get(place)
        if stream is None or not stream.attached:
            self._report.add("delivered without subscription", f"{record.id} at {seq} to {place}")
            return
        if seq in stream.got:
            self._report.add("duplicate delivery", f"{record.id} at {seq} to {place}")
        elif seq <= stream.last:
            self._report.add("out-of-order delivery", f"{record.id} at {seq} to {place} after {stream.last}")
            stream.missing.discard(seq)
        elif seq > stream.last + 1:
            stream.missing |= set(range(stream.last + 1, seq)) - stream.excused
        stream.got.add(seq)
        stream.last = max(stream.last, seq)
        if stream.until:
            self._recovered(stream, record.t)

    def ended(self, p: str) -> None:
        self._online.add(p)

    def finish(self, final: Mapping[str, Sequence[int]]) -> None:
        """Compare with all that there was to get."""
        for (p, ch), stream in self._streams.items():
            for seq in sorted(stream.missing - stream.got):
                self._report.add("SKIP", f"{ch}:{seq} never came to {p}, what is behind it did")
            if p not in self._online or not stream.attached:
                self._report.add("stranded", f"{p} did not come back to {ch}")
                continue
            for seq in final.get(ch, ()):
                if seq > stream.begins and seq not in stream.got | stream.excused | stream.missing:
                    self._report.add("UNSEEN", f"{ch}:{seq} never came to {p}")


def percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the maximum in milliseconds; of nothing, nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {
        f"{name} {label}": ordered[max(0, -int(-share * len(ordered) // 1) - 1)] * 1000
        for label, share in shares.items()
    }
