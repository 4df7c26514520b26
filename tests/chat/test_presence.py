from __future__ import annotations

import pytest
from tests.chat.wire import RefusedError, Wire, chat_server, do, group
from tests.waiting import until

from hubbub.errors import ErrorCode
from hubbub.hub import handover

pytestmark = pytest.mark.anyio
QUICK = {"presence_grace": 0.05}


async def test_a_user_is_there_as_long_as_one_of_its_sessions_is(database: str) -> None:
    async with chat_server(database, chat=QUICK) as server:
        await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            before = await bob.call("presence.follow", users=["ada"])
            assert before == {"users": [{"user": "ada", "availability": "offline"}]}
            async with Wire.open(server, "ada"):
                await bob.heard("presence", user="ada", availability="online")
                async with Wire.open(server, "ada") as second:
                    await second.call("presence.set", away=True)
                    assert bob.events("presence", availability="away") == []
                now = await bob.call("presence.query", users=["ada", "bob"])
                assert [each["availability"] for each in now["users"]] == ["online", "online"]


async def test_away_is_who_is_away_on_all_devices(database: str) -> None:
    async with chat_server(database) as server:
        await group(server, "ada", "bob")
        async with (
            Wire.open(server, "bob") as bob,
            Wire.open(server, "ada") as phone,
            Wire.open(server, "ada") as desk,
        ):
            await bob.call("presence.follow", users=["ada"])
            assert (await phone.call("presence.set", away=True))["availability"] == "online"
            assert (await desk.call("presence.set", away=True))["availability"] == "away"
            await bob.heard("presence", user="ada", availability="away")
            await phone.call("presence.set", away=False)
            await bob.heard("presence", user="ada", availability="online")


async def test_who_has_gone_was_last_seen_then(database: str) -> None:
    async with chat_server(database, chat=QUICK, sessions={"resume_window": 0}) as server:
        await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            async with Wire.open(server, "ada") as ada:
                await ada.call("me.update", show_last_seen="contacts")
                await bob.call("presence.follow", users=["ada"])
            gone = await bob.heard("presence", user="ada", availability="offline")
            assert gone["last_seen"] > 0
            (known,) = (await bob.call("presence.query", users=["ada"]))["users"]
            assert known == {"user": "ada", "availability": "offline", "last_seen": gone["last_seen"]}
            async with Wire.open(server, "ada") as ada:
                await ada.call("me.update", show_last_seen="nobody")
            await bob.until(lambda wire: len(wire.events("presence", availability="offline")) == 2)
            assert "last_seen" not in bob.events("presence", availability="offline")[1]
            (known,) = (await bob.call("presence.query", users=["ada"]))["users"]
            assert known == {"user": "ada", "availability": "offline"}


async def test_a_reload_is_not_seen(database: str) -> None:
    async with chat_server(database, chat={"presence_grace": 60.0}, sessions={"resume_window": 0}) as server:
        await group(server, "ada", "bob")
        async with Wire.open(server, "bob") as bob:
            async with Wire.open(server, "ada"):
                await bob.call("presence.follow", users=["ada"])
            async with Wire.open(server, "ada"):
                (known,) = (await bob.call("presence.query", users=["ada"]))["users"]
                assert known["availability"] == "online"
            assert bob.events("presence") == []


async def test_strangers_and_the_blocked_see_nobody(database: str) -> None:
    async with chat_server(database) as server:
        await group(server, "ada", "bob")
        await group(server, "eve")
        async with Wire.open(server, "ada") as ada, Wire.open(server, "bob") as bob:
            async with Wire.open(server, "eve") as eve:
                (seen,) = (await eve.call("presence.follow", users=["ada"]))["users"]
                assert seen == {"user": "ada", "availability": "offline"}
                assert eve.told("subscribed") == []
            await bob.call("presence.follow", users=["ada"])
            assert bob.told("subscribed") == ["status:ada"]
            assert all("position" not in push and not push.get("recoverable") for push in bob.pushes)
            await ada.call("blocks.add", user="bob")
            await bob.until(lambda wire: wire.told("unsubscribed") == ["status:ada"])
            (seen,) = (await bob.call("presence.query", users=["ada"]))["users"]
            assert seen == {"user": "ada", "availability": "offline"}
            with pytest.raises(RefusedError) as refused:
                await bob.subscribe("status:ada")
            assert refused.value.code == ErrorCode.NOT_FOUND


async def test_how_many_may_be_followed_and_asked_for(database: str) -> None:
    async with chat_server(database, limits={"presence_follows": 2, "page": 3}) as server:
        await group(server, "ada", "bob", "cyd", "dan")
        async with Wire.open(server, "ada") as ada:
            await ada.call("presence.follow", users=["bob", "cyd"])
            await ada.call("presence.follow", users=["bob"])
            with pytest.raises(RefusedError) as refused:
                await ada.call("presence.follow", users=["dan"])
            assert (refused.value.code, refused.value.field) == (ErrorCode.LIMIT_EXCEEDED, "users")
            assert server.app.metrics.rejected["presence_follows"] == 1
            await ada.call("presence.unfollow", users=["bob"])
            await ada.call("presence.follow", users=["dan"])
            await ada.call("presence.query", users=["bob", "cyd", "dan"])
            with pytest.raises(RefusedError):
                await ada.call("presence.query", users=["ada", "bob", "cyd", "dan"])
            assert server.app.metrics.rejected["page"] == 1


async def test_without_a_session_nothing_can_be_followed(database: str) -> None:
    async with chat_server(database) as server:
        await group(server, "ada")
        for operation in ("presence.follow", "presence.unfollow"):
            with pytest.raises(Exception, match="only a session"):
                await do(server, operation, "ada", users=["ada"])
        with pytest.raises(Exception, match="neither here nor away"):
            await do(server, "presence.set", "", away=True)


async def test_a_session_that_comes_from_another_node_is_as_it_was_there(database: str) -> None:
    async with chat_server(database, chat=QUICK, sessions={"resume_window": 60.0}) as server:
        await group(server, "ada", "bob")
        hub = server.app.hub
        async with Wire.open(server, "bob") as bob:
            await bob.call("presence.follow", users=["ada"])
            async with Wire.open(server, "ada") as ada:
                await ada.call("presence.set", away=True)
                await bob.heard("presence", user="ada", availability="away")
                session, proof = hub.sessions[ada.connected["session"]], ada.proof
            await until(lambda: not session.connected)
            moved = handover.export(session)
            handover.part(session)
            await bob.heard("presence", user="ada", availability="offline")
            hub.noticed(handover.adopt(hub, moved, proof["secret"]))
            await bob.until(lambda wire: len(wire.events("presence", availability="away")) == 2)
            async with Wire.open(server, "", **proof) as ada:
                await ada.call("presence.set", away=False)
                await bob.until(lambda wire: wire.events("presence")[-1]["availability"] == "online")
            assert [each["availability"] for each in bob.events("presence")].count("online") == 2
