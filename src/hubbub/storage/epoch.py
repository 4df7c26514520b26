"""The epoch of all logs: while it stays, an offset means the same event. A database that went back in time gets
another, so that nobody goes on from an offset that has not happened."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from hubbub.storage.tables import meta


def new_epoch() -> str:
    return secrets.token_hex(8)


def read_meta(connection: sa.Connection, name: str) -> str | None:
    """The value that `meta` has under `name`."""
    return connection.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar()


def write_meta(connection: sa.Connection, name: str, value: str) -> None:
    written = connection.execute(sa.update(meta).where(meta.c.name == name).values(value=value))
    if not written.rowcount:
        connection.execute(sa.insert(meta).values(name=name, value=value))


def renew_epoch(connection: sa.Connection) -> str:
    """Write a new epoch; to be committed by the caller. All clients will read anew what they follow."""
    epoch = new_epoch()
    write_meta(connection, "epoch", epoch)
    return epoch
