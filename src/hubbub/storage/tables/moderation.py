"""Rules and what they are about, restrictions of users, messages that wait, what was reported and decided, the log of
privileged acts, and what the law has kept."""

from __future__ import annotations

import sqlalchemy as sa

from hubbub.storage.tables.base import Json, Key, Number, Time, metadata

rulesets = sa.Table(
    "rulesets",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # draft | live | retired
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("data", Json, nullable=False),  # the rules, in order
    sa.Column("by", Key),
    sa.Column("created", Time, nullable=False),
    sa.Column("live_since", Time),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "state"),
)

blocklists = sa.Table(
    "blocklists",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("words", Json, nullable=False),
    sa.Column("updated", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("test_set", Key, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("expected", sa.Text, nullable=False),  # the action, or `allow`
    sa.Column("data", Json, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Index(None, "test_set", "id"),
)
"""What a changed set of rules is tried on."""

restrictions = sa.Table(
    "restrictions",
    metadata,
    sa.Column("user", Key, primary_key=True),
    sa.Column("conversation", Key, primary_key=True),  # "": everywhere
    sa.Column("kind", Key, primary_key=True),  # mute | ban | shadow
    sa.Column("until", Time),  # null: until it is lifted
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", Key),
    sa.Column("created", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "conversation", "kind"),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("conversation", Key, nullable=False),
    sa.Column("sender", Key, nullable=False),
    sa.Column("key", Key),
    sa.Column("digest", sa.Text),
    sa.Column("content", Json, nullable=False),  # what is to be sent
    sa.Column("verdict", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending | approved | rejected | withdrawn
    sa.Column("created", Time, nullable=False),
    sa.Column("decided", Time),
    sa.Column("message", Number),  # the seq that it was given
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "sender", "state"),
    sa.Index(None, "conversation", "state"),
    sa.Index(
        "uq_holds_key",
        "conversation",
        "sender",
        "key",
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    ),
)
"""Messages that wait for a moderator. They have no seq before they are approved."""

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),  # message | hold | user
    sa.Column("conversation", Key),
    sa.Column("message", Number),
    sa.Column("hold", Key),
    sa.Column("user", Key),  # whom it is about
    sa.Column("state", sa.Text, nullable=False),  # open | decided | appealed | closed
    sa.Column("priority", Number, nullable=False),
    sa.Column("reports", Number, nullable=False),
    sa.Column("claimed_by", Key),
    sa.Column("claimed_until", Time),
    sa.Column("data", Json, nullable=False),  # what was said at the time, the verdict, the decision, ...
    sa.Column("created", Time, nullable=False),
    sa.Column("updated", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "state", "priority", "created"),
    sa.Index(None, "conversation", "state"),
    sa.Index(None, "user", "state"),
)
"""The review queue."""

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("case", Key, primary_key=True),
    sa.Column("reporter", Key, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Index(None, "reporter", "created"),
)

case_notes = sa.Table(
    "case_notes",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("case", Key, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # note | decision | appeal | answer
    sa.Column("author", Key),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("time", Time, nullable=False),
    sa.Index(None, "case", "id"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("time", Time, nullable=False),
    sa.Column("actor", Key),  # null: the server API
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("conversation", Key),
    sa.Column("user", Key),
    sa.Column("message", Number),
    sa.Column("data", Json, nullable=False),
    sa.Index(None, "time"),
    sa.Index(None, "actor", "id"),
    sa.Index(None, "user", "id"),
    sa.Index(None, "conversation", "id"),
    sqlite_autoincrement=True,
)
"""Every privileged act. Triggers refuse to delete a row, and to change anything but an id into an alias."""

legal_holds = sa.Table(
    "legal_holds",
    metadata,
    sa.Column("subject", Key, primary_key=True),  # conversation | user
    sa.Column("id", Key, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", Key),
    sa.Column("created", Time, nullable=False),
)

archive = sa.Table(
    "archive",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("conversation", Key, nullable=False),
    sa.Column("message", Number, nullable=False),
    sa.Column("version", Number, nullable=False),
    sa.Column("sender", Key),
    sa.Column("parts", Json, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("archived", Time, nullable=False),
    sa.Column("why", sa.Text, nullable=False),  # deleted | retention | erasure | expired
    sa.Index(None, "conversation", "message"),
)
"""What was deleted under a legal hold, for those who may ask for it."""

imports = sa.Table(
    "imports",
    metadata,
    sa.Column("id", Key, primary_key=True),  # of the source
    sa.Column("position", Number, nullable=False),  # what of it is done
    sa.Column("state", sa.Text, nullable=False),  # running | done
    sa.Column("counts", Json, nullable=False),
    sa.Column("updated", Time, nullable=False),
)
"""How far each import has come, written with what it has brought: it goes on from there."""
