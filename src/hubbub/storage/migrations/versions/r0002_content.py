"""What belongs to messages beside them, files, moderation, and what is kept and taken out by law.

As in every revision, the tables are written out: `tables/` goes on, this stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

from hubbub.storage.migrations.audit_0002 import keep_audit

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Time: sa.Double[float] = sa.Double()

TABLES = (
    "votes",
    "pins",
    "bookmarks",
    "drafts",
    "agenda",
    "commands",
    "invocations",
    "emoji",
    "groups",
    "group_members",
    "previews",
    "files",
    "file_uses",
    "file_usage",
    "rulesets",
    "blocklists",
    "samples",
    "restrictions",
    "holds",
    "cases",
    "reports",
    "case_notes",
    "audit",
    "legal_holds",
    "archive",
    "imports",
)
COLUMNS = (
    ("users", "office"),
    ("users", "erased"),
    ("conversations", "slow_mode"),
    ("conversations", "retention"),
    ("conversations", "expunged"),
    ("members", "spoke"),
    ("messages", "options"),
    ("messages", "annotations"),
    ("messages", "shadow"),
)


def upgrade(op: Operations) -> None:
    op.add_column("users", sa.Column("office", sa.Text, nullable=False, server_default="none"))
    op.add_column("users", sa.Column("erased", Time))
    op.add_column("conversations", sa.Column("slow_mode", Time))
    op.add_column("conversations", sa.Column("retention", Time))
    op.add_column("conversations", sa.Column("expunged", Number, nullable=False, server_default="0"))
    op.add_column("members", sa.Column("spoke", Time))
    op.add_column("messages", sa.Column("options", sa.Text))
    op.add_column("messages", sa.Column("annotations", sa.Text))
    op.add_column("messages", sa.Column("shadow", sa.Boolean))
    op.create_index("ix_conversations_last_activity_id", "conversations", ["last_activity", "id"])
    content(op)
    moderation(op)
    keep_audit(op)


def downgrade(op: Operations) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_update")
        op.execute("DROP TRIGGER audit_no_delete")
    else:
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP TRIGGER audit_not_taken_out ON audit")
        op.execute("DROP FUNCTION audit_append_only()")
    op.drop_index("ix_conversations_last_activity_id", "conversations")
    for table in reversed(TABLES):
        op.drop_table(table)
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)


def content(op: Operations) -> None:
    op.create_table(
        "votes",
        key("conversation"),
        number("message"),
        key("user"),
        key("option"),
        time("time"),
        primary("votes", "conversation", "message", "user", "option"),
    )
    op.create_table(
        "pins",
        key("conversation"),
        number("message"),
        sa.Column("by", Key),
        time("time"),
        primary("pins", "conversation", "message"),
    )
    op.create_table(
        "bookmarks",
        key("user"),
        key("conversation"),
        number("message"),
        text("note"),
        time("created"),
        flag("removed"),
        number("changed"),
        primary("bookmarks", "user", "conversation", "message"),
    )
    op.create_index("ix_bookmarks_message", "bookmarks", ["conversation", "message"])
    op.create_index("ix_bookmarks_user_changed", "bookmarks", ["user", "changed"])
    op.create_table(
        "drafts",
        key("user"),
        key("conversation"),
        number("thread"),
        text("content"),
        time("updated"),
        flag("removed"),
        number("told"),
        number("changed"),
        primary("drafts", "user", "conversation", "thread"),
    )
    op.create_index("ix_drafts_user_changed", "drafts", ["user", "changed"])
    op.create_table(
        "agenda",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        text("kind"),
        time("due"),
        sa.Column("user", Key),
        sa.Column("conversation", Key),
        sa.Column("message", Number),
        text("data"),
        time("created"),
        time("next"),
        number("attempts"),
        primary("agenda", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agenda_conversation_message", "agenda", ["conversation", "message"])
    op.create_index("ix_agenda_next", "agenda", ["next"])
    op.create_index("ix_agenda_user_kind_due", "agenda", ["user", "kind", "due"])
    op.create_table(
        "commands",
        key("name"),
        key("owner"),
        text("data"),
        time("created"),
        number("changed"),
        primary("commands", "name"),
    )
    op.create_index("ix_commands_owner", "commands", ["owner"])
    op.create_table(
        "invocations",
        key("id"),
        text("kind"),
        key("conversation"),
        sa.Column("message", Number),
        key("user"),
        sa.Column("owner", Key),
        text("data"),
        time("created"),
        number("answers"),
        primary("invocations", "id"),
    )
    op.create_index("ix_invocations_created", "invocations", ["created"])
    op.create_table(
        "emoji",
        key("name"),
        sa.Column("url", sa.Text),
        sa.Column("file", Key),
        sa.Column("alias", Key),
        sa.Column("by", Key),
        time("created"),
        flag("removed"),
        number("changed"),
        primary("emoji", "name"),
    )
    op.create_index("ix_emoji_changed", "emoji", ["changed"])
    op.create_table(
        "groups",
        key("id"),
        text("name"),
        text("description"),
        number("members"),
        time("created"),
        number("changed"),
        primary("groups", "id"),
    )
    op.create_table("group_members", key("group"), key("user"), primary("group_members", "group", "user"))
    op.create_index("ix_group_members_user", "group_members", ["user"])
    op.create_table(
        "previews", key("url"), sa.Column("data", sa.Text), time("fetched"), primary("previews", "url")
    )
    op.create_index("ix_previews_fetched", "previews", ["fetched"])
    op.create_table(
        "files",
        key("id"),
        key("owner"),
        text("name"),
        text("type"),
        number("size"),
        number("received"),
        text("state"),
        text("data"),
        time("created"),
        sa.Column("expires", Time),
        number("changed"),
        primary("files", "id"),
    )
    op.create_index("ix_files_expires", "files", ["expires"])
    op.create_index("ix_files_owner_state", "files", ["owner", "state"])
    op.create_table(
        "file_uses",
        key("file"),
        key("conversation"),
        number("message"),
        primary("file_uses", "file", "conversation", "message"),
    )
    op.create_index("ix_file_uses_conversation_message", "file_uses", ["conversation", "message"])
    op.create_table(
        "file_usage", key("user"), number("files"), number("bytes"), primary("file_usage", "user")
    )


def moderation(op: Operations) -> None:
    op.create_table(
        "rulesets",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        text("state"),
        text("note"),
        text("data"),
        sa.Column("by", Key),
        time("created"),
        sa.Column("live_since", Time),
        number("changed"),
        primary("rulesets", "id"),
    )
    op.create_index("ix_rulesets_state", "rulesets", ["state"])
    op.create_table(
        "blocklists",
        key("name"),
        text("words"),
        time("updated"),
        number("changed"),
        primary("blocklists", "name"),
    )
    op.create_table(
        "samples",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        key("test_set"),
        text("text"),
        text("expected"),
        text("data"),
        time("created"),
        primary("samples", "id"),
    )
    op.create_index("ix_samples_test_set_id", "samples", ["test_set", "id"])
    op.create_table(
        "restrictions",
        key("user"),
        key("conversation"),
        key("kind"),
        sa.Column("until", Time),
        text("reason"),
        sa.Column("by", Key),
        time("created"),
        number("changed"),
        primary("restrictions", "user", "conversation", "kind"),
    )
    op.create_index("ix_restrictions_conversation_kind", "restrictions", ["conversation", "kind"])
    op.create_table(
        "holds",
        key("id"),
        key("conversation"),
        key("sender"),
        sa.Column("key", Key),
        sa.Column("digest", sa.Text),
        text("content"),
        text("verdict"),
        text("state"),
        time("created"),
        sa.Column("decided", Time),
        sa.Column("message", Number),
        number("changed"),
        primary("holds", "id"),
    )
    op.create_index("ix_holds_conversation_state", "holds", ["conversation", "state"])
    op.create_index("ix_holds_sender_state", "holds", ["sender", "state"])
    partial(op, "uq_holds_key", "holds", ["conversation", "sender", "key"], "key IS NOT NULL", unique=True)
    op.create_table(
        "cases",
        key("id"),
        text("subject"),
        sa.Column("conversation", Key),
        sa.Column("message", Number),
        sa.Column("hold", Key),
        sa.Column("user", Key),
        text("state"),
        number("priority"),
        number("reports"),
        sa.Column("claimed_by", Key),
        sa.Column("claimed_until", Time),
        text("data"),
        time("created"),
        time("updated"),
        number("changed"),
        primary("cases", "id"),
    )
    op.create_index("ix_cases_conversation_state", "cases", ["conversation", "state"])
    op.create_index("ix_cases_state_priority_created", "cases", ["state", "priority", "created"])
    op.create_index("ix_cases_user_state", "cases", ["user", "state"])
    op.create_table(
        "reports",
        key("case"),
        key("reporter"),
        text("reason"),
        text("note"),
        time("created"),
        primary("reports", "case", "reporter"),
    )
    op.create_index("ix_reports_reporter_created", "reports", ["reporter", "created"])
    op.create_table(
        "case_notes",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        key("case"),
        text("kind"),
        sa.Column("author", Key),
        text("text"),
        time("time"),
        primary("case_notes", "id"),
    )
    op.create_index("ix_case_notes_case_id", "case_notes", ["case", "id"])
    op.create_table(
        "audit",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        time("time"),
        sa.Column("actor", Key),
        text("act"),
        sa.Column("conversation", Key),
        sa.Column("user", Key),
        sa.Column("message", Number),
        text("data"),
        primary("audit", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"])
    op.create_index("ix_audit_conversation_id", "audit", ["conversation", "id"])
    op.create_index("ix_audit_time", "audit", ["time"])
    op.create_index("ix_audit_user_id", "audit", ["user", "id"])
    op.create_table(
        "legal_holds",
        key("subject"),
        key("id"),
        text("reason"),
        sa.Column("by", Key),
        time("created"),
        primary("legal_holds", "subject", "id"),
    )
    op.create_table(
        "archive",
        sa.Column("id", Number, sa.Identity(always=False), nullable=False),
        key("conversation"),
        number("message"),
        number("version"),
        sa.Column("sender", Key),
        text("parts"),
        time("created"),
        time("archived"),
        text("why"),
        primary("archive", "id"),
    )
    op.create_index("ix_archive_conversation_message", "archive", ["conversation", "message"])
    op.create_table(
        "imports",
        key("id"),
        number("position"),
        text("state"),
        text("counts"),
        time("updated"),
        primary("imports", "id"),
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
