from __future__ import annotations

from typing import Any

import pytest
from tests.chat.checks import everything
from tests.chat.talk import limited, said, say, text
from tests.chat.world import World

from hubbub.chat.events import MessageUpdated
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def message(chat: World, *others: str, **params: Any) -> dict[str, Any]:
    """A message of ada's in a group, as params name it."""
    id = await chat.group("ada", *others)
    return {"conversation": id, "message": (await say(chat, id, "ada", "first", **params)).seq}


async def test_an_edit_replaces_what_a_message_says(chat: World) -> None:
    of = await message(chat, "bob")
    before = await chat.do("messages.get", "bob", **of)
    result = await chat.do("messages.edit", "ada", **of, parts=text("second e\u0301"))
    after = await chat.do("messages.get", "bob", **of)
    assert (result.message, result.version, result.edited) == (of["message"], 2, chat.clock.now() - 1 / 1024)
    assert (said(after), after.version, after.edited) == (["second é"], 2, result.edited)
    assert (after.seq, after.number, after.created) == (before.seq, before.number, before.created)
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, MessageUpdated)
    assert (event.message, event.actor) == (after, "ada")


async def test_versions_tell_what_was_said_when_and_by_whom(chat: World) -> None:
    of = await message(chat, "bob")
    created = (await chat.do("messages.get", "bob", **of)).created
    times = [created]
    for user, words in (("ada", "second"), ("", "third"), ("ada", "fourth")):
        times.append((await chat.do("messages.edit", user, **of, parts=text(words))).edited)
    page = await chat.do("messages.versions", "bob", **of)
    assert [(each.version, *said(each), each.time, each.editor) for each in page.versions] == [
        (1, "first", times[0], "ada"),
        (2, "second", times[1], "ada"),
        (3, "third", times[2], None),
        (4, "fourth", times[3], "ada"),
    ]
    for limit in (1, 2, 3, 4):
        found: list[int] = []
        cursor: str | None = None
        while True:
            given = {} if cursor is None else {"cursor": cursor}
            page = await chat.do("messages.versions", "bob", **of, limit=limit, **given)
            found += [each.version for each in page.versions]
            if (cursor := page.next) is None:
                break
        assert found == [1, 2, 3, 4]


async def test_an_edit_that_changes_nothing_is_none(chat: World) -> None:
    of = await message(chat, "bob", mentions={"users": ["bob"]})
    log = len(await chat.log(of["conversation"]))
    same: list[dict[str, Any]] = [{}, {"mentions": {"users": ["bob"]}}]
    for mentions in same:
        result = await chat.do("messages.edit", "ada", **of, parts=text("first"), **mentions)
        assert (result.version, result.edited) == (1, None)
    assert len(await chat.log(of["conversation"])) == log


async def test_the_expected_version(chat: World) -> None:
    of = await message(chat)
    await chat.do("messages.edit", "ada", **of, parts=text("2"), expected_version=1)
    for version in (1, 3):
        await chat.refused(
            ErrorCode.CONFLICT,
            "messages.edit",
            "ada",
            at="expected_version",
            **of,
            parts=text("3"),
            expected_version=version,
        )
    await chat.do("messages.edit", "ada", **of, parts=text("3"), expected_version=2)


async def test_a_key_makes_one_edit_and_its_answer_has_no_text(chat: World) -> None:
    of = await message(chat)
    for _ in range(2):
        result = await chat.do("messages.edit", "ada", idempotency_key="k", **of, parts=text("second"))
        assert result.version == 2
    await chat.do("messages.edit", "ada", **of, parts=text("third"))
    assert (
        await chat.do("messages.edit", "ada", idempotency_key="k", **of, parts=text("second"))
    ).version == 2
    assert said(await chat.do("messages.get", "ada", **of)) == ["third"]


async def test_only_who_wrote_it_and_the_server_edit_a_message(chat: World) -> None:
    of = await message(chat, "bob")
    edit: dict[str, Any] = {**of, "parts": text("x")}
    await chat.user("eve")
    await chat.do("members.update", "ada", conversation=of["conversation"], user="bob", role="owner")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.edit", "bob", at="message", **edit)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.edit", "eve", at="conversation", **edit)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.edit", "ada", at="message", **{**edit, "message": 999})
    await chat.do("messages.edit", "", **edit)
    await chat.do(
        "conversations.update", "ada", conversation=of["conversation"], permissions={"edit_own": "nobody"}
    )
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.edit", "ada", at="message", **edit)
    await chat.do("members.leave", "ada", conversation=of["conversation"])
    await chat.refused(ErrorCode.NOT_FOUND, "messages.edit", "ada", at="conversation", **edit)


async def test_the_server_edits_what_it_sent(chat: World) -> None:
    id = await chat.group("ada")
    sent = await say(chat, id, "", "from the server")
    edit: dict[str, Any] = {"conversation": id, "message": sent.seq, "parts": text("x")}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.edit", "ada", at="message", **edit)
    await chat.do("messages.edit", "", **edit)
    page = await chat.do("messages.versions", "ada", conversation=id, message=sent.seq)
    assert [each.editor for each in page.versions] == [None, None]


async def test_what_cannot_be_edited(chat: World) -> None:
    of = await message(chat, "bob")
    id = of["conversation"]
    await chat.do("members.leave", "bob", conversation=id)
    system = max(seq for seq, each in (await chat.state(id)).messages.items() if each.kind == "system")
    edit: dict[str, Any] = {**of, "parts": text("x")}
    for user in ("ada", ""):
        await chat.refused(
            ErrorCode.PERMISSION_DENIED, "messages.edit", user, at="message", **{**edit, "message": system}
        )
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, "messages.edit", "ada", **edit)
    await chat.do("conversations.update", "ada", conversation=id, closed=False)
    await chat.do("messages.delete", "ada", **of)
    for user in ("ada", ""):
        await chat.refused(ErrorCode.MESSAGE_DELETED, "messages.edit", user, at="message", **edit)


async def test_nobody_edits_past_a_block(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    sent = await say(chat, id, "ada", "hello")
    await chat.do("blocks.add", "bob", user="ada")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED,
        "messages.edit",
        "ada",
        conversation=id,
        message=sent.seq,
        parts=text("you"),
    )


async def test_the_window(database: str) -> None:
    async with limited(database, chat={"edit_window": 60}) as chat:
        of = await message(chat)
        created = (await chat.do("messages.get", "ada", **of)).created
        chat.clock.advance(created + 60 - 1 / 1024 - chat.clock.now())
        await chat.do("messages.edit", "ada", **of, parts=text("in time"))
        await chat.refused(
            ErrorCode.PERMISSION_DENIED, "messages.edit", "ada", at="message", **of, parts=text("late")
        )
        await chat.do("messages.edit", "", **of, parts=text("the server may"))


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"parts": []}, ErrorCode.VALIDATION_FAILED, "parts"),
        ({"parts": text(" ")}, ErrorCode.VALIDATION_FAILED, "parts[0].text"),
        ({"parts": [{"type": "system"}]}, ErrorCode.VALIDATION_FAILED, "parts[0].type"),
        ({"parts": text("x" * 10_001)}, ErrorCode.MESSAGE_TOO_LARGE, "parts[0].text"),
        ({"parts": text("x") * 21}, ErrorCode.LIMIT_EXCEEDED, "parts"),
        ({}, ErrorCode.VALIDATION_FAILED, "parts"),
        ({"parts": text("x"), "version": 9}, ErrorCode.VALIDATION_FAILED, "version"),
        ({"parts": text("x"), "sender": "bob"}, ErrorCode.VALIDATION_FAILED, "sender"),
        ({"parts": text("x"), "thread": 1}, ErrorCode.VALIDATION_FAILED, "thread"),
        ({"parts": text("x"), "expected_version": 0}, ErrorCode.VALIDATION_FAILED, "expected_version"),
    ],
)
async def test_an_edit_is_checked_as_a_message_is(
    chat: World, given: dict[str, Any], code: ErrorCode, field: str
) -> None:
    of = await message(chat)
    await chat.refused(code, "messages.edit", "ada", at=field, **of, **given)


async def test_versions_are_for_members(chat: World) -> None:
    id = await chat.topic("ada")
    sent = await say(chat, id, "ada", "hello")
    await chat.user("eve")
    of: dict[str, Any] = {"conversation": id, "message": sent.seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.versions", "eve", at="conversation", **of)
    assert len((await chat.do("messages.versions", "", **of)).versions) == 1


async def test_a_reply_is_edited_in_its_thread(chat: World) -> None:
    of = await message(chat, "bob")
    reply = await say(chat, of["conversation"], "bob", "reply", thread=of["message"])
    await chat.do(
        "messages.edit", "bob", conversation=of["conversation"], message=reply.seq, parts=text("changed")
    )
    page = await chat.do("messages.list", "ada", conversation=of["conversation"], thread=of["message"])
    assert [said(each) for each in page.messages] == [["changed"]]


async def test_who_came_later_does_not_learn_of_the_past_by_an_edit(chat: World) -> None:
    id = await chat.group("ada", "bob", history="joined")
    sent = await say(chat, id, "ada", "the plan")
    await chat.do("messages.edit", "ada", conversation=id, message=sent.seq, parts=text("the old plan"))
    assert isinstance(event := (await chat.log(id))[-1], MessageUpdated)
    assert (event.withheld, len(event.message.parts)) == (False, 1), "all may read it"
    await chat.user("cyd")
    await chat.do("members.add", "ada", conversation=id, users=["cyd"])
    await chat.do("messages.edit", "ada", conversation=id, message=sent.seq, parts=text("the new plan"))
    assert isinstance(event := (await chat.log(id))[-1], MessageUpdated)
    assert (event.withheld, event.message.parts, event.message.version) == (True, (), 3)
    read = await chat.do("messages.get", "bob", conversation=id, message=sent.seq)
    assert read.version == 3
    later = await say(chat, id, "ada", "from here on")
    await chat.do("messages.edit", "ada", conversation=id, message=later.seq, parts=text("and so on"))
    assert isinstance(event := (await chat.log(id))[-1], MessageUpdated)
    assert not event.withheld


async def test_neither_inboxes_nor_kept_answers_hold_what_is_deleted(chat: World) -> None:
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", "xyzzy")
    await chat.user("cyd")
    await chat.do("members.add", "ada", idempotency_key="a", conversation=id, users=["cyd"])
    pair = await chat.direct("ada", "bob")
    other = await say(chat, pair, "ada", "xyzzy")
    await chat.do("conversations.direct", "bob", idempotency_key="b", user="ada")
    for conversation, message in ((id, sent), (pair, other)):
        await chat.do("messages.delete", "ada", conversation=conversation, message=message.seq)
    rows = await chat.read(everything)
    assert [name for name, found in rows.items() if "xyzzy" in repr(found)] == []
