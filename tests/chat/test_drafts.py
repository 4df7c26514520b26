from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.chat.drafts import TICK
from hubbub.chat.events import DraftChanged
from hubbub.chat.model import Draft, Mentions
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import drafts, inbox

pytestmark = pytest.mark.anyio


def written(draft: Draft) -> list[Any]:
    return [msgspec.json.decode(part) for part in draft.parts]


async def kept(world: World, user: str, **params: Any) -> list[Draft]:
    page = await world.do("drafts.list", user, **params)
    return list(page.drafts)


async def save(world: World, user: str, conversation: str, words: str, **params: Any) -> float:
    """When it was updated."""
    saved = await world.do("drafts.set", user, conversation=conversation, parts=text(words), **params)
    updated: float = saved.updated
    return updated


async def words_of_inboxes(world: World) -> str:
    """All that any inbox still says."""
    query = sa.select(inbox.c.data)
    return "".join(await world.read(lambda view: list(view.execute(query).scalars())))


async def told(world: World, user: str) -> list[Draft]:
    """The drafts that the events of an inbox have."""
    return [each.draft for each in await world.inbox(user) if isinstance(each, DraftChanged)]


async def test_a_draft_is_its_users(chat: World) -> None:
    id = await chat.group("ada", "bob")
    message = await say(chat, id, "bob", "hello")
    updated = await save(chat, "ada", id, "hel", reply_to=message.seq, mentions={"users": ["bob", "bob"]})
    assert updated == chat.clock.now()
    (draft,) = await kept(chat, "ada")
    assert draft == Draft(id, updated, draft.parts, Mentions(("bob",)), reply_to=message.seq)
    assert written(draft) == text("hel")
    assert await told(chat, "ada") == [draft]
    assert await kept(chat, "bob") == []
    assert await told(chat, "bob") == []
    assert await save(chat, "ada", id, "hel", reply_to=message.seq, mentions={"users": ["bob"]}) == updated
    assert await told(chat, "ada") == [draft], "nothing has changed"


async def test_one_of_each_conversation_and_thread(chat: World) -> None:
    id, other = await chat.group("ada"), await chat.group("ada")
    roots = [(await say(chat, id, "ada", f"m{n}")).seq for n in range(2)]
    await save(chat, "ada", id, "main")
    for root in roots:
        await save(chat, "ada", id, f"of {root}", thread=root)
    await save(chat, "ada", other, "other")
    await save(chat, "ada", id, "main again")
    found = await kept(chat, "ada")
    assert [(each.conversation, each.thread) for each in found] == [
        (id, None),
        (other, None),
        (id, roots[1]),
        (id, roots[0]),
    ]
    assert written(found[0]) == text("main again")
    assert len(await kept(chat, "ada", conversation=id)) == 3
    await chat.do("drafts.remove", "ada", conversation=id, thread=roots[0])
    assert len(await kept(chat, "ada")) == 3
    pages: list[Draft] = []
    cursor = None
    while True:
        page = await chat.do("drafts.list", "ada", limit=1, **({} if cursor is None else {"cursor": cursor}))
        pages += page.drafts
        if (cursor := page.next) is None:
            break
    assert pages == found[:3]


async def test_who_expects_another_draft_is_refused(chat: World) -> None:
    id = await chat.group("ada")
    first = await save(chat, "ada", id, "a", expected=0)
    second = await save(chat, "ada", id, "ab", expected=first)
    write: dict[str, Any] = {"conversation": id, "parts": text("x")}
    for expected in (0, first, second + TICK):
        await chat.refused(ErrorCode.CONFLICT, "drafts.set", "ada", at="expected", **write, expected=expected)
        await chat.refused(
            ErrorCode.CONFLICT, "drafts.remove", "ada", at="expected", conversation=id, expected=expected
        )
    await save(chat, "ada", id, "anything")
    (last,) = await kept(chat, "ada")
    await chat.do("drafts.remove", "ada", conversation=id, expected=last.updated)
    await chat.refused(ErrorCode.CONFLICT, "drafts.set", "ada", at="expected", **write, expected=last.updated)
    assert await save(chat, "ada", id, "new", expected=0) > last.updated


async def test_each_is_newer_than_the_one_before(chat: World) -> None:
    """Though the clock goes back."""
    id = await chat.group("ada")
    times = []
    for words in ("a", "ab", "abc"):
        chat.clock.step_wall(-1.0)
        times.append(await save(chat, "ada", id, words))
    assert times[0] < times[1] < times[2]
    for _ in range(2):
        await chat.do("drafts.remove", "ada", conversation=id)
    (removed,) = (await told(chat, "ada"))[3:]
    assert removed.updated > times[2]
    assert removed == Draft(id, removed.updated, removed=True)


async def test_what_a_draft_said_is_nowhere_any_more(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await save(chat, "ada", id, "a cruel word")
    await save(chat, "ada", id, "a better word")
    found = await words_of_inboxes(chat)
    assert ("cruel" in found, "better" in found) == (False, True)
    assert [written(each) for each in await told(chat, "ada")] == [[], text("a better word")]
    await chat.do("drafts.remove", "ada", conversation=id)
    assert "better" not in await words_of_inboxes(chat)
    await save(chat, "bob", id, "a secret")
    await save(chat, "ada", id, "her own")
    await chat.do("members.leave", "bob", conversation=id)
    assert "secret" not in await words_of_inboxes(chat)
    assert await kept(chat, "bob") == []
    assert len(await kept(chat, "ada")) == 1
    contents = await chat.read(
        lambda view: list(view.execute(sa.select(drafts.c.content).where(drafts.c.removed)).scalars())
    )
    assert contents == [""]


async def test_the_inbox_may_have_lost_the_event(database: str) -> None:
    async with limited(database, chat={"inbox_size": 1}) as chat:
        id = await chat.group("ada")
        await save(chat, "ada", id, "early")
        for _ in range(40):
            await chat.do("me.update", "ada", name=f"Ada {chat.clock.now()}")
        await save(chat, "ada", id, "late")
        assert [written(each) for each in await told(chat, "ada")] == [text("late")]


async def test_it_need_not_be_complete(chat: World) -> None:
    id = await chat.group("ada")
    for parts in (
        [{"type": "text", "text": ""}],
        [{"type": "poll", "question": "Shall we"}],
        [{"type": "file", "upload": 17}],
        [{"type": "x.form", "name": "e\u0301\u0000"}],
    ):
        await chat.do("drafts.set", "ada", conversation=id, parts=parts)
        (draft,) = await kept(chat, "ada")
        assert written(draft) == parts
    message = await say(chat, id, "ada", "hello")
    await chat.do("drafts.set", "ada", conversation=id, reply_to=message.seq)
    assert (await chat.do("search", "ada", query="shall")).hits == (), "nobody finds a draft"


@pytest.mark.parametrize("operation", ["drafts.set", "drafts.remove"])
async def test_refusals(chat: World, operation: str) -> None:
    topic = await chat.topic("ada")
    of: dict[str, Any] = {"conversation": topic}
    if operation == "drafts.set":
        of["parts"] = text("hel")
    await chat.users("guest")
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "guest", at="conversation", **of)
    await chat.refused(ErrorCode.BAD_REQUEST, operation, "", **of)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "nobody", **of)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "ada", at="thread", **of, thread=10**6)
    await chat.refused(
        ErrorCode.NOT_FOUND, operation, "ada", at="conversation", **{**of, "conversation": "x"}
    )


async def test_what_cannot_be_kept(chat: World) -> None:
    id = await chat.group("ada")
    for parts, code, at in (
        ([], ErrorCode.VALIDATION_FAILED, "parts"),
        ([17], ErrorCode.VALIDATION_FAILED, "parts[0]"),
        ([{"text": "hello"}], ErrorCode.VALIDATION_FAILED, "parts[0].type"),
        ([{"type": 1}], ErrorCode.VALIDATION_FAILED, "parts[0].type"),
    ):
        await chat.refused(code, "drafts.set", "ada", at=at, conversation=id, parts=parts)
    await chat.refused(
        ErrorCode.NOT_FOUND,
        "drafts.set",
        "ada",
        at="reply_to",
        conversation=id,
        parts=text("a"),
        reply_to=10**6,
    )


async def test_limits(database: str) -> None:
    limits = {"drafts": 2, "parts": 2, "part_bytes": 40, "mentions": 1}
    async with limited(database, limits=limits) as chat:
        ids = [await chat.group("ada", "bob") for _ in range(3)]
        for id in ids[:2]:
            await save(chat, "ada", id, "a")
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            "drafts.set",
            "ada",
            at="conversation",
            conversation=ids[2],
            parts=text("a"),
        )
        await save(chat, "bob", ids[2], "a")
        await save(chat, "ada", ids[0], "a" * 15)
        for params, code, at in (
            ({"parts": text("a" * 16)}, ErrorCode.MESSAGE_TOO_LARGE, "parts[0]"),
            ({"parts": text("a") * 3}, ErrorCode.LIMIT_EXCEEDED, "parts"),
            ({"mentions": {"users": ["ada", "bob"]}}, ErrorCode.LIMIT_EXCEEDED, "mentions.users"),
        ):
            await chat.refused(code, "drafts.set", "ada", at=at, conversation=ids[0], **params)
        await chat.do("drafts.remove", "ada", conversation=ids[0])
        await save(chat, "ada", ids[2], "a")
        await chat.do("messages.send", "ada", conversation=ids[2], parts=text("a"))
        assert len(await kept(chat, "ada")) == 2, "to send is not to remove"


async def test_of_two_devices_one_wins(chat: World) -> None:
    id = await chat.group("ada")
    for round in range(5):
        (before,) = await kept(chat, "ada") or [Draft(id, 0.0)]
        outcomes = await asyncio.gather(
            *(save(chat, "ada", id, f"{round} of device {n}", expected=before.updated) for n in range(6)),
            return_exceptions=True,
        )
        (won,) = [each for each in outcomes if isinstance(each, float)]
        refusals = [each.code for each in outcomes if isinstance(each, HubbubError)]
        assert refusals == [ErrorCode.CONFLICT] * 5
        (after,) = await kept(chat, "ada")
        assert after.updated == won


async def test_nothing_stays_of_who_leaves_meanwhile(chat: World) -> None:
    """What is left behind would be found by the check at the end."""
    for _ in range(10):
        id = await chat.group("ada", "bob")
        seq = (await say(chat, id, "ada", "hello")).seq
        outcomes = await asyncio.gather(
            save(chat, "bob", id, "a"),
            chat.do("bookmarks.add", "bob", conversation=id, message=seq, note="a"),
            chat.do("members.leave", "bob", conversation=id),
            save(chat, "bob", id, "b", thread=seq),
            return_exceptions=True,
        )
        for each in outcomes:
            assert not isinstance(each, BaseException) or isinstance(each, HubbubError), each
        assert await kept(chat, "bob") == []
