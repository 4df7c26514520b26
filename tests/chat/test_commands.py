from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.chat.later import pass_time, quiet
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.chat.commands import Argument, Command, Given, program
from hubbub.chat.events import CommandAnswered, CommandInvoked
from hubbub.chat.invocations import ANSWERABLE, ANSWERS
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
WHEN = {"name": "when", "description": "At what time", "required": True, "choices": ["now", "later"]}


async def bots(chat: World, *ids: str) -> None:
    for id in ids:
        await chat.user(id, kind="agent")


async def place(chat: World) -> str:
    """A group of ada, bob and the bot, which has a command."""
    await bots(chat, "bot")
    id = await chat.group("ada", "bob", "bot")
    await chat.do("commands.register", "bot", name="remind", arguments=[{**WHEN, "required": False}])
    return id


async def give(chat: World, id: str, user: str = "bob", **params: Any) -> str:
    params.setdefault("name", "remind")
    found: str = (await chat.do("commands.invoke", user, conversation=id, **params)).invocation
    return found


async def heard(chat: World, user: str) -> list[CommandInvoked | CommandAnswered]:
    return [each for each in await chat.inbox(user) if isinstance(each, CommandInvoked | CommandAnswered)]


async def names(chat: World, user: str, **params: Any) -> list[str]:
    return [each.name for each in (await chat.do("commands.list", user, **params)).commands]


# --- registering --------------------------------------------------------------------------------------------------


async def test_programs_register_commands(chat: World) -> None:
    await bots(chat, "bot", "other")
    await chat.users("ada")
    made = await chat.do(
        "commands.register",
        "bot",
        name="remind",
        description=" Remind \n me ",
        usage="[what]",
        arguments=[WHEN],
    )
    when = Argument("when", "At what time", True, ("now", "later"))
    assert made == Command("remind", "bot", "Remind me", "[what]", (when,))
    await chat.do("commands.register", "bot", name="remind", kinds=["group", "group"])
    assert (await chat.do("commands.list", "bot")).commands == (Command("remind", "bot", kinds=("group",)),)
    assert await names(chat, "other") == await names(chat, "ada") == []
    await chat.refused(ErrorCode.CONFLICT, "commands.register", "other", at="name", name="remind")
    await chat.refused(ErrorCode.NOT_FOUND, "commands.unregister", "other", at="name", name="remind")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "commands.register", "ada", name="mine")
    for params, at in (({"owner": "other"}, "owner"), ({"everywhere": True}, "everywhere")):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "commands.register", "bot", at=at, name="x", **params)
    await chat.do("commands.register", "", name="remind", owner="other")
    await chat.refused(ErrorCode.NOT_FOUND, "commands.register", "", at="owner", name="x", owner="nobody")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "commands.register", "", at="owner", name="x")
    assert await names(chat, "") == ["remind"]
    await chat.do("commands.unregister", "other", name="remind")
    await chat.refused(ErrorCode.NOT_FOUND, "commands.unregister", "", at="name", name="remind")


@pytest.mark.parametrize(
    "params",
    [
        *(
            {"name": name}
            for name in ("", "Remind", "/remind", "a b", "-a", "a" * 33, "é", "a\x00", "a;drop")
        ),
        {"arguments": [{"name": "a"}, {"name": "a"}]},
        {"arguments": [{"name": "A"}]},
        {"arguments": [{"name": "a", "choices": ["\x00"]}]},
        {"description": "\x07"},
        {"kinds": ["no such"]},
    ],
)
async def test_what_is_registered_is_checked(chat: World, params: dict[str, Any]) -> None:
    await bots(chat, "bot")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "commands.register", "bot", **{"name": "x", **params})


async def test_limits(database: str) -> None:
    async with limited(database, limits={"commands": 2, "option_length": 5}) as chat:
        await bots(chat, "bot")
        for name in ("a", "b", "a"):
            await chat.do("commands.register", "bot", name=name, description="12345")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "commands.register", "bot", at="name", name="c")
        for field in ("description", "usage"):
            await chat.refused(
                ErrorCode.LIMIT_EXCEEDED, "commands.register", "bot", at=field, name="a", **{field: "123456"}
            )


async def test_where_commands_work(chat: World) -> None:
    await bots(chat, "bot", "away")
    group = await chat.group("ada", "bot")
    topic = await chat.topic("ada", "bot")
    await chat.do("commands.register", "bot", name="a")
    await chat.do("commands.register", "bot", name="b", kinds=["topic"])
    await chat.do("commands.register", "away", name="c")
    await chat.do("commands.register", "", name="d", owner="away", everywhere=True)
    assert await names(chat, "ada", conversation=group) == ["a", "d"]
    assert await names(chat, "ada", conversation=topic) == ["a", "b", "d"]
    for name in ("b", "c", "nothing"):
        await chat.refused(
            ErrorCode.NOT_FOUND, "commands.invoke", "ada", at="name", conversation=group, name=name
        )
    await give(chat, group, "ada", name="d")
    (event,) = await heard(chat, "away")
    await chat.do("commands.answer", "away", invocation=event.invocation, parts=text("from afar"))
    assert len(await heard(chat, "ada")) == 1
    await chat.do("members.leave", "bot", conversation=group)
    assert await names(chat, "ada", conversation=group) == ["d"]
    page = await chat.do("commands.list", "ada", conversation=topic, limit=2)
    assert [each.name for each in page.commands] == ["a", "b"]
    assert await names(chat, "ada", conversation=topic, limit=2, cursor=page.next) == ["d"]


# --- giving -------------------------------------------------------------------------------------------------------


async def test_the_program_hears_of_it_and_nobody_else(chat: World) -> None:
    id = await place(chat)
    head = len(await chat.log(id))
    root = await say(chat, id, "ada", "root")
    made = await give(chat, id, text="me cafe\u0301", arguments={"when": "now"}, thread=root.seq)
    (event,) = await heard(chat, "bot")
    assert isinstance(event, CommandInvoked)
    assert (event.invocation, event.conversation, event.user, event.name) == (made, id, "bob", "remind")
    assert (event.text, event.arguments, event.thread) == ("me café", {"when": "now"}, root.seq)
    assert await heard(chat, "ada") == []
    assert len(await chat.log(id)) == head + 1
    again = await chat.do("commands.invoke", "bob", conversation=id, name="remind", idempotency_key="k")
    assert (
        await chat.do("commands.invoke", "bob", conversation=id, name="remind", idempotency_key="k") == again
    )
    assert len(await heard(chat, "bot")) == 2


async def test_it_is_answered_to_who_has_given_it(chat: World) -> None:
    id = await place(chat)
    made = await give(chat, id)
    await chat.do("commands.answer", "bot", invocation=made, parts=text("You will be."))
    (event,) = await heard(chat, "bob")
    assert isinstance(event, CommandAnswered)
    assert (event.invocation, event.conversation, event.name, event.failed) == (made, id, "remind", False)
    assert msgspec.json.decode(event.parts[0]) == text("You will be.")[0]
    assert await heard(chat, "ada") == []


async def test_arguments_are_checked(chat: World) -> None:
    id = await place(chat)
    for arguments in ({"when": "never"}, {"what": "x"}, {"when": "\x00"}):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED,
            "commands.invoke",
            "bob",
            conversation=id,
            name="remind",
            arguments=arguments,
        )
    await give(chat, id, arguments={"when": ""})
    await chat.do("commands.register", "bot", name="remind", arguments=[WHEN])
    for given in ({}, {"when": ""}):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED,
            "commands.invoke",
            "bob",
            at="arguments.when",
            conversation=id,
            name="remind",
            arguments=given,
        )


async def test_long_texts(database: str) -> None:
    async with limited(database, limits={"text_length": 10}) as chat:
        id = await place(chat)
        await chat.do("commands.register", "bot", name="remind", arguments=[{"name": "a"}])
        await give(chat, id, text="0123456", arguments={"a": "789"})
        for params in ({"text": "x" * 11}, {"text": "01234567", "arguments": {"a": "789"}}):
            await chat.refused(
                ErrorCode.MESSAGE_TOO_LARGE,
                "commands.invoke",
                "bob",
                conversation=id,
                name="remind",
                **params,
            )


async def test_who_may_not_give_it(chat: World) -> None:
    id = await place(chat)
    params: dict[str, Any] = {"conversation": id, "name": "remind"}
    await chat.users("eve")
    await chat.refused(ErrorCode.NOT_FOUND, "commands.invoke", "eve", at="conversation", **params)
    await chat.do("members.update", "ada", conversation=id, user="bob", role="reader")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "commands.invoke", "bob", **params)
    await chat.do("members.update", "ada", conversation=id, user="bob", role="member")
    await chat.do("blocks.add", "bot", user="bob")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "commands.invoke", "bob", at="name", **params)
    await chat.do("restrictions.set", "", user="ada", kind="mute", conversation=id)
    await chat.refused(ErrorCode.RESTRICTED, "commands.invoke", "ada", **params)
    await chat.do("restrictions.lift", "", user="ada", kind="mute", conversation=id)
    await chat.do("conversations.update", "ada", conversation=id, closed=True)
    await chat.refused(ErrorCode.CONVERSATION_CLOSED, "commands.invoke", "ada", **params)


async def test_who_may_answer_and_how_often(chat: World) -> None:
    id = await place(chat)
    made = await give(chat, id)
    answer: dict[str, Any] = {"invocation": made, "parts": text("x")}
    for user in ("ada", "bob", ""):
        await chat.refused(ErrorCode.NOT_FOUND, "commands.answer", user, at="invocation", **answer)
    await chat.refused(ErrorCode.NOT_FOUND, "cards.answer", "bot", at="invocation", **answer)
    for parts in ([], [{"type": "poll", "question": "?", "options": [{"text": "a"}, {"text": "b"}]}]):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "commands.answer", "bot", invocation=made, parts=parts
        )
    for _ in range(ANSWERS):
        await chat.do("commands.answer", "bot", **answer)
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "commands.answer", "bot", at="invocation", **answer)
    other = await give(chat, id)
    await chat.do("members.leave", "bob", conversation=id)
    await chat.refused(ErrorCode.CONFLICT, "commands.answer", "bot", invocation=other, parts=text("x"))
    late = await give(chat, id, "ada")
    chat.clock.advance(ANSWERABLE + 1)
    await chat.refused(ErrorCode.NOT_FOUND, "commands.answer", "bot", invocation=late, parts=text("x"))


# --- the server's own ---------------------------------------------------------------------------------------------


async def test_the_servers_own_program_answers(chat: World) -> None:
    asked: list[Given] = []

    async def dice(given: Given) -> list[Any]:
        asked.append(given)
        return text("six")

    chat.chat.programs["roll"] = program(Command("roll", arguments=(Argument("sides"),)), dice)
    id = await place(chat)
    await chat.refused(ErrorCode.CONFLICT, "commands.register", "bot", at="name", name="roll")
    assert await names(chat, "bob", conversation=id) == ["remind", "roll"]
    made = await give(chat, id, name="roll", text="two", arguments={"sides": "6"})
    await quiet(chat)
    assert asked == [Given(made, id, "bob", "roll", "two", {"sides": "6"})]
    (event,) = await heard(chat, "bob")
    assert isinstance(event, CommandAnswered)
    assert msgspec.json.decode(event.parts[0]) == text("six")[0]


async def test_programs_that_fail_say_so(chat: World) -> None:
    async def broken(given: Given) -> list[Any]:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "not today")

    async def silent(given: Given) -> None:
        await asyncio.sleep(0)

    async def wrong(given: Given) -> list[Any]:
        return [{"type": "poll"}]

    for name, run in (("broken", broken), ("silent", silent), ("wrong", wrong)):
        chat.chat.programs[name] = program(Command(name), run)
    id = await place(chat)
    for name in ("broken", "silent", "wrong"):
        await give(chat, id, name=name)
    await quiet(chat)
    told = [each for each in await heard(chat, "bob") if isinstance(each, CommandAnswered)]
    assert sorted((each.name, each.failed, each.parts) for each in told) == [
        ("broken", True, ()),
        ("wrong", True, ()),
    ]


async def test_a_program_that_was_taken_away(chat: World) -> None:
    async def slow(given: Given) -> list[Any]:
        return text("x")

    chat.chat.programs["slow"] = program(Command("slow"), slow)
    id = await place(chat)
    chat.chat.programs["slow"] = program(Command("slow"), slow)
    await chat.chat.agenda.stop()
    await give(chat, id, name="slow")
    del chat.chat.programs["slow"]
    chat.chat.agenda.start()
    await quiet(chat)
    assert await heard(chat, "bob") == [], "another node may know it"
    await pass_time(chat, ANSWERABLE * 2, step=600.0)
    (event,) = await heard(chat, "bob")
    assert isinstance(event, CommandAnswered)
    assert event.failed


def test_names_of_programs() -> None:
    async def run(given: Given) -> None: ...

    for name in ("", "A", "/x", "a b"):
        with pytest.raises(ValueError, match="no name of a command"):
            program(Command(name), run)
