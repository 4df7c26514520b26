"""The presence store of a single process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hubbub.clock import Clock
from hubbub.model import Join, Leave, Member, Presence

Person = str | tuple[str]


@dataclass(slots=True)
class _Lease:
    member: Member
    deadline: float


@dataclass(slots=True)
class _Roll:
    """Who is in one channel: leases by session, and how many of them each person holds."""

    leases: dict[str, _Lease] = field(default_factory=dict)
    people: dict[Person, int] = field(default_factory=dict)


class MemoryPresence:
    """Dictionaries, with leases in buckets of a second, so that a sweep looks at those that are due alone.

    A lease that has run out counts until `sweep` takes it away, so that what `members` shows always agrees
    with the Joins and Leaves that were told. Sessions without a user each count as a user of their own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rolls: dict[str, _Roll] = {}
        self._due: dict[int, dict[tuple[str, str], None]] = {}  # second -> (channel, session), oldest first

    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        roll = self._rolls.get(channel)
        if roll is None:
            roll = self._rolls[channel] = _Roll()
        deadline = self._clock.monotonic() + ttl
        lease = roll.leases.get(member.session)
        first = False
        if lease is None:
            roll.leases[member.session] = _Lease(member, deadline)
            first = _enter(roll, member)
        else:
            self._forget_deadline(channel, lease)
            if lease.member.user != member.user:
                _leave(roll, lease.member)
                first = _enter(roll, member)
            lease.member, lease.deadline = member, deadline
        if deadline < math.inf:
            self._due.setdefault(int(deadline), {})[channel, member.session] = None
        return first

    async def remove(self, channel: str, session: str) -> Member | None:
        roll = self._rolls.get(channel)
        lease = roll.leases.get(session) if roll is not None else None
        if roll is None or lease is None:
            return None
        self._forget_deadline(channel, lease)
        return self._take_out(channel, roll, lease.member)

    async def members(self, channel: str, limit: int) -> Presence:
        roll = self._rolls.get(channel)
        if roll is None:
            return Presence(0, 0, ())
        sessions = len(roll.leases)
        members = tuple([lease.member for lease in roll.leases.values()]) if sessions <= limit else None
        return Presence(sessions, len(roll.people), members)

    async def sweep(self) -> list[Join | Leave]:
        now = self._clock.monotonic()
        gone: list[Join | Leave] = []
        for second in sorted(second for second in self._due if second <= now):
            bucket = self._due[second]
            for channel, session in list(bucket):
                roll = self._rolls[channel]
                lease = roll.leases[session]
                if lease.deadline > now:
                    continue
                del bucket[channel, session]
                if (member := self._take_out(channel, roll, lease.member)) is not None:
                    gone.append(Leave(channel, member))
            if not bucket:
                del self._due[second]
        return gone

    def _forget_deadline(self, channel: str, lease: _Lease) -> None:
        if lease.deadline == math.inf:
            return  # a lease for as long as the process lives
        second = int(lease.deadline)
        bucket = self._due[second]
        del bucket[channel, lease.member.session]
        if not bucket:
            del self._due[second]

    def _take_out(self, channel: str, roll: _Roll, member: Member) -> Member | None:
        del roll.leases[member.session]
        if not roll.leases:
            del self._rolls[channel]
        return member if _leave(roll, member) else None


def _person(member: Member) -> Person:
    return member.user or (member.session,)


def _enter(roll: _Roll, member: Member) -> bool:
    """True for the person's first session."""
    person = _person(member)
    count = roll.people[person] = roll.people.get(person, 0) + 1
    return count == 1


def _leave(roll: _Roll, member: Member) -> bool:
    """True for the person's last session."""
    person = _person(member)
    roll.people[person] -= 1
    if roll.people[person]:
        return False
    del roll.people[person]
    return True
