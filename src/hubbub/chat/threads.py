"""Threads: who follows which, and how far each has read there. Replies are written by `messages.send`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import rules
from hubbub.chat.events import ThreadUpdated
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find, not_hidden
from hubbub.chat.model import ConversationId, Message, MyThread, Permission, Rank, Seq
from hubbub.chat.operations import read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import conversations, followers, members, messages

_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode
replies = messages.alias("replies")

unread = (
    messages.c.replies
    - followers.c.read_number
    - (
        sa.select(sa.func.count())
        .select_from(replies)
        .where(
            replies.c.conversation == followers.c.conversation,
            replies.c.thread == followers.c.thread,
            replies.c.thread.is_not(None),
            replies.c.seq > followers.c.read,
            replies.c.deleted.is_not(None),
        )
        .correlate(followers)
        .scalar_subquery()
    )
)
"""Replies after a follower's cursor that can still be read."""


class ByThread(Struct, frozen=True, forbid_unknown_fields=True):
    """One thread, by the seq of its root."""

    conversation: ConversationId
    thread: Seq


class ListThreads(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of the threads that one follows."""

    unread: Annotated[bool, Meta(description="Only those in which there is something unread.")] = False
    limit: PageLimit | None = None
    cursor: After | None = None


class ReadThread(Struct, frozen=True, forbid_unknown_fields=True):
    """How far one has read in a thread: up to the reply `seq`."""

    conversation: ConversationId
    thread: Seq
    seq: Seq


class ThreadState(Struct, frozen=True):
    """What a thread is to one now."""

    conversation: str
    thread: int
    following: bool = False
    read: int = 0
    unread: int = 0


class ThreadPage(Struct, frozen=True, omit_defaults=True):
    """Threads: those with something unread first, then by the last reply. `next` is absent on the last page."""

    threads: tuple[MyThread, ...]
    next: str | None = None


@read("threads.list", "GET", "/threads")
def page(view: View, actor: Actor, params: ListThreads) -> ThreadPage:
    """The threads that one follows, in conversations that one is a member of.

    One follows what one began or replied in, where one was mentioned, and what one chose to. Those with something
    unread come first, then those with the newest reply.
    """
    user = myself(actor)
    size = page_size(view.config, params.limit)
    last = sa.func.coalesce(messages.c.last_reply, messages.c.created)
    fresh = sa.case((messages.c.replies > followers.c.read_number, 1), else_=0)
    order = (fresh, last, messages.c.conversation, messages.c.seq)
    query = (
        sa.select(fresh, last, followers.c.read, unread, *MESSAGE)
        .select_from(followers)
        .join(
            members,
            sa.and_(members.c.conversation == followers.c.conversation, members.c.user == followers.c.user),
        )
        .join(
            messages,
            sa.and_(
                messages.c.conversation == followers.c.conversation, messages.c.seq == followers.c.thread
            ),
        )
        .where(
            followers.c.user == user,
            followers.c.following.is_(True),
            members.c.state == "joined",
            messages.c.seq > members.c.visible,
            followers.c.conversation.not_in(_unreadable(view, user)),
            not_hidden(actor),
        )
    )
    if params.unread:
        query = query.where(fresh == 1)
    if params.cursor is not None:
        place = read_cursor(params.cursor, tuple[Seq, float, ConversationId, Seq])
        query = query.where(sa.tuple_(*order) < sa.tuple_(*place))
    query = query.order_by(*(each.desc() for each in order)).limit(size + 1)
    found = view.execute(query).all()
    more = len(found) > size
    found = found[:size]
    threads = tuple(MyThread(message_of(columns), True, seen, left) for _, _, seen, left, *columns in found)
    if not more:
        return ThreadPage(threads)
    flag, time = found[-1][:2]
    root = threads[-1].root
    return ThreadPage(threads, cursor(flag, time, root.conversation, root.seq))


def _unreadable(view: View, user: str) -> list[str]:
    """The user's conversations in which it may not read: few, for only a conversation's own permissions say so."""
    query = (
        sa.select(conversations.c.id, conversations.c.kind, conversations.c.permissions, members.c.role)
        .join(members, members.c.conversation == conversations.c.id)
        .where(
            members.c.user == user,
            members.c.state == "joined",
            conversations.c.permissions.like('%"read":%'),
        )
    )
    return [
        id
        for id, kind, permissions, role in view.execute(query)
        if not rules.allowed(kind, "read", role, _permissions(permissions))
    ]


@write("threads.follow", "PUT", "/conversations/{conversation}/threads/{thread}/me")
def follow(ledger: Ledger, actor: Actor, params: ByThread) -> ThreadState:
    """Follow a thread, from now on.

    Raises NOT_FOUND, PERMISSION_DENIED for who is no member, and VALIDATION_FAILED where no thread can begin.
    """
    return _set(ledger, actor, params, True)


@write("threads.unfollow", "DELETE", "/conversations/{conversation}/threads/{thread}/me")
def unfollow(ledger: Ledger, actor: Actor, params: ByThread) -> ThreadState:
    """Follow a thread no more, whoever replies or mentions one there. Raises what `threads.follow` does."""
    return _set(ledger, actor, params, False)


@write("threads.read", "POST", "/conversations/{conversation}/threads/{thread}/read")
def mark(ledger: Ledger, actor: Actor, params: ReadThread) -> ThreadState:
    """Say how far one has read in a thread that one follows.

    The cursor never goes back, nor beyond the last reply. It is kept for those who follow the thread or did. Raises
    what `threads.follow` does.
    """
    row, root = _root(ledger, actor, params.conversation, params.thread, lock=False)
    query = sa.select(messages.c.seq, messages.c.thread_number).where(
        messages.c.conversation == row.id,
        messages.c.thread == root.seq,
        messages.c.seq <= params.seq,
    )
    reply = ledger.execute(query.order_by(messages.c.seq.desc()).limit(1)).first()
    if reply is not None:
        moved = ledger.execute(
            followers.update()
            .where(*_mine(actor, row, root), followers.c.read_number < reply.thread_number)
            .values(read=reply.seq, read_number=reply.thread_number, changed=ledger.tx.stamp)
        )
        if moved.rowcount:
            mine = _look(ledger, actor, row, root)
            _tell(ledger, actor, mine)
            return mine
    return _look(ledger, actor, row, root)


def _set(ledger: Ledger, actor: Actor, params: ByThread, following: bool) -> ThreadState:
    # A reply makes followers, too.
    row, root = _root(ledger, actor, params.conversation, params.thread, lock=True)
    query = sa.select(followers.c.following).where(*_mine(actor, row, root))
    before = ledger.execute(query).scalar()
    if before is not None and bool(before) is following:
        return _look(ledger, actor, row, root)
    if before is None:
        last = sa.select(sa.func.max(messages.c.seq)).where(
            messages.c.conversation == row.id, messages.c.thread == root.seq
        )
        values: dict[str, Any] = {
            "conversation": row.id,
            "thread": root.seq,
            "user": actor.user,
            "following": following,
            "read": ledger.execute(last).scalar() or root.seq,
            "read_number": root.replies,
            "changed": ledger.tx.stamp,
        }
        ledger.execute(followers.insert(), values)
    else:
        ledger.execute(
            followers.update()
            .where(*_mine(actor, row, root))
            .values(following=following, changed=ledger.tx.stamp)
        )
    mine = _look(ledger, actor, row, root)
    _tell(ledger, actor, mine)
    return mine


def _root(
    ledger: Ledger, actor: Actor, conversation: str, thread: int, *, lock: bool
) -> tuple[ConversationRow, Message]:
    """A message in whose thread the actor may read, and its conversation."""
    myself(actor)
    row, member = ledger.access(actor, conversation, "read", lock=lock)
    if member is None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: join first", field="conversation")
    _, root = find(ledger, actor, row, member, thread, "thread")
    if root.kind != "user" or root.thread is not None:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            "thread: a thread begins at a message of the main timeline",
            field="thread",
        )
    return row, root


def _mine(actor: Actor, row: ConversationRow, root: Message) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        followers.c.conversation == row.id,
        followers.c.thread == root.seq,
        followers.c.user == actor.user,
    )


def _look(view: View, actor: Actor, row: ConversationRow, root: Message) -> ThreadState:
    query = (
        sa.select(followers.c.following, followers.c.read, unread)
        .select_from(followers)
        .join(
            messages,
            sa.and_(
                messages.c.conversation == followers.c.conversation, messages.c.seq == followers.c.thread
            ),
        )
        .where(*_mine(actor, row, root))
    )
    found = view.execute(query).first()
    if found is None:
        return ThreadState(row.id, root.seq)
    following, seen, left = found
    return ThreadState(row.id, root.seq, bool(following), seen, left)


def _tell(ledger: Ledger, actor: Actor, mine: ThreadState) -> None:
    ledger.tell(
        actor.user,
        ThreadUpdated,
        conversation=mine.conversation,
        thread=mine.thread,
        following=mine.following,
        read=mine.read,
    )


OPERATIONS = (page, follow, unfollow, mark)
