"""Reactions: who has reacted to a message with what. A message carries their counts and the first users of each."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits, text
from hubbub.chat.events import ReactionsChanged
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find, writable
from hubbub.chat.model import ConversationId, Message, ReactionCount, Seq, UserId
from hubbub.chat.operations import read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import ConversationRow
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import messages, reactions

NAMED = 10
"""Users whom a message names for each reaction."""

ReactionName = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="An emoji or a short name; at most `limits.reaction_length` code points in NFC.",
        examples=["👍"],
    ),
]


class React(Struct, frozen=True, forbid_unknown_fields=True):
    """One's own reaction to a message."""

    conversation: ConversationId
    message: Seq
    name: ReactionName


class ListReactions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of all reactions to a message, or of those with one `name`."""

    conversation: ConversationId
    message: Seq
    name: ReactionName | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Reaction(Struct, frozen=True):
    """One user's reaction."""

    name: str
    user: str
    time: float


class ReactionPage(Struct, frozen=True, omit_defaults=True):
    """Reactions by name and user. `next` is absent on the last page."""

    reactions: tuple[Reaction, ...]
    next: str | None = None


class Reactions(Struct, frozen=True):
    """All that a message has now."""

    reactions: tuple[ReactionCount, ...]


@write("reactions.add", "PUT", "/conversations/{conversation}/messages/{message}/reactions/{name}")
def add(ledger: Ledger, actor: Actor, params: React) -> Reactions:
    """React to a message.

    To react twice with the same is to react once. Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED,
    MESSAGE_DELETED, VALIDATION_FAILED, and LIMIT_EXCEEDED for a name that is too long or one kind of reaction too many.
    """
    user = myself(actor)
    name = _name(ledger, params.name)
    row, message = _message(ledger, actor, params)
    where = _which(row, message, name, user)
    if ledger.execute(sa.select(reactions.c.time).where(*where)).first() is not None:
        return Reactions(message.reactions)
    found = {each.name: each for each in message.reactions}
    old = found.get(name, ReactionCount(name, 0, ()))
    if not old.count:
        limits.check(ledger.config.limits, "reactions", len(found) + 1, "name")
    users = old.users if len(old.users) == NAMED else (*old.users, user)
    found[name] = ReactionCount(name, old.count + 1, users)
    if shadowed(ledger.restraints(user), row.id):
        return Reactions(tuple(found.values()))  # as if it were
    ledger.execute(
        reactions.insert(),
        {
            "conversation": row.id,
            "message": message.seq,
            "name": name,
            "user": user,
            "time": ledger.now,
        },
    )
    return _changed(ledger, actor, row, message, name, True, tuple(found.values()))


@write("reactions.remove", "DELETE", "/conversations/{conversation}/messages/{message}/reactions/{name}")
def remove(ledger: Ledger, actor: Actor, params: React) -> Reactions:
    """Take a reaction back. It is no error if there was none.

    Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED and MESSAGE_DELETED.
    """
    user = myself(actor)
    name = _name(ledger, params.name)
    row, message = _message(ledger, actor, params)
    where = _which(row, message, name, user)
    if not ledger.execute(reactions.delete().where(*where)).rowcount:
        return Reactions(message.reactions)
    found = {each.name: each for each in message.reactions}
    old = found[name]
    users = tuple(each for each in old.users if each != user)
    if len(users) < min(NAMED, old.count - 1):
        query = sa.select(reactions.c.user).where(*where[:3]).order_by(reactions.c.time, reactions.c.user)
        others = ledger.execute(query.where(reactions.c.user.not_in(users)).limit(NAMED - len(users)))
        users = (*users, *others.scalars())
    if old.count > 1:
        found[name] = ReactionCount(name, old.count - 1, users)
    else:
        del found[name]
    return _changed(ledger, actor, row, message, name, False, tuple(found.values()))


@read("reactions.list", "GET", "/conversations/{conversation}/messages/{message}/reactions")
def page(view: View, actor: Actor, params: ListReactions) -> ReactionPage:
    """Who has reacted to a message, by name and user. Raises NOT_FOUND."""
    size = page_size(view.config, params.limit)
    row, member = view.access(actor, params.conversation, "read")
    find(view, actor, row, member, params.message)
    query = sa.select(reactions.c.name, reactions.c.user, reactions.c.time).where(
        reactions.c.conversation == row.id, reactions.c.message == params.message
    )
    if params.name is not None:
        query = query.where(reactions.c.name == _name(view, params.name))
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[ReactionName, UserId])
        query = query.where(sa.tuple_(reactions.c.name, reactions.c.user) > sa.tuple_(*after))
    query = query.order_by(reactions.c.name, reactions.c.user).limit(size + 1)
    found = [Reaction(*each) for each in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return ReactionPage(tuple(found), cursor(found[-1].name, found[-1].user) if more else None)


def _name(view: View, given: str) -> str:
    name = text.text(given, "name").strip()
    if len(name.splitlines()) > 1:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "name: it has a line break", field="name")
    limits.check(view.config.limits, "reaction_length", len(name), "name")
    return name


def _message(ledger: Ledger, actor: Actor, params: React) -> tuple[ConversationRow, Message]:
    row, member = ledger.access(actor, params.conversation, "react", lock=True)
    writable(ledger, actor, row)
    _, message = find(ledger, actor, row, member, params.message)
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    return row, message


def _which(
    row: ConversationRow, message: Message, name: str, user: str
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        reactions.c.conversation == row.id,
        reactions.c.message == message.seq,
        reactions.c.name == name,
        reactions.c.user == user,
    )


def _changed(
    ledger: Ledger,
    actor: Actor,
    row: ConversationRow,
    message: Message,
    name: str,
    added: bool,
    counts: tuple[ReactionCount, ...],
) -> Reactions:
    kept = msgspec.json.encode(counts).decode() if counts else None
    ledger.execute(
        messages.update()
        .where(messages.c.conversation == row.id, messages.c.seq == message.seq)
        .values(reactions=kept)
    )
    ledger.append(
        row,
        ReactionsChanged,
        actor,
        about=message.seq,
        message=message.seq,
        name=name,
        added=added,
        reactions=counts,
    )
    return Reactions(counts)


OPERATIONS = (add, remove, page)
