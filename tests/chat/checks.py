"""What must hold in a database with conversations, at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from tests.chat.checks_content import check_standing
from tests.chat.checks_files import check_files
from tests.chat.checks_pins import check_kept, check_pins

from hubbub.chat.events import MessageAnnotated, MessageUpdated, State, apply, decode_event
from hubbub.chat.ledger import View, channel_of, inbox_of
from hubbub.chat.listing import for_users
from hubbub.chat.model import Annotations, Mentions, Message
from hubbub.chat.rows import CONVERSATION, MEMBER, MESSAGE, ConversationRow, MemberRow, message_of
from hubbub.storage.base import Logged
from hubbub.storage.tables import events, inbox, members, mentions, messages, metadata, users

TABLES = [table for table in metadata.sorted_tables if table.name != "meta"]
_EVERYTHING = " UNION ALL ".join(
    f"SELECT '{table.name}', t::text FROM \"{table.name}\" t" for table in TABLES
)


def everything(view: View) -> dict[str, list[Any]]:
    """All rows of all tables. (On PostgreSQL as texts, by one statement: forty of them take their time.)"""
    if view.dialect == "postgresql":
        found: dict[str, list[Any]] = {table.name: [] for table in TABLES}
        for name, row in view.source.connection.exec_driver_sql(_EVERYTHING):
            found[name].append(row)
        return {name: sorted(rows) for name, rows in found.items()}
    return {
        table.name: sorted((tuple(row) for row in view.execute(sa.select(table))), key=repr)
        for table in TABLES
    }


def state(view: View, conversation: str) -> State:
    """A fresh read."""
    row = view.find(conversation)
    assert row is not None
    query = sa.select(*MEMBER).where(members.c.conversation == conversation)
    found = [MemberRow(*list(each)) for each in view.execute(query)]
    # What is shadowed is its sender's alone; the events do not have it.
    open_to_all = (messages.c.conversation == conversation, messages.c.shadow.is_(None))
    timeline = sa.select(*MESSAGE).where(*open_to_all).order_by(messages.c.seq)
    written = [message_of(each) for each in view.execute(timeline)]
    return State(
        row.public(),
        {member.user: member.public() for member in found},
        {message.seq: message for message in written},
    )


def check(view: View, heard: Mapping[str, Sequence[Logged]]) -> None:
    """Raises AssertionError for what does not hold. `heard` is what was published since there are conversations."""
    for each in view.execute(sa.select(*CONVERSATION)).all():
        row = ConversationRow(*list(each))
        fresh = state(view, row.id)
        _check_log(view, row, fresh, heard.get(channel_of(row.id), ()))
        _check_counts(row, fresh)
        _check_memberships(view, row, fresh)
        check_standing(view, row, fresh)
        check_pins(view, row)
    check_files(view)
    check_kept(view)
    for user in view.execute(sa.select(users.c.id, users.c.head)).all():
        kept = sa.select(inbox.c.seq, inbox.c.type).where(inbox.c.user == user.id).order_by(inbox.c.seq)
        published = heard.get(inbox_of(user.id), ())
        _check_published([tuple(row) for row in view.execute(kept)], published, user.head)


def _check_log(view: View, row: ConversationRow, fresh: State, heard: Sequence[Logged]) -> None:
    query = (
        sa.select(events.c.seq, events.c.type, events.c.data)
        .where(events.c.conversation == row.id)
        .order_by(events.c.seq)
    )
    log = view.execute(query).all()
    applied: State | None = None
    asked_for: set[int] = set()  # messages of which an event withheld what they say
    unseen: set[int] = set()  # ... or their previews
    for logged in log:
        event = decode_event(logged.data)
        assert (event.seq, event.__struct_config__.tag) == (logged.seq, logged.type)
        assert event.conversation == row.id
        applied = apply(applied, event)
        if isinstance(event, MessageUpdated):
            (asked_for.add if event.withheld else asked_for.discard)(event.message.seq)
        if isinstance(event, MessageUpdated | MessageAnnotated):
            seq = event.message if isinstance(event, MessageAnnotated) else event.message.seq
            (unseen.add if event.withheld else unseen.discard)(seq)
    assert applied is not None
    for seq in asked_for:
        now = fresh.messages[seq]
        if now.deleted is None:
            applied.messages[seq] = replace(applied.messages[seq], parts=now.parts, mentions=now.mentions)
    for seq in unseen:
        standing = fresh.messages[seq].annotations or Annotations()
        known_now = replace(applied.messages[seq].annotations or Annotations(), previews=standing.previews)
        given = None if known_now == Annotations() else known_now
        applied.messages[seq] = replace(applied.messages[seq], annotations=given)
    # Cursors move without events; the events' own say how far they had come at least.
    for user, member in fresh.members.items():
        known = applied.members[user]
        assert known.read <= member.read <= row.head, user
        assert known.delivered <= member.delivered <= row.head, user
        assert member.read <= member.delivered, user
        applied.members[user] = replace(known, read=member.read, delivered=member.delivered)
    assert applied.conversation == fresh.conversation
    assert applied.members == fresh.members
    assert applied.messages == fresh.messages
    _check_published([(logged.seq, logged.type) for logged in log], heard, row.head)
    assert len(log) == row.head, "the log has no gaps"


def _check_published(kept: Sequence[Any], heard: Sequence[Logged], head: int) -> None:
    assert [each.offset for each in heard] == list(range(1, head + 1)), "each was published once, in order"
    names = {each.offset: each.event for each in heard}
    assert [(seq, names[seq]) for seq, _ in kept] == list(kept)
    assert not kept or kept[-1][0] == head


def _check_counts(row: ConversationRow, fresh: State) -> None:
    joined = [member for member in fresh.members.values() if member.state == "joined"]
    timeline = [message for message in fresh.messages.values() if message.number is not None]
    assert row.members == len(joined)
    assert [message.number for message in timeline] == list(range(1, row.messages + 1))
    assert row.last_message == (timeline[-1].seq if timeline else None)
    assert row.last_activity == (timeline[-1].created if timeline else row.created)
    for root in fresh.messages.values():
        replies = [each for each in fresh.messages.values() if each.thread == root.seq]
        assert [each.thread_number for each in replies] == list(range(1, root.replies + 1))
        assert root.last_reply == (replies[-1].created if replies else None)


def _check_memberships(view: View, row: ConversationRow, fresh: State) -> None:
    query = sa.select(*MEMBER).where(members.c.conversation == row.id)
    rows = [MemberRow(*each) for each in view.execute(query)]
    joined = for_users(view, row, [member.user for member in rows if member.joined])
    timeline = [message for message in fresh.messages.values() if message.number is not None]
    for member in rows:
        assert member.read_number == _number_at(timeline, member.read), member
        assert member.delivered_number == _number_at(timeline, member.delivered), member
        if not member.joined:
            continue
        mine = joined[member.user]
        unread = [m for m in timeline if m.seq > member.read and m.deleted is None]
        assert mine.membership.unread == len(unread), member
        assert mine.membership.mentions == _mentioned(view, row.id, member, unread), member
        assert mine.membership.read == member.read
        assert mine.conversation == fresh.conversation


def _number_at(timeline: Sequence[Message], seq: int) -> int:
    return max((message.number or 0 for message in timeline if message.seq <= seq), default=0)


def _mentioned(view: View, conversation: str, member: MemberRow, unread: Sequence[Message]) -> int:
    query = sa.select(mentions.c.seq).where(
        mentions.c.conversation == conversation, mentions.c.user.in_((member.user, "*"))
    )
    found = set(view.execute(query).scalars())
    for message in unread:
        said = message.mentions or Mentions()
        if said.everyone != "here" and not said.groups:  # that hangs on who was there
            named = member.user in said.users or said.everyone == "all"
            assert (message.seq in found) is named, message
    return sum(message.seq in found for message in unread)
