"""The one schema of both dialects, as SQLAlchemy Core tables: what all of them are made of.

Times are Unix seconds. JSON is text. `changed` is `Transaction.stamp`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Ids: compared by bytes on both."""
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time: sa.Double[float] = sa.Double()
Json = sa.Text()
