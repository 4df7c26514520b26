"""A server that deletes what is too old until it is killed, or all is done; a line for each batch, before it is on
disk. It is told the database."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from tests.chat.wire import chat_server

from hubbub.chat.agenda import Handler, Item
from hubbub.chat.ledger import Ledger
from hubbub.chat.retention import HANDLERS, _next

BATCH = 3
DAY = 86_400.0
SETTINGS: dict[str, Any] = {
    "retention": {"messages": DAY, "sweep_batch": BATCH},
    "attachments": {"url": "memory://"},
}
(SWEEP,) = HANDLERS


def _sweep(ledger: Ledger, item: Item, prepared: Any) -> Any:
    result = SWEEP.run(ledger, item, prepared)
    os.write(1, b"swept\n")
    return result


async def main(url: str) -> None:
    async with chat_server(url, **SETTINGS) as server:
        server.app.chat.agenda.handlers[SWEEP.kind] = Handler(SWEEP.kind, _sweep)
        while await server.app.chat.read(lambda view: _next(view) is not None):  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
