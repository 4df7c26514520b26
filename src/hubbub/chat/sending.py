"""Sending a message: what is asked for, and what of it is done before it waits for the database.

`messages.send` is the hot path. Everything that can be is checked and encoded in the event loop; `Delivery`
(`chat/delivery.py`) then writes up to `storage.batch` messages with a dozen statements.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from hubbub.chat import limits, mentions, parts
from hubbub.chat.delivery import Delivery
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.model import ConversationId, Mentions, Options, Seq
from hubbub.chat.operations import Caller, begin
from hubbub.chat.outgoing import Outgoing, Sent
from hubbub.chat.parts import Checked
from hubbub.config.sections import LimitsConfig
from hubbub.errors import HubbubError
from hubbub.hub.commands import check_name
from hubbub.storage.base import Action, Transaction

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

Part = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "type": "object",
            "properties": {"type": {"type": "string", "minLength": 1, "maxLength": parts.TYPE_LENGTH}},
            "required": ["type"],
        }
    ),
]
Parts = Annotated[
    tuple[Part, ...],
    Meta(
        description="JSON objects with a `type`: `text` (`text`, `format`: plain or markdown), `poll`, `checklist`, "
        "`card`, `embed`, `location`, `file`, `data` (`data`: an object), or a type of the application's own, which is "
        "kept as it is.",
        examples=[
            [{"type": "text", "text": "Hello!"}],
            [
                {"type": "text", "text": "**Two** of these?", "format": "markdown"},
                {"type": "data", "data": {"order": 17}},
            ],
        ],
        extra_json_schema={"minItems": 1},
    ),
]


Silent = Annotated[
    bool, Meta(description="Nobody is to be notified of it: clients show it, and make no sound.")
]
ExpiresIn = Annotated[
    float,
    Meta(ge=1, description="Seconds after which it is deleted for everybody; up to `limits.schedule_ahead`."),
]


class SendMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new message. `thread` is the seq of the message whose thread it belongs to; `reply_to` is what it answers."""

    conversation: ConversationId
    parts: Parts
    mentions: MentionWhom | None = None
    thread: Seq | None = None
    reply_to: Seq | None = None
    silent: Silent = False
    expires_in: ExpiresIn | None = None
    previews: Annotated[bool, Meta(description="Whether previews are made of its links.")] = True


@begin("messages.send", "POST", "/conversations/{conversation}/messages", status=201)
def send(chat: Chat, caller: Caller, params: SendMessage) -> asyncio.Future[Sent]:
    """Send a message.

    It is answered when the message is on disk. With an idempotency key a message can be sent again and again and is
    there once: the answer then has `duplicate`, and the message as it was sent. The key is kept for ever. With
    `expires_in` the message is deleted for everybody that long after it was sent.

    Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED, RESTRICTED, SLOW_MODE, MESSAGE_DELETED (of the root or
    what is answered), VALIDATION_FAILED, INVALID_DATA, LIMIT_EXCEEDED, MESSAGE_TOO_LARGE and IDEMPOTENCY_CONFLICT.
    """
    outgoing = outgoing_of(chat, caller.actor.user, params, caller.key)
    if chat.moderation.active:
        return chat.moderation.write(SEND, outgoing)
    return chat.store.write(SEND, outgoing, params.conversation)


def check(params: SendMessage, allowed: LimitsConfig) -> tuple[Checked, Mentions | None]:
    """What is said and whom it mentions. Raises as `outgoing_of`."""
    if params.expires_in is not None:
        limits.check(allowed, "schedule_ahead", params.expires_in, "expires_in")
    return parts.check(params.parts, allowed), mentions.check(params.mentions, allowed)


def outgoing_of(chat: Chat, user: str, params: SendMessage, key: str | None = None) -> Outgoing:
    """What is asked for, checked as far as that needs no database. Raises what `messages.send` does of parts, mentions,
    options and the key."""
    allowed = chat.config.limits
    check_name(key, allowed.key_length, "key")
    checked, whom = check(params, allowed)
    digest = None
    if key is not None:
        about: tuple[Any, ...] = (params.thread, params.reply_to, whom)
        if params.silent or params.expires_in is not None:
            about += (params.silent, params.expires_in)
        if not params.previews:
            about += ("no previews",)
        digest = hashlib.blake2b(
            msgspec.json.encode(about) + checked.json.encode(), digest_size=16
        ).hexdigest()
    return Outgoing(
        chat,
        user,
        params.conversation,
        checked,
        whom,
        params.thread,
        params.reply_to,
        key,
        digest,
        _options(params) if params.silent or not params.previews else None,
        params.expires_in,
    )


def _options(params: SendMessage) -> Options:
    return Options(silent=params.silent, previews=params.previews)


def _send(tx: Transaction, items: Sequence[Outgoing]) -> list[Sent | HubbubError]:
    return Delivery(tx, items).run()


SEND: Action[Outgoing, Sent] = Action("messages.send", _send)

OPERATIONS = (send,)
