from __future__ import annotations

from functools import partial

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do, group, text

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import operations

pytestmark = pytest.mark.anyio


async def test_a_member_follows_a_conversation_from_its_first_event(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            for words in ("one", "two"):
                await bob.call("messages.send", conversation=id, parts=text(words))
            channel = f"conversation:{id}"
            position = (await bob.subscribe(channel))["position"]
            await bob.ask(type="unsubscribe", channel=channel)
            reply = await bob.subscribe(channel, since={**position, "offset": 0})
            assert reply["recovered"] is True
            offsets = [each["offset"] for each in reply["publications"]]
            assert offsets == list(range(1, position["offset"] + 1))
            assert reply["publications"][0]["event"] == "conversation.created"
            sent = await bob.call("messages.send", conversation=id, parts=text("three"))
            created = await bob.heard("message.created")
            assert created["message"] == sent["message"]
            assert created["seq"] == position["offset"] + 1


async def test_another_life_of_the_database_is_told_apart(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            reply = await ada.subscribe(f"conversation:{id}", since={"epoch": "before", "offset": 1})
            assert reply.get("recovered", False) is False
            assert reply["recoverable"] is True
            history = (await ada.ask(type="history", channel=f"conversation:{id}"))["result"]
            assert [each["offset"] for each in history["publications"]] == list(
                range(1, history["position"]["offset"] + 1)
            )


@pytest.mark.parametrize("command", ["subscribe", "history"])
@pytest.mark.parametrize("named", ["{id}", "nowhere"])
async def test_a_stranger_learns_nothing(database: str, command: str, named: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        async with Wire.open(server, "eve") as eve:
            with pytest.raises(RefusedError) as refused:
                await eve.ask(type=command, channel=f"conversation:{named.format(id=id)}")
            assert refused.value.code == ErrorCode.NOT_FOUND
            assert id not in str(refused.value)
            with pytest.raises(RefusedError) as refused:
                await eve.ask(type=command, channel="inbox:ada")
            assert refused.value.code == ErrorCode.PERMISSION_DENIED
            with pytest.raises(RefusedError) as refused:
                await eve.ask(type=command, channel="status:ada")
            expected = ErrorCode.NOT_FOUND if command == "subscribe" else ErrorCode.NOT_AVAILABLE
            assert refused.value.code == expected, "presence has no history"


async def test_nothing_is_published_there_but_by_the_chat(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            for channel in (f"conversation:{id}", "inbox:ada", "status:ada"):
                with pytest.raises(RefusedError) as refused:
                    await ada.ask(type="publish", channel=channel, data={})
                assert refused.value.code == ErrorCode.PERMISSION_DENIED
        with pytest.raises(HubbubError) as denied:
            await operations.publish(server.app.hub, f"conversation:{id}", "message.created", {})
        assert denied.value.code == ErrorCode.PERMISSION_DENIED


async def test_a_token_that_names_a_conversation_opens_it_for_members_only(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        for user, told in (("bob", "subscribed"), ("eve", "unsubscribed")):
            token = server.token(user, subscribe=[f"conversation:{id}"])
            async with Wire.open(server, user, token=token) as wire:
                await wire.until(partial(Wire.told, kind=told))
                assert wire.told("subscribed" if told == "unsubscribed" else "unsubscribed") == []


async def test_whoever_is_removed_is_out_at_once_and_told(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        channel = f"conversation:{id}"
        async with Wire.open(server, "bob") as bob, Wire.open(server, "ada") as ada:
            await bob.subscribe(channel)
            await ada.subscribe(channel)
            await ada.call("members.remove", conversation=id, user="bob")
            await ada.call("messages.send", conversation=id, parts=text("behind its back"))
            await ada.heard("message.created", actor="ada")
            await bob.until(lambda wire: channel in wire.told("unsubscribed"))
            assert bob.events("member.changed")
            assert [
                each for each in bob.events("message.created") if each["message"].get("kind") != "system"
            ] == []
            with pytest.raises(RefusedError):
                await bob.subscribe(channel)


async def test_whoever_is_removed_while_it_is_away_is_not_there_when_it_is_back(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        channel = f"conversation:{id}"
        async with Wire.open(server, "bob") as bob:
            position = (await bob.subscribe(channel))["position"]
            proof = bob.proof
        await do(server, "members.remove", "ada", conversation=id, user="bob")
        await do(server, "messages.send", "ada", conversation=id, parts=text("behind its back"))
        async with Wire.open(server, "bob", **proof, positions={channel: position}) as bob:
            assert all(each["channel"] != channel for each in bob.connected.get("subscriptions", ()))
            await bob.until(lambda wire: channel in wire.told("unsubscribed"))
            assert bob.events("message.created") == []


async def test_a_closed_topic_lets_its_guests_go(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", kind="topic", name="News")
        channel = f"conversation:{id}"
        async with Wire.open(server, "eve") as eve:
            await eve.subscribe(channel)
            await do(server, "conversations.update", "ada", conversation=id, permissions={"read": "member"})
            await eve.until(lambda wire: channel in wire.told("unsubscribed"))


async def test_new_members_see_what_they_may(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", history="joined")
        await do(server, "messages.send", "ada", conversation=id, parts=text("before"))
        await do(server, "users.upsert", "", user="bob")
        await do(server, "members.add", "ada", conversation=id, users=["bob"])
        await do(server, "messages.send", "ada", conversation=id, parts=text("after"))
        async with Wire.open(server, "bob") as bob:
            channel = f"conversation:{id}"
            epoch = (await bob.ask(type="history", channel=channel, limit=0))["result"]["position"]["epoch"]
            reply = await bob.subscribe(channel, since={"epoch": epoch, "offset": 0})
            assert reply["recovered"] is True
            texts = [
                each["data"]["message"]["parts"][0].get("text")
                for each in reply["publications"]
                if each["event"] == "message.created"
            ]
            assert "before" not in texts
            assert "after" in texts
