"""Who was said to be where, against who was there; and receipts, which only go forward. Pure.

Presence may be late, by `grace` seconds: whoever was in a channel for that long must be seen there, and whoever was
away for that long must not. Nothing is asked of it while a fault is on, nor for `grace` seconds after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf

from bench.faults.history import Attach, Detach, Leave, Presence, Receipt
from bench.faults.streams import Report

Span = tuple[float, float]


def user_of(p: str) -> str:
    """Whose device a participant is."""
    return p.partition("/")[0]


class Attendance:
    def __init__(self, report: Report, grace: float) -> None:
        self._report = report
        self._grace = grace
        self._since: dict[tuple[str, str], float] = {}  # (p, ch), of those who are there
        self._stays: defaultdict[str, defaultdict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
        self._seen: list[Presence] = []
        self._receipts: dict[tuple[str, str, str, str], int] = {}

    def attached(self, record: Attach) -> None:
        self._since.setdefault((record.p, record.ch), record.t)

    def left(self, record: Leave) -> None:
        self._end(record.p, record.ch, record.t)

    def detached(self, record: Detach) -> None:
        for p, ch in [place for place in self._since if place[0] == record.p]:
            self._end(p, ch, record.t)

    def _end(self, p: str, ch: str, time: float) -> None:
        if (since := self._since.pop((p, ch), None)) is not None:
            self._stays[ch][user_of(p)].append((since, time))

    def seen(self, record: Presence) -> None:
        self._seen.append(record)

    def receipt(self, record: Receipt) -> None:
        self._report.count("receipts")
        key = (record.p, record.ch, record.user, record.kind)
        if record.seq < (last := self._receipts.get(key, 0)):
            self._report.add("receipt backwards", f"{key} at {record.seq} after {last}")
        self._receipts[key] = max(last, record.seq)

    def finish(self, heads: Mapping[str, int], faults: Iterable[Span]) -> None:
        """`heads`: the last seq of each channel; `faults`: when something was broken."""
        for (p, ch, user, kind), seq in self._receipts.items():
            if seq > heads.get(ch, seq):
                self._report.add(
                    "receipt for a missing message", f"{p}: {user} has {kind} {ch}:{seq} of {heads[ch]}"
                )
        for p, ch in list(self._since):
            self._end(p, ch, inf)
        windows = sorted(faults)
        for record in self._seen:
            begin = record.t - self._grace
            if any(start <= record.t and end >= begin for start, end in windows):
                self._report.count("presence not judged")
                continue
            self._report.count("presence")
            self._judge(record, begin)

    def _judge(self, record: Presence, begin: float) -> None:
        stays = self._stays[record.ch]
        members = set(record.members)
        for user in members:
            if not any(start <= record.t and end >= begin for start, end in stays.get(user, ())):
                self._report.add(
                    "presence ghost", f"{record.by} sees {user} in {record.ch} at {record.t:.3f}"
                )
        for user, spans in stays.items():
            if user not in members and _throughout(spans, begin, record.t):
                self._report.add(
                    "presence missing", f"{record.by} does not see {user} in {record.ch} at {record.t:.3f}"
                )


def _throughout(spans: list[Span], begin: float, end: float) -> bool:
    """Whether one of them covers all of the time. (Spans of several devices may overlap.)"""
    return any(start <= begin and until >= end for start, until in spans)
