from __future__ import annotations

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do, group, text

from hubbub.chat.signals import TYPISTS, Typists
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


def test_typing_is_said_once_in_an_interval() -> None:
    typists = Typists(1.0)
    assert typists.take("ada", "c", None, 10.0)
    assert not typists.take("ada", "c", None, 10.9)
    assert typists.take("ada", "c", 3, 10.9), "a thread is another place"
    assert typists.take("ada", "c", None, 11.0)
    assert typists.forget("ada", "c", None)
    assert not typists.forget("ada", "c", None)
    assert typists.take("ada", "c", None, 11.1)


def test_not_more_typists_are_remembered_than_there_is_room_for() -> None:
    typists = Typists(1.0)
    for number in range(TYPISTS + 1):
        typists.take(str(number), "c", None, 0.0)
    assert not typists.forget("0", "c", None)
    assert typists.forget("1", "c", None)


async def test_typing_reaches_the_others_and_is_kept_nowhere(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob")
        async with Wire.open(server, "ada") as ada, Wire.open(server, "bob") as bob:
            for wire in (ada, bob):
                await wire.subscribe(f"conversation:{id}")
            answer = await ada.call("typing.start", conversation=id)
            assert answer == {"shown": True, "ttl": 6.0, "interval": 1.0}
            assert (await ada.call("typing.start", conversation=id))["shown"] is False
            assert await bob.heard("typing") == {
                "type": "typing",
                "conversation": id,
                "user": "ada",
                "ttl": 6.0,
            }
            assert (await ada.call("typing.start", conversation=id, stop=True))["shown"]
            await bob.heard("typing", ttl=0.0)
            await ada.call("messages.send", conversation=id, parts=text("done"))
            await bob.heard("message.created")
            assert len(bob.events("typing")) == 2
            assert ada.events("typing") == [], "not to the session that types"
            history = (await bob.ask(type="history", channel=f"conversation:{id}"))["result"]
            assert all(each["event"] != "typing" for each in history["publications"])


async def test_the_blocked_do_not_see_each_other_type(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob", "cyd")
        await do(server, "blocks.add", "ada", user="bob")
        async with (
            Wire.open(server, "ada") as ada,
            Wire.open(server, "bob") as bob,
            Wire.open(server, "cyd") as cyd,
        ):
            for wire in (ada, bob, cyd):
                await wire.subscribe(f"conversation:{id}")
            await ada.call("typing.start", conversation=id)
            await cyd.heard("typing", user="ada")
            await bob.call("typing.start", conversation=id)
            await cyd.heard("typing", user="bob")
            await cyd.call("messages.send", conversation=id, parts=text("end"))
            for wire in (ada, bob):
                await wire.heard("message.created")
                assert wire.events("typing") == []


async def test_typing_is_not_shown_in_large_conversations(database: str) -> None:
    async with chat_server(database, chat={"typing_members": 2}) as server:
        small = await group(server, "ada", "bob")
        large = await group(server, "ada", "bob", "cyd")
        assert (await do(server, "typing.start", "ada", conversation=small)).shown is True
        assert (await do(server, "typing.start", "ada", conversation=large)).shown is False


async def test_who_may_not_write_does_not_type(database: str) -> None:
    async with chat_server(database) as server:
        id = await group(server, "ada", "bob", kind="broadcast", name="News")
        async with Wire.open(server, "bob") as bob, Wire.open(server, "eve") as eve:
            with pytest.raises(RefusedError) as refused:
                await bob.call("typing.start", conversation=id)
            assert refused.value.code == ErrorCode.PERMISSION_DENIED
            with pytest.raises(RefusedError) as refused:
                await eve.call("typing.start", conversation=id)
            assert refused.value.code == ErrorCode.NOT_FOUND


async def test_receipts_go_out_together_and_only_forward(database: str) -> None:
    async with chat_server(database, chat={"receipts_interval": 0.2}) as server:
        id = await group(server, "ada", "bob", "cyd")
        async with (
            Wire.open(server, "ada") as ada,
            Wire.open(server, "bob") as bob,
            Wire.open(server, "cyd") as cyd,
        ):
            await ada.subscribe(f"conversation:{id}")
            seqs = [
                (await ada.call("messages.send", conversation=id, parts=text(str(number))))["message"]["seq"]
                for number in range(5)
            ]
            for wire in (bob, cyd):
                for seq in seqs:
                    await wire.call("receipts.mark", marks=[{"conversation": id, "read": seq}])

            def all_read(wire: Wire) -> bool:
                newest = {
                    each["user"]: each["read"]
                    for event in wire.events("receipts")
                    for each in event.get("receipts", ())
                }
                return newest == {"bob": seqs[-1], "cyd": seqs[-1]} or (
                    newest.get("bob") == newest.get("cyd") == seqs[-1]
                )

            await ada.until(all_read)
            for user in ("bob", "cyd"):
                seen = [
                    each["read"]
                    for event in ada.events("receipts")
                    for each in event.get("receipts", ())
                    if each["user"] == user
                ]
                assert seen == sorted(seen)
            assert len(ada.events("receipts")) < 10, "ten marks were not ten pushes"


async def test_large_conversations_are_told_counts(database: str) -> None:
    async with chat_server(database, chat={"receipts_members": 2, "receipts_interval": 0.0}) as server:
        id = await group(server, "ada", "bob", "cyd")
        async with Wire.open(server, "ada") as ada, Wire.open(server, "bob") as bob:
            await ada.subscribe(f"conversation:{id}")
            seq = (await ada.call("messages.send", conversation=id, parts=text("hello")))["message"]["seq"]
            await bob.call("receipts.mark", marks=[{"conversation": id, "delivered": seq}])
            assert await ada.heard("receipts", delivered=2) == {
                "type": "receipts",
                "conversation": id,
                "message": seq,
                "read": 1,
                "delivered": 2,
            }
