"""From rows of the tables to the values of the model, and the columns that each needs.

Words of ours are interned, for `omit_defaults` looks whether a default is the same object.
"""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Raw, Struct

from hubbub.chat.model import (
    Annotations,
    Conversation,
    ConversationKind,
    Member,
    MemberState,
    Mentions,
    Message,
    Options,
    Permission,
    Rank,
    ReactionCount,
    Role,
    User,
    Visibility,
)
from hubbub.storage.tables import conversations, members, messages, users

_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode
_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode
_mentions = msgspec.json.Decoder(Mentions).decode
_options = msgspec.json.Decoder(Options).decode
_annotations = msgspec.json.Decoder(Annotations).decode
_reactions = msgspec.json.Decoder(tuple[ReactionCount, ...]).decode


class ConversationRow(Struct):
    """A row of `conversations`; an action keeps `head`, `messages` and the like in step with what it writes."""

    id: str
    kind: ConversationKind
    pair: str | None
    name: str | None
    topic: str | None
    avatar: str | None
    custom: str | None
    history: Visibility
    permissions: str
    closed: bool
    head: int
    messages: int
    members: int
    last_message: int | None
    last_activity: float
    created: float
    created_by: str | None
    slow_mode: float | None = None
    retention: float | None = None
    expunged: int = 0

    @property
    def overrides(self) -> dict[Permission, Rank]:
        return {} if self.permissions == "{}" else _permissions(self.permissions)

    def peer_of(self, user: str) -> str | None:
        """The other one of a direct conversation (its user itself, for notes to oneself)."""
        if self.pair is None:
            return None
        first, _, second = self.pair.partition("\n")
        return second if first == user else first

    def public(self) -> Conversation:
        return Conversation(
            self.id,
            self.kind,
            self.name,
            self.topic,
            self.avatar,
            UNSET if self.custom is None else Raw(self.custom.encode()),
            intern(self.history),  # type: ignore[arg-type]
            self.overrides,
            bool(self.closed),
            self.head,
            self.messages,
            self.members,
            self.last_message,
            self.last_activity,
            self.created,
            self.created_by,
            self.slow_mode,
            self.retention,
            self.expunged,
        )


class MemberRow(Struct):
    """A row of `members`."""

    conversation: str
    user: str
    role: Role
    state: MemberState
    invited_by: str | None
    since: float
    visible: int
    read: int
    read_number: int
    delivered: int
    delivered_number: int
    muted_until: float | None
    archived: bool

    @property
    def joined(self) -> bool:
        return self.state == "joined"

    def public(self) -> Member:
        return Member(
            self.user,
            intern(self.role),  # type: ignore[arg-type]
            intern(self.state),  # type: ignore[arg-type]
            self.since,
            self.invited_by,
            self.read,
            self.delivered,
        )


CONVERSATION: tuple[sa.Column[Any], ...] = tuple(
    conversations.c[name] for name in ConversationRow.__struct_fields__
)
MEMBER: tuple[sa.Column[Any], ...] = tuple(members.c[name] for name in MemberRow.__struct_fields__)
MESSAGE: tuple[sa.Column[Any], ...] = tuple(
    messages.c[name]
    for name in (
        "conversation",
        "seq",
        "sender",
        "created",
        "parts",
        "kind",
        "number",
        "thread",
        "thread_number",
        "reply_to",
        "mentions",
        "version",
        "edited",
        "deleted",
        "reactions",
        "replies",
        "last_reply",
        "options",
        "annotations",
    )
)
"""In the order of `Message`'s fields."""
USER: tuple[sa.Column[Any], ...] = tuple(
    users.c[name] for name in ("id", "kind", "name", "avatar", "custom", "created", "updated")
)


def message_of(row: Any) -> Message:
    """A Message of a row of `MESSAGE`."""
    (
        conversation,
        seq,
        sender,
        created,
        parts,
        kind,
        number,
        thread,
        thread_number,
        reply_to,
        mentioned,
        *rest,
    ) = row
    version, edited, deleted, reactions, replies, last_reply, options, annotations = rest
    return Message(
        conversation,
        seq,
        sender,
        created,
        _parts(parts) if parts != "[]" else (),
        intern(kind),  # type: ignore[arg-type]
        number,
        thread,
        thread_number,
        reply_to,
        None if mentioned is None else _mentions(mentioned),
        version,
        edited,
        deleted,
        () if reactions is None else _reactions(reactions),
        replies,
        last_reply,
        None if options is None else _options(options),
        None if annotations is None else _annotations(annotations),
    )


def user_of(row: Any, last_seen: float | None = None) -> User:
    """A User of a row of `USER`; whether `last_seen` may be shown is the caller's to know."""
    id, kind, name, avatar, custom, created, updated = row
    return User(
        id,
        kind,
        name,
        avatar,
        UNSET if custom is None else Raw(custom.encode()),
        last_seen,
        created,
        updated,
    )


def pair_of(one: str, other: str) -> str:
    """The key under which there is one direct conversation of two users. (No user id has a line break in it.)"""
    return "\n".join(sorted((one, other)))
