"""Users, conversations, messages, their logs and what is searched: the tables of the first release with a chat.

As in every revision, the tables are written out: `tables.py` goes on, this stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

from hubbub.storage.epoch import new_epoch

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time: sa.Double[float] = sa.Double()
Json = sa.Text()

TABLES = (
    "meta",
    "users",
    "blocks",
    "conversations",
    "members",
    "messages",
    "versions",
    "reactions",
    "mentions",
    "hidden",
    "followers",
    "events",
    "inbox",
    "keys",
)


def upgrade(op: Operations) -> None:
    meta = op.create_table("meta", key("name"), text("value"), primary("meta", "name"))
    people(op)
    conversations(op)
    messages(op)
    beside_messages(op)
    logs(op)
    search(op)
    names(op)
    op.bulk_insert(meta, [{"name": "epoch", "value": new_epoch()}])


def downgrade(op: Operations) -> None:
    op.execute("DROP TABLE message_search")
    for table in reversed(TABLES):
        op.drop_table(table)
    # The extensions stay: they may have been there before, and others may use them.


def people(op: Operations) -> None:
    op.create_table(
        "users",
        key("id"),
        text("kind"),
        text("name"),
        sa.Column("avatar", sa.Text),
        sa.Column("custom", Json),
        text("show_last_seen"),
        sa.Column("last_seen", Time),
        number("head"),
        time("created"),
        time("updated"),
        number("changed"),
        primary("users", "id"),
    )
    op.create_table(
        "blocks", key("blocker"), key("blocked"), time("created"), primary("blocks", "blocker", "blocked")
    )
    op.create_index("ix_blocks_blocked", "blocks", ["blocked"])


def conversations(op: Operations) -> None:
    op.create_table(
        "conversations",
        key("id"),
        text("kind"),
        sa.Column("pair", Key),
        sa.Column("name", sa.Text),
        sa.Column("topic", sa.Text),
        sa.Column("avatar", sa.Text),
        sa.Column("custom", Json),
        text("history"),
        sa.Column("permissions", Json, nullable=False),
        flag("closed"),
        number("head"),
        number("messages"),
        number("members"),
        sa.Column("last_message", Number),
        time("last_activity"),
        time("created"),
        sa.Column("created_by", Key),
        number("changed"),
        primary("conversations", "id"),
        sa.UniqueConstraint("pair", name="uq_conversations_pair"),
    )
    partial(op, "ix_conversations_topics", "conversations", ["kind", "last_activity"], "kind = 'topic'")
    op.create_table(
        "members",
        key("conversation"),
        key("user"),
        text("role"),
        text("state"),
        sa.Column("invited_by", Key),
        time("since"),
        number("visible"),
        number("read"),
        number("read_number"),
        number("delivered"),
        number("delivered_number"),
        sa.Column("muted_until", Time),
        flag("archived"),
        number("changed"),
        primary("members", "conversation", "user"),
    )
    op.create_index("ix_members_user_state", "members", ["user", "state"])
    op.create_index("ix_members_conversation_state_read", "members", ["conversation", "state", "read"])


def messages(op: Operations) -> None:
    op.create_table(
        "messages",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        key("conversation"),
        number("seq"),
        sa.Column("number", Number),
        sa.Column("thread", Number),
        sa.Column("thread_number", Number),
        text("kind"),
        sa.Column("sender", Key),
        sa.Column("parts", Json, nullable=False),
        sa.Column("mentions", Json),
        sa.Column("reply_to", Number),
        sa.Column("key", Key),
        sa.Column("digest", sa.Text),
        time("created"),
        number("version"),
        sa.Column("edited", Time),
        sa.Column("deleted", Time),
        sa.Column("reactions", Json),
        number("replies"),
        sa.Column("last_reply", Time),
        primary("messages", "id"),
    )
    op.create_index("uq_messages_conversation_seq", "messages", ["conversation", "seq"], unique=True)
    partial(op, "ix_messages_timeline", "messages", ["conversation", "seq"], "thread IS NULL")
    partial(op, "ix_messages_thread", "messages", ["conversation", "thread", "seq"], "thread IS NOT NULL")
    op.create_index("ix_messages_time", "messages", ["conversation", "created"])
    partial(
        op, "uq_messages_key", "messages", ["conversation", "sender", "key"], "key IS NOT NULL", unique=True
    )
    partial(
        op,
        "ix_messages_tombstones",
        "messages",
        ["conversation", "number"],
        "deleted IS NOT NULL AND number IS NOT NULL",
    )


def beside_messages(op: Operations) -> None:
    op.create_table(
        "versions",
        key("conversation"),
        number("seq"),
        number("version"),
        sa.Column("parts", Json, nullable=False),
        time("time"),
        sa.Column("editor", Key),
        primary("versions", "conversation", "seq", "version"),
    )
    op.create_table(
        "reactions",
        key("conversation"),
        number("message"),
        key("name"),
        key("user"),
        time("time"),
        primary("reactions", "conversation", "message", "name", "user"),
    )
    op.create_table(
        "mentions",
        key("conversation"),
        key("user"),
        number("seq"),
        sa.Column("number", Number),
        primary("mentions", "conversation", "user", "seq"),
    )
    op.create_table(
        "hidden",
        key("conversation"),
        key("user"),
        number("seq"),
        primary("hidden", "conversation", "user", "seq"),
    )
    op.create_table(
        "followers",
        key("conversation"),
        number("thread"),
        key("user"),
        flag("following"),
        number("read"),
        number("read_number"),
        number("changed"),
        primary("followers", "conversation", "thread", "user"),
    )
    op.create_index("ix_followers_user_following", "followers", ["user", "following"])


def logs(op: Operations) -> None:
    op.create_table(
        "events",
        key("conversation"),
        number("seq"),
        text("type"),
        sa.Column("message", Number),
        sa.Column("actor", Key),
        time("time"),
        sa.Column("data", Json, nullable=False),
        primary("events", "conversation", "seq"),
        sqlite_with_rowid=False,
    )
    partial(op, "ix_events_message", "events", ["conversation", "message"], "message <> seq")
    op.create_table(
        "inbox",
        key("user"),
        number("seq"),
        text("type"),
        time("time"),
        sa.Column("data", Json, nullable=False),
        primary("inbox", "user", "seq"),
    )
    op.create_table(
        "keys",
        key("scope"),
        key("key"),
        text("digest"),
        sa.Column("result", Json, nullable=False),
        time("time"),
        primary("keys", "scope", "key"),
    )


def search(op: Operations) -> None:
    """The terms of each message, by its id. The application makes them: it knows how to cut CJK, so the database is to
    take them as they are (`chat/tokens.py`). On PostgreSQL beside `messages` too, and no column of it: a message that
    is written, or counts a reply, would have to be indexed once more."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE message_search USING fts5(terms, tokenize = 'ascii', columnsize = 0)"
        )
        return
    op.create_table(
        "message_search",
        number("id"),
        sa.Column("terms", postgresql.TSVECTOR, nullable=False),
        primary("message_search", "id"),
    )
    # New terms wait in a list, which whichever write fills it merges. Short, as here, that costs a third of indexing
    # each row at once, and no write waits for long (the default of 4 MB: 225 ms); searches read through the list.
    op.create_index(
        "ix_message_search_terms",
        "message_search",
        ["terms"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "on", "gin_pending_list_limit": 256},
    )


def names(op: Operations) -> None:
    """By any three letters of them, where PostgreSQL has pg_trgm; else a search reads all names. Of conversations only
    topics are found so: a message changes its conversation's row, and then all indexes that this is in. What waits in
    an index's list makes searches dear, so that the planner would rather read the table: there is next to none."""
    if op.get_bind().dialect.name == "sqlite":
        return
    query = sa.text("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'")
    schema = op.get_bind().execute(query).scalar()
    if schema is None:
        return
    for table, column, options in (
        ("users", "id", "WITH (fastupdate = off)"),
        ("users", "name", "WITH (fastupdate = off)"),
        ("conversations", "name", "WITH (gin_pending_list_limit = 64) WHERE kind = 'topic'"),
    ):
        op.execute(
            f"CREATE INDEX ix_{table}_{column}_trigrams ON {table} "
            f"USING gin (lower({column}) {schema}.gin_trgm_ops) {options}"
        )


def partial(
    op: Operations, name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def key(name: str) -> sa.Column[str]:
    return sa.Column(name, Key, nullable=False)


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, Number, nullable=False)


def time(name: str) -> sa.Column[float]:
    return sa.Column(name, Time, nullable=False)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)
