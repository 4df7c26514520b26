from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from hubbub.cli.databases import on_database
from hubbub.cli.output import Problem
from hubbub.errors import ConfigError


def one(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


def test_on_a_file_that_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    with pytest.raises(Problem, match="there is no database"):
        on_database(url, 1.0, one, read_only=True)
    (tmp_path / "chat.db").touch()
    assert on_database(url, 1.0, one, read_only=True) == 1


def test_on_postgresql(postgres_url: str) -> None:
    assert on_database(postgres_url, 5.0, one, read_only=True) == 1


def test_where_there_is_none_it_says_so() -> None:
    with pytest.raises((Problem, ConfigError), match=r"storage\.url"):
        on_database("postgresql://nobody@127.0.0.1:1/none", 1.0, one, read_only=True)
