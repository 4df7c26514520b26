from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import limited, say, words
from tests.chat.world import World

from hubbub.chat.model import Message
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def told(chat: World, count: int, *others: str, **params: Any) -> tuple[str, list[Message]]:
    """A group in which ada has said 0, 1, ..., and what she has said."""
    id = await chat.group("ada", *others, **params)
    return id, [await say(chat, id, "ada", str(n)) for n in range(count)]


async def listed(chat: World, user: str, id: str, **params: Any) -> tuple[str, bool, bool]:
    """What a page says, in one word, and whether there is more before and after it."""
    page = await chat.do("messages.list", user, conversation=id, **params)
    assert [each.seq for each in page.messages] == sorted(each.seq for each in page.messages)
    return "".join(words(page.messages)), page.more_before, page.more_after


async def test_pages_in_both_directions(chat: World) -> None:
    id, sent = await told(chat, 10)
    seqs = [each.seq for each in sent]
    assert await listed(chat, "ada", id, after=seqs[0] - 1) == ("0123456789", False, False)
    assert await listed(chat, "ada", id, limit=3) == ("789", True, False)
    assert await listed(chat, "ada", id, limit=3, before=seqs[7]) == ("456", True, True)
    assert await listed(chat, "ada", id, limit=3, before=seqs[3]) == ("012", False, True)
    assert await listed(chat, "ada", id, limit=3, before=seqs[0]) == ("", False, True)
    assert await listed(chat, "ada", id, limit=3, before=2**53) == ("789", True, False)
    assert await listed(chat, "ada", id, limit=3, after=seqs[2]) == ("345", True, True)
    assert await listed(chat, "ada", id, limit=3, after=seqs[6]) == ("789", True, False)
    assert await listed(chat, "ada", id, limit=3, after=seqs[9]) == ("", True, False)
    assert await listed(chat, "ada", id, limit=3, after=0) == ("012", False, True)


async def test_pages_around_a_message(chat: World) -> None:
    id, sent = await told(chat, 10)
    seqs = [each.seq for each in sent]
    assert await listed(chat, "ada", id, limit=4, around=seqs[5]) == ("3456", True, True)
    assert await listed(chat, "ada", id, limit=5, around=seqs[5]) == ("34567", True, True)
    assert await listed(chat, "ada", id, limit=1, around=seqs[5]) == ("5", True, True)
    assert await listed(chat, "ada", id, limit=6, around=seqs[1]) == ("012345", False, True)
    assert await listed(chat, "ada", id, limit=6, around=seqs[8]) == ("456789", True, False)
    assert await listed(chat, "ada", id, limit=20, around=seqs[8]) == ("0123456789", False, False)
    assert await listed(chat, "ada", id, limit=4, around=2**53) == ("6789", True, False)
    assert await listed(chat, "ada", id, limit=4, around=0) == ("0123", False, True)


async def test_pages_by_time(chat: World) -> None:
    id, sent = await told(chat, 10)
    times = [each.created for each in sent]
    assert await listed(chat, "ada", id, limit=4, at=times[5]) == ("3456", True, True)
    assert await listed(chat, "ada", id, limit=4, at=(times[4] + times[5]) / 2) == ("3456", True, True)
    assert await listed(chat, "ada", id, limit=2, at=0) == ("01", False, True)
    assert await listed(chat, "ada", id, limit=4, at=times[9] + 1) == ("6789", True, False)


async def test_a_thread_has_pages_of_its_own(chat: World) -> None:
    id, (root, other) = await told(chat, 2)
    replies = []
    for name in "abcdef":
        replies.append(await say(chat, id, "ada", name, thread=root.seq))
        await say(chat, id, "ada", name.upper())
        await say(chat, id, "ada", "x", thread=other.seq)
    assert await listed(chat, "ada", id, thread=root.seq) == ("abcdef", False, False)
    assert await listed(chat, "ada", id, thread=root.seq, limit=2) == ("ef", True, False)
    assert await listed(chat, "ada", id, thread=root.seq, limit=2, before=replies[2].seq) == (
        "ab",
        False,
        True,
    )
    assert await listed(chat, "ada", id, thread=root.seq, limit=2, around=replies[2].seq) == (
        "bc",
        True,
        True,
    )
    assert await listed(chat, "ada", id, after=other.seq) == ("ABCDEF", True, False)
    for seq in (0, 2**53):
        await chat.refused(
            ErrorCode.NOT_FOUND, "messages.list", "ada", at="thread", conversation=id, thread=seq
        )


async def test_what_one_has_hidden_is_not_shown_to_one(chat: World) -> None:
    id, sent = await told(chat, 6, "bob")
    for place in (1, 3, 5):
        await chat.do("messages.delete", "bob", conversation=id, message=sent[place].seq, **{"for": "me"})
    after = sent[0].seq - 1
    assert await listed(chat, "bob", id, after=after) == ("024", False, False)
    assert await listed(chat, "bob", id, limit=2) == ("24", True, False)
    assert (await listed(chat, "ada", id, after=after))[0] == "012345"
    assert (await listed(chat, "", id, after=after))[0] == "012345"
    hidden: dict[str, Any] = {"conversation": id, "message": sent[1].seq}
    nowhere: dict[str, Any] = {"conversation": id, "message": 10**6}
    for operation in ("messages.get", "messages.versions", "reactions.list"):
        error = await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="message", **hidden)
        other = await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="message", **nowhere)
        assert error.message == other.message
    assert (await chat.do("messages.get", "ada", **hidden)) == sent[1]


async def test_history_begins_where_one_joined(chat: World) -> None:
    id, sent = await told(chat, 3, history="joined")
    await chat.user("bob")
    await chat.do("members.add", "ada", conversation=id, users=["bob"])
    mine = await say(chat, id, "ada", "welcome")
    page = await chat.do("messages.list", "bob", conversation=id, before=2**53)
    assert not page.more_before
    assert not {each.seq for each in page.messages} & {each.seq for each in sent}
    assert page.messages[-1] == mine
    for params in ({"around": sent[1].seq}, {"at": 0.0}, {"after": 0}, {"before": mine.seq}):
        page = await chat.do("messages.list", "bob", conversation=id, **params)
        assert not {each.seq for each in page.messages} & {each.seq for each in sent}
        assert not page.more_before
    await chat.refused(
        ErrorCode.NOT_FOUND, "messages.get", "bob", at="message", conversation=id, message=sent[0].seq
    )
    await chat.refused(
        ErrorCode.NOT_FOUND, "messages.list", "bob", at="thread", conversation=id, thread=sent[0].seq
    )


@pytest.mark.parametrize("history", ["all", "joined"])
async def test_guests_of_a_topic_read_what_who_joins_could(chat: World, history: str) -> None:
    id = await chat.topic("ada", history=history)
    sent = await say(chat, id, "ada", "hello")
    await chat.user("eve")
    page = await chat.do("messages.list", "eve", conversation=id)
    if history == "all":
        assert page.messages == (sent,)
        assert await chat.do("messages.get", "eve", conversation=id, message=sent.seq) == sent
    else:
        assert page.messages == ()
        await chat.refused(ErrorCode.NOT_FOUND, "messages.get", "eve", conversation=id, message=sent.seq)
    await chat.do("conversations.update", "ada", conversation=id, permissions={"read": "reader"})
    await chat.refused(ErrorCode.NOT_FOUND, "messages.list", "eve", at="conversation", conversation=id)


@pytest.mark.parametrize("operation", ["messages.list", "messages.get"])
async def test_strangers_are_told_nothing(chat: World, operation: str) -> None:
    id, sent = await told(chat, 1, "bob", "cy")
    await chat.user("eve")
    await chat.do("members.remove", "ada", conversation=id, user="cy")
    asked = {} if operation == "messages.list" else {"message": sent[0].seq}
    texts = set()
    for user, conversation in (("eve", id), ("cy", id), ("eve", "nowhere"), ("", "nowhere")):
        error = await chat.refused(
            ErrorCode.NOT_FOUND, operation, user, at="conversation", conversation=conversation, **asked
        )
        texts.add(error.message)
    assert len(texts) == 1


async def test_tombstones_are_shown(chat: World) -> None:
    id, sent = await told(chat, 3)
    await chat.do("messages.delete", "ada", conversation=id, message=sent[1].seq)
    page = await chat.do("messages.list", "ada", conversation=id, after=sent[0].seq - 1)
    assert words(page.messages) == ["0", "", "2"]
    assert page.messages[1].deleted is not None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"before": 1, "after": 1}, "before"),
        ({"around": 1, "at": 1.0}, "before"),
        ({"before": -1}, "before"),
        ({"after": "x"}, "after"),
        ({"limit": 0}, "limit"),
        ({"thread": 1.5}, "thread"),
        ({"offset": 3}, "offset"),
    ],
)
async def test_what_is_asked_is_checked(chat: World, given: dict[str, Any], field: str) -> None:
    id = await chat.group("ada")
    with pytest.raises(HubbubError) as refused:
        await chat.do("messages.list", "ada", conversation=id, **given)
    assert (refused.value.code, refused.value.field) == (ErrorCode.VALIDATION_FAILED, field)


async def test_pages_are_bounded(database: str) -> None:
    async with limited(database, limits={"page": 3}) as chat:
        id, _ = await told(chat, 5)
        assert (await listed(chat, "ada", id))[0] == "234"
        assert (await listed(chat, "ada", id, limit=2))[0] == "34"
        assert (await listed(chat, "ada", id, limit=3))[0] == "234"
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "messages.list", "ada", at="limit", conversation=id, limit=4
        )
        assert chat.metrics.rejected["page"] == 1
