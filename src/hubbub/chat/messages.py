"""Reading messages: one, or a page of the main timeline or of a thread, as far as the reader may see them."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import rules
from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import ConversationId, Message, Permission, Seq
from hubbub.chat.operations import read
from hubbub.chat.paging import PageLimit, page_size
from hubbub.chat.rows import MESSAGE, ConversationRow, MemberRow, message_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import hidden, messages

Condition = sa.ColumnElement[bool]


class ByMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """One message."""

    conversation: ConversationId
    message: Seq


class ListMessages(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of the main timeline, or of the replies in a `thread`. Of `before`, `after`, `around` and `at` one may be
    given; without any it is the newest page."""

    conversation: ConversationId
    thread: Seq | None = None
    before: Annotated[Seq | None, Meta(description="Messages with a smaller seq.")] = None
    after: Annotated[Seq | None, Meta(description="Messages with a greater seq.")] = None
    around: Annotated[Seq | None, Meta(description="Half of a page before this seq, half from it on.")] = None
    at: Annotated[float | None, Meta(description="As `around` the first message from this time on.")] = None
    limit: PageLimit | None = None


class MessagePage(Struct, frozen=True, omit_defaults=True):
    """Messages, the oldest first, and whether there are more before and after them."""

    messages: tuple[Message, ...]
    more_before: bool = False
    more_after: bool = False


def floor_of(actor: Actor, row: ConversationRow, member: MemberRow | None) -> int:
    """The seq after which the actor may read. Guests of a conversation whose members read from their joining on have
    not joined yet."""
    if member is not None:
        return member.visible
    return 0 if actor.server or row.history == "all" else row.head


def not_hidden(actor: Actor) -> Condition:
    """Whether a message is none that the actor has deleted for itself, nor one that only its sender is to see."""
    if actor.server:
        return sa.true()
    return sa.or_(messages.c.shadow.is_(None), messages.c.sender == actor.user) & ~sa.exists().where(
        hidden.c.conversation == messages.c.conversation,
        hidden.c.user == actor.user,
        hidden.c.seq == messages.c.seq,
    )


def in_shadow(message: Message) -> bool:
    """Whether it is one that only its sender is to see: those are in no count."""
    return message.kind == "user" and message.number is None and message.thread_number is None


def find(
    view: View,
    actor: Actor,
    row: ConversationRow,
    member: MemberRow | None,
    seq: int,
    field: str = "message",
) -> tuple[int, Message]:
    """A message's id in the search index, and the message. Raises NOT_FOUND, in the same words for what is not there
    and what the actor may not see."""
    query = sa.select(messages.c.id, *MESSAGE).where(
        messages.c.conversation == row.id, messages.c.seq == seq, not_hidden(actor)
    )
    found = view.execute(query).first() if seq > floor_of(actor, row, member) else None
    if found is None:
        raise HubbubError(ErrorCode.NOT_FOUND, f"{field}: there is no such message", field=field)
    id, *columns = found
    return id, message_of(columns)


def permit(
    actor: Actor, row: ConversationRow, member: MemberRow | None, permission: Permission, field: str
) -> None:
    """Raises PERMISSION_DENIED, for an actor who may read the conversation."""
    if not actor.server and not rules.allowed(
        row.kind, permission, member.role if member is not None else None, row.overrides
    ):
        needed = rules.needed(row.kind, permission, row.overrides)
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, f"permission denied: {permission} asks for {needed}", field=field
        )


def writable(view: View, actor: Actor, row: ConversationRow) -> None:
    """Raises CONVERSATION_CLOSED, RESTRICTED for who is muted or banned, and PERMISSION_DENIED in a direct conversation
    of two of whom one has blocked the other."""
    if row.closed:
        raise HubbubError(ErrorCode.CONVERSATION_CLOSED, field="conversation")
    view.refuse_restricted(actor, row.id)
    peer = row.peer_of(actor.user) if actor.user else None
    if peer is not None and view.blocked(actor.user, peer):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED,
            "permission denied: you cannot write to this user",
            field="conversation",
        )


@read("messages.get", "GET", "/conversations/{conversation}/messages/{message}")
def get(view: View, actor: Actor, params: ByMessage) -> Message:
    """A message as it stands now.

    Raises NOT_FOUND, also for what the reader has deleted for itself or may not see.
    """
    row, member = view.access(actor, params.conversation, "read")
    return find(view, actor, row, member, params.message)[1]


@read("messages.list", "GET", "/conversations/{conversation}/messages")
def page(view: View, actor: Actor, params: ListMessages) -> MessagePage:
    """A page of messages, the oldest first.

    Deleted messages are there as tombstones; what the reader has deleted for itself is left out, and so is what was
    said before it joined, where the conversation's `history` says so. Raises NOT_FOUND, VALIDATION_FAILED for two
    places at once, and LIMIT_EXCEEDED above `limits.page`.
    """
    size = page_size(view.config, params.limit)
    if sum(given is not None for given in (params.before, params.after, params.around, params.at)) > 1:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, "give one of before, after, around and at", field="before"
        )
    row, member = view.access(actor, params.conversation, "read")
    if params.thread is not None:
        find(view, actor, row, member, params.thread, "thread")
    timeline = Timeline(view, actor, row, member, params.thread)
    if params.before is not None:
        found = timeline.before(params.before, size + 1)
        return _page(found[-size:], len(found) > size, bool(timeline.after(params.before - 1, 1)))
    if params.after is not None:
        found = timeline.after(params.after, size + 1)
        return _page(found[:size], bool(timeline.before(params.after + 1, 1)), len(found) > size)
    place = params.around
    if params.at is not None:
        place = _first_at(view, row.id, params.at)
    if place is None:
        found = timeline.before(None, size + 1)
        return _page(found[-size:], len(found) > size, False)
    older = timeline.before(place, size + 1)
    newer = timeline.after(place - 1, size + 1)
    # Half of each, and more of one where there is less of the other.
    take = min(len(older), max(size // 2, size - len(newer)))
    left = size - take
    return _page(older[len(older) - take :] + newer[:left], len(older) > take, len(newer) > left)


def _page(found: list[Message], more_before: bool, more_after: bool) -> MessagePage:
    return MessagePage(tuple(found), more_before, more_after)


def _first_at(view: View, conversation: str, time: float) -> int | None:
    query = (
        sa.select(messages.c.seq)
        .where(messages.c.conversation == conversation, messages.c.created >= time)
        .order_by(messages.c.created, messages.c.seq)
        .limit(1)
    )
    found: int | None = view.execute(query).scalar()
    return found


class Timeline:
    """The messages of the main timeline or of a thread that somebody may see."""

    def __init__(
        self, view: View, actor: Actor, row: ConversationRow, member: MemberRow | None, thread: int | None
    ) -> None:
        self._view = view
        self._where: tuple[Condition, ...] = (
            messages.c.conversation == row.id,
            messages.c.thread.is_(None) if thread is None else messages.c.thread == thread,
            not_hidden(actor),
        )
        floor = floor_of(actor, row, member)
        if thread is None:
            floor = max(floor, row.expunged)  # nothing but tombstones, perhaps a million
        if floor:
            self._where += (messages.c.seq > floor,)

    def before(self, seq: int | None, count: int) -> list[Message]:
        """The newest `count` before `seq` (or at all), the oldest first."""
        where = () if seq is None else (messages.c.seq < seq,)
        return self._read(where, messages.c.seq.desc(), count)[::-1]

    def after(self, seq: int, count: int) -> list[Message]:
        """The oldest `count` after `seq`."""
        return self._read((messages.c.seq > seq,), messages.c.seq, count)

    def _read(self, where: tuple[Condition, ...], order: Any, count: int) -> list[Message]:
        query = sa.select(*MESSAGE).where(*self._where, *where).order_by(order).limit(count)
        return [message_of(found) for found in self._view.execute(query)]


OPERATIONS = (get, page)
