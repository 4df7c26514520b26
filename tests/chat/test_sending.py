from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.events import MessageCreated
from hubbub.chat.ledger import Actor
from hubbub.chat.operations import Caller
from hubbub.chat.sending import send
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def test_a_message_is_what_the_log_says_it_is(chat: World) -> None:
    id = await chat.group("ada", "bob")
    head = (await chat.state(id)).conversation.seq
    sent = await chat.do("messages.send", "ada", conversation=id, parts=text("Hello"))
    assert not sent.duplicate
    message = sent.message
    assert (message.seq, message.number, message.sender) == (head + 1, 1, "ada")
    assert message.created == chat.clock.now()
    assert json.loads(msgspec.json.encode(sent)) == {
        "message": {
            "conversation": id,
            "seq": head + 1,
            "sender": "ada",
            "created": message.created,
            "parts": text("Hello"),
            "number": 1,
        }
    }
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageCreated)
    assert (event.message, event.actor, event.replies) == (message, "ada", 0)
    state = await chat.state(id)
    assert (state.conversation.last_message, state.conversation.messages) == (message.seq, 1)
    assert (state.members["ada"].read, state.members["bob"].read) == (message.seq, 0)


async def test_text_and_unknown_kinds_arrive_as_they_were_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    foreign = b'{"type":"x-poll",  "z":1.50,"a":[1e5, "\\u00e9", null]}'
    raw = b'{"conversation":"%s","parts":[{"type":"text","text":"e\\u0301 \xf0\x9f\x91\x8d"},%s]}' % (
        id.encode(),
        foreign,
    )
    params = chat.chat.decode(send, raw)
    sent = await chat.chat.perform(send, Caller(Actor("ada")), params)
    got = await chat.do("messages.get", "bob", conversation=id, message=sent.message.seq)
    assert [bytes(part) for part in got.parts] == ['{"type":"text","text":"é 👍"}'.encode(), foreign]
    assert foreign in chat.chat.heard[f"conversation:{id}"][-1].data


async def test_the_server_sends_for_nobody_and_for_anybody(chat: World) -> None:
    id = await chat.group("ada", "bob")
    mine = await say(chat, id, "", "from the server")
    assert mine.sender is None
    assert (await chat.log(id))[-1].actor is None
    assert (await say(chat, id, "bob", "for bob")).sender == "bob"
    assert (await chat.state(id)).members["ada"].read == 0


@pytest.mark.parametrize(
    "extra",
    [
        {"sender": "bob"},
        {"seq": 1},
        {"created": 1.0},
        {"kind": "system"},
        {"number": 1},
        {"replies": 9},
        {"actor": "bob"},
        {"key": "x"},
        {"mentions": {"users": [], "all": True}},
    ],
)
async def test_nothing_else_can_be_said_of_a_message(chat: World, extra: dict[str, Any]) -> None:
    id = await chat.group("ada", "bob")
    field = next(iter(extra)) if "mentions" not in extra else "mentions.all"
    await chat.refused(
        ErrorCode.VALIDATION_FAILED,
        "messages.send",
        "ada",
        at=field,
        conversation=id,
        parts=text("x"),
        **extra,
    )


@pytest.mark.parametrize("kind", ["group", "direct", "broadcast"])
async def test_who_may_not_know_of_a_conversation_is_told_nothing(chat: World, kind: str) -> None:
    if kind == "direct":
        id = await chat.direct("ada", "bob")
    else:
        id = await chat.conversation(kind, "ada", "bob")
    await chat.user("eve")
    error = await chat.refused(
        ErrorCode.NOT_FOUND, "messages.send", "eve", at="conversation", conversation=id, parts=text("x")
    )
    nowhere = await chat.refused(
        ErrorCode.NOT_FOUND, "messages.send", "eve", at="conversation", conversation="no", parts=text("x")
    )
    assert error.message == nowhere.message
    for hostile in ("'; DROP TABLE messages; --", "é" * 64, "%", "\N{RIGHT-TO-LEFT OVERRIDE}"):
        await chat.refused(
            ErrorCode.NOT_FOUND, "messages.send", "", at="conversation", conversation=hostile, parts=text("x")
        )


async def test_who_has_left_or_is_only_invited_cannot_send(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.user("cy")
    await chat.do("members.leave", "bob", conversation=id)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.send", "bob", conversation=id, parts=text("x"))
    await chat.do("members.add", "ada", conversation=id, users=["cy"], invite=True)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.send", "cy", conversation=id, parts=text("x"))


async def test_few_post_in_a_broadcast(chat: World) -> None:
    id = await chat.conversation("broadcast", "ada", "bob")
    root = await say(chat, id, "ada", "news")
    for thread in (None, root.seq):
        await chat.refused(
            ErrorCode.PERMISSION_DENIED,
            "messages.send",
            "bob",
            at="conversation",
            conversation=id,
            parts=text("x"),
            thread=thread,
        )
    # Replies can be allowed without the rest.
    await chat.do("conversations.update", "ada", conversation=id, permissions={"reply": "reader"})
    await say(chat, id, "bob", "reply", thread=root.seq)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.send", "bob", conversation=id, parts=text("x"))


async def test_guests_of_a_topic_join_first(chat: World) -> None:
    id = await chat.topic("ada")
    await chat.user("eve")
    asked: dict[str, Any] = {"conversation": id, "parts": text("x")}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.send", "eve", **asked)
    await chat.do("members.join", "eve", conversation=id)
    await say(chat, id, "eve", "here I am")


async def test_nobody_writes_in_a_closed_conversation(chat: World) -> None:
    id = await chat.group("ada", "bob")
    first = await chat.do("messages.send", "bob", conversation=id, parts=text("x"), idempotency_key="k")
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    for user in ("ada", "bob", ""):
        await chat.refused(
            ErrorCode.CONVERSATION_CLOSED, "messages.send", user, conversation=id, parts=text("x")
        )
    again = await chat.do("messages.send", "bob", conversation=id, parts=text("x"), idempotency_key="k")
    assert (again.duplicate, again.message) == (True, first.message)


async def test_a_block_stops_both_in_their_direct_conversation_alone(chat: World) -> None:
    id = await chat.direct("ada", "bob")
    group = await chat.group("ada", "bob")
    await say(chat, id, "ada", "hello")
    await chat.do("blocks.add", "bob", user="ada")
    for user in ("ada", "bob"):
        await chat.refused(
            ErrorCode.PERMISSION_DENIED, "messages.send", user, conversation=id, parts=text("x")
        )
        await say(chat, group, user, "among others")
    await chat.do("blocks.remove", "bob", user="ada")
    await say(chat, id, "ada", "again")


async def test_notes_to_oneself(chat: World) -> None:
    id = await chat.direct("ada", "ada")
    assert (await say(chat, id, "ada", "milk")).number == 1


async def test_an_answer_names_what_it_answers(chat: World) -> None:
    id = await chat.group("ada", "bob")
    other = await chat.group("ada")
    first = await say(chat, id, "ada", "one")
    elsewhere = await say(chat, other, "ada", "1")
    answer = await say(chat, id, "bob", "two", reply_to=first.seq)
    assert answer.reply_to == first.seq
    assert answer.thread is None
    while elsewhere.seq <= answer.seq:
        elsewhere = await say(chat, other, "ada", "more")
    asked: dict[str, Any] = {"conversation": id, "parts": text("x")}
    for seq in (0, 10**6, 2**53, elsewhere.seq):
        await chat.refused(ErrorCode.NOT_FOUND, "messages.send", "bob", at="reply_to", **asked, reply_to=seq)
    for bad in (-1, 2**53 + 1, "1", 1.5):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "messages.send", "bob", at="reply_to", **asked, reply_to=bad
        )
    await chat.do("messages.delete", "bob", conversation=id, message=first.seq, **{"for": "me"})
    await chat.refused(
        ErrorCode.NOT_FOUND, "messages.send", "bob", at="reply_to", **asked, reply_to=first.seq
    )
    await say(chat, id, "ada", "I can", reply_to=first.seq)
    await chat.do("messages.delete", "ada", conversation=id, message=first.seq)
    await chat.refused(
        ErrorCode.MESSAGE_DELETED, "messages.send", "ada", at="reply_to", **asked, reply_to=first.seq
    )


async def test_what_was_before_one_joined_cannot_be_answered(chat: World) -> None:
    id = await chat.group("ada", history="joined")
    secret = await say(chat, id, "ada", "secret")
    await chat.user("bob")
    await chat.do("members.add", "ada", conversation=id, users=["bob"])
    for field in ("reply_to", "thread"):
        await chat.refused(
            ErrorCode.NOT_FOUND,
            "messages.send",
            "bob",
            at=field,
            conversation=id,
            parts=text("x"),
            **{field: secret.seq},
        )


async def test_limits_of_text_and_parts_are_counted(database: str) -> None:
    async with limited(database, limits={"text_length": 3, "parts": 2}) as chat:
        id = await chat.group("ada")
        await say(chat, id, "ada", "abc")
        await chat.refused(
            ErrorCode.MESSAGE_TOO_LARGE,
            "messages.send",
            "ada",
            at="parts[0].text",
            conversation=id,
            parts=text("abcd"),
        )
        assert chat.metrics.rejected["text_length"] == 1
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED,
            "messages.send",
            "ada",
            at="parts",
            conversation=id,
            parts=text("a") * 3,
        )
        assert chat.metrics.rejected["parts"] == 1


async def test_a_page_shows_what_was_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    for place in range(3):
        await say(chat, id, ("ada", "bob")[place % 2], f"m{place}")
    page = await chat.do("messages.list", "bob", conversation=id)
    assert [word for word in words(page.messages) if word.startswith("m")][-3:] == ["m0", "m1", "m2"]
