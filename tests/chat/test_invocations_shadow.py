"""Presses and commands of who is shadowed: they look done, and reach no program."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat import checks, test_cards, test_commands
from tests.chat.later import pass_time
from tests.chat.review import restrict
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.cards import Answer, Press
from hubbub.chat.commands import Command, Given, program
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_press_looks_done(chat: World, everywhere: bool) -> None:
    of = await test_cards.shown(chat)
    other = await test_cards.press(chat, of)
    where = {} if everywhere else {"conversation": of["conversation"]}
    await restrict(chat, "", "bob", "shadow", **where)
    before = await chat.read(checks.everything)
    pressed = await test_cards.press(chat, of)
    assert len(pressed) == len(other)
    assert pressed != other
    assert await chat.read(checks.everything) == before
    await chat.refused(ErrorCode.NOT_FOUND, "cards.answer", "bot", invocation=pressed, parts=text("x"))
    assert len(await test_cards.heard(chat, "bot")) == 1
    # What is wrong with it is said, as to anybody.
    await chat.refused(ErrorCode.NOT_FOUND, "cards.press", "bob", **of, action="nothing")
    await test_cards.press(chat, of, user="ada")
    assert len(await test_cards.heard(chat, "bot")) == 2


async def test_the_application_hears_of_no_press(chat: World) -> None:
    asked: list[Press] = []

    async def answer(press: Press) -> Answer | None:
        asked.append(press)
        return None

    chat.chat.on_press = answer
    of = await test_cards.shown(chat, "")
    await restrict(chat, "", "bob", "shadow")
    await test_cards.press(chat, of)
    await pass_time(chat, 1.0)
    assert asked == []


async def test_a_command_looks_given(chat: World) -> None:
    id = await test_commands.place(chat)
    other = await test_commands.give(chat, id)
    await restrict(chat, "ada", "bob", "shadow", conversation=id)
    before = await chat.read(checks.everything)
    given = await test_commands.give(chat, id)
    assert len(given) == len(other)
    assert await chat.read(checks.everything) == before
    await chat.refused(ErrorCode.NOT_FOUND, "commands.answer", "bot", invocation=given, parts=text("x"))
    assert len(await test_commands.heard(chat, "bot")) == 1
    wrong: dict[str, Any] = {"conversation": id, "name": "remind", "arguments": {"where": "here"}}
    await chat.refused(ErrorCode.VALIDATION_FAILED, "commands.invoke", "bob", **wrong)


async def test_the_server_s_own_command_is_not_run(chat: World) -> None:
    runs: list[Given] = []

    async def run(given: Given) -> None:
        runs.append(given)

    chat.chat.programs["poll"] = program(Command("poll", None, "Ask"), run)
    id = await chat.group("ada", "bob")
    await restrict(chat, "", "bob", "shadow")
    await test_commands.give(chat, id, name="poll")
    await pass_time(chat, 1.0)
    assert runs == []


async def test_elsewhere_and_to_one_s_own_program_it_is_one(chat: World) -> None:
    id = await test_commands.place(chat)
    other = await chat.group("ada", "bob")
    await restrict(chat, "ada", "bob", "shadow", conversation=other)
    await test_commands.give(chat, id)
    assert len(await test_commands.heard(chat, "bot")) == 1
    await restrict(chat, "", "bot", "shadow")
    await test_commands.give(chat, id, "bot")
    assert len(await test_commands.heard(chat, "bot")) == 2
