"""Every revision up and down with data, and that they end where tables.py is. On both databases."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hubbub.errors import ConfigError
from hubbub.storage import migrations, tables
from hubbub.storage.epoch import read_meta, renew_epoch

R = TypeVar("R")
ROWS = 3
BESIDE = ("message_search", "_trigrams", "audit_no_")
"""What is not in tables/: what one dialect has if it can, and triggers."""


class Database:
    """An empty one; `run` gives a connection to synchronous code, as the stores do, and commits what it began."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, work: Callable[[sa.Connection], R]) -> R:
        if self.url.startswith("sqlite"):
            engine = sa.create_engine(self.url)
            with engine.connect() as connection:
                result = work(connection)
                connection.commit()
            engine.dispose()
            return result
        return asyncio.run(self._run(work))

    async def _run(self, work: Callable[[sa.Connection], R]) -> R:
        engine = create_async_engine(self.url.replace("://", "+asyncpg://", 1), poolclass=NullPool)
        async with engine.connect() as connection:
            result = await connection.run_sync(work)
            await connection.commit()
        await engine.dispose()
        return result


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path / 'migrated'}")
    else:
        yield Database(request.getfixturevalue("empty_postgres_url"))


def counts(connection: sa.Connection) -> dict[str, int]:
    """Rows of every table that the first fill has filled."""
    names = sa.inspect(connection).get_table_names()
    return {
        name: connection.execute(sa.text(f'SELECT count(*) FROM "{name}"')).scalar_one()
        for name in names
        if not name.startswith(("alembic", "message_search"))
    }


def fill(connection: sa.Connection) -> None:
    """Rows in all tables, made up from the types of their columns, so that a new revision meets data by itself."""
    found = sa.MetaData()
    found.reflect(connection, only=[name for name in counts(connection) if name != "meta"])
    for table in found.tables.values():
        for number in range(ROWS):
            row = {column.name: made_up(column, number) for column in table.columns}
            connection.execute(sa.insert(table).values(row))


def made_up(column: sa.Column[Any], number: int) -> Any:
    kind = column.type.python_type
    return {str: f"{column.name}-{number}", bool: number % 2 == 0, int: number + 1, float: number + 0.5}[kind]


@pytest.mark.parametrize("revision", migrations.revisions())
def test_a_revision_goes_up_and_down_with_data(database: Database, revision: str) -> None:
    known = migrations.revisions()
    place = known.index(revision)
    before = known[place - 1] if place else migrations.BASE
    if place:
        database.run(lambda c: migrations.upgrade(c, before))
        database.run(fill)
    there = database.run(counts)
    assert database.run(lambda c: migrations.upgrade(c, revision)) == [revision]
    assert database.run(migrations.current) == revision
    after = database.run(counts)
    assert {name: after[name] for name in there if name in after} == there
    if not place:
        database.run(fill)
    filled = database.run(counts)
    assert database.run(lambda c: migrations.downgrade(c, before)) == [revision]
    left = database.run(counts)
    assert left == {name: filled[name] for name in there}
    assert database.run(migrations.current) == (None if before == migrations.BASE else before)
    assert database.run(lambda c: migrations.upgrade(c, revision)) == [revision]
    assert set(database.run(counts)) == set(after)


def test_they_end_where_the_tables_are(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        migrations.upgrade(connection)
        options = {"compare_type": True, "include_object": included}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    assert database.run(differences) == []


def included(thing: Any, name: str, kind: str, reflected: bool, _: Any) -> bool:
    """All but what a dialect has beside the tables, for its search."""
    return not (reflected and any(part in name for part in BESIDE))


def test_they_make_the_very_indexes_and_constraints_of_the_tables(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Alembic's comparison knows of columns and indexes; this one of conditions, keys and collations, too."""
    query = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL",
        "postgresql": (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            "UNION ALL SELECT table_name || '.' || column_name, concat_ws(' ', data_type, collation_name, is_nullable, "
            "column_default, is_identity, identity_generation) FROM information_schema.columns "
            "WHERE table_schema = 'public'"
        ),
    }[database.url.partition(":")[0]]

    def definitions(connection: sa.Connection) -> dict[str, str]:
        rows = connection.execute(sa.text(query)).all()
        return {
            name: re.sub(r"\s+", " ", sql).replace('"', "")
            for name, sql in rows
            if "alembic_version" not in name and not any(part in name for part in BESIDE)
        }

    database.run(migrations.upgrade)
    migrated = database.run(definitions)
    database.run(lambda c: migrations.downgrade(c, migrations.BASE))
    database.run(tables.metadata.create_all)
    made = database.run(definitions)
    assert normal(migrated) == normal(made)


def normal(definitions: dict[str, str]) -> dict[str, list[str]]:
    """SQLite keeps the very text: the order of what a table is made of may differ, but not of its columns."""
    return {name: sorted(re.split(r",\s*(?![^()]*\)$)", sql)) for name, sql in definitions.items()}


def test_what_is_done_is_not_done_again(database: Database) -> None:
    assert database.run(migrations.pending) == migrations.revisions()
    assert database.run(migrations.upgrade) == migrations.revisions()
    epoch = database.run(lambda c: read_meta(c, "epoch"))
    assert epoch
    assert database.run(migrations.pending) == []
    assert database.run(migrations.upgrade) == []
    assert database.run(lambda c: read_meta(c, "epoch")) == epoch
    assert database.run(lambda c: migrations.downgrade(c, "head")) == []


def test_migrate_goes_either_way(database: Database) -> None:
    known = migrations.revisions()
    assert database.run(lambda c: migrations.migrate(c, "head")) == (known, [])
    assert database.run(lambda c: migrations.migrate(c, "head")) == ([], [])
    assert database.run(lambda c: migrations.migrate(c, migrations.BASE)) == ([], known[::-1])
    assert database.run(lambda c: migrations.migrate(c, migrations.BASE)) == ([], [])
    assert database.run(migrations.current) is None


def test_a_database_of_a_later_version_is_refused(database: Database) -> None:
    database.run(migrations.upgrade)
    database.run(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    for function in (migrations.current, migrations.pending, migrations.upgrade):
        with pytest.raises(ConfigError, match=r"revision 9999, which Hubbub .* does not know"):
            database.run(function)
    with pytest.raises(ConfigError, match="9999"):
        database.run(lambda c: migrations.downgrade(c, migrations.BASE))


def test_an_unknown_revision_is_refused(database: Database) -> None:
    with pytest.raises(ConfigError, match=r"no revision 'nope'. Known are .*, head and base"):
        database.run(lambda c: migrations.upgrade(c, "nope"))


def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    database.run(lambda c: c.execute(sa.text("CREATE TABLE inbox (x INT)")))
    with pytest.raises(sa.exc.DBAPIError, match="inbox"):
        database.run(migrations.upgrade)
    assert set(database.run(counts)) == {"inbox"}
    database.run(lambda c: c.execute(sa.text("DROP TABLE inbox")))
    assert database.run(migrations.upgrade) == migrations.revisions()


def test_two_at_once_do_it_once(database: Database) -> None:
    database.run(migrations.current)  # revisions are read
    barrier, results = threading.Barrier(2), []

    def migrate() -> None:
        barrier.wait()
        try:
            results.append(database.run(migrations.upgrade))
        except Exception as error:
            results.append([repr(error)])

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([[], migrations.revisions()])


def test_a_new_epoch_takes_the_place_of_the_old(database: Database) -> None:
    database.run(migrations.upgrade)
    old = database.run(lambda c: read_meta(c, "epoch"))
    new = database.run(renew_epoch)
    assert new != old
    assert database.run(lambda c: read_meta(c, "epoch")) == new


def test_the_search_of_each_dialect_is_there(database: Database) -> None:
    database.run(migrations.upgrade)
    if database.url.startswith("sqlite"):
        add, ask = (
            "INSERT INTO message_search (rowid, terms) VALUES (7, 'creme brulee £c1')",
            'SELECT rowid FROM message_search WHERE message_search MATCH \'"£c1" AND "creme brulee"\'',
        )
    else:
        add, ask = (
            "INSERT INTO message_search (id, terms) VALUES (7, $$'creme'\\:1 'brulee'\\:2 '£c1'$$)",
            "SELECT id FROM message_search WHERE terms @@ $$'£c1' & ('creme' <-> 'brulee')$$",
        )
    database.run(lambda c: c.execute(sa.text(add)))
    assert database.run(lambda c: c.execute(sa.text(ask)).scalars().all()) == [7]


def test_what_postgresql_lacks_is_said_and_done_without(database: Database, postgres_server: str) -> None:
    if database.url.startswith("sqlite"):
        assert database.run(migrations.missing_extensions) == []
        return
    assert database.run(migrations.missing_extensions) == ["pg_trgm", "unaccent"]

    def as_somebody(connection: sa.Connection) -> list[str]:
        role = "somebody_" + database.url[-6:]
        for statement in (
            f"CREATE ROLE {role}",
            f"GRANT CREATE ON SCHEMA public TO {role}",
            f"SET ROLE {role}",
        ):
            connection.execute(sa.text(statement))
        done = migrations.upgrade(connection)
        missing = migrations.missing_extensions(connection)
        there = trigram_indexes(connection)
        connection.rollback()
        assert done == migrations.revisions()
        assert there == set()
        return missing

    assert database.run(as_somebody) == ["pg_trgm", "unaccent"]
    database.run(migrations.upgrade)
    assert database.run(migrations.missing_extensions) == []
    assert database.run(trigram_indexes) == TRIGRAMS


def test_an_extension_may_lie_in_any_schema(empty_postgres_url: str) -> None:
    database = Database(empty_postgres_url)
    database.run(lambda c: c.execute(sa.text('CREATE SCHEMA "Ours"')))
    database.run(lambda c: c.execute(sa.text('CREATE EXTENSION pg_trgm SCHEMA "Ours"')))
    database.run(migrations.upgrade)
    assert database.run(trigram_indexes) == TRIGRAMS


TRIGRAMS = {f"ix_{name}_trigrams" for name in ("users_id", "users_name", "conversations_name")}


def trigram_indexes(connection: sa.Connection) -> set[str]:
    query = sa.text("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'")
    return set(connection.execute(query).scalars())
