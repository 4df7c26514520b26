from __future__ import annotations

from typing import Any

import pytest
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]


async def say(chat: World, sender: str, conversation: str) -> Any:
    return (await chat.do("messages.send", sender, conversation=conversation, parts=HELLO)).message


async def test_what_was_delivered_to_no_device_waits(chat: World) -> None:
    group, direct = await chat.group("ada", "bob"), await chat.direct("ada", "bob")
    empty = await chat.do("users.queue", "bob", user="bob")
    assert (empty.depth, empty.oldest, empty.conversations) == (0, None, ())
    first, second = await say(chat, "ada", group), await say(chat, "ada", group)
    third = await say(chat, "ada", direct)
    queue = await chat.do("users.queue", "", user="bob")
    assert (queue.depth, queue.oldest) == (3, first.created)
    waiting = {each.conversation: (each.depth, each.message, each.oldest) for each in queue.conversations}
    assert waiting == {group: (2, first.seq, first.created), direct: (1, third.seq, third.created)}
    marks = [{"conversation": group, "delivered": first.seq}, {"conversation": direct, "read": third.seq}]
    await chat.do("receipts.mark", "bob", marks=marks)
    queue = await chat.do("users.queue", "bob", user="bob")
    assert (queue.depth, queue.oldest) == (1, second.created)
    assert [each.message for each in queue.conversations] == [second.seq]
    assert (await chat.do("users.queue", "ada", user="ada")).depth == 0, "what one has sent oneself"


async def test_deleted_ones_and_replies_and_what_one_has_left_do_not_wait(chat: World) -> None:
    group, left = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    gone, kept = await say(chat, "ada", group), await say(chat, "ada", group)
    await chat.do("messages.send", "ada", conversation=group, parts=HELLO, thread=kept.seq)
    await say(chat, "ada", left)
    await chat.do("messages.delete", "ada", conversation=group, message=gone.seq)
    await chat.do("members.leave", "bob", conversation=left)
    queue = await chat.do("users.queue", "bob", user="bob")
    assert (queue.depth, [each.message for each in queue.conversations]) == (1, [kept.seq])
    await chat.do("messages.delete", "ada", conversation=group, message=kept.seq)
    assert (await chat.do("users.queue", "bob", user="bob")).depth == 0


async def test_pages_have_the_total_each(chat: World) -> None:
    groups = sorted([await chat.group("ada", "bob") for _ in range(3)])
    for group in groups:
        await say(chat, "ada", group)
    first = await chat.do("users.queue", "bob", user="bob", limit=2)
    second = await chat.do("users.queue", "bob", user="bob", limit=2, cursor=first.next)
    assert [[each.conversation for each in page.conversations] for page in (first, second)] == [
        groups[:2],
        groups[2:],
    ]
    assert (first.depth, second.depth, second.next) == (3, 3, None)


async def test_a_queue_is_its_user_s_own(chat: World) -> None:
    await chat.users("ada", "bob")
    denied = await chat.refused(ErrorCode.PERMISSION_DENIED, "users.queue", "ada", user="bob")
    nobody = await chat.refused(ErrorCode.PERMISSION_DENIED, "users.queue", "ada", user="nobody")
    assert (denied.message, denied.field) == (nobody.message, nobody.field)
    await chat.refused(ErrorCode.NOT_FOUND, "users.queue", "", user="nobody", at="user")
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "users.queue", "ada", user="ada", limit=201, at="limit")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "users.queue", "ada", user="ada", cursor="x", at="cursor")
