"""At which revision of the tables a database is, asked without Alembic, which takes longer to import than all else that
a start does. Only a database that is elsewhere needs it (`hubbub.storage.migrations`)."""

from __future__ import annotations

import sqlalchemy as sa

HEAD = "0002"
"""The newest revision; a test compares it with what Alembic finds."""
TABLE = "alembic_version"


def is_at_head(connection: sa.Connection) -> bool:
    """Whether the database has exactly this version's tables. Leaves no transaction open if none was."""
    begun = connection.in_transaction()
    try:
        if not sa.inspect(connection).has_table(TABLE):
            return False
        found = connection.exec_driver_sql(f"SELECT version_num FROM {TABLE}").scalars().all()
        return list(found) == [HEAD]
    finally:
        if not begun:
            connection.rollback()
