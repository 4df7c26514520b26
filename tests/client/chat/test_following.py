"""A store against a fresh read, whatever the network does. (tests/scenarios kills servers.)"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.client.chat.random_talk import talk
from tests.client.places import chat_server, until

from hubbub.chat.events import MessageCreated
from hubbub.client import Client
from hubbub.client.chat import Store, Synced, text_of
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio


def picture(store: Store) -> Any:
    """What of a store can be compared: of messages those that both know and show."""
    return {
        each.id: (
            each.conversation,
            msgspec.structs.replace(each.membership, delivered=0),  # other devices are not told
            each.seq,
            {message.seq: message for message in each.timeline() if message.seq >= each.oldest},
        )
        for each in store.known.values()
    }, sorted(store.bookmarks)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two pictures differ."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other}, key=str)
        return [at for name in names for at in differences(one.get(name), other.get(name), f"{path}/{name}")]
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [at for place, pair in pairs for at in differences(*pair, f"{path}/{place}")]
    if isinstance(one, msgspec.Struct) and type(one) is type(other):
        return [
            at
            for name in one.__struct_fields__
            for at in differences(getattr(one, name), getattr(other, name), f"{path}.{name}")
        ]
    return [f"{path}: {one!r} != {other!r}"]


async def settled(client: Client, fresh: Store) -> None:
    """Wait until all has come that there is."""
    with contextlib.suppress(TimeoutError):
        await until(lambda: picture(client.chat.store) == picture(fresh))
    assert differences(picture(client.chat.store), picture(fresh)) == []


@pytest.mark.parametrize("seed", range(3))
async def test_what_events_make_of_a_store_is_what_is_read_anew(
    sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    async with (
        chat_server(sqlite_url, tmp_path, chat={"sync_messages": 100}) as server,
        FaultProxy(server.host, server.port, seed=seed) as proxy,
    ):
        async with (
            Client(server.url, server.token("ada")) as ada,
            Client(server.url, server.token("bob")) as bob,
            Client(f"http://127.0.0.1:{proxy.port}", server.token("ada")) as phone,
        ):
            for client in (ada, bob, phone):
                await client.chat.start()
            for part in range(3):
                await talk([ada, bob], 25, seed * 10 + part)
                if part == 1:
                    phone.session._resumable = False  # another session: by a sync
                proxy.reset()
            async with Client(server.url, server.token("ada")) as fresh:
                await fresh.chat.start()
                for client in (ada, phone):
                    await settled(client, fresh.chat.store)
        await until(lambda: not proxy.connections)


async def test_a_long_absence_is_told(sqlite_url: str, tmp_path: Path) -> None:
    options = {"sync_events": 5, "sync_messages": 10}
    async with (
        chat_server(sqlite_url, tmp_path, chat=options) as server,
        Client(server.url, server.token("ada")) as ada,
        Client(server.url, server.token("ada")) as phone,
    ):
        await phone.chat.start()
        made = await ada.chat.conversations.create("group", name="G")
        id = made.conversation.id
        await until(lambda: id in phone.chat.store.known)
        for absence, told in ((3, ["n0", "n1", "n2"]), (30, None)):
            events = aiter(phone.chat)
            phone.session._resumable = False
            phone.session.link, link = None, phone.session.link  # it hears nothing more
            assert link is not None
            for number in range(absence):
                await ada.chat.messages.send(id, [{"type": "text", "text": f"n{number}"}])
            phone.session.link = link
            phone.drop()
            heard = []
            async for event in events:
                if isinstance(event, MessageCreated):
                    heard.append(text_of(event.message))
                if isinstance(event, Synced):
                    break
            assert phone.chat.conversation(id).seq == (await ada.chat.events.list(id, limit=1)).seq
            if told is not None:
                assert heard[-3:] == told


async def test_a_hole_is_paged(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token("ada")) as ada:
        await ada.chat.start()
        id = (await ada.chat.conversations.create("group", name="G")).conversation.id
        await until(lambda: id in ada.chat.store.known)
        known = ada.chat.conversation(id)
        known.seq -= 1  # as if an event had not come
        for number in range(3):
            await ada.chat.messages.send(id, [{"type": "text", "text": f"n{number}"}])
        await until(lambda: known.seq == 4)
        assert [text_of(each) for each in known.timeline()] == ["n0", "n1", "n2"]


async def test_a_sync_may_be_cut_anywhere(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path, chat={"sync_conversations": 3}) as server:
        async with Client(server.url, server.token("ada")) as ada:
            for number in range(10):
                made = await ada.chat.conversations.create("group", name=f"G{number}")
                await ada.chat.messages.send(made.conversation.id, [{"type": "text", "text": "a"}])
        async with FaultProxy(server.host, server.port) as proxy:
            proxy.to_client.reset_after = 2_500
            async with Client(f"http://127.0.0.1:{proxy.port}", server.token("ada"), patient=True) as phone:
                starting = asyncio.create_task(phone.chat.start())
                await until(lambda: phone.state.attempt >= 1)
                proxy.to_client.reset_after = None
                await starting
                assert len(phone.chat.store.known) == 10
                assert all(each.timeline() for each in phone.chat.store.conversations())
            await until(lambda: not proxy.connections)
