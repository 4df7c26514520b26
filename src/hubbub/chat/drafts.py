"""Drafts: what a user has begun to write, on all of its devices. One for each conversation, and one for each thread.

The last writer wins, unless it says what it expects to replace. What a draft said before is nowhere any more, not in
the user's inbox either: of its events only the last one has its words.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from hubbub.chat import keeping, limits, mentions
from hubbub.chat.events import DraftChanged, decode_inbox_event
from hubbub.chat.kinds.base import decoded, foreign
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.messages import find
from hubbub.chat.model import ConversationId, Draft, Mentions, Seq
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.sending import Part
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import drafts, inbox

TICK = 0.001
"""Seconds by which a draft is newer than the one that it replaces, at least."""
MAIN = 0
"""In the column `thread`: the main timeline."""
COLUMNS = ("user", "conversation", "thread", "content", "updated", "removed", "told", "changed")
ROW: tuple[sa.Column[Any], ...] = tuple(drafts.c[name] for name in COLUMNS[1:7])
Expected = Annotated[
    float,
    Meta(
        ge=0, description="Refuse it if the draft was not `updated` then; 0: if there is one.", examples=[0]
    ),
]


class SetDraft(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be sent one day, as far as it is written; `thread` is whose draft it is beside the conversation's."""

    conversation: ConversationId
    parts: Annotated[
        tuple[Part, ...],
        Meta(description="JSON objects with a `type`, as in a message. They need not be complete."),
    ] = ()
    mentions: MentionWhom | None = None
    thread: Seq | None = None
    reply_to: Seq | None = None
    expected: Expected | None = None


class RemoveDraft(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A conversation's draft, or that of a thread."""

    conversation: ConversationId
    thread: Seq | None = None
    expected: Expected | None = None


class ListDrafts(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of one's own, or of those in one `conversation`."""

    conversation: ConversationId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class DraftSaved(Struct, frozen=True):
    """When the draft was updated: what the next one replaces."""

    updated: float


class DraftPage(Struct, frozen=True, omit_defaults=True):
    """Drafts, the newest first. `next` is absent on the last page."""

    drafts: tuple[Draft, ...]
    next: str | None = None


class Content(Struct, frozen=True, omit_defaults=True):
    """The column `content`."""

    parts: tuple[Raw, ...] = ()
    mentions: Mentions | None = None
    reply_to: int | None = None


class _Typed(Struct):
    type: str


EMPTY = Content()
_content = msgspec.json.Decoder(Content).decode
_encode = msgspec.json.Encoder().encode
_typed = msgspec.json.Decoder(_Typed).decode


class _Row(Struct):
    """A row of `drafts`, without its user. `told` is the seq of the inbox event that has its words."""

    conversation: str
    thread: int
    content: str
    updated: float
    removed: bool
    told: int

    def public(self) -> Draft:
        content = EMPTY if self.removed else _content(self.content)
        return Draft(
            self.conversation,
            self.updated,
            content.parts,
            content.mentions,
            self.thread or None,
            content.reply_to,
            bool(self.removed),
        )


# --- operations ---------------------------------------------------------------------------------------------------


@write("drafts.set", "PUT", "/me/drafts/{conversation}")
def put(ledger: Ledger, actor: Actor, params: SetDraft) -> DraftSaved:
    """Keep what one has begun to write, in place of what was kept.

    All of the user's sessions are told (`draft.changed`), and those that were away when they come back; nobody else
    knows of it. Save when the user pauses, and remove the draft when its message is sent. With `expected` nothing is
    lost that was written on another device meanwhile.

    Raises NOT_FOUND, PERMISSION_DENIED for who is no member, CONFLICT for another draft than the expected one,
    VALIDATION_FAILED for nothing to be kept, INVALID_DATA, MESSAGE_TOO_LARGE (`limits.part_bytes`) and LIMIT_EXCEEDED
    (`limits.drafts`, `limits.parts`, `limits.mentions`).
    """
    row, member = keeping.joined(ledger, actor, params.conversation)
    for seq, field in ((params.thread, "thread"), (params.reply_to, "reply_to")):
        if seq is not None:
            find(ledger, actor, row, member, seq, field)
    content = _checked(ledger, params)
    old = _find(ledger, actor.user, row.id, params.thread, params.expected)
    if old is None or old.removed:
        keeping.check_room(ledger, actor.user, drafts, "conversation")
    elif old.content == _encode(content).decode():
        return DraftSaved(old.updated)
    return _keep(ledger, actor.user, old, row.id, params.thread, content)


@write("drafts.remove", "DELETE", "/me/drafts/{conversation}")
def remove(ledger: Ledger, actor: Actor, params: RemoveDraft) -> Nothing:
    """Take a draft away, as when its message was sent. It is no error if there was none.

    Raises NOT_FOUND, PERMISSION_DENIED for who is no member, and CONFLICT for another draft than the expected one.
    """
    row, member = keeping.joined(ledger, actor, params.conversation)
    old = _find(ledger, actor.user, row.id, params.thread, params.expected)
    if old is None and params.thread is not None:
        find(ledger, actor, row, member, params.thread, "thread")
    if old is not None and not old.removed:
        _keep(ledger, actor.user, old, row.id, params.thread, None)
    return Nothing()


@read("drafts.list", "GET", "/me/drafts")
def page(view: View, actor: Actor, params: ListDrafts) -> DraftPage:
    """One's own drafts, the newest first. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`)."""
    user = myself(actor)
    size = page_size(view.config, params.limit)
    place = (drafts.c.updated, drafts.c.conversation, drafts.c.thread)
    query = sa.select(*ROW).where(drafts.c.user == user, drafts.c.removed.is_(False))
    if params.conversation is not None:
        query = query.where(drafts.c.conversation == params.conversation)
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[float, str, int])
        query = query.where(sa.tuple_(*place) < sa.tuple_(*after))
    rows = [
        _Row(*row) for row in view.execute(query.order_by(*(each.desc() for each in place)).limit(size + 1))
    ]
    last = rows[size - 1] if len(rows) > size else None
    return DraftPage(
        tuple(row.public() for row in rows[:size]),
        None if last is None else cursor(last.updated, last.conversation, last.thread),
    )


OPERATIONS = (put, remove, page)


# --- what becomes of them -----------------------------------------------------------------------------------------


def changed(view: View, user: str, since: int) -> tuple[Draft, ...] | None:
    """For a device that was away: see `keeping.changed`."""
    rows = keeping.changed(view, user, sa.select(*ROW), drafts, since)
    return None if rows is None else tuple(_Row(*tuple(row)).public() for row in rows)


def forget(ledger: Ledger, conversation: str, user: str) -> None:
    """The user has left the conversation."""
    mine = (drafts.c.user == user, drafts.c.conversation == conversation, drafts.c.removed.is_(False))
    found = ledger.execute(sa.select(drafts.c.told).where(*mine).with_for_update()).scalars().all()
    for told in found:
        _silence(ledger, user, told)
    if found:
        values = {"content": "", "removed": True, "changed": ledger.tx.stamp}
        ledger.execute(drafts.update().where(*mine).values(values))


def _find(
    ledger: Ledger, user: str, conversation: str, thread: int | None, expected: float | None
) -> _Row | None:
    """What there is, or was. Raises CONFLICT if it is not what is `expected`."""
    values = {"user": user, "conversation": conversation, "thread": thread or MAIN}
    where = [drafts.c[name] == value for name, value in values.items()]
    found = ledger.execute(sa.select(*ROW).where(*where).with_for_update()).first()
    row = None if found is None else _Row(*found)
    there = 0.0 if row is None or row.removed else row.updated
    if expected is not None and expected != there:
        raise HubbubError(ErrorCode.CONFLICT, "the draft is another one by now", field="expected")
    return row


def _keep(
    ledger: Ledger,
    user: str,
    old: _Row | None,
    conversation: str,
    thread: int | None,
    content: Content | None,
) -> DraftSaved:
    """`content` in place of what there is; None removes it."""
    updated = ledger.now if old is None else max(ledger.now, old.updated + TICK)
    if old is not None and not old.removed:
        _silence(ledger, user, old.told)
    json = "" if content is None else _encode(content).decode()
    row = _Row(conversation, thread or MAIN, json, updated, content is None, 0)
    row.told = ledger.tell_now(user, DraftChanged, draft=row.public()).seq
    values = (user, row.conversation, row.thread, json, updated, row.removed, row.told, ledger.tx.stamp)
    bulk.insert(ledger.tx, drafts, COLUMNS, [values], update=COLUMNS[3:])
    return DraftSaved(updated)


def _silence(ledger: Ledger, user: str, told: int) -> None:
    """Take the words out of an event that is not the last one of its draft."""
    which = (inbox.c.user == user, inbox.c.seq == told)
    data = ledger.execute(sa.select(inbox.c.data).where(*which)).scalar()
    if data is None:
        return  # it is kept no more
    event = decode_inbox_event(data)
    assert isinstance(event, DraftChanged)
    bare = replace(event, draft=replace(event.draft, parts=(), mentions=None, reply_to=None))
    ledger.execute(inbox.update().where(*which).values(data=_encode(bare).decode()))


def _checked(ledger: Ledger, params: SetDraft) -> Content:
    allowed = ledger.config.limits
    limits.check(allowed, "parts", len(params.parts), "parts")
    kept = []
    for place, part in enumerate(params.parts):
        raw, field = bytes(part), f"parts[{place}]"
        decoded(_typed, raw, field)
        kept.append(Raw(foreign(raw, field, allowed)))
    content = Content(tuple(kept), mentions.check(params.mentions, allowed), params.reply_to)
    if content == EMPTY:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "parts: there is nothing to be kept", field="parts")
    return content
