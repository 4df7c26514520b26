from __future__ import annotations

from pathlib import Path

import pytest
from tests.client.places import chat_server, until

from hubbub.auth.api_keys import new_key
from hubbub.client import Client, ClientError, ErrorCode, HubbubError
from hubbub.client.chat import text_of
from hubbub.client.chat.operations.conversations import ConversationsNewMember
from hubbub.client.server import Server

pytestmark = pytest.mark.anyio
SECRET = "s" * 32


async def test_a_backend_s_day(sqlite_url: str, tmp_path: Path) -> None:
    key, hashed = new_key()
    auth = {"hmac_secret": SECRET, "api_keys": [hashed]}
    async with (
        chat_server(sqlite_url, tmp_path, auth=auth) as running,
        Server(running.url, key, token_secret=SECRET) as server,
        Client(running.url, server.token("ada", info={"name": "Ada"})) as ada,
        ada.channel("orders/eu").subscribe() as orders,
    ):
        # Publishing.
        first = await server.publish("orders/eu", {"id": 7}, event="order.updated", key="k")
        assert (await server.publish("orders/eu", {"id": 7}, event="order.updated", key="k")).duplicate
        assert (await anext(orders)).data == {"id": 7}
        items = [{"channel": "orders/eu", "data": 1}, {"channel": "no good", "data": 1}]
        done, refused = await server.publish_many(items)
        assert done.published is not None
        assert refused.error is not None
        assert refused.error.code == ErrorCode.INVALID_CHANNEL
        assert all(each.published for each in await server.broadcast(["a", "b"], 1))
        assert (await server.publish_to_user("ada", 1)).sessions == 1
        assert (await server.publish_to_session(ada.state.session, 1)).sessions == 1
        # Channels.
        history = await server.history("orders/eu", since=first.position, limit=1)
        assert [each.offset for each in history.publications] == [2]
        newest = await server.history("orders/eu", limit=1, reverse=True)
        assert [each.offset for each in newest.publications] == [2]
        assert (await server.presence("orders/eu")).users == 1
        assert (await server.channel("orders/eu")).subscribers == 1
        assert [each.name for each in (await server.channels(prefix="orders")).channels] == ["orders/eu"]
        # Sessions.
        assert (await server.subscribe("ada", "news")).sessions == 1
        (session,) = [each async for each in server.sessions("ada")]
        assert set(session.channels) == {"orders/eu", "news"}
        assert [each.session async for each in server.sessions()] == [session.session]
        assert (await server.unsubscribe("ada", "news")).sessions == 1
        assert (await server.disconnect_session(session.session, code=3000)).sessions == 1
        await until(lambda: ada.state.session not in ("", session.session))
        assert (await server.disconnect("ada", code=4000)).sessions == 1
        await until(lambda: ada.state.status == "failed")
        assert (await server.revoke("ada")).sessions == 0
        with pytest.raises(HubbubError):
            async with Client(running.url, server.token("ada")):
                pass


async def test_the_chat_as_the_server_and_in_a_users_place(sqlite_url: str, tmp_path: Path) -> None:
    key, hashed = new_key()
    async with (
        chat_server(sqlite_url, tmp_path, auth={"hmac_secret": SECRET, "api_keys": [hashed]}) as running,
        Server(running.url, key) as server,
    ):
        for name in ("ada", "bob ä"):
            await server.chat.users.upsert(name, name=name.title())
        ada = server.acting_for("ada")
        made = await ada.conversations.create(
            "group", name="Release", members=[ConversationsNewMember("bob ä")]
        )
        id = made.conversation.id
        await ada.messages.send(id, [{"type": "text", "text": "Ship it?"}], key="k")
        sent = await ada.messages.send(id, [{"type": "text", "text": "Ship it?"}], key="k")
        assert sent.duplicate
        bob = server.acting_for("bob ä")
        await bob.reactions.add(id, sent.message.seq, "👍")
        page = await bob.messages.list(id, limit=1)
        assert [text_of(each) for each in page.messages] == ["Ship it?"]
        assert page.messages[0].reactions[0].users == ("bob ä",)
        assert (await server.chat.call("users.get", {"user": "ada"})).name == "Ada"
        with pytest.raises(HubbubError) as refused:
            await bob.conversations.update(id, closed=True)
        assert refused.value.code == ErrorCode.PERMISSION_DENIED
        with pytest.raises(HubbubError) as unknown:
            await server.chat.call("nothing.at_all")
        assert unknown.value.code == ErrorCode.METHOD_NOT_FOUND
        with pytest.raises(ClientError, match="token_secret"):
            server.token("ada")
        with pytest.raises(ClientError, match="token_secret"):
            server.subscription_token("ada", "room:1")
