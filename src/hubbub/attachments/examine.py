"""What a file is: found by looking into it, never by what somebody says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct

from hubbub.attachments import names, sniff
from hubbub.config import AttachmentsConfig


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
    size, type = await asyncio.to_thread(_look, path)
    return Examined(type, names.safe(name, type, config.name_length), size)


def _look(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        head = file.read(sniff.HEAD)
    size = path.stat().st_size
    return size, sniff.sniff(head, size)
