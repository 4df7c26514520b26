"""Who was said to be where, against who was there; and receipts, which only go forward. Pure.

Presence may be late, by `grace` seconds: whoever was in a channel for that long must be seen there, and whoever was
away for that long must not. Nothing is asked of it while a fault is on, nor for `grace` seconds after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from bench.faults.history import Attach, Conn, Detach, Leave, Moving, Presence, Receipt
from bench.faults.streams import Report

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Stay:
    """In a channel, perhaps: from when it asked to enter until it was told that it has left. `sure`: and certainly."""

    perhaps: Span
    sure: Span


def user_of(p: str) -> str:
    """Whose device a participant is."""
    return p.partition("/")[0]


class Attendance:
    def __init__(self, report: Report, grace: float) -> None:
        self._report = report
        self._grace = grace
        self._since: dict[tuple[str, str], Span] = {}  # (p, ch), of those who are there: asked, and told
        self._asked: dict[tuple[str, str], float] = {}  # (p, ch), of those who are about to move
        self._connecting: dict[str, float] = {}
        self._stays: defaultdict[str, defaultdict[str, list[_Stay]]] = defaultdict(lambda: defaultdict(list))
        self._seen: list[Presence] = []
        self._receipts: dict[tuple[str, str, str, str], int] = {}

    def connecting(self, record: Conn) -> None:
        self._connecting[record.p] = record.t

    def moving(self, record: Moving) -> None:
        self._asked[record.p, record.ch] = record.t

    def attached(self, record: Attach) -> None:
        place = (record.p, record.ch)
        asked = self._asked.pop(place, self._connecting.get(record.p, record.t))
        self._since.setdefault(place, (asked, record.t))

    def left(self, record: Leave) -> None:
        self._end(record.p, record.ch, record.t)

    def detached(self, record: Detach) -> None:
        for p, ch in [place for place in self._since if place[0] == record.p]:
            self._end(p, ch, record.t)

    def _end(self, p: str, ch: str, time: float) -> None:
        asked = self._asked.pop((p, ch), time)
        if (since := self._since.pop((p, ch), None)) is not None:
            stay = _Stay((since[0], time), (since[1], asked))
            self._stays[ch][user_of(p)].append(stay)

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
            told = max(record.t, record.told)
            if any(start <= told and end >= begin for start, end in windows):
                self._report.count("presence not judged")
                continue
            self._report.count("presence")
            self._judge(record, begin, told)

    def _judge(self, record: Presence, begin: float, told: float) -> None:
        stays = self._stays[record.ch]
        members = set(record.members)
        for user in members:
            if not any(stay.perhaps[0] <= told and stay.perhaps[1] >= begin for stay in stays.get(user, ())):
                self._report.add(
                    "presence ghost", f"{record.by} sees {user} in {record.ch} at {record.t:.3f}"
                )
        for user, spans in stays.items():
            # Of several devices, one is to be there all the time. (Their stays may overlap.)
            if user not in members and any(stay.sure[0] <= begin and stay.sure[1] >= told for stay in spans):
                self._report.add(
                    "presence missing", f"{record.by} does not see {user} in {record.ch} at {record.t:.3f}"
                )
