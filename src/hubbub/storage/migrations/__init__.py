"""Bring a database to the tables of this version, or back: Alembic on an open connection, with nothing to configure.

Revisions lie in `versions/`, one module each, whose `upgrade(op)` and `downgrade(op)` get Alembic's operations as an
argument: nothing here is global, so that several databases can be migrated at once. All of them run in one
transaction, on both dialects; what fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from hubbub import __version__
from hubbub.errors import ConfigError

BASE = "base"
EXTENSIONS = {
    "pg_trgm": "to find users and topics by their names takes reading all of them",
    "unaccent": "the database does not take accents off (Hubbub does so itself)",
}
"""PostgreSQL's, in its contrib package: what is missing without each."""

PATIENCE = 86_400.0
"""Seconds: a large table takes as long as it takes."""
LOCK = 0x48756262_75624D67  # "HubbubMg", as a bigint


@cache
def script() -> ScriptDirectory:
    """The revisions. Reads files the first time: not on the event loop."""
    directory = ScriptDirectory(str(Path(__file__).parent))
    directory.get_heads()
    return directory


def head() -> str:
    """The revision that this version of Hubbub works with."""
    found = script().get_current_head()
    assert found is not None
    return found


def revisions() -> list[str]:
    """All of them, the first one first."""
    return [each.revision for each in script().walk_revisions()][::-1]


def current(connection: sa.Connection) -> str | None:
    """The revision of the database; None: nothing of Hubbub's is in it.

    Raises ConfigError if this version does not know it, because a later one made it.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in revisions():
        raise ConfigError(
            f"the database is at revision {found}, which Hubbub {__version__} does not know: a later version has "
            "migrated it. Run that version, or let it go back first: `hubbub migrate --to "
            f"{head()}`, in that version."
        )
    return found


def pending(connection: sa.Connection) -> list[str]:
    """The revisions that `upgrade` would run, in order. Raises ConfigError as `current` does."""
    found, known = current(connection), revisions()
    return known if found is None else known[known.index(found) + 1 :]


def upgrade(connection: sa.Connection, revision: str = "head") -> list[str]:
    """Run what is missing up to `revision`, and commit; gives the revisions that were run.

    On PostgreSQL a second one waits for the first, wherever it runs, and then has nothing to do. If the caller has
    begun a transaction, it is the caller's to commit. Raises ConfigError for a revision that is not known.
    """
    target = _resolve(revision)
    with alone(connection):
        missing = pending(connection)
        if target not in missing:
            return []
        _create_extensions(connection)
        _run(connection, lambda heads, _: script()._upgrade_revs(target, heads))
        return missing[: missing.index(target) + 1]


def undone(connection: sa.Connection, revision: str) -> list[str]:
    """The revisions that `migrate` would undo on the way to `revision`, in order. Raises ConfigError as it does."""
    target = None if revision == BASE else _resolve(revision)
    found, known = current(connection), revisions()
    if found is None:
        return []
    return known[known.index(target) + 1 if target is not None else 0 : known.index(found) + 1][::-1]


def downgrade(connection: sa.Connection, revision: str) -> list[str]:
    """Go back to `revision` (`base`: to an empty database), and commit; gives the revisions that were undone.

    What the later tables held is lost. Otherwise as `upgrade`.
    """
    with alone(connection):
        back = undone(connection, revision)
        target = head() if revision == "head" else revision
        if back:
            _run(connection, lambda heads, _: script()._downgrade_revs(target, heads))
        return back


def migrate(connection: sa.Connection, revision: str) -> tuple[list[str], list[str]]:
    """Up or down to `revision`, wherever the database is; gives what was run and what was undone."""
    with alone(connection):
        if back := downgrade(connection, revision):
            return [], back
        return ([], []) if revision == BASE else (upgrade(connection, revision), [])


def missing_extensions(connection: sa.Connection) -> list[str]:
    """Those of `EXTENSIONS` that the database does without."""
    if connection.dialect.name != "postgresql":
        return []
    there = set(connection.execute(sa.text("SELECT extname FROM pg_extension")).scalars())
    return [name for name in EXTENSIONS if name not in there]


def _resolve(revision: str) -> str:
    if revision == "head":
        return head()
    if revision not in revisions():
        raise ConfigError(
            f"there is no revision {revision!r}. Known are {', '.join(revisions())}, head and base."
        )
    return revision


def _run(connection: sa.Connection, steps: Any) -> None:
    context = MigrationContext.configure(connection, opts={"fn": steps, "script": script()})
    try:
        context.run_migrations(op=Operations(context))
    except CommandError as error:
        raise ConfigError(f"the database cannot be migrated: {error}.") from error


@contextmanager
def alone(connection: sa.Connection) -> Iterator[None]:
    """One transaction, however long it takes, and no migration beside it. The caller's, if it has begun one."""
    owned = not connection.in_transaction()
    if owned:
        connection.begin()
    try:
        if connection.dialect.name == "postgresql":
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(sa.text(f"SELECT set_config('{timeout}', '0', true)"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        elif not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # pysqlite begins by itself, but not for DDL
        yield
    except BaseException:
        if owned:
            connection.rollback()
        raise
    if owned:
        connection.commit()


def _create_extensions(connection: sa.Connection) -> None:
    """Those that can be made; a role needs the right to, and the server the contrib package."""
    for name in missing_extensions(connection):
        savepoint = connection.begin_nested()
        try:
            connection.execute(sa.text(f"CREATE EXTENSION IF NOT EXISTS {name}"))
            savepoint.commit()
        except sa.exc.DBAPIError:
            savepoint.rollback()
