from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from hubbub.cli import migrate
from hubbub.storage import migrations
from hubbub.testing.postgres import execute

HEAD = migrations.revisions()[-1]
EPOCH = "SELECT value FROM meta WHERE name = 'epoch'"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which the settings name."""
    if request.param == "sqlite":
        sqlite3.connect(directory / "chat.db").close()
        url = "sqlite:///chat.db"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    monkeypatch.setenv("HUBBUB_STORAGE__URL", url)
    return url


def ask(url: str, query: str) -> object:
    if url.startswith("sqlite"):
        connection = sqlite3.connect("chat.db")
        try:
            return connection.execute(query).fetchone()[0]
        finally:
            connection.close()
    return execute(url, query)[0][0]


def test_it_goes_up_once(hubbub: Command, database: str) -> None:
    first = hubbub("migrate")
    assert (first.status, first.out, first.err) == (
        0,
        "".join(f"migrated to {each}\n" for each in migrations.revisions()),
        "",
    )
    epoch = ask(database, EPOCH)
    assert hubbub("migrate").out == "nothing to migrate\n"
    assert ask(database, EPOCH) == epoch


def test_it_shows_where_the_database_is(hubbub: Command, database: str) -> None:
    shown = hubbub("migrate", "--show")
    assert shown.out == f"revision: none\npending:  {', '.join(migrations.revisions())}\n"
    assert hubbub("migrate", "--show").out == shown.out
    hubbub("migrate")
    assert hubbub("migrate", "--show").out == f"revision: {HEAD}\npending:  none\n"


def test_it_goes_back_only_if_that_is_meant(hubbub: Command, database: str) -> None:
    hubbub("migrate")
    refused = hubbub("migrate", "--to", "base")
    assert refused.status == 2
    assert f"undoes {HEAD}" in refused.err
    assert "--yes" in refused.err
    assert ask(database, EPOCH)
    undone = hubbub("migrate", "--to", "base", "--yes")
    assert undone.out == "".join(f"undone: {each}\n" for each in migrations.revisions()[::-1])
    assert hubbub("migrate", "--show").out.startswith("revision: none\n")
    assert hubbub("migrate", "--to", "base").out == "nothing to migrate\n"
    assert hubbub("migrate", "--to", HEAD).out.endswith(f"migrated to {HEAD}\n")


def test_a_terminal_is_asked(hubbub: Command, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hubbub("migrate")
    answers: list[str] = []
    monkeypatch.setattr(migrate, "_ask", lambda lost: answers.extend(lost))
    assert hubbub("migrate", "--to", "base").status == 0
    assert answers == migrations.revisions()[::-1]


def test_a_new_epoch_is_written(hubbub: Command, database: str) -> None:
    hubbub("migrate")
    before = ask(database, EPOCH)
    said = hubbub("migrate", "--new-epoch")
    after = ask(database, EPOCH)
    assert after != before
    assert said.out == f"nothing to migrate\nthe epoch is {after} now: start all servers anew\n"


def test_a_new_epoch_goes_with_nothing_else(hubbub: Command, database: str) -> None:
    assert "do not go together" in hubbub("migrate", "--new-epoch", "--to", "base").err


@pytest.mark.parametrize("option", [["--to", "nope"], ["--show"], []])
def test_what_is_not_known_is_said(hubbub: Command, database: str, option: list[str]) -> None:
    if not option or option == ["--show"]:
        hubbub("migrate")
        change = "UPDATE alembic_version SET version_num = '9999'"
        if database.startswith("sqlite"):
            with sqlite3.connect("chat.db") as connection:
                connection.execute(change)
            connection.close()
        else:
            execute(database, change)
    said = hubbub("migrate", *option)
    assert said.status == 2
    assert "'nope'" in said.err if option[:1] == ["--to"] else "revision 9999" in said.err


def test_missing_extensions_are_said(
    hubbub: Command, empty_postgres_url: str, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = "plain_" + empty_postgres_url[-8:]
    execute(
        empty_postgres_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'p'",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    )
    address = empty_postgres_url.partition("@")[2]
    monkeypatch.setenv("HUBBUB_STORAGE__URL", f"postgresql://{role}:p@{address}")
    said = hubbub("migrate")
    assert said.status == 0
    assert "CREATE EXTENSION pg_trgm" in said.err
    assert "CREATE EXTENSION unaccent" in said.err
    execute(empty_postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_rights_that_lack_are_said(
    hubbub: Command, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = "poor_" + empty_postgres_url[-8:]
    execute(empty_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    address = empty_postgres_url.partition("@")[2]
    monkeypatch.setenv("HUBBUB_STORAGE__URL", f"postgresql://{role}:p@{address}")
    said = hubbub("migrate")
    assert said.status == 2
    assert "permission denied for schema public" in said.err
    assert "the role of storage.url must own" in said.err
    execute(empty_postgres_url, f"DROP ROLE {role}")


def test_a_server_that_runs_on_sqlite_is_not_disturbed(hubbub: Command, directory: Path) -> None:
    sqlite3.connect("hubbub.db").close()
    with Path("hubbub.db-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = hubbub("migrate")
        assert said.status == 2
        assert "in use by a server" in said.err
        assert hubbub("migrate", "--show").status == 0


def test_there_must_be_a_database(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no database" in hubbub("migrate").err
    monkeypatch.setenv("HUBBUB_STORAGE__TIMEOUT", "0.2")
    monkeypatch.setenv("HUBBUB_STORAGE__URL", "postgresql://nobody:secret@127.0.0.1:1/x")
    said = hubbub("migrate")
    assert said.status == 2
    assert "cannot be reached" in said.err
    assert "secret" not in said.err
