"""An import that goes on until it is killed; a line for each batch that is on disk. It is told the database and the
file."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from hubbub import registry
from hubbub.clock import SystemClock
from hubbub.config import Config
from hubbub.telemetry.metrics import Metrics
from hubbub.transfer import importing
from hubbub.transfer.reading import LineFile

BATCH = 11


async def main(url: str, path: str) -> None:
    importing.BATCH, importing.REMEMBERED = BATCH, 3 * BATCH
    config = Config.model_validate({"storage": {"url": url}})
    parts = registry.Parts(config, SystemClock(), Metrics(), "transfer")
    store = registry.find(registry.STORES, url.partition(":")[0], "storage.url")(parts)
    await store.start(lambda logged: None, lambda channel, offset: None)
    importer = importing.Importer(
        store,
        config,
        LineFile(Path(path)),
        strict=True,
        progress=lambda counts, place: os.write(1, b"%d\n" % counts.number),
    )
    await importer.run(resume=True)
    await store.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
