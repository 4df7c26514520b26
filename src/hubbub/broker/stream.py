"""One channel's log. Pure: time is passed in as monotonic seconds, epochs are made by the caller.

`Log` keeps the tail of everything; `ConflatedLog` keeps the latest publication of each key. Both give gapless
offsets from 1, forget by size and by age, and never claim to be complete when something was forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from msgspec import Struct

from hubbub.model import History, Position, Publication, Retention


class Kept(Struct, frozen=True):
    """A log as it is written down. `forgotten` is the highest offset that it no longer holds; `entries` have ages in
    seconds, oldest first."""

    epoch: str
    head: int
    forgotten: int
    retention: Retention
    entries: list[tuple[float, Publication]]


class Log:
    """The tail of a channel: at most `retention.size` publications, none older than `retention.ttl` seconds.

    A ttl of 0 sets no age limit. Appending is O(1) amortised, reading is O(publications returned).
    `retention` may be replaced at any time. `head` is the offset last given, kept when all is forgotten.
    """

    __slots__ = ("_entries", "_first", "epoch", "head", "retention")

    def __init__(self, epoch: str, retention: Retention) -> None:
        self.epoch = epoch
        self.retention = retention
        self.head = 0
        self._first = 1
        # Keyed by offset: what is kept is the run from _first to head, so every lookup and trim is O(1).
        self._entries: dict[int, tuple[float, Publication]] = {}

    def __len__(self) -> int:
        """How many publications are held, those included that have expired since the last `trim`."""
        return len(self._entries)

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.head)

    def append(self, publication: Publication, now: float) -> Publication:
        """Give `publication` its epoch and the next offset, keep it, and return it as it is now."""
        self.head += 1
        stored = _stored(publication, self.epoch, self.head)
        self._entries[self.head] = (now, stored)
        self.trim(now)
        return stored

    def keep(self, now: float) -> Kept:
        """What `revive` needs to go on with this log in another process."""
        self.trim(now)
        entries = [(now - at, publication) for at, publication in self._entries.values()]
        return Kept(self.epoch, self.head, self._first - 1, self.retention, entries)

    def load(self, kept: Kept, now: float) -> None:
        self.head = kept.head
        self._first = kept.forgotten + 1
        self._entries = {
            publication.offset or 0: (now - age, publication) for age, publication in kept.entries
        }

    def trim(self, now: float) -> None:
        """Forget what is too much or too old."""
        entries, size, ttl = self._entries, self.retention.size, self.retention.ttl
        while len(entries) > size or (ttl and entries and now - entries[self._first][0] > ttl):
            del entries[self._first]
            self._first += 1

    def read(
        self, now: float, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        """What follows `since` oldest first, or with `reverse` precedes it newest first; at most `limit`.

        A `since` of another epoch or beyond the head is no place in this log: the answer is then what it
        would be without, and incomplete. A `since` from before what is kept gives an incomplete answer too.
        """
        self.trim(now)
        here = since if since is not None and self._contains(since) else None
        complete = since is None or (here is not None and here.offset >= self._first - 1)
        if reverse:
            newest = self.head if here is None else min(here.offset - 1, self.head)
            available = newest - self._first + 1
            offsets = range(newest, max(newest - limit, self._first - 1), -1)
        else:
            oldest = self._first if here is None else max(here.offset + 1, self._first)
            available = self.head - oldest + 1
            offsets = range(oldest, min(oldest + limit, self.head + 1))
        publications = tuple([self._entries[offset][1] for offset in offsets])
        return History(self.position, publications, complete, available > limit)

    def _contains(self, position: Position) -> bool:
        return position.epoch == self.epoch and position.offset <= self.head


class ConflatedLog:
    """The latest publication of each key of a channel; the key is `conflation_key`, or else the event's name.

    Like `Log`, with keys counted by `retention.size`. Offsets still count every publication, so those that
    are kept have gaps between them, which is no loss: a read is incomplete only if the *latest* value of some
    key after `since` was forgotten by size or age. Reading is O(keys).
    """

    __slots__ = ("_entries", "_forgotten", "epoch", "head", "retention")

    def __init__(self, epoch: str, retention: Retention) -> None:
        self.epoch = epoch
        self.retention = retention
        self.head = 0
        self._forgotten = 0  # the highest offset of a latest value that was trimmed
        self._entries: OrderedDict[str, tuple[float, Publication]] = OrderedDict()  # in the order of offsets

    def __len__(self) -> int:
        """How many publications are held, those included that have expired since the last `trim`."""
        return len(self._entries)

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.head)

    def append(self, publication: Publication, now: float) -> Publication:
        """Give `publication` its epoch and the next offset and keep it in place of its key's last."""
        self.head += 1
        stored = _stored(publication, self.epoch, self.head)
        key = _key(stored)
        self._entries[key] = (now, stored)
        self._entries.move_to_end(key)
        self.trim(now)
        return stored

    def keep(self, now: float) -> Kept:
        """As `Log.keep`."""
        self.trim(now)
        entries = [(now - at, publication) for at, publication in self._entries.values()]
        return Kept(self.epoch, self.head, self._forgotten, self.retention, entries)

    def load(self, kept: Kept, now: float) -> None:
        self.head = kept.head
        self._forgotten = kept.forgotten
        self._entries = OrderedDict((_key(each), (now - age, each)) for age, each in kept.entries)

    def trim(self, now: float) -> None:
        """Forget what is too much or too old."""
        entries, size, ttl = self._entries, self.retention.size, self.retention.ttl
        while len(entries) > size or (ttl and entries and now - next(iter(entries.values()))[0] > ttl):
            _, (_, publication) = entries.popitem(last=False)
            self._forgotten = publication.offset or 0

    def read(
        self, now: float, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        """As `Log.read`, of the latest values."""
        self.trim(now)
        here = since if since is not None and self._contains(since) else None
        complete = since is None or (here is not None and here.offset >= self._forgotten)
        newest_first = (publication for _, publication in reversed(self._entries.values()))
        if reverse:
            bound = self.head + 1 if here is None else here.offset
            found = [p for p in newest_first if (p.offset or 0) < bound]
        else:
            bound = 0 if here is None else here.offset
            found = []
            for publication in newest_first:
                if (publication.offset or 0) <= bound:
                    break
                found.append(publication)
            found.reverse()
        return History(self.position, tuple(islice(found, limit)), complete, len(found) > limit)

    def _contains(self, position: Position) -> bool:
        return position.epoch == self.epoch and position.offset <= self.head


def begin(epoch: str, retention: Retention) -> Log | ConflatedLog:
    """A new, empty log of the kind that `retention` asks for."""
    return ConflatedLog(epoch, retention) if retention.conflate else Log(epoch, retention)


def revive(kept: Kept, now: float) -> Log | ConflatedLog:
    """The log that was kept. Raises ValueError for one that cannot have been."""
    offsets = [publication.offset or 0 for _, publication in kept.entries]
    whole = offsets == sorted(set(offsets)) and all(0 < offset <= kept.head for offset in offsets)
    if not kept.retention.conflate:
        whole = whole and offsets == list(range(kept.forgotten + 1, kept.head + 1))
    if not whole:
        raise ValueError("the offsets of a log have holes or go beyond its head")
    log = begin(kept.epoch, kept.retention)
    log.load(kept, now)
    return log


def _key(publication: Publication) -> str:
    return publication.event if publication.conflation_key is None else publication.conflation_key


def _stored(publication: Publication, epoch: str, offset: int) -> Publication:
    return Publication(
        publication.channel,
        publication.event,
        publication.data.copy(),  # a view would keep the whole message that it came in alive
        publication.id,
        publication.sender,
        publication.time,
        epoch,
        offset,
        publication.conflation_key,
        publication.attachments,
        publication.spread,
    )
