"""Looking up many rows by their keys, for the hot path.

`bulk.select` gives SQLite's rows one by one, and the writing thread lets go of the interpreter at each: with a busy
event loop it waits for it again every time. Here SQLite makes one JSON text of them all, which is one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
import sqlalchemy as sa

from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.bulk import MARKS, Names, Row

_rows = msgspec.json.Decoder(list[list[Any]]).decode


def lookup(
    tx: Transaction, table: sa.Table, columns: Names, keys: Names, rows: Sequence[Row]
) -> Sequence[Sequence[Any]]:
    """`columns` of all rows in which `keys` are equal to one of `rows`, in no certain order.

    Not for numbers with a fraction, which SQLite's JSON rounds; its truths are 0 and 1.
    """
    if not rows:
        return ()
    if tx.dialect == "postgresql":
        return bulk.select(tx, table, columns, keys, rows)
    found: list[list[Any]] = []
    most = 1 << (MARKS // len(keys)).bit_length() - 1
    for begin in range(0, len(rows), most):
        some = rows[begin : begin + most]
        count = 1 << (len(some) - 1).bit_length()  # few different statements; nothing is equal to null
        values = (*chain.from_iterable(some), *(None,) * (len(keys) * (count - len(some))))
        text = tx.connection.exec_driver_sql(_statement(table, columns, keys, count), values).scalar_one()
        found += _rows(text)
    return found


@lru_cache(256)
def _statement(table: sa.Table, columns: Names, keys: Names, count: int) -> str:
    names = ", ".join(f'"{key}"' for key in keys)
    values = ", ".join(["(" + ", ".join("?" * len(keys)) + ")"] * count)
    wanted = ", ".join(f't."{name}"' for name in columns)
    equal = " AND ".join(f't."{key}" = given."{key}"' for key in keys)
    return (
        f"WITH given ({names}) AS (VALUES {values}) SELECT json_group_array(json_array({wanted})) "
        f'FROM given CROSS JOIN "{table.name}" AS t WHERE {equal}'
    )
