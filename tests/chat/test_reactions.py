from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest
from tests.chat.talk import limited, say
from tests.chat.world import World

from hubbub.chat.events import ReactionsChanged
from hubbub.chat.model import ReactionCount
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def message(chat: World, *others: str) -> dict[str, Any]:
    """A message of ada's, as params name it."""
    id = await chat.group("ada", *others)
    return {"conversation": id, "message": (await say(chat, id, "ada", "hello")).seq}


async def counts(chat: World, of: dict[str, Any]) -> tuple[ReactionCount, ...]:
    found: tuple[ReactionCount, ...] = (await chat.do("messages.get", "ada", **of)).reactions
    return found


async def test_a_reaction_is_counted_and_named(chat: World) -> None:
    of = await message(chat, "bob")
    first = await chat.do("reactions.add", "bob", **of, name="👍")
    assert first.reactions == (ReactionCount("👍", 1, ("bob",)),)
    second = await chat.do("reactions.add", "ada", **of, name="👍")
    await chat.do("reactions.add", "ada", **of, name="eyes")
    assert second.reactions == (ReactionCount("👍", 2, ("bob", "ada")),)
    both = (ReactionCount("👍", 2, ("bob", "ada")), ReactionCount("eyes", 1, ("ada",)))
    assert await counts(chat, of) == both
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, ReactionsChanged)
    assert (event.message, event.actor, event.name, event.added, event.reactions) == (
        of["message"],
        "ada",
        "eyes",
        True,
        both,
    )
    left = await chat.do("reactions.remove", "bob", **of, name="👍")
    assert left.reactions == (ReactionCount("👍", 1, ("ada",)), ReactionCount("eyes", 1, ("ada",)))
    await chat.do("reactions.remove", "ada", **of, name="👍")
    assert [each.name for each in await counts(chat, of)] == ["eyes"]
    await chat.do("reactions.remove", "ada", **of, name="eyes")
    assert await counts(chat, of) == ()


async def test_to_react_twice_is_to_react_once(chat: World) -> None:
    of = await message(chat, "bob")
    for _ in range(2):
        result = await chat.do("reactions.add", "bob", **of, name="e\u0301")
        assert result.reactions == (ReactionCount("é", 1, ("bob",)),)
    assert (await chat.do("reactions.add", "bob", **of, name=" é ")).reactions == result.reactions
    log = len(await chat.log(of["conversation"]))
    await chat.do("reactions.remove", "bob", **of, name="é")
    for name in ("é", "never"):
        assert (await chat.do("reactions.remove", "bob", **of, name=name)).reactions == ()
    assert len(await chat.log(of["conversation"])) == log + 1


async def test_ten_users_are_named_and_all_are_listed(chat: World) -> None:
    users = [f"u{place:02}" for place in range(13)]
    of = await message(chat, *users)
    for user in users:
        await chat.do("reactions.add", user, **of, name="👍")
    assert await counts(chat, of) == (ReactionCount("👍", 13, tuple(users[:10])),)
    await chat.do("reactions.remove", "u03", **of, name="👍")
    await chat.do("reactions.remove", "u12", **of, name="👍")
    named = tuple(user for user in users[:11] if user != "u03")
    assert await counts(chat, of) == (ReactionCount("👍", 11, named),)
    await chat.do("reactions.add", "ada", **of, name="a")
    found: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        page = await chat.do(
            "reactions.list", "u01", **of, limit=5, **({} if cursor is None else {"cursor": cursor})
        )
        found += [(each.name, each.user) for each in page.reactions]
        if (cursor := page.next) is None:
            break
    assert found == [("a", "ada"), *(("👍", user) for user in users if user not in ("u03", "u12"))]
    (one,) = (await chat.do("reactions.list", "u01", **of, name="a")).reactions
    assert (one.user, one.time > 0) == ("ada", True)


async def test_many_at_once_are_counted_exactly(chat: World) -> None:
    users = [f"u{place}" for place in range(30)]
    of = await message(chat, *users)
    await asyncio.gather(
        *(chat.do("reactions.add", user, **of, name=name) for user in users for name in ("👍", "👍", "👎"))
    )
    assert {each.name: each.count for each in await counts(chat, of)} == {"👍": 30, "👎": 30}
    await asyncio.gather(*(chat.do("reactions.remove", user, **of, name="👍") for user in users[:20] * 2))
    found = {each.name: each for each in await counts(chat, of)}
    assert found["👍"].count == 10
    assert set(found["👍"].users) == set(users[20:])


@pytest.mark.parametrize(
    "values", [["a\0", "ada"], ["a", "a\0"], ["a"], ["a", "b", "c"], [1, 2], {"a": 1}, "x"], ids=range(7)
)
async def test_cursors_are_those_that_were_given(chat: World, values: Any) -> None:
    of = await message(chat)
    raw = base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()
    await chat.refused(ErrorCode.VALIDATION_FAILED, "reactions.list", "ada", at="cursor", **of, cursor=raw)


async def test_limits(database: str) -> None:
    async with limited(database, limits={"reactions": 2, "reaction_length": 3}) as chat:
        of = await message(chat, "bob")
        for name in ("a", "👍👍👍", "a"):
            await chat.do("reactions.add", "bob", **of, name=name)
        await chat.do("reactions.add", "ada", **of, name="a")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "reactions.add", "bob", at="name", **of, name="c")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "reactions.add", "bob", at="name", **of, name="abcd")
        assert (chat.metrics.rejected["reactions"], chat.metrics.rejected["reaction_length"]) == (1, 1)
        await chat.do("reactions.remove", "bob", **of, name="👍👍👍")
        await chat.do("reactions.add", "bob", **of, name="c")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\tb", "a\0b", "\u2028a\u2028b", 3])
async def test_names_are_checked(chat: World, name: Any) -> None:
    of = await message(chat)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "reactions.add", "ada", at="name", **of, name=name)


@pytest.mark.parametrize("operation", ["reactions.add", "reactions.remove"])
async def test_refusals(chat: World, operation: str) -> None:
    of = await message(chat, "bob")
    await chat.users("eve")
    react: dict[str, Any] = {**of, "name": "a"}
    await chat.refused(ErrorCode.NOT_FOUND, operation, "eve", at="conversation", **react)
    await chat.refused(ErrorCode.BAD_REQUEST, operation, "", **react)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="message", **{**react, "message": 999})
    await chat.refused(ErrorCode.VALIDATION_FAILED, operation, "bob", at="user", **react, user="ada")
    await chat.do("conversations.update", "ada", conversation=of["conversation"], closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, operation, "bob", **react)
    await chat.do("conversations.update", "ada", conversation=of["conversation"], closed=False)
    await chat.do(
        "conversations.update", "ada", conversation=of["conversation"], permissions={"react": "owner"}
    )
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "bob", **react)
    await chat.do("messages.delete", "ada", **of)
    await chat.refused(ErrorCode.MESSAGE_DELETED, operation, "ada", at="message", **react)


async def test_nobody_reacts_past_a_block(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    of: dict[str, Any] = {"conversation": id, "message": (await say(chat, id, "ada", "hello")).seq}
    await chat.do("blocks.add", "ada", user="bob")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "reactions.add", "bob", **of, name="a")


async def test_readers_of_a_broadcast_react_and_guests_of_a_topic_do_not(chat: World) -> None:
    broadcast = await chat.conversation("broadcast", "ada", "bob")
    seq = (await say(chat, broadcast, "ada", "news")).seq
    await chat.do("reactions.add", "bob", conversation=broadcast, message=seq, name="👍")
    topic = await chat.topic("ada")
    seq = (await say(chat, topic, "ada", "news")).seq
    await chat.user("eve")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "reactions.add", "eve", conversation=topic, message=seq, name="👍"
    )
    assert (await chat.do("reactions.list", "eve", conversation=topic, message=seq)).reactions == ()
