"""Judges a history: is every acknowledged message there once, in order, and did every client get all of it? Pure.

It knows nothing of any server, only what a messaging server must not do. After the manner of Jepsen's kafka workload.
An anomaly makes a history INVALID; one that shows too little to judge (`Floors`) is UNKNOWN, and never VALID.

A place in a log is (channel, epoch, seq). A durable channel has one epoch for ever, which is not asked for; another's
log may end with what kept it, and what was acknowledged in it with it, but no more often than `Rules` allow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from bench.faults.attendance import Attendance
from bench.faults.history import (
    AnyRecord,
    Attach,
    Channel,
    Conn,
    Detach,
    End,
    Final,
    Item,
    Leave,
    Moving,
    Nemesis,
    Presence,
    Read,
    Receipt,
    Recv,
    Send,
    Stuck,
)
from bench.faults.streams import Report, Streams, percentiles

LATE_ACKS = 64
"""Acks come nearly in the order of seqs: so many below a read's start in a row, and the rest is below it, too."""
Key = tuple[str, str]
"""A channel and the id of a message in it."""
Spot = tuple[str, int]
"""An epoch and a seq in it."""


@dataclass(frozen=True, slots=True)
class Floors:
    """What a history must show at the least to be judged. `faults` by kind; `presence`: lists that could be judged."""

    acked: int = 0
    delivered: int = 0
    resumes: int = 0
    retried: int = 0
    reads: int = 0
    presence: int = 0
    receipts: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)


NO_FLOORS = Floors()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a server may do. `gaps`: say that it has lost a subscriber's place; `ends_epochs`: the faults each of which
    may end the log of a channel that is not durable; `presence_grace`: seconds by which presence may be late."""

    gaps: bool = False
    ends_epochs: frozenset[str] = frozenset()
    presence_grace: float = 5.0


STRICT = Rules()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`anomalies` maps names to (how often, the first one in words); `counts` is what was seen; `short` says what it
    is too little of; `times` are in milliseconds."""

    anomalies: Mapping[str, tuple[int, str]]
    counts: Mapping[str, int]
    times: Mapping[str, float]
    short: tuple[str, ...]

    @property
    def word(self) -> Literal["VALID", "INVALID", "UNKNOWN"]:
        if self.anomalies:
            return "INVALID"
        return "UNKNOWN" if self.short else "VALID"


def check(history: Iterable[AnyRecord], floors: Floors = NO_FLOORS, rules: Rules = STRICT) -> Verdict:
    """The verdict on a history in order of time."""
    checker = _Checker(rules)
    for record in history:
        checker.take(record)
    return checker.verdict(floors)


@dataclass(slots=True)
class _Sent:
    """A message that somebody has tried to send."""

    p: str
    invoked: float
    order: int
    acked_before: Spot  # the highest that was acknowledged in the channel when it was first sent
    attempts: int = 0
    failed: int = 0
    spots: list[Spot] = field(default_factory=list)


class _Checker:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.report = Report()
        self.streams = Streams(self.report, rules.gaps)
        self.attendance = Attendance(self.report, rules.presence_grace)
        self.passing: set[str] = set()  # channels that are not durable
        self.sent: dict[Key, _Sent] = {}
        self.acked: defaultdict[str, list[tuple[Spot, str, str]]] = defaultdict(list)  # (spot, id, sender)
        self.highest: dict[str, Spot] = {}
        self.places: defaultdict[tuple[str, Spot], set[str]] = defaultdict(set)
        self.spots: defaultdict[Key, set[Spot]] = defaultdict(set)
        self.final: dict[str, Final] = {}
        self.epochs: defaultdict[str, set[str]] = defaultdict(set)
        self.reads: dict[tuple[str, int], int] = {}  # how many were acknowledged when it was asked for
        self.items_read: list[tuple[str, str, str, tuple[Item, ...]]] = []
        self.furthest: dict[tuple[str, str], Spot] = {}
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.beginning: dict[str, float] = {}
        self.windows: list[tuple[float, float]] = []
        self.ack_times: list[float] = []
        self.delivery_times: defaultdict[str, list[float]] = defaultdict(list)
        self.delivered_ids: set[Key] = set()

    # --- one record ---------------------------------------------------------------------------------------

    def take(self, record: AnyRecord) -> None:
        match record:
            case Recv():
                self._recv(record)
            case Send():
                self._send(record)
            case Attach():
                self._epoch(record.ch, record.epoch)
                self.streams.attached(record)
                self.attendance.attached(record)
            case Detach():
                self.streams.detached(record)
                self.attendance.detached(record)
            case Moving():
                self.attendance.moving(record)
            case Leave():
                self.streams.left(record)
                self.attendance.left(record)
            case Read():
                self._read(record)
            case Receipt():
                self.attendance.receipt(record)
            case Presence():
                self.attendance.seen(record)
            case Final():
                self._final(record)
            case End():
                self.streams.ended(record.p)
            case Nemesis(ph="inv"):
                self.faults[record.kind] += 1
                self.beginning[record.kind] = record.t
            case Nemesis():
                self.windows.append((self.beginning.pop(record.kind, record.t), record.t))
            case Stuck():
                self.report.add("stuck", record.why)
            case Channel(durable=False):
                self.passing.add(record.ch)
            case Conn(ph="inv"):
                self.attendance.connecting(record)
            case Conn(ph="ok" | "fail"):
                self.report.count("connected" if record.ph == "ok" else "connects failed")
            case _:
                pass

    def _epoch(self, ch: str, epoch: str) -> str:
        """What it is called in a `Spot`."""
        if epoch:
            self.epochs[ch].add(epoch)
        return epoch if ch in self.passing else ""

    def _place(self, ch: str, spot: Spot, id: str) -> None:
        self.places[ch, spot].add(id)
        self.spots[ch, id].add(spot)

    def _recv(self, record: Recv) -> None:
        ch, id = record.ch, record.id
        epoch = self._epoch(ch, record.epoch or self.streams.epoch(record.p, ch))
        self._place(ch, (epoch, record.seq), id)
        self.delivered_ids.add((ch, id))
        if not record.whole:
            self.report.add("corrupt body", f"{id} at {ch}:{record.seq} to {record.p}")
        since = self.streams.received(record)
        sent = self.sent.get((ch, id))
        if since is not None and sent is not None and since < sent.invoked:
            took = record.t - sent.invoked
            self.delivery_times["delivery"].append(took)
            for kind, begin in self.beginning.items():
                if begin < sent.invoked:
                    self.delivery_times[f"delivery during {kind}"].append(took)

    def _send(self, record: Send) -> None:
        key = (record.ch, record.id)
        if record.ph == "inv":
            sent = self.sent.get(key)
            if sent is None:
                highest = self.highest.get(record.ch, ("", 0))
                sent = self.sent[key] = _Sent(record.p, record.t, len(self.sent), highest)
            sent.attempts += 1
            return
        sent = self.sent[key]
        if record.ph == "fail":
            sent.failed += 1
        elif record.ph == "ok" and record.seq is not None:
            spot = (self._epoch(record.ch, record.epoch), record.seq)
            if not sent.spots:
                self.acked[record.ch].append((spot, record.id, record.p))
                if sent.attempts == 1:
                    self.ack_times.append(record.t - sent.invoked)
            sent.spots.append(spot)
            self._place(record.ch, spot, record.id)
            before = self.highest.get(record.ch, spot)
            self.highest[record.ch] = spot if spot[0] != before[0] else max(before, spot)

    def _read(self, record: Read) -> None:
        ch, p = record.ch, record.p
        if record.ph == "inv":
            self.reads[p, record.op] = len(self.acked[ch])
            return
        if record.ph != "ok":
            return
        self.report.count("reads")
        epoch = self._epoch(ch, record.epoch)
        self.items_read.append((p, ch, epoch, record.items))
        seqs = [seq for seq, _ in record.items]
        if any(later <= earlier for earlier, later in pairwise(seqs)):
            self.report.add("read unordered", f"{p} read {ch} as {seqs[:10]}")
        present = {id for _, id in record.items}
        below = 0
        for (of, seq), id, sender in reversed(self.acked[ch][: self.reads[p, record.op]]):
            if of == epoch and seq >= record.start:
                below = 0
                if id not in present:
                    name = "read-your-writes" if sender == p else "stale read"
                    self.report.add(name, f"{p} read {ch} without {id}, acknowledged at {seq}")
            elif (below := below + 1) == LATE_ACKS:
                break
        last = (epoch, max(seqs, default=0))
        before = self.furthest.get((p, ch), last)
        if before[0] == epoch and last < before:
            self.report.add("read went backwards", f"{p} read {ch} up to {last[1]}, after {before[1]}")
        self.furthest[p, ch] = max(last, before) if before[0] == epoch else last

    def _final(self, record: Final) -> None:
        self._epoch(record.ch, record.epoch)
        if (other := self.final.get(record.ch)) is not None:
            if (other.epoch, other.base, other.items) != (record.epoch, record.base, record.items):
                different = min(set(other.items) ^ set(record.items), default=(record.base, record.epoch))
                self.report.add(
                    "nodes disagree", f"{other.by} and {record.by} about {record.ch}: {different}"
                )
            return
        self.final[record.ch] = record
        for seq, id in record.items:
            self._place(record.ch, (self._of(record), seq), id)
        for seq in record.corrupt:
            self.report.add("corrupt body", f"stored at {record.ch}:{seq}")

    def _of(self, final: Final) -> str:
        return final.epoch if final.ch in self.passing else ""

    # --- the whole ----------------------------------------------------------------------------------------

    def verdict(self, floors: Floors) -> Verdict:
        self._agreement()
        self._durability()
        self._order()
        self._agreement_of_reads()
        finals = self.final.items()
        self.streams.finish({ch: (final.epoch, [seq for seq, _ in final.items]) for ch, final in finals})
        heads = {ch: max((seq for seq, _ in final.items), default=final.base) for ch, final in finals}
        self.attendance.finish(heads, self.windows)
        counts = self._counts()
        times = {
            **percentiles("ack", self.ack_times),
            **percentiles("recovery", self.streams.recoveries),
            **{
                name: value
                for kind, seconds in sorted(self.delivery_times.items())
                for name, value in percentiles(kind, seconds).items()
            },
        }
        asked = {
            "acknowledged": floors.acked,
            "delivered": floors.delivered,
            "resumes": floors.resumes,
            "retried": floors.retried,
            "reads": floors.reads,
            "presence": floors.presence,
            "receipts": floors.receipts,
            **{f"faults: {kind}": floor for kind, floor in floors.faults.items()},
        }
        short = [
            f"{name}: {counts.get(name, 0)} of {floor}"
            for name, floor in asked.items()
            if counts.get(name, 0) < floor
        ]
        if missing := {ch for ch, _ in self.sent} - set(self.final):
            short.append(f"no final read of {', '.join(sorted(missing))}")
        return Verdict(self.report.anomalies, counts, times, tuple(short))

    def _agreement(self) -> None:
        for (ch, (epoch, seq)), ids in self.places.items():
            if len(ids) > 1:
                self.report.add("offset reuse", f"{ch}:{epoch}:{seq} is {' and '.join(sorted(ids))}")
        for (ch, id), spots in self.spots.items():
            if _twice(spots):
                self.report.add("duplicate", f"{id} is at {ch}:{sorted(spots)}")
        for (ch, id), sent in self.sent.items():
            if _twice(set(sent.spots)):
                self.report.add("idempotency", f"{id} was acknowledged at {ch}:{sorted(set(sent.spots))}")
        ends = sum(self.faults[kind] for kind in self.rules.ends_epochs)
        for ch, epochs in self.epochs.items():
            if len(epochs) > 1 + (ends if ch in self.passing else 0):
                self.report.add("epoch changed", f"{ch} was in {' and '.join(sorted(epochs))}")
            self.report.count("epochs ended", len(epochs) - 1)

    def _durability(self) -> None:
        stored: set[Key] = set()
        for ch, final in self.final.items():
            before = final.base
            for seq, id in final.items:
                if seq <= before:
                    self.report.add("final log not increasing", f"{ch}: {seq} after {before}")
                elif seq > before + 1:
                    self.report.add("hole in final", f"{ch}: {seq} after {before}")
                before = max(seq, before)
                if (ch, id) in stored:
                    self.report.add("duplicate in final", f"{id} again at {ch}:{seq}")
                stored.add((ch, id))
                self._of_somebody((ch, id), "stored")
        for key in self.delivered_ids:
            self._of_somebody(key, "delivered")
        for key, sent in self.sent.items():
            if key[0] not in self.final:
                continue
            if not sent.spots:
                self.report.count("stored without an ack", key in stored)
            elif key not in stored:
                epoch, seq = sent.spots[0]
                if epoch == self._of(self.final[key[0]]):
                    self.report.add("LOST", f"{key[1]} was acknowledged at {key[0]}:{seq}")
                else:
                    self.report.count("ended with their epoch")
        self.report.count("stored", len(stored))

    def _of_somebody(self, key: Key, what: str) -> None:
        sent = self.sent.get(key)
        if sent is None:
            self.report.add(f"phantom {what}", f"{key[1]} in {key[0]} was never sent")
        elif sent.failed == sent.attempts:
            self.report.add(f"aborted {what}", f"{key[1]} in {key[0]} was refused")

    def _order(self) -> None:
        """What was sent once only: a retry may have been stored by an earlier attempt."""
        last: dict[Key, tuple[Spot, str]] = {}
        for (ch, id), sent in sorted(self.sent.items(), key=lambda item: item[1].order):
            if sent.attempts != 1 or not sent.spots:
                continue
            epoch, seq = sent.spots[0]
            if sent.acked_before[0] == epoch and seq <= sent.acked_before[1]:
                self.report.add(
                    "real-time order",
                    f"{id} at {ch}:{seq} was sent when {sent.acked_before[1]} was acknowledged",
                )
            (of, before), other = last.get((ch, sent.p), ((epoch, 0), ""))
            if of == epoch and seq <= before:
                self.report.add("sender FIFO", f"{sent.p} sent {id} after {other}: {ch}:{seq} and {before}")
            last[ch, sent.p] = ((epoch, seq), id)

    def _agreement_of_reads(self) -> None:
        for p, ch, epoch, items in self.items_read:
            final = self.final.get(ch)
            if final is None or self._of(final) != epoch:
                continue
            if other := set(items) - set(final.items):
                self.report.add("read disagrees with final", f"{p} read {min(other)} in {ch}")

    def _counts(self) -> dict[str, int]:
        sends = self.sent.values()
        acked = sum(bool(sent.spots) for sent in sends)
        refused = sum(sent.failed == sent.attempts for sent in sends)
        return {
            "sent": len(self.sent),
            "attempts": sum(sent.attempts for sent in sends),
            "retried": sum(sent.attempts > 1 for sent in sends),
            "acknowledged": acked,
            "refused": refused,
            "indeterminate": len(self.sent) - acked - refused,
            **self.report.counts,
            **{f"faults: {kind}": count for kind, count in sorted(self.faults.items()) if count},
        }


def _twice(spots: set[Spot]) -> bool:
    """Whether two of them are in one epoch."""
    return len({epoch for epoch, _ in spots}) < len(spots)
