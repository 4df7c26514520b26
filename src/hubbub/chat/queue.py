"""The queue of a user: messages that have been delivered to none of its devices. Push notifications feed on it."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import UserId
from hubbub.chat.operations import read
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.users import no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import conversations, members, messages


class ReadQueue(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose queue."""

    user: Annotated[UserId, Meta(examples=["bob"])]
    limit: PageLimit | None = None
    cursor: After | None = None


class Queued(Struct, frozen=True):
    """What waits in one conversation: `depth` messages, the oldest of which is `message` (its seq) of `oldest`."""

    conversation: str
    depth: int
    message: int
    oldest: float


class Queue(Struct, frozen=True, omit_defaults=True):
    """What waits for a user: `depth` messages of the main timelines in all, the first of them sent at `oldest` (absent
    if there is none). `conversations` are a page, in the order of their ids."""

    depth: int
    conversations: tuple[Queued, ...]
    oldest: float | None = None
    next: str | None = None


@read("users.queue", "GET", "/users/{user}/queue")
def queue(view: View, actor: Actor, params: ReadQueue) -> Queue:
    """Messages that were delivered to none of a user's devices.

    For the user itself and the server. Raises PERMISSION_DENIED, NOT_FOUND, VALIDATION_FAILED and LIMIT_EXCEEDED
    (`limits.page`).
    """
    if not actor.server and actor.user != params.user:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "a queue is its user's own", field="user")
    if view.missing_users([params.user]):
        raise no_such_user()
    size = page_size(view.config, params.limit)
    waiting = _waiting(params.user)
    totals = sa.select(
        sa.func.coalesce(sa.func.sum(waiting.c.depth), 0), sa.func.min(waiting.c.oldest)
    ).where(waiting.c.depth > 0)
    depth, oldest = tuple(view.execute(totals).one())
    query = sa.select(waiting).where(waiting.c.depth > 0).order_by(waiting.c.conversation)
    if params.cursor is not None:
        query = query.where(waiting.c.conversation > read_cursor(params.cursor, tuple[str])[0])
    found = [Queued(*row) for row in view.execute(query.limit(size + 1))]
    more = len(found) > size
    page = tuple(found[:size])
    return Queue(int(depth), page, oldest, cursor(page[-1].conversation) if more else None)


OPERATIONS = (queue,)


def _waiting(user: str) -> sa.Subquery:
    """Conversation, depth, seq and time of the first message that waits, for those in which something may."""
    after = (
        messages.c.conversation == members.c.conversation,
        messages.c.number > members.c.delivered_number,
        messages.c.number.is_not(None),
    )
    gone = (
        sa.select(sa.func.count())
        .select_from(messages)
        .where(*after, messages.c.deleted.is_not(None))
        .correlate(members)
        .scalar_subquery()
    )
    first = (
        sa.select(messages.c.seq)
        .where(
            messages.c.conversation == members.c.conversation,
            messages.c.seq > members.c.delivered,
            messages.c.number.is_not(None),
            messages.c.deleted.is_(None),
        )
        .order_by(messages.c.seq)
        .limit(1)
        .correlate(members)
        .scalar_subquery()
    )
    counted = (
        sa.select(
            members.c.conversation.label("conversation"),
            (conversations.c.messages - members.c.delivered_number - gone).label("depth"),
            first.label("message"),
        )
        .join(conversations, conversations.c.id == members.c.conversation)
        .where(
            members.c.user == user,
            members.c.state == "joined",
            conversations.c.messages > members.c.delivered_number,
        )
        .subquery()
    )
    return (
        sa.select(
            counted.c.conversation, counted.c.depth, counted.c.message, messages.c.created.label("oldest")
        )
        .join(
            messages,
            sa.and_(messages.c.conversation == counted.c.conversation, messages.c.seq == counted.c.message),
        )
        .subquery()
    )
