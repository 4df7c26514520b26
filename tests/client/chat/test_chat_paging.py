from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.client.places import chat_server, until

from hubbub.client import Client
from hubbub.client.chat import text_of
from hubbub.client.chat.conversation import Known

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ada(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with (
        chat_server(sqlite_url, tmp_path) as server,
        Client(server.url, server.token("ada")) as client,
    ):
        await client.chat.start()
        yield client


async def talk(ada: Client) -> Known:
    """A conversation of three messages, of which this device has only the last."""
    id = (await ada.chat.conversations.create("group", name="Ops")).conversation.id
    for text in ("one", "two", "three"):
        await (await ada.chat.send(id, text))
    await until(lambda: id in ada.chat.store.known and len(ada.chat.conversation(id).timeline()) == 3)
    there = ada.chat.conversation(id)
    last = there.timeline()[-1]
    there.messages, there.oldest = {last.seq: last}, last.seq
    return there


def slowly(ada: Client, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """Have something happen once between a page and its coming."""
    ask: Any = ada.chat.messages.list
    due = [meanwhile]

    async def list_(*given: Any, **more: Any) -> Any:
        page = await ask(*given, **more)
        if due:
            await due.pop()()
        return page

    ada.chat.messages.list = list_  # type: ignore[method-assign]


def shown(ada: Client, there: Known) -> list[str]:
    return [text_of(each) for each in ada.chat.conversation(there.id).timeline()]


async def test_an_edit_that_is_faster_than_a_page_stays(ada: Client) -> None:
    there = await talk(ada)

    async def meanwhile() -> None:
        seq = there.seq
        await ada.chat.messages.edit(there.id, there.oldest - 1, [{"type": "text", "text": "2"}])
        await until(lambda: there.seq > seq)

    slowly(ada, meanwhile)
    assert [text_of(each) for each in await ada.chat.load_before(there.id)] == ["one", "two"]
    assert shown(ada, there) == ["one", "2", "three"]


async def test_two_who_read_the_same_page_leave_no_hole(ada: Client) -> None:
    there = await talk(ada)

    async def meanwhile() -> None:
        await ada.chat.load_before(there.id, limit=1)

    slowly(ada, meanwhile)
    assert [text_of(each) for each in await ada.chat.load_before(there.id, limit=1)] == ["one"]
    assert shown(ada, there) == ["one", "two", "three"]


async def test_a_page_goes_into_what_a_sync_has_put_in_the_place_of_what_was(ada: Client) -> None:
    there = await talk(ada)

    async def meanwhile() -> None:
        last = there.messages[there.oldest]
        anew = Known(there.mine, there.seq, there.oldest, messages={last.seq: last})
        ada.chat.store.known[there.id] = anew
        await asyncio.sleep(0)

    slowly(ada, meanwhile)
    await ada.chat.load_before(there.id)
    assert shown(ada, there) == ["one", "two", "three"]


async def test_replies_are_read_anew_where_a_sync_has_put_another_in_the_place_of_what_was(
    ada: Client,
) -> None:
    there = await talk(ada)
    root = there.oldest
    await (await ada.chat.send(there.id, "reply", thread=root))
    await until(lambda: len(there.thread(root)) == 1)
    (reply,) = there.thread(root)

    async def meanwhile() -> None:
        anew = Known(there.mine, there.seq, there.oldest)
        ada.chat.store.known[there.id] = anew
        await ada.chat.messages.edit(there.id, reply.seq, [{"type": "text", "text": "edited"}])
        await until(lambda: anew.seq > there.seq)

    slowly(ada, meanwhile)
    await ada.chat.load_thread(there.id, root)
    assert [text_of(each) for each in ada.chat.conversation(there.id).thread(root)] == ["edited"]
