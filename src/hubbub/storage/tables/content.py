"""What belongs to messages and to the people who write them, beside the messages: votes, pins, bookmarks, drafts, what
is due at some time, commands, emoji, groups of users, previews of links, and files."""

from __future__ import annotations

import sqlalchemy as sa

from hubbub.storage.tables.base import Json, Key, Number, Time, metadata

votes = sa.Table(
    "votes",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("message", Number, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Column("option", Key, primary_key=True),
    sa.Column("time", Time, nullable=False),
)
"""Who has voted for what in a poll. The counts stand in the message's `annotations`."""

pins = sa.Table(
    "pins",
    metadata,
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("message", Number, primary_key=True),
    sa.Column("by", Key),
    sa.Column("time", Time, nullable=False),
)

bookmarks = sa.Table(
    "bookmarks",
    metadata,
    sa.Column("user", Key, primary_key=True),
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("message", Number, primary_key=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False),  # kept, so that a sync can tell of it
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "user", "changed"),
    sa.Index("ix_bookmarks_message", "conversation", "message"),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("user", Key, primary_key=True),
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("thread", Number, primary_key=True),  # 0: the main timeline
    sa.Column("content", Json, nullable=False),  # parts, mentions, reply_to; "" once it was removed
    sa.Column("updated", Time, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False),
    sa.Column("told", Number, nullable=False),  # the last event of it in the user's inbox
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "user", "changed"),
)

agenda = sa.Table(
    "agenda",
    metadata,
    sa.Column("id", Number, sa.Identity(always=False), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("due", Time, nullable=False),
    sa.Column("user", Key),
    sa.Column("conversation", Key),
    sa.Column("message", Number),
    sa.Column("data", Json, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("next", Time, nullable=False),  # due, or later if it failed or is being prepared
    sa.Column("attempts", Number, nullable=False),
    sa.Index(None, "next"),
    sa.Index(None, "user", "kind", "due"),
    sa.Index(None, "conversation", "message"),
    sqlite_autoincrement=True,  # clients know ids of it: none is given twice
)
"""What is to be done at some time, once: a row is deleted in the transaction that does it."""

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("owner", Key, nullable=False),  # the user (agent, service) whose program answers
    sa.Column("data", Json, nullable=False),  # description, usage, arguments, in which kinds of conversations
    sa.Column("created", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "owner"),
)

invocations = sa.Table(
    "invocations",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # command | press
    sa.Column("conversation", Key, nullable=False),
    sa.Column("message", Number),  # of a press: the card's
    sa.Column("user", Key, nullable=False),  # who asked
    sa.Column("owner", Key),  # who is to answer; null: the server's own program
    sa.Column("data", Json, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("answers", Number, nullable=False),
    sa.Index(None, "created"),
)
"""Commands that were given and buttons that were pressed, so that their programs may answer."""

emoji = sa.Table(
    "emoji",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("url", sa.Text),
    sa.Column("file", Key),
    sa.Column("alias", Key),  # of another emoji
    sa.Column("by", Key),
    sa.Column("created", Time, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False),
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "changed"),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("members", Number, nullable=False),
    sa.Column("created", Time, nullable=False),
    sa.Column("changed", Number, nullable=False),
)
"""Groups of users that can be mentioned."""

group_members = sa.Table(
    "group_members",
    metadata,
    sa.Column("group", Key, primary_key=True),
    sa.Column("user", Key, primary_key=True),
    sa.Index(None, "user"),
)

previews = sa.Table(
    "previews",
    metadata,
    sa.Column("url", Key, primary_key=True),
    sa.Column("data", Json),  # null: there is none
    sa.Column("fetched", Time, nullable=False),
    sa.Index(None, "fetched"),
)
"""What was found behind links."""

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("owner", Key, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),  # by its content
    sa.Column("size", Number, nullable=False),
    sa.Column("received", Number, nullable=False),  # bytes so far
    sa.Column("state", sa.Text, nullable=False),  # uploading | checking | ready | refused | gone
    sa.Column("data", Json, nullable=False),  # width, height, thumbnails, why it was refused, ...
    sa.Column("created", Time, nullable=False),
    sa.Column("expires", Time),  # of an upload that was not finished, or that no message has yet
    sa.Column("changed", Number, nullable=False),
    sa.Index(None, "owner", "state"),
    sa.Index("ix_files_expires", "expires"),
)

file_uses = sa.Table(
    "file_uses",
    metadata,
    sa.Column("file", Key, primary_key=True),
    sa.Column("conversation", Key, primary_key=True),
    sa.Column("message", Number, primary_key=True),
    sa.Index(None, "conversation", "message"),
)
"""In which messages a file is: who may read one of them may read it."""

file_usage = sa.Table(
    "file_usage",
    metadata,
    sa.Column("user", Key, primary_key=True),
    sa.Column("files", Number, nullable=False),
    sa.Column("bytes", Number, nullable=False),
)
"""What each user has uploaded, against its quota."""
