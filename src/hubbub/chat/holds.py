"""Held messages: those that wait for a moderator. Their authors see them as pending, and may take them back.

`chat/verdicts.py` holds them; a decision on their case (`chat/deciding.py`) or the time that passes ends that.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import cases, parts
from hubbub.chat.agenda import Handler, Item
from hubbub.chat.delivery import Delivery
from hubbub.chat.events import HoldChanged
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.model import HoldState, Message, UserId
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.outgoing import Held, Outgoing, read_held
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.standing import require_office
from hubbub.chat.users import myself
from hubbub.chat.verdicts import EXPIRE
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import holds

HoldId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class ByHold(Struct, frozen=True, forbid_unknown_fields=True):
    """One held message."""

    hold: HoldId


class ListHolds(Struct, frozen=True, forbid_unknown_fields=True):
    """Which holds: one's own, or for who has an office those of a `sender`; without a `state` all."""

    sender: UserId | None = None
    state: HoldState | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Hold(Struct, frozen=True, omit_defaults=True):
    """A message that waits, or has waited, as its author sees it: the `message` has no place in its conversation, and a
    `seq` of 0. `reason` is what the author may know. An approved one is in the conversation as `sent`."""

    id: str
    state: HoldState
    message: Message
    created: float
    reason: str = ""
    decided: float | None = None
    sent: int | None = None


class HoldPage(Struct, frozen=True, omit_defaults=True):
    """Holds, the newest first. `next` is absent on the last page."""

    holds: tuple[Hold, ...]
    next: str | None = None


class HoldRow(Struct):
    """A row of `holds`."""

    id: str
    conversation: str
    sender: str
    key: str | None
    digest: str | None
    content: str
    verdict: str
    state: HoldState
    created: float
    decided: float | None
    message: int | None

    @property
    def held(self) -> Held:
        found: Held = read_held(self.content)
        return found

    def public(self) -> Hold:
        message = self.held.message(self.conversation, self.sender, self.created)
        reason = _verdict(self.verdict).reason
        return Hold(self.id, self.state, message, self.created, reason, self.decided, self.message)


class _Verdict(Struct):
    """What of a verdict its author may know."""

    reason: str = ""


_verdict = msgspec.json.Decoder(_Verdict).decode
COLUMNS: tuple[sa.Column[Any], ...] = tuple(holds.c[name] for name in HoldRow.__struct_fields__)


@read("holds.list", "GET", "/holds")
def page(view: View, actor: Actor, params: ListHolds) -> HoldPage:
    """One's own messages that wait for a moderator, or have waited.

    Those of another `sender` are for who has an office, and for the server, which must name one. Raises BAD_REQUEST,
    PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    size = page_size(view.config, params.limit)
    sender = params.sender or myself(actor)
    if sender != actor.user:
        require_office(view, actor, field="sender")
    query = sa.select(*COLUMNS).where(holds.c.sender == sender)
    if params.state is not None:
        query = query.where(holds.c.state == params.state)
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[float, str])
        query = query.where(sa.tuple_(holds.c.created, holds.c.id) < sa.tuple_(*after))
    query = query.order_by(holds.c.created.desc(), holds.c.id.desc()).limit(size + 1)
    rows = [HoldRow(*row) for row in view.execute(query)]
    more = len(rows) > size
    rows = rows[:size]
    return HoldPage(
        tuple(row.public() for row in rows), cursor(rows[-1].created, rows[-1].id) if more else None
    )


@write("holds.withdraw", "DELETE", "/holds/{hold}")
def withdraw(ledger: Ledger, actor: Actor, params: ByHold) -> Nothing:
    """Take one's own message back that waits for a moderator.

    To withdraw twice is to withdraw once. Raises NOT_FOUND, and CONFLICT for what was decided.
    """
    row = find_hold(ledger, params.hold)
    if row is None or row.sender != myself(actor):
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such hold", field="hold")
    if row.state == "withdrawn":
        return Nothing()
    if row.state != "pending":
        raise HubbubError(ErrorCode.CONFLICT, f"it is {row.state}", field="hold")
    settle(ledger, row, "withdrawn")
    cases.close(ledger, hold=row.id)
    return Nothing()


OPERATIONS = (page, withdraw)


# --- what becomes of them -----------------------------------------------------------------------------------------


def find_hold(ledger: Ledger, id: str) -> HoldRow | None:
    """The hold, whose conversation is locked then, and with it the hold."""
    query = sa.select(*COLUMNS).where(holds.c.id == id)
    found = ledger.execute(query).first()
    if found is None:
        return None
    ledger.find(found.conversation, lock=True)
    return HoldRow(*ledger.execute(query).one())


def settle(ledger: Ledger, row: HoldRow, state: HoldState, reason: str = "") -> HoldRow:
    """Have a hold wait no more: an approved message is sent now, in the name of its author. Raises what keeps it from
    being sent, as that its author has left the conversation; mutes and slow mode do not, for it is older."""
    if state == "approved":
        row.message = _release(ledger, row)
    row.state, row.decided = state, ledger.now
    values = {"state": state, "decided": ledger.now, "message": row.message, "changed": ledger.tx.stamp}
    ledger.execute(holds.update().where(holds.c.id == row.id).values(values))
    fields = {
        "hold": row.id,
        "state": state,
        "conversation": row.conversation,
        "message": row.message,
        "reason": reason,
    }
    tell_all(ledger, [(row.sender, HoldChanged, fields)])
    return row


def _release(ledger: Ledger, row: HoldRow) -> int:
    assert ledger.chat is not None
    held = row.held
    outgoing = Outgoing(
        ledger.chat,
        row.sender,
        row.conversation,
        parts.check(held.parts, ledger.config.limits),
        held.mentions,
        held.thread,
        held.reply_to,
        row.key,
        row.digest,
        held.options,
        held.expires_in,
        released=row.id,
    )
    (outcome,) = Delivery(ledger.tx, [outgoing]).run()
    if isinstance(outcome, HubbubError):
        raise outcome
    return outcome.message.seq


def _expire(ledger: Ledger, item: Item, prepared: None) -> None:
    row = find_hold(ledger, item.read(str))
    if row is not None and row.state == "pending":
        settle(ledger, row, "rejected", "nobody has decided in time")
        cases.close(ledger, hold=row.id)
        ledger.audit(SERVER, "holds.expire", conversation=row.conversation, user=row.sender, hold=row.id)


HANDLERS = (Handler(EXPIRE, _expire),)
