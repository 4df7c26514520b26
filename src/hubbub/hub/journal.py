"""What this node has delivered lately, numbered in order, for clients that resume by one number for everything.

Native sessions resume by a Position in each channel's log. A Socket.IO client knows only the offset of the last event
it saw, whichever room that came through, and events of rooms that keep no log must be recovered too. So the hub
numbers what it hands to such sessions, in the order in which it is written to each of them.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

from hubbub.clock import Clock
from hubbub.model import Envelope, Publication, Push

SESSION = "session:"
OVERHEAD = 400
"""Bytes that an entry takes beside its data."""


class Entry(Struct, frozen=True, gc=False):
    """One delivery. `key` is a channel's name, or `session:<id>`; `ack` the id of the acknowledgement it asks for, or
    -1; `at` is monotonic."""

    sequence: int
    key: str
    envelope: Envelope
    ack: int
    at: float
    size: int


class Journal:
    """Entries are kept for `window` seconds, within `limit` bytes. Numbers begin at 1, unique within `epoch`."""

    def __init__(self, clock: Clock, window: float, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._by_key: dict[str, deque[Entry]] = {}
        self.window = window
        self.epoch = secrets.token_urlsafe(6)
        self.head = 0
        self.floor = 0
        """The highest number whose entry has been let go: whoever has seen less may have missed something."""
        self.bytes = 0

    def record(self, key: str, envelope: Envelope, ack: int = -1) -> int:
        """Number and keep one delivery. Returns its number."""
        push = envelope.push
        size = OVERHEAD
        if type(push) is Publication:
            size += len(push.data)
            if push.attachments:
                size += sum(map(len, push.attachments))
        self.head += 1
        entry = Entry(self.head, key, envelope, ack, self._clock.monotonic(), size)
        self._entries.append(entry)
        log = self._by_key.get(key)
        if log is None:
            log = self._by_key[key] = deque()
        log.append(entry)
        self.bytes += size
        if self.bytes > self._limit or entry.at - self._entries[0].at > self.window:
            self.trim()
        return entry.sequence

    def trim(self) -> None:
        """Let go what is older than the window, and the oldest beyond the limit."""
        horizon = self._clock.monotonic() - self.window
        entries = self._entries
        while entries and (self.bytes > self._limit or entries[0].at < horizon):
            entry = entries.popleft()
            self.bytes -= entry.size
            self.floor = entry.sequence
            log = self._by_key[entry.key]
            log.popleft()  # the oldest of all is the oldest of its key
            if not log:
                del self._by_key[entry.key]

    def after(self, key: str, sequence: int, until: int | None = None) -> list[Entry]:
        """The entries of `key` with numbers above `sequence` and up to `until`, in order."""
        found = []
        for entry in reversed(self._by_key.get(key, ())):
            if entry.sequence <= sequence:
                break
            if until is None or entry.sequence <= until:
                found.append(entry)
        found.reverse()
        return found

    def last(self, key: str, limit: int) -> list[Push]:
        """The newest `limit` of `key`, the last first."""
        return [entry.envelope.push for entry in islice(reversed(self._by_key.get(key, ())), limit)]

    def number(self, offset: str) -> int | None:
        """The number in an offset of this epoch, which is what clients are given; None if it is none."""
        epoch, _, number = offset.rpartition(".")
        if epoch != self.epoch or not number.isascii() or not number.isdigit():
            return None
        return int(number) if len(number) < 16 else None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)


class Unless:
    """Who is passed over by an envelope's `unless`: sessions in a channel that is named there, and those named
    themselves.

    A channel that is named itself counts what stands before its last mention only: so one tuple does for all rooms of
    an emit, each of which passes over those who were served before. Rooms that are asked for in that order cost no
    more than there are names.
    """

    __slots__ = ("_places", "_taken", "channels", "names", "sessions")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._taken = 0  # how many of the names count in the channel that was asked for last
        self.channels: set[str] = set()
        self.sessions: set[str] = set()

    def of(self, channel: str) -> Unless:
        """Itself, with the `channels` and the ids of `sessions` that count in `channel`."""
        place = self._places.get(channel, len(self.names))
        if place < self._taken:
            self._taken = 0
            self.channels.clear()
            self.sessions.clear()
        for name in self.names[self._taken : place]:
            if name.startswith(SESSION):
                self.sessions.add(name[len(SESSION) :])
            else:
                self.channels.add(name)
        self._taken = place
        return self


class Trail:
    """What one session's recovery must know beside the offset that its client brings. It begins now.

    `confirmed` is the number up to which all has arrived. For channels entered and left after that it is kept when
    that was, so that recovery gives neither more nor less than was missed.
    """

    __slots__ = ("_begun", "_joined", "_left", "_lost", "brought", "confirmed", "journal")

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.confirmed = self._begun = journal.head
        self._joined: dict[str, int] | None = None
        self._left: list[_Stay] | None = None
        self._lost = False
        self.brought: tuple[str | None, int] | None = None
        """Where its client stood in the journal of another node, and where that is in this one."""

    def number(self, offset: str | None) -> int | None:
        """The number that a client's offset stands for; 0 for one that has none, as it has had nothing yet."""
        if self.brought is not None and self.brought[0] == offset:
            return self.brought[1]
        return 0 if offset is None else self.journal.number(offset)

    def begin(self) -> None:
        """All up to now is being written, to a link that is new to this session: what a ping has told that was sent
        before is about other things."""
        self._begun = self.journal.head

    def heard(self, mark: int) -> None:
        """A ping that was sent when the journal was at `mark` has been answered."""
        if mark > self._begun:
            self.arrived(mark)

    def arrived(self, number: int) -> None:
        """The client has got all up to `number`."""
        if number <= self.confirmed:
            return
        self.confirmed = number
        if self._joined is not None:
            self._joined = {name: at for name, at in self._joined.items() if at > number} or None
        if self._left is not None:
            self._left = [stay for stay in self._left if stay.until > number] or None

    def has_joined(self, channel: str) -> None:
        head = self.journal.head
        if head > self.confirmed:
            if self._joined is None:
                self._joined = {}
            self._joined[channel] = head

    def has_left(self, channel: str) -> None:
        since = self._joined.pop(channel, self.confirmed) if self._joined is not None else self.confirmed
        if self.journal.head > since:
            if self._left is None:
                self._left = []
            self._left.append(_Stay(channel, since, self.journal.head))

    def lose(self) -> None:
        """Something has not even reached the journal: there is no recovery."""
        self._lost = True

    def missed(self, session: str, channels: Iterable[str], since: int) -> list[Entry] | None:
        """What a session in `channels` has to be given, in order, when its client has seen all up to `since`; None if
        more than that may be missing."""
        journal, head = self.journal, self.journal.head
        since = max(since, self.confirmed)
        if self._lost or not journal.floor <= since <= head:
            return None
        joined = self._joined or {}
        own = f"{SESSION}{session}"
        stays = [_Stay(own, since, head), *[_Stay(name, joined.get(name, since), head) for name in channels]]
        stays += self._left or ()
        orders: dict[int, Unless] = {}

        def passed_over(entry: Entry) -> bool:
            names, number = entry.envelope.unless, entry.sequence
            if entry.envelope.exclude == session or not names:
                return entry.envelope.exclude == session
            if (order := orders.get(id(names))) is None:
                order = orders[id(names)] = Unless(names)
            unless = order.of(entry.key)
            return session in unless.sessions or any(
                stay.channel in unless.channels and stay.after < number <= stay.until for stay in stays
            )

        return [
            entry
            for entry in merge(
                *[journal.after(stay.channel, max(since, stay.after), stay.until) for stay in stays],
                key=lambda entry: entry.sequence,
            )
            if not passed_over(entry)
        ]


class _Stay(NamedTuple):
    """A session was in `channel` when what has the numbers above `after`, up to `until`, was delivered."""

    channel: str
    after: int
    until: int
