"""What a file is: found by looking into it, never by what somebody says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct

from hubbub.config import AttachmentsConfig

HEAD = 4096
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
)


class Thumbnail(Struct, frozen=True):
    """A smaller picture of an image, as bytes. Sides in pixels."""

    width: int
    height: int
    type: str
    bytes: bytes


class Examined(Struct, frozen=True):
    """What was found. `replaced` is a file that is to be kept instead, for it tells less (no place, no camera);
    `refused` is why the file is not to be kept at all."""

    type: str
    name: str
    size: int
    width: int | None = None
    height: int | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    replaced: Path | None = None
    refused: str | None = None


async def examine(path: Path, name: str, config: AttachmentsConfig) -> Examined:
    """Look into the file at `path`, which somebody calls `name`."""
    return await asyncio.to_thread(_look, path, name)


def _look(path: Path, name: str) -> Examined:
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = next((type for magic, type in MAGIC if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        found = "image/webp"
    if found is None:
        try:
            head.decode()
            found = "application/octet-stream" if b"\0" in head else "text/plain"
        except ValueError:
            found = "application/octet-stream"
    return Examined(found, name, path.stat().st_size)
