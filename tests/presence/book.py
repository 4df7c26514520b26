"""A ledger of presence in memory, whose nodes can be cut off, and which can forget, or remember what was long ago."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Member, Presence
from hubbub.presence.ledger import Owner, Pulse, Standing, Verdict
from hubbub.presence.shared import Person, person_of
from hubbub.testing import FakeClock

R = TypeVar("R")
UNAVAILABLE = HubbubError(ErrorCode.BROKER_UNAVAILABLE)


class Pages:
    """What is written: all that a failover can set back."""

    def __init__(self) -> None:
        self.leases: dict[Owner, tuple[Verdict, float]] = {}
        self.believed = float("inf")
        self.lists: dict[Owner, dict[str, None]] = {}
        self.entries: dict[str, dict[str, tuple[Owner, Member]]] = {}

    def people(self, channel: str) -> dict[Person, int]:
        people: dict[Person, int] = {}
        for _, member in self.entries.get(channel, {}).values():
            people[person_of(member)] = people.get(person_of(member), 0) + 1
        return people


class Book:
    """What all nodes share."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.pages = Pages()

    def forget(self) -> None:
        self.pages = Pages()

    def copied(self) -> Pages:
        return copy.deepcopy(self.pages)

    # --- what is atomic -----------------------------------------------------------------------------------

    def beat(
        self,
        owner: Owner,
        lease: float,
        claim: float,
        new: bool,
        verdicts: Sequence[tuple[Owner, Verdict]],
    ) -> Pulse:
        now, leases = self.clock.monotonic(), self.pages.leases
        lapsed = []
        for about, verdict in verdicts:
            kind = leases[about][0] if about in leases else None
            if verdict == "S" or (verdict == "D" and kind in (None, "L")):
                leases[about] = verdict, now
            elif verdict == "L" and kind == "L":
                leases[about] = "L", now + lease
            elif verdict == "L" and kind is not None:
                lapsed.append(about)
        standing: Standing = 1 if new else 0
        dead = []
        for each, (kind, at) in list(leases.items()):
            if each == owner:
                standing = 1 if kind == "L" else -1
                continue
            if kind == "L" and at <= min(now, self.pages.believed):
                kind, at = "D", now
            elif kind == "L" and now > self.pages.believed:
                leases[each] = "L", max(at, now + lease)
            if kind == "D" and at <= now:
                dead.append(each)
                leases[each] = "D", now + claim
        if standing == 1:
            leases[owner] = "L", now + lease
        self.pages.believed = now + lease * 0.75
        return Pulse(standing, dead, lapsed)

    def enter(self, channel: str, owner: Owner, members: Sequence[tuple[Member, bool]]) -> list[int]:
        entries, answers = self.pages.entries.setdefault(channel, {}), []
        for member, comes in members:
            old = entries.get(member.session)
            writes = old is None or (
                comes if old[0].node != owner.node else old[0].generation <= owner.generation
            )
            came = writes and (old is None or old[1].user != member.user)
            if writes:
                entries[member.session] = owner, member
            sessions = self.pages.people(channel).get(person_of(member), 0)
            disputed = old is not None and old[0].node != owner.node and not comes
            answers.append(0 if disputed else sessions if came else -sessions)
        return answers

    def leave(self, channel: str, owner: Owner, member: Member) -> int:
        entries = self.pages.entries.get(channel, {})
        old = entries.get(member.session)
        if old is None:
            return 0 if person_of(member) in self.pages.people(channel) else -1
        if old[0].node != owner.node or old[0].generation > owner.generation:
            return 0
        del entries[member.session]
        return int(person_of(old[1]) not in self.pages.people(channel))

    def purge(self, channel: str, owner: Owner) -> list[Member]:
        gone = []
        for entry, member in list(self.pages.entries.get(channel, {}).values()):
            if entry.node == owner.node and entry.generation <= owner.generation:
                del self.pages.entries[channel][member.session]
                if person_of(member) not in self.pages.people(channel):
                    gone.append(member)
        return gone

    def members(self, channel: str, limit: int) -> Presence:
        entries = self.pages.entries.get(channel, {})
        members = tuple(member for _, member in entries.values()) if len(entries) <= limit else None
        return Presence(len(entries), len(self.pages.people(channel)), members)


class View:
    """One node's way to the book: a Ledger."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.cut = False
        """Nothing gets there."""
        self.deaf = False
        """Everything gets there, but no answer comes back."""
        self.calls: list[str] = []

    async def _do(self, name: str, act: Callable[[], R]) -> R:
        self.calls.append(name)
        if self.cut:
            raise UNAVAILABLE
        result = act()
        await asyncio.sleep(0)
        if self.deaf or self.cut:
            raise UNAVAILABLE
        return result

    async def beat(
        self,
        owner: Owner,
        lease: float,
        claim: float,
        *,
        new: bool,
        verdicts: Sequence[tuple[Owner, Verdict]],
    ) -> Pulse:
        return await self._do("beat", lambda: self._book.beat(owner, lease, claim, new, verdicts))

    async def put_down(self, owner: Owner, channels: Sequence[str]) -> None:
        await self._do(
            "put_down",
            lambda: self._book.pages.lists.setdefault(owner, {}).update(dict.fromkeys(channels)),
        )

    async def cross_out(self, owner: Owner, channels: Sequence[str]) -> None:
        def act() -> None:
            for channel in channels:
                self._book.pages.lists.get(owner, {}).pop(channel, None)

        await self._do("cross_out", act)

    async def listed(self, owner: Owner, cursor: str) -> tuple[str, list[str]]:
        found = await self._do("listed", lambda: list(self._book.pages.lists.get(owner, {})))
        start = int(cursor)
        return str(start + 1) if start + 1 < len(found) else "0", found[start : start + 1]

    async def forget(self, owner: Owner) -> None:
        await self._do("forget", lambda: self._book.pages.lists.pop(owner, None))

    async def enter(self, channel: str, owner: Owner, members: Sequence[tuple[Member, bool]]) -> list[int]:
        return await self._do("enter", lambda: self._book.enter(channel, owner, members))

    async def leave(self, channel: str, owner: Owner, member: Member) -> int:
        return await self._do("leave", lambda: self._book.leave(channel, owner, member))

    async def purge(self, channel: str, owner: Owner) -> list[Member]:
        return await self._do("purge", lambda: self._book.purge(channel, owner))

    async def members(self, channel: str, limit: int) -> Presence:
        return await self._do("members", lambda: self._book.members(channel, limit))
