from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.client.places import take, until
from tests.client.scripted import Peer, error, scripted

from hubbub.app import Hubbub
from hubbub.client import Client, ClientError, ErrorCode, HubbubError
from hubbub.client.outbox import DiscardedError, MemoryStorage
from hubbub.config import Config, development
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio
UNLIMITED: Any = {"publish_rate": 0.0, "command_rate": 0.0}


def counting() -> tuple[Hubbub, list[Any]]:
    """A Hubbub with a handler `note`, which remembers, and refuses what is `bad`."""
    app = Hubbub(development(Config(limits=UNLIMITED), "s" * 32))
    noted: list[Any] = []

    @app.on("note")
    async def note(session: Any, params: Any) -> Any:
        if params == "bad":
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "bad")
        noted.append(params)
        return params

    return app, noted


async def test_a_write_is_made_and_answered() -> None:
    app, noted = counting()
    everything = {"*": ["*"]}
    async with (
        running_server(app=app) as server,
        Client(server.url, server.token(channels=everything)) as client,
    ):
        write = await client.outbox.call("note", {"a": 1})
        assert await write == {"a": 1}
        assert write.done
        position = await (await client.outbox.publish("lobby", [1], event="said")).result()
        assert position["offset"] == 1
        (published,) = (await client.history("lobby")).publications
        assert (published.event, bytes(published.data)) == ("said", b"[1]")
        assert client.outbox.entries == ()
        assert noted == [{"a": 1}]


async def test_a_thousand_writes_made_offline_are_made_once_and_in_order(tmp_path: Path) -> None:
    app, noted = counting()
    path = str(tmp_path / "outbox.db")
    async with running_server(app=app) as server, FaultProxy(server.host, server.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        proxy.refusing = True
        async with Client(url, server.token(), patient=True, outbox=path) as client:
            await asyncio.gather(*(client.outbox.call("note", number) for number in range(1000)))
            assert len(client.outbox.entries) == 1000
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.outbox.empty(), 0.01)
        assert noted == []
        proxy.refusing = False
        async with Client(url, server.token(), patient=True, outbox=path) as client:  # after a restart
            while len(noted) < 900:
                await until(lambda: len(noted) % 300 >= 100)
                proxy.reset()
                await until(lambda: len(noted) % 300 < 100 or len(noted) == 1000)
            async with asyncio.timeout(60):
                await client.outbox.empty()
        assert noted == list(range(1000))
        await until(lambda: not proxy.connections)


async def test_what_is_refused_for_good_waits_to_be_tried_again_or_discarded() -> None:
    app, _noted = counting()
    async with running_server(app=app) as server, Client(server.url, server.token()) as client:
        writes = [await client.outbox.call("note", params) for params in ("bad", "good", "bad")]
        with pytest.raises(HubbubError, match="bad"):
            await writes[0]
        assert await writes[1] == "good"
        await client.outbox.empty()
        first, last = client.outbox.entries
        assert (first.state, first.error and first.error.code) == ("failed", ErrorCode.PERMISSION_DENIED)
        error = client.outbox.error(first)
        assert error is not None
        assert error.code == ErrorCode.PERMISSION_DENIED
        again = await client.outbox.retry(first.id)
        with pytest.raises(HubbubError, match="bad"):
            await again
        await client.outbox.discard(first.id)
        await client.outbox.discard(last.id)
        assert client.outbox.entries == ()
        with pytest.raises(KeyError):
            await client.outbox.retry(first.id)


async def test_a_refusal_for_the_moment_holds_its_group_only() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        first = await peer.take("call")
        other = await peer.take("call")
        assert {first["method"], other["method"]} == {"a1", "b1"}
        held, fine = (first, other) if first["method"] == "a1" else (other, first)
        await peer.give(error(held["id"], ErrorCode.RATE_LIMITED, temporary=True, retry_after=0.1))
        await peer.give({"type": "result", "id": fine["id"], "result": 1})
        again = await peer.take("call")
        assert (again["method"], again["key"]) == ("a1", held["key"])
        await peer.give({"type": "result", "id": again["id"], "result": 2})
        last = await peer.take("call")
        assert last["method"] == "a2"
        await peer.give({"type": "result", "id": last["id"], "result": 3})
        await peer.stay()

    async with scripted(script) as url, Client(url) as client:
        changes = client.outbox.changes()
        assert await take(changes, 1) == [()]
        writes = [await client.outbox.call(name, group=name[0]) for name in ("a1", "a2", "b1")]
        assert [await each for each in writes] == [2, 3, 1]
        assert (await take(changes, 1))[0] == ()


async def test_a_write_whose_answer_was_lost_is_made_again_with_its_key() -> None:
    keys = []

    async def before(peer: Peer) -> None:
        await peer.accept()
        keys.append((await peer.take("call"))["key"])
        peer.cut()

    async def after(peer: Peer) -> None:
        await peer.accept(resumed=True)
        command = await peer.take("call")
        keys.append(command["key"])
        await peer.give({"type": "result", "id": command["id"], "result": 1})
        await peer.stay()

    async with scripted(before, after) as url, Client(url) as client:
        assert await (await client.outbox.call("note", 1)) == 1
    assert keys[0]
    assert keys[0] == keys[1]


async def test_what_is_discarded_is_not_sent() -> None:
    app, noted = counting()
    async with running_server(app=app) as server, FaultProxy(server.host, server.port) as proxy:
        proxy.refusing = True
        client = Client(f"http://127.0.0.1:{proxy.port}", server.token(), patient=True)
        async with client:
            first, second = [await client.outbox.call("note", number) for number in range(2)]
            await client.outbox.discard(first.id)
            with pytest.raises(DiscardedError):
                await first
            proxy.refusing = False
            client.reconnect()
            assert await second == 1
        assert noted == [1]
        await until(lambda: not proxy.connections)


async def test_what_waits_when_the_client_is_left_is_kept() -> None:
    storage = MemoryStorage()
    app, noted = counting()
    async with running_server(app=app) as server, FaultProxy(server.host, server.port) as proxy:
        proxy.refusing = True
        async with Client(f"http://127.0.0.1:{proxy.port}", patient=True, outbox=storage) as client:
            write = await client.outbox.call("note", 7)
        with pytest.raises(ClientError, match="waits in the outbox"):
            await write
        with pytest.raises(ClientError, match="closed"):
            await client.outbox.call("note", 8)
        async with Client(server.url, server.token(), outbox=storage) as client:
            await client.outbox.empty()
        assert noted == [7]
        await until(lambda: not proxy.connections)


async def test_adding_may_be_cancelled(tmp_path: Path) -> None:
    """It is in the outbox then, or it is not."""
    app, noted = counting()
    async with running_server(app=app) as server:
        path = str(tmp_path / "outbox.db")
        async with Client(server.url, server.token(), outbox=path) as client:
            for steps in range(6):
                task = asyncio.ensure_future(client.outbox.call("note", steps))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await (await client.outbox.call("note", "last"))
            await client.outbox.empty()
            assert noted == [*sorted(noted[:-1]), "last"]
            assert len(set(noted)) == len(noted)
