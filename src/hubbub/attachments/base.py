"""The Blobs port: where the bytes of files are kept, each under a key. Whatever is known of them is in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from hubbub.errors import ErrorCode, HubbubError


def unavailable(why: str = "") -> HubbubError:
    """STORE_UNAVAILABLE, of the bytes of files."""
    return HubbubError(
        ErrorCode.STORE_UNAVAILABLE, "what keeps the files does not answer" + (f": {why}" if why else "")
    )


class Blobs(Protocol):
    """Bytes by their keys, like `files/1f/1f00/original`: letters, digits, `-`, `.` and `/`, made by us alone.

    What was put is there for all nodes, and whole or not at all. A key is written once. Raises STORE_UNAVAILABLE where
    it cannot be done now.
    """

    async def start(self) -> None:
        """Open. Raises ConfigError for what an operator must mend."""

    async def stop(self) -> None: ...

    async def put(self, key: str, content: bytes | Path) -> None:
        """Keep the bytes, or those of a file on this machine's disk, which is read piece by piece."""

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, piece by piece. `start` is before their end. Raises NOT_FOUND."""

    async def drop(self, folder: str) -> None:
        """Delete all whose keys begin with `folder` and a slash; none may be there."""

    async def delete(self, key: str) -> None:
        """Delete one, if it is there."""


async def read(blobs: Blobs, key: str) -> bytes:
    """All bytes of something small."""
    return b"".join([piece async for piece in await blobs.open(key)])
