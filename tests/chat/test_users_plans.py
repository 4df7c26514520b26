"""That PostgreSQL finds names by its trigram indexes, and that they are found without them as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa
from tests.chat.plans import plans
from tests.chat.world import World

from hubbub.chat.ledger import Actor, View
from hubbub.chat.lists import DiscoverTopics, discover
from hubbub.chat.users import COLUMNS, QueryUsers, query
from hubbub.config import Config
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction
from hubbub.storage.tables import conversations, users

pytestmark = pytest.mark.anyio
COUNT = 5_000
TOPIC = (
    "id",
    "kind",
    "name",
    "history",
    "permissions",
    "closed",
    "head",
    "messages",
    "members",
    "last_activity",
)
INDEXES = {
    "users": {"ix_users_name_trigrams", "ix_users_id_trigrams"},
    "topics": {"ix_conversations_name_trigrams"},
}


def ask_users(view: View) -> list[str]:
    found = query.function(view, Actor("ada"), QueryUsers(prefix="lovel"))
    return [user.name for user in found.users]


def ask_topics(view: View) -> list[str | None]:
    found = discover.function(view, Actor("ada"), DiscoverTopics(query="lovel"))
    return [mine.conversation.name for mine in found.conversations]


def fill(tx: Transaction) -> None:
    """Many that are not found, and one of each that is."""
    names = ["Ada Lovelace", *(f"{number:x} somebody {number * 7}" for number in range(COUNT))]
    people: list[bulk.Row] = [
        (f"p{place}", "person", name, None, None, "nobody", 0, 0.0, 0.0, 0)
        for place, name in enumerate(names)
    ]
    bulk.insert(tx, users, COLUMNS, people)
    topics: list[bulk.Row] = [
        (f"t{place}", "topic", name, "all", "{}", False, 0, 0, 0, float(place), 0.0, 0)
        for place, name in enumerate(names)
    ]
    bulk.insert(tx, conversations, (*TOPIC, "created", "changed"), topics)


def empty(tx: Transaction) -> None:
    tx.execute(sa.delete(users).where(users.c.id.startswith("p")))
    tx.execute(sa.delete(conversations).where(conversations.c.id.startswith("t")))


@pytest.mark.parametrize(("what", "ask"), [("users", ask_users), ("topics", ask_topics)])
@pytest.mark.parametrize("indexed", [True, False])
async def test_names_are_found_by_an_index_or_without(
    chat: World, what: str, ask: Callable[[View], list[str]], indexed: bool
) -> None:
    def run(tx: Transaction, items: Sequence[None]) -> list[tuple[list[str], str]]:
        fill(tx)
        if tx.dialect == "postgresql":
            if not indexed:
                tx.execute(sa.text("DROP EXTENSION pg_trgm CASCADE"))
            tx.execute(sa.text("ANALYZE users, conversations"))
            tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        view = View(tx, Config(), 0.0)
        answers: list[str] = []
        found = plans(view, lambda view: answers.extend(ask(view)))
        empty(tx)
        return [(answers, "\n".join(found))]

    answers, plan = await chat.store.write(Action("look", run), None)
    assert answers == ["Ada Lovelace"]
    there = {name for name in INDEXES[what] if f"Index Scan on {name}\n" in plan}
    assert there == (INDEXES[what] if indexed and chat.store.dialect == "postgresql" else set()), plan
