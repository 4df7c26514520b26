"""What waits in an outbox, and where it is kept."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Raw, Struct

WriteState = Literal["queued", "sending", "failed"]


class Refused(Struct, frozen=True):
    """Why a write has failed: the number of the error, and its message."""

    code: int
    message: str


class Entry(Struct, frozen=True):
    """A write: the call of `method` with `params` (JSON), or a publish (`PUBLISH`). `key` is its idempotency key; those
    of one `group` are sent in their order. `added` is in Unix seconds of this machine. A `failed` one was refused for
    good, for `error`."""

    id: int
    method: str
    params: Raw
    key: str
    group: str = ""
    added: float = 0.0
    state: WriteState = "queued"
    attempts: int = 0
    error: Refused | None = None


PUBLISH = "publish"
"""The method of an entry that is no call: `params` are those of `Client.publish`."""


class Storage(Protocol):
    """Where entries are kept. What was awaited is kept for certain."""

    async def open(self) -> list[Entry]:
        """All entries, in the order of their ids. Raises ClientError if it cannot be used."""
        ...

    async def put(self, entry: Entry) -> None:
        """Keep an entry, in place of the one with its id."""
        ...

    async def remove(self, id: int) -> None: ...
    async def close(self) -> None: ...
