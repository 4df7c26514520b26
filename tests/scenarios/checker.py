"""Whether applications saw what they should: nothing lost, nothing twice, nothing out of order, gaps told. Pure.

It knows what the applications were told, and the history in the end; of the server, the SDKs and the faults it knows
nothing. Every text that is written is written once, so that a text says which message it is.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.scenarios import company
from tests.scenarios.changes import Changes
from tests.scenarios.told import (
    Counted,
    Entered,
    Gap,
    History,
    Item,
    Knocked,
    Left,
    Log,
    Marked,
    Out,
    Position,
    Reopened,
    Seen,
    Sent,
    Shown,
    State,
    Watching,
    Written,
)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What is wrong: a `kind` of KINDS, and where."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


KINDS = {
    "lost": "a subscriber did not get a publication, and was not told",
    "duplicate": "a subscriber got a publication twice",
    "reordered": "a subscriber got publications out of order",
    "silent gap": "another log went on, and the subscriber was not told",
    "gap": "a gap was told where there may be none",
    "untrue gap": "a gap was told that does not begin where the subscriber was, or holds nothing",
    "altered": "what came is not what was written",
    "acknowledged and lost": "a write was acknowledged, and is not in the history, or elsewhere in it",
    "doubled": "something is twice in the history",
    "refused and there": "a write was refused for good, and is in the history",
    "unanswered": "the application never heard what became of a write",
    "written out of order": "the history has one client's writes in another order",
    "list: duplicate": "a list showed a message twice",
    "list: reordered": "a list was not in the order of the messages",
    "list: vanished": "a message that a list had shown was gone again",
    "list: key": "a message in a list got another key",
    "list: wrong": "a list showed what is not so",
    "list: incomplete": "at rest a list was not the conversation",
    "list: went back": "a list showed an older version, or again what was deleted or taken back",
    "list: outdated": "at rest a message in a list was not as it is now",
    "change lost": "an edit, a deletion or a reaction was acknowledged, and is not so",
    "present: ghost": "somebody was shown as present who was not there",
    "present: missing": "at rest somebody who was there was not shown",
    "present: twice": "somebody was shown as present twice",
    "unread": "at rest a count of unread messages was wrong",
    "came back": "a client that had failed for good went on",
}


@dataclass(slots=True)
class _Subscription:
    entered: Position | None = None
    last: Position | None = None
    first: Position | None = None
    texts: dict[str, str] = field(default_factory=dict)
    """What was seen, by the epoch of its log."""


@dataclass(slots=True)
class _List:
    """What a list shows, and how often which key, seq and text is in it."""

    items: list[Item] = field(default_factory=list)
    there: dict[str, Counter[object]] = field(
        default_factory=lambda: {"key": Counter(), "seq": Counter(), "text": Counter()}
    )
    keys: dict[str, str] = field(default_factory=dict)
    start: bool = False

    def count(self, items: Sequence[Item], by: int) -> None:
        for item in items:
            for name, counts in self.there.items():
                if (value := getattr(item, name)) is not None:
                    counts[value] += by

    def around(self, at: int, end: int, confirmed: bool) -> list[Item]:
        """The items from place `at` to `end` that have a seq, or that have none, with the next such on both sides."""
        before = range(at - 1, -1, -1)
        behind = range(end, len(self.items))
        places = [place for place in range(at, end) if (self.items[place].seq is not None) is confirmed]
        for side in (before, behind):
            next_one = (place for place in side if (self.items[place].seq is not None) is confirmed)
            places += itertools.islice(next_one, 1)
        return [self.items[place] for place in sorted(places)]


class _Checker:
    def __init__(self, history: History) -> None:
        self.history = history
        self.found: list[Anomaly] = []
        self.subscriptions: dict[tuple[str, str], _Subscription] = {}
        self.lists: dict[tuple[str, str], _List] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.failed: set[str] = set()
        self.reopened: set[tuple[str, str]] = (
            set()
        )  # (client, text): written before the application was started anew
        self.refused: set[str] = set()
        self.sent: Counter[tuple[str, str]] = Counter()
        self.writes = [each for each in history.records if isinstance(each, Written)]
        self.number = {each.text: each.number for each in self.writes}
        self.accepted = {each.text: each for each in self.writes if each.outcome == "accepted"}
        self.logs = {log.channel: log for log in history.logs}
        self.talks = {talk.conversation: talk for talk in history.talks}
        self.places = {
            talk.conversation: {(seq, text) for seq, _, text in talk.items} for talk in history.talks
        }
        self.changes = Changes(history, self.say)
        self.texts: dict[tuple[str, str, int], str] = {
            (log.channel, log.epoch, offset): text for log in history.logs for offset, text in log.items
        }

    def say(self, kind: str, *where: object) -> None:
        assert kind in KINDS
        self.found.append(Anomaly(kind, ", ".join(map(str, where))))

    def check(self) -> list[Anomaly]:
        for record in self.history.records:
            match record:
                case Entered():
                    self.entered(record)
                case Seen():
                    self.seen(record)
                case Gap():
                    self.gap(record)
                case Left() | Out():
                    self.subscriptions.pop((record.client, record.channel), None)
                case Reopened():
                    self.reopen(record.client)
                case Watching():
                    self.lists.setdefault((record.client, record.conversation), _List())
                case Shown():
                    self.shown(record)
                case Counted():
                    self.counts[record.client, record.conversation] = record.unread
                case Sent():
                    self.was_sent(record)
                case State() if record.status == "failed":
                    self.failed.add(record.client)
                case State() if record.client in self.failed and record.status != "closed":
                    self.say("came back", record.client, record.status)
                case Knocked() if record.count:
                    self.say("came back", record.client, f"{record.count} connections")
        self.in_the_end()
        self.written()
        self.changes.kept()
        company.judge(self.history, self.say)
        return self.found

    # --- channels -----------------------------------------------------------------------------------------

    def entered(self, record: Entered) -> None:
        it = self.subscriptions.setdefault((record.client, record.channel), _Subscription())
        it.entered = record.position
        if it.last is None:
            it.last = record.position
        first = it.first or record.position
        if first.epoch == record.position.epoch and first.offset > record.position.offset + 1:
            self.say("lost", record.client, record.channel, f"{record.position} to {first}")

    def seen(self, record: Seen) -> None:
        it = self.subscriptions.setdefault((record.client, record.channel), _Subscription())
        here, last = Position(record.epoch, record.offset), it.last
        where = (record.client, record.channel, f"{last} to {here}")
        if self.texts.setdefault((record.channel, here.epoch, here.offset), record.text) != record.text:
            self.say("altered", *where)
        if record.text in it.texts and not self.anew(record, it.texts[record.text]):
            self.say("duplicate", *where)
        elif last is not None and last.epoch != here.epoch:
            self.say("silent gap", *where)
        elif last is not None and here.offset <= last.offset:
            self.say("reordered", *where)
        elif last is not None and here.offset > last.offset + 1:
            self.say("lost", *where)
        it.texts[record.text] = here.epoch
        it.first = it.first or here
        if last is None or last.epoch != here.epoch or here.offset > last.offset:
            it.last = here

    def anew(self, record: Seen, before: str) -> bool:
        """Whether it was in a log that was lost before anybody had an answer, and was then accepted by the next one."""
        accepted = self.accepted.get(record.text)
        return before != record.epoch and accepted is not None and accepted.epoch == record.epoch

    def gap(self, record: Gap) -> None:
        it = self.subscriptions.setdefault((record.client, record.channel), _Subscription())
        where = (record.client, record.channel, record.since, record.position)
        if not self.history.gaps:
            self.say("gap", *where)
        to = record.position
        nothing = to is not None and to.epoch == record.since.epoch and to.offset <= record.since.offset
        if nothing or (it.last is not None and record.since != it.last):
            self.say("untrue gap", *where, f"was at {it.last}")
        it.last = to

    def reopen(self, client: str) -> None:
        for known in [key for key in self.subscriptions if key[0] == client]:
            del self.subscriptions[known]
        for key in [key for key in self.lists if key[0] == client]:
            del self.lists[key]
        for key in [key for key in self.counts if key[0] == client]:
            del self.counts[key]
        self.changes.reopen(client)
        self.failed.discard(client)
        self.reopened.update((client, each.text) for each in self.writes if each.client == client)

    # --- lists of messages --------------------------------------------------------------------------------

    def was_sent(self, record: Sent) -> None:
        self.sent[record.client, record.text] += 1
        if record.error is not None:
            self.refused.add(record.text)

    def shown(self, record: Shown) -> None:
        it = self.lists.setdefault((record.client, record.conversation), _List())
        at = min(record.at, len(it.items))
        gone, items = it.items[at : at + record.drop], self.changes.plain(record.conversation, record.items)
        it.items[at : at + record.drop] = items
        it.start = record.start
        it.count(gone, -1)
        it.count(items, 1)
        where = (record.client, record.conversation)
        self.changes.shown(*where, record.items)
        for item in items:
            for name, counts in it.there.items():
                if (value := getattr(item, name)) is not None and counts[value] > 1:
                    self.say("list: duplicate", *where, f"{name} {value!r}")
            if it.keys.setdefault(item.text, item.key) != item.key:
                self.say("list: key", *where, item.text)
            self.true(item, where)
        self.ordered(it, at, at + len(items), where)
        self.vanished(gone, it, where)

    def ordered(self, it: _List, at: int, end: int, where: tuple[str, str]) -> None:
        seqs = [item.seq or 0 for item in it.around(at, end, True)]
        own = [self.number.get(item.text, 0) for item in it.around(at, end, False)]
        for places in (seqs, own):
            if any(one > other for one, other in itertools.pairwise(places)):
                self.say("list: reordered", *where, str(places)[:200])

    def vanished(self, gone: list[Item], it: _List, where: tuple[str, str]) -> None:
        """What is shown no more: a list may go elsewhere, but not leave something out."""
        first = next((item.seq for item in it.items if item.seq is not None), None)
        last = next((item.seq for item in reversed(it.items) if item.seq is not None), None)
        for item in gone:
            if it.there["text"][item.text]:
                continue
            inside = first is not None and last is not None and first <= (item.seq or 0) <= last
            if item.seq is None or inside:
                self.say("list: vanished", *where, item)

    def true(self, item: Item, where: tuple[str, str]) -> None:
        talk = self.talks.get(where[1])
        if talk is None or item.seq is None:
            return
        if (item.seq, item.text) not in self.places[talk.conversation]:
            self.say("list: wrong", *where, item)

    # --- the end ------------------------------------------------------------------------------------------

    def in_the_end(self) -> None:
        for (client, channel), it in self.subscriptions.items():
            log = self.logs.get(channel)
            if client not in self.history.open or log is None:
                continue
            head = head_of(log)
            if it.last is not None and it.last != head:
                kind = "lost" if it.last.epoch == head.epoch else "silent gap"
                self.say(kind, client, channel, f"in the end at {it.last} of {head}")
        for (client, conversation), shown in self.lists.items():
            talk = self.talks.get(conversation)
            if client not in self.history.open or talk is None:
                continue
            self.changes.at_rest(client, conversation)
            there = [(item.seq, item.text) for item in shown.items if item.status != "failed"]
            want = [(seq, text) for seq, _, text in talk.items]
            if there != want or not shown.start:
                lacking = [each for each in want if each not in set(there)][:3]
                self.say(
                    "list: incomplete",
                    client,
                    conversation,
                    f"{len(there)} of {len(want)}, lacks {lacking}, start {shown.start}",
                )
        self.unread()

    def unread(self) -> None:
        cursors: dict[tuple[str, str], int] = defaultdict(int)
        for record in self.history.records:
            if isinstance(record, Marked):
                at = (self.history.users[record.client], record.conversation)
                cursors[at] = max(cursors[at], record.seq)
        for talk in self.talks.values():
            for seq, sender, _ in talk.items:
                at = (sender, talk.conversation)
                cursors[at] = max(cursors[at], seq)
        for (client, conversation), count in self.counts.items():
            counted = self.talks.get(conversation)
            if client not in self.history.open or counted is None:
                continue
            user = self.history.users[client]
            cursor = cursors[user, conversation]
            deleted = {seq for seq, now in counted.now.items() if now.deleted}
            new = [seq for seq, sender, _ in counted.items if sender != user and seq > cursor]
            want = len(set(new) - deleted)
            if count != want:
                self.say("unread", client, conversation, f"{count}, and it is {want}")

    # --- what was written ---------------------------------------------------------------------------------

    def written(self) -> None:
        there: dict[str, dict[str, list[int]]] = {}
        for to, items in (
            *((log.channel, log.items) for log in self.logs.values()),
            *(
                (talk.conversation, [(seq, text) for seq, _, text in talk.items])
                for talk in self.talks.values()
            ),
        ):
            found = there[to] = defaultdict(list)
            for place, text in items:
                found[text].append(place)
            for text, places in found.items():
                if len(places) > 1:
                    self.say("doubled", to, text, places)
        for write in self.writes:
            self.one_write(write, there.get(write.to, {}).get(write.text, []))
        self.in_order()

    def one_write(self, write: Written, places: list[int]) -> None:
        where = (write.client or "elsewhere", write.to, write.text)
        log = self.logs.get(write.to)
        if write.outcome == "accepted":
            kept = log is None or (write.epoch == log.epoch and (write.place or 0) > log.base)
            if kept and write.place not in places:
                self.say("acknowledged and lost", *where, f"at {write.place}, is at {places}")
        elif write.outcome == "refused" and places:
            self.say("refused and there", *where)
        elif write.outcome == "unanswered" and write.client in self.history.open:
            # An outbox has promised: what it holds is sent, by whichever application finds it there.
            if (write.client, write.text) not in self.reopened or log is not None:
                self.say("unanswered", *where)
            elif not places:
                self.say("acknowledged and lost", *where, "was in the outbox")
        if self.sent[write.client, write.text] > 1:
            self.say("doubled", *where, "told twice that it was sent")

    def in_order(self) -> None:
        lanes: dict[tuple[str, str, str], list[Written]] = defaultdict(list)
        for write in self.writes:
            if write.outcome == "accepted" and write.place is not None:
                lanes[write.client, write.to, write.epoch].append(write)
        for (client, to, _), writes in lanes.items():
            writes.sort(key=lambda each: each.number)
            highest: list[tuple[int, int]] = []  # (number, the greatest place up to it)
            for write in writes:
                before = [place for number, place in highest if number <= write.after]
                if before and write.place is not None and before[-1] > write.place:
                    self.say("written out of order", client or "elsewhere", to, write.text)
                top = max(highest[-1][1] if highest else 0, write.place or 0)
                highest.append((write.number, top))


def head_of(log: Log) -> Position:
    """Where a channel's log ends."""
    return Position(log.epoch, log.items[-1][0] if log.items else log.base)


def check(history: History) -> list[Anomaly]:
    """All that is wrong with a run, in the order in which it was found; none if it is as it should be."""
    return _Checker(history).check()
