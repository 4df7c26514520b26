"""`hubbub backup`: a copy of the database while the server runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from hubbub.cli.credentials import load_config
from hubbub.cli.output import Problem


def add_to(cli: typer.Typer) -> None:
    cli.command("backup")(backup)


def backup(
    target: Annotated[Path, typer.Argument(help="File to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace TARGET.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="As for `hubbub serve`."),
    ] = None,
) -> None:
    """Copy the SQLite database of `storage.url` to TARGET, while the server runs or not.

    To restore it, stop the server, put the copy in the database's place, remove its `-wal` and `-shm`, and start again.
    The copy has a new epoch: clients that come back are told that they may have missed something.
    """
    from hubbub.cli.settings import parse_assignments
    from hubbub.storage.backup import back_up
    from hubbub.storage.sqlite import database_path

    url = load_config(config, **parse_assignments(assignments or ())).storage.url.get_secret_value()
    if not url.startswith("sqlite"):
        raise Problem(
            "the database is not SQLite's, and backed up by its own tools.",
            "use pg_dump; after a restore run `hubbub migrate --new-epoch` before the server starts.",
        )
    target = target.absolute()
    if not target.parent.is_dir():
        raise Problem(f"there is no directory {target.parent}.", "make it, or name another file.")
    try:
        made = back_up(database_path(url), target, replace=force)
    except (OSError, sqlite3.Error) as error:
        raise Problem(
            f"no backup was made: {error}.", "see that there is room, and that you may read and write."
        ) from error
    print(f"{made.path} ({made.size:,} bytes, checked)")
