"""An outbox's entries in memory: gone with the process."""

from __future__ import annotations

from hubbub.client.outbox.base import Entry


class MemoryStorage:
    """See Storage. One object may serve several Clients in turn."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}

    async def open(self) -> list[Entry]:
        return [self._entries[id] for id in sorted(self._entries)]

    async def put(self, entry: Entry) -> None:
        self._entries[entry.id] = entry

    async def remove(self, id: int) -> None:
        self._entries.pop(id, None)

    async def close(self) -> None:
        pass
