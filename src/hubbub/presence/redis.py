"""Presence that nodes share through Redis: a ledger of one hash of entries and one of persons for each channel.

Nothing of a channel's is in the slot of another's: what a node has entries in is a set of its own, written before the
first entry there, so that whoever finds the node dead finds all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Raw

from hubbub.clock import Clock
from hubbub.engines.redis import Redis, Script
from hubbub.engines.resp import Part
from hubbub.model import Member, Presence
from hubbub.presence.ledger import Owner, Pulse, Verdict
from hubbub.presence.shared import LEASE, SharedPresence
from hubbub.telemetry.metrics import Metrics

KEPT = 86_400_000
"""Milliseconds after which what nobody writes again is forgotten."""
STEP = 1_000
"""Entries or channels that are looked at in one step."""

BEAT = Script.load("presence", "beat")
ENTER = Script.load("presence", "enter")
LEAVE = Script.load("presence", "leave")
MEMBERS = Script.load("presence", "members")
PURGE = Script.load("presence", "purge")


class RedisPresence(SharedPresence):
    """A PresenceStore of the node `node`. `redis` is started and stopped by whoever made it. Raises ValueError for a
    name that is not of letters and digits (of ASCII) alone."""

    def __init__(
        self, redis: Redis, node: str, clock: Clock, metrics: Metrics, *, lease: float = LEASE
    ) -> None:
        if not (node.isascii() and node.isalnum()):
            raise ValueError(f"{node!r}: the name of a node has letters and digits only")
        super().__init__(RedisLedger(redis), node, clock, metrics, lease=lease)
        redis.renewed.append(self.renew)


class RedisLedger:
    """A `hubbub.presence.ledger.Ledger`. Times are by the clock of the Redis server.

    An owner whose lease ends while nobody shows life is not held dead: then it is Redis that was away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._leases = f"{redis.prefix}:presence"

    async def beat(
        self,
        owner: Owner,
        lease: float,
        claim: float,
        *,
        new: bool,
        verdicts: Sequence[tuple[Owner, Verdict]],
    ) -> Pulse:
        known = [text for about, verdict in verdicts for text in (str(about), verdict)]
        args: list[Part] = [str(owner), _ms(lease), int(new), KEPT, _ms(claim), *known]
        standing, dead, lapsed = await self._redis.run(BEAT, [self._leases], args)
        return Pulse(standing, _owners(dead), _owners(lapsed))

    async def put_down(self, owner: Owner, channels: Sequence[str]) -> None:
        key = self._channels_of(owner)
        for start in range(0, len(channels), STEP):
            await self._redis.call("SADD", key, *channels[start : start + STEP], key=key)
        await self._redis.call("PEXPIRE", key, KEPT, key=key)

    async def cross_out(self, owner: Owner, channels: Sequence[str]) -> None:
        key = self._channels_of(owner)
        for start in range(0, len(channels), STEP):
            await self._redis.call("SREM", key, *channels[start : start + STEP], key=key)

    async def listed(self, owner: Owner, cursor: str) -> tuple[str, list[str]]:
        key = self._channels_of(owner)
        after, channels = await self._redis.call("SSCAN", key, cursor, "COUNT", STEP, key=key)
        return after.decode(), [channel.decode() for channel in channels]

    async def forget(self, owner: Owner) -> None:
        key = self._channels_of(owner)
        await self._redis.call("UNLINK", key, key=key)

    async def enter(self, channel: str, owner: Owner, members: Sequence[tuple[Member, bool]]) -> list[int]:
        args: list[Part] = [owner.node, owner.generation, KEPT]
        for member, comes in members:
            args += member.session, member.user, _info(member), int(comes)
        counts: list[int] = await self._redis.run(ENTER, self._keys(channel), args)
        return counts

    async def leave(self, channel: str, owner: Owner, member: Member) -> int:
        args: list[Part] = [owner.node, owner.generation, member.session, member.user]
        sessions: int = await self._redis.run(LEAVE, self._keys(channel), args)
        return sessions

    async def purge(self, channel: str, owner: Owner) -> list[Member]:
        gone, cursor = [], b"0"
        while True:
            args: list[Part] = [owner.node, owner.generation, cursor, STEP]
            cursor, *found = await self._redis.run(PURGE, self._keys(channel), args)
            gone += [_member(*found[at : at + 3]) for at in range(0, len(found), 3)]
            if cursor == b"0":
                return gone

    async def members(self, channel: str, limit: int) -> Presence:
        sessions, users, *found = await self._redis.run(MEMBERS, self._keys(channel), [limit])
        if sessions > limit:
            return Presence(sessions, users)
        members = [_read(*found[at : at + 2]) for at in range(0, len(found), 2)]
        return Presence(sessions, users, tuple(members))

    def _keys(self, channel: str) -> list[str]:
        entries = f"{self._redis.prefix}:pres:{{{channel}}}"
        return [entries, entries + ":n"]

    def _channels_of(self, owner: Owner) -> str:
        return f"{self._redis.prefix}:pres-of:{owner}"


def _owners(texts: Sequence[bytes]) -> list[Owner]:
    return [Owner.read(text.decode()) for text in texts]


def _info(member: Member) -> bytes:
    return b"" if member.info is UNSET else bytes(member.info)


def _member(session: bytes, user: bytes, info: bytes) -> Member:
    return Member(session.decode(), user.decode(), Raw(info) if info else UNSET)


def _read(session: bytes, entry: bytes) -> Member:
    """An entry as `enter.lua` writes it."""
    _, length, rest = entry.split(b" ", 2)
    size = int(length)
    return _member(session, rest[:size], rest[size:])


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
