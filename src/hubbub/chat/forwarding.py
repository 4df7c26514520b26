"""Forwarding: sending what a message says on into other conversations, to all of them or to none.

A forwarded message is a message of who forwards it, checked as what that user sends there. It says who wrote it and
when; where it is from, only if all who read it may read there, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import replace

from hubbub.chat import limits, parts, rules
from hubbub.chat.delivery import Delivery
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find
from hubbub.chat.model import ConversationId, Forwarded, Message, Options, Seq
from hubbub.chat.operations import Caller, run
from hubbub.chat.outgoing import Outgoing, Sent
from hubbub.chat.sending import Silent
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.commands import check_name
from hubbub.storage.base import Action, Transaction, each
from hubbub.storage.tables import conversations

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

SHORTEST = 1.0
"""Seconds for which a forwarded message is there whose original is about to expire."""


class ForwardMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message, and the conversations that it is to be sent to."""

    conversation: ConversationId
    message: Seq
    to: Annotated[
        tuple[ConversationId, ...],
        Meta(min_length=1, description="Ids of conversations; at most `limits.forwards`."),
    ]
    silent: Silent = False


class ForwardedMessages(Struct, frozen=True):
    """What was sent, in the order of `to` (without repetitions)."""

    sent: tuple[Sent, ...]


class Source(Struct, frozen=True):
    """What is forwarded: the message, and for each conversation that it goes to what is said of where it is from."""

    message: Message
    origins: tuple[Forwarded, ...]


class Forwarding(Struct, frozen=True):
    """Of one call: who forwards what, and the messages that come of it."""

    chat: Chat
    actor: Actor
    source: Message
    outgoing: tuple[Outgoing, ...]


@run(
    "messages.forward",
    "POST",
    "/conversations/{conversation}/messages/{message}/forward",
    status=201,
    keyed=True,
)
async def forward(chat: Chat, caller: Caller, params: ForwardMessage) -> ForwardedMessages:
    """Send what a message says to other conversations.

    It is sent to all of them or, if one refuses it, to none; the refusal names that one (`to[2]`). Files go along.
    Mentions do not, and a poll and a checklist begin anew. What expires, expires there, too. With an idempotency key
    each conversation gets it once.

    Raises NOT_FOUND, MESSAGE_DELETED, PERMISSION_DENIED for a system message, CONFLICT for one that is edited just
    now, LIMIT_EXCEEDED (`limits.forwards`), and what `messages.send` raises.
    """
    allowed = chat.config.limits
    check_name(caller.key, allowed.key_length, "key")
    to = tuple(dict.fromkeys(params.to))
    limits.check(allowed, "forwards", len(to), "to")
    source = await chat.read(lambda view: look(view, caller.actor, params, to))
    message = source.message
    checked = parts.check(parts.forwarded(message.parts), allowed)
    digest = None
    if caller.key is not None:
        about = ("forward", params.conversation, params.message, params.silent)
        digest = hashlib.blake2b(msgspec.json.encode(about), digest_size=16).hexdigest()
    expires = message.options.expires if message.options is not None else None
    left = None if expires is None else max(expires - chat.clock.now(), SHORTEST)
    outgoing = [
        Outgoing(
            chat,
            caller.actor.user,
            id,
            checked,
            None,
            None,
            None,
            caller.key,
            digest,
            Options(silent=params.silent, forwarded=origin),
            left,
        )
        for id, origin in zip(to, source.origins, strict=True)
    ]
    examined = []
    for place, item in enumerate(outgoing):
        with _naming(place):
            examined.append(await chat.moderation.examine(item))
    forwarding = Forwarding(chat, caller.actor, message, tuple(examined))
    return ForwardedMessages(await chat.store.write(FORWARD, forwarding))


@contextmanager
def _naming(place: int) -> Iterator[None]:
    """A refusal names the conversation that refuses."""
    try:
        yield
    except HubbubError as error:
        error.field = f"to[{place}]"
        raise


def look(view: View, actor: Actor, params: ForwardMessage, to: tuple[str, ...]) -> Source:
    """Raises as `messages.forward`."""
    row, member = view.access(actor, params.conversation, "read")
    message = find(view, actor, row, member, params.message)[1]
    _refuse(message)
    before = message.options.forwarded if message.options is not None else None
    origin = before or Forwarded(message.sender, message.created, message.conversation, message.seq)
    return Source(message, tuple(_as_seen(view, origin, id) for id in to))


def _refuse(message: Message) -> None:
    if message.kind != "user":
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: it is a system message", field="message"
        )
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")


def _as_seen(view: View, origin: Forwarded, conversation: str) -> Forwarded:
    """What readers of a conversation may know of where a message is from."""
    row = view.find(origin.conversation) if origin.conversation is not None else None
    if (
        row is not None
        and row.history == "all"
        and (row.id == conversation or rules.visible_to_guests(row.kind, row.overrides))
    ):
        return origin
    return replace(origin, conversation=None, message=None)


def _forward(tx: Transaction, item: Forwarding) -> tuple[Sent, ...]:
    ledger = Ledger(tx, item.chat.config, item.chat)
    source, actor = item.source, item.actor
    # Until the end nothing happens to the source, nor to where it goes; in the order in which all lock them.
    ids = {source.conversation, *(each.conversation for each in item.outgoing)}
    query = sa.select(conversations.c.id).where(conversations.c.id.in_(sorted(ids)))
    ledger.execute(query.order_by(conversations.c.id).with_for_update())
    row, member = ledger.access(actor, source.conversation, "read")
    message = find(ledger, actor, row, member, source.seq)[1]
    _refuse(message)
    if message.version != source.version:
        raise HubbubError(ErrorCode.CONFLICT, "the message is edited just now", field="message")
    sent = []
    for place, outcome in enumerate(Delivery(tx, item.outgoing).run()):
        with _naming(place):
            if isinstance(outcome, HubbubError):
                raise outcome
        sent.append(outcome)
    return tuple(sent)


FORWARD: Action[Forwarding, tuple[Sent, ...]] = each("messages.forward", _forward)
OPERATIONS = (forward,)
