from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.storage.sqlite_case import fill


@pytest.fixture
def database(directory: Path) -> Path:
    """Where the default of storage.url says."""
    return fill(directory / "hubbub.db")


def test_it_copies_the_database_of_the_settings(hubbub: Command, database: Path) -> None:
    outcome = hubbub("backup", "copy.db")
    assert (outcome.status, outcome.err) == (0, "")
    assert "copy.db (" in outcome.out
    assert "bytes, checked)" in outcome.out
    epochs = []
    for path in (database, database.with_name("copy.db")):
        with closing(sqlite3.connect(path)) as connection:
            epochs += connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    assert len(set(epochs)) == 2


def test_another_database_can_be_named(hubbub: Command, database: Path) -> None:
    database.rename(database.with_name("other.db"))
    assert hubbub("backup", "copy.db").status == 2
    assert hubbub("backup", "copy.db", "--set", "storage.url=sqlite:///other.db").status == 0


def test_what_is_there_is_kept_without_force(hubbub: Command, database: Path) -> None:
    database.with_name("copy.db").write_text("precious")
    outcome = hubbub("backup", "copy.db")
    assert (outcome.status, outcome.out) == (2, "")
    assert "is there already" in outcome.err
    assert "--force" in outcome.err
    assert hubbub("backup", "copy.db", "--force").status == 0


@pytest.mark.parametrize(
    ("arguments", "what", "advice"),
    [
        (["nowhere/copy.db"], "there is no directory", "make it"),
        (["copy.db", "--set", "storage.url=sqlite:///none.db"], "there is no database", "storage.url"),
        (["copy.db", "--set", "storage.url=postgresql://h/d"], "not SQLite's", "pg_dump"),
        (["copy.db", "--set", "storage.url=sqlite:///text"], "not a database", "see that"),
        (["copy.db", "--set", "storage.url=sqlite://"], "names no file", "sqlite:///file"),
    ],
)
def test_what_cannot_be_copied_is_two_lines(
    hubbub: Command, directory: Path, arguments: list[str], what: str, advice: str
) -> None:
    (directory / "text").write_text("this is only text " * 100)
    outcome = hubbub("backup", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    error, following = outcome.err.splitlines()
    assert what in error
    assert advice in following
    assert not (directory / "copy.db").exists()
