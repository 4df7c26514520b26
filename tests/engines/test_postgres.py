from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from tests.waiting import until

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.engines.postgres import Part, Postgres
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.postgres import execute
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio

PART = Part("test", 1, "CREATE UNLOGGED TABLE IF NOT EXISTS hubbub_live.things (id int)")


def engine(url: str, **settings: Any) -> Postgres:
    return Postgres(StorageConfig(url=SecretStr(url), **settings), SystemClock(), Metrics())


@asynccontextmanager
async def running(url: str, *parts: Part) -> AsyncIterator[Postgres]:
    postgres = engine(url)
    for part in parts:
        postgres.need(part)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


async def test_it_is_up_when_it_has_started_and_tables_are_there(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url, PART) as postgres:
        assert postgres.condition.up
        assert await postgres.fetch("SELECT * FROM hubbub_live.things") == []
        rows = await postgres.fetch("SELECT name, version FROM hubbub_live.parts ORDER BY name")
        assert [tuple(row) for row in rows] == [("engine", 1), ("test", 1)]
    assert postgres.condition.detail == "stopped"
    with pytest.raises(HubbubError):
        await postgres.fetch("SELECT 1")


async def test_many_nodes_start_at_once(empty_postgres_url: str) -> None:
    nodes = [engine(empty_postgres_url) for _ in range(5)]
    for node in nodes:
        node.need(PART)
    await asyncio.gather(*(node.start() for node in nodes))
    assert all(node.condition.up for node in nodes)
    await asyncio.gather(*(node.stop() for node in nodes))


async def test_a_newer_version_changes_tables_and_an_older_one_leaves_them(empty_postgres_url: str) -> None:
    newer = Part(
        "test", 2, PART.statements + ";ALTER TABLE hubbub_live.things ADD COLUMN IF NOT EXISTS b int"
    )
    for part in (PART, newer, PART):
        async with running(empty_postgres_url, part) as postgres:
            columns = len(
                await postgres.fetch("SELECT FROM information_schema.columns WHERE table_name = 'things'")
            )
    assert columns == 2


async def test_start_and_stop_are_counted(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as postgres:
        await postgres.start()
        await postgres.stop()
        assert await postgres.fetch("SELECT 1")


async def test_what_is_notified_is_heard_in_order(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as here, running(empty_postgres_url) as there:
        heard: list[tuple[str, str]] = []
        there.heard = lambda name, payload: heard.append((name, payload))
        await there.listen("A name;")
        await here.fetch("SELECT pg_notify('A name;', n::text) FROM generate_series(1, 100) AS n")
        await until(lambda: len(heard) == 100)
        assert heard == [("A name;", str(number)) for number in range(1, 101)]


async def test_a_statement_that_is_wrong_harms_no_other(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as postgres:
        with pytest.raises(HubbubError) as refusal:
            await postgres.fetch("SELECT nonsense")
        assert refusal.value.code is ErrorCode.BROKER_UNAVAILABLE
        assert await postgres.fetch("SELECT 1")
        assert postgres.condition.up


async def test_everybody_hears_that_something_was_missed(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as here, running(empty_postgres_url) as there:
        told: list[str] = []
        there.missed += [lambda: 1 / 0, lambda: told.append("there")]
        await here.fetch("SELECT pg_notify('hubbub.all', '')")
        await until(lambda: told)


async def test_what_will_never_work_is_said_at_the_start(
    postgres_server: str, empty_postgres_url: str
) -> None:
    with pytest.raises(ConfigError, match="names another database"):
        engine("sqlite:///x.db")
    for url in (
        empty_postgres_url.replace("hubbub:", "nobody:", 1),
        empty_postgres_url + "_not",
        empty_postgres_url.replace("@127.0.0.1", "@127.0.0.1:x", 1),
    ):
        postgres = engine(url)
        with pytest.raises(ConfigError):
            await postgres.start()
    role, password = f"r{secrets.token_hex(4)}", secrets.token_hex(8)
    await asyncio.to_thread(execute, postgres_server, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    address = empty_postgres_url.partition("@")[2]
    poor = f"postgresql://{role}:{password}@{address}"
    try:
        with pytest.raises(ConfigError, match="permission denied"):
            await engine(poor).start()
        # An administrator makes the schema, if the role may not.
        await asyncio.to_thread(
            execute, empty_postgres_url, f"CREATE SCHEMA hubbub_live AUTHORIZATION {role}"
        )
        async with running(poor, PART) as postgres:
            assert postgres.condition.up
    finally:
        await asyncio.to_thread(execute, empty_postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_node_is_known_by_its_listener(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as here:
        async with running(empty_postgres_url) as there:
            alive = "SELECT hubbub_live.alive_1($1)"
            assert (await here.fetch(alive, there.node))[0][0] is True
        async with asyncio.timeout(60):
            while (await here.fetch(alive, there.node))[0][0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_network_that_goes_silent_while_it_begins_to_listen_leaves_nobody_waiting(
    empty_postgres_url: str,
) -> None:
    parts = urlsplit(empty_postgres_url)
    assert parts.port is not None
    async with FaultProxy("127.0.0.1", parts.port) as proxy:
        netloc = f"{parts.netloc.rpartition(':')[0]}:{proxy.port}"
        postgres = engine(parts._replace(netloc=netloc).geturl(), timeout=1.0)
        await postgres.start()
        connect, silences = postgres._connect, 0

        async def connect_and_go_silent() -> Any:
            nonlocal silences
            proxy.to_server.black_hole = False
            connection = await connect()
            if not silences:
                silences += 1
                proxy.to_server.black_hole = True
            return connection

        postgres._connect = connect_and_go_silent  # type: ignore[method-assign]
        postgres._listener.cut()
        await until(lambda: silences)
        heard: list[str] = []
        postgres.heard = lambda name, payload: heard.append(payload)
        await until(lambda: postgres.condition.up and postgres._listener.open)
        await postgres.listen("a")
        await postgres.fetch("SELECT pg_notify('a', 'x')")
        await until(lambda: heard)
        await postgres.stop()
