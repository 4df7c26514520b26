from __future__ import annotations

import asyncio

import pytest
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.demo import bustle as life
from hubbub.demo.cast import ADA, DESIGN, PLACES
from hubbub.demo.history import Week
from hubbub.testing.server import running_server
from hubbub.transfer.importing import Importer

pytestmark = pytest.mark.anyio


async def test_colleagues_come_show_something_and_go_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "TYPING", (0.0, 0.01))
    async with running_server(
        chat={"enabled": True},
        storage={"url": sqlite_url},
        attachments={"url": "memory:"},
        previews={"enabled": False},
    ) as server:
        chat = server.app.chat
        await Importer(chat.store, server.app.config, Week(1e9), strict=True).run()
        task = asyncio.create_task(life.bustle(server.url, server.token, pace=0.01, seed=3))
        shown: list[object] = []

        async def look() -> list[object]:
            page = await chat.call("messages.list", as_user=ADA, conversation=DESIGN, limit=20)
            return [
                message for message in page.messages if b"dark-mode-accent.png" in b"".join(message.parts)
            ]

        async with asyncio.timeout(60):
            while not shown:
                shown = await look()
                await asyncio.sleep(0.02)
        assert len(server.app.hub.sessions) == len(life.PRESENT)
        began = await counts(server.app)
        async with asyncio.timeout(60):
            while await counts(server.app) < began + 5:  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not any(session.connection for session in server.app.hub.sessions.values()))


async def counts(app: Hubbub) -> int:
    """How many messages there are in all places."""
    total = 0
    for place in PLACES:
        found = await app.chat.call("conversations.get", conversation=place.id)
        total += found.conversation.messages
    return total


def test_everybody_speaks_only_where_they_are() -> None:
    people = {place.id: place.people for place in PLACES}
    for user, places in life.WHERE.items():
        assert all(user in people[place] for place in places)
    assert set(life.PRESENT) == life.WHERE.keys()
