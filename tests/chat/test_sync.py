from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.events import Receipt, apply, decode_event, decode_inbox_event
from hubbub.chat.paging import cursor
from hubbub.chat.sync import SyncConversation, SyncPage, Token, read_token
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def sync(world: World, user: str, token: str | None = None, **params: Any) -> SyncPage:
    given = params if token is None else {"token": token, **params}
    page: SyncPage = await world.do("sync", user, **given)
    return page


def by_id(page: SyncPage) -> dict[str, SyncConversation]:
    return {each.conversation.conversation.id: each for each in page.conversations}


async def test_first_everything_then_what_has_changed(chat: World) -> None:
    quiet = await chat.group("ada", "bob")
    await say(chat, quiet, "ada", "quiet")
    busy = await chat.group("ada", "bob")
    await say(chat, busy, "ada", "hello")
    page = await sync(chat, "bob")
    assert list(by_id(page)) == [busy, quiet], "the most active first"
    assert (page.more, page.reset, page.removed) == (False, False, ())
    first = by_id(page)[busy]
    assert words(first.messages)[-1] == "hello"
    assert (first.too_far, first.more_before) == (False, False)
    assert first.conversation.membership.unread == 1
    assert page.me is not None
    assert page.me.unread == 2
    await say(chat, busy, "ada", "again")
    page = await sync(chat, "bob", page.token, positions={busy: first.seq, quiet: 1})
    assert next(iter(by_id(page))) == busy
    if chat.store.dialect == "sqlite":  # a horizon of PostgreSQL may lag: more is said again
        assert list(by_id(page)) == [busy]
    (event,) = by_id(page)[busy].events
    assert apply(await state_at(chat, busy, first.seq), decode_event(event)) == await chat.state(busy)
    assert by_id(page)[busy].messages == ()
    assert by_id(page)[busy].seq == first.seq + 1
    if chat.store.dialect == "sqlite":
        page = await sync(chat, "bob", page.token)
        assert (page.conversations, page.receipts, page.threads) == ((), (), ())
        assert page.blocks is None


async def state_at(world: World, conversation: str, seq: int) -> Any:
    state = None
    for event in await world.log(conversation):
        if event.seq <= seq:
            state = apply(state, event)
    assert state is not None
    fresh = await world.state(conversation)
    for user, member in state.members.items():
        now = fresh.members[user]
        state.members[user] = msgspec.structs.replace(member, read=now.read, delivered=now.delivered)
    return state


async def test_too_far_behind_there_are_the_newest(database: str) -> None:
    async with limited(database, chat={"sync_events": 3, "sync_messages": 2}) as chat:
        group = await chat.group("ada", "bob")
        token = (await sync(chat, "bob")).token
        seq = (await chat.state(group)).conversation.seq
        for number in range(3):
            await say(chat, group, "ada", f"m{number}")
        (one,) = (await sync(chat, "bob", token, positions={group: seq})).conversations
        assert (len(one.events), one.messages, one.too_far) == (3, (), False)
        await say(chat, group, "ada", "m3")
        (one,) = (await sync(chat, "bob", token, positions={group: seq})).conversations
        assert (one.events, words(one.messages), one.too_far, one.more_before) == (
            (),
            ["m2", "m3"],
            True,
            True,
        )
        (one,) = (await sync(chat, "bob", token, positions={group: seq + 1})).conversations
        assert (len(one.events), one.too_far) == (3, False)
        # Without a position, or one that has not happened.
        for positions in ({}, {group: 10_000}):
            (one,) = (await sync(chat, "bob", token, positions=positions)).conversations
            assert (words(one.messages), one.too_far) == (["m2", "m3"], True)
        (one,) = (await sync(chat, "bob", token, messages=1)).conversations
        assert words(one.messages) == ["m3"]
        (one,) = (await sync(chat, "bob", token, messages=0)).conversations
        assert (one.messages, one.too_far, one.more_before) == ((), True, True)
        (one,) = (await sync(chat, "bob", messages=50)).conversations
        assert (words(one.messages), one.too_far, one.more_before) == (["m2", "m3"], False, True)
        (one,) = (await sync(chat, "bob", positions={group: seq + 1})).conversations
        assert one.events == (), "positions are of no life without a token"


async def test_pages_until_all_is_told(database: str) -> None:
    async with limited(database, chat={"sync_conversations": 2}) as chat:
        groups = [await chat.group("ada", "bob") for _ in range(5)]
        for group in groups:
            await say(chat, group, "ada", "hello")
        page = await sync(chat, "bob")
        told = list(by_id(page))
        assert page.more
        assert page.me is not None
        assert len(told) == 2
        # One that was told already, one that was not, and a new one: the next sync has them.
        await say(chat, groups[4], "ada", "meanwhile")
        await say(chat, groups[0], "ada", "meanwhile")
        new = await chat.group("ada", "bob")
        while page.more:
            page = await sync(chat, "bob", page.token)
            assert page.me is None
            told += list(by_id(page))
        assert len(told) == len(set(told))
        assert set(told) | {groups[0], new} == {*groups, new}
        page = await sync(chat, "bob", page.token, conversations=50)
        assert page.more
        later = list(by_id(page))
        while page.more:  # two pages, or more if a horizon lies back
            page = await sync(chat, "bob", page.token)
            later += list(by_id(page))
        assert {groups[0], groups[4], new} <= set(later)
        (single,) = (await sync(chat, "bob", conversations=1)).conversations
        assert single.conversation.conversation.id == new, "it was made last"


async def test_invitations_and_what_one_is_in_no_more(chat: World) -> None:
    left = await chat.group("ada", "bob")
    removed = await chat.group("ada", "bob")
    token = (await sync(chat, "bob")).token
    invited = await chat.group("ada")
    await chat.do("members.add", "ada", conversation=invited, users=["bob"], invite=True)
    await say(chat, invited, "ada", "secret")
    await chat.do("members.leave", "bob", conversation=left)
    await chat.do("members.remove", "ada", conversation=removed, user="bob")
    await say(chat, removed, "ada", "secret")
    page = await sync(chat, "bob", token)
    assert set(page.removed) == {left, removed}
    assert page.conversations == ()
    (invitation,) = page.invitations
    assert invitation.conversation.id == invited
    assert invitation.membership.state == "invited"
    assert b"secret" not in msgspec.json.encode(page)
    page = await sync(chat, "bob")
    assert (page.removed, len(page.invitations)) == ((), 1)
    await chat.do("members.join", "bob", conversation=invited)
    page = await sync(chat, "bob", page.token)
    assert (list(by_id(page)), page.invitations) == ([invited], ())


async def test_read_elsewhere_and_receipts_of_others(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    message = await say(chat, group, "ada", "hello")
    page = await sync(chat, "bob")
    await chat.do("receipts.mark", "bob", marks=[{"conversation": group, "read": message.seq}])
    page = await sync(chat, "bob", page.token, positions={group: page.conversations[0].seq})
    (one,) = page.conversations
    assert (one.conversation.membership.read, one.conversation.membership.unread) == (message.seq, 0)
    assert (one.events, one.messages) == ((), ())
    await chat.do("receipts.mark", "eve", marks=[{"conversation": group, "delivered": message.seq}])
    page = await sync(chat, "bob", page.token)
    (moved,) = page.receipts
    assert moved.conversation == group
    assert [each.user for each in moved.receipts] == ["ada", "bob", "eve"]
    assert Receipt("eve", 0, message.seq) in moved.receipts


async def test_receipts_of_many_are_counts(database: str) -> None:
    async with limited(database, chat={"receipts_members": 2}) as chat:
        small = await chat.group("ada", "bob")
        large = await chat.group("ada", "bob", "eve")
        message = await say(chat, large, "ada", "hello")
        await chat.do("receipts.mark", "eve", marks=[{"conversation": large, "read": message.seq}])
        found = {each.conversation: each for each in (await sync(chat, "bob")).receipts}
        assert len(found[small].receipts) == 2
        assert found[large].receipts == ()
        assert (found[large].message, found[large].read, found[large].delivered) == (message.seq, 2, 2)


async def test_threads_blocks_and_profile(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    root = await say(chat, group, "bob", "root")
    page = await sync(chat, "bob")
    assert page.threads == ()
    await say(chat, group, "ada", "reply", thread=root.seq)
    page = await sync(chat, "bob", page.token)
    (thread,) = page.threads
    assert (thread.root.seq, thread.following, thread.unread) == (root.seq, True, 1)
    assert (await sync(chat, "bob")).threads == page.threads
    await chat.do("threads.unfollow", "bob", conversation=group, thread=root.seq)
    await chat.do("blocks.add", "bob", user="eve")
    await chat.do("me.update", "bob", name="Bobby")
    page = await sync(chat, "bob", page.token)
    (thread,) = page.threads
    assert not thread.following
    assert page.blocks is not None
    assert [block.user for block in page.blocks] == ["eve"]
    assert page.me is not None
    assert page.me.user.name == "Bobby"


async def test_the_inbox_from_where_it_is_known(database: str) -> None:
    async with limited(database, chat={"sync_events": 3}) as chat:
        group = await chat.group("ada", "bob")
        message = await say(chat, group, "ada", "hello")
        first = await sync(chat, "bob")
        assert first.inbox_events is None
        await chat.do("messages.delete", "bob", conversation=group, message=message.seq, **{"for": "me"})
        page = await sync(chat, "bob", first.token, inbox=first.inbox, positions={group: 1})
        assert page.inbox_events is not None
        (event,) = page.inbox_events
        assert decode_inbox_event(event).seq == page.inbox == first.inbox + 1
        for known in (None, page.inbox + 1):
            given = {} if known is None else {"inbox": known}
            assert (await sync(chat, "bob", first.token, **given)).inbox_events is None
        assert (await sync(chat, "bob", first.token, inbox=page.inbox)).inbox_events == ()
        for number in range(3):
            await chat.do("me.update", "bob", name=f"Bob {number}")
        assert (await sync(chat, "bob", first.token, inbox=first.inbox)).inbox_events is None
        kept = (await sync(chat, "bob", first.token, inbox=first.inbox + 1)).inbox_events
        assert kept is not None
        assert len(kept) == 3


async def test_what_was_deleted_for_oneself(chat: World) -> None:
    group = await chat.group("ada", "bob")
    page = await sync(chat, "bob")
    message = await say(chat, group, "ada", "hello")
    await say(chat, group, "ada", "there")
    await chat.do("messages.delete", "bob", conversation=group, message=message.seq, **{"for": "me"})
    (one,) = (await sync(chat, "bob")).conversations
    assert "hello" not in words(one.messages)
    (one,) = (await sync(chat, "bob", page.token, positions={group: message.seq - 1})).conversations
    assert one.hidden == (message.seq,)


async def test_nothing_from_before_one_may_read(chat: World) -> None:
    group = await chat.group("ada", "bob", history="joined")
    old = await say(chat, group, "ada", "secret")
    await chat.user("eve")
    token = (await sync(chat, "eve")).token
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    await say(chat, group, "ada", "welcome")
    await chat.do("messages.edit", "ada", conversation=group, message=old.seq, parts=text("secret two"))
    for params in ({}, {"positions": {group: 0}}, {"positions": {group: old.seq}}):
        page = await sync(chat, "eve", token, **params)
        raw = msgspec.json.encode(page)
        assert b"secret" not in raw
        assert b"welcome" in raw
    (one,) = page.conversations
    (after,) = (await sync(chat, "eve", token, positions={group: old.seq + 1})).conversations
    assert b"secret" not in msgspec.json.encode(after)
    assert one.seq == (await chat.state(group)).conversation.seq


async def test_who_may_not_read_is_told_nothing(chat: World) -> None:
    group = await chat.group("ada", "bob", permissions={"read": "moderator"})
    await say(chat, group, "ada", "secret")
    token = (await sync(chat, "bob")).token
    await say(chat, group, "ada", "secret")
    for page in (await sync(chat, "bob"), await sync(chat, "bob", token, positions={group: 0})):
        assert b"secret" not in msgspec.json.encode(page)


async def test_another_life_begins_from_the_start(chat: World) -> None:
    group = await chat.group("ada", "bob")
    page = await sync(chat, "bob")
    assert not page.reset
    seq = page.conversations[0].seq
    epoch, since = page.token.split(".")
    for token in (f"abc.{since}", f"{epoch}.{2**62}", f"{epoch}.1.{2**62}.{cursor(1.0, 'x')}"):
        again = await sync(chat, "bob", token, positions={group: seq}, inbox=0)
        assert again.reset
        assert again.me is not None
        assert again.inbox_events is None
        assert (again.conversations[0].messages, again.conversations[0].too_far) == (
            page.conversations[0].messages,
            False,
        )
        assert again.token.startswith(f"{epoch}.")
        assert not (await sync(chat, "bob", again.token)).reset


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        ".",
        "a.b",
        "a.1.2",
        "a.1.2.!",
        "a.1.2.e30",
        "a.1.2.WzFd",
        "a.-1",
        "a.1 ",
        "a.99999999999999999999",
        "a.9999999999999999999",
        "é.1",
        "a.1.2.W251bGwsbnVsbF0",
        "\x00",
        "a." + "1" * 1_000,
    ],
)
async def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(HubbubError) as refusal:
        read_token(token)
    assert refusal.value.code == ErrorCode.VALIDATION_FAILED
    assert refusal.value.field == "token"


def test_tokens_are_read_as_they_are_written() -> None:
    for token in (Token("abc", 7), Token("abc", 0, 9, (1.5, "c1"))):
        assert read_token(str(token)) == token


async def test_a_token_is_needed_from_users_only(chat: World) -> None:
    with pytest.raises(HubbubError):
        await sync(chat, "")
