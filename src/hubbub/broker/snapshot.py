"""The memory broker's logs on disk, for the time between two processes.

Written when a server stops, read and removed when the next one starts: a restart loses nothing that was retained. It is
no journal: what a killed process held is gone, and its clients are told so by a new epoch.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from hubbub.broker.base import Accepted
from hubbub.broker.stream import Kept
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.broker")

VERSION = 1


class KeptKey(msgspec.Struct, frozen=True):
    """An idempotency key: what it was used for, what that gave, and the seconds for which it still counts."""

    key: str
    digest: bytes
    left: float
    accepted: Accepted


class Snapshot(msgspec.Struct, frozen=True):
    """All logs by channel, and all keys, as of `written` (Unix seconds)."""

    version: int
    written: float
    logs: dict[str, Kept]
    keys: list[KeptKey]


def write(path: Path, snapshot: Snapshot) -> None:
    """Put the file in place whole or not at all, readable by its owner alone. Blocks. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def take(path: Path) -> Snapshot | None:
    """Read the file and remove it, so that it is never read twice. Blocks.

    A file that cannot be understood is set aside as `<name>.unreadable`, and the logs begin anew.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("the snapshot cannot be read; logs begin anew", path=str(path), reason=error.strerror)
        return None
    try:
        snapshot = msgspec.json.decode(raw, type=Snapshot)
        if snapshot.version != VERSION:
            raise ValueError(f"version {snapshot.version} is not {VERSION}")
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        aside = path.with_name(path.name + ".unreadable")
        path.replace(aside)
        log.error("the snapshot is not one; logs begin anew", path=str(aside), reason=str(error))
        return None
    path.unlink()
    return snapshot
