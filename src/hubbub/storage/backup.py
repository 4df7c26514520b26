"""A copy of a SQLite database while a server writes it. Blocks: for the command line."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hubbub.errors import ConfigError
from hubbub.storage.epoch import new_epoch
from hubbub.storage.sqlite import connect

PATIENCE = 30.0
"""Seconds for locks."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was made."""

    path: Path
    size: int
    epoch: str


def back_up(source: Path, target: Path, *, replace: bool = False) -> Backup:
    """Copy the database `source`, as it is at one moment, to the file `target`, which is there whole or not at all.

    The copy has an epoch of its own, so that a client that knows more than a server that was restored from it is not
    told that it missed nothing. `source` is read by a connection that cannot write and so does not checkpoint
    beside the server (see `storage.sqlite`).

    Raises ConfigError if `source` is no database of Hubbub's, or if `target` is there and not to be replaced, and
    OSError and sqlite3.Error.
    """
    if not source.is_file():
        raise ConfigError(f"there is no database {source}. Name one in storage.url.")
    if target.exists():
        if target.samefile(source):
            raise ConfigError(f"{target} is the database itself. Name another file.")
        if not replace:
            raise ConfigError(f"{target} is there already. Name another file, or replace it with --force.")
    if any(target.with_name(target.name + suffix).exists() for suffix in ("-wal", "-journal")):
        # What is in it would be played into the copy by whoever opens that.
        raise ConfigError(f"{target} is a database that is in use, or was not closed. Name another file.")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        epoch = _copy(source, partial)
        descriptor = os.open(partial, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        size = partial.stat().st_size
        os.replace(partial, target)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return Backup(target, size, epoch)


def _copy(source: Path, partial: Path) -> str:
    # Made by hand, so that nobody else can read it.
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    epoch = new_epoch()
    with closing(connect(source, "ro", PATIENCE)) as original, closing(connect(partial, "rw", 0)) as copy:
        original.backup(copy)  # in one step: one snapshot, which holds back nobody
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        try:
            renewed = copy.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,)).rowcount
        except sqlite3.OperationalError:
            renewed = 0
        if renewed != 1:
            raise ConfigError(f"{source} is not a database of Hubbub's. Name one in storage.url.")
        faults = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
        if faults != ["ok"]:
            raise ConfigError(
                f"{source} is damaged, so that no backup was made: {'; '.join(faults)}. "
                "Keep the backups that you have."
            )
    return epoch
