"""Sessions that follow, where reading is not for every member."""

from __future__ import annotations

import pytest
from tests.chat.wire import Wire, chat_server, do, group, text

from hubbub.testing.server import RunningServer

pytestmark = pytest.mark.anyio


async def allow(server: RunningServer, conversation: str, rank: str) -> None:
    permissions = {"read": rank}
    await do(server, "conversations.update", "ada", conversation=conversation, permissions=permissions)


async def say(server: RunningServer, conversation: str, words: str) -> None:
    await do(server, "messages.send", "ada", conversation=conversation, parts=text(words))


def heard(wire: Wire, conversation: str) -> list[str]:
    created = wire.events("message.created", conversation=conversation)
    return [each["message"]["parts"][0]["text"] for each in created if "number" in each["message"]]


@pytest.mark.parametrize("first", ["sync", "added"])
async def test_a_session_is_where_its_user_may_read(database: str, first: str) -> None:
    async with chat_server(database) as server, Wire.open(server, "bob") as bob:
        open_one = await group(server, "ada", "bob")
        if first == "added":
            await bob.call("sync", live=True)
        shut = await group(server, "ada", "bob", permissions={"read": "moderator"})
        if first == "sync":
            await bob.call("sync", live=True)
        await say(server, shut, "one")
        await say(server, open_one, "two")
        await bob.heard("message.created", conversation=open_one)
        assert f"conversation:{shut}" not in bob.told("subscribed")
        await do(server, "members.update", "ada", conversation=shut, user="bob", role="moderator")
        await bob.heard("member.changed", conversation=shut)  # which lets it in
        await say(server, shut, "three")
        await bob.until(lambda wire: heard(wire, shut) == ["three"])
        await do(server, "members.update", "ada", conversation=shut, user="bob", role="member")
        await bob.until(lambda wire: f"conversation:{shut}" in wire.told("unsubscribed"))
        await say(server, shut, "four")
        await allow(server, shut, "member")
        await bob.heard("conversation.updated", conversation=shut)
        await say(server, shut, "five")
        await bob.until(lambda wire: heard(wire, shut)[1:])
        assert heard(bob, shut) == ["three", "five"]


async def test_nobody_is_let_in_where_it_has_left(database: str) -> None:
    async with chat_server(database) as server, Wire.open(server, "bob") as bob:
        id = await group(server, "ada", "bob", kind="topic", name="News", permissions={"read": "moderator"})
        await bob.call("sync", live=True)
        await do(server, "members.leave", "bob", conversation=id)
        await allow(server, id, "guest")
        other = await group(server, "ada", "bob")
        await bob.until(lambda wire: f"conversation:{other}" in wire.told("subscribed"))
        assert f"conversation:{id}" not in bob.told("subscribed")
