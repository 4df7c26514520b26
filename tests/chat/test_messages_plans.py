"""That a page of the main timeline is read by an index that has no replies in it, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.plans import plans
from tests.chat.world import World

from hubbub.chat.ledger import Actor, View
from hubbub.chat.messages import ListMessages, page
from hubbub.config import Config
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction
from hubbub.storage.tables import messages

pytestmark = pytest.mark.anyio
COLUMNS = ("conversation", "seq", "thread", "kind", "parts", "created", "version", "replies")
PLACES: dict[str, dict[str, Any]] = {
    "newest": {},
    "before": {"before": 4_000},
    "after": {"after": 1_000},
    "around": {"around": 2_500},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("history", ["all", "joined"])
async def test_the_timeline_has_an_index_of_its_own(chat: World, place: str, history: str) -> None:
    """Where nearly all are replies in a thread."""
    group = await chat.group("ada", history=history)
    rows: list[bulk.Row] = [
        (group, seq, None if seq % 50 == 0 else 50, "user", "[]", float(seq), 1, 0)
        for seq in range(50, 5_000)
    ]

    def run(tx: Transaction, items: Sequence[None]) -> list[list[str]]:
        bulk.insert(tx, messages, COLUMNS, rows)
        if tx.dialect == "postgresql":
            tx.execute(sa.text("ANALYZE messages"))
        params = msgspec.convert({"conversation": group, "limit": 20, **PLACES[place]}, ListMessages)
        found = plans(View(tx, Config(), 0.0), lambda view: page.function(view, Actor("ada"), params))
        tx.execute(sa.delete(messages).where(messages.c.seq >= 50))
        return [[each for each in found if "messages" in each]]

    found = await chat.store.write(Action("look", run), None)
    assert found
    for each in found:
        assert "ix_messages_timeline" in each, each
        assert "sort" not in each.lower()
        assert "temp b-tree" not in each.lower()
