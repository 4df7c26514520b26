"""The events of what users ask of programs, and programs answer: in inboxes. And of what all users share. Pure."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from hubbub.chat.heads import InboxHead


class CardPressed(InboxHead, frozen=True, tag="card.pressed", kw_only=True):
    """Somebody (`user`) has pressed a button of a card that this user has sent, or has chosen or written something
    there. It may be answered by `cards.answer` with the `invocation`."""

    invocation: str
    conversation: str
    message: int
    user: str
    action: str
    value: str | None = None


class CardAnswered(InboxHead, frozen=True, tag="card.answered", kw_only=True):
    """What a card's program says to this user alone, who has pressed there. It is no message."""

    invocation: str
    conversation: str
    message: int
    parts: tuple[Raw, ...]


class CommandInvoked(InboxHead, frozen=True, tag="command.invoked", kw_only=True):
    """Somebody (`user`) has given a command that this user has registered. It may be answered by `commands.answer` with
    the `invocation`."""

    invocation: str
    conversation: str
    user: str
    name: str
    text: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    thread: int | None = None


class CommandAnswered(InboxHead, frozen=True, tag="command.answered", kw_only=True):
    """What a command's program says to this user alone, who has given it. It is no message. `failed`: there will be no
    answer."""

    invocation: str
    conversation: str
    name: str
    parts: tuple[Raw, ...] = ()
    failed: bool = False


class EmojiChanged(Struct, frozen=True, tag="emoji.changed", omit_defaults=True):
    """On `catalogue:all`: a custom emoji is new, another one or gone. `emoji.list` has them."""

    name: str
    removed: bool = False


class GroupChanged(Struct, frozen=True, tag="group.changed", omit_defaults=True):
    """On `catalogue:all`: a group of users that can be mentioned is new, has changed, or is gone. `groups.get` has
    it."""

    group: str
    removed: bool = False
