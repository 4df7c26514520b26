"""That SQLite looks up single rows by their keys, however long a conversation is and however many there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.chat.plans import plans, searched
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.chat.listing import for_users, memberships_of, my_conversations
from hubbub.chat.rows import CONVERSATION, ConversationRow

pytestmark = pytest.mark.anyio
HELLO = [{"type": "text", "text": "hello"}]
MEMBER = "sqlite_autoindex_members_1 (conversation=? AND user=?)"
MESSAGE = "uq_messages_conversation_seq (conversation=? AND seq=?)"
HIDDEN = "sqlite_autoindex_hidden_1 (conversation=? AND user=? AND seq=?)"
TOMBSTONES = "ix_messages_tombstones (conversation=? AND number>?)"

Ask = Callable[[View, list[ConversationRow]], object]


@pytest.mark.parametrize("count", [1, 5, 40])
@pytest.mark.parametrize(
    "ask",
    [
        lambda view, rows: my_conversations(view, "ada", rows),
        lambda view, rows: for_users(view, rows[0], ["ada", "bob"]),
    ],
)
async def test_the_newest_messages_are_looked_up(tmp_path: Path, count: int, ask: Ask) -> None:
    async with World(f"sqlite:///{tmp_path / 'chat.db'}") as chat:
        for number in range(count):
            group = await chat.group("ada", "bob", name=f"g{number}")
            await chat.do("messages.send", "ada", conversation=group, parts=HELLO)

        def run(view: View) -> list[str]:
            rows = [ConversationRow(*row) for row in view.execute(sa.select(*CONVERSATION))]
            return plans(view, lambda view: ask(view, rows))

        found = await chat.read(run)
        assert set(searched(found, "messages")) == {MESSAGE, TOMBSTONES}
        assert set(searched(found, "members")) == {MEMBER}
        assert set(searched(found, "hidden")) == {HIDDEN}


@pytest.mark.parametrize("count", [1, 2, 900, 2_500])
async def test_the_memberships_of_a_batch_are_looked_up(tmp_path: Path, count: int) -> None:
    async with World(f"sqlite:///{tmp_path / 'chat.db'}") as chat:
        pairs = [(f"c{number % 7}", f"u{number}") for number in range(count)]
        newest = {conversation: 0 for conversation, _ in pairs}
        found = await chat.read(lambda view: plans(view, lambda view: memberships_of(view, newest, pairs)))
        assert set(searched(found, "members")) == {MEMBER}
