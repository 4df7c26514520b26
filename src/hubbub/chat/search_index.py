"""The index of the messages' terms: the table `message_search` of both dialects.

Beside its own terms a message has one for its conversation, so that a search in one conversation intersects two lists
of the index, however many messages there are elsewhere. On PostgreSQL, whose index knows no order, it has one for its
stretch of the conversation, too: the newest matches are looked for in the newest stretches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from hubbub.chat import tokens
from hubbub.storage import bulk
from hubbub.storage.base import Transaction

MARK = "£"
"""Begins what no text can have as a term."""
STRETCH = 4_096
"""Seqs of a conversation that have one term on PostgreSQL."""
POSITIONS = 255
"""Of one term in one message, on PostgreSQL."""
PLAIN = re.compile("[0-9a-z]+").fullmatch

message_search = sa.Table(
    "message_search", sa.MetaData(), sa.Column("rowid", sa.Integer), sa.Column("terms", sa.Text)
)
"""SQLite's, not for `create_all`."""

_INSERT = (
    "INSERT INTO message_search (id, terms) SELECT m.id, given.terms::tsvector || "
    "array_to_tsvector(ARRAY[given.scope, given.scope || '.' || m.seq / " + str(STRETCH) + "]) "
    "FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (id, scope, terms) "
    "JOIN messages AS m ON m.id = given.id"
)


def index(tx: Transaction, rows: Sequence[tuple[int, str, str]]) -> None:
    """Have messages found: their ids (`messages.id`; written already), conversations and texts. One statement."""
    given = [
        (id, scope(conversation), found) for id, conversation, text in rows if (found := tokens.terms(text))
    ]
    if not given:
        return
    if tx.dialect == "sqlite":
        values = [(id, f"{' '.join(found)} {scope}") for id, scope, found in given]
        bulk.insert(tx, message_search, ("rowid", "terms"), values)
        return
    ids, scopes, listed = zip(*given, strict=True)
    tx.connection.exec_driver_sql(_INSERT, (list(ids), list(scopes), list(map(vector, listed))))


def reindex(tx: Transaction, id: int, conversation: str, text: str) -> None:
    """Have a message found by its new text, and by the old one no more."""
    remove(tx, id)
    index(tx, [(id, conversation, text)])


def remove(tx: Transaction, id: int, conversation: str = "", text: str = "") -> None:
    """Have a message found no more. (Neither index needs to be told what it said.)"""
    key = "rowid" if tx.dialect == "sqlite" else "id"
    tx.execute(sa.text(f"DELETE FROM message_search WHERE {key} = :id"), {"id": id})


def scope(conversation: str) -> str:
    """The term of a conversation. The index folds case, and cuts at signs."""
    if PLAIN(conversation) is not None:
        return f"{MARK}c{conversation}"
    return f"{MARK}x{conversation.encode().hex()}"


def vector(terms: Sequence[str]) -> str:
    """Terms as PostgreSQL reads a tsvector. (They have no quotes in them.)"""
    places: dict[str, list[int]] = {}
    for place, term in enumerate(terms, 1):
        places.setdefault(term, []).append(place)
    return " ".join(f"'{term}':{','.join(map(str, at[:POSITIONS]))}" for term, at in places.items())
