"""Users, conversations and messages, and the logs of what became of them.

A conversation's `head` is the last `seq` of its log; a message is named by the `seq` of the event that made it.
Messages of the main timeline are numbered densely (`number`), and replies in a thread within it (`thread_number`): an
unread count is the difference of two numbers.
"""

from __future__ import annotations

import sqlalchemy as sa

from hubbub.storage.tables.base import Json, Key, Number, Time, metadata

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""`epoch` (of all logs), `system` (of the database cluster it was made in), `stamp` (SQLite: the last one given)."""

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("avatar", sa.Text),
    sa.Column("custom", Json),
    sa.Column("show_last_seen", sa.Text, nullable=False),  # everyone | contacts | nobody
    sa.Column(
        "office", sa.Text, nullable=False, server_default="none"
    ),  # none | moderator | admin: everywhere
    sa.Column("erased", Time),  # when the person behind it was taken out
    sa.Column("last_seen", Time),
    sa.Column("head", Number, nullable=False),  # of the inbox's log
    sa.Column("created", Time, nullable=False),
    sa.Column("updated", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
)

blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("blocker", Key, primary_key=True),
    sa.Column("blocked", Key, primary_key=True),
    sa.Column("created", Time, nullable=False),
    sa.Index(None, "blocked"),
)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("pair", Key, unique=True),  # of a direct one: both users' ids, so that there is one
    sa.Column("name", sa.Text),
    sa.Column("topic", sa.Text),
    sa.Column("avatar", sa.Text),
    sa.Column("custom", Json),
    sa.Column("history", sa.Text, nullable=False),  # all | joined: what a new member may read
    sa.Column("permissions", Json, nullable=False),  # what differs from the kind's
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Column("head", Number, nullable=False),
    sa.Column("messages", Number, nullable=False),  # the last `number`
    sa.Column("members", Number, nullable=False),  # that have joined
    sa.Column("last_message", Number),  # seq of the newest of the main timeline
    sa.Column("last_activity", Time, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("created_by", Key),
    sa.Column("slow_mode", Time),  # seconds between two messages of one member
    sa.Column(
        "retention", Time
    ),  # seconds for which messages are kept; 0: for ever; null: as the settings say
    sa.Column("expunged", Number, nullable=False, server_default="0"),  # seq: all up to there is tombstones
    sa.Column("changed", Number, nullable=False),
    sa.Index(
        "ix_conversations_topics",
        "kind",
        "last_activity",
        sqlite_where=sa.text("kind = 'topic'"),
        postgresql_where=sa.text("kind = 'topic'"),
    ),
    sa.Index(None, "last_activity", "id"),  # all of them, for administrators
)

members = sa.Table(
    "members",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # invited | joined | left
    sa.Column("invited_by", Key),
    sa.Column("since", Time, nullable=False),  # of the state
    sa.Column("visible", Number, nullable=False),  # may read what has a greater seq; 0: all
    sa.Column("read", Number, nullable=False),  # cursors: seq ...
    sa.Column("read_number", Number, nullable=False),  # ... and the `number` up to there
    sa.Column("delivered", Number, nullable=False),
    sa.Column("delivered_number", Number, nullable=False),
    sa.Column("muted_until", Time),  # infinity is 9e15
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("spoke", Time),  # when it last sent something, where there is a slow mode
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "user", "state"),
    sa.Index(None, "conversation", "state", "read"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),  # the search index knows it by this
    sa.Column("conversation", Key, nullable=False),
    sa.Column("seq", Number, nullable=False),
    sa.Column("number", Number),  # null in threads and for system messages
    sa.Column("thread", Number),  # the root's seq
    sa.Column("thread_number", Number),
    sa.Column("kind", sa.Text, nullable=False),  # user | system
    sa.Column("sender", Key),
    sa.Column("parts", Json, nullable=False),
    sa.Column("mentions", Json),  # {"users": [...], "everyone": "all" | "here" | null}
    sa.Column("reply_to", Number),
    sa.Column("key", Key),
    sa.Column("digest", sa.Text),  # of what was sent under the key
    sa.Column("created", Time, nullable=False),
    sa.Column("version", Number, nullable=False),  # 1, and one more with each edit
    sa.Column("edited", Time),
    sa.Column("deleted", Time),
    sa.Column("reactions", Json),  # counts and the first users, ready to be sent; null: none
    sa.Column("replies", Number, nullable=False),  # of a root: the last `thread_number`
    sa.Column("last_reply", Time),
    sa.Column("options", Json),  # how it was sent: silent, expires, forwarded, ...; null: as most are
    sa.Column("annotations", Json),  # what stands on it beside what it says: pin, poll, checklist, previews
    sa.Column("shadow", sa.Boolean),  # true: nobody but its sender sees it
    sa.Index("uq_messages_conversation_seq", "conversation", "seq", unique=True),
    sa.Index(
        "ix_messages_timeline",  # lest a page of it walks through the threads
        "conversation",
        "seq",
        sqlite_where=sa.text("thread IS NULL"),
        postgresql_where=sa.text("thread IS NULL"),
    ),
    sa.Index(
        "ix_messages_thread",
        "conversation",
        "thread",
        "seq",
        sqlite_where=sa.text("thread IS NOT NULL"),
        postgresql_where=sa.text("thread IS NOT NULL"),
    ),
    sa.Index("ix_messages_time", "conversation", "created"),
    sa.Index(
        "uq_messages_key",
        "conversation",
        "sender",
        "key",
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    ),
    sa.Index(
        "ix_messages_tombstones",
        "conversation",
        "number",
        sqlite_where=sa.text("deleted IS NOT NULL AND number IS NOT NULL"),
        postgresql_where=sa.text("deleted IS NOT NULL AND number IS NOT NULL"),
    ),
)
"""Full-text search lies beside it, in `message_search`: an FTS5 table on SQLite, one with a tsvector and a GIN index
on PostgreSQL. `chat/search_index.py` fills both."""

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("seq", Number, primary_key=True),
    sa.Column("version", Number, primary_key=True),
    sa.Column("parts", Json, nullable=False),
    sa.Column("time", Time, nullable=False),  # when it was written
    sa.Column("editor", Key),
)
"""What a message said before each edit."""

reactions = sa.Table(
    "reactions",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("message", Number, primary_key=True),
    sa.Column("name", Key, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Column("time", Time, nullable=False),
)

mentions = sa.Table(
    "mentions",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("user", Key, primary_key=True),  # "*" is everybody
    sa.Column("seq", Number, primary_key=True),
    sa.Column("number", Number),  # null in threads
)

hidden = sa.Table(
    "hidden",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Column("seq", Number, primary_key=True),
)
"""Messages that one user has deleted for itself."""

followers = sa.Table(
    "followers",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("thread", Number, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Column(
        "following", sa.Boolean, nullable=False
    ),  # false: left it, and is not to be put back by a reply
    sa.Column("read", Number, nullable=False),
    sa.Column("read_number", Number, nullable=False),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "user", "following"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("seq", Number, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("message", Number),  # that it is about; of its own creation it is the seq
    sa.Column("actor", Key),
    sa.Column("time", Time, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Index(
        "ix_events_message",
        "conversation",
        "message",
        sqlite_where=sa.text("message <> seq"),
        postgresql_where=sa.text("message <> seq"),
    ),
    sqlite_with_rowid=False,
)
"""The log of each conversation: the truth, and the outbox."""

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("user", Key, primary_key=True),
    sa.Column("seq", Number, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("time", Time, nullable=False),
    sa.Column("data", Json, nullable=False),
)
"""The log of what concerns one user alone. Its newest `chat.inbox_size` events are kept; sync knows the rest."""

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("scope", Key, primary_key=True),  # the user, "" is the server
    sa.Column("key", Key, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("result", Json, nullable=False),
    sa.Column("time", Time, nullable=False),
)
"""Idempotency keys of all writes but messages, which keep theirs, and what was answered."""
