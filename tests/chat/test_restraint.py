from __future__ import annotations

from typing import Any

import pytest
from tests.chat import checks
from tests.chat.review import restrict, staff
from tests.chat.talk import say, text, words
from tests.chat.world import World

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.restraint import OPEN, Restraint, refuse, shadowed
from hubbub.errors import ErrorCode, HubbubError

MUTE = Restraint("mute", "c", 2e9)


def test_a_restraint_holds_in_its_conversation_or_everywhere() -> None:
    refuse([MUTE], "d")
    refuse([MUTE], "c", ("ban",))
    refuse([Restraint("shadow", "", None)], "c")
    for found in (MUTE, Restraint("ban", "", None)):
        with pytest.raises(HubbubError) as refused:
            refuse([Restraint("shadow", "", None), found], "c")
        assert refused.value.code == ErrorCode.RESTRICTED
    assert shadowed([Restraint("shadow", "c", None)], "c")
    assert not shadowed([Restraint("shadow", "d", None), MUTE], "c")


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (2e9, "you are muted in this conversation until 2033-05-18T03:33:20Z"),
        (None, "you are muted in this conversation"),
        (9e14, "you are muted in this conversation"),
    ],
)
def test_it_says_until_when(until: float | None, said: str) -> None:
    with pytest.raises(HubbubError) as refused:
        refuse([Restraint("mute", "c", until)], "c")
    assert refused.value.message == said
    assert refused.value.field == "conversation"


def test_what_is_open_is_there() -> None:
    """A name that nothing begins with would be a slip."""
    later = ("bookmarks.", "drafts.", "rights.")
    for begin in OPEN:
        assert begin in later or any(name.startswith(begin) for name in OPERATIONS), begin


async def attempts(chat: World, id: str, own: int, other: int) -> list[tuple[str, dict[str, Any]]]:
    """What others see of bob: a message of its own is `own`, one of ada's `other`."""
    return [
        ("messages.send", {"conversation": id, "parts": text("hi")}),
        ("messages.send", {"conversation": id, "parts": text("hi"), "thread": other}),
        ("messages.edit", {"conversation": id, "message": own, "parts": text("hi")}),
        ("reactions.add", {"conversation": id, "message": other, "name": "a"}),
        ("typing.start", {"conversation": id}),
        ("members.add", {"conversation": id, "users": ["eve"], "invite": True}),
        ("conversations.update", {"conversation": id, "name": "Words"}),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["mute", "ban"])
@pytest.mark.parametrize("where", ["here", "everywhere"])
async def test_who_is_restricted_does_nothing_that_others_see(chat: World, kind: str, where: str) -> None:
    id = await chat.group("ada", "bob", "eve", permissions={"update": "member"})
    other_place = await chat.group("ada", "bob")
    own, other = (await say(chat, id, "bob", "mine")).seq, (await say(chat, id, "ada", "yours")).seq
    if where == "here" and kind == "ban":
        await restrict(chat, "ada", "bob", kind, conversation=id)
        for operation, params in await attempts(chat, id, own, other):
            await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", **params)
        await say(chat, other_place, "bob", "still there")
        return
    await restrict(chat, "", "bob", kind, **({"conversation": id} if where == "here" else {}))
    for operation, params in await attempts(chat, id, own, other):
        await chat.refused(ErrorCode.RESTRICTED, operation, "bob", **params)
    if where == "everywhere":
        await chat.refused(
            ErrorCode.RESTRICTED, "messages.send", "bob", conversation=other_place, parts=text("x")
        )
        await chat.refused(ErrorCode.RESTRICTED, "conversations.create", "bob", kind="group")
    else:
        await say(chat, other_place, "bob", "elsewhere")
    assert words((await chat.do("messages.list", "bob", conversation=id)).messages)[-1] == "yours"
    await chat.do("messages.delete", "bob", conversation=id, message=own)
    await chat.do("members.leave", "bob", conversation=id)


@pytest.mark.anyio
async def test_who_is_banned_everywhere_only_reads(chat: World) -> None:
    topic = await chat.topic("ada")
    id = await chat.group("ada", "bob")
    await chat.do("members.add", "ada", conversation=topic, users=["bob"], invite=True)
    await restrict(chat, "", "bob", "ban", reason="Enough")
    for operation, params in [
        ("members.join", {"conversation": topic}),
        ("conversations.direct", {"user": "ada"}),
        ("conversations.create", {"kind": "group"}),
        ("me.update", {"name": "Spam"}),
        ("reports.create", {"user": "ada", "reason": "spam"}),
    ]:
        error = await chat.refused(ErrorCode.RESTRICTED, operation, "bob", **params)
        assert error.message == "you are banned everywhere"
    await chat.do("conversations.settings", "bob", conversation=id, archived=True)
    await chat.do("blocks.add", "bob", user="ada")
    await chat.do("messages.list", "bob", conversation=topic)
    await chat.do("members.leave", "bob", conversation=topic)


@pytest.mark.anyio
async def test_restrictions_end_by_themselves(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    until = chat.clock.now() + 60
    await restrict(chat, "ada", "bob", "mute", conversation=id, until=until)
    await restrict(chat, "", "eve", "ban", until=until)
    for user in ("bob", "eve"):
        error = await chat.refused(
            ErrorCode.RESTRICTED, "messages.send", user, conversation=id, parts=text("x")
        )
        assert " until 20" in error.message
    chat.clock.advance(61)
    for user in ("bob", "eve"):
        await say(chat, id, user, "back")
        assert (await chat.do("me.restrictions", user)).restrictions == ()


@pytest.mark.anyio
async def test_who_is_banned_from_a_topic_neither_reads_nor_joins_it(chat: World) -> None:
    topic, other = await chat.topic("ada"), await chat.topic("ada")
    await chat.users("eve", "bob")
    await say(chat, topic, "ada", "news")
    await chat.do("members.join", "bob", conversation=topic)
    for user in ("eve", "bob"):
        await restrict(chat, "ada", user, "ban", conversation=topic)
        for operation in ("messages.list", "conversations.get", "members.join", "members.list"):
            await chat.refused(ErrorCode.RESTRICTED, operation, user, at="conversation", conversation=topic)
        await chat.do("members.leave", user, conversation=topic)
        await chat.do("members.join", user, conversation=other)
    await restrict(chat, "", "eve", "ban")
    await chat.do("messages.list", "eve", conversation=other)


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["ada", ""])
@pytest.mark.parametrize("invite", [True, False])
async def test_who_is_banned_cannot_be_put_back(chat: World, by: str, invite: bool) -> None:
    id = await chat.group("ada", "bob", "eve")
    await restrict(chat, "ada", "bob", "ban", conversation=id)
    params: dict[str, Any] = {"conversation": id, "users": ["eve", "bob"], "invite": invite}
    await chat.refused(ErrorCode.RESTRICTED, "members.add", by, at="users[1]", **params)
    await chat.do("restrictions.lift", "ada", user="bob", kind="ban", conversation=id)
    await chat.do("members.add", by, **params)


@pytest.mark.anyio
async def test_many_at_once_are_told_apart(chat: World) -> None:
    """One batch: each sender is refused or not as if it had come alone."""
    import asyncio

    users = [f"u{place}" for place in range(9)]
    one, two = await chat.group("ada", *users), await chat.group("ada", *users)
    for user in users[:3]:
        await restrict(chat, "ada", user, "mute", conversation=one)
    await restrict(chat, "", users[8], "mute")
    outcomes = await asyncio.gather(
        *(say(chat, id, user, "x") for id in (one, two) for user in users), return_exceptions=True
    )
    refused = [isinstance(each, HubbubError) for each in outcomes]
    assert refused[:9] == [True] * 3 + [False] * 5 + [True]
    assert refused[9:] == [False] * 8 + [True]


@pytest.mark.anyio
async def test_nobody_hears_of_who_is_shadowed(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await staff(chat)
    await restrict(chat, "mo", "bob", "shadow")
    seen = await say(chat, id, "bob", "psst")
    assert seen.parts
    assert words((await chat.do("messages.list", "bob", conversation=id)).messages)[-1] == "psst"
    found = (await chat.do("messages.list", "ada", conversation=id)).messages
    assert "psst" not in words(found)
    before, published = await chat.read(checks.everything), chat.metrics.publications
    assert (await chat.do("typing.start", "bob", conversation=id)).shown, "as if it were"
    assert chat.metrics.publications == published
    assert (await chat.do("typing.start", "ada", conversation=id)).shown
    assert chat.metrics.publications == published + 1
    assert await chat.read(checks.everything) == before
    assert (await chat.do("me.restrictions", "bob")).restrictions == ()
    assert (await chat.do("cases.mine", "bob")).cases == ()
    assert [type(event).__name__ for event in await chat.inbox("bob")] == ["ConversationAdded"]


@pytest.mark.anyio
async def test_what_is_shadowed_looks_done_to_its_user_alone(chat: World) -> None:
    id = await chat.group("ada", "bob")
    own, other = (await say(chat, id, "bob", "mine")).seq, (await say(chat, id, "ada", "yours")).seq
    await restrict(chat, "ada", "bob", "shadow", conversation=id)
    hidden = await say(chat, id, "bob", "psst")
    before = await chat.read(checks.everything)
    edited = await chat.do("messages.edit", "bob", conversation=id, message=own, parts=text("spam"))
    assert edited.version == 2
    reacted = await chat.do("reactions.add", "bob", conversation=id, message=other, name="a")
    assert [each.count for each in reacted.reactions] == [1]
    assert await chat.read(checks.everything) == before
    await chat.do("messages.edit", "bob", conversation=id, message=hidden.seq, parts=text("again"))
    assert words((await chat.do("messages.list", "bob", conversation=id)).messages)[-1] == "again"
    assert "again" not in words((await chat.do("messages.list", "ada", conversation=id)).messages)
