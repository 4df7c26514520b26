"""What all share: told live, and to devices that were away."""

from __future__ import annotations

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
URL = "https://example.org/parrot.gif"


async def test_changes_are_told(database: str) -> None:
    async with chat_server(database, attachments={"enabled": False}) as server:
        await do(server, "users.upsert", "", user="ada")
        async with Wire.open(server, "ada") as ada:
            await ada.subscribe("catalogue:all")
            await do(server, "emoji.add", "", name="parrot", url=URL)
            assert (await ada.heard("emoji.changed"))["name"] == "parrot"
            await do(server, "groups.upsert", "", group="support")
            assert (await ada.heard("group.changed"))["group"] == "support"
            await do(server, "emoji.remove", "", name="parrot")
            await ada.heard("emoji.changed", removed=True)
            await do(server, "groups.delete", "", group="support")
            await ada.heard("group.changed", removed=True)
            with pytest.raises(RefusedError) as refused:
                await ada.subscribe("catalogue:other")
            assert refused.value.code == ErrorCode.NOT_FOUND


async def test_devices_that_were_away_learn_of_it(chat: World) -> None:
    await chat.users("ada")
    first = await chat.do("sync", "ada")
    assert not first.catalogue
    await chat.do("emoji.add", "", name="parrot", url=URL)
    second = await chat.do("sync", "ada", token=first.token)
    assert second.catalogue
    # It may be told again while PostgreSQL has older transactions under way, of whatever database.
    third = await chat.do("sync", "ada", token=second.token)
    while third.catalogue:
        third = await chat.do("sync", "ada", token=third.token)
    await chat.do("groups.upsert", "", group="support")
    assert (await chat.do("sync", "ada", token=third.token)).catalogue
    assert (await chat.do("sync", "ada", token=first.token)).catalogue
    assert (await chat.do("sync", "ada")).catalogue, "there is something to be asked for"
