from __future__ import annotations

import asyncio
import http
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.client.scripted import Peer, connected, error, publication, scripted, subscribed
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from hubbub.client import Client, ClientError, Disconnected, Event, Gap, Reconnected, Reconnecting, Recovered
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Join, Position, Publication, ServerSubscribed, ServerUnsubscribed
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def until(events: AsyncIterator[Event], kind: type[Any], count: int = 1) -> list[Any]:
    """All events up to the `count`th of this kind."""
    seen: list[Any] = []
    async with asyncio.timeout(10):
        async for event in events:
            seen.append(event)
            if sum(isinstance(each, kind) for each in seen) == count:
                return seen
    raise AssertionError


def offsets(events: list[Any]) -> list[int | None]:
    return [event.offset for event in events if isinstance(event, Publication)]


# --- with a real server -----------------------------------------------------------------------------------


async def test_subscribe_publish_receive_history_presence() -> None:
    async with running_server() as server, Client(server.url, server.token("ada")) as ada:
        assert ada.user == "ada"
        async with Client(server.websocket_url, server.token("bob")) as bob:
            await ada.subscribe("lobby")
            await bob.subscribe("lobby")
            position = await bob.publish("lobby", {"text": "hi"}, event="said")
            assert position is not None
            assert position.offset == 1
            seen = (await until(aiter(ada), Publication))[-1]
            assert (seen.sender, seen.event, bytes(seen.data)) == ("bob", "said", b'{"text":"hi"}')
            assert len((await ada.history("lobby")).publications) == 1
            assert (await ada.presence("lobby")).users == 2
            await ada.unsubscribe("lobby")
            with pytest.raises(HubbubError) as refused:
                await ada.unsubscribe("lobby")
            assert refused.value.code == ErrorCode.NOT_SUBSCRIBED


async def test_a_handler_is_called() -> None:
    from hubbub.app import Hubbub
    from hubbub.config import Config, development

    app = Hubbub(development(Config(), "s" * 32))

    @app.on("double")
    async def double(session: Any, params: int) -> int:
        return params * 2

    async with running_server(app=app) as server, Client(server.url, server.token()) as client:
        assert await client.call("double", 21) == 42
        with pytest.raises(HubbubError) as refused:
            await client.call("nothing", key="k")
        assert refused.value.code == ErrorCode.METHOD_NOT_FOUND


async def test_the_same_key_publishes_once() -> None:
    async with running_server() as server, Client(server.url, server.token(channels={"*": ["*"]})) as client:
        first = await client.publish("lobby", 1, key="k")
        assert await client.publish("lobby", 1, key="k") == first
        assert (await client.history("lobby")).position.offset == 1


async def test_a_lost_connection_loses_and_doubles_nothing() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        await client.subscribe("lobby")
        events = aiter(client)
        for number in range(5):
            await server.app.publish("lobby", "message", number)
        seen = await until(events, Publication, 5)
        for drop in range(3):
            client.drop()
            for number in range(4):
                await server.app.publish("lobby", "message", number)
            back = await until(events, Publication, 4)
            assert [type(event) for event in back[:3]] == [Reconnecting, Reconnected, Recovered]
            assert 0.05 <= back[0].delay <= 0.25 * 2**drop
            assert back[1].resumed
            seen += back
        assert offsets(seen) == list(range(1, 18))


async def test_since_catches_up_or_says_that_it_cannot() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        first = await client.publish("lobby", 1)
        await client.publish("lobby", 2)
        await client.subscribe("lobby", since=first)
        assert first is not None
        seen = await until(aiter(client), Publication)
        assert (seen[0], offsets(seen)) == (Recovered("lobby", 1), [2])
        await client.publish("other", 1)
        await client.subscribe("other", since=Position("gone", 7))
        gap = (await until(aiter(client), Gap))[-1]
        assert (gap.channel, gap.since, gap.position.offset) == ("other", Position("gone", 7), 1)


async def test_a_bad_token_is_refused_at_once() -> None:
    async with running_server() as server:
        with pytest.raises(HubbubError) as refused:
            async with Client(server.url, "nonsense"):
                pass
        assert refused.value.code == ErrorCode.INVALID_TOKEN


async def test_who_is_thrown_out_is_told_and_stays_out() -> None:
    async with running_server() as server, Client(server.url, server.token()) as client:
        from hubbub.errors import REVOKED

        (session,) = server.app.hub.sessions.values()
        session.disconnect(REVOKED)
        with pytest.raises(Disconnected) as thrown:
            await until(aiter(client), Publication)
        assert thrown.value.reason.code == REVOKED.code
        with pytest.raises(Disconnected):
            await client.publish("lobby", 1)


async def test_the_server_may_subscribe_us() -> None:
    async with running_server() as server:
        token = server.token(subscribe=["news"])
        async with Client(server.url, token) as client:
            events = aiter(client)
            await until(events, ServerSubscribed)
            await server.app.publish("news", "message", 1)
            await until(events, Publication)
            client.drop()
            await server.app.publish("news", "message", 2)
            assert offsets(await until(events, Publication)) == [2]


# --- with a script ----------------------------------------------------------------------------------------


async def test_what_follows_in_the_same_frame_counts() -> None:
    async def script(peer: Peer) -> None:
        command = await peer.take("connect")
        assert command["token"] == "t"
        push = {"type": "subscribed", "channel": "news", "position": {"epoch": "e", "offset": 3}}
        await peer.give(connected(command["id"]), push, publication("news", 3), publication("news", 4))
        command = await peer.take("subscribe")
        await peer.give(
            subscribed(command["id"], "a", 2), publication("a", 2), publication("a", 3), publication("a", 3)
        )
        await peer.give({"type": "of tomorrow", "x": 1}, {"type": "advice", "action": "reconnect"} | SPREAD)
        await peer.give({"type": "join", "channel": "a", "member": {"session": "s", "user": "u"}})
        await peer.stay()

    async with scripted(script) as url, Client(url, "t") as client:
        await client.subscribe("a")
        seen = await until(aiter(client), Join)
    assert [(e.channel, e.offset) for e in seen if isinstance(e, Publication)] == [("news", 4), ("a", 3)]


SPREAD = {"reconnect_after": 0.0, "spread": 1.0}


async def test_a_lost_session_is_replaced_and_every_gap_is_said() -> None:
    tokens = iter(("first", "second"))

    async def before(peer: Peer) -> None:
        assert (await peer.accept())["token"] == "first"
        for name, offset in (("kept", 5), ("lost", 5), ("closed", 5)):
            await peer.give(subscribed((await peer.take("subscribe"))["id"], name, offset))
        await peer.give(publication("kept", 6))
        peer.cut()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        assert command["resume"]["positions"]["kept"] == {"epoch": "e", "offset": 6}
        await peer.give(error(command["id"], ErrorCode.SESSION_GONE))
        command = await peer.accept(session="s2")
        assert command["token"] == "second"
        commands = {each["channel"]: each for each in [await peer.take("subscribe") for _ in range(3)]}
        assert commands["kept"]["since"] == {"epoch": "e", "offset": 6}
        missed = [publication("kept", 7)]
        await peer.give(
            subscribed(commands["kept"]["id"], "kept", 7, recovered=True, publications=missed),
            subscribed(commands["lost"]["id"], "lost", 99),
            error(commands["closed"]["id"], ErrorCode.PERMISSION_DENIED),
            publication("kept", 8),
        )
        await peer.stay()

    async with scripted(before, after) as url, Client(url, lambda: next(tokens)) as client:
        for name in ("kept", "lost", "closed"):
            await client.subscribe(name)
        seen = await until(aiter(client), Publication, 3)
    assert offsets(seen) == [6, 7, 8]
    assert Reconnected(resumed=False) in seen
    assert Recovered("kept", 1) in seen
    assert Gap("lost", Position("e", 5), Position("e", 99)) in seen
    assert [e.channel for e in seen if isinstance(e, ServerUnsubscribed)] == ["closed"]


async def test_commands_that_are_safe_to_repeat_are_repeated_with_their_key() -> None:
    keys = []

    async def before(peer: Peer) -> None:
        await peer.accept()
        keys.append((await peer.take("publish"))["key"])
        peer.cut()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        command = await peer.take("publish")
        keys.append(command["key"])
        await peer.give({"type": "published", "id": command["id"]})
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        assert await client.publish("a", 1) is None
    assert len(keys[0]) >= 16
    assert keys[0] == keys[1]


async def test_a_call_without_a_key_is_not_repeated() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.take("call")
        peer.cut()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        with pytest.raises(ClientError, match="lost before the answer"):
            await client.call("pay", {"amount": 1})
        await until(aiter(client), Reconnected)


async def test_a_subscription_whose_answer_was_lost_is_found_in_the_resumed_session() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.take("subscribe")
        peer.cut()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        assert command["resume"]["positions"] == {"a": {"epoch": "e", "offset": 1}}
        missed = [publication("a", 2)]
        there = subscribed(0, "a", 2, recovered=True, publications=missed)
        await peer.give(connected(command["id"], resumed=True, recovered=True, subscriptions=[there]))
        command = await peer.take("subscribe")
        await peer.give(error(command["id"], ErrorCode.ALREADY_SUBSCRIBED), publication("a", 3))
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        reply = await client.subscribe("a", since=Position("e", 1))
        assert reply.position == Position("e", 2)
        seen = await until(aiter(client), Publication, 2)
    assert offsets(seen) == [2, 3]


async def test_a_channel_that_the_resumed_session_is_not_in_is_reported() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give(subscribed((await peer.take("subscribe"))["id"], "a", 0))
        peer.cut()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        await client.subscribe("a")
        (event,) = [
            e for e in await until(aiter(client), ServerUnsubscribed) if isinstance(e, ServerUnsubscribed)
        ]
    assert event.channel == "a"


@pytest.mark.parametrize("code", [3000, 3002, 3400])
async def test_a_disconnect_that_lets_us_come_back(code: int) -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give({"type": "disconnect", "code": code, "reason": "why", "reconnect": True})
        await peer.stay()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        seen = await until(aiter(client), Reconnected)
    assert seen[0].reason == "why"


async def test_nonsense_from_the_server_ends_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.socket.send("<html>")
        await peer.stay()

    async with scripted(script) as url, Client(url) as client:
        with pytest.raises(ClientError, match="does not speak"):
            await until(aiter(client), Publication)


async def test_a_temporary_refusal_while_coming_back_is_tried_again() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        peer.cut()

    async def draining(peer: Peer) -> None:
        command = await peer.take("connect")
        await peer.give(error(command["id"], ErrorCode.DRAINING, temporary=True))
        await peer.stay()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        await peer.stay()

    async with scripted(before, draining, after) as url, Client(url) as client:
        seen = await until(aiter(client), Reconnected)
    assert [event.attempt for event in seen if isinstance(event, Reconnecting)] == [1, 2]


async def test_a_final_refusal_while_coming_back_ends_it() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        peer.cut()

    async def revoked(peer: Peer) -> None:
        command = await peer.take("connect")
        await peer.give(error(command["id"], ErrorCode.SESSION_GONE))
        command = await peer.take("connect")
        await peer.give(error(command["id"], ErrorCode.INVALID_TOKEN))
        await peer.stay()

    async with scripted(before, revoked) as url, Client(url) as client:
        with pytest.raises(HubbubError) as refused:
            await until(aiter(client), Reconnected)
    assert refused.value.code == ErrorCode.INVALID_TOKEN


async def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        with pytest.raises(ClientError, match="connection refused"):
            async with Client(f"ws://127.0.0.1:{taken.getsockname()[1]}"):
                pass


async def test_a_server_that_refuses_the_handshake() -> None:
    def refuse(connection: Any, request: Request) -> Response:
        response: Response = connection.respond(http.HTTPStatus.FORBIDDEN, "origin not allowed\n")
        return response

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(ClientError, match="HTTP 403: origin not allowed"):
            async with Client(f"ws://127.0.0.1:{port}"):
                pass


@pytest.mark.timeout(30)
async def test_a_publish_on_a_link_that_is_gone_waits_for_the_next_one() -> None:
    """The library says that the link is closed before our reader hears of it; once that was a loop without end."""
    async with running_server() as server, Client(server.url, server.token("ada")) as ada:
        link = _socket(ada)

        async def gone(data: bytes) -> None:
            raise ConnectionClosedError(None, None)

        link.send = gone
        link.transport.abort()
        async with asyncio.timeout(10):
            await ada.publish("lobby", {"n": 1}, key="k")
        assert _socket(ada) is not link


def _socket(client: Client) -> Any:
    link: Any = client.session.link
    return link.socket
