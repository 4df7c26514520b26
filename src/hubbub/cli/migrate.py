"""`hubbub migrate`: bring the database of the conversations to this version's tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli.credentials import load_config
from hubbub.cli.databases import on_database
from hubbub.cli.output import Problem

if TYPE_CHECKING:
    import sqlalchemy as sa


def add_to(cli: typer.Typer) -> None:
    cli.command("migrate")(migrate)


def migrate(
    to: Annotated[
        str, typer.Option(metavar="REVISION", help="Go there, also back; `base` empties the database.")
    ] = "head",
    show: Annotated[bool, typer.Option("--show", help="Change nothing; say where the database is.")] = False,
    new_epoch: Annotated[
        bool, typer.Option("--new-epoch", help="After a restore: have all clients read anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before data is lost.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="As for `hubbub serve`."),
    ] = None,
) -> None:
    """Bring the database of `storage.url` to the tables of this version.

    PostgreSQL is migrated by this command alone, once for all servers; it may be run on several at a time. SQLite is
    migrated by the server when it starts: there this is for going back (`--to`), while no server runs.
    """
    from hubbub.cli.settings import parse_assignments
    from hubbub.storage import migrations
    from hubbub.storage.epoch import renew_epoch

    storage = load_config(config, **parse_assignments(assignments or ())).storage
    url = storage.url.get_secret_value()

    def look(connection: sa.Connection) -> list[str]:
        found = migrations.current(connection)
        missing = migrations.missing_extensions(connection) if found is not None else []
        print(f"revision: {found or 'none'}")
        print(f"pending:  {', '.join(migrations.pending(connection)) or 'none'}")
        return missing

    def go(connection: sa.Connection) -> list[str]:
        with migrations.alone(connection):
            run, back = migrations.migrate(connection, to)
            if new_epoch and migrations.current(connection) is not None:
                epoch = renew_epoch(connection)
            missing = migrations.missing_extensions(connection) if run else []
        for revision in run:
            print(f"migrated to {revision}")
        for revision in back:
            print(f"undone: {revision}")
        if not run and not back:
            print("nothing to migrate")
        if new_epoch:
            print(f"the epoch is {epoch} now: start all servers anew")
        return missing

    if new_epoch and to != "head":
        raise Problem("--new-epoch and --to do not go together.", "migrate first, then write a new epoch.")
    if to != "head" and not show and not yes:
        # Nobody waits for an answer with the database locked.
        lost = on_database(url, storage.timeout, lambda c: migrations.undone(c, to), read_only=True)
        if lost:
            _ask(lost)
    missing = on_database(url, storage.timeout, look if show else go, read_only=show)
    for name in missing:
        print(
            f"without the extension {name}: {migrations.EXTENSIONS[name]}. To have it, run as a superuser in this "
            f"database: CREATE EXTENSION {name} (package postgresql-contrib).",
            file=sys.stderr,
        )


def _ask(lost: list[str]) -> None:
    what = f"going back undoes {', '.join(lost)}, and what only its tables hold is lost."
    if not sys.stdin.isatty():
        raise Problem(what, "make a backup first, then say --yes.")
    print(what, file=sys.stderr)
    typer.confirm("Go on?", abort=True, err=True)
