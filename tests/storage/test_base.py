from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Logged, Transaction, each
from hubbub.storage.tables import meta


@pytest.fixture
def tx() -> Iterator[Transaction]:
    engine = sa.create_engine("sqlite://")
    sa.event.listen(engine, "connect", lambda opened, _: setattr(opened, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        meta.create(connection)
        yield Transaction(connection, "sqlite", 1, 0.0)


def keep(tx: Transaction, name: str) -> str:
    tx.execute(sa.insert(meta).values(name=name, value=""))
    tx.outbox.append(Logged("log", len(tx.outbox), name, b"", None, tx.now))
    if name.startswith("refused"):
        raise HubbubError(ErrorCode.CONFLICT, name)
    if name == "broken":
        raise ValueError(name)
    return name.upper()


def test_a_refused_item_leaves_neither_rows_nor_events_and_the_next_ones_are_done(tx: Transaction) -> None:
    outcomes = each("keep", keep).run(tx, ["a", "refused", "b", "refused"])
    assert [str(outcome) for outcome in outcomes] == [
        *("A", "refused (conflict, 128)", "B", "refused (conflict, 128)")
    ]
    assert tx.execute(sa.select(meta.c.name)).scalars().all() == ["a", "b"]
    assert [event.event for event in tx.outbox] == ["a", "b"]


def test_what_is_no_refusal_is_raised(tx: Transaction) -> None:
    with pytest.raises(ValueError, match="broken"):
        each("keep", keep).run(tx, ["a", "broken", "b"])
