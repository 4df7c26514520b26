"""The format of a workspace: JSON, an object a line, told apart by `type`. Pure.

The first line is the `workspace`, the last one the `end`. What a line names stands above it: users before
conversations, those before their members, those before the messages that they wrote, a thread's root before its
replies. Times are Unix seconds. Fields that are not known are passed over, so that a later version can have more.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hubbub.chat.mentions import MentionWhom
from hubbub.chat.model import (
    ConversationId,
    ConversationKind,
    MemberState,
    Options,
    Permission,
    Rank,
    Role,
    UserId,
    Visibility,
)
from hubbub.jsondata import invalid_field
from hubbub.model import Kind as UserKind

VERSION: Literal[1] = 1
LONGEST = 4 * 1024 * 1024
"""Bytes of a line."""

Time = Annotated[float, Meta(ge=0, le=1e11)]
MessageId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
"""Names a message in its conversation, within the file and others of the same source."""
Number = Annotated[int, Meta(ge=0, le=2**53)]


class Workspace(Struct, frozen=True, tag="workspace", omit_defaults=True):
    """The first line. `source` and `created` name the import, which is done once. (What a later one has again is known
    by the ids of conversations and messages.)"""

    version: Literal[1]
    source: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._-]+$(?!\n)")]
    created: Time


class UserLine(Struct, frozen=True, tag="user", omit_defaults=True):
    """A person, agent or service. One whose id is there already stays as it is."""

    id: UserId
    kind: UserKind = "person"
    name: str = ""
    avatar: str | None = None
    custom: Raw | UnsetType = UNSET
    created: Time | None = None


class ConversationLine(Struct, frozen=True, tag="conversation", omit_defaults=True):
    """A conversation. `users` are the two (or the one) of a direct one."""

    id: ConversationId
    kind: ConversationKind
    created: Time
    users: tuple[UserId, ...] = ()
    name: str | None = None
    topic: str | None = None
    avatar: str | None = None
    custom: Raw | UnsetType = UNSET
    history: Visibility = "all"
    permissions: dict[Permission, Rank] = {}
    closed: bool = False
    created_by: UserId | None = None
    slow_mode: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    retention: Annotated[float, Meta(ge=0, le=1e11)] | None = None


class MemberLine(Struct, frozen=True, tag="member", omit_defaults=True):
    """Who is, or was, in a conversation. With `hidden` the member may read none of the messages that follow before its
    `cursor` says which."""

    conversation: ConversationId
    user: UserId
    role: Role = "member"
    state: MemberState = "joined"
    since: Time | None = None
    hidden: bool = False


class ReactionLine(Struct, frozen=True):
    """Who has reacted with what, the first one first."""

    name: Annotated[str, Meta(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    users: tuple[UserId, ...]


class MessageLine(Struct, frozen=True, tag="message", omit_defaults=True):
    """A message as it stands at last. `thread` is the id of the root, `reply_to` that of what is replied to. With
    `deleted` it is a tombstone, which has no parts."""

    conversation: ConversationId
    id: MessageId
    sender: UserId | None
    created: Time
    parts: tuple[Raw, ...] = ()
    kind: Literal["user", "system"] = "user"
    thread: MessageId | None = None
    reply_to: MessageId | None = None
    mentions: MentionWhom | None = None
    version: Annotated[int, Meta(ge=1, le=2**31)] = 1
    edited: Time | None = None
    deleted: Time | None = None
    reactions: tuple[ReactionLine, ...] = ()
    options: Options | None = None


class CursorLine(Struct, frozen=True, tag="cursor", omit_defaults=True):
    """How far a member has got in what stands above: `read` and `delivered` of the messages of the main timeline (all,
    if absent), and the first `unseen` of which it may not see."""

    conversation: ConversationId
    user: UserId
    read: Number | None = None
    delivered: Number | None = None
    unseen: Number = 0


class End(Struct, frozen=True, tag="end", omit_defaults=True):
    """The last line, without which the file is not whole: how many lines of each type there are."""

    counts: dict[str, int]


Line: TypeAlias = Workspace | UserLine | ConversationLine | MemberLine | MessageLine | CursorLine | End
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
encode = msgspec.json.Encoder().encode


class Fault(Struct, frozen=True):
    """Why something cannot be brought."""

    why: str


class Entry(Struct, frozen=True):
    """One line of a source: its number (from 1), the place behind it, and what it says."""

    number: int
    place: int
    line: Line | Fault


def decode(raw: bytes) -> Line | Fault:
    """What a line says."""
    try:
        raw.decode()  # what is passed through unread must be UTF-8, too
        return _decoder.decode(raw)
    except UnicodeDecodeError:
        return Fault("not UTF-8")
    except RecursionError:
        return Fault("nested too deeply")
    except msgspec.ValidationError as error:
        message, field = invalid_field(error)
        return Fault(message if field is None else f"{field}: {message}")
    except (ValueError, MemoryError, msgspec.MsgspecError) as error:
        return Fault(str(error))


def tag_of(line: Line) -> str:
    """The `type` of a line."""
    return str(type(line).__struct_config__.tag)
