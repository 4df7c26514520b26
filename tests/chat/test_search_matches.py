from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.talk import say
from tests.chat.test_search import find
from tests.chat.world import World

from hubbub.chat.ledger import View

pytestmark = pytest.mark.anyio


async def test_stretches_and_many_conversations_hide_nothing(
    chat: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few there are in a stretch, at first and at once; and who is in very many conversations."""
    monkeypatch.setattr("hubbub.chat.search_index._INSERT", INSERT_OF_STRETCHES_OF_THREE)
    monkeypatch.setattr("hubbub.chat.search_matches.STRETCH", 3)
    group = await chat.group("ada", "bob")
    expected: dict[str, list[int]] = {"often": [], "seldom": [], "once": []}
    for number in range(60):
        words = ["often"] * (number % 2) + ["seldom"] * (number % 9 == 4) + ["once"] * (number == 7)
        message = await say(chat, group, "ada", " ".join(["x", *words]))
        for word in words:
            expected[word].insert(0, message.seq)
    for costs in ((4, 400), (4_000_000, 1), (1, 4_000_000)):
        monkeypatch.setattr("hubbub.chat.search_matches.MATCH_COST", costs[0])
        monkeypatch.setattr("hubbub.chat.search_matches.STRETCH_COST", costs[1])
        for word, seqs in expected.items():
            for limit in (1, 2, 5, 50):
                page = await chat.do(
                    "search", "bob", query=word, conversation=group, order="newest", limit=limit
                )
                assert [hit.message.seq for hit in page.hits] == seqs[:limit], (word, limit)
    monkeypatch.setattr("hubbub.chat.search_matches.SCOPES", 0)
    hidden = await chat.group("eve")
    await say(chat, hidden, "eve", "often")
    assert len(await find(chat, "bob", "often", limit=100)) == len(expected["often"])
    left = await chat.group("ada", "bob")
    await say(chat, left, "ada", "often")
    await chat.do("members.leave", "bob", conversation=left)
    assert len(await find(chat, "bob", "often", limit=100)) == len(expected["often"])
    moderated = await chat.group("ada", "bob", permissions={"read": "moderator"})
    await say(chat, moderated, "ada", "often")
    assert len(await find(chat, "bob", "often", limit=100)) == len(expected["often"])


INSERT_OF_STRETCHES_OF_THREE = (
    "INSERT INTO message_search (id, terms) SELECT m.id, given.terms::tsvector || "
    "array_to_tsvector(ARRAY[given.scope, given.scope || '.' || m.seq / 3]) "
    "FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, scope, terms) "
    "JOIN messages AS m ON m.id = given.id"
)


async def test_in_five_hundred_conversations(chat: World) -> None:
    await chat.user("ada")
    for number in range(30):
        group = await chat.group("ada", name=f"g{number}")
        await say(chat, group, "ada", f"word {number}")
    assert len(await find(chat, "ada", "word", limit=100)) == 30

    def wide(view: View) -> None:
        marks = [f"£c{number}" for number in range(500)]
        if view.dialect == "sqlite":
            match = f'"word" AND ({" OR ".join(f"{chr(34)}{mark}{chr(34)}" for mark in marks)})'
            view.execute(sa.text("SELECT rowid FROM message_search WHERE terms MATCH :m"), {"m": match}).all()

    await chat.read(wide)
