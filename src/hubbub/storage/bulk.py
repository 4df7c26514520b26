"""Many rows with one statement, the same to callers on both dialects. `columns` and `keys` are names, rows are tuples.

It is what a hot path uses: a message's row with its five indexes takes 3 to 6 µs this way, and 70 by one
`Connection.execute` a row. On SQLite that is `VALUES` with as many marks as it takes, in runs of powers of two, so that
few different statements are prepared: not executemany, which lets go of the interpreter at each row and may wait for a
busy event loop at each, and not `json_each`, which takes twice as long and rounds floats. On PostgreSQL it is `unnest`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Literal

import sqlalchemy as sa

from hubbub.storage.base import Snapshot, Transaction

Names = tuple[str, ...]
Row = tuple[Any, ...]

LONGEST_RUN = 256
MARKS = 32_766
"""SQLITE_MAX_VARIABLE_NUMBER, unless somebody has built it otherwise."""


def insert(
    tx: Transaction,
    table: sa.Table,
    columns: Names,
    rows: Sequence[Row],
    *,
    ignore: bool = False,
    update: Names = (),
) -> int:
    """Insert `rows`; gives how many were written. Columns that are not named get their defaults or null.

    Where the primary key (with `ignore`: any unique key) is there already, the row is left out with `ignore`, or its
    columns `update` take the new values; a key is then in `rows` once. Raises IntegrityError otherwise.
    """
    statement = ("ignore" if ignore else "update" if update else "insert", table, (), columns, update)
    return sum(result.rowcount for result in _execute(tx, statement, rows))


def insert_identified(tx: Transaction, table: sa.Table, columns: Names, rows: Sequence[Row]) -> list[int]:
    """Insert `rows` into a table whose `id` the database gives; gives the ids, in the order of the rows."""
    if tx.dialect == "postgresql":
        return [
            row[0] for result in _execute(tx, ("identify", table, (), columns, ()), rows) for row in result
        ]
    last = 0
    for result in _execute(tx, ("insert", table, (), columns, ()), rows):
        last = result.lastrowid
    # Each new row gets the greatest id and one; nobody else inserts meanwhile.
    return list(range(last - len(rows) + 1, last + 1))


def update(tx: Transaction, table: sa.Table, keys: Names, columns: Names, rows: Sequence[Row]) -> int:
    """Set `columns` where `keys` are equal. A row is the keys' values and then the columns'; each key comes once.
    Gives how many rows were found."""
    return sum(result.rowcount for result in _execute(tx, ("set", table, keys, columns, ()), rows))


def delete(tx: Transaction, table: sa.Table, keys: Names, rows: Sequence[Row]) -> int:
    """Delete where `keys` are equal to one of `rows`; gives how many were there."""
    return sum(result.rowcount for result in _execute(tx, ("delete", table, keys, (), ()), rows))


def select(
    tx: Transaction | Snapshot, table: sa.Table, columns: Names, keys: Names, rows: Sequence[Row]
) -> list[Row]:
    """`columns` of all rows in which `keys` are equal to one of `rows`, in no certain order."""
    found = [
        tuple(row)
        for result in _execute(tx, ("select", table, keys, columns, ()), rows)
        for row in result.fetchall()
    ]
    truths = [place for place, name in enumerate(columns) if isinstance(table.c[name].type, sa.Boolean)]
    if truths and tx.dialect == "sqlite":  # which knows only 0 and 1
        return [
            tuple(bool(v) if n in truths and v is not None else v for n, v in enumerate(row)) for row in found
        ]
    return found


Kind = Literal["insert", "ignore", "update", "identify", "set", "delete", "select"]
Statement = tuple[str, sa.Table, Names, Names, Names]


def _execute(
    tx: Transaction | Snapshot, statement: Statement, rows: Sequence[Row]
) -> Iterator[sa.CursorResult[Any]]:
    if not rows:
        return
    if tx.dialect == "postgresql":
        arrays = tuple(map(list, zip(*rows, strict=True)))
        yield tx.connection.exec_driver_sql(_postgresql(statement), arrays)
        return
    begin, most = 0, min(LONGEST_RUN, 1 << (MARKS // len(rows[0])).bit_length() - 1)
    while left := len(rows) - begin:
        count = min(most, 1 << left.bit_length() - 1)
        values = tuple(chain.from_iterable(rows[begin : begin + count]))
        yield tx.connection.exec_driver_sql(_sqlite(statement, count), values)
        begin += count


@lru_cache(1024)
def _sqlite(statement: Statement, count: int) -> str:
    kind, table, keys, columns, _ = statement
    width = len(_given(statement))
    values = "VALUES " + ", ".join(["(" + ", ".join("?" * width) + ")"] * count)
    if not keys:
        return f"INSERT INTO {_name(table.name)} ({_names(columns)}) {values}{_conflict(statement)}"
    if kind == "delete":
        # Of `IN (VALUES ...)` by itself SQLite makes a scan.
        return f"DELETE FROM {_name(table.name)} WHERE ({_names(keys)}) IN (SELECT * FROM ({values}))"
    # CROSS JOIN has SQLite look up the rows by the keys, in this order.
    return _where_given(statement, f"({values}) AS given", "CROSS JOIN")


@lru_cache(1024)
def _postgresql(statement: Statement) -> str:
    kind, table, keys, columns, _ = statement
    given = _given(statement)
    arrays = ", ".join(f"${n}::{_type(table.c[name].type)}[]" for n, name in enumerate(given, 1))
    if not keys:
        identity = " RETURNING id" if kind == "identify" else ""
        return (
            f"INSERT INTO {_name(table.name)} ({_names(columns)}) SELECT * FROM unnest({arrays})"
            f"{_conflict(statement)}{identity}"
        )
    marks = ", ".join(f"column{n}" for n in range(1, len(given) + 1))
    return _where_given(statement, f"unnest({arrays}) AS given ({marks})", ",")


def _given(statement: Statement) -> Names:
    """The columns whose values a row has."""
    kind, _, keys, columns, _ = statement
    return columns if not keys else keys + columns if kind == "set" else keys


def _conflict(statement: Statement) -> str:
    kind, table, _, _, updated = statement
    if kind == "ignore":
        return " ON CONFLICT DO NOTHING"
    if kind == "update":
        primary = tuple(column.name for column in table.primary_key)
        news = ", ".join(f"{_name(name)} = excluded.{_name(name)}" for name in updated)
        return f" ON CONFLICT ({_names(primary)}) DO UPDATE SET {news}"
    return ""


def _where_given(statement: Statement, given: str, join: str) -> str:
    """What is done where the keys are given, as `column1` and so on."""
    kind, table, keys, columns, _ = statement
    target = _name(table.name)
    equal = " AND ".join(f"{target}.{_name(key)} = given.column{n}" for n, key in enumerate(keys, 1))
    if kind == "set":
        news = ", ".join(f"{_name(name)} = given.column{n}" for n, name in enumerate(columns, len(keys) + 1))
        return f"UPDATE {target} SET {news} FROM {given} WHERE {equal}"
    if kind == "delete":
        return f"DELETE FROM {target} USING {given} WHERE {equal}"
    wanted = ", ".join(f"{target}.{_name(name)}" for name in columns)
    return f"SELECT {wanted} FROM {given} {join} {target} WHERE {equal}"


def _name(name: str) -> str:
    return f'"{name}"'


def _names(names: Names) -> str:
    return ", ".join(map(_name, names))


def _type(of: sa.types.TypeEngine[Any]) -> str:
    if isinstance(of, sa.Boolean):
        return "boolean"
    if isinstance(of, sa.Integer):
        return "bigint"
    return "double precision" if isinstance(of, sa.Float) else "text"
