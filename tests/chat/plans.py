"""How a database would find what it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from hubbub.chat.ledger import View


def plans(view: View, ask: Callable[[View], object]) -> list[str]:
    """The plan of each statement with which `ask` reads, a step a line."""
    asked: list[tuple[str, Any]] = []

    def heard(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    connection = view.source.connection
    sa.event.listen(connection, "before_cursor_execute", heard)
    try:
        ask(view)
    finally:
        sa.event.remove(connection, "before_cursor_execute", heard)
    return [plan(view, statement, parameters) for statement, parameters in asked]


def plan(view: View, statement: str, parameters: Any) -> str:
    how = "EXPLAIN QUERY PLAN" if view.dialect == "sqlite" else "EXPLAIN (COSTS OFF)"
    steps = view.source.connection.exec_driver_sql(f"{how} {statement}", parameters)
    return "\n".join(row[-1] for row in steps)


def searched(found: list[str], table: str) -> list[str]:
    """The indexes by which SQLite gets at rows of `table`; "" where it reads the table."""
    steps = [
        step for each in found for step in each.split("\n") if re.match(rf"(SEARCH|SCAN) {table}\b", step)
    ]
    return [match[1] if (match := re.search(r"INDEX (\w+ \(.*\))", step)) else "" for step in steps]
