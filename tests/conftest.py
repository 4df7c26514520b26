from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from blockbuster import BlockBuster
from tests.services import (
    empty_postgres_url,
    known_types,
    postgres_server,
    postgres_url,
    redis_config,
    redis_server,
    redis_url,
    spare_databases,
    sqlite_url,
)

__all__ = [
    "empty_postgres_url",
    "known_types",
    "postgres_server",
    "postgres_url",
    "redis_config",
    "redis_server",
    "redis_url",
    "spare_databases",
    "sqlite_url",
]

# No verdict hangs on the clock: a property does not fail because the machine is busy.
hypothesis.settings.register_profile("hubbub", deadline=None)
hypothesis.settings.load_profile("hubbub")


LONG = (
    "web/test_web.py",
    "clients/test_typescript.py",
    "bench/test_faults_mutants.py",
    "browser/test_browser.py",
    "scenarios/test_typescript.py",
    "scenarios/test_python.py",
    "chat/test_machine.py",
    "chat/test_agenda_killed.py",
    "bench/test_faults_cluster.py",
    "examples/test_support_chat.py",
    "bench/test_crash_mutants.py",
    "bench/test_faults.py",
    "chat/test_outsiders_ids.py",
    "bench/test_crash.py",
    "bench/test_compare.py",
    "socketio_clients/test_scenarios.py",
    "cli/test_workers_served.py",
    "socketio_clients/test_process.py",
    "bench/test_chat.py",
    "socketio_clients/test_three_nodes.py",
    "cluster/test_cluster_brokers.py",
    "examples/test_socketio_chat.py",
    "socketio_clients/test_soak.py",
    "bench/test_cluster.py",
    "bench/test_web.py",
    "chat/test_rebuild.py",
    "docs/test_administer_page.py",
)
"""Files that take long, the longest first: workers begin with them, so that nobody waits for one at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-database",
        action="store_true",
        help="run each test of the chat on PostgreSQL, too, even if it asks it nothing that others do not ask",
    )
    parser.addoption(
        "--long", action="store_true", help="run what takes long and finds what other tests find, too"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turns = {f"tests/{name}": turn for turn, name in enumerate(LONG)}
    missing = [name for name in LONG if not (Path(__file__).parent / name).exists()]
    assert not missing, f"tests/conftest.py names files that are not there: {missing}"
    items.sort(key=lambda item: turns.get(item.nodeid.partition("::")[0], len(LONG)))


def pytest_collection_finish() -> None:
    """Thousands of tests are no garbage: let no collection look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call (file, socket, sleep, lock) that hubbub makes on the event loop raises an error."""
    detector = BlockBuster("hubbub")
    for function in detector.functions.values():
        # A new connection looks for keys in ~/.postgresql, before it does what takes much longer.
        function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
    detector.activate()
    yield
    detector.deactivate()


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_shell() -> None:
    """Settings in the environment of whoever runs the tests do not reach them. Conversations are off, so that a
    server opens no database; tests of them turn them on. However busy the machine is, nothing is given up."""
    for name in [name for name in os.environ if name.startswith("HUBBUB_") and "TEST" not in name]:
        del os.environ[name]
    os.environ["HUBBUB_CHAT__ENABLED"] = "false"
    os.environ["HUBBUB_LOAD__HANDSHAKE_RATE"] = "0"
    os.environ["PGSSLMODE"] = "disable"  # asyncpg would ask first, and complain later if it was interrupted
    for level in ("BUSY", "OVERLOADED", "CRITICAL"):
        os.environ[f"HUBBUB_LOAD__{level}"] = "1000"
