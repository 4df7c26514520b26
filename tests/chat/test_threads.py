from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from tests.chat.talk import say, text, words
from tests.chat.world import World

from hubbub.chat.events import ThreadUpdated
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def mine(chat: World, user: str, **params: Any) -> list[tuple[str, int]]:
    """The user's threads: what the root says, and how many replies are unread."""
    page = await chat.do("threads.list", user, **params)
    return [(*words([thread.root]), thread.unread) for thread in page.threads]


async def told(chat: World, user: str) -> list[tuple[int, bool, int]]:
    return [
        (event.thread, event.following, event.read)
        for event in await chat.inbox(user)
        if isinstance(event, ThreadUpdated)
    ]


async def test_a_reply_is_counted_in_its_thread_alone(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    one = await say(chat, id, "bob", "one", thread=root.seq)
    two = await say(chat, id, "ada", "two", thread=root.seq)
    assert [(each.thread, each.thread_number, each.number) for each in (one, two)] == [
        (root.seq, 1, None),
        (root.seq, 2, None),
    ]
    got = await chat.do("messages.get", "bob", conversation=id, message=root.seq)
    assert (got.replies, got.last_reply) == (2, two.created)
    state = await chat.state(id)
    assert (state.conversation.messages, state.conversation.last_message) == (1, root.seq)
    assert state.members["bob"].read == 0
    assert words((await chat.do("messages.list", "bob", conversation=id)).messages)[-1] == "root"
    replies = await chat.do("messages.list", "bob", conversation=id, thread=root.seq)
    assert words(replies.messages) == ["one", "two"]


async def test_who_begins_replies_or_is_mentioned_follows(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy", "di")
    root = await say(chat, id, "ada", "root")
    one = await say(chat, id, "bob", "one", thread=root.seq)
    two = await say(chat, id, "bob", "two", thread=root.seq, mentions={"users": ["cy"]})
    assert await mine(chat, "ada") == [("root", 2)]
    assert await mine(chat, "bob") == [("root", 0)]
    assert await mine(chat, "cy") == [("root", 1)]
    assert await mine(chat, "di") == []
    assert await told(chat, "ada") == [(root.seq, True, one.seq - 1)]
    assert await told(chat, "bob") == [(root.seq, True, one.seq)]
    assert await told(chat, "cy") == [(root.seq, True, two.seq - 1)]
    await say(chat, id, "ada", "three", thread=root.seq)
    assert await mine(chat, "ada") == [("root", 0)]
    assert await mine(chat, "bob") == [("root", 1)]
    assert len(await told(chat, "ada")) == 1


async def test_who_has_left_a_thread_is_not_put_back(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    await say(chat, id, "bob", "one", thread=root.seq)
    thread: dict[str, Any] = {"conversation": id, "thread": root.seq}
    state = await chat.do("threads.unfollow", "ada", **thread)
    assert (state.following, state.unread) == (False, 1)
    await say(chat, id, "bob", "two", thread=root.seq, mentions={"users": ["ada"]})
    await say(chat, id, "ada", "three", thread=root.seq)
    assert await mine(chat, "ada") == []
    state = await chat.do("threads.follow", "ada", **thread)
    assert (state.following, state.unread) == (True, 0)
    await chat.do("threads.follow", "ada", **thread)
    assert [following for _, following, _ in await told(chat, "ada")] == [True, False, True]


async def test_one_can_follow_and_leave_what_one_has_not_been_in(chat: World) -> None:
    id = await chat.group("ada", "bob", "cy")
    root = await say(chat, id, "ada", "root")
    thread: dict[str, Any] = {"conversation": id, "thread": root.seq}
    await chat.do("threads.unfollow", "cy", **thread)
    reply = await say(chat, id, "ada", "one", thread=root.seq, mentions={"users": ["cy"]})
    assert await mine(chat, "cy") == []
    state = await chat.do("threads.follow", "bob", **thread)
    assert (state.following, state.unread, state.read) == (True, 0, reply.seq)
    await say(chat, id, "ada", "two", thread=root.seq)
    assert await mine(chat, "bob") == [("root", 1)]


async def test_reading_moves_on_and_never_back(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    replies = [await say(chat, id, "bob", str(n), thread=root.seq) for n in range(4)]
    thread: dict[str, Any] = {"conversation": id, "thread": root.seq}
    before = len(await told(chat, "ada"))
    for seq, unread in ((replies[1].seq, 2), (replies[0].seq, 2), (replies[1].seq, 2), (2**53, 0)):
        state = await chat.do("threads.read", "ada", **thread, seq=seq)
        assert state.unread == unread
    assert state.read == replies[3].seq
    assert [read for _, _, read in (await told(chat, "ada"))[before:]] == [replies[1].seq, replies[3].seq]
    # Who never followed it has no cursor there.
    await chat.user("cy")
    await chat.do("members.add", "ada", conversation=id, users=["cy"])
    state = await chat.do("threads.read", "cy", **thread, seq=replies[3].seq)
    assert (state.following, state.read, state.unread) == (False, 0, 0)


async def test_tombstones_are_not_unread(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    replies = [await say(chat, id, "bob", str(n), thread=root.seq) for n in range(3)]
    await chat.do("messages.delete", "bob", conversation=id, message=replies[1].seq)
    assert await mine(chat, "ada") == [("root", 2)]
    got = await chat.do("messages.get", "ada", conversation=id, message=root.seq)
    assert got.replies == 3
    await chat.do("threads.read", "ada", conversation=id, thread=root.seq, seq=replies[1].seq)
    assert await mine(chat, "ada") == [("root", 1)]


async def test_a_thread_begins_at_a_message_of_the_main_timeline(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    reply = await say(chat, id, "bob", "reply", thread=root.seq)
    gone = await say(chat, id, "ada", "gone")
    await chat.user("cy")
    await chat.do("members.add", "ada", conversation=id, users=["cy"])
    system = max(seq for seq, each in (await chat.state(id)).messages.items() if each.kind == "system")
    await chat.do("messages.delete", "ada", conversation=id, message=gone.seq)
    for seq, code in (
        (reply.seq, ErrorCode.VALIDATION_FAILED),
        (system, ErrorCode.VALIDATION_FAILED),
        (gone.seq, ErrorCode.MESSAGE_DELETED),
        (10**6, ErrorCode.NOT_FOUND),
    ):
        await chat.refused(
            code, "messages.send", "bob", at="thread", conversation=id, parts=text("x"), thread=seq
        )
        if code != ErrorCode.MESSAGE_DELETED:
            for operation in ("threads.follow", "threads.unfollow"):
                await chat.refused(code, operation, "bob", at="thread", conversation=id, thread=seq)
            await chat.refused(code, "threads.read", "bob", at="thread", conversation=id, thread=seq, seq=1)


async def test_a_deleted_root_keeps_its_thread(chat: World) -> None:
    id = await chat.group("ada", "bob")
    root = await say(chat, id, "ada", "root")
    await say(chat, id, "bob", "reply", thread=root.seq)
    await chat.do("messages.delete", "ada", conversation=id, message=root.seq)
    page = await chat.do("messages.list", "bob", conversation=id, thread=root.seq)
    assert words(page.messages) == ["reply"]
    assert await mine(chat, "ada") == [("", 1)]


async def test_threads_are_listed_with_the_unread_first(chat: World) -> None:
    id = await chat.group("ada", "bob")
    other = await chat.group("ada", "bob")
    roots = {}
    for name, room in (("a", id), ("b", other), ("c", id), ("d", other), ("e", id)):
        roots[name] = await say(chat, room, "ada", name)
        await say(chat, room, "bob", "reply", thread=roots[name].seq)
    for name in ("a", "e"):
        root = roots[name]
        await chat.do("threads.read", "ada", conversation=root.conversation, thread=root.seq, seq=2**53)
    everything = ["d", "c", "b", "e", "a"]
    assert [name for name, _ in await mine(chat, "ada")] == everything
    assert [name for name, _ in await mine(chat, "ada", unread=True)] == ["d", "c", "b"]
    found: list[str] = []
    cursor = None
    while True:
        page = await chat.do("threads.list", "ada", limit=2, **({"cursor": cursor} if cursor else {}))
        found += words([thread.root for thread in page.threads])
        if (cursor := page.next) is None:
            break
    assert found == everything
    await chat.do("members.leave", "bob", conversation=id)
    assert [name for name, _ in await mine(chat, "bob")] == ["d", "b"]


async def test_threads_are_of_members(chat: World) -> None:
    id = await chat.topic("ada")
    root = await say(chat, id, "ada", "root")
    await chat.user("eve")
    page = await chat.do("messages.list", "eve", conversation=id, thread=root.seq)
    assert page.messages == ()
    for operation, extra in (("follow", {}), ("unfollow", {}), ("read", {"seq": 1})):
        asked: dict[str, Any] = {"conversation": id, "thread": root.seq, **extra}
        await chat.refused(ErrorCode.PERMISSION_DENIED, f"threads.{operation}", "eve", **asked)
        await chat.refused(ErrorCode.BAD_REQUEST, f"threads.{operation}", "", **asked)
    await chat.refused(ErrorCode.BAD_REQUEST, "threads.list", "")
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "threads.list", "ada", at="limit", limit=201)
    for values in ([1, 1.0, "c", 10**30], [10**30, 1.0, "c", 1], [1, 1.0, "c\0", 1], [1, 1.0, "c"], "x"):
        raw = base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()
        await chat.refused(ErrorCode.VALIDATION_FAILED, "threads.list", "ada", at="cursor", cursor=raw)


async def test_many_reply_at_once(chat: World) -> None:
    users = [f"u{place}" for place in range(20)]
    id = await chat.group("ada", *users)
    root = await say(chat, id, "ada", "root")
    sent = await asyncio.gather(
        *(
            say(chat, id, user, f"{user} {n}", **({"thread": root.seq} if n % 2 else {}))
            for n in range(4)
            for user in users
        )
    )
    replies = sorted((each for each in sent if each.thread), key=lambda each: each.seq)
    assert [each.thread_number for each in replies] == list(range(1, 41))
    assert await mine(chat, "ada") == [("root", 40)]
    last = {each.sender: each.thread_number or 0 for each in replies}
    assert await mine(chat, "u3") == [("root", 40 - last["u3"])]
