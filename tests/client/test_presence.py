from __future__ import annotations

import asyncio

import pytest
from tests.client.places import take, until

from hubbub.client import Client
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_who_is_there_is_kept_true() -> None:
    async with (
        running_server(sessions={"presence_grace": 0.0}) as server,
        Client(server.url, server.token("ada")) as ada,
        ada.channel("a").members() as members,
    ):
        assert set(members.users) == {"ada"}
        changes = members.changes()
        async with Client(server.url, server.token("bob")) as bob, bob.channel("a").subscribe():
            async with asyncio.timeout(10):
                await members.until("ada", "bob")
            assert "bob" in members
            assert members.count == 2
        await until(lambda: members.count == 1)
        assert [set(each) for each in await take(changes, 3)] == [{"ada"}, {"ada", "bob"}, {"ada"}]


async def test_who_came_while_we_were_away_is_asked_for() -> None:
    async with (
        running_server() as server,
        Client(server.url, server.token("ada")) as ada,
        ada.channel("a").members() as members,
        Client(server.url, server.token("bob")) as bob,
    ):
        ada.drop()
        async with bob.channel("a").subscribe():
            await until(lambda: "bob" in members)


async def test_above_the_limit_there_are_numbers_only() -> None:
    options = {"presence": "full", "subscribe": "authenticated", "presence_limit": 1, "join_leave": True}
    async with (
        running_server(namespaces={"a": options}) as server,
        Client(server.url, server.token("bob")) as bob,
        bob.channel("a:1").subscribe(),
        Client(server.url, server.token("ada")) as ada,
        ada.channel("a:1").members() as members,
    ):
        assert (dict(members.users), members.count) == ({}, 2)
