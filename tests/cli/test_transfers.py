from __future__ import annotations

import fcntl
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.transfer.moving import END, HEAD, file_of, message


@pytest.fixture(autouse=True)
def database(directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the database that the settings name."""
    monkeypatch.setenv("HUBBUB_STORAGE__URL", "sqlite:///chat.db")
    return "chat.db"


def count(path: str, table: str = "messages") -> Any:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


def test_a_workspace_comes_in_and_goes_out(
    hubbub: Command, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(Path("in.jsonl"), *HEAD, message("1"), message("2", thread="1"), END)
    done = hubbub("import", "in.jsonl")
    assert (done.status, done.err) == (0, "")
    assert done.out == "in.jsonl: 2 users, 1 conversation, 2 members, 2 messages\n"
    assert hubbub("import", "in.jsonl").out.startswith("in.jsonl was imported before: ")
    out = hubbub("export", "out.jsonl")
    assert out.out == "out.jsonl: 2 users, 1 conversation, 2 members, 2 messages\n"
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [lines[0]["type"], lines[-1]["type"]] == ["workspace", "end"]
    assert Path("out.jsonl").stat().st_mode & 0o077 == 0, "not for everybody to read"
    assert hubbub("export", "out.jsonl").status == 2
    assert hubbub("export", "out.jsonl", "--force").status == 0
    monkeypatch.setenv("HUBBUB_STORAGE__URL", "sqlite:///other.db")
    assert hubbub("import", "out.jsonl").status == 0
    assert count("other.db") == count("chat.db") == 2
    assert sorted(each.name for each in Path().glob("*partial*")) == []


def test_lines_that_are_not_brought_are_named(hubbub: Command, database: str) -> None:
    file_of(Path("in.jsonl"), *HEAD, b"nonsense", message("1"), END)
    done = hubbub("import", "in.jsonl")
    assert done.status == 1
    assert done.out == "in.jsonl: 2 users, 1 conversation, 2 members, 1 message, 1 fault\n"
    assert done.err.startswith("line 7: ")
    file_of(Path("strict.jsonl"), HEAD[0] | {"source": "s"}, *HEAD[1:], b"nonsense", END)
    strict = hubbub("import", "strict.jsonl", "--strict")
    assert strict.status == 2
    assert "line 7: " in strict.err


def test_half_a_file_can_be_gone_on_with(hubbub: Command, database: str) -> None:
    file_of(Path("in.jsonl"), *HEAD, message("1"))
    half = hubbub("import", "in.jsonl")
    assert half.status == 1
    assert "ends early" in half.err
    assert "--resume" in half.err
    file_of(Path("in.jsonl"), *HEAD, message("1"), message("2"), END)
    assert hubbub("import", "in.jsonl", "--resume").status == 0
    assert count(database) == 2


def test_a_database_in_use_is_left_alone(hubbub: Command, database: str) -> None:
    file_of(Path("in.jsonl"), *HEAD, END)
    assert hubbub("import", "in.jsonl").status == 0
    with Path("chat.db-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (("export", "out.jsonl"), ("import", "in.jsonl")):
            refused = hubbub(*command)
            assert refused.status == 2
            assert "in use" in refused.err
            assert "next: " in refused.err
    assert not Path("out.jsonl").exists()


def test_slacks_zip(hubbub: Command, database: str) -> None:
    with zipfile.ZipFile("slack.zip", "w") as archive:
        archive.writestr("users.json", json.dumps([{"id": "U1", "name": "ada"}]))
        channel = {"id": "C1", "name": "general", "created": 1, "members": ["U1"]}
        archive.writestr("channels.json", json.dumps([channel]))
        said = {"type": "message", "user": "U1", "ts": "12.5", "text": "hello"}
        archive.writestr("general/2026-01-01.json", json.dumps([said]))
    done = hubbub("import", "slack.zip", "--slack")
    assert (done.status, done.out) == (0, "slack.zip: 1 user, 1 conversation, 1 member, 1 message\n")
    refused = hubbub("import", "slack.zip")
    assert refused.status == 2
    assert "no workspace" in refused.err
