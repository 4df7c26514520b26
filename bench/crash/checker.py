"""Judges a history: is every acknowledged message there once, in order, and did every client get all of it? Pure.

It knows nothing of any server, only what a messaging server must not do. After the manner of Jepsen's kafka workload.
An anomaly makes a history INVALID; one that shows too little to judge (`Floors`) is UNKNOWN, and never VALID.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from bench.crash.history import AnyRecord, Attach, Conn, Detach, End, Final, Item, Nemesis, Read, Recv, Send
from bench.crash.streams import Report, Streams, percentiles

LATE_ACKS = 64
"""Acks come nearly in the order of seqs: so many below a read's start in a row, and the rest is below it, too."""
Key = tuple[str, str]
"""A conversation and the id of a message in it."""


@dataclass(frozen=True, slots=True)
class Floors:
    """What a history must show at the least to be judged. `faults` by kind."""

    acked: int = 0
    delivered: int = 0
    resumes: int = 0
    retried: int = 0
    reads: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)


NO_FLOORS = Floors()


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


def check(history: Iterable[AnyRecord], floors: Floors = NO_FLOORS, *, gaps: bool = False) -> Verdict:
    """The verdict on a history in order of time. With `gaps` a server may say that it has lost a subscriber's place."""
    checker = _Checker(gaps)
    for record in history:
        checker.take(record)
    return checker.verdict(floors)


@dataclass(slots=True)
class _Sent:
    """A message that somebody has tried to send."""

    p: str
    invoked: float
    order: int
    acked_before: int  # the highest seq that was acknowledged in the conversation when it was first sent
    attempts: int = 0
    failed: int = 0
    seqs: list[int] = field(default_factory=list)


class _Checker:
    def __init__(self, gaps: bool) -> None:
        self.report = Report()
        self.streams = Streams(self.report, gaps)
        self.sent: dict[Key, _Sent] = {}
        self.acked: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)  # (seq, id, sender)
        self.highest: defaultdict[str, int] = defaultdict(int)
        self.places: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.seqs: defaultdict[Key, set[int]] = defaultdict(set)
        self.final: dict[str, Final] = {}
        self.epochs: defaultdict[str, set[str]] = defaultdict(set)
        self.reads: dict[tuple[str, int], int] = {}  # how many were acknowledged when it was asked for
        self.items_read: list[tuple[str, str, tuple[Item, ...]]] = []
        self.furthest: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.ack_times: list[float] = []
        self.delivered_ids: set[Key] = set()

    # --- one record ---------------------------------------------------------------------------------------

    def take(self, record: AnyRecord) -> None:
        match record:
            case Recv():
                self._place(record.ch, record.seq, record.id)
                self.delivered_ids.add((record.ch, record.id))
                if not record.whole:
                    self.report.add("corrupt body", f"{record.id} at {record.ch}:{record.seq} to {record.p}")
                self.streams.received(record)
            case Send():
                self._send(record)
            case Attach():
                self.epochs[record.ch].add(record.epoch)
                self.streams.attached(record)
            case Detach():
                self.streams.detached(record)
            case Read():
                self._read(record)
            case Final():
                self._final(record)
            case End():
                self.streams.ended(record.p)
            case Nemesis(ph="inv"):
                self.faults[record.kind] += 1
            case Conn(ph="ok" | "fail"):
                self.report.count("connected" if record.ph == "ok" else "connects failed")
            case _:
                pass

    def _place(self, ch: str, seq: int, id: str) -> None:
        self.places[ch, seq].add(id)
        self.seqs[ch, id].add(seq)

    def _send(self, record: Send) -> None:
        key = (record.ch, record.id)
        if record.ph == "inv":
            sent = self.sent.get(key)
            if sent is None:
                sent = self.sent[key] = _Sent(record.p, record.t, len(self.sent), self.highest[record.ch])
            sent.attempts += 1
            return
        sent = self.sent[key]
        if record.ph == "fail":
            sent.failed += 1
        elif record.ph == "ok" and record.seq is not None:
            if not sent.seqs:
                self.acked[record.ch].append((record.seq, record.id, record.p))
                if sent.attempts == 1:
                    self.ack_times.append(record.t - sent.invoked)
            sent.seqs.append(record.seq)
            self._place(record.ch, record.seq, record.id)
            self.highest[record.ch] = max(self.highest[record.ch], record.seq)

    def _read(self, record: Read) -> None:
        ch, p = record.ch, record.p
        if record.ph == "inv":
            self.reads[p, record.op] = len(self.acked[ch])
            return
        if record.ph != "ok":
            return
        self.report.count("reads")
        self.items_read.append((p, ch, record.items))
        seqs = [seq for seq, _ in record.items]
        if any(later <= earlier for earlier, later in pairwise(seqs)):
            self.report.add("read unordered", f"{p} read {ch} as {seqs[:10]}")
        present = {id for _, id in record.items}
        below = 0
        for seq, id, sender in reversed(self.acked[ch][: self.reads[p, record.op]]):
            if seq >= record.start:
                below = 0
                if id not in present:
                    name = "read-your-writes" if sender == p else "stale read"
                    self.report.add(name, f"{p} read {ch} without {id}, acknowledged at {seq}")
            elif (below := below + 1) == LATE_ACKS:
                break
        last = max(seqs, default=0)
        if last < self.furthest[p, ch]:
            self.report.add(
                "read went backwards", f"{p} read {ch} up to {last}, after {self.furthest[p, ch]}"
            )
        self.furthest[p, ch] = max(last, self.furthest[p, ch])

    def _final(self, record: Final) -> None:
        self.final[record.ch] = record
        self.epochs[record.ch].add(record.epoch)
        for seq, id in record.items:
            self._place(record.ch, seq, id)
        for seq in record.corrupt:
            self.report.add("corrupt body", f"stored at {record.ch}:{seq}")

    # --- the whole ----------------------------------------------------------------------------------------

    def verdict(self, floors: Floors) -> Verdict:
        self._agreement()
        self._durability()
        self._order()
        self._agreement_of_reads()
        self.streams.finish({ch: [seq for seq, _ in final.items] for ch, final in self.final.items()})
        counts = self._counts()
        times = {
            **percentiles("ack", self.ack_times),
            **percentiles("recovery", self.streams.recoveries),
        }
        asked = {
            "acknowledged": floors.acked,
            "delivered": floors.delivered,
            "resumes": floors.resumes,
            "retried": floors.retried,
            "reads": floors.reads,
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
        for (ch, seq), ids in self.places.items():
            if len(ids) > 1:
                self.report.add("offset reuse", f"{ch}:{seq} is {' and '.join(sorted(ids))}")
        for (ch, id), seqs in self.seqs.items():
            if len(seqs) > 1:
                self.report.add("duplicate", f"{id} is at {ch}:{sorted(seqs)}")
        for (ch, id), sent in self.sent.items():
            if len(set(sent.seqs)) > 1:
                self.report.add("idempotency", f"{id} was acknowledged at {ch}:{sorted(set(sent.seqs))}")
        for ch, epochs in self.epochs.items():
            if len(epochs) > 1:
                self.report.add("epoch changed", f"{ch} was in {' and '.join(sorted(epochs))}")

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
            if sent.seqs and key not in stored:
                self.report.add("LOST", f"{key[1]} was acknowledged at {key[0]}:{sent.seqs[0]}")
            if not sent.seqs and key in stored:
                self.report.count("stored without an ack")
        self.report.count("stored", len(stored))

    def _of_somebody(self, key: Key, what: str) -> None:
        sent = self.sent.get(key)
        if sent is None:
            self.report.add(f"phantom {what}", f"{key[1]} in {key[0]} was never sent")
        elif sent.failed == sent.attempts:
            self.report.add(f"aborted {what}", f"{key[1]} in {key[0]} was refused")

    def _order(self) -> None:
        """What was sent once only: a retry may have been stored by an earlier attempt."""
        last: dict[Key, tuple[int, str]] = {}
        for (ch, id), sent in sorted(self.sent.items(), key=lambda item: item[1].order):
            if sent.attempts != 1 or not sent.seqs:
                continue
            seq = sent.seqs[0]
            if seq <= sent.acked_before:
                self.report.add(
                    "real-time order",
                    f"{id} at {ch}:{seq} was sent when {sent.acked_before} was acknowledged",
                )
            before, other = last.get((ch, sent.p), (0, ""))
            if seq <= before:
                self.report.add("sender FIFO", f"{sent.p} sent {id} after {other}: {ch}:{seq} and {before}")
            last[ch, sent.p] = (seq, id)

    def _agreement_of_reads(self) -> None:
        for p, ch, items in self.items_read:
            final = self.final.get(ch)
            if final is not None and (other := set(items) - set(final.items)):
                self.report.add("read disagrees with final", f"{p} read {min(other)} in {ch}")

    def _counts(self) -> dict[str, int]:
        sends = self.sent.values()
        acked = sum(bool(sent.seqs) for sent in sends)
        refused = sum(sent.failed == sent.attempts for sent in sends)
        return {
            "sent": len(self.sent),
            "attempts": sum(sent.attempts for sent in sends),
            "retried": sum(sent.attempts > 1 for sent in sends),
            "acknowledged": acked,
            "refused": refused,
            "indeterminate": len(self.sent) - acked - refused,
            **self.report.counts,
            **{f"faults: {kind}": count for kind, count in sorted(self.faults.items())},
        }
