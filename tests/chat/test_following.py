from __future__ import annotations

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do, group, text
from tests.waiting import until

from hubbub.errors import ErrorCode, HubbubError
from hubbub.testing.server import RunningServer

pytestmark = pytest.mark.anyio


async def until_detached(server: RunningServer, session: str) -> None:
    await until(lambda: server.app.hub.sessions[session].connection is None)


async def test_sessions_that_follow_enter_what_their_user_is_added_to(database: str) -> None:
    async with chat_server(database) as server:
        first = await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            await bob.call("sync", live=True)
            assert f"conversation:{first}" in bob.told("subscribed")
            second = await group(server, "ada", "bob")
            await do(server, "messages.send", "ada", conversation=second, parts=text("hello"))
            heard = await bob.heard("message.created", conversation=second)
            assert (
                heard["message"]["parts"] == text("hello") or heard["message"]["parts"][0]["text"] == "hello"
            )
            channel = f"conversation:{second}"
            added = bob.events("conversation.added")[0]["conversation"]["conversation"]
            offsets = bob.offsets(channel)
            assert offsets == list(range(added["seq"] + 1, offsets[-1] + 1))
            await do(server, "members.remove", "ada", conversation=second, user="bob")
            await bob.until(lambda wire: channel in wire.told("unsubscribed"))
            assert bob.events("conversation.removed", conversation=second)


async def test_live_from_the_sync_on_without_a_gap(database: str) -> None:
    """What the sync says and what is pushed after it are together everything, once."""
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        channel = f"conversation:{id}"
        async with Wire.open(server, "ada") as ada, Wire.open(server, "bob") as bob:
            sent = [
                ada.begin(
                    type="call",
                    method="chat.messages.send",
                    params={"conversation": id, "parts": text(str(number))},
                )
                for number in range(50)
            ]
            answer = await bob.call("sync", live=True)
            for number in range(50):
                await ada.call("messages.send", conversation=id, parts=text(f"later {number}"))
            for each in sent:
                await each
            (conversation,) = [
                each["conversation"]
                for each in answer["conversations"]
                if each["conversation"]["conversation"]["id"] == id
            ]
            head = conversation["conversation"]["seq"]
            last = (await do(server, "conversations.get", "ada", conversation=id)).conversation.seq
            await bob.until(lambda wire: (wire.offsets(channel) or [0])[-1] == last)
            assert bob.offsets(channel) == list(range(head + 1, last + 1))
            replies = [place for place, each in enumerate(bob.log) if each["type"] == "result"]
            pushes = [place for place, each in enumerate(bob.log) if each.get("channel") == channel]
            assert replies[0] < pushes[0], "the answer comes before what follows it"


async def test_the_limit_of_subscriptions_does_not_count_conversations(database: str) -> None:
    async with chat_server(database, limits={"subscriptions": 2}) as server:
        for _ in range(4):
            await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            await ada.call("sync", live=True)
            assert len(ada.told("subscribed")) == 5
            await ada.subscribe("a")
            await ada.subscribe("b")
            with pytest.raises(RefusedError) as refused:
                await ada.subscribe("c")
            assert refused.value.code == ErrorCode.LIMIT_EXCEEDED


async def test_without_a_session_there_is_nothing_to_follow(database: str) -> None:
    async with chat_server(database) as server:
        await group(server, "ada")
        with pytest.raises(HubbubError) as refused:
            await do(server, "sync", "ada", live=True)
        assert (refused.value.code, refused.value.field) == (ErrorCode.NOT_AVAILABLE, "live")


async def test_not_more_than_the_most_active_are_followed(database: str) -> None:
    async with chat_server(database, chat={"live_conversations": 2}) as server:
        ids = [await group(server, "ada") for _ in range(4)]
        for id in (ids[0], ids[2]):
            await do(server, "messages.send", "ada", conversation=id, parts=text("hello"))
        async with Wire.open(server, "ada") as ada:
            page = await ada.call("sync", live=True)
            assert len(page["conversations"]) == 4
            await ada.until(lambda wire: len(wire.told("subscribed")) == 3)
            assert set(ada.told("subscribed")) == {
                "inbox:ada",
                f"conversation:{ids[0]}",
                f"conversation:{ids[2]}",
            }


async def test_a_session_that_was_away_finds_what_it_was_added_to(database: str) -> None:
    async with chat_server(database) as server:
        await group(server, "bob")
        async with Wire.open(server, "bob") as bob:
            await bob.call("sync", live=True)
            positions = {
                push["channel"]: push["position"] for push in bob.pushes if push["type"] == "subscribed"
            }
            proof = bob.proof
        await until_detached(server, proof["session"])
        id = await group(server, "ada", "bob")
        await do(server, "messages.send", "ada", conversation=id, parts=text("while you were away"))
        async with Wire.open(server, "bob", **proof, positions=positions) as bob:
            assert bob.connected["recovered"] is True
            found = {each["channel"]: each for each in bob.connected["subscriptions"]}
            missed = found[f"conversation:{id}"]["publications"]
            texts = [
                each["data"]["message"]["parts"] for each in missed if each["event"] == "message.created"
            ]
            assert text("while you were away") in texts
            assert found["inbox:bob"]["publications"][0]["event"] == "conversation.added"
            await do(server, "messages.send", "ada", conversation=id, parts=text("now"))
            await bob.heard("message.created", conversation=id)
