"""A real PostgreSQL for the tests that ask for it: one server a run, a database a test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from hubbub.testing.postgres import TEMPLATE, create_database, drop_database, shared


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the run's server, as a superuser. Make databases there, and leave the server as it is: tests that
    stop it or change its settings start a `hubbub.testing.postgres.Cluster`."""
    return shared()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """`storage.url` of a migrated database for this test alone."""
    yield from _database(postgres_server, TEMPLATE)


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """`storage.url` of a database with nothing in it."""
    yield from _database(postgres_server, "template0")


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    yield create_database(server, name, template)
    drop_database(server, name)
