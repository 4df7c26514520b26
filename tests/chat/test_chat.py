from __future__ import annotations

import asyncio

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, group, text

from hubbub.chat.chat import IN_FLIGHT
from hubbub.errors import ErrorCode, HubbubError
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_a_session_has_many_messages_under_way_and_they_keep_their_order(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            await ada.subscribe(f"conversation:{id}")
            count = 4 * IN_FLIGHT
            replies = [
                ada.begin(
                    type="call",
                    method="chat.messages.send",
                    params={"conversation": id, "parts": text(str(number))},
                )
                for number in range(count)
            ]
            seqs = [(await each)["result"]["message"]["seq"] for each in replies]
            assert seqs == list(range(seqs[0], seqs[0] + count))
            await ada.until(lambda wire: len(wire.events("message.created")) == count)
            texts = [each["message"]["parts"][0]["text"] for each in ada.events("message.created")]
            assert texts == [str(number) for number in range(count)]
            assert server.app.metrics.commits < count, "many were written in one transaction"


async def test_whoever_sent_hears_of_it_before_it_is_answered(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            await ada.subscribe(f"conversation:{id}")
            await ada.call("messages.send", conversation=id, parts=text("hello"))
            kinds = [each["type"] for each in ada.log]
            assert kinds.index("publication") < len(kinds) - 1
            assert kinds[-1] == "result"


async def test_nobody_talks_without_a_name(database: str) -> None:
    async with chat_server(database, auth={"anonymous": True}) as server, Wire.open(server, "") as nobody:
        with pytest.raises(RefusedError) as refused:
            await nobody.call("me.get")
        assert refused.value.code == ErrorCode.UNAUTHENTICATED


async def test_params_are_checked_before_anything_is_done(database: str) -> None:
    async with chat_server(database) as server, Wire.open(server, "ada") as ada:
        for params, code, field in (
            ({"user": 3}, ErrorCode.VALIDATION_FAILED, "user"),
            ({"nobody": "x"}, ErrorCode.VALIDATION_FAILED, "nobody"),
            ({"user": "b", "id": 1}, ErrorCode.VALIDATION_FAILED, "id"),
            ([], ErrorCode.VALIDATION_FAILED, "params"),
        ):
            with pytest.raises(RefusedError) as refused:
                await ada.ask(type="call", method="chat.blocks.add", params=params)
            assert (refused.value.code, refused.value.field) == (code, field), params


async def test_a_key_gives_the_same_again_and_nothing_else(database: str) -> None:
    async with chat_server(database) as server, Wire.open(server, "ada") as ada:
        first = await ada.call("conversations.create", key="k1", kind="group", name="One")
        again = await ada.call("conversations.create", key="k1", kind="group", name="One")
        assert again == first
        with pytest.raises(RefusedError) as refused:
            await ada.call("conversations.create", key="k1", kind="group", name="Two")
        assert refused.value.code == ErrorCode.IDEMPOTENCY_CONFLICT
        other = await ada.call("conversations.create", key="k2", kind="group", name="One")
        assert other["conversation"]["id"] != first["conversation"]["id"]
        twins = await asyncio.gather(
            *[ada.call("conversations.create", key="k3", kind="group", name="Three") for _ in range(10)]
        )
        assert len({each["conversation"]["id"] for each in twins}) == 1
        async with Wire.open(server, "bob") as bob:
            his = await bob.call("conversations.create", key="k1", kind="group", name="Mine")
            assert his["conversation"]["id"] != first["conversation"]["id"], "keys are each user's own"


async def test_what_the_server_api_may_is_not_for_users(database: str) -> None:
    async with chat_server(database) as server, Wire.open(server, "ada") as ada:
        with pytest.raises(RefusedError) as refused:
            await ada.call("users.upsert", user="bob")
        assert refused.value.code == ErrorCode.PERMISSION_DENIED


async def test_limits_count_what_they_refuse(database: str) -> None:
    async with chat_server(database, limits={"text_length": 5}) as server:
        id = await group(server, "ada")
        async with Wire.open(server, "ada") as ada:
            await ada.call("messages.send", conversation=id, parts=text("12345"))
            with pytest.raises(RefusedError) as refused:
                await ada.call("messages.send", conversation=id, parts=text("123456"))
            assert refused.value.code == ErrorCode.MESSAGE_TOO_LARGE
            assert server.app.metrics.rejected["text_length"] == 1


async def test_an_application_does_all_by_name(database: str) -> None:
    async with chat_server(database) as server:
        chat = server.app.chat
        await chat.call("users.upsert", user="ada", name="Ada")
        made = await chat.call("conversations.create", as_user="ada", key="k", kind="group", name="Release")
        again = await chat.call(
            "chat.conversations.create", as_user="ada", key="k", kind="group", name="Release"
        )
        assert again.conversation.id == made.conversation.id
        sent = await chat.call(
            "messages.send", as_user="ada", conversation=made.conversation.id, parts=text("hi")
        )
        assert sent.message.sender == "ada"
        for name, params, code in (
            ("conversations.destroy", {}, ErrorCode.METHOD_NOT_FOUND),
            ("conversations.create", {"kind": "cabal"}, ErrorCode.VALIDATION_FAILED),
            ("conversations.create", {"kind": object()}, ErrorCode.INVALID_DATA),
        ):
            with pytest.raises(HubbubError) as refused:
                await chat.call(name, as_user="ada", **params)
            assert refused.value.code == code


async def test_without_conversations_an_application_is_told_so() -> None:
    async with running_server(chat={"enabled": False}) as server:
        with pytest.raises(RuntimeError, match=r"chat\.enabled is off"):
            _ = server.app.chat
