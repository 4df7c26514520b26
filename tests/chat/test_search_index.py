from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.chat.talk import say, text
from tests.chat.test_search import find
from tests.chat.world import World

from hubbub.chat import tokens
from hubbub.chat.ledger import View
from hubbub.chat.parts import searchable
from hubbub.chat.rows import MESSAGE, message_of
from hubbub.chat.search_index import POSITIONS, STRETCH, scope, vector
from hubbub.storage.tables import messages

pytestmark = pytest.mark.anyio


async def check_index(world: World) -> None:
    """The index is what one made anew would be."""

    def compare(view: View) -> None:
        kept = "rowid, terms" if view.dialect == "sqlite" else "id, CAST(terms AS text)"
        there = {row[0]: row[1] for row in view.execute(sa.text(f"SELECT {kept} FROM message_search"))}
        expected = {}
        shown = messages.c.shadow.is_(None)  # what is shadowed is never found
        for id, *columns in view.execute(sa.select(messages.c.id, *MESSAGE).where(shown)):
            message = message_of(columns)
            terms = tokens.terms(searchable(message.parts)) if message.kind == "user" else []
            if not terms:
                continue
            mark = scope(message.conversation)
            if view.dialect == "sqlite":
                expected[id] = f"{' '.join(terms)} {mark}"
            else:
                line = f"{vector(terms)} '{mark}' '{mark}.{message.seq // STRETCH}'"
                cast = sa.text("SELECT CAST(CAST(:line AS tsvector) AS text)")
                expected[id] = view.execute(cast, {"line": line}).scalar_one()
        assert there == expected

    await world.read(compare)


async def test_the_index_follows_edits_and_deletions(chat: World) -> None:
    group = await chat.group("ada", "bob")
    one = await say(chat, group, "ada", "old words")
    two = await say(chat, group, "ada", "gone for all")
    three = await say(chat, group, "ada", "gone for bob")
    await chat.do("messages.edit", "ada", conversation=group, message=one.seq, parts=text("new text"))
    await chat.do("messages.delete", "ada", conversation=group, message=two.seq)
    await chat.do("messages.delete", "bob", conversation=group, message=three.seq, **{"for": "me"})
    assert await find(chat, "bob", "old") == []
    assert await find(chat, "bob", "new") == ["new text"]
    assert await find(chat, "bob", "gone") == []
    assert await find(chat, "ada", "gone") == ["gone for bob"]
    await chat.do("messages.edit", "ada", conversation=group, message=one.seq, parts=text("..."))
    assert await find(chat, "bob", "new") == []
    await chat.do("messages.edit", "ada", conversation=group, message=one.seq, parts=text("new again"))
    assert await find(chat, "bob", "new") == ["new again"]
    await check_index(chat)


def test_the_term_of_a_conversation_is_its_own() -> None:
    """The index folds case and cuts at signs."""
    ids = ["abc", "ABC", "a-b", "ab", "x6162", "c", "\u00e9", "a b", "'", "616263"]
    marks = [scope(id) for id in ids]
    assert len(set(marks)) == len(ids)
    for mark in marks:
        assert mark[0] == "£"
        assert mark[1:].isalnum()
        assert mark[1:].isascii()
        assert mark == mark.lower()
        assert mark not in tokens.terms(mark)


def test_a_vector_has_positions_up_to_a_number() -> None:
    assert vector(["b", "a", "b"]) == "'b':1,3 'a':2"
    assert vector(["a"] * (POSITIONS + 5)).count(",") == POSITIONS - 1
