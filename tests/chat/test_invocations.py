"""What presses and commands have in common; `test_cards` and `test_commands` have the rest."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.talk import text
from tests.chat.test_cards import press, shown
from tests.chat.world import World

from hubbub.chat.invocations import ANSWERABLE, encoded
from hubbub.errors import ErrorCode
from hubbub.storage.tables import invocations

pytestmark = pytest.mark.anyio


async def kept(chat: World) -> list[str]:
    query = sa.select(invocations.c.kind).order_by(invocations.c.created)
    return await chat.read(lambda view: list(view.execute(query).scalars()))


async def test_a_press_is_no_command(chat: World) -> None:
    of = await shown(chat)
    await chat.user("bot", kind="agent")
    await chat.do("commands.register", "bot", name="remind")
    pressed = await press(chat, of)
    given = (
        await chat.do("commands.invoke", "bob", conversation=of["conversation"], name="remind")
    ).invocation
    assert await kept(chat) == ["press", "command"]
    for operation, invocation in (("cards.answer", given), ("commands.answer", pressed)):
        await chat.refused(
            ErrorCode.NOT_FOUND, operation, "bot", at="invocation", invocation=invocation, parts=text("x")
        )
    await chat.do("cards.answer", "bot", invocation=pressed, parts=text("x"))
    await chat.do("commands.answer", "bot", invocation=given, parts=text("x"))


async def test_old_ones_go_with_new_ones_of_their_kind(chat: World) -> None:
    of = await shown(chat)
    await chat.user("bot", kind="agent")
    await chat.do("commands.register", "bot", name="remind")
    await press(chat, of)
    await chat.do("commands.invoke", "bob", conversation=of["conversation"], name="remind")
    chat.clock.advance(ANSWERABLE + 1)
    await press(chat, of)
    assert sorted(await kept(chat)) == ["command", "press"]


def test_what_programs_give_is_json() -> None:
    assert [bytes(each) for each in encoded([{"type": "text"}, {"a": 1}])] == [b'{"type":"text"}', b'{"a":1}']
