"""Presence that several nodes share, over a ledger that may be slow, away, emptied or older than it was.

Each node keeps its own entries in memory, as the truth about them, and writes them into the ledger under its name and a
*generation*. One lease stands for all entries of a generation, so that they cost nothing while nothing changes; when it
runs out, the others take out what was written under it. A node begins a new generation whenever the ledger may have
lost something (its connection was renewed, the lease is not there) or the lease had run out: everything is written
again under the new one, and the old one, with whatever is left in it, is given up to be taken out like a dead node's.
What was sent in an old generation and arrives late does no harm.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from hubbub.clock import Clock
from hubbub.errors import HubbubError
from hubbub.model import Join, Leave, Member, Presence
from hubbub.presence.ledger import Ledger, Owner, Verdict
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.presence")

LEASE = 4.0
GRACE = 2.0
"""Seconds in which all nodes have noticed that the ledger was emptied, and written their entries again."""
REFRESH = 600.0
"""Seconds in which each entry is written again, in case it was lost."""
CHUNK = 200
"""Entries that are written at once."""
TOGETHER = 32
"""Channels that are worked on at the same time."""

Person = str | tuple[str]

GONE = -1
"""In place of a generation: the others have taken this entry out, and said so."""


@dataclass(slots=True)
class _Entry:
    member: Member
    deadline: float
    generation: int = 0
    """In which it was last written; 0: in none that is known of."""
    written: bool = False
    """Whether it is there as it is here."""
    asking: bool = False


@dataclass(slots=True)
class _Left:
    """A session that went, of which is not known yet whether a Leave is to be told."""

    member: Member
    generation: int
    asking: bool = False
    asked: bool = False
    """It may be out by this node's own doing, of which nobody knows."""


@dataclass(slots=True)
class _Roll:
    """This node's entries in one channel, and how many each person has."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    people: dict[Person, int] = field(default_factory=dict)

    def add(self, entry: _Entry) -> None:
        self.entries[entry.member.session] = entry
        person = person_of(entry.member)
        self.people[person] = self.people.get(person, 0) + 1

    def has(self, entry: _Entry) -> bool:
        return self.entries.get(entry.member.session) is entry

    def drop(self, session: str) -> _Entry | None:
        entry = self.entries.pop(session, None)
        if entry is not None:
            person = person_of(entry.member)
            self.people[person] -= 1
            if not self.people[person]:
                del self.people[person]
        return entry


class SharedPresence:
    """A PresenceStore on a Ledger, for one node. `renew` is to be called when the ledger may have lost something."""

    def __init__(
        self, ledger: Ledger, node: str, clock: Clock, metrics: Metrics, *, lease: float = LEASE
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._lease = lease
        self._owner = Owner(node, 1)
        self._held = False  # the owner's lease, once it was
        self._held_until = 0.0  # by this clock, as far as is known
        self._holding = asyncio.Lock()
        self._old: list[Owner] = []  # earlier generations, which live until all is written again
        self._verdicts: dict[Owner, Verdict] = {}
        self._dead: dict[Owner, None] = {}  # to be buried
        self._rolls: dict[str, _Roll] = {}
        self._left: dict[tuple[str, str], _Left] = {}
        self._finite: dict[tuple[str, str], float] = {}
        self._listed: set[str] = set()
        self._idle: set[str] = set()  # listed channels without entries
        self._behind: dict[str, None] = {}  # channels with entries to be written
        self._disputed: dict[str, None] = {}  # channels with entries that are another node's there
        self._asked: dict[int, int] = {}  # generation -> entries on their way
        self._judge_from = 0.0
        self._rota: list[str] = []
        self._rota_due = clock.monotonic() + REFRESH
        self._news: list[Join | Leave] = []
        self._working = False
        self._down = False
        metrics.gauges["presence_behind"] = lambda: len(self._behind) + len(self._left)

    @property
    def converged(self) -> bool:
        """Whether all that is here is there, as far as is known."""
        return not (self._behind or self._left or self._old or self._down or self._dead)

    # --- the port -----------------------------------------------------------------------------------------

    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        key = channel, member.session
        deadline = self._clock.monotonic() + ttl
        if deadline < math.inf:
            self._finite[key] = deadline
        else:
            self._finite.pop(key, None)
        roll = self._rolls.get(channel)
        if roll is None:
            roll = self._rolls[channel] = _Roll()
        known = roll.entries.get(member.session)
        if known is not None and known.member == member:
            known.deadline = deadline
            if deadline < math.inf or known.asking or not known.written:
                return False  # if it is not there yet, a sweep sees to it
            # Said again of one without an end: the session has come back from another node, whose it is there.
        left = self._left.pop(key, None)
        before = known or left
        roll.drop(member.session)
        entry = _Entry(member, deadline)
        if before is not None and person_of(before.member) == person_of(member):
            entry.generation = before.generation  # others know of it
        roll.add(entry)
        self._idle.discard(channel)
        return await self._come(channel, entry, again=before is not None)

    async def remove(self, channel: str, session: str) -> Member | None:
        key = channel, session
        self._finite.pop(key, None)
        roll = self._rolls.get(channel)
        entry = roll.drop(session) if roll is not None else None
        if roll is None or entry is None:
            return None
        if not roll.entries:
            del self._rolls[channel]
            self._idle.add(channel)
        left = self._left[key] = _Left(entry.member, entry.generation)
        if self._clock.monotonic() < self._judge_from:
            return None  # something may be missing there; whether others have that person is to be seen
        left.asking = left.asked = True
        try:
            sessions = await self._ledger.leave(channel, self._owner, entry.member)
        except Exception as error:
            self._missed(error)
            return None
        finally:
            left.asking = False
        if self._left.get(key) is not left:
            return None  # it has come back, or a sweep has seen to it
        if sessions < 0:
            left.asked = False
            return None  # it was emptied, or the lease had run out: that is to be seen, too
        del self._left[key]
        return entry.member if sessions else None

    async def members(self, channel: str, limit: int) -> Presence:
        try:
            return await self._ledger.members(channel, limit)
        except Exception as error:
            self._missed(error)
        roll = self._rolls.get(channel) or _Roll()
        sessions = len(roll.entries)
        members = tuple([entry.member for entry in roll.entries.values()]) if sessions <= limit else None
        return Presence(sessions, len(roll.people), members)

    async def sweep(self) -> list[Join | Leave]:
        now = self._clock.monotonic()
        for channel, session in [key for key, deadline in self._finite.items() if deadline <= now]:
            if (member := await self.remove(channel, session)) is not None:
                self._news.append(Leave(channel, member))
        try:
            await self._beat()
            if not self._working:
                self._working = True
                try:
                    await self._work()
                finally:
                    self._working = False
        except Exception as error:
            self._missed(error)
        news, self._news = self._news, []
        return news

    # --- entries and leases -------------------------------------------------------------------------------

    def renew(self) -> None:
        """The ledger is there again, or another one: what was in it may be gone, or back."""
        self._verdicts.clear()
        self._dead.clear()
        if self._rolls or self._left or self._held:
            self._begin(dead=False)

    def _begin(self, *, dead: bool) -> None:
        """A new generation. If the others held this node dead, they have told Leaves, and are to be told Joins."""
        if dead:
            self._lapse(self._owner)
        else:
            self._old.append(self._owner)
            self._judge_from = self._clock.monotonic() + GRACE
        self._owner = Owner(self._owner.node, self._owner.generation + 1)
        self._held = False
        self._listed.clear()
        self._idle.clear()
        self._behind = dict.fromkeys(self._rolls)

    def _lapse(self, owner: Owner) -> None:
        """The others have held it dead."""
        known: list[_Entry | _Left] = [left for left in self._left.values() if not left.asked]
        for roll in self._rolls.values():
            known += roll.entries.values()
        for each in known:
            if 0 < each.generation <= owner.generation:
                each.generation = GONE

    async def _beat(self) -> None:
        owner, verdicts, sent = self._owner, self._verdicts.copy(), self._clock.monotonic()
        pulse = await self._ledger.beat(
            owner,
            self._lease,
            max(self._lease, LEASE),
            new=not self._held,
            verdicts=[*((old, "L") for old in self._old), *verdicts.items()],
        )
        for told in verdicts:
            self._verdicts.pop(told, None)
        self._dead.update(dict.fromkeys(pulse.dead))
        for old in pulse.lapsed:
            if old in self._old:
                self._old.remove(old)
                self._lapse(old)
        if owner != self._owner:
            return
        if pulse.standing == 1:
            self._held, self._held_until = True, sent + self._lease
            return
        why = "it was lost" if pulse.standing == 0 else "the lease had run out"
        log.warning("presence is written again", reason=why)
        self._begin(dead=pulse.standing < 0)
        await self._beat()

    async def _list(self, channels: Sequence[str]) -> None:
        """So that whatever is entered there is found if this node dies."""
        await self._hold()
        owner = self._owner
        await self._ledger.put_down(owner, channels)
        if owner == self._owner:
            self._listed.update(channels)

    async def _hold(self) -> None:
        """So that whatever is written is found if this node dies: a lease that others hold run out would not do."""
        async with self._holding:
            if not self._holds:
                await self._beat()

    @property
    def _holds(self) -> bool:
        return self._held and self._clock.monotonic() < self._held_until

    async def _come(self, channel: str, entry: _Entry, *, again: bool) -> bool:
        """Write an entry that has just come. Whether that is a Join."""
        member, was = entry.member, entry.generation
        entry.asking = True
        try:
            while not (channel in self._listed and self._holds):
                await self._list([channel])
            (sessions,) = await self._write(channel, self._owner, [entry])
        except Exception as error:
            self._missed(error)
            self._behind[channel] = None
            return was <= 0 and self._sessions(channel, member) == 1
        finally:
            entry.asking = False
        if sessions == 1 and self._sessions(channel, member) > 1:
            # The others are not there: not written yet, or it was emptied, and they are known everywhere.
            person = person_of(member)
            others = [
                each
                for each in self._entries(channel)
                if each is not entry and person_of(each.member) == person
            ]
            return not any(other.generation > 0 for other in others)
        return _joins(was, sessions) if again else sessions == 1

    async def _write(self, channel: str, owner: Owner, entries: Sequence[_Entry]) -> list[int]:
        members = [(entry.member, not entry.written) for entry in entries]
        generation = owner.generation
        self._asked[generation] = self._asked.get(generation, 0) + 1
        try:
            answers = await self._ledger.enter(channel, owner, members)
        finally:
            self._asked[generation] -= 1
            if not self._asked[generation]:
                del self._asked[generation]
        if owner != self._owner:
            self._behind[channel] = None
        roll = self._rolls.get(channel) or _Roll()
        for entry, sessions in zip(entries, answers, strict=True):
            session = entry.member.session
            if not sessions:
                # It has gone there, and ends here; or that was before it came here, and it ends there.
                self._disputed[channel] = None
            elif roll.has(entry):
                entry.generation, entry.written = max(entry.generation, generation), True
            elif session not in roll.entries:
                # It went meanwhile. Should this have overtaken that, it has to go again; a Leave was told.
                self._left.setdefault((channel, session), _Left(entry.member, GONE))
        return answers

    def _sessions(self, channel: str, member: Member) -> int:
        """How many the person of `member` has here."""
        roll = self._rolls.get(channel)
        return roll.people.get(person_of(member), 0) if roll is not None else 0

    def _missed(self, error: Exception) -> None:
        """The ledger did not answer, or said something odd: what is known here has to do."""
        self._metrics.presence_local += 1
        if not isinstance(error, HubbubError):
            log.error("the presence store failed", exc_info=error)
        elif not self._down:
            log.warning("the presence store does not answer", error=error.message)
        self._down = True

    # --- what sweeps do -----------------------------------------------------------------------------------

    async def _work(self) -> None:
        if self._down:
            self._down = False
            log.info("the presence store answers", behind=len(self._behind), left=len(self._left))
        self._behind.update(self._disputed)
        self._disputed.clear()
        await self._catch_up()
        await self._judge()
        current = self._owner.generation
        late = any(generation < current for generation in self._asked)
        if not self._behind and not late and all(left.asking for left in self._left.values()):
            self._verdicts.update(dict.fromkeys(self._old, "D"))
            self._old.clear()
        for owner in list(self._dead):
            await self._bury(owner)
        await self._unlist()
        if not self._old:
            await self._refresh()

    async def _catch_up(self) -> None:
        """Enter what is not known to be there."""
        while self._behind:
            channels = list(self._behind)[:TOGETHER]
            if unlisted := [channel for channel in channels if channel not in self._listed]:
                await self._list(unlisted)
            await _all([self._catch_up_in(channel) for channel in channels])

    async def _catch_up_in(self, channel: str) -> None:
        owner = self._owner
        if channel not in self._listed:
            return  # a newer generation has begun
        self._behind.pop(channel, None)
        late = [
            entry
            for entry in self._entries(channel)
            if not entry.asking and (entry.generation < owner.generation or not entry.written)
        ]
        try:
            await self._write_again(channel, owner, late)
        except BaseException:
            self._behind[channel] = None
            raise

    async def _write_again(self, channel: str, owner: Owner, entries: Sequence[_Entry]) -> None:
        for start in range(0, len(entries), CHUNK):
            roll = self._rolls.get(channel) or _Roll()
            chunk = [each for each in entries[start : start + CHUNK] if roll.has(each) and not each.asking]
            if not chunk:
                continue
            were = [entry.generation for entry in chunk]
            answers = await self._write(channel, owner, chunk)
            roll = self._rolls.get(channel) or _Roll()
            joined = {
                person_of(entry.member): entry.member
                for entry, was, sessions in zip(chunk, were, answers, strict=True)
                if roll.has(entry) and _joins(was, sessions)
            }
            self._news += [Join(channel, member) for member in joined.values()]

    async def _judge(self) -> None:
        """Find out whether those are gone of whom it was not known."""
        if self._clock.monotonic() < self._judge_from:
            return
        pending = [(key, left) for key, left in self._left.items() if not left.asking]
        for start in range(0, len(pending), TOGETHER):
            await _all([self._judge_one(*key, left) for key, left in pending[start : start + TOGETHER]])

    async def _judge_one(self, channel: str, session: str, left: _Left) -> None:
        left.asked = True
        sessions = await self._ledger.leave(channel, self._owner, left.member)
        if self._left.get((channel, session)) is not left:
            return
        del self._left[channel, session]
        if sessions > 0 or (sessions < 0 and left.generation != GONE):
            self._news.append(Leave(channel, left.member))

    async def _bury(self, owner: Owner) -> None:
        """Take out what a dead owner has left."""
        cursor, channels, told = "0", 0, len(self._news)
        while True:
            cursor, found = await self._ledger.listed(owner, cursor)
            for start in range(0, len(found), TOGETHER):
                await _all([self._purge(channel, owner) for channel in found[start : start + TOGETHER]])
            channels += len(found)
            if cursor == "0":
                break
        await self._ledger.forget(owner)
        if owner in self._dead:  # else something may have come back meanwhile
            del self._dead[owner]
            self._verdicts[owner] = "S"
        if owner.node != self._owner.node:
            log.info("a node has died", node=owner.node, channels=channels, leaves=len(self._news) - told)

    async def _purge(self, channel: str, owner: Owner) -> None:
        for member in await self._ledger.purge(channel, owner):
            self._news.append(Leave(channel, member))

    async def _unlist(self) -> None:
        idle = self._idle & self._listed - {channel for channel, _ in self._left}
        if idle:
            self._idle -= idle
            self._listed -= idle
            await self._ledger.cross_out(self._owner, list(idle))

    async def _refresh(self) -> None:
        """Write a few channels again, so that all have their turn within `REFRESH` seconds."""
        now = self._clock.monotonic()
        if not self._rota and now >= self._rota_due:
            self._rota, self._rota_due = list(self._rolls), now + REFRESH
        turns = math.ceil(len(self._rota) / max(1.0, self._rota_due - now - REFRESH / 2))
        owner = self._owner
        for channel in [self._rota.pop() for _ in range(turns)]:
            if channel in self._listed and owner == self._owner:
                await self._ledger.put_down(owner, [channel])
                await self._write_again(channel, owner, self._entries(channel))
                await self._purge(channel, Owner(owner.node, owner.generation - 1))

    def _entries(self, channel: str) -> list[_Entry]:
        roll = self._rolls.get(channel)
        return list(roll.entries.values()) if roll is not None else []


def _joins(was: int, sessions: int) -> bool:
    """Whether an entry that is written again is to be told to the others: only this node was told of it, or they were
    told that it is gone."""
    return was == 0 or (was == GONE and sessions == 1)


def person_of(member: Member) -> Person:
    """Whom a session counts for: those without a user are each somebody."""
    return member.user or (member.session,)


async def _all(calls: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do them at the same time, and all of them; then raise the first one's error."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
