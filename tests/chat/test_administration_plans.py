"""That pages of all conversations are read in their order, however many there are."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.plans import plans
from tests.chat.world import World

from hubbub.chat.administration import ListAll, list_conversations
from hubbub.chat.ledger import Actor, View

pytestmark = pytest.mark.anyio
INDEX = "ix_conversations_last_activity_id"


@pytest.mark.parametrize("params", [{}, {"closed": False}, {"kind": "group"}, {"query": "g"}])
async def test_nothing_is_sorted(chat: World, params: dict[str, object]) -> None:
    for number in range(4):
        await chat.group("ada", "bob", name=f"g{number}")
    first = await chat.do("administration.conversations", "", limit=2)

    def run(view: View) -> list[str]:
        if view.dialect == "postgresql":  # which reads whole tables where they are as small as this
            for choice in ("seqscan", "bitmapscan"):
                view.execute(sa.text(f"SET LOCAL enable_{choice} = off"))
        found = []
        for cursor in (None, first.next):
            asked = ListAll(**params, cursor=cursor)  # type: ignore[arg-type]
            found += plans(view, lambda view, asked=asked: list_conversations.function(view, Actor(), asked))  # type: ignore[misc]
        return found

    found = await chat.read(run)
    assert len(found) == 2
    for plan in found:
        assert INDEX in plan, plan
        assert "Sort" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
