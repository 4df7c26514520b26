from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats, NatsRefused
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.nats import NatsServer
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio

STREAM: dict[str, Any] = {"name": "S", "subjects": ["s.>"], "storage": "memory", "max_age": 60 * 10**9}


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


def engine(url: str, within: float = 2.0) -> Nats:
    return Nats(NatsConfig(url=SecretStr(url), timeout=within), SystemClock(), Metrics())


@asynccontextmanager
async def running(url: str, within: float = 2.0) -> AsyncIterator[Nats]:
    nats = engine(url, within)
    await nats.start()
    try:
        yield nats
    finally:
        await nats.stop()


async def test_what_is_said_is_heard_in_order_from_when_listen_returns(server: NatsServer) -> None:
    async with running(server.url) as here, running(server.url) as there:
        heard: list[bytes] = []
        await there.listen("a", lambda subject, reply, headers, body: heard.append(body))
        for number in range(100):
            last = here.publish("a", b"%d" % number)
        await here.confirmed(last)
        await there.confirmed(there.publish("b", b""))
        assert heard == [b"%d" % number for number in range(100)]
        there.unlisten("a")
        await there.confirmed(there.publish("b", b""))
        await here.confirmed(here.publish("a", b""))
        await there.confirmed(there.publish("b", b""))
        assert len(heard) == 100


async def test_a_handler_that_fails_ends_nothing(server: NatsServer) -> None:
    async with running(server.url) as nats:
        heard: list[bytes] = []

        def fail(subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
            heard.append(body)
            raise RuntimeError("broken")

        await nats.listen("a", fail)
        nats.publish("a", b"1")
        await nats.confirmed(nats.publish("a", b"2"))
        assert heard == [b"1", b"2"]


async def test_streams_are_made_and_changed(server: NatsServer) -> None:
    for max_age in (60, 60, 30):
        nats = engine(server.url)
        nats.need({**STREAM, "max_age": max_age * 10**9})
        await nats.start()
        assert (await nats.api("STREAM.INFO.S"))["config"]["max_age"] == max_age * 10**9
        await nats.stop()
    nats = engine(server.url)
    nats.need({**STREAM, "storage": "file"})
    with pytest.raises(ConfigError, match="storage type"):
        await nats.start()
    async with running(server.url) as nats:
        with pytest.raises(NatsRefused) as refusal:
            await nats.api("STREAM.INFO.nothing")
        assert refusal.value.code == 10059
        with pytest.raises(HubbubError) as unanswered:
            await nats.request("nobody.here", b"")
        assert unanswered.value.code is ErrorCode.BROKER_UNAVAILABLE
        assert nats.condition.up, "that nobody answers is not the connection's fault"


async def test_who_asks_and_goes_away_disturbs_nobody(server: NatsServer) -> None:
    async with running(server.url) as nats:
        tasks = [asyncio.create_task(nats.api("INFO")) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, dict] * 10
        assert not nats._asked
        assert nats.condition.up


async def test_a_server_that_stops_answering_is_left(server: NatsServer) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        running(f"nats://127.0.0.1:{proxy.port}", 0.3) as nats,
    ):
        missed, renewed = list[None](), list[None]()
        nats.missed.append(lambda: missed.append(None))
        nats.renewed.append(lambda: renewed.append(None))
        proxy.to_server.black_hole = True
        with pytest.raises(HubbubError) as refusal:
            await nats.api("INFO")
        assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
        assert nats.condition.detail == "NATS does not answer"
        assert not nats.condition.up
        with pytest.raises(HubbubError):
            nats.publish("a", b"")
        proxy.to_server.black_hole = False
        await until(lambda: nats.condition.up)
        assert (len(missed), len(renewed)) == (1, 1)
        assert await nats.api("INFO")


async def test_a_connection_that_is_silent_is_left_by_its_probes(server: NatsServer) -> None:
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        running(f"nats://127.0.0.1:{proxy.port}", 0.3) as nats,
    ):
        proxy.to_client.black_hole = True
        await until(lambda: not nats.condition.up)  # though nobody asked anything
        proxy.to_client.black_hole = False
        await until(lambda: nats.condition.up)


async def test_of_several_servers_one_that_answers_is_taken(server: NatsServer) -> None:
    nats = engine(f"nats://127.0.0.1:1, {server.url}")
    await nats.start()
    await until(lambda: nats.condition.up)
    await nats.stop()


async def test_a_node_tells_all(server: NatsServer) -> None:
    async with running(server.url) as here, running(server.url) as there:
        told: list[str] = []
        there.missed.append(lambda: told.append("there"))
        await here.confirmed(here.tell_all())
        await until(lambda: told)


@pytest.mark.parametrize(
    ("settings", "good", "bad"),
    [
        ('authorization { user: "ann", password: "s@cret" }', "ann:s%40cret@", "ann:wrong@"),
        ('authorization { token: "s3" }', "s3@", ""),
    ],
)
async def test_whoever_may_not_is_told_so_at_the_start(settings: str, good: str, bad: str) -> None:
    server = NatsServer(settings)
    await asyncio.to_thread(server.open)
    try:
        async with running(server.url.replace("//", f"//{good}")) as nats:
            assert nats.condition.up
        nats = engine(server.url.replace("//", f"//{bad}"))
        with pytest.raises(ConfigError, match="Authorization") as refusal:
            await nats.start()
        assert "s@cret" not in str(refusal.value)
    finally:
        await asyncio.to_thread(server.close)


@pytest.mark.parametrize("url", ["http://host", "nats://", "redis://x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        engine(url)


async def test_start_and_stop_are_counted(server: NatsServer) -> None:
    nats = engine(server.url)
    await nats.start()
    await nats.start()
    await nats.stop()
    assert await nats.api("INFO")
    await nats.stop()
    with pytest.raises(HubbubError):
        await nats.api("INFO")
    await nats.start()
    assert await nats.api("INFO")
    await nats.stop()


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = NatsServer(f'tls {{ cert_file: "{tmp_path / "cert.pem"}", key_file: "{tmp_path / "key.pem"}" }}')
    await asyncio.to_thread(server.open)
    try:
        nats = engine(server.url)
        await nats.start()  # whom nobody trusts is as good as away
        assert not nats.condition.up
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        await until(lambda: nats.condition.up)
        assert await nats.api("INFO")
        assert len((await nats.request("$JS.API.INFO", b"x" * 100_000))[1])
        await nats.stop()
    finally:
        await asyncio.to_thread(server.close)
