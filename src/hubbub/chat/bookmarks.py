"""Bookmarks: messages that a user keeps for itself, each with a note. Nobody else knows of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType

from hubbub.chat import keeping, limits, rules, text
from hubbub.chat.events import BookmarkChanged
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find
from hubbub.chat.model import Bookmark, ConversationId, Message, Permission, Rank, Seq
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import MESSAGE, message_of
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import bookmarks, conversations, hidden, members, messages

COLUMNS = ("user", "conversation", "message", "note", "created", "removed", "changed")
KEY = COLUMNS[:3]
PUBLIC: tuple[sa.Column[Any], ...] = tuple(
    bookmarks.c[name] for name in ("conversation", "message", "created", "note", "removed")
)
"""In the order of `Bookmark`'s fields."""
_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode


class AddBookmark(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message, and what the user notes about it. Without a `note` the one that is there stays."""

    conversation: ConversationId
    message: Seq
    note: (
        Annotated[str, Meta(description="At most `limits.note_length` code points.", examples=["Read again"])]
        | UnsetType
    ) = UNSET


class ByBookmark(Struct, frozen=True, forbid_unknown_fields=True):
    """One bookmark."""

    conversation: ConversationId
    message: Seq


class ListBookmarks(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of one's own, or of those in one `conversation`."""

    conversation: ConversationId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Bookmarked(Struct, frozen=True, omit_defaults=True):
    """A bookmark and the message as it stands now: absent if the user may not see it any more."""

    bookmark: Bookmark
    message: Message | None = None


class BookmarkPage(Struct, frozen=True, omit_defaults=True):
    """Bookmarks, the newest first. `next` is absent on the last page."""

    bookmarks: tuple[Bookmarked, ...]
    next: str | None = None


@write("bookmarks.add", "PUT", "/me/bookmarks/{conversation}/{message}")
def add(ledger: Ledger, actor: Actor, params: AddBookmark) -> Bookmark:
    """Bookmark a message, or change the note of a bookmark.

    Only the user knows of it; its bookmarks in a conversation go when it leaves. Raises NOT_FOUND, PERMISSION_DENIED
    for who is no member, MESSAGE_DELETED, VALIDATION_FAILED, and LIMIT_EXCEEDED (`limits.bookmarks`,
    `limits.note_length`).
    """
    row, member = keeping.joined(ledger, actor, params.conversation)
    _, message = find(ledger, actor, row, member, params.message)
    old = _find(ledger, actor.user, row.id, message.seq)
    note = UNSET if params.note is UNSET else _note(ledger, params.note)
    if old is None or old.removed:
        if message.deleted is not None:
            raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
        keeping.check_room(ledger, actor.user, bookmarks, "message")
        return _keep(ledger, actor.user, Bookmark(row.id, message.seq, ledger.now, note or ""))
    if note is UNSET or note == old.note:
        return old
    return _keep(ledger, actor.user, msgspec.structs.replace(old, note=note))


@write("bookmarks.remove", "DELETE", "/me/bookmarks/{conversation}/{message}")
def remove(ledger: Ledger, actor: Actor, params: ByBookmark) -> Nothing:
    """Take a bookmark away. It is no error if there was none. Raises NOT_FOUND and PERMISSION_DENIED, as
    `bookmarks.add`."""
    row, member = keeping.joined(ledger, actor, params.conversation)
    old = _find(ledger, actor.user, row.id, params.message)
    if old is None:
        find(ledger, actor, row, member, params.message)
    elif not old.removed:
        _keep(ledger, actor.user, msgspec.structs.replace(old, note="", removed=True))
    return Nothing()


@read("bookmarks.list", "GET", "/me/bookmarks")
def page(view: View, actor: Actor, params: ListBookmarks) -> BookmarkPage:
    """One's own bookmarks, the newest first, with their messages.

    Deleted messages are there as tombstones. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    user = myself(actor)
    size = page_size(view.config, params.limit)
    place = (bookmarks.c.created, bookmarks.c.conversation, bookmarks.c.message)
    query = sa.select(*PUBLIC).where(bookmarks.c.user == user, bookmarks.c.removed.is_(False))
    if params.conversation is not None:
        query = query.where(bookmarks.c.conversation == params.conversation)
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[float, str, int])
        query = query.where(sa.tuple_(*place) < sa.tuple_(*after))
    rows = view.execute(query.order_by(*(each.desc() for each in place)).limit(size + 1)).all()
    found = [_bookmark(row) for row in rows[:size]]
    shown = _messages(view, actor, found)
    last = found[-1] if len(rows) > size else None
    return BookmarkPage(
        tuple(Bookmarked(each, shown.get((each.conversation, each.message))) for each in found),
        None if last is None else cursor(last.created, last.conversation, last.message),
    )


def changed(view: View, user: str, since: int) -> tuple[Bookmark, ...] | None:
    """For a device that was away: see `keeping.changed`."""
    rows = keeping.changed(view, user, sa.select(*PUBLIC), bookmarks, since)
    return None if rows is None else tuple(map(_bookmark, rows))


def _messages(view: View, actor: Actor, found: list[Bookmark]) -> dict[tuple[str, int], Message]:
    """Those of the bookmarked messages that the user may see."""
    ids = {each.conversation for each in found}
    query = (
        sa.select(members.c.conversation, members.c.role, members.c.visible)
        .add_columns(conversations.c.kind, conversations.c.permissions)
        .join(conversations, conversations.c.id == members.c.conversation)
        .where(members.c.user == actor.user, members.c.conversation.in_(ids), members.c.state == "joined")
    )
    floors = {
        row.conversation: row.visible
        for row in view.execute(query)
        if rules.allowed(row.kind, "read", row.role, _permissions(row.permissions))
    }
    wanted = [
        (each.conversation, each.message)
        for each in found
        if each.message > floors.get(each.conversation, each.message)
    ]
    columns, named = (*(column.name for column in MESSAGE), "shadow"), ("conversation", "seq")
    gone = [(conversation, actor.user, seq) for conversation, seq in wanted]
    unseen = set(bulk.select(view.source, hidden, named, ("conversation", "user", "seq"), gone))
    shown = {}
    for *row, shadow in bulk.select(view.source, messages, columns, named, wanted):
        message = message_of(row)
        place = (message.conversation, message.seq)
        if place not in unseen and (not shadow or message.sender == actor.user):
            shown[place] = message
    return shown


def _find(ledger: Ledger, user: str, conversation: str, message: int) -> Bookmark | None:
    values = (user, conversation, message)
    where = [bookmarks.c[name] == value for name, value in zip(KEY, values, strict=True)]
    row = ledger.execute(sa.select(*PUBLIC).where(*where).with_for_update()).first()
    return None if row is None else _bookmark(row)


def _keep(ledger: Ledger, user: str, bookmark: Bookmark) -> Bookmark:
    values = (bookmark.note, bookmark.created, bookmark.removed, ledger.tx.stamp)
    row = (user, bookmark.conversation, bookmark.message, *values)
    bulk.insert(ledger.tx, bookmarks, COLUMNS, [row], update=COLUMNS[3:])
    ledger.tell(user, BookmarkChanged, bookmark=bookmark)
    return bookmark


def _bookmark(row: Any) -> Bookmark:
    conversation, message, created, note, removed = row
    return Bookmark(conversation, message, created, note, bool(removed))


def _note(view: View, given: str) -> str:
    if not given.strip():
        return ""
    note = text.text(given, "note")
    limits.check(view.config.limits, "note_length", len(note), "note")
    return note


OPERATIONS = (add, remove, page)
