"""How connections begin: TLS, sockets, versions; and what they do when the other side does not keep to the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from tests.engines.redis_world import config, ear
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.engines.redis import Redis
from hubbub.engines.redis_link import Address, Link, Login, connect
from hubbub.engines.resp import Push, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.loadgen.target import free_port
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.redis import RedisServer


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports and the order in which they look at things differ."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secured(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that asks its clients for certificates."""
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("server", "client"):
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    settings = {
        "tls_port": str(free_port()),
        "tls_cert_file": str(folder / "server.pem"),
        "tls_key_file": str(folder / "server.key"),
        "tls_ca_cert_file": str(folder / "ca.pem"),
    }
    with RedisServer(**settings) as server:  # type: ignore[arg-type]
        yield server


def tls(server: RedisServer, *, own: bool = True, trusting: bool = True) -> dict[str, object]:
    folder = Path(server.settings["tls-ca-cert-file"]).parent
    settings: dict[str, object] = {"url": f"rediss://127.0.0.1:{server.settings['tls-port']}"}
    if trusting:
        settings["tls_ca"] = folder / "ca.pem"
    if own:
        settings |= {"tls_certificate": folder / "client.pem", "tls_key": folder / "client.key"}
    return settings


async def test_tls_with_certificates_of_both(secured: RedisServer) -> None:
    async with ear(config(secured, **tls(secured))) as world:
        name = world.name("c")
        await world.redis.listen(name)
        await world.hears(name, b"x" * 1_000_000)
        await until(lambda: world.redis.condition.up)


@pytest.mark.parametrize("missing", ["own", "trusting"])
async def test_tls_without_them(secured: RedisServer, missing: str) -> None:
    async with ear(config(secured, **tls(secured, **{missing: False}))) as world:
        assert not world.redis.condition.up
        assert world.metrics.engine_breaker_open["redis"] == 2


async def test_a_socket(tmp_path: Path) -> None:
    server = RedisServer()
    await asyncio.to_thread(server.open)
    try:
        async with ear(config(server, url=server.unix_url + "?db=2")) as world:
            assert await world.redis.call("SET", world.name("x"), 1, "EX", 60) == b"OK"
            assert b"db=2" in await world.redis.call("CLIENT", "INFO")
    finally:
        await asyncio.to_thread(server.close)


@asynccontextmanager
async def serving(answers: bytes) -> AsyncIterator[int]:
    """Something that says this to whoever says hello, and then what nobody asked for."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(OSError):
            await reader.read(65_536)
            writer.write(answers)
            if await reader.read(65_536):
                writer.write(b"+what nobody asked\r\n" * 9)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*serving)


def greeting(version: bytes = b"7.0.0", role: bytes = b"master") -> bytes:
    hello = (
        b"%2\r\n+version\r\n$"
        + str(len(version)).encode()
        + b"\r\n"
        + version
        + b"\r\n+role\r\n+"
        + role
        + b"\r\n"
    )
    return hello + b"+PONG\r\n$13\r\nrun_id:abcd\r\n\r\n"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (greeting(b"6.0.16"), "Redis 6.2 or later is needed, this is 6.0"),
        (b"-ERR unknown command `HELLO`\r\n" * 3, "Redis 6.2 or later is needed"),
        (b"-NOPERM this user has no permissions\r\n" * 3, "the user may not say HELLO"),
    ],
)
async def test_what_never_will_work_is_told_at_the_start(answers: bytes, told: str) -> None:
    async with serving(answers) as port:
        redis = Redis(config(RedisServer(), url=f"redis://127.0.0.1:{port}"), SystemClock(), Metrics())
        with pytest.raises(ConfigError, match=told):
            await redis.start()


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        (b"-ERR max number of clients reached\r\n" * 3, "it is not ready (ERR)"),
        (greeting().replace(b"+PONG", b"-LOADING Redis is loading"), "it is not ready (LOADING)"),
        (greeting(role=b"replica"), "it is a replica"),
    ],
)
async def test_what_may_work_later_is_waited_for(answers: bytes, detail: str) -> None:
    async with (
        serving(answers) as port,
        ear(config(RedisServer(), url=f"redis://127.0.0.1:{port}", timeout=0.5)) as world,
    ):
        assert world.redis.condition.detail == detail


def login(timeout: float = 2.0) -> Login:
    return Login(None, None, 0, None, timeout)


def ignored(push: Push) -> None: ...


async def link_to(port: int, seconds: float = 2.0) -> Link:
    return await connect(Address("127.0.0.1", port), login(seconds), SystemClock(), Metrics(), ignored)


async def test_answers_that_nobody_asked_for_end_it() -> None:
    async with serving(greeting()) as port:
        link = await link_to(port)
        assert link.greeting.run_id == b"abcd"
        assert await link.send(pack(("PING",))) == b"what nobody asked"
        assert str(await link.ended) == "it answered what nobody asked"
        with pytest.raises(HubbubError):
            link.send(pack(("PING",)))


async def test_an_answer_that_has_come_is_read_before_it_is_called_late() -> None:
    """The loop stood for longer than the timeout, the answer came meanwhile."""
    server = RedisServer()
    await asyncio.to_thread(server.open)
    link = await link_to(server.port)
    server.pause()
    waiting = link.send(pack(("PING",)))
    for _ in range(3):
        await asyncio.sleep(0)  # it is sent
    assert link._transport is not None
    assert link._timer is not None
    link._timer.cancel()
    link._timeout = 0.05
    link._timer = link._clock.call_later(link._timeout, link._look)
    late = time.monotonic() + 2 * link._timeout
    server.resume()
    select.select([link._transport.get_extra_info("socket")], [], [])  # the loop stands: that is the point
    while time.monotonic() <= late:
        time.sleep(0.01)  # noqa: ASYNC251
    assert await waiting == b"PONG"
    link.drop("left", "over")
    await asyncio.to_thread(server.close)


async def test_it_refuses_when_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.engines.redis_link.FULL", 1_000_000)
    server = RedisServer()
    await asyncio.to_thread(server.open)
    try:
        link = await link_to(server.port)
        server.pause()
        large = pack(("SET", "x", b"x" * 30_000_000))
        outcomes = [asyncio.ensure_future(link.send(large))]
        await asyncio.sleep(0)
        with pytest.raises(HubbubError, match="too much waits"):
            link.send(pack(("PING",)))
        server.resume()
        assert await outcomes[0] == b"OK"
        assert await link.send(pack(("PING",))) == b"PONG"
        link.drop("left", "over")
    finally:
        await asyncio.to_thread(server.close)


async def test_a_push_answers_only_the_command_that_waits_for_it(redis_server: RedisServer) -> None:
    """A server that lets go of a shard channel says so between other answers."""
    link = await link_to(redis_server.port)
    first = link.send(pack(("ECHO", "x")), (b"ssubscribe", b"a"))
    second = link.send(pack(("ECHO", "y")))
    assert not link.confirm((b"sunsubscribe", b"b"))
    assert link.confirm((b"ssubscribe", b"a"))
    assert not link.confirm((b"ssubscribe", b"a"))
    await first
    assert not second.done()
    link.drop("left", "over")
