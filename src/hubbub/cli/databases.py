"""A database from the command line: one connection, for one piece of work, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from hubbub.cli.output import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa

R = TypeVar("R")


def on_database(url: str, timeout: float, work: Callable[[sa.Connection], R], *, read_only: bool) -> R:
    """What `work` gives on the database of `url`, in its own event loop if it needs one. Raises Problem."""
    if url.startswith("sqlite"):
        return _on_sqlite(url, timeout, work, read_only=read_only)
    import asyncio

    return asyncio.run(_on_postgresql(url, timeout, work))


def _on_sqlite(url: str, timeout: float, work: Callable[[sa.Connection], R], *, read_only: bool) -> R:
    import fcntl

    import sqlalchemy as sa

    from hubbub.storage.sqlite import connect, database_path

    path = database_path(url)
    if not path.exists():
        raise Problem(f"there is no database {path} yet.", "`hubbub serve` makes it when it starts.")
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: connect(path, "ro" if read_only else "rw", timeout),
        poolclass=sa.pool.NullPool,
    )
    with path.with_name(path.name + "-lock").open("a") as lock:
        try:
            if not read_only:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Problem(f"{path} is in use by a server.", "stop that one first.") from error
        try:
            with engine.connect() as connection:
                return work(connection)
        except sa.exc.DBAPIError as error:
            raise Problem(f"{path}: {error.orig}.", "see that it is a database of Hubbub's.") from error
        finally:
            engine.dispose()


async def _on_postgresql(url: str, within: float, work: Callable[[sa.Connection], R]) -> R:
    import asyncio

    import sqlalchemy as sa

    from hubbub.clock import SystemClock
    from hubbub.storage import migrations
    from hubbub.storage.postgres_sessions import Sessions

    await asyncio.to_thread(migrations.script)
    session = await Sessions(url, SystemClock(), within).open_first()
    try:
        return await session.run(work, migrations.PATIENCE)
    except sa.exc.DBAPIError as error:
        raise Problem(
            f"the database refuses ({error.orig}).",
            "the role of storage.url must own the tables, or the database when there are none.",
        ) from error
    finally:
        await session.close()
