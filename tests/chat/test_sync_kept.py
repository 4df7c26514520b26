"""What a device that was away is told of what its user keeps, and of what keeps its user from writing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.model import Bookmark, Draft
from hubbub.chat.sync import SyncPage
from hubbub.errors import ErrorCode
from hubbub.moderation.base import Draft as Outgoing
from hubbub.moderation.base import Judgement

pytestmark = pytest.mark.anyio


class Device:
    """What it knows of what its user keeps."""

    def __init__(self, world: World, user: str) -> None:
        self.world = world
        self.user = user
        self.token: str | None = None
        self.bookmarks: dict[tuple[str, int], Bookmark] = {}
        self.drafts: dict[tuple[str, int | None], Draft] = {}
        self.scheduled: tuple[Any, ...] = ()
        self.reminders: tuple[Any, ...] = ()
        self.restrictions: tuple[Any, ...] = ()

    async def sync(self) -> SyncPage:
        params = {} if self.token is None else {"token": self.token}
        page: SyncPage = await self.world.do("sync", self.user, **params)
        self.token = page.token
        if page.reset or page.bookmarks is None:
            self.bookmarks.clear()
        if page.reset or page.drafts is None:
            self.drafts.clear()
        for bookmark in await self._all_bookmarks() if page.bookmarks is None else page.bookmarks:
            place = (bookmark.conversation, bookmark.message)
            self.bookmarks[place] = bookmark
            if bookmark.removed:
                del self.bookmarks[place]
        for draft in await self._all_drafts() if page.drafts is None else page.drafts:
            self.drafts[draft.conversation, draft.thread] = draft
            if draft.removed:
                del self.drafts[draft.conversation, draft.thread]
        for name in ("scheduled", "reminders", "restrictions"):
            if (told := getattr(page, name)) is not None:
                setattr(self, name, told)
        await self.check()
        return page

    async def check(self) -> None:
        """It knows what there is."""
        world, user = self.world, self.user
        assert sorted(self.bookmarks.values(), key=repr) == sorted(await self._all_bookmarks(), key=repr)
        assert sorted(self.drafts.values(), key=repr) == sorted(await self._all_drafts(), key=repr)
        assert self.scheduled == (await world.do("scheduled.list", user)).scheduled
        due = [(await world.do("reminders.list", user, past=past)).reminders for past in (False, True)]
        assert sorted(self.reminders, key=repr) == sorted((*due[0], *due[1]), key=repr)
        assert self.restrictions == (await world.do("me.restrictions", user)).restrictions

    async def _all_bookmarks(self) -> list[Bookmark]:
        found: list[Bookmark] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.world.do("bookmarks.list", self.user, **cursor)
            found += [each.bookmark for each in page.bookmarks]
            if page.next is None:
                return found
            cursor = {"cursor": page.next}

    async def _all_drafts(self) -> list[Draft]:
        found: list[Draft] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.world.do("drafts.list", self.user, **cursor)
            found += page.drafts
            if page.next is None:
                return found
            cursor = {"cursor": page.next}


async def test_first_all_then_what_has_changed(chat: World) -> None:
    id, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    seqs = [(await say(chat, id, "ada", f"m{n}")).seq for n in range(3)]
    for seq in seqs[:2]:
        await chat.do("bookmarks.add", "bob", conversation=id, message=seq, note=f"n{seq}")
    await chat.do("bookmarks.remove", "bob", conversation=id, message=seqs[0])
    await chat.do("drafts.set", "bob", conversation=id, parts=text("hel"))
    await chat.do("drafts.set", "bob", conversation=other, parts=text("he"))
    await chat.do("drafts.remove", "bob", conversation=other)
    device, late = Device(chat, "bob"), Device(chat, "bob")
    page = await device.sync()
    assert page.bookmarks is not None
    assert page.drafts is not None
    assert [each.message for each in page.bookmarks] == [seqs[1]], "nothing of what was removed before"
    assert [each.conversation for each in page.drafts] == [id]
    await chat.do("bookmarks.add", "bob", conversation=id, message=seqs[2])
    await chat.do("bookmarks.remove", "bob", conversation=id, message=seqs[1])
    await chat.do("drafts.set", "bob", conversation=other, parts=text("hello"), thread=None)
    await chat.do("drafts.remove", "bob", conversation=id)
    page = await device.sync()
    assert page.bookmarks is not None
    assert {(each.message, each.removed) for each in page.bookmarks} >= {(seqs[1], True), (seqs[2], False)}
    assert set(device.bookmarks) == {(id, seqs[2])}
    assert set(device.drafts) == {(other, None)}
    await late.sync()
    page = await device.sync()
    if chat.store.dialect == "sqlite":  # a horizon of PostgreSQL may lag: more is said again
        assert (page.bookmarks, page.drafts, page.scheduled, page.reminders) == ((), (), None, None)
        assert page.restrictions is None


async def test_what_goes_with_a_conversation(chat: World) -> None:
    id = await chat.group("ada", "bob")
    device = Device(chat, "bob")
    seq = (await say(chat, id, "ada", "hello")).seq
    await chat.do("bookmarks.add", "bob", conversation=id, message=seq, note="secret")
    await chat.do("drafts.set", "bob", conversation=id, parts=text("secret"), thread=seq)
    await device.sync()
    assert (len(device.bookmarks), len(device.drafts)) == (1, 1)
    await chat.do("members.remove", "ada", conversation=id, user="bob")
    page = await device.sync()
    assert page.removed == (id,)
    assert (len(device.bookmarks), len(device.drafts)) == (0, 0)


async def test_more_than_a_page_is_to_be_listed(database: str) -> None:
    async with limited(database, limits={"page": 3}) as chat:
        id = await chat.group("ada")
        device = Device(chat, "ada")
        seqs = [(await say(chat, id, "ada", f"m{n}")).seq for n in range(5)]
        for seq in seqs[:3]:
            await chat.do("bookmarks.add", "ada", conversation=id, message=seq)
            await chat.do("drafts.set", "ada", conversation=id, parts=text("a"), thread=seq)
        page = await device.sync()
        assert (len(page.bookmarks or ()), len(page.drafts or ())) == (3, 3)
        for seq in seqs[3:]:
            await chat.do("bookmarks.add", "ada", conversation=id, message=seq)
            await chat.do("drafts.set", "ada", conversation=id, parts=text("a"), thread=seq)
        for seq in seqs[:2]:
            await chat.do("bookmarks.remove", "ada", conversation=id, message=seq)
            await chat.do("drafts.remove", "ada", conversation=id, thread=seq)
        page = await device.sync()
        assert (page.bookmarks, page.drafts) == (None, None)
        assert {seq for _, seq in device.bookmarks} == set(seqs[2:])
        page = await Device(chat, "ada").sync()
        assert len(page.bookmarks or ()) == len(page.drafts or ()) == 3


async def test_it_is_on_the_first_page_alone(database: str) -> None:
    async with limited(database, chat={"sync_conversations": 1}) as chat:
        for _ in range(2):
            id = await chat.group("ada")
            await chat.do("drafts.set", "ada", conversation=id, parts=text("a"))
        first = await chat.do("sync", "ada")
        assert first.more
        assert len(first.drafts) == 2
        second = await chat.do("sync", "ada", token=first.token)
        assert (second.drafts, second.bookmarks, second.scheduled, second.holds) == ((), (), None, ())


async def test_what_is_scheduled_and_what_one_is_reminded_of(chat: World) -> None:
    id = await chat.group("ada")
    device = Device(chat, "ada")
    await device.sync()
    at = chat.clock.now() + 3600
    sent = await chat.do("scheduled.create", "ada", conversation=id, parts=text("later"), at=at)
    await chat.do("reminders.create", "ada", note="look again", at=at)
    page = await device.sync()
    assert page.scheduled is not None
    assert page.reminders is not None
    assert ([each.id for each in page.scheduled], len(page.reminders)) == ([sent.id], 1)
    await chat.do("scheduled.cancel", "ada", scheduled=sent.id)
    page = await device.sync()
    assert page.scheduled == ()


async def test_what_keeps_one_from_writing(chat: World) -> None:
    id = await chat.group("ada", "bob")
    device = Device(chat, "bob")
    await device.sync()
    await chat.do("restrictions.set", "ada", conversation=id, user="bob", kind="mute", reason="spam")
    await chat.do("restrictions.set", "", conversation=id, user="bob", kind="shadow")
    (told,) = (await device.sync()).restrictions or ()
    assert (told.kind, told.conversation, told.reason) == ("mute", id, "spam")
    await chat.do("restrictions.lift", "ada", conversation=id, user="bob", kind="mute")
    assert (await device.sync()).restrictions == ()


async def test_what_waits_for_a_moderator(chat: World) -> None:
    async def hold(draft: Outgoing) -> Judgement | None:
        return Judgement("hold", "let me see") if "buy" in draft.text else None

    chat.chat.moderation.hooks.judges.append(hold)
    id = await chat.group("ada", "bob")
    device = Device(chat, "bob")
    await device.sync()
    await say(chat, id, "bob", "hello")
    sent = [
        (await chat.do("messages.send", "bob", conversation=id, parts=text(f"buy {n}"))).held
        for n in range(2)
    ]
    page = await device.sync()
    assert [(each.id, each.state) for each in page.holds] == [(sent[1], "pending"), (sent[0], "pending")]
    assert words([each.message for each in page.holds]) == ["buy 1", "buy 0"]
    await chat.do("holds.withdraw", "bob", hold=sent[0])
    page = await device.sync()
    assert (sent[0], "withdrawn") in [(each.id, each.state) for each in page.holds]
    assert [each.id for each in (await Device(chat, "bob").sync()).holds] == [sent[1]]
    assert (await Device(chat, "ada").sync()).holds == ()


async def test_what_is_not_ones_own_is_not_told(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = (await say(chat, id, "ada", "hello")).seq
    await chat.do("bookmarks.add", "ada", conversation=id, message=seq, note="mine")
    await chat.do("drafts.set", "ada", conversation=id, parts=text("mine"))
    await chat.do("reminders.create", "ada", note="mine", at=chat.clock.now() + 60)
    page = await Device(chat, "bob").sync()
    assert (page.bookmarks, page.drafts, page.reminders) == ((), (), ())
    await chat.refused(ErrorCode.BAD_REQUEST, "sync", "")
