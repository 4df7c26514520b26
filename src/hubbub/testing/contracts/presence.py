"""The promises of `hubbub.presence.base.PresenceStore`."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from typing import ClassVar

import pytest
from msgspec import Raw

from hubbub.model import Leave, Member, Presence
from hubbub.presence.base import PresenceStore


class PresenceContract(ABC):
    """Subclass it, implement `open` and `elapse`, and run it with pytest and anyio's plugin.

    Every test has a store of its own, but the stores may share one server: names are unique to each test.
    Against a server with real time, make `ttl` short.
    """

    pytestmark = pytest.mark.anyio

    ttl: ClassVar[float] = 30.0

    @abstractmethod
    async def open(self) -> PresenceStore:
        """A new store."""

    @abstractmethod
    async def elapse(self, seconds: float) -> None:
        """Let the store's time pass."""

    @pytest.fixture
    async def store(self) -> PresenceStore:
        return await self.open()

    @pytest.fixture
    def channel(self) -> str:
        return f"contract:{uuid.uuid4().hex}"

    async def test_an_unknown_channel_is_empty(self, store: PresenceStore, channel: str) -> None:
        assert await store.members(channel, 10) == Presence(0, 0, ())
        assert await store.remove(channel, "nobody") is None
        assert await store.sweep() == []

    async def test_a_user_joins_with_the_first_session_and_leaves_with_the_last(
        self, store: PresenceStore, channel: str
    ) -> None:
        phone, laptop, bob = Member("s1", "ann"), Member("s2", "ann"), Member("s3", "bob")
        assert await store.touch(channel, phone, self.ttl) is True
        assert await store.touch(channel, laptop, self.ttl) is False
        assert await store.touch(channel, bob, self.ttl) is True
        presence = await store.members(channel, 10)
        assert (presence.sessions, presence.users) == (3, 2)
        assert set(presence.members or ()) == {phone, laptop, bob}
        assert await store.remove(channel, "s1") is None
        assert await store.remove(channel, "s1") is None
        assert await store.remove(channel, "s2") == laptop
        assert await store.members(channel, 10) == Presence(1, 1, (bob,))
        assert await store.touch(channel, phone, self.ttl) is True

    async def test_channels_are_apart(self, store: PresenceStore, channel: str) -> None:
        ann = Member("s1", "ann")
        assert await store.touch(channel, ann, self.ttl) is True
        assert await store.touch(channel + "-2", ann, self.ttl) is True
        assert await store.remove(channel, "s1") == ann
        assert (await store.members(channel + "-2", 10)).sessions == 1

    async def test_touching_again_renews_and_replaces_the_info(
        self, store: PresenceStore, channel: str
    ) -> None:
        assert await store.touch(channel, Member("s1", "ann", Raw(b'{"v":1}')), self.ttl) is True
        newer = Member("s1", "ann", Raw(b'{"v":2}'))
        assert await store.touch(channel, newer, self.ttl) is False
        assert await store.members(channel, 10) == Presence(1, 1, (newer,))

    async def test_members_are_left_out_above_the_limit(self, store: PresenceStore, channel: str) -> None:
        for number in range(3):
            await store.touch(channel, Member(f"s{number}", "ann"), self.ttl)
        assert len((await store.members(channel, 3)).members or ()) == 3
        assert await store.members(channel, 2) == Presence(3, 1, None)
        assert await store.members(channel, 0) == Presence(3, 1, None)

    async def test_sessions_without_a_user_are_each_somebody(
        self, store: PresenceStore, channel: str
    ) -> None:
        assert await store.touch(channel, Member("s1", ""), self.ttl) is True
        assert await store.touch(channel, Member("s2", ""), self.ttl) is True
        assert await store.touch(channel, Member("s3", "s1"), self.ttl) is True
        presence = await store.members(channel, 10)
        assert (presence.sessions, presence.users) == (3, 3)
        assert await store.remove(channel, "s1") == Member("s1", "")

    async def test_leases_run_out_unless_renewed(self, store: PresenceStore, channel: str) -> None:
        ghost, alive = Member("s1", "ann"), Member("s2", "bob")
        await store.touch(channel, ghost, self.ttl)
        await store.touch(channel, alive, self.ttl)
        await self.elapse(self.ttl * 0.6)
        await store.touch(channel, alive, self.ttl)
        assert await store.sweep() == []
        await self.elapse(self.ttl * 0.6)
        assert await store.sweep() == [Leave(channel, ghost)]
        assert await store.members(channel, 10) == Presence(1, 1, (alive,))
        assert await store.sweep() == []
        assert await store.touch(channel, ghost, self.ttl) is True

    async def test_a_sweep_tells_of_a_user_only_when_all_sessions_are_gone(
        self, store: PresenceStore, channel: str
    ) -> None:
        """A second tab on another node keeps the user present when the first one's node has crashed."""
        crashed, tab = Member("s1", "ann"), Member("s2", "ann")
        await store.touch(channel, crashed, self.ttl)
        await self.elapse(self.ttl * 0.6)
        await store.touch(channel, tab, self.ttl)
        await self.elapse(self.ttl * 0.6)
        assert await store.sweep() == []
        assert await store.members(channel, 10) == Presence(1, 1, (tab,))
        await self.elapse(self.ttl * 0.6)
        assert await store.sweep() == [Leave(channel, tab)]

    async def test_what_was_removed_is_not_swept(self, store: PresenceStore, channel: str) -> None:
        await store.touch(channel, Member("s1", "ann"), self.ttl)
        await store.remove(channel, "s1")
        await self.elapse(self.ttl * 1.5)
        assert await store.sweep() == []

    async def test_a_sweep_finds_every_ghost_of_a_crash_at_once(
        self, store: PresenceStore, channel: str
    ) -> None:
        for number in range(200):
            await store.touch(f"{channel}-{number % 7}", Member(f"s{number}", f"u{number}"), self.ttl)
        await self.elapse(self.ttl * 1.5)
        gone = await store.sweep()
        assert len(gone) == len(set(gone)) == 200
        for number in range(7):
            assert await store.members(f"{channel}-{number}", 10) == Presence(0, 0, ())
