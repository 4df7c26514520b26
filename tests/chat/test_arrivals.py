from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from tests.chat.wire import Wire, chat_server, do
from tests.chat.world import World

from hubbub.chat import arrivals
from hubbub.chat.ledger import View
from hubbub.model import Principal
from hubbub.storage.tables import users

pytestmark = pytest.mark.anyio


def ids(view: View) -> list[str]:
    return list(view.execute(sa.select(users.c.id).order_by(users.c.id)).scalars())


async def test_the_first_token_makes_a_user_with_what_it_says(database: str) -> None:
    async with chat_server(database) as server:
        token = server.token("ada", kind="agent", info={"name": "Ada", "avatar": "https://a.example/ada.png"})
        async with Wire.open(server, "ada", token=token) as ada:
            me = await ada.call("me.get")
            profile = me.get("user", me)
            assert (profile["id"], profile["kind"], profile["name"]) == ("ada", "agent", "Ada")
            assert profile["avatar"] == "https://a.example/ada.png"


async def test_what_the_server_has_said_of_a_user_stands(database: str) -> None:
    async with chat_server(database) as server:
        await do(server, "users.upsert", "", user="ada", name="Countess")
        async with Wire.open(server, "ada", token=server.token("ada", info={"name": "Ada"})) as ada:
            me = await ada.call("me.get")
            assert me.get("user", me)["name"] == "Countess"


@pytest.mark.parametrize(
    "info",
    [
        b'{"name": 3}',
        b'"text"',
        b"[]",
        b'{"avatar": {}}',
        b'{"name": "a\\u0000b", "avatar": "javascript:alert(1)"}',
        b'{"name": "   "}',
    ],
)
async def test_what_a_token_says_wrongly_is_no_profile(chat: World, info: bytes) -> None:
    actor = await chat.chat.actor(Principal("ada", info=info))
    assert actor.user == "ada"
    assert await chat.read(ids) == ["ada"]
    made = await chat.do("users.get", "ada", user="ada")
    assert (made.name, made.avatar) == ("", None)


async def test_many_at_once_make_one_user_and_ask_once(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.gather(*[chat.chat.actor(Principal("ada")) for _ in range(20)])
    assert await chat.read(ids) == ["ada"]
    before = chat.metrics.commits
    await chat.chat.actor(Principal("ada"))
    assert chat.metrics.commits == before
    monkeypatch.setattr(arrivals, "REMEMBERED", 1)
    await chat.chat.actor(Principal("bob"))
    await chat.chat.actor(Principal("ada"))
    assert await chat.read(ids) == ["ada", "bob"]


async def test_a_long_name_is_cut_to_what_is_allowed(database: str) -> None:
    async with (
        chat_server(database, limits={"name_length": 5}) as server,
        Wire.open(server, "ada", token=server.token("ada", info={"name": "Ada Lovelace"})) as ada,
    ):
        me = await ada.call("me.get")
        assert me.get("user", me)["name"] == "Ada L"
