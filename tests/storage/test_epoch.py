from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hubbub.storage import migrations
from hubbub.storage.epoch import new_epoch, read_meta, renew_epoch, write_meta


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        migrations.upgrade(connection)
        yield connection
    engine.dispose()


def test_no_two_epochs_are_equal() -> None:
    assert len({new_epoch() for _ in range(100)}) == 100


def test_what_meta_holds_is_written_over(connection: sa.Connection) -> None:
    assert read_meta(connection, "colour") is None
    write_meta(connection, "colour", "red")
    write_meta(connection, "colour", "green")
    assert read_meta(connection, "colour") == "green"


def test_a_new_epoch_takes_the_place_of_the_old(connection: sa.Connection) -> None:
    before = read_meta(connection, "epoch")
    epoch = renew_epoch(connection)
    assert epoch != before
    assert read_meta(connection, "epoch") == epoch
