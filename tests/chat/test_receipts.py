from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.chat.world import World

from hubbub.chat.events import MembershipUpdated
from hubbub.errors import ErrorCode
from hubbub.storage.tables import conversations, members

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def say(chat: World, sender: str, conversation: str, **params: Any) -> int:
    sent = await chat.do("messages.send", sender, conversation=conversation, parts=HELLO, **params)
    seq: int = sent.message.seq
    return seq


async def mark(chat: World, user: str, conversation: str, **cursors: int) -> Any:
    """The membership after a mark."""
    done = await chat.do("receipts.mark", user, marks=[{"conversation": conversation, **cursors}])
    (marked,) = done.marked
    assert marked.conversation == conversation
    return marked.membership


async def cursors(chat: World, conversation: str, user: str) -> tuple[int, int]:
    member = (await chat.state(conversation)).members[user]
    return member.read, member.delivered


async def test_what_was_read_was_delivered_and_is_not_unread(chat: World) -> None:
    group = await chat.group("ada", "bob")
    sent = [await say(chat, "ada", group, mentions={"users": ["bob"]}) for _ in range(3)]
    mine = await mark(chat, "bob", group, delivered=sent[2])
    assert (mine.read, mine.delivered, mine.unread, mine.mentions) == (0, sent[2], 3, 3)
    mine = await mark(chat, "bob", group, read=sent[1])
    assert (mine.read, mine.delivered, mine.unread, mine.mentions) == (sent[1], sent[2], 1, 1)
    mine = await mark(chat, "bob", group, read=sent[2])
    assert (mine.unread, mine.mentions) == (0, 0)
    assert await cursors(chat, group, "ada") == (sent[2], sent[2])  # who sends has read


async def test_cursors_move_forward_only_and_not_beyond_the_log(chat: World) -> None:
    group = await chat.group("ada", "bob")
    sent = [await say(chat, "ada", group) for _ in range(3)]
    await mark(chat, "bob", group, read=sent[1])
    for back in (0, sent[0]):
        assert (await mark(chat, "bob", group, read=back, delivered=back)).read == sent[1]
    assert await cursors(chat, group, "bob") == (sent[1], sent[1])
    await mark(chat, "bob", group, delivered=2**53)
    assert await cursors(chat, group, "bob") == (sent[1], sent[2])
    await mark(chat, "bob", group, read=2**53)
    assert await cursors(chat, group, "bob") == (sent[2], sent[2])
    assert (await mark(chat, "bob", group)).unread == 0
    await say(chat, "ada", group)
    assert (await mark(chat, "bob", group)).unread == 1


async def test_what_has_no_number_can_be_marked(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    await chat.do("members.leave", "eve", conversation=group)
    root = await say(chat, "ada", group)
    replies = [await say(chat, "ada", group, thread=root) for _ in range(2)]
    later = await say(chat, "ada", group)
    for seq, unread in ((1, 2), (3, 2), (root, 1), (replies[0], 1), (replies[1], 1), (later, 0)):
        mine = await mark(chat, "bob", group, read=seq)
        assert (mine.read, mine.unread) == (seq, unread)
        await chat.check()


async def test_one_s_other_devices_learn_of_what_was_read_once(chat: World) -> None:
    group = await chat.group("ada", "bob")
    seq = await say(chat, "ada", group)
    await mark(chat, "bob", group, delivered=seq)
    assert len(await chat.inbox("bob")) == 1
    mine = await mark(chat, "bob", group, read=seq)
    await mark(chat, "bob", group, read=seq)
    await mark(chat, "bob", group, read=1)
    _, told = await chat.inbox("bob")
    assert isinstance(told, MembershipUpdated)
    assert told.membership == mine
    assert len(await chat.log(group)) == 2, "receipts are in no log"


async def test_many_conversations_are_marked_in_one_call(chat: World) -> None:
    groups = [await chat.group("ada", "bob") for _ in range(3)]
    sent = [await say(chat, "ada", group) for group in groups]
    stranger = await chat.group("ada")
    await chat.do("members.add", "ada", conversation=groups[2], users=["bob"])
    await chat.do("members.leave", "bob", conversation=groups[2])
    topic = await chat.topic("ada")
    done = await chat.do(
        "receipts.mark",
        "bob",
        marks=[
            {"conversation": groups[1], "delivered": sent[1]},
            {"conversation": "nowhere", "read": 1},
            {"conversation": groups[0], "read": sent[0]},
            {"conversation": groups[1], "read": sent[1]},
            {"conversation": stranger, "read": 1},
            {"conversation": groups[2], "read": 1},
            {"conversation": topic, "read": 1},
        ],
    )
    assert [(each.conversation, each.membership.unread) for each in done.marked] == [
        (groups[1], 0),
        (groups[0], 0),
    ]
    assert done.unknown == ("nowhere", stranger, groups[2], topic)
    empty = await chat.do("receipts.mark", "bob", marks=[])
    assert (empty.marked, empty.unknown) == ((), ())


@pytest.mark.parametrize(("several", "fits"), [(2, True), (3, True), (4, False)])
async def test_one_call_marks_so_many_at_most(database: str, several: int, fits: bool) -> None:
    async with World(database, limits={"marks": 3}) as chat:
        await chat.user("ada")
        marks = [{"conversation": f"c{number}"} for number in range(several)]
        if fits:
            assert len((await chat.do("receipts.mark", "ada", marks=marks)).unknown) == several
            return
        error = await chat.refused(ErrorCode.LIMIT_EXCEEDED, "receipts.mark", "ada", marks=marks, at="marks")
        assert "limits.marks = 3" in error.message
        assert chat.metrics.rejected["marks"] == 1


async def test_a_mark_that_is_none_is_refused(chat: World) -> None:
    group = await chat.group("ada")
    for wrong in (
        {"read": -1},
        {"read": 2**53 + 1},
        {"read": "1"},
        {"read": 1.5},
        {"user": "bob"},
        {"seq": 1},
    ):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "receipts.mark", "ada", marks=[{"conversation": group, **wrong}]
        )
    await chat.refused(ErrorCode.BAD_REQUEST, "receipts.mark", "", marks=[])


async def test_who_asks_for_sync_finds_what_has_moved(chat: World) -> None:
    group = await chat.group("ada", "bob")
    other = await chat.group("ada", "bob")
    seq = await say(chat, "ada", group)
    query = sa.select(conversations.c.id, conversations.c.changed)
    mine = sa.select(members.c.changed).where(members.c.conversation == group, members.c.user == "bob")

    async def stamps() -> dict[str, int]:
        return await chat.read(
            lambda view: (
                {row.id: row.changed for row in view.execute(query)}
                | {"bob": view.execute(mine).scalar_one()}
            )
        )

    before = await stamps()
    await mark(chat, "bob", group, delivered=seq)
    after = await stamps()
    assert after[group] > before[group]
    assert after["bob"] > before["bob"]
    assert after[other] == before[other]
    await mark(chat, "bob", group, delivered=seq)
    assert await stamps() == after


async def test_all_at_once(chat: World) -> None:
    names = [f"user{number:02}" for number in range(20)]
    groups = [await chat.group("ada", *names) for _ in range(2)]
    sent = [[await say(chat, "ada", group) for _ in range(3)] for group in groups]
    marks = [(name, place, step) for step in range(3) for place in range(2) for name in names]
    await asyncio.gather(
        *(mark(chat, name, groups[place], read=sent[place][step]) for name, place, step in marks)
    )
    for group, seqs in zip(groups, sent, strict=True):
        found = (await chat.state(group)).members
        assert {found[name].read for name in names} == {seqs[-1]}
    told = [event for event in await chat.inbox(names[0]) if isinstance(event, MembershipUpdated)]
    assert 2 <= len(told) <= 6
    assert told[-1].membership.unread == 0


async def test_others_are_told_by_a_signal(chat: World) -> None:
    group = await chat.group("ada", "bob")
    seq = await say(chat, "ada", group)
    moved: list[tuple[str, str, int, int]] = []
    chat.chat.receipts_moved = lambda *each: moved.append(each)  # type: ignore[method-assign]
    await mark(chat, "bob", group, delivered=seq)
    await mark(chat, "bob", group, delivered=seq)
    await mark(chat, "bob", group, read=seq)
    assert moved == [(group, "bob", 0, seq), (group, "bob", seq, seq)]


async def test_who_has_read_a_message_and_to_whom_it_was_delivered(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve", "zoe")
    seq = await say(chat, "ada", group)
    await chat.user("late")
    await chat.do("members.add", "ada", conversation=group, users=["late"])
    await say(chat, "ada", group)
    await mark(chat, "bob", group, read=seq)
    await mark(chat, "zoe", group, delivered=seq)
    await chat.do("members.leave", "eve", conversation=group)
    listed = "receipts.list"
    page = await chat.do(listed, "ada", conversation=group, message=seq)
    assert [each.user for each in page.receipts] == ["bob"]
    assert (page.read, page.delivered, page.members) == (1, 2, 2)
    page = await chat.do(listed, "bob", conversation=group, message=seq, state="delivered", limit=1)
    assert [(each.user, each.read, each.delivered) for each in page.receipts] == [("bob", seq, seq)]
    page = await chat.do(
        listed, "bob", conversation=group, message=seq, state="delivered", limit=1, cursor=page.next
    )
    assert [(each.user, each.read) for each in page.receipts] == [("zoe", 0)]
    assert page.next is None


async def test_receipts_that_one_may_not_list(chat: World) -> None:
    group = await chat.group("ada", "bob")
    seq = await say(chat, "ada", group)
    await chat.user("zoe")
    listed = "receipts.list"
    await chat.refused(ErrorCode.NOT_FOUND, listed, "zoe", conversation=group, message=seq, at="conversation")
    for nothing in (0, 1, 99, 2**53):
        await chat.refused(
            ErrorCode.NOT_FOUND, listed, "ada", conversation=group, message=nothing, at="message"
        )
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, listed, "ada", conversation=group, message=seq, limit=201)
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, listed, "ada", conversation=group, message=seq, state="seen"
    )
    topic = await chat.topic("ada", history="joined")
    early = await say(chat, "ada", topic)
    await chat.refused(ErrorCode.NOT_FOUND, listed, "zoe", conversation=topic, message=early, at="message")
    await chat.do("conversations.update", "ada", conversation=group, permissions={"read": "admin"})
    await chat.refused(ErrorCode.PERMISSION_DENIED, listed, "bob", conversation=group, message=seq)
    assert (await chat.do(listed, "", conversation=group, message=seq)).members == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "reply", "mark", "delete"]), st.integers(0, 30), st.integers(0, 30)),
    max_size=12,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_counters_are_what_counting_gives(chat: World, steps: list[tuple[str, int, int]]) -> None:
    group = await chat.group("ada", "bob")
    root = await say(chat, "ada", group)
    sent = [root]
    for what, one, other in steps:
        if what == "say":
            sent.append(await say(chat, ("ada", "bob")[one % 2], group))
        elif what == "reply":
            await say(chat, "ada", group, thread=root)
        elif what == "mark":
            await mark(chat, "bob", group, read=one, delivered=other)
        elif len(sent) > 1:
            await chat.do(
                "messages.delete", "", conversation=group, message=sent.pop(1 + one % (len(sent) - 1))
            )
    await chat.check()
