"""The epoch of all logs: while it stays, an offset means the same event. A database that went back in time gets
another, so that nobody goes on from an offset that has not happened."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from hubbub.storage.tables import meta, metadata


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
    """Write a new epoch; to be committed by the caller. All clients will read anew what they follow.

    On PostgreSQL the stamps that are ahead of this cluster's transactions, for another one gave them, are taken back:
    they would be newer than all that is to come.
    """
    epoch = new_epoch()
    write_meta(connection, "epoch", epoch)
    if connection.dialect.name == "postgresql":
        ahead = sa.text("changed > pg_current_xact_id()::text::bigint")
        for table in metadata.sorted_tables:
            if "changed" in table.c:
                connection.execute(sa.update(table).where(ahead).values(changed=0))
    return epoch


def adopt(connection: sa.Connection, system: str) -> str:
    """Have `meta.system` name the cluster of the database, with a new epoch if it named another; gives the epoch.

    Of several nodes that do so at once, one does it. To be committed by the caller.
    """
    connection.execute(postgresql.insert(meta).values(name="system", value=system).on_conflict_do_nothing())
    locked = sa.select(meta.c.value).where(meta.c.name == "system").with_for_update()
    if connection.execute(locked).scalar_one() == system:
        return read_meta(connection, "epoch") or renew_epoch(connection)
    write_meta(connection, "system", system)
    return renew_epoch(connection)
