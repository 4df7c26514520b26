"""Scheduled messages: written now and sent later, with all that is checked of a message at that time.

What could not be sent is kept for its author, with the reason, for 30 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from hubbub.chat import later, sending
from hubbub.chat.agenda import Handler, Item
from hubbub.chat.delivery import Delivery
from hubbub.chat.events import ScheduledChanged, ScheduledFailed
from hubbub.chat.later import At, Id
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.messages import find, writable
from hubbub.chat.model import ConversationId, Failure, Mentions, Permission, Scheduled
from hubbub.chat.operations import Caller, Nothing, read, run, write
from hubbub.chat.outgoing import Outgoing, Sent
from hubbub.chat.paging import After, PageLimit, cursor, page_size
from hubbub.chat.parts import Checked
from hubbub.chat.sending import ExpiresIn, Parts, SendMessage, Silent
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import files

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

WAITING, FAILED = "scheduled", "scheduled.failed"
KINDS = (WAITING, FAILED)
FIELDS = SendMessage.__struct_fields__


class ScheduleMessage(SendMessage, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A message as `messages.send` takes it, and when it is to be sent. `expires_in` counts from then on."""

    at: At


class UpdateScheduled(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is. `at` has one that failed tried again. null takes mentions or the end away."""

    scheduled: Id
    at: At | UnsetType = UNSET
    parts: Parts | UnsetType = UNSET
    mentions: MentionWhom | UnsetType | None = UNSET
    silent: Silent | UnsetType = UNSET
    previews: bool | UnsetType = UNSET
    expires_in: ExpiresIn | UnsetType | None = UNSET


class ByScheduled(Struct, frozen=True, forbid_unknown_fields=True):
    """One scheduled message."""

    scheduled: Id


class ListScheduled(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of one's own, or of those in one `conversation`."""

    conversation: ConversationId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class ScheduledPage(Struct, frozen=True, omit_defaults=True):
    """The next ones to be sent first, and those that failed after all others. `next` is absent on the last page."""

    scheduled: tuple[Scheduled, ...]
    next: str | None = None


class _Kept(Struct, frozen=True, omit_defaults=True):
    """`data` on the agenda."""

    send: SendMessage
    at: float
    failed: Failure | None = None


# --- operations ---------------------------------------------------------------------------------------------------


@write("scheduled.create", "POST", "/conversations/{conversation}/scheduled", status=201)
def create(ledger: Ledger, actor: Actor, params: ScheduleMessage) -> Scheduled:
    """Write a message that is to be sent later.

    Nobody but its author knows of it until then. It is sent as the author, who must be allowed to send it at that time,
    too; if it cannot be sent the author is told (`scheduled.failed`), and it stays on the list. A server that was down
    at the time sends it when it is up again.

    Raises what `messages.send` raises, VALIDATION_FAILED for a time that is past, and LIMIT_EXCEEDED
    (`limits.scheduled`, `limits.schedule_ahead`).
    """
    later.check_at(ledger, params.at)
    send = SendMessage(**{name: getattr(params, name) for name in FIELDS})
    send, checked = _check(ledger, actor, send)
    later.check_room(ledger, actor, "scheduled", *KINDS)
    _keep_files(ledger, actor, checked, params.at)
    id = ledger.schedule(
        WAITING,
        params.at,
        user=actor.user or None,
        conversation=send.conversation,
        data=_Kept(send, params.at),
    )
    return _changed(ledger, later.one(ledger, actor, KINDS, id, "scheduled"))


@write("scheduled.update", "PATCH", "/scheduled/{scheduled}")
def update(ledger: Ledger, actor: Actor, params: UpdateScheduled) -> Scheduled:
    """Change what is to be sent, or when.

    Raises NOT_FOUND, also for what has been sent, and what `scheduled.create` raises.
    """
    item = later.one(ledger, actor, KINDS, params.scheduled, "scheduled", lock=True)
    kept = item.read(_Kept)
    given = {
        name: value
        for name in ("parts", "mentions", "silent", "previews", "expires_in")
        if (value := getattr(params, name)) is not UNSET
    }
    send, checked = _check(ledger, actor, msgspec.structs.replace(kept.send, **given))
    kind, due = item.kind, item.due
    kept = msgspec.structs.replace(kept, send=send)
    if params.at is not UNSET:
        later.check_at(ledger, params.at)
        kind, due, kept = WAITING, params.at, _Kept(send, params.at)
    _keep_files(ledger, actor, checked, due)
    return _changed(ledger, later.move(ledger, item, kind, due, kept))


@write("scheduled.cancel", "DELETE", "/scheduled/{scheduled}")
def remove(ledger: Ledger, actor: Actor, params: ByScheduled) -> Nothing:
    """Do not send it. Raises NOT_FOUND, also for what has been sent."""
    item = later.one(ledger, actor, KINDS, params.scheduled, "scheduled", lock=True)
    later.remove(ledger, item)
    later.tell(ledger, item.user, ScheduledChanged, scheduled=_public(item), state="removed")
    return Nothing()


@run("scheduled.send_now", "POST", "/scheduled/{scheduled}/send")
async def send_now(chat: Chat, caller: Caller, params: ByScheduled) -> Sent:
    """Send it at once.

    If it is refused it stays as it was. Raises NOT_FOUND, CONFLICT if it is changed or sent at this moment, and what
    `messages.send` raises.
    """
    item = await chat.read(lambda view: later.one(view, caller.actor, KINDS, params.scheduled, "scheduled"))
    done = await chat.agenda.do(item, SEND)
    if done is None:
        raise HubbubError(ErrorCode.CONFLICT, "it is changed or sent just now", field="scheduled")
    sent: Sent = done.result
    return sent


@read("scheduled.list", "GET", "/scheduled")
def page(view: View, actor: Actor, params: ListScheduled) -> ScheduledPage:
    """What one has scheduled."""
    size = page_size(view.config, params.limit)
    found = later.some(
        view, actor, KINDS, conversation=params.conversation, after=params.cursor, count=size + 1
    )
    more = len(found) > size
    found = found[:size]
    following = cursor(found[-1].due, found[-1].id) if more else None
    return ScheduledPage(tuple(map(_public, found)), following)


def mine(view: View, user: str) -> tuple[Scheduled, ...]:
    """All of a user, for a device that was away: at most `limits.scheduled`."""
    return tuple(map(_public, later.some(view, Actor(user), KINDS)))


# --- checking -----------------------------------------------------------------------------------------------------


def _check(ledger: Ledger, actor: Actor, send: SendMessage) -> tuple[SendMessage, Checked]:
    """The message as it is kept. What can be known now to be refused later is refused now."""
    checked, _ = sending.check(send, ledger.config.limits)
    permission: Permission = "send" if send.thread is None else "reply"
    row, member = ledger.access(actor, send.conversation, permission)
    writable(ledger, actor, row)
    for seq, field in ((send.thread, "thread"), (send.reply_to, "reply_to")):
        if seq is not None:
            _, target = find(ledger, actor, row, member, seq, field)
            if target.deleted is not None:
                raise HubbubError(ErrorCode.MESSAGE_DELETED, field=field)
    return msgspec.structs.replace(send, parts=checked.parts), checked


def _keep_files(ledger: Ledger, actor: Actor, checked: Checked, at: float) -> None:
    """What was uploaded for a message that is not sent yet is not thrown away until it is."""
    if checked.files:
        mine = (files.c.id.in_(checked.files), files.c.owner == actor.user, files.c.state == "ready")
        until = at + later.KEPT
        soon = sa.and_(files.c.expires.is_not(None), files.c.expires < until)
        ledger.execute(files.update().where(*mine, soon).values(expires=until))


# --- what becomes of it -------------------------------------------------------------------------------------------


async def _prepare(chat: Chat, item: Item) -> Outgoing:
    return await chat.moderation.examine(sending.outgoing_of(chat, item.user or "", item.read(_Kept).send))


def _send(ledger: Ledger, item: Item, outgoing: Outgoing) -> Sent:
    (sent,) = Delivery(ledger.tx, [outgoing]).run()
    if isinstance(sent, HubbubError):
        raise sent
    seq = sent.message.seq or None
    later.tell(ledger, item.user, ScheduledChanged, scheduled=_public(item), state="sent", message=seq)
    return sent


def _refused(ledger: Ledger, item: Item, error: HubbubError) -> None:
    failure = Failure(int(error.code), error.message, ledger.now)
    kept = msgspec.structs.replace(item.read(_Kept), failed=failure)
    failed = later.restore(ledger, item, FAILED, ledger.now + later.KEPT, kept)
    later.tell(ledger, item.user, ScheduledFailed, scheduled=_public(failed))


def _thrown_away(ledger: Ledger, item: Item, prepared: None) -> None:
    later.tell(ledger, item.user, ScheduledChanged, scheduled=_public(item), state="removed")


def _changed(ledger: Ledger, item: Item) -> Scheduled:
    found = _public(item)
    later.tell(ledger, item.user, ScheduledChanged, scheduled=found)
    return found


def _public(item: Item) -> Scheduled:
    kept = item.read(_Kept)
    send = kept.send
    return Scheduled(
        item.id,
        send.conversation,
        kept.at,
        send.parts,
        item.created,
        _mentions(send.mentions),
        send.thread,
        send.reply_to,
        send.silent,
        send.expires_in,
        kept.failed,
        send.previews,
    )


def _mentions(whom: MentionWhom | None) -> Mentions | None:
    if whom is None:
        return None
    given: dict[str, Any] = msgspec.structs.asdict(whom)
    return Mentions(**given)


SEND = Handler(WAITING, _send, _prepare, _refused, patience=3600.0)
HANDLERS = (SEND, Handler(FAILED, _thrown_away))
OPERATIONS = (create, update, remove, send_now, page)
