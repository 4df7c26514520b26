"""What a sync tells of many conversations at once, in a query each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from hubbub.chat import rules, threads
from hubbub.chat.events import Receipt, Receipts
from hubbub.chat.holds import COLUMNS as HOLD
from hubbub.chat.holds import Hold, HoldRow
from hubbub.chat.ledger import Actor, View
from hubbub.chat.messages import not_hidden
from hubbub.chat.model import Message, MyThread, Permission, Rank
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of
from hubbub.chat.signals import receipts_event
from hubbub.storage.tables import conversations, followers, holds, members, messages

_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode


def newest(
    view: View, user: str, ids: Sequence[str], count: int
) -> dict[str, tuple[tuple[Message, ...], bool]]:
    """The newest `count` messages of the main timeline of each of the user's conversations, the oldest first, and
    whether there are older ones."""
    if not ids:
        return {}
    older = messages.alias("older")
    first = (
        sa.select(older.c.seq)
        .where(
            older.c.conversation == members.c.conversation,
            older.c.thread.is_(None),
            older.c.seq > members.c.visible,
            sa.or_(older.c.shadow.is_(None), older.c.sender == user),
        )
        .order_by(older.c.seq.desc())
        .limit(1)
        .offset(count)
        .correlate(members)
        .scalar_subquery()
    )
    query = (
        sa.select(*MESSAGE)
        .select_from(members)
        .join(
            messages,
            sa.and_(
                messages.c.conversation == members.c.conversation,
                messages.c.thread.is_(None),
                # The only bound: with another, SQLite begins at that one.
                messages.c.seq >= sa.func.coalesce(first, members.c.visible + 1),
            ),
        )
        .where(
            members.c.user == user,
            members.c.conversation.in_(ids),
            sa.or_(messages.c.shadow.is_(None), messages.c.sender == user),
        )
        .order_by(messages.c.conversation, messages.c.seq)
    )
    found: dict[str, list[Message]] = {id: [] for id in ids}
    for row in view.execute(query):
        message = message_of(row)
        found[message.conversation].append(message)
    return {id: (tuple(told[-count:] if count else ()), len(told) > count) for id, told in found.items()}


def receipts_of(view: View, rows: Sequence[ConversationRow]) -> list[Receipts]:
    """How far the members of each have got, by name or as counts."""
    limit = view.config.chat.receipts_members
    query = sa.select(members.c.conversation, members.c.user, members.c.read, members.c.delivered).where(
        members.c.conversation.in_([row.id for row in rows if row.members <= limit]),
        members.c.state == "joined",
    )
    named: dict[str, list[Receipt]] = {}
    for conversation, *receipt in view.execute(query.order_by(members.c.conversation, members.c.user)):
        named.setdefault(conversation, []).append(Receipt(*receipt))
    return [
        Receipts(row.id, tuple(named.get(row.id, ())))
        if row.members <= limit
        else receipts_event(view, row.id, (), limit)
        for row in rows
    ]


def changed_threads(view: View, actor: Actor, since: int) -> tuple[MyThread, ...]:
    """Those that the user follows with something unread, and those that it has changed itself; the newest of them.
    None whose root it has deleted for itself, as in `threads.list`."""
    wanted = sa.and_(
        followers.c.following.is_(True),
        messages.c.replies > followers.c.read_number,
        conversations.c.changed >= since,
    )
    if since:
        wanted = sa.or_(wanted, followers.c.changed >= since)
    last = sa.func.coalesce(messages.c.last_reply, messages.c.created)
    query = (
        sa.select(
            conversations.c.kind,
            conversations.c.permissions,
            members.c.role,
            followers.c.following,
            followers.c.read,
            threads.unread,
            *MESSAGE,
        )
        .select_from(followers)
        .join(
            members,
            sa.and_(members.c.conversation == followers.c.conversation, members.c.user == followers.c.user),
        )
        .join(conversations, conversations.c.id == followers.c.conversation)
        .join(
            messages,
            sa.and_(
                messages.c.conversation == followers.c.conversation, messages.c.seq == followers.c.thread
            ),
        )
        .where(
            followers.c.user == actor.user,
            members.c.state == "joined",
            messages.c.seq > members.c.visible,
            not_hidden(actor),
            wanted,
        )
        .order_by(last.desc(), messages.c.conversation, messages.c.seq)
        .limit(view.config.limits.page)
    )
    return tuple(
        MyThread(message_of(root), bool(following), read, unread)
        for kind, permissions, role, following, read, unread, *root in view.execute(query)
        if rules.allowed(kind, "read", role, _permissions(permissions))
    )


def changed_holds(view: View, user: str, since: int) -> tuple[Hold, ...]:
    """The user's messages that wait for a moderator, and those on which somebody has decided since; the newest of
    them."""
    wanted = holds.c.changed >= since if since else holds.c.state == "pending"
    query = sa.select(*HOLD).where(holds.c.sender == user, wanted)
    query = query.order_by(holds.c.created.desc(), holds.c.id.desc()).limit(view.config.limits.page)
    return tuple(HoldRow(*row).public() for row in view.execute(query))
