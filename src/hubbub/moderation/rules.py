"""Rules, as administrators write them. Pure.

A rule fits a message if all of its conditions do. What a condition needs beside the message (how new the sender is) is
looked at later, see `base.py`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from hubbub.moderation.base import EVERYWHERE, Action, Scope
from hubbub.moderation.covering import MASK

Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Many = Annotated[int, Meta(ge=1, le=250)]
Size = Annotated[int, Meta(ge=0, le=1_000_000)]
Share = Annotated[float, Meta(gt=0, le=1)]
ListName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$(?!\n)")]
Host = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        pattern=r"^(\*\.)?[^\s/:@*]+$(?!\n)",
        description="A host; `*.example.com` is all below it, and `example.com` itself.",
        examples=["*.example.com"],
    ),
]


class _Condition(Struct, frozen=True, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    pass


class Blocklist(_Condition, frozen=True, tag="blocklist"):
    """It has a word of one of these block lists."""

    lists: Annotated[tuple[ListName, ...], Meta(min_length=1, max_length=100)]


class Matches(_Condition, frozen=True, tag="pattern"):
    """A regular expression (RE2) is found in it, as it was written or without what cannot be seen."""

    pattern: Annotated[str, Meta(min_length=1)]
    ignore_case: bool = True


class Link(_Condition, frozen=True, tag="link"):
    """It has a link: to a host of `deny`; or to one that is not in `allow`, if that is given; or to any, without
    either."""

    deny: Annotated[tuple[Host, ...], Meta(max_length=1_000)] = ()
    allow: Annotated[tuple[Host, ...], Meta(max_length=1_000)] = ()


class Flood(_Condition, frozen=True, tag="flood"):
    """Its sender has sent `messages` others within `seconds` (by default `moderation.flood_window`): in the
    conversation, or `everywhere`."""

    messages: Many
    seconds: Seconds | None = None
    everywhere: bool = False


class Duplicate(_Condition, frozen=True, tag="duplicate"):
    """The same was said `messages` times within `seconds` before: by the sender in the conversation, by the sender
    `everywhere`, or (`anybody`) by anybody."""

    seconds: Seconds
    messages: Many = 1
    everywhere: bool = False
    anybody: bool = False


class NewMember(_Condition, frozen=True, tag="new_member"):
    """Its sender has been in the conversation (`joined`) or has been known at all (`created`) for fewer seconds."""

    joined: Seconds | None = None
    created: Seconds | None = None


class Shape(_Condition, frozen=True, tag="shape"):
    """It has more than `characters`, `lines`, `emoji` or combining `marks` on one letter; or more than a share of
    `capitals` among at least ten letters."""

    characters: Size | None = None
    lines: Size | None = None
    emoji: Size | None = None
    marks: Size | None = None
    capitals: Share | None = None


class MentionsMany(_Condition, frozen=True, tag="mentions"):
    """It mentions more than `users`; `everyone`: or everybody."""

    users: Size
    everyone: bool = True


Condition: TypeAlias = Blocklist | Matches | Link | Flood | Duplicate | NewMember | Shape | MentionsMany


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens (`action`) to a message that fits all conditions in `when`, and where it holds. `reason` is told to
    the sender of what was refused; `priority` is that of the case that is opened."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    when: Annotated[tuple[Condition, ...], Meta(min_length=1, max_length=10)]
    action: Action
    where: Scope = EVERYWHERE
    reason: Annotated[str, Meta(max_length=500)] = ""
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    mask: Annotated[str, Meta(min_length=1, max_length=1)] = MASK
    enabled: bool = True
