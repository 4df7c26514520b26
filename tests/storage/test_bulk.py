"""What the statements look like. What they do is in `hubbub.testing.contracts.store_bulk`, on each database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import members, messages, metadata

BY = ("conversation", "user")


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    with sa.create_engine("sqlite://").connect() as connection:
        metadata.create_all(connection)
        yield connection


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (("select", members, BY, ("role",), ()), "sqlite_autoindex_members_1"),
        (("select", members, ("user",), ("role",), ()), "ix_members_user_state"),
        (("set", members, BY, ("read", "changed"), ()), "sqlite_autoindex_members_1"),
        (("delete", members, BY, (), ()), "sqlite_autoindex_members_1"),
        (("delete", messages, ("id",), (), ()), "INTEGER PRIMARY KEY"),
        (("select", messages, ("conversation", "sender", "key"), ("seq",), ()), "uq_messages_key"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 256])
def test_rows_are_looked_up_by_an_index(
    connection: sa.Connection, statement: bulk.Statement, index: str, count: int
) -> None:
    sql = bulk._sqlite(statement, count)
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).all()
    assert any(row[3].startswith(f"SEARCH {statement[1].name}") and index in row[3] for row in plan), plan


def test_any_number_of_rows_takes_few_different_statements(connection: sa.Connection) -> None:
    sqls: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *given: sqls.append(given[2]))
    tx = Transaction(connection, "sqlite", 1, 0.0)
    for count in range(1, 600, 7):
        begun = len(sqls)
        bulk.select(tx, members, ("role",), BY, [("c", f"u{n}") for n in range(count)])
        assert len(sqls) - begun <= 10
    assert len(set(sqls)) <= 9


def test_a_statement_has_no_more_marks_than_sqlite_takes(connection: sa.Connection) -> None:
    columns = tuple(column.name for column in messages.c)
    row = tuple(range(1, len(columns) + 1))
    wide = [(None, f"c{n}", *row[2:]) for n in range(5_000)]
    assert bulk.insert(Transaction(connection, "sqlite", 1, 0.0), messages, columns, wide) == 5_000
    most = max(1 << n for n in range(9) if len(columns) << n <= bulk.MARKS)
    assert bulk._sqlite(("insert", messages, (), columns, ()), most).count("?") <= bulk.MARKS
    assert sqlite3.connect(":memory:").getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) >= bulk.MARKS


@pytest.mark.parametrize(
    ("statement", "sql"),
    [
        (
            ("insert", members, (), ("conversation", "read", "archived", "since"), ()),
            'INSERT INTO "members" ("conversation", "read", "archived", "since") SELECT * FROM '
            "unnest($1::text[], $2::bigint[], $3::boolean[], $4::double precision[])",
        ),
        (
            ("ignore", members, (), ("user",), ()),
            'INSERT INTO "members" ("user") SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING',
        ),
        (
            ("update", members, (), ("user",), ("role",)),
            'INSERT INTO "members" ("user") SELECT * FROM unnest($1::text[]) '
            'ON CONFLICT ("conversation", "user") DO UPDATE SET "role" = excluded."role"',
        ),
        (
            ("identify", messages, (), ("seq",), ()),
            'INSERT INTO "messages" ("seq") SELECT * FROM unnest($1::bigint[]) RETURNING id',
        ),
        (
            ("set", members, BY, ("read",), ()),
            'UPDATE "members" SET "read" = given.column3 FROM unnest($1::text[], $2::text[], $3::bigint[]) '
            'AS given (column1, column2, column3) WHERE "members"."conversation" = given.column1 '
            'AND "members"."user" = given.column2',
        ),
        (
            ("delete", members, ("user",), (), ()),
            'DELETE FROM "members" USING unnest($1::text[]) AS given (column1) '
            'WHERE "members"."user" = given.column1',
        ),
        (
            ("select", members, ("user",), ("role",), ()),
            'SELECT "members"."role" FROM unnest($1::text[]) AS given (column1) , "members" '
            'WHERE "members"."user" = given.column1',
        ),
    ],
)
def test_postgresql_takes_one_array_a_column(statement: bulk.Statement, sql: str) -> None:
    assert bulk._postgresql(statement) == sql
