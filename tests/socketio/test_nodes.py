"""What one node has the others do for it."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest
from tests.socketio.several import Several
from tests.socketio.world import World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.socketio import Answers

pytestmark = pytest.mark.anyio


class TestServerEvents:
    async def test_the_others_hear_it_and_the_teller_does_not(self) -> None:
        async with Several() as several:
            heard: list[Any] = []
            for number in range(3):
                several[number].sio.on_server_event("clear")(lambda *arguments: heard.append(arguments))
            await several[0].sio.server_emit("clear", "users", {"age": 3}, b"\x00\xff")
            await several[0].sio.server_emit("unknown")
            await settle()
            assert heard == [("users", {"age": 3}, b"\x00\xff")] * 2

    async def test_what_handlers_return_are_the_answers(self) -> None:
        async with Several() as several:

            @several[1].sio.on_server_event("count")
            async def count(factor: int) -> int:
                await asyncio.sleep(0)
                return 7 * factor

            @several[2].sio.on_server_event("count")
            def pair(factor: int) -> tuple[int, bytes]:
                return factor, b"x"

            answers = await several[0].sio.server_call("count", 2)
            assert sorted(answers.values, key=str) == [(2, b"x"), 14]
            assert answers.missing == 0

    async def test_one_node_is_told_and_asked_alone(self) -> None:
        async with Several() as several:
            heard: list[Any] = []

            for number in range(3):

                @several[number].sio.on_server_event("where")
                def where(number: int = number) -> int:
                    heard.append(number)
                    return number

            await several[0].sio.server_emit("where", node=several[2].id)
            assert await several[0].sio.server_call("where", node=several[1].id) == Answers((1,), 0)
            await settle()
            assert sorted(heard) == [1, 2]
            assert await several[0].sio.server_call("where", node="nobody") == Answers((), 1)

    async def test_who_does_not_answer_in_time_or_has_no_handler_is_counted(self) -> None:
        async with Several() as several:
            several[1].sio.on_server_event("count")(lambda: None)
            assert await several[0].sio.server_call("count") == Answers((None,), 1)
            several[1].broker.deaf = True
            asked = several[0].sio.server_call("count", timeout=1.0)
            assert await several.within(1, asked) == Answers((), 2)

    async def test_a_handler_that_fails_is_counted_and_harms_nobody(self) -> None:
        async with Several(2) as several:

            @several[1].sio.on_server_event("fail")
            async def fail() -> None:
                raise ValueError("no")

            await several[0].sio.server_emit("fail")
            assert await several[0].sio.server_call("fail") == Answers((), 1)
            assert several[1].world.metrics.handler_errors == 2

    async def test_a_second_handler_is_refused(self) -> None:
        sio = World().sio
        sio.on_server_event("clear")(print)
        with pytest.raises(TypeError):
            sio.on_server_event("clear")(print)

    async def test_what_has_no_json_form_is_refused(self) -> None:
        async with Several(2) as several:
            for tell in (several[0].sio.server_emit, several[0].sio.server_call):
                with pytest.raises(HubbubError) as failure:
                    await tell("x", object())
                assert failure.value.code == ErrorCode.INVALID_DATA

    async def test_alone_nobody_hears_and_nobody_answers(self) -> None:
        world = await World().start()
        await world.sio.server_emit("x", 1)
        assert await world.sio.server_call("x", 1) == Answers((), 0)


class TestEmitting:
    async def test_rooms_are_of_all_nodes_and_nobody_gets_it_twice(self) -> None:
        async with Several() as several:
            peers = [await several[number].entered(str(number)) for number in range(3)]
            for number in (1, 2):
                await several[0].sio.enter_room(peers[number].sid, "a")
                await several[0].sio.enter_room(peers[number].sid, "b")
            await several[0].sio.emit("hi", 1, to=["a", "b", peers[1].sid, peers[0].sid])
            await several[2].sio.emit("hi", 2, to="a", skip_sid=peers[1].sid)
            await several[2].sio.emit("hi", 3, unless="a")
            await settle()
            assert [peer.events() for peer in peers] == [
                [["hi", 1], ["hi", 3]],
                [["hi", 1]],
                [["hi", 1], ["hi", 2]],
            ]

    async def test_one_sid_on_another_node_in_order(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            heard = several[2].broker.delivered
            for number in range(5):
                await several[0].sio.emit("hi", (number, b"\x01"), to=ada.sid)
            await settle()
            assert ada.events() == [["hi", number, b"\x01"] for number in range(5)]
            assert several[2].broker.delivered == heard, "its id says where it is"

    async def test_a_sid_of_another_namespace_is_nobody(self) -> None:
        async with Several(2) as several:
            several[1].sio.on("x", print, "/a")
            ada = await several[1].entered("ada", "/a")
            await several[0].sio.emit("hi", 1, to=ada.place("/a").sid)
            await several[0].sio.emit("hi", 2, to=ada.place("/a").sid, namespace="/a")
            await settle()
            assert ada.events("/a") == [["hi", 2]]

    async def test_those_in_other_rooms_and_those_left_out_do_not_get_it(self) -> None:
        async with Several(2) as several:
            ada, bob, eve = [await several[1].entered(name) for name in ("ada", "bob", "eve")]
            await several[0].sio.enter_room(ada.sid, "a")
            sids = [ada.sid, bob.sid, eve.sid]
            await several[0].sio.emit("hi", 1, to=sids, unless="a", skip_sid=[bob.sid, "x"])
            await settle()
            assert [peer.events() for peer in (ada, bob, eve)] == [[], [], [["hi", 1]]]

    async def test_volatile_is_volatile_there_too(self) -> None:
        async with Several(2) as several:
            ada = await several[1].entered("ada")
            ada.link.writable = False
            await several[0].sio.emit("hi", 1, to=ada.sid, volatile=True)
            await settle()
            assert ada.events() == []
            assert several[1].world.metrics.volatile_dropped == 1

    async def test_a_socket_that_was_handed_over_is_found(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            moved = several[1].world.sockets.by_id.pop(ada.sid)
            several[2].world.sockets.by_id[ada.sid] = moved
            await several[0].sio.emit("hi", 1, to=ada.sid)
            await settle()
            assert ada.events() == [["hi", 1]]
            several[1].world.sockets.by_id[ada.sid] = several[2].world.sockets.by_id.pop(ada.sid)

    async def test_a_user_s_sessions_are_on_all_nodes(self) -> None:
        async with Several() as several:
            peers = [await several[number].entered("ada") for number in range(3)]
            bob = await several[1].entered("bob")
            await several[0].sio.emit("hi", 1, user="ada", skip_sid=peers[2].sid)
            await settle()
            assert [peer.events() for peer in peers] == [[["hi", 1]], [["hi", 1]], []]
            assert bob.events() == []

    async def test_nobody_waits_for_a_node_that_does_not_answer(self) -> None:
        async with Several(2) as several:
            ada = await several[1].entered("ada")
            several[1].broker.deaf = True
            await asyncio.wait_for(several[0].sio.emit("hi", 1, to=ada.sid), 5)
            several.clock.advance(2)
            await settle()


class TestAcknowledgements:
    async def test_one_client_of_another_node_answers(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            asked = asyncio.ensure_future(several[0].sio.call("q", (1, b"x"), to=ada.sid))
            await settle()
            ada.read()
            ((id, event),) = ada.place().asked
            assert event == ["q", 1, b"x"]
            ada.ack(id, "yes", {"n": 2**60})
            await settle()
            assert asked.result() == ("yes", {"n": 2**60})

    async def test_one_that_does_not_answer(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")

            async def call() -> Any:
                asked = asyncio.ensure_future(several[0].sio.call("q", to=ada.sid, timeout=0.01))
                await asyncio.sleep(0.05)  # acknowledgements are waited for by the loop's own clock
                return await asked

            with pytest.raises(TimeoutError):
                await call()

    async def test_one_that_leaves(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            asked = asyncio.ensure_future(several[0].sio.call("q", to=ada.sid))
            await settle()
            ada.send("1")
            await settle()
            error = asked.exception()
            assert isinstance(error, HubbubError)
            assert error.code == ErrorCode.SESSION_GONE

    async def test_one_that_is_nowhere_or_on_a_node_that_does_not_answer(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            with pytest.raises(HubbubError) as failure:
                await several[0].sio.call("q", to="nobody")
            assert failure.value.code == ErrorCode.NOT_FOUND
            several[1].broker.deaf = True
            with pytest.raises(HubbubError) as failure:
                await several.within(5, several[0].sio.call("q", to=ada.sid))
            assert failure.value.code == ErrorCode.NODE_UNAVAILABLE

    async def test_a_callback_is_called_with_what_a_client_of_another_node_answers(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            heard: list[Any] = []
            await several[0].sio.emit("q", 1, to=ada.sid, callback=lambda *each: heard.append(each))
            await settle()
            ada.read()
            ((id, _),) = ada.place().asked
            ada.ack(id, 5)
            await settle()
            assert heard == [(5,)]

    async def test_all_in_a_room_answer_from_wherever(self) -> None:
        async with Several() as several:
            peers = [await several[number].entered(str(number)) for number in range(3)]
            for peer in peers:
                await several[0].sio.enter_room(peer.sid, "a")
            skipped = await several[1].entered("skipped")
            await several[2].sio.enter_room(skipped.sid, "a")
            asked = asyncio.ensure_future(
                several[0].sio.call_all("q", to=["a", peers[1].sid], timeout=0.2, skip_sid=skipped.sid)
            )
            await settle()
            for number, peer in enumerate(peers):
                peer.read()
                ((id, _),) = peer.place().asked
                if number != 2:
                    peer.ack(id, number)
            skipped.read()
            assert not skipped.place().asked
            answers = await asked
            await settle()
            assert (sorted(answers.values), answers.missing) == ([0, 1], 1)

    async def test_a_node_that_does_not_answer_is_one_that_is_missing(self) -> None:
        async with Several(2) as several:
            await several[1].entered("ada")
            several[1].broker.deaf = True
            asked = several[0].sio.call_all("q", timeout=1.0)
            assert await several.within(4, asked) == Answers((), 1)


class TestRooms:
    async def test_a_client_of_another_node_enters_and_leaves(self) -> None:
        async with Several() as several:
            ada = await several[1].entered("ada")
            await several[0].sio.enter_room(ada.sid, "a")
            assert several[1].sio.rooms(ada.sid) == {ada.sid, "a"}
            await several[2].sio.leave_room(ada.sid, "a")
            assert several[1].sio.rooms(ada.sid) == {ada.sid}

    async def test_what_cannot_be_found_or_entered(self) -> None:
        async with Several(limits={"subscriptions": 2}) as several:
            ada = await several[1].entered("ada")
            for move in (several[0].sio.enter_room, several[0].sio.leave_room):
                with pytest.raises(HubbubError) as failure:
                    await move("nobody", "a")
                assert failure.value.code == ErrorCode.NOT_FOUND
            await several[0].sio.enter_room(ada.sid, "a")
            with pytest.raises(HubbubError) as failure:
                await several[0].sio.enter_room(ada.sid, "b")
            assert failure.value.code == ErrorCode.LIMIT_EXCEEDED
            several[1].broker.deaf = True
            with pytest.raises(HubbubError) as failure:
                await several.within(5, several[0].sio.enter_room(ada.sid, "c"))
            assert failure.value.code == ErrorCode.NODE_UNAVAILABLE

    async def test_many_enter_and_leave_at_once(self) -> None:
        async with Several() as several:
            peers = [await several[number].entered(str(number)) for number in range(3)]
            for peer in peers[:2]:
                await several[0].sio.enter_room(peer.sid, "a")
            assert await several[2].sio.sockets_join(["b", "c"], to="a") == 2
            rooms = [several[number].sio.rooms(peer.sid) for number, peer in enumerate(peers)]
            assert rooms == [
                {peers[0].sid, "a", "b", "c"},
                {peers[1].sid, "a", "b", "c"},
                {peers[2].sid},
            ]
            assert await several[2].sio.sockets_leave("b") == 3
            assert several[1].sio.rooms(peers[1].sid) == {peers[1].sid, "a", "c"}

    async def test_a_room_is_closed_on_all_nodes(self) -> None:
        async with Several(2) as several:
            peers = [await several[number].entered(str(number)) for number in range(2)]
            for peer in peers:
                await several[0].sio.enter_room(peer.sid, "a")
            peers[1].drop()
            await several[0].sio.close_room("a")
            assert await several[0].sio.fetch_sockets("a") == []


class TestEnding:
    async def test_a_socket_of_another_node(self) -> None:
        async with Several() as several:
            several[1].sio.on("x", print, "/a")
            ada = await several[1].entered("ada", "/", "/a")
            await several[0].sio.disconnect(ada.sid, namespace="/a")
            await several[0].sio.disconnect(ada.sid)
            ada.read()
            assert (ada.place().disconnects, ada.place("/a").disconnects) == (1, 0)
            assert ada.link.closed is None
            await several[0].sio.disconnect(ada.place("/a").sid, close=True)
            assert ada.link.closed is not None
            await several[0].sio.disconnect("nobody")

    async def test_all_in_a_room(self) -> None:
        async with Several() as several:
            peers = [await several[number].entered(str(number)) for number in range(3)]
            for peer in peers[:2]:
                await several[0].sio.enter_room(peer.sid, "a")
            assert await several[2].sio.disconnect_all("a") == 2
            assert await several[1].sio.disconnect_all() == 1
            for peer in peers:
                peer.read()
                assert peer.place().disconnects == 1
                assert peer.link.closed is None

    async def test_all_in_a_room_and_their_connections(self) -> None:
        async with Several(2) as several:
            peers = [await several[number].entered(str(number)) for number in range(2)]
            assert await several[0].sio.disconnect_all(close=True) == 2
            assert all(peer.link.closed is not None for peer in peers)


class TestFetching:
    async def test_sockets_of_all_nodes_are_seen_and_reached(self) -> None:
        async with Several() as several:
            peers = [
                await several[number].entered(str(number), transport="polling", address="192.0.2.9")
                for number in range(3)
            ]
            for node, peer in zip(several.nodes, peers, strict=True):
                await node.sio.enter_room(peer.sid, "a")
                socket = node.sio.socket(peer.sid)
                socket.data.update(name=f"n{peer.token}", raw=b"\x00", strange=object())
                socket.data[datetime.date(2026, 1, 1)] = 1  # type: ignore[index]
            found = await several[0].sio.fetch_sockets("a")
            assert {each.sid for each in found} == {peer.sid for peer in peers}
            one = next(each for each in found if each.sid == peers[1].sid)
            assert (one.namespace, one.user, one.node) == ("/", "1", several[1].id)
            assert (one.transport, one.address, one.connected) == ("polling", "192.0.2.9", True)
            assert one.user_agent.startswith("Mozilla")
            assert one.rooms == {one.sid, "a"}
            assert one.data["name"] == "n1"
            assert one.data["raw"] == b"\x00"
            assert "strange" not in one.data
            assert str(one) == one.sid
            assert one.sid in repr(one)
            await one.emit("hi", 1)
            await one.join("b")
            await settle()
            assert peers[1].events() == [["hi", 1]]
            assert "b" in several[1].sio.rooms(one.sid)
            await one.leave("b")
            assert "b" not in several[1].sio.rooms(one.sid)
            asked = asyncio.ensure_future(one.call("q"))
            await settle()
            peers[1].read()
            peers[1].ack(peers[1].place().asked[0][0], 3)
            await settle()
            assert asked.result() == 3
            await one.disconnect()
            peers[1].read()
            assert peers[1].place().disconnects == 1

    async def test_those_who_are_away_are_seen_as_that(self) -> None:
        async with Several(2) as several:
            ada = await several[1].entered("ada")
            ada.drop()
            (found,) = await several[0].sio.fetch_sockets()
            assert (found.sid, found.connected) == (ada.sid, False)

    async def test_a_node_that_does_not_answer_is_named(self) -> None:
        async with Several() as several:
            several[1].broker.deaf = True
            with pytest.raises(HubbubError) as failure:
                await several.within(3, several[0].sio.fetch_sockets())
            assert failure.value.code == ErrorCode.NODE_UNAVAILABLE
            assert several[1].id in failure.value.message

    async def test_alone_the_same_methods_work(self) -> None:
        world = await World().start()
        ada = await world.entered("ada")
        (found,) = await world.sio.fetch_sockets()
        assert (found.sid, found.node) == (ada.sid, "")
        assert await world.sio.sockets_join("a") == 1
        assert world.sio.rooms(ada.sid) == {ada.sid, "a"}
        assert await world.sio.sockets_leave("a", to=ada.sid) == 1
        with pytest.raises(HubbubError):
            await world.sio.enter_room("nobody", "a")
        with pytest.raises(HubbubError):
            await world.sio.emit("x", to="A" * 20, callback=print)
