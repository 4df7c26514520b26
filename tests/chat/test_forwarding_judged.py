"""What is forwarded is judged as what is sent, in each conversation that it goes to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.sharing import shared, stored
from tests.chat.talk import say, words
from tests.chat.world import World

from hubbub.chat.model import Forwarded
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Judgement

pytestmark = pytest.mark.anyio


class Hook:
    """Says of each conversation what it was told to say, and keeps what it was asked."""

    def __init__(self, world: World) -> None:
        self.says: dict[str, Judgement | HubbubError] = {}
        self.asked: list[Draft] = []
        world.chat.moderation.hooks.judges.append(self)

    async def __call__(self, draft: Draft) -> Judgement | None:
        self.asked.append(draft)
        said = self.says.get(draft.conversation)
        if isinstance(said, HubbubError):
            raise said
        return said


async def test_each_conversation_judges(chat: World) -> None:
    source, one, other = [await chat.group("ada", "bob") for _ in range(3)]
    told = await say(chat, source, "ada", "buy")
    hook = Hook(chat)
    of: dict[str, Any] = {"conversation": source, "message": told.seq, "to": [one, other]}
    for said in (Judgement("reject", "no"), HubbubError(ErrorCode.REJECTED, "no", field="parts")):
        hook.says = {other: said}
        await chat.refused(ErrorCode.REJECTED, "messages.forward", "bob", at="to[1]", **of)
    assert [(each.sender, each.conversation, each.text) for each in hook.asked[:2]] == [
        ("bob", one, "buy"),
        ("bob", other, "buy"),
    ]
    hook.says = {other: Judgement("mask", parts=({"type": "text", "text": "***"},))}
    result = await chat.do("messages.forward", "bob", **of)
    assert words([each.message for each in result.sent]) == ["buy", "***"]
    assert [each.message.options.masked for each in result.sent] == [False, True]
    assert result.sent[1].message.options.forwarded == Forwarded("ada", told.created)


async def test_what_is_held_is_forwarded_once_it_is_approved(chat: World) -> None:
    source, to = await chat.group("ada", "bob"), await chat.group("bob", "carl")
    row = await stored(chat, "ada")
    seq = await shared(chat, "ada", source, row.id)
    Hook(chat).says = {to: Judgement("hold", "let me see")}
    result = await chat.do("messages.forward", "bob", conversation=source, message=seq, to=[to])
    (sent,) = result.sent
    assert (sent.held is not None, sent.message.seq) == (True, 0)
    with pytest.raises(HubbubError):
        await chat.do("files.get", "carl", file=row.id)
    (case,) = (await chat.do("cases.list", "")).cases
    await chat.do("cases.decide", "", case=case.id, action="approve")
    page = await chat.do("messages.list", "carl", conversation=to)
    message = page.messages[-1]
    assert message.sender == "bob"
    assert message.options.forwarded.sender == "ada"
    assert msgspec.json.decode(message.parts[0])["file"] == row.id
    assert (await chat.do("files.get", "carl", file=row.id)).id == row.id


async def test_an_edit_meanwhile_is_not_slipped_past_them(chat: World) -> None:
    source, to = await chat.group("ada", "bob"), await chat.group("bob")
    told = await say(chat, source, "ada", "hello")
    of: dict[str, Any] = {"conversation": source, "message": told.seq}

    async def edits(draft: Draft) -> Judgement | None:
        if draft.conversation == to:
            parts = [{"type": "text", "text": f"buy {chat.clock.now()}"}]
            await chat.do("messages.edit", "ada", **of, parts=parts)
        return None

    chat.chat.moderation.hooks.judges.append(edits)
    with pytest.raises(HubbubError) as failure:
        await chat.do("messages.forward", "bob", **of, to=[to])
    assert failure.value.code == ErrorCode.CONFLICT
    chat.chat.moderation.hooks.judges.clear()

    async def deletes(draft: Draft) -> Judgement | None:
        await chat.do("messages.delete", "ada", **of)
        return None

    chat.chat.moderation.hooks.judges.append(deletes)
    with pytest.raises(HubbubError) as failure:
        await chat.do("messages.forward", "bob", **of, to=[to])
    assert failure.value.code == ErrorCode.MESSAGE_DELETED
    assert (await chat.do("search", "bob", query="hello")).hits == ()
