"""Asking the application about a file before anybody can read it: `@app.scan_file`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from hubbub.config import AttachmentsConfig
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.attachments")
REASON_LENGTH = 500
NOT_JUDGED = "the file could not be scanned"


class ScannedFile(Struct, frozen=True):
    """What is asked about: the bytes at `path` as they would be kept, there until the answer; `type` is what was found
    in them, `size` in bytes, `owner` the user who has uploaded it, or "" for the server."""

    path: Path
    id: str
    name: str
    type: str
    size: int
    owner: str


ScanFile = Callable[[ScannedFile], Awaitable[str | None]]
"""Gives None to take a file, or why it is refused, in words for its owner."""


async def scan(hook: ScanFile, file: ScannedFile, config: AttachmentsConfig) -> str | None:
    """Why a file is refused, or None. What takes longer than `attachments.scan_timeout`, raises, or gives something
    else has not judged: then `attachments.scan_failure` decides."""
    try:
        async with asyncio.timeout(config.scan_timeout):
            verdict = await hook(file)
        if verdict is None:
            return None
        if isinstance(verdict, str) and verdict:
            return verdict[:REASON_LENGTH]
        raise TypeError(f"scan_file gives None or a reason, and not {type(verdict).__name__}")
    except TimeoutError:
        log.error("scan_file: too slow", file=file.id, seconds=config.scan_timeout)
    except Exception as error:
        log.error("scan_file: failed", file=file.id, exc_info=error)
    return NOT_JUDGED if config.scan_failure == "refuse" else None
