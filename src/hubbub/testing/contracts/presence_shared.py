"""What stores of presence promise that nodes share, beyond those of one node."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import ClassVar

import pytest

from hubbub.model import Join, Leave, Member, Presence
from hubbub.presence.base import PresenceStore
from hubbub.testing.contracts.presence import PresenceContract


class SharedPresenceContract(PresenceContract):
    """As PresenceContract; each `open` is another node's store, with `lease` as its lease, and all share one presence.

    A node dies by being swept no more.
    """

    lease: ClassVar[float] = 4.0

    async def live(self, leases: float, *stores: PresenceStore) -> list[Join | Leave]:
        """Let some leases' time pass for those nodes. What they were told to announce."""
        told = []
        for _ in range(math.ceil(leases * 4)):
            await self.elapse(self.lease / 4)
            for store in stores:
                told += await store.sweep()
        return told

    @pytest.fixture
    async def other(self, store: PresenceStore) -> PresenceStore:
        return await self.open()

    async def test_nodes_see_each_others_sessions(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        phone, laptop, bob = Member("s1", "ann"), Member("s2", "ann"), Member("s3", "bob")
        assert await store.touch(channel, phone, math.inf) is True
        assert await other.touch(channel, laptop, math.inf) is False
        assert await other.touch(channel, bob, math.inf) is True
        for view in (store, other):
            presence = await view.members(channel, 10)
            assert (presence.sessions, presence.users) == (3, 2)
            assert set(presence.members or ()) == {phone, laptop, bob}
        assert await store.remove(channel, "s1") is None
        assert await other.remove(channel, "s2") == laptop
        assert await store.members(channel, 10) == Presence(1, 1, (bob,))

    async def test_of_many_at_once_one_joins_and_one_leaves(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        nodes = [store, other] * 10
        joins = await asyncio.gather(
            *(node.touch(channel, Member(f"s{n}", "ann"), math.inf) for n, node in enumerate(nodes))
        )
        assert sum(joins) == 1
        assert await store.members(channel, 0) == Presence(20, 1)
        leaves = await asyncio.gather(*(node.remove(channel, f"s{n}") for n, node in enumerate(nodes)))
        assert sum(leave is not None for leave in leaves) == 1
        assert await other.members(channel, 10) == Presence(0, 0, ())

    async def test_a_session_moves_to_another_node_unseen(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        ann = Member("s1", "ann")
        assert await store.touch(channel, ann, math.inf) is True
        assert await other.touch(channel, ann, math.inf) is False
        assert await store.remove(channel, "s1") is None
        assert await store.members(channel, 10) == Presence(1, 1, (ann,))
        assert await self.live(0.5, store, other) == []
        assert await other.remove(channel, "s1") == ann

    async def test_a_session_that_comes_back_before_its_first_node_let_go_stays(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        ann = Member("s1", "ann")
        assert await store.touch(channel, ann, math.inf) is True
        assert await other.touch(channel, ann, math.inf) is False
        assert await store.touch(channel, ann, math.inf) is False
        assert await other.remove(channel, "s1") is None
        assert await self.live(0.5, store, other) == []
        for node in (store, other):
            assert await node.members(channel, 10) == Presence(1, 1, (ann,))
        assert await store.remove(channel, "s1") == ann

    async def test_whoever_stays_is_renewed_by_nobody(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        ann = Member("s1", "ann")
        await store.touch(channel, ann, math.inf)
        assert await self.live(3, store, other) == []
        assert await other.members(channel, 10) == Presence(1, 1, (ann,))

    async def test_a_dead_nodes_sessions_leave_once(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        third = await self.open()
        gone, alive = Member("s1", "ann"), Member("s2", "bob")
        await store.touch(channel, gone, math.inf)
        await store.touch(channel, Member("s3", "bob"), math.inf)
        await other.touch(channel, alive, math.inf)
        for number in range(300):
            await store.touch(f"{channel}-{number % 7}", Member(f"t{number}", f"u{number}"), math.inf)
        await self.live(0.5, store, other, third)
        told = await self.live(2, other, third)
        assert len(told) == len(set(told)) == 301
        assert all(isinstance(push, Leave) for push in told)
        assert Leave(channel, gone) in told
        assert await third.members(channel, 10) == Presence(1, 1, (alive,))
        for number in range(7):
            assert await other.members(f"{channel}-{number}", 10) == Presence(0, 0, ())

    async def test_a_node_that_was_held_dead_comes_back(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        ann, bob = Member("s1", "ann"), Member("s2", "bob")
        elsewhere = channel + uuid.uuid4().hex[:4]
        await store.touch(channel, ann, math.inf)
        await store.touch(channel, bob, math.inf)
        await store.touch(elsewhere, ann, math.inf)
        await other.touch(channel, Member("s3", "bob"), math.inf)
        told = await self.live(2, other)
        assert set(told) == {Leave(channel, ann), Leave(elsewhere, ann)}
        told = await self.live(2, store, other)
        assert sorted(told, key=repr) == sorted([Join(channel, ann), Join(elsewhere, ann)], key=repr)
        for view in (store, other):
            assert await view.members(channel, 0) == Presence(3, 2)
        assert await store.remove(channel, "s1") == ann

    async def test_a_session_that_was_resumed_elsewhere_stays_there(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        ann = Member("s1", "ann")
        await store.touch(channel, ann, math.inf)
        assert await self.live(2, other) == [Leave(channel, ann)]
        assert await other.touch(channel, ann, math.inf) is True
        assert await self.live(1, store, other) == []
        assert await store.remove(channel, "s1") is None
        assert await self.live(1, store, other) == []
        assert await store.members(channel, 10) == Presence(1, 1, (ann,))

    async def test_what_went_while_a_node_was_held_dead_stays_away(
        self, store: PresenceStore, other: PresenceStore, channel: str
    ) -> None:
        await store.touch(channel, Member("s1", "ann"), math.inf)
        assert len(await self.live(2, other)) == 1
        assert await store.remove(channel, "s1") is None
        assert await self.live(2, store, other) == []
        assert await other.members(channel, 10) == Presence(0, 0, ())
