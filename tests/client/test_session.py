from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from tests.client.places import until
from tests.client.scripted import Peer, connected, error, scripted

from hubbub.client import Client, ClosedError, Disconnected, HubbubError, LostError, Reconnecting
from hubbub.errors import ErrorCode
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_the_state_says_how_it_stands() -> None:
    async with running_server() as server:
        client = Client(server.url, server.token("ada"))
        assert client.state.status == "idle"

        states = client.states()
        async with client:
            assert (await client.connected()).user == "ada"
            client.drop()
            await until(lambda: client.state.resumed)
        seen = [state async for state in states]
    told = [(state.status, state.transport, state.resumed) for state in seen]
    assert told == [
        ("idle", None, False),
        ("connecting", None, False),
        ("connected", "websocket", False),
        ("recovering", None, False),
        ("connected", "websocket", True),
        ("closed", None, False),
    ]
    assert seen[3].attempt == 1
    assert seen[3].reason == "connection lost"
    assert seen[3].retry_at is not None
    assert seen[2].session == seen[4].session != ""


async def test_a_patient_client_waits_for_its_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with Client(f"http://127.0.0.1:{taken.getsockname()[1]}", patient=True) as client:
            await until(lambda: client.state.attempt >= 2)
            assert client.state.status == "recovering"
            assert "connection refused" in client.state.reason
            client.reconnect()
        assert client.state.ended
        with pytest.raises(ClosedError):
            await client.publish("a", 1)


async def test_a_machine_without_a_network_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*arguments: Any, **options: Any) -> Any:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", nowhere)
    async with Client("http://hubbub.example", patient=True) as client:
        await until(lambda: client.state.status == "offline")
        assert "name resolution" in client.state.reason


async def test_a_token_is_replaced_before_it_expires() -> None:
    tokens = 0
    async with running_server() as server:

        def fresh() -> str:
            nonlocal tokens
            tokens += 1
            return server.token("ada", ttl=1.0 if tokens == 1 else 600.0)

        async with Client(server.url, fresh) as client:
            first = client.state
            await until(lambda: tokens == 2)
            (session,) = server.app.hub.sessions.values()
            await until(lambda: (session.principal.expires or 0) > time.time() + 300)
            assert client.state is first


async def test_whoever_sets_the_clock_does_not_move_the_server_s() -> None:
    clock = 1_000_000.0

    async def script(peer: Peer) -> None:
        command = await peer.take("connect")
        await peer.give(connected(command["id"], time=2_000_000.0))
        await peer.stay()

    client = Client("http://server.test", clock=lambda: clock)
    assert client.time() == 1_000_000.0
    async with scripted(script) as url, Client(url, clock=lambda: clock) as client:
        assert 0 <= client.time() - 2_000_000 < 60
        clock = 500_000.0
        before = client.time()
        assert 0 <= before - 2_000_000 < 60
        await asyncio.sleep(0.05)
        assert 0.04 < client.time() - before < 60


async def test_a_token_that_has_expired_is_replaced_with_the_session() -> None:
    """As where the clock was wrong, or the machine slept."""
    tokens = 0

    async def before(peer: Peer) -> None:
        assert (await peer.accept())["token"] == "token 1"
        await peer.give({"type": "disconnect", "code": 3400, "reason": "expired", "reconnect": True})
        await peer.stay()

    async def after(peer: Peer) -> None:
        command = await peer.take("connect")
        assert command["token"] == "token 2"  # and no resume
        await peer.give(connected(command["id"], session="s2"))
        await peer.stay()

    def fresh() -> str:
        nonlocal tokens
        tokens += 1
        return f"token {tokens}"

    async with scripted(before, after) as url, Client(url, fresh) as client:
        await until(lambda: client.state.session == "s2")


async def test_a_backend_that_gives_no_token_is_asked_again() -> None:
    answers: list[Any] = ["first", RuntimeError("down"), "second"]

    async def before(peer: Peer) -> None:
        await peer.accept()
        peer.cut()

    async def gone(peer: Peer) -> None:
        command = await peer.take("connect")
        await peer.give(error(command["id"], ErrorCode.SESSION_GONE))
        await peer.stay()

    async def after(peer: Peer) -> None:
        assert (await peer.accept(session="s2"))["token"] == "second"
        await peer.stay()

    def fresh() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    async with scripted(before, gone, after) as url, Client(url, fresh) as client:
        await until(lambda: client.state.session == "s2")


@pytest.mark.parametrize("code", [3500, 3501, 3502, 3503, 3504, 3505, 3506, 3999, 4001])
async def test_codes_that_forbid_to_return(code: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.give({"type": "disconnect", "code": code, "reason": "why", "reconnect": False})
        await peer.stay()

    async with scripted(script) as url, Client(url) as client:
        states = [state async for state in client.states()]
        assert states[-1].status == "failed"
        assert isinstance(states[-1].error, Disconnected)
        with pytest.raises(Disconnected, match="why"):
            await client.publish("a", 1)


async def test_an_application_s_own_code_that_lets_us_return() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give({"type": "disconnect", "code": 4001, "reason": "move", "reconnect": True})
        await peer.stay()

    async def after(peer: Peer) -> None:
        await peer.accept(session="s2")
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        await until(lambda: client.state.session == "s2")


@pytest.mark.parametrize(
    "last",
    [
        {"type": "disconnect", "code": 3000, "reason": "drain", "reconnect": True, "retry_after": 0.5},
        {"type": "advice", "action": "reconnect", "reconnect_after": 0.5, "spread": 0.0},
    ],
)
async def test_who_is_told_when_to_return_returns_no_sooner(last: dict[str, Any]) -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.give(last)
        if last["type"] == "advice":
            peer.cut()
        await peer.stay()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        async for event in client:
            assert isinstance(event, Reconnecting)
            assert event.delay >= 0.45
            client.reconnect()  # the test does not wait
            break
        await until(lambda: client.state.resumed)


async def test_a_server_that_takes_and_drops_us_is_tried_ever_more_slowly() -> None:
    async def dropping(peer: Peer) -> None:
        await peer.accept()
        await peer.give({"type": "disconnect", "code": 3004, "reason": "error", "reconnect": True})
        await peer.stay()

    async def staying(peer: Peer) -> None:
        await peer.accept(session="s2")
        await peer.stay()

    async with scripted(dropping, dropping, dropping, staying) as url, Client(url) as client:
        delays = []
        async for event in client:
            if isinstance(event, Reconnecting):
                delays.append(event.delay)
                client.reconnect()
            if len(delays) == 3:
                break
        await until(lambda: client.state.session == "s2")
    assert delays[0] <= 0.25
    assert all(0.05 <= delay <= 0.25 * 2**number for number, delay in enumerate(delays))


@pytest.mark.parametrize("transport", ["websocket", "sse", "polling"])
async def test_commands_may_be_cancelled_at_any_moment(transport: Any) -> None:
    """Each await of each command is cancelled once; what is left goes on as if nothing had been."""
    async with (
        running_server(limits={"error_burst": 1000}) as server,
        Client(server.url, server.token(), transports=[transport]) as client,
    ):
        for command in (
            lambda: client.publish("lobby", 1),
            lambda: client.history("lobby"),
            lambda: client.subscribe("room"),
            lambda: client.channel("hall").subscribe().__aenter__(),
        ):
            for steps in range(8):
                task = asyncio.ensure_future(command())
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                if not task.cancelled() and "room" in client.channels.entries:
                    await client.unsubscribe("room")
        await client.presence("lobby")  # all that was sent before it is answered
        assert not client.session._waiting
        (session,) = server.app.hub.sessions.values()
        assert set(session.subscriptions) == {
            name for name, entry in client.channels.entries.items() if entry.entered
        }
        assert "room" not in client.channels.entries


async def test_whoever_waits_when_the_client_is_left_is_told() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.take("call")
        await peer.stay()

    async with scripted(script) as url:
        async with Client(url) as client:
            task = asyncio.create_task(client.call("slow"))
            await until(lambda: client.session._waiting)
        with pytest.raises(ClosedError):
            await task


async def test_a_call_that_is_not_safe_to_repeat_is_not_repeated() -> None:
    async def before(peer: Peer) -> None:
        await peer.accept()
        await peer.take("call")
        peer.cut()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        command = await peer.take("call")
        assert command["method"] == "read"
        await peer.give({"type": "result", "id": command["id"], "result": 7})
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        with pytest.raises(LostError):
            await client.call("pay")
        assert await client.call("read", again=True) == 7


async def test_a_server_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.stay()

    from hubbub import model
    from hubbub.client import wire

    async with scripted(script) as url, Client(url) as client:
        with pytest.raises(HubbubError, match=r"no answer in 0\.05 s") as late:
            await client.session.ask(lambda id: model.Ping(id), wire.ResultReply, within=0.05)
        assert late.value.code == ErrorCode.TIMEOUT
        assert not client.session._waiting
