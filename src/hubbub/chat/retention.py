"""Retention: for how long messages are kept, in a conversation or everywhere, and the sweep that deletes older ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.agenda import Handler, Item
from hubbub.chat.events import ConversationUpdated
from hubbub.chat.expunging import expunge
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.model import Conversation, ConversationId
from hubbub.chat.operations import write
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Transaction, each
from hubbub.storage.tables import agenda, conversations, messages

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat
    from hubbub.config import Config

SWEEP = "retention.sweep"
"""There is one such item on the agenda, as long as messages are kept for a time only anywhere."""


class SetRetention(Struct, frozen=True, forbid_unknown_fields=True):
    """`retention` is in seconds; 0 keeps messages for ever, null for as long as `retention.messages` says."""

    conversation: ConversationId
    retention: Annotated[float, Meta(ge=0, le=1e10, examples=[7776000.0])] | None


@write("retention.update", "PUT", "/conversations/{conversation}/retention")
def update(ledger: Ledger, actor: Actor, params: SetRetention) -> Conversation:
    """Say for how long messages of a conversation are kept.

    For the server API and admins. What is older is deleted within `retention.sweep_interval` seconds, for everybody and
    for good, but for what a legal hold keeps. Raises PERMISSION_DENIED and NOT_FOUND.
    """
    if not actor.server and ledger.office(actor.user) != "admin":
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "for the server API and admins")
    row = ledger.find(params.conversation, lock=True)
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such conversation", field="conversation")
    if row.retention != params.retention:
        before, row.retention = row.retention, params.retention
        where = conversations.c.id == row.id
        ledger.execute(conversations.update().where(where).values(retention=params.retention))
        ledger.append(row, ConversationUpdated, actor, updated=lambda seq: row.public())
        ledger.audit(actor, "retention.update", conversation=row.id, before=before, now=params.retention)
        if params.retention:
            _plan(ledger, ledger.now)
    return row.public()


def _plan(ledger: Ledger, due: float) -> None:
    """There is one sweep on the agenda, then or earlier."""
    planned = sa.select(agenda.c.id).where(agenda.c.kind == SWEEP, agenda.c.due <= due).limit(1)
    if ledger.execute(planned).first() is None:
        ledger.execute(agenda.delete().where(agenda.c.kind == SWEEP))
        ledger.schedule(SWEEP, due)


def _sweep(ledger: Ledger, item: Item, prepared: None) -> None:
    """One batch, and the next look: at once if there is more."""
    settings = ledger.config.retention
    found = _next(ledger)
    if found is not None and (row := ledger.find(found, lock=True)) is not None:
        keep = settings.messages if row.retention is None else row.retention
        if keep:
            expunge(ledger, row, ledger.now - keep, settings.sweep_batch)
        _plan(ledger, ledger.now)
    elif settings.messages or _anywhere(ledger):
        _plan(ledger, ledger.now + settings.sweep_interval)


def _next(view: View) -> str | None:
    """A conversation in which there is a message whose time is over. It takes one look into each that keeps its
    messages for a time."""
    keep = sa.func.coalesce(conversations.c.retention, view.config.retention.messages)
    first = (
        sa.select(messages.c.created)
        .where(messages.c.conversation == conversations.c.id, messages.c.seq > conversations.c.expunged)
        .order_by(messages.c.seq)
        .limit(1)
        .correlate(conversations)
        .scalar_subquery()
    )
    query = sa.select(conversations.c.id).where(keep > 0, first < view.now - keep).limit(1)
    found: str | None = view.execute(query).scalar()
    return found


def _anywhere(view: View) -> bool:
    return (
        view.execute(sa.select(conversations.c.id).where(conversations.c.retention > 0).limit(1)).first()
        is not None
    )


def _begin(tx: Transaction, config: Config) -> None:
    _plan(Ledger(tx, config), tx.now)


BEGIN: Action[Config, None] = each("retention.begin", _begin)


async def begin(chat: Chat) -> None:
    """Have what is too old looked for, if the settings keep messages for a time only."""
    if chat.config.retention.messages:
        await chat.store.write(BEGIN, chat.config)


OPERATIONS = (update,)
HANDLERS = (Handler(SWEEP, _sweep),)
