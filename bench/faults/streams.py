"""What every subscriber got, walked in time: nothing twice, nothing late, nothing left out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.faults.history import Attach, Detach, Leave, Recv

Place = tuple[str, str]
"""A participant and a channel."""


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
    """One participant in one channel, over all of its connections."""

    epoch: str
    last: int
    begins: int  # what comes after this is to be got
    since: float  # attached without a break
    attached: bool = True
    left: bool = False
    got: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    lost_at: float | None = None
    until: int = 0  # recovered when it has got up to here

    def excuse(self, pos: int) -> None:
        """It goes on at `pos`, whatever was before."""
        self.excused |= set(range(self.last + 1, pos + 1))
        self.last = max(self.last, pos)


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
            self._streams[place] = _Stream(record.epoch, record.pos, record.pos, record.t)
            if record.since is not None:
                self._report.add("resumed elsewhere", f"{place} began with since {record.since}")
            return
        stream.since = record.t if not stream.attached else stream.since
        stream.attached = True
        asked = (record.since_epoch or record.epoch, record.since)
        if record.recovered is not None and asked != (stream.epoch, stream.last):
            self._report.add(
                "resumed elsewhere", f"{place} asked for {asked} and had {stream.epoch}:{stream.last}"
            )
        if record.epoch != stream.epoch:
            self._new_epoch(place, stream, record)
        elif record.recovered:
            self._report.count("resumes")
            stream.until = record.pos
            self._recovered(stream, record.t)
        elif stream.left and record.since is None:
            stream.left = False
            stream.excuse(record.pos)
        else:
            self._report.count("declared gaps")
            if not self._gaps:
                self._report.add(
                    "declared gap", f"{place} was at {stream.last}, begins again at {record.pos}"
                )
            stream.excuse(record.pos)
            stream.lost_at = None

    def _new_epoch(self, place: Place, stream: _Stream, record: Attach) -> None:
        """Another log: what was, is judged; and all begins anew."""
        if record.recovered:
            self._report.add(
                "epoch changed silently", f"{place} was in {stream.epoch}, goes on in {record.epoch}"
            )
        self._report.count("streams begun in a new epoch")
        self._skips(place, stream)
        self._streams[place] = _Stream(record.epoch, record.pos, record.pos, record.t)

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

    def left(self, record: Leave) -> None:
        stream = self._streams.get((record.p, record.ch))
        if stream is not None:
            stream.attached, stream.left = False, True

    def received(self, record: Recv) -> float | None:
        """Since when its receiver has been attached, if it is; None else."""
        self._report.count("delivered")
        place, seq = (record.p, record.ch), record.seq
        stream = self._streams.get(place)
        if stream is None or not stream.attached:
            left = stream is not None and stream.left
            self._report.add(
                "delivered after leaving" if left else "delivered without subscription",
                f"{record.id} at {seq} to {place}",
            )
            return None
        if record.epoch not in ("", stream.epoch):
            self._report.add(
                "epoch changed silently", f"{place} in {stream.epoch} was given {record.epoch}:{seq}"
            )
            return None
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
        return stream.since

    def epoch(self, p: str, ch: str) -> str:
        """Of the log in which `p` is."""
        stream = self._streams.get((p, ch))
        return "" if stream is None else stream.epoch

    def ended(self, p: str) -> None:
        self._online.add(p)

    def _skips(self, place: Place, stream: _Stream) -> None:
        p, ch = place
        for seq in sorted(stream.missing - stream.got):
            self._report.add("SKIP", f"{ch}:{seq} never came to {p}, what is behind it did")

    def finish(self, final: Mapping[str, tuple[str, Sequence[int]]]) -> None:
        """Compare with all that there was to get: by channel an epoch, and the seqs of all messages."""
        for (p, ch), stream in self._streams.items():
            self._skips((p, ch), stream)
            if stream.left:
                continue
            if p not in self._online or not stream.attached:
                self._report.add("stranded", f"{p} did not come back to {ch}")
                continue
            if ch not in final:
                continue
            epoch, seqs = final[ch]
            if epoch != stream.epoch:
                self._report.add(
                    "left in an old epoch", f"{p} is in {ch}:{stream.epoch}, and that in {epoch}"
                )
                continue
            known = stream.got | stream.excused | stream.missing
            for seq in seqs:
                if seq > stream.begins and seq not in known:
                    self._report.add("UNSEEN", f"{ch}:{seq} never came to {p}")


def percentiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the maximum in milliseconds; of nothing, nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        f"{name} {label}": ordered[max(0, -int(-share * len(ordered) // 1) - 1)] * 1000
        for label, share in shares.items()
    }
