"""Counts of unread messages, where answers and events overtake each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.client.places import chat_server, until

from hubbub.client import Client
from hubbub.client.chat.operations.conversations import ConversationsNewMember

pytestmark = pytest.mark.anyio
Meanwhile = Callable[[], Awaitable[object]]


class Two:
    """Ada and Bob in a conversation, in which Ada has said two things."""

    def __init__(self, ada: Client, bob: Client, id: str) -> None:
        self.ada, self.bob, self.id = ada, bob, id

    @property
    def unread(self) -> int:
        return self.bob.chat.conversation(self.id).membership.unread

    async def say(self, who: Client, text: str) -> None:
        seq = (await (await who.chat.send(self.id, text))).seq
        await until(lambda: self.bob.chat.conversation(self.id).seq >= seq)


@pytest.fixture
async def two(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Two]:
    async with (
        chat_server(sqlite_url, tmp_path) as server,
        Client(server.url, server.token("ada")) as ada,
        Client(server.url, server.token("bob")) as bob,
    ):
        bob.chat.marks_delivered = False
        await bob.chat.start()
        await ada.chat.start()
        made = await ada.chat.conversations.create("group", members=[ConversationsNewMember("bob")])
        id = made.conversation.id
        await until(lambda: id in bob.chat.store.known)
        two = Two(ada, bob, id)
        await two.say(ada, "one")
        await two.say(ada, "two")
        yield two


def late(group: Any, name: str, meanwhile: Meanwhile) -> list[Any]:
    """Have something happen once between an answer and its coming; the answers so far."""
    ask, due, answers = getattr(group, name), [meanwhile], []

    async def asked(*given: Any, **more: Any) -> Any:
        answer = await ask(*given, **more)
        if due:
            await due.pop()()
        answers.append(answer)
        return answer

    setattr(group, name, asked)
    return answers


async def test_what_one_has_said_meanwhile_is_not_unread_again(two: Two) -> None:
    late(two.bob.chat.receipts, "mark", lambda: two.say(two.bob, "three"))
    answers = late(two.bob.chat.conversations, "get", lambda: two.say(two.bob, "four"))
    seq = two.bob.chat.conversation(two.id).seq
    await two.bob.chat.mark_read(two.id, seq - 1)
    assert two.unread == 0
    await until(lambda: len(answers) == 2)  # the first was overtaken, too
    await until(lambda: not two.bob.chat.store.recount)
    assert two.unread == 0


async def test_what_others_have_said_meanwhile_stays_unread(two: Two) -> None:
    late(two.bob.chat.receipts, "mark", lambda: two.say(two.ada, "three"))
    answers = late(two.bob.chat.conversations, "get", lambda: two.say(two.ada, "four"))
    await two.bob.chat.mark_read(two.id)
    await until(lambda: len(answers) == 2)
    await until(lambda: two.unread == 2)
    assert not two.bob.chat.store.recount


async def test_an_answer_that_nothing_has_overtaken_is_taken(two: Two) -> None:
    answers = late(two.bob.chat.conversations, "get", lambda: two.say(two.ada, "three"))
    assert two.unread == 2
    await two.bob.chat.mark_read(two.id, two.bob.chat.conversation(two.id).seq - 1)
    assert two.unread == 1
    await two.bob.chat.delivered({two.id: 1})
    assert two.unread == 1
    assert answers == []
