"""The table of channels: what it does when a session is lost in the middle of something."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.client.places import take, until
from tests.client.scripted import Peer, connected, error, publication, scripted, subscribed

from hubbub.client import Client, ErrorCode, Gap, Position
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def lost(peer: Peer) -> dict[str, Any]:
    """The session is gone; another one begins."""
    command = await peer.take("connect")
    await peer.give(error(command["id"], ErrorCode.SESSION_GONE))
    return await peer.accept(session="s2")


async def test_a_subscription_that_is_refused_for_the_moment_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hubbub.client.channels.RETRY", 0.01)

    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give(subscribed((await peer.take("subscribe"))["id"], "a", 5))
        peer.cut()

    async def after(peer: Peer) -> None:
        await lost(peer)
        command = await peer.take("subscribe")
        await peer.give(error(command["id"], ErrorCode.RATE_LIMITED, temporary=True))
        command = await peer.take("subscribe")
        assert command["since"] == {"epoch": "e", "offset": 5}
        missed = [publication("a", 6)]
        await peer.give(subscribed(command["id"], "a", 6, recovered=True, publications=missed))
        await peer.stay()

    async with (
        scripted(before, after) as url,
        Client(url) as client,
        client.channel("a").subscribe() as subscription,
    ):
        assert [each.offset for each in await take(subscription, 1)] == [6]


async def test_what_the_server_has_put_us_into_is_caught_up_with() -> None:
    """It does so again at the beginning of a new session, before we could say from where."""
    async with running_server() as server, Client(server.url, server.token(subscribe=["news"])) as client:
        await until(lambda: "news" in client.channels.entries)
        await server.app.publish("news", "message", 1)
        async for event in client:
            if getattr(event, "offset", None) == 1:
                break
        (session,) = server.app.hub.sessions.values()
        client.session._resumable = False  # it will be another session
        client.drop()
        for number in range(2, 5):
            await server.app.publish("news", "message", number)
        seen = []
        async with asyncio.timeout(10):
            async for event in client:
                if getattr(event, "offset", None) is not None:
                    seen.append(event.offset)  # type: ignore[union-attr]
                if len(seen) == 3:
                    break
        assert seen == [2, 3, 4]
        assert client.state.session != session.id


@pytest.mark.parametrize("answer", ["refused", "incomplete"])
async def test_what_cannot_be_caught_up_with_is_a_gap(answer: str) -> None:
    async def before(peer: Peer) -> None:
        command = await peer.take("connect")
        push = {"type": "subscribed", "channel": "news", "position": {"epoch": "e", "offset": 3}}
        await peer.give(connected(command["id"]), push)
        peer.cut()

    async def after(peer: Peer) -> None:
        await lost(peer)
        push = {"type": "subscribed", "channel": "news", "position": {"epoch": "e", "offset": 90}}
        command = await peer.take("subscribe")
        await peer.give(push, error(command["id"], ErrorCode.ALREADY_SUBSCRIBED), publication("news", 91))
        command = await peer.take("history")
        if answer == "refused":
            await peer.give(error(command["id"], ErrorCode.PERMISSION_DENIED))
        else:
            history = {"position": {"epoch": "e", "offset": 90}, "publications": [], "complete": False}
            await peer.give({"type": "result", "id": command["id"], "result": history})
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        seen: list[Any] = []
        async for event in client:
            seen.append(event)
            if getattr(event, "offset", None) == 91:
                break
        assert Gap("news", Position("e", 3), Position("e", 90)) in seen


async def test_what_was_left_while_the_link_was_lost_is_left_again() -> None:
    left = asyncio.Event()

    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give(subscribed((await peer.take("subscribe"))["id"], "a", 5))
        await peer.take("unsubscribe")
        peer.cut()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        there = subscribed(0, "a", 6, recovered=True, publications=[publication("a", 6)])
        await peer.give(connected(command["id"], resumed=True, subscriptions=[there]), publication("a", 7))
        assert (await peer.take("unsubscribe"))["channel"] == "a"
        left.set()
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        async with client.channel("a").subscribe():
            pass
        await left.wait()
        assert not client.channels.entries
        assert not [each for each in client._queue._events if getattr(each, "channel", "") == "a"]


async def test_an_answer_that_nobody_waits_for_any_more_enters_nothing() -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        command = await peer.take("subscribe")
        asked.set()
        left = await peer.take("unsubscribe")
        await peer.give(subscribed(command["id"], "a", 5), {"type": "result", "id": left["id"], "result": {}})
        command = await peer.take("publish")  # and not another `unsubscribe`
        await peer.give({"type": "published", "id": command["id"]}, publication("a", 6))
        await peer.stay()

    async with scripted(script) as url, Client(url) as client:
        task = asyncio.create_task(client.subscribe("a"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.publish("b", 1)
        assert not client.channels.entries
        assert not client.channels._leaving


async def entered(peer: Peer) -> None:
    await peer.accept()
    await peer.give(subscribed((await peer.take("subscribe"))["id"], "a", 5))
    peer.cut()


async def cut_again(peer: Peer) -> None:
    """Another session, which ends before it has answered; something of the channel came before that."""
    await lost(peer)
    await peer.take("subscribe")
    await peer.give(publication("a", 1, epoch="f"))
    peer.cut()


async def test_a_session_that_ends_before_it_has_us_in_a_channel_is_not_the_last_that_is_asked() -> None:
    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        await peer.give(error(command["id"], ErrorCode.SESSION_GONE))
        await peer.accept(session="s3")
        command = await peer.take("subscribe")
        assert command["since"] == {"epoch": "e", "offset": 5}
        missed = [publication("a", 6)]
        await peer.give(subscribed(command["id"], "a", 6, recovered=True, publications=missed))
        await peer.stay()

    async with (
        scripted(entered, cut_again, cut_again, after) as url,
        Client(url) as client,
        client.channel("a").subscribe() as subscription,
    ):
        assert [each.offset for each in await take(subscription, 1)] == [6]
        assert subscription.position == Position("e", 6)


async def test_a_session_that_is_resumed_is_asked_again_for_what_it_never_heard() -> None:
    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        assert command["resume"]["session"] == "s2"
        await peer.give(connected(command["id"], session="s2", resumed=True, recovered=True))
        command = await peer.take("subscribe")
        await peer.give(subscribed(command["id"], "a", 7, recovered=False))
        await peer.give(publication("a", 8))
        await peer.stay()

    gaps: list[Gap] = []
    async with (
        scripted(entered, cut_again, after) as url,
        Client(url) as client,
        client.channel("a", on_gap=gaps.append).subscribe() as subscription,
    ):
        assert [each.offset for each in await take(subscription, 1)] == [8]
        assert gaps == [Gap("a", Position("e", 5), Position("e", 7))]
