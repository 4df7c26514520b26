from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from hubbub.storage import migrations
from hubbub.storage.revision import HEAD, TABLE, is_at_head


def test_the_newest_revision_is_what_alembic_finds() -> None:
    assert migrations.head() == HEAD


def test_only_what_is_at_head_is(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        assert not is_at_head(connection), "an empty database"
        migrations.upgrade(connection)
        assert is_at_head(connection)
        assert not connection.in_transaction()
        with connection.begin():
            assert is_at_head(connection)
            assert connection.in_transaction()
            connection.exec_driver_sql(f"UPDATE {TABLE} SET version_num = '9999'")
        assert not is_at_head(connection), "of a later version"
    engine.dispose()
