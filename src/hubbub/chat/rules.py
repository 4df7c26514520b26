"""Who may do what in a conversation. Pure: kinds, roles and permissions, and the one table that joins them."""

from __future__ import annotations

from typing import get_args

from hubbub.chat.model import ConversationKind, Permission, Rank, Role

RANKS: dict[Rank, int] = {
    "guest": 0,
    "reader": 1,
    "member": 2,
    "moderator": 3,
    "admin": 4,
    "owner": 5,
    "nobody": 9,
}
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_GROUP: dict[Permission, Rank] = {
    "read": "reader",
    "send": "member",
    "reply": "member",
    "react": "member",
    "edit_own": "member",
    "delete_own": "member",
    "delete_any": "moderator",
    "mention_all": "member",
    "invite": "member",
    "remove": "moderator",
    "update": "admin",
    "manage": "admin",
    "join": "nobody",
    "attach": "member",
    "pin": "moderator",
    "poll": "member",
    "command": "member",
    "moderate": "moderator",
}
DEFAULTS: dict[ConversationKind, dict[Permission, Rank]] = {
    "group": _GROUP,
    "direct": _GROUP
    | {
        "delete_any": "nobody",
        "invite": "nobody",
        "remove": "nobody",
        "update": "nobody",
        "manage": "nobody",
        "pin": "member",
        "moderate": "nobody",
    },
    "broadcast": _GROUP
    | {
        "send": "moderator",
        "reply": "moderator",
        "react": "reader",
        "mention_all": "admin",
        "invite": "admin",
        "attach": "moderator",
        "poll": "moderator",
    },
    "topic": _GROUP | {"read": "guest", "mention_all": "moderator", "join": "guest"},
}
"""The least role for each permission; a conversation's own `permissions` come before these."""

JOINS_AS: dict[ConversationKind, Role] = {
    "direct": "member",
    "group": "member",
    "broadcast": "reader",
    "topic": "member",
}
"""The role of who is added or joins without one being named."""

ANNOUNCED: frozenset[ConversationKind] = frozenset({"group"})
"""Kinds in which a change of membership is a system message in the timeline too."""


def needed(kind: ConversationKind, permission: Permission, overrides: dict[Permission, Rank]) -> Rank:
    """The least role for `permission`."""
    return overrides.get(permission) or DEFAULTS[kind][permission]


def allowed(
    kind: ConversationKind, permission: Permission, role: Role | None, overrides: dict[Permission, Rank]
) -> bool:
    """Whether a member with `role` has `permission`; a `role` of None is a guest."""
    return RANKS[role or "guest"] >= RANKS[needed(kind, permission, overrides)]


def visible_to_guests(kind: ConversationKind, overrides: dict[Permission, Rank]) -> bool:
    """Whether those who are no members may know that the conversation is there."""
    return kind == "topic" and needed(kind, "read", overrides) == "guest"


def may_give(giver: Role, target: Role | None, role: Role) -> bool:
    """Whether `giver` may make somebody who is `target` now into `role`: nobody gives more than it has, nor touches who
    stands above it; owners may do everything."""
    top = RANKS[giver]
    return giver == "owner" or (top > RANKS[role] and top > RANKS[target or "guest"])
