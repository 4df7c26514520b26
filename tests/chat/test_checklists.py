from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat import checks
from tests.chat.review import restrict
from tests.chat.talk import limited, say
from tests.chat.world import World

from hubbub.chat.events import MessageAnnotated, MessageUpdated
from hubbub.chat.model import Annotations, ChecklistItem
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


def checklist(*items: Any, **fields: Any) -> list[dict[str, Any]]:
    """Parts with a checklist."""
    given = [
        each if isinstance(each, dict) else {"text": each} for each in items or ("Pack", "Label", "Ship")
    ]
    return [{"type": "checklist", "title": "Release", "items": given, **fields}]


async def listed(chat: World, *others: str, **fields: Any) -> dict[str, Any]:
    """A checklist of ada's, as params name it."""
    id = await chat.group("ada", *others)
    sent = await chat.do("messages.send", "ada", conversation=id, parts=checklist(**fields))
    return {"conversation": id, "message": sent.message.seq}


async def standing(chat: World, of: dict[str, Any]) -> list[str]:
    message = await chat.do("messages.get", "ada", **of)
    return [each.id for each in (message.annotations or Annotations()).done]


async def test_items_are_ticked_and_by_whom(chat: World) -> None:
    of = await listed(chat, "bob", anyone=True)
    assert (await chat.do("messages.get", "ada", **of)).annotations is None
    first = (await chat.do("checklists.check", "bob", **of, item="2")).done
    assert first == (ChecklistItem("2", chat.clock.now(), "bob"),)
    both = (await chat.do("checklists.check", "", **of, item="1")).done
    assert both == (*first, ChecklistItem("1", chat.clock.now()))
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, MessageAnnotated)
    assert (event.actor, event.what, event.annotations) == (None, "checklist", Annotations(done=both))
    head = event.seq
    assert (await chat.do("checklists.check", "ada", **of, item="2")).done == both
    assert (await chat.do("checklists.uncheck", "ada", **of, item="3")).done == both
    assert (await chat.log(of["conversation"]))[-1].seq == head
    await chat.do("checklists.uncheck", "ada", **of, item="2")
    assert (await chat.do("checklists.uncheck", "ada", **of, item="1")).done == ()
    assert (await chat.do("messages.get", "ada", **of)).annotations is None


async def test_only_its_sender_ticks_if_nothing_else_is_said(chat: World) -> None:
    of = await listed(chat, "bob", "mod")
    await chat.do("members.update", "ada", conversation=of["conversation"], user="mod", role="moderator")
    for operation in ("checklists.check", "checklists.uncheck"):
        for user in ("bob", "mod"):
            await chat.refused(ErrorCode.PERMISSION_DENIED, operation, user, at="message", **of, item="1")
    await chat.do("checklists.check", "ada", **of, item="1")


async def test_nobody_sees_ticks_of_who_is_shadowed(chat: World) -> None:
    of = await listed(chat, "bob", anyone=True)
    await chat.do("checklists.check", "ada", **of, item="1")
    await restrict(chat, "", "bob", "shadow")
    before = await chat.read(checks.everything)
    ticked = (await chat.do("checklists.check", "bob", **of, item="2")).done
    assert [(each.id, each.by) for each in ticked] == [("1", "ada"), ("2", "bob")]
    assert (await chat.do("checklists.uncheck", "bob", **of, item="1")).done == ()
    assert await chat.read(checks.everything) == before
    assert await standing(chat, of) == ["1"]
    sent = await chat.do("messages.send", "bob", conversation=of["conversation"], parts=checklist())
    own = {"conversation": of["conversation"], "message": sent.message.seq}
    await chat.do("checklists.check", "bob", **own, item="1")
    kept = await chat.do("messages.get", "bob", **own)
    assert [each.id for each in kept.annotations.done] == ["1"], "what only bob sees is bob's to tick"


async def test_ticks_hold_to_their_items_through_edits(chat: World) -> None:
    of = await listed(chat)
    for item in ("1", "2"):
        await chat.do("checklists.check", "ada", **of, item=item)
    await chat.do(
        "messages.edit", "ada", **of, parts=checklist("Test", {"id": "2", "text": "Label all"}, "Ship")
    )
    assert await standing(chat, of) == ["2"]
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, MessageUpdated)
    assert [each.id for each in (event.message.annotations or Annotations()).done] == ["2"]
    await chat.refused(ErrorCode.NOT_FOUND, "checklists.check", "ada", at="item", **of, item="1")
    await chat.do("checklists.check", "ada", **of, item="2-1")
    await chat.do("messages.edit", "ada", **of, parts=[{"type": "text", "text": "Done."}])
    assert (await chat.do("messages.get", "ada", **of)).annotations is None


async def test_a_poll_and_a_checklist_stand_beside_each_other(chat: World) -> None:
    options = [{"text": "Yes"}, {"text": "No"}]
    parts = [*checklist(), {"type": "poll", "question": "Ready?", "options": options}]
    of: dict[str, Any] = {"conversation": await chat.group("ada")}
    of["message"] = (await chat.do("messages.send", "ada", **of, parts=parts)).message.seq
    await chat.do("checklists.check", "ada", **of, item="1")
    await chat.do("polls.vote", "ada", **of, options=["2"])
    await chat.do("checklists.check", "ada", **of, item="3")
    found = (await chat.do("messages.get", "ada", **of)).annotations
    assert (found.poll.voters, [each.id for each in found.done]) == (1, ["1", "3"])


async def test_many_at_once_are_all_kept(chat: World) -> None:
    users = [f"u{n}" for n in range(10)]
    id = await chat.group("ada", *users)
    items = [str(n) for n in range(1, 31)]
    parts = checklist(*(f"Item {n}" for n in items), anyone=True)
    of = {
        "conversation": id,
        "message": (await chat.do("messages.send", "ada", conversation=id, parts=parts)).message.seq,
    }
    await asyncio.gather(
        *(chat.do("checklists.check", users[n % 10], **of, item=item) for n, item in enumerate(items * 2))
    )
    assert sorted(await standing(chat, of), key=int) == items


async def test_it_is_found_by_what_it_says_and_gone_when_it_is_deleted(chat: World) -> None:
    of = await listed(chat, "bob")
    for query in ("release", "label"):
        (hit,) = (await chat.do("search", "bob", query=query)).hits
        assert hit.message.seq == of["message"]
    await chat.do("checklists.check", "ada", **of, item="1")
    await chat.do("messages.delete", "ada", **of)
    assert (await chat.do("search", "bob", query="label")).hits == ()
    assert (await chat.do("messages.get", "bob", **of)).annotations is None


@pytest.mark.parametrize("operation", ["checklists.check", "checklists.uncheck"])
async def test_refusals(chat: World, operation: str) -> None:
    of = await listed(chat, "bob", anyone=True)
    id = of["conversation"]
    tick: dict[str, Any] = {**of, "item": "1"}
    await chat.users("eve")
    await chat.refused(ErrorCode.NOT_FOUND, operation, "eve", at="conversation", **tick)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="item", **of, item="9")
    await chat.refused(ErrorCode.VALIDATION_FAILED, operation, "bob", at="item", **of, item="Pack")
    other = {"conversation": id, "message": (await say(chat, id, "ada", "hello")).seq, "item": "1"}
    await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", at="message", **other)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, operation, "bob", **tick)
    await chat.do("conversations.update", "ada", conversation=id, closed=False)
    await chat.do("conversations.update", "ada", conversation=id, permissions={"react": "owner"})
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "bob", **tick)
    await chat.do("messages.delete", "ada", **of)
    await chat.refused(ErrorCode.MESSAGE_DELETED, operation, "ada", at="message", **tick)


async def test_limits(database: str) -> None:
    async with limited(database, limits={"checklist_items": 2, "option_length": 7}) as chat:
        id = await chat.group("ada")
        for items in (["a"], ["a", "abcdefg"]):
            await chat.do("messages.send", "ada", conversation=id, parts=checklist(*items))
        send = ("messages.send", "ada")
        for parts, at in (
            (checklist("a", "b", "c"), "parts[0].items"),
            (checklist("abcdefgh"), "parts[0].items[0].text"),
            (checklist("a", title="abcdefgh"), "parts[0].title"),
        ):
            await chat.refused(ErrorCode.LIMIT_EXCEEDED, *send, at=at, conversation=id, parts=parts)
        assert (chat.metrics.rejected["checklist_items"], chat.metrics.rejected["option_length"]) == (1, 2)
