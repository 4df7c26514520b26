from __future__ import annotations

import asyncio
import re

import pytest
import sqlalchemy as sa

from hubbub.clock import SystemClock
from hubbub.errors import ConfigError, ErrorCode
from hubbub.storage.postgres_sessions import LOST, Fault, Sessions, fault_of
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio


class Refusal(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "reason", "code", "again"),
    [
        ("40P01", "deadlock", ErrorCode.STORE_UNAVAILABLE, True),
        ("40001", "serialization", ErrorCode.STORE_UNAVAILABLE, True),
        ("53100", "full", ErrorCode.STORE_FULL, False),
        ("53200", "resources", ErrorCode.STORE_UNAVAILABLE, False),
        ("57014", "timeout", ErrorCode.TIMEOUT, False),
        ("57P01", "restart", ErrorCode.STORE_UNAVAILABLE, True),
        ("08006", "connection", ErrorCode.STORE_UNAVAILABLE, True),
        ("25006", "read-only", ErrorCode.STORE_UNAVAILABLE, False),
        ("28P01", "authentication", ErrorCode.STORE_UNAVAILABLE, False),
    ],
)
def test_errors_of_the_database_are_told_apart(state: str, reason: str, code: ErrorCode, again: bool) -> None:
    fault = fault_of(sa.exc.DBAPIError("SELECT", {}, Refusal(state)))
    assert fault is not None
    assert (fault.reason, fault.code, fault.again) == (reason, code, again)


@pytest.mark.parametrize("state", ["23505", "42P01", "22001", "25P02", "XX000"])
def test_errors_of_the_statement_are_no_faults(state: str) -> None:
    assert fault_of(sa.exc.DBAPIError("SELECT", {}, Refusal(state))) is None
    assert fault_of(ValueError()) is None


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), OSError()])
def test_errors_of_the_network_are_lost_connections(error: OSError) -> None:
    assert fault_of(error) == Fault("connection", again=True) == LOST


@pytest.mark.parametrize(
    "url", ["postgresql://h:x/d", "mysql://h/d", "postgresql://h/d?nonsense=1&sslmode=maybe"]
)
async def test_urls_that_are_none_are_named_without_their_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.url cannot be used") as caught:
        await Sessions(url, SystemClock(), 1.0).open(5.0)
    assert "secret" not in str(caught.value)


async def test_a_session_is_set_up_for_what_it_is_for(postgres_url: str) -> None:
    sessions = Sessions(postgres_url.replace("postgresql:", "postgresql+asyncpg:"), SystemClock(), 1.5)
    names = (
        "synchronous_commit",
        "statement_timeout",
        "transaction_isolation",
        "transaction_read_only",
        "application_name",
    )

    def settings(connection: sa.Connection) -> list[str]:
        with connection.begin():
            return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]

    for read_only, expected in (
        (False, ["on", "1500ms", "read committed", "off", "hubbub"]),
        (True, ["on", "1500ms", "repeatable read", "on", "hubbub"]),
    ):
        session = await sessions.open(5.0, read_only=read_only)
        assert await session.run(settings, 5.0) == expected
        assert session.server.version >= 140_000
        assert re.fullmatch(r"\d+/[0-9A-F]{8}", session.server.system or "")
        await session.close()
        assert session.lost


async def test_what_hangs_has_its_connection_cut(postgres_url: str) -> None:
    """A network that swallows everything, so that the server cannot say that it has ended the statement."""
    address, _, database = postgres_url.rpartition("/")
    host, _, port = address.rpartition(":")
    async with FaultProxy("127.0.0.1", int(port)) as proxy:
        sessions = Sessions(f"{host}:{proxy.port}/{database}", SystemClock(), 0.2)
        session = await sessions.open(5.0)
        proxy.to_client.black_hole = True

        def ask(connection: sa.Connection) -> None:
            with connection.begin():
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises((sa.exc.DBAPIError, OSError)) as caught:
            await session.run(ask, 0.2)
        fault = session.fault_of(caught.value)
        assert session.expired
        assert session.lost
        assert fault is not None
        assert fault.code is ErrorCode.TIMEOUT
        await session.close()
        with pytest.raises(TimeoutError):
            await sessions.open(0.2)
        await asyncio.sleep(0)
