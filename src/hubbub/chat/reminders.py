"""Reminders: of a message, a conversation or a note, at some time. Nobody but their user knows of them.

When its time has come a reminder stays on the list, as `reminded`, for 30 days or until it is removed or put off.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType

from hubbub.chat import later, limits, text
from hubbub.chat.agenda import Handler, Item
from hubbub.chat.events import ReminderChanged, ReminderDue
from hubbub.chat.later import At, Id
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find
from hubbub.chat.model import ConversationId, Reminder, Seq
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size
from hubbub.chat.users import known_self, myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import agenda

WAITING, PAST = "reminder", "reminder.past"
KINDS = (WAITING, PAST)
Note = Annotated[str, Meta(description="At most `limits.note_length` code points.", examples=["Call Bob"])]


class CreateReminder(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of what, and when: a `message` of a conversation, a conversation, or only a `note`."""

    at: At
    note: Note = ""
    conversation: ConversationId | None = None
    message: Seq | None = None


class UpdateReminder(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is. A new `at` puts one off that is past."""

    reminder: Id
    at: At | UnsetType = UNSET
    note: Note | UnsetType = UNSET


class ByReminder(Struct, frozen=True, forbid_unknown_fields=True):
    """One reminder."""

    reminder: Id


class ListReminders(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of one's own; `past` ones, or those whose time will come."""

    past: bool = False
    limit: PageLimit | None = None
    cursor: After | None = None


class ReminderPage(Struct, frozen=True, omit_defaults=True):
    """Reminders in the order of their times. `next` is absent on the last page."""

    reminders: tuple[Reminder, ...]
    next: str | None = None


class _Kept(Struct, frozen=True, omit_defaults=True):
    """`data` on the agenda."""

    at: float
    note: str = ""
    reminded: float | None = None


@write("reminders.create", "POST", "/me/reminders", status=201)
def create(ledger: Ledger, actor: Actor, params: CreateReminder) -> Reminder:
    """Have oneself reminded of something.

    All of the user's sessions are told when the time has come (`reminder.due`), and those that were away when they come
    back. Raises NOT_FOUND, PERMISSION_DENIED for who is no member, VALIDATION_FAILED for nothing to be reminded of or a
    time that is past, and LIMIT_EXCEEDED (`limits.reminders`, `limits.schedule_ahead`, `limits.note_length`).
    """
    user = known_self(ledger, actor)
    later.check_at(ledger, params.at)
    note = _note(ledger, params.note)
    if params.conversation is not None:
        row, member = ledger.access(actor, params.conversation)
        if member is None:
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED, "permission denied: join first", field="conversation"
            )
        if params.message is not None:
            find(ledger, actor, row, member, params.message)
    elif params.message is not None:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, "conversation: in which is the message?", field="conversation"
        )
    elif not note:
        raise _nothing()
    later.check_room(ledger, actor, "reminders", WAITING)
    id = ledger.schedule(
        WAITING,
        params.at,
        user=user,
        conversation=params.conversation,
        message=params.message,
        data=_Kept(params.at, note),
    )
    return _changed(ledger, later.one(ledger, actor, KINDS, id, "reminder"))


@write("reminders.update", "PATCH", "/me/reminders/{reminder}")
def update(ledger: Ledger, actor: Actor, params: UpdateReminder) -> Reminder:
    """Put a reminder off, or write another note. Raises NOT_FOUND, and what `reminders.create` raises."""
    myself(actor)
    item = later.one(ledger, actor, KINDS, params.reminder, "reminder", lock=True)
    kind, due, kept = item.kind, item.due, item.read(_Kept)
    if params.note is not UNSET:
        kept = msgspec.structs.replace(kept, note=_note(ledger, params.note))
        if not kept.note and item.conversation is None:
            raise _nothing()
    if params.at is not UNSET:
        later.check_at(ledger, params.at)
        if kind == PAST:
            later.check_room(ledger, actor, "reminders", WAITING)
        kind, due, kept = WAITING, params.at, _Kept(params.at, kept.note)
    return _changed(ledger, later.move(ledger, item, kind, due, kept))


@write("reminders.remove", "DELETE", "/me/reminders/{reminder}")
def remove(ledger: Ledger, actor: Actor, params: ByReminder) -> Nothing:
    """Be reminded no more, or take a past reminder off the list. Raises NOT_FOUND."""
    myself(actor)
    item = later.one(ledger, actor, KINDS, params.reminder, "reminder", lock=True)
    later.remove(ledger, item)
    later.tell(ledger, item.user, ReminderChanged, reminder=_public(item), removed=True)
    return Nothing()


@read("reminders.list", "GET", "/me/reminders")
def page(view: View, actor: Actor, params: ListReminders) -> ReminderPage:
    """One's own reminders."""
    myself(actor)
    size = page_size(view.config, params.limit)
    kinds = (PAST,) if params.past else (WAITING,)
    found = later.some(view, actor, kinds, after=params.cursor, count=size + 1)
    more = len(found) > size
    found = found[:size]
    following = cursor(found[-1].due, found[-1].id) if more else None
    return ReminderPage(tuple(map(_public, found)), following)


def mine(view: View, user: str) -> tuple[Reminder, ...]:
    """All of a user, past ones too, for a device that was away: at most twice `limits.reminders`."""
    return tuple(map(_public, later.some(view, Actor(user), KINDS)))


def _note(view: View, given: str) -> str:
    if not given.strip():
        return ""
    note = text.text(given, "note")
    limits.check(view.config.limits, "note_length", len(note), "note")
    return note


def _nothing() -> HubbubError:
    return HubbubError(ErrorCode.VALIDATION_FAILED, "note: there is nothing to be reminded of", field="note")


def _remind(ledger: Ledger, item: Item, prepared: None) -> None:
    kept = msgspec.structs.replace(item.read(_Kept), reminded=ledger.now)
    past = later.restore(ledger, item, PAST, ledger.now + later.KEPT, kept)
    _make_room(ledger, item.user)
    later.tell(ledger, item.user, ReminderDue, reminder=_public(past))


def _make_room(ledger: Ledger, user: str | None) -> None:
    """There are no more past reminders than there may be others."""
    mine = (agenda.c.user == user, agenda.c.kind == PAST)
    newest = sa.select(agenda.c.id).where(*mine).order_by(agenda.c.due.desc(), agenda.c.id.desc())
    old = ledger.execute(newest.offset(ledger.config.limits.reminders)).scalars().all()
    if old:
        ledger.execute(agenda.delete().where(agenda.c.id.in_(old)))


def _forgotten(ledger: Ledger, item: Item, prepared: None) -> None:
    later.tell(ledger, item.user, ReminderChanged, reminder=_public(item), removed=True)


def _changed(ledger: Ledger, item: Item) -> Reminder:
    found = _public(item)
    later.tell(ledger, item.user, ReminderChanged, reminder=found)
    return found


def _public(item: Item) -> Reminder:
    kept = item.read(_Kept)
    return Reminder(item.id, kept.at, item.created, kept.note, item.conversation, item.message, kept.reminded)


HANDLERS = (Handler(WAITING, _remind), Handler(PAST, _forgotten))
OPERATIONS = (create, update, remove, page)
