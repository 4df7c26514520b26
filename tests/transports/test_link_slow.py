"""Readers that are slow or have stopped: found by bytes and by time, ended without politeness, nobody else affected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.waiting import until

from hubbub.testing.raw import PING, TEXT, RawClient, masked
from hubbub.testing.server import RunningServer, running_server
from hubbub.transports.kernel import UNSENT
from hubbub.transports.link import HIGH_WATER

pytestmark = pytest.mark.anyio

QUIET = {"ping_interval": 0.0}
SLOW = 3002


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


async def reader(server: RunningServer, *, receive_buffer: int | None = None) -> RawClient:
    client = await RawClient.open(server.host, server.port, receive_buffer=receive_buffer)
    await client.connect(server.token(), "news")
    return client


async def publish(server: RunningServer, count: int, size: int) -> None:
    """`count` publications of `size` bytes, each in a turn of its own; `data` begins with its number."""
    for number in range(count):
        await server.app.publish("news", "e", f"{number}:" + "x" * size)
        await asyncio.sleep(0)


async def numbers(client: RawClient, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        push = await client.read_json()
        if push["type"] == "publication":
            found.append(int(push["data"].partition(":")[0]))
    return found


async def test_a_stalled_reader_is_ended_by_bytes() -> None:
    async with running_server(limits={"queue_bytes": 100_000}, heartbeat=QUIET) as server:
        metrics, node = server.app.metrics, server.app.node
        stalled = await RawClient.open(server.host, server.port, receive_buffer=4096)
        connected = await stalled.connect(server.token("ada"), "news")
        async with await reader(server) as steady:
            reading = asyncio.create_task(numbers(steady, 300))
            highest = 0
            for number in range(300):
                await publish_one(server, number)
                highest = max(highest, node.queued_bytes)
            assert await reading == list(range(300))  # the others have everything, in order
            assert (metrics.disconnects[SLOW], metrics.rejected["queue_bytes"]) == (1, 1)
            assert 50_000 < highest <= 100_000
            assert node.queued_bytes == 0
            assert connected["session"] in server.app.hub.detached
            assert await stalled.read_end() in ("reset", "closed")
            stalled.close()
            # It is back with nothing lost.
            async with await RawClient.open(server.host, server.port) as again:
                await again.upgrade()
                proof = {"session": connected["session"], "secret": connected["secret"]}
                await again.send_json({"type": "connect", "id": 1, "resume": proof})
                assert (await again.read_json())["resumed"] is True


async def publish_one(server: RunningServer, number: int) -> None:
    await server.app.publish("news", "e", f"{number}:" + "x" * 4000)
    await asyncio.sleep(0.001)


async def test_a_stalled_reader_is_ended_by_time() -> None:
    async with running_server(
        limits={"queue_bytes": 50_000_000, "write_timeout": 1.0}, heartbeat=QUIET
    ) as server:
        metrics = server.app.metrics
        stalled = await reader(server, receive_buffer=4096)
        await publish(server, 100, 10_000)
        assert server.app.node.queued_bytes > 500_000
        assert metrics.disconnects[SLOW] == 0
        await until(lambda: metrics.disconnects[SLOW])
        await until(lambda: not server.app.node.websockets)
        assert metrics.rejected["write_timeout"] == 1
        assert server.app.node.queued_bytes == 0
        assert server.app.node.admission.total == 0
        assert len(server.app.hub.detached) == 1
        stalled.close()


@pytest.mark.parametrize(
    ("messages", "bite", "queued"), [(20, 4_000, True), (6, 2_000, False)], ids=["queued", "in-the-kernel"]
)
async def test_a_slow_but_steady_reader_survives(messages: int, bite: int, queued: bool) -> None:
    """Its pong comes late, because the ping waits behind what it has yet to read, here or in the kernel."""
    async with running_server(
        limits={"queue_bytes": 2_000_000, "write_timeout": 1.0},
        heartbeat={"ping_interval": 0.5, "ping_timeout": 0.5},
    ) as server:
        client = await reader(server, receive_buffer=8_192)
        await publish(server, messages, 20_000)
        assert bool(server.app.node.queued_bytes) is queued
        for _ in range(messages * 20_000 // bite - 2):
            await client.take_in(bite)
            await asyncio.sleep(0.03)
        assert await numbers(client, messages) == list(range(messages))
        await client.send_json({"type": "ping", "id": 9})
        assert (await client.read_json())["id"] == 9
        assert not server.app.metrics.disconnects
        client.close()


async def test_an_answer_larger_than_the_queue_reaches_a_steady_reader() -> None:
    """Else a client with much to catch up on would be ended at each attempt, for ever."""
    async with running_server(limits={"queue_bytes": 50_000}, heartbeat=QUIET) as server:
        await publish(server, 100, 20_000)
        async with await RawClient.open(server.host, server.port, receive_buffer=32_768) as client:
            await client.connect(server.token())
            epoch = (await server.app.hub.history("news", None, 1, False)).position
            assert epoch is not None
            await client.send_json(
                {
                    "type": "subscribe",
                    "id": 2,
                    "channel": "news",
                    "since": {"epoch": epoch.epoch, "offset": 0},
                }
            )
            reply = await client.read_json()
            assert (reply["recovered"], len(reply["publications"])) == (True, 100)


async def test_a_flood_of_pings_that_reads_no_pongs_is_bounded() -> None:
    async with running_server(
        limits={"queue_bytes": 100_000, "control_rate": 0.0}, heartbeat=QUIET
    ) as server:
        client = await RawClient.open(server.host, server.port, receive_buffer=4096)
        await client.connect(server.token())
        flood = masked(PING, b"x" * 125) * 500
        with pytest.raises(ConnectionError):
            await client.send_slowly([flood] * 500)
        assert server.app.metrics.rejected["queue_bytes"] == 1
        assert server.app.node.queued_bytes == 0
        client.close()


async def test_a_slow_reader_is_noticed_before_the_kernel_has_taken_megabytes() -> None:
    async with running_server(limits={"queue_bytes": 50_000_000}, heartbeat=QUIET) as server:
        client = await reader(server, receive_buffer=4096)
        sent = 0
        while not server.app.node.queued_bytes:
            await server.app.publish("news", "e", "x" * 10_000)
            await asyncio.sleep(0.001)
            sent += 10_000
        assert sent < 2 * (UNSENT + HIGH_WATER) + 100_000
        client.reset()
        await until(lambda: not server.app.node.websockets)
        assert server.app.node.queued_bytes == 0


async def test_many_large_answers_are_bounded_while_they_are_asked_for() -> None:
    """All the questions come in one read; nobody reads the answers."""
    async with running_server(
        limits={"queue_bytes": 200_000, "history_bytes": 100_000, "command_rate": 0.0}, heartbeat=QUIET
    ) as server:
        await publish(server, 10, 10_000)
        client = await reader(server, receive_buffer=4096)
        sent = server.app.metrics.bytes_out
        question = b'{"type":"history","id":9,"channel":"news"}'
        await client.send(masked(TEXT, b"\n".join([question] * 500)))
        await until(lambda: server.app.metrics.disconnects[SLOW])
        # 500 answers would have been 50 MB: the kernel took some, 200 kB waited, and one came on top.
        assert server.app.metrics.bytes_out - sent < 10_000_000
        client.close()
