from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.later import pass_time, quiet
from tests.chat.talk import said, say, text
from tests.chat.world import World

from hubbub.chat.cards import Answer, Press
from hubbub.chat.events import CardAnswered, CardPressed, MessageUpdated
from hubbub.chat.invocations import ANSWERABLE, ANSWERS
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import invocations

pytestmark = pytest.mark.anyio
ACTIONS: list[dict[str, Any]] = [
    {"type": "button", "id": "approve", "label": "Approve", "style": "primary", "value": "17"},
    {"type": "button", "id": "docs", "label": "Documents", "url": "https://example.org/17"},
    {
        "type": "select",
        "id": "day",
        "label": "Day",
        "options": [{"label": "Monday", "value": "mon"}, {"label": "Tuesday", "value": "tue"}],
    },
    {"type": "input", "id": "why", "label": "Why?", "max_length": 5},
]


def card(**fields: Any) -> list[dict[str, Any]]:
    """Parts with a card."""
    return [{"type": "card", "title": "Order 17", "actions": ACTIONS, **fields}]


async def shown(chat: World, sender: str = "bot", *others: str) -> dict[str, Any]:
    """A card that somebody ("": the server) has sent to ada, bob and the bot, as params name it."""
    id = await chat.group("ada", "bob", "bot", *others)
    sent = await chat.do("messages.send", sender, conversation=id, parts=card())
    return {"conversation": id, "message": sent.message.seq}


async def press(chat: World, of: dict[str, Any], user: str = "bob", **params: Any) -> str:
    params.setdefault("action", "approve")
    id: str = (await chat.do("cards.press", user, **of, **params)).invocation
    return id


async def heard(chat: World, user: str) -> list[CardPressed | CardAnswered]:
    return [each for each in await chat.inbox(user) if isinstance(each, CardPressed | CardAnswered)]


async def test_who_has_sent_the_card_hears_of_a_press(chat: World) -> None:
    of = await shown(chat)
    head = len(await chat.log(of["conversation"]))
    for params, value in (
        ({"action": "approve"}, "17"),
        ({"action": "approve", "value": "17"}, "17"),
        ({"action": "day", "value": "tue"}, "tue"),
        ({"action": "why", "value": "cafe\u0301"}, "café"),
    ):
        id = await press(chat, of, **params)
        event = (await heard(chat, "bot"))[-1]
        assert isinstance(event, CardPressed)
        assert (event.invocation, event.user, event.action, event.value) == (
            id,
            "bob",
            params["action"],
            value,
        )
        assert {"conversation": event.conversation, "message": event.message} == of
    assert await heard(chat, "ada") == []
    assert len(await chat.log(of["conversation"])) == head, "nobody else is told"


async def test_a_press_is_answered_to_who_has_pressed(chat: World) -> None:
    of = await shown(chat)
    id = await press(chat, of)
    await chat.do("cards.answer", "bot", invocation=id, parts=text("On its way."))
    (event,) = await heard(chat, "bob")
    assert isinstance(event, CardAnswered)
    assert (event.invocation, event.message) == (id, of["message"])
    assert msgspec.json.decode(event.parts[0]) == text("On its way.")[0]
    assert [len(await heard(chat, user)) for user in ("ada", "bot")] == [0, 1]


async def test_a_press_is_answered_by_another_card(chat: World) -> None:
    of = await shown(chat)
    id = await press(chat, of)
    await chat.do(
        "cards.answer", "bot", invocation=id, update=[{"type": "card", "title": "Order 17 is approved"}]
    )
    event = (await chat.log(of["conversation"]))[-1]
    assert isinstance(event, MessageUpdated)
    assert event.actor == "bot"
    assert msgspec.json.decode(event.message.parts[0])["title"] == "Order 17 is approved"
    await chat.refused(ErrorCode.NOT_FOUND, "cards.press", "bob", at="action", **of, action="approve")


async def test_who_may_answer_and_how_often(chat: World) -> None:
    of = await shown(chat)
    id = await press(chat, of)
    for user in ("ada", "bob", ""):
        await chat.refused(
            ErrorCode.NOT_FOUND, "cards.answer", user, at="invocation", invocation=id, parts=text("x")
        )
    other = await press(chat, await shown(chat, ""))
    await quiet(chat)
    for invocation in (other, "0" * 24):
        await chat.refused(
            ErrorCode.NOT_FOUND,
            "cards.answer",
            "bot",
            at="invocation",
            invocation=invocation,
            parts=text("x"),
        )
    await chat.refused(ErrorCode.VALIDATION_FAILED, "cards.answer", "bot", at="parts", invocation=id)
    for _ in range(ANSWERS):
        await chat.do("cards.answer", "bot", invocation=id, parts=text("x"))
    await chat.refused(
        ErrorCode.LIMIT_EXCEEDED, "cards.answer", "bot", at="invocation", invocation=id, parts=text("x")
    )
    late = await press(chat, of)
    chat.clock.advance(ANSWERABLE + 1)
    await chat.refused(ErrorCode.NOT_FOUND, "cards.answer", "bot", invocation=late, parts=text("x"))
    await press(chat, of)
    assert (
        await chat.read(
            lambda view: view.execute(sa.select(sa.func.count()).select_from(invocations)).scalar()
        )
        == 1
    )


@pytest.mark.parametrize(
    "parts",
    [
        [],
        card(),
        [{"type": "poll", "question": "?", "options": [{"text": "a"}, {"text": "b"}]}],
        [{"type": "checklist", "items": [{"text": "a"}]}],
        [{"type": "card", "title": "x", "url": "javascript:alert(1)"}],
    ],
)
async def test_answers_are_checked(chat: World, parts: Any) -> None:
    id = await press(chat, await shown(chat))
    await chat.refused(ErrorCode.VALIDATION_FAILED, "cards.answer", "bot", invocation=id, parts=parts)


async def test_nobody_is_answered_who_is_gone_or_has_blocked_the_program(chat: World) -> None:
    of = await shown(chat)
    id = await press(chat, of)
    await chat.do("blocks.add", "bob", user="bot")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cards.answer", "bot", invocation=id, parts=text("x"))
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cards.press", "bob", **of, action="approve")
    await chat.do("blocks.remove", "bob", user="bot")
    await chat.do("members.leave", "bob", conversation=of["conversation"])
    await chat.refused(ErrorCode.CONFLICT, "cards.answer", "bot", invocation=id, parts=text("x"))
    id = await press(chat, of, "ada")
    await chat.do("members.remove", "ada", conversation=of["conversation"], user="bot")
    answers: tuple[dict[str, Any], ...] = ({"parts": text("x")}, {"update": text("x")})
    for params in answers:
        await chat.refused(ErrorCode.NOT_FOUND, "cards.answer", "bot", invocation=id, **params)
    await chat.refused(ErrorCode.CONFLICT, "cards.press", "ada", at="message", **of, action="approve")


@pytest.mark.parametrize(
    ("params", "code", "at"),
    [
        ({"action": "none"}, ErrorCode.NOT_FOUND, "action"),
        ({"action": ""}, ErrorCode.VALIDATION_FAILED, "action"),
        ({"action": "a b"}, ErrorCode.VALIDATION_FAILED, "action"),
        ({"action": "docs"}, ErrorCode.VALIDATION_FAILED, "action"),
        ({"action": "approve", "value": "18"}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "day"}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "day", "value": "sun"}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "why", "value": "because"}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "why", "value": " "}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "why", "value": "a\u0000"}, ErrorCode.VALIDATION_FAILED, "value"),
        ({"action": "why", "value": 3}, ErrorCode.VALIDATION_FAILED, "value"),
    ],
)
async def test_what_a_card_does_not_offer(chat: World, params: Any, code: ErrorCode, at: str) -> None:
    of = await shown(chat)
    await chat.refused(code, "cards.press", "bob", at=at, **of, **params)


async def test_who_may_not_press(chat: World) -> None:
    of = await shown(chat)
    id = of["conversation"]
    pressed: dict[str, Any] = {**of, "action": "approve"}
    await chat.users("eve")
    await chat.refused(ErrorCode.NOT_FOUND, "cards.press", "eve", at="conversation", **pressed)
    await chat.refused(ErrorCode.BAD_REQUEST, "cards.press", "", **pressed)
    other = {"conversation": id, "message": (await say(chat, id, "bot", "hello")).seq, "action": "approve"}
    await chat.refused(ErrorCode.NOT_FOUND, "cards.press", "bob", at="message", **other)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, "cards.press", "bob", **pressed)
    await chat.do("conversations.update", "ada", conversation=id, closed=False)
    await chat.do("conversations.update", "ada", conversation=id, permissions={"react": "owner"})
    await chat.refused(ErrorCode.PERMISSION_DENIED, "cards.press", "bob", **pressed)
    await chat.do("messages.delete", "ada", **of)
    await chat.refused(ErrorCode.MESSAGE_DELETED, "cards.press", "ada", at="message", **pressed)


async def test_it_is_found_by_what_it_says(chat: World) -> None:
    id = await chat.group("ada")
    fields = [{"label": "Customer", "value": "Grace"}]
    await chat.do("messages.send", "ada", conversation=id, parts=card(text="Two *boxes*", fields=fields))
    for query in ("order", "boxes", "customer", "grace"):
        assert len((await chat.do("search", "ada", query=query)).hits) == 1, query


# --- the server's own program -------------------------------------------------------------------------------------


async def test_the_application_answers_for_the_server(chat: World) -> None:
    asked: list[Press] = []

    async def answer(press: Press) -> Answer | None:
        asked.append(press)
        if press.action == "day":
            return None
        return Answer(parts=(text("Thank you")[0],), update=(text("Approved")[0],))

    chat.chat.on_press = answer
    of = await shown(chat, "")
    id = await press(chat, of, action="day", value="mon")
    await pass_time(chat, 1.0)
    assert asked == [Press(id, of["conversation"], of["message"], "bob", "day", "mon")]
    assert await heard(chat, "bob") == []
    await press(chat, of)
    await pass_time(chat, 1.0)
    (event,) = await heard(chat, "bob")
    assert isinstance(event, CardAnswered)
    assert said(await chat.do("messages.get", "bob", **of)) == ["Approved"]
    await pass_time(chat, 120.0)
    assert len(asked) == 2


async def test_a_press_is_not_lost_when_the_application_fails(chat: World) -> None:
    tries: list[str] = []

    async def answer(press: Press) -> Answer:
        tries.append(press.invocation)
        if len(tries) < 3:
            raise HubbubError(ErrorCode.INTERNAL)
        return Answer(parts=(text("At last")[0],))

    chat.chat.on_press = answer
    id = await press(chat, await shown(chat, ""))
    await pass_time(chat, 60.0, step=1.0)
    assert tries == [id] * 3
    assert len(await heard(chat, "bob")) == 1


async def test_nobody_asks_where_there_is_no_program(chat: World) -> None:
    of = await shown(chat, "")
    id = await press(chat, of)
    await quiet(chat)
    await chat.do("cards.answer", "", invocation=id, parts=text("By hand"))
    assert len(await heard(chat, "bob")) == 1
