"""Workspaces that move between worlds."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.chat.world import World

from hubbub.transfer.exporting import Exporter
from hubbub.transfer.importing import Importer, Report
from hubbub.transfer.reading import LineFile, Source

START = {"type": "workspace", "version": 1, "source": "old", "created": 1.0}
ADA = {"type": "user", "id": "ada"}
BOB = {"type": "user", "id": "bob"}
ROOM = {"type": "conversation", "id": "c1", "kind": "group", "created": 10.0, "name": "Engines"}
INSIDE = [{"type": "member", "conversation": "c1", "user": user} for user in ("ada", "bob")]
END = {"type": "end", "counts": {}}
HEAD: list[dict[str, Any]] = [START, ADA, BOB, ROOM, *INSIDE]


def message(id: str, words: str = "hello", sender: str | None = "ada", **more: Any) -> dict[str, Any]:
    """A line."""
    said = {"type": "message", "conversation": "c1", "id": id, "sender": sender, "created": 100.0}
    return said | {"parts": [{"type": "text", "text": words}]} | more


def file_of(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """A file of lines."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    with ThreadPoolExecutor(1) as thread:  # who calls it may be in the event loop
        thread.submit(path.write_bytes, b"".join(each + b"\n" for each in raw)).result()
    return path


class Moved:
    """What has come of an import."""

    def __init__(self, report: Report, refused: list[tuple[int, str]]) -> None:
        self.report = report
        self.counts = report.counts
        self.refused = refused


async def bring(world: World, source: Path | Source, *, resume: bool = False, strict: bool = False) -> Moved:
    """Import a file."""
    refused: list[tuple[int, str]] = []
    importer = Importer(
        world.store,
        world.config,
        await asyncio.to_thread(LineFile, source) if isinstance(source, Path) else source,
        strict=strict,
        tell=lambda number, why: refused.append((number, why)),
    )
    return Moved(await importer.run(resume=resume), refused)


async def take(world: World, path: Path) -> Path:
    """Export into a file."""
    exporter = Exporter(world.store, world.config, world.clock.now())
    raw = b"".join([each async for each in exporter.lines()])
    await asyncio.to_thread(path.write_bytes, raw)
    return path
