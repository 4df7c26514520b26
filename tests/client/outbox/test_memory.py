from __future__ import annotations

import pytest

from hubbub.client.outbox.base import Entry
from hubbub.client.outbox.memory import MemoryStorage
from hubbub.model import Raw

pytestmark = pytest.mark.anyio


async def test_what_was_put_is_there_in_its_order() -> None:
    storage = MemoryStorage()
    for id in (2, 1, 3):
        await storage.put(Entry(id, "m", Raw(b"1"), "k"))
    await storage.put(Entry(2, "other", Raw(b"1"), "k"))
    await storage.remove(3)
    await storage.remove(3)
    await storage.close()
    assert [(each.id, each.method) for each in await storage.open()] == [(1, "m"), (2, "other")]
