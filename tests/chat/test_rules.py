from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from hubbub.chat.model import ConversationKind, Permission, Rank, Role
from hubbub.chat.rules import (
    ANNOUNCED,
    DEFAULTS,
    JOINS_AS,
    PERMISSIONS,
    RANKS,
    allowed,
    may_give,
    needed,
    visible_to_guests,
)

KINDS: tuple[ConversationKind, ...] = get_args(ConversationKind)
ROLES: tuple[Role, ...] = get_args(Role)


def test_every_kind_has_every_permission() -> None:
    for kind in KINDS:
        assert set(DEFAULTS[kind]) == set(PERMISSIONS)
        assert JOINS_AS[kind] in ROLES
    assert set(get_args(Rank)) == set(RANKS)
    assert set(KINDS) >= ANNOUNCED


@pytest.mark.parametrize(("kind", "permission"), list(product(KINDS, PERMISSIONS)))
def test_who_has_a_higher_role_may_do_no_less(kind: ConversationKind, permission: Permission) -> None:
    may = [
        allowed(kind, permission, role, {}) for role in (None, *sorted(ROLES, key=lambda role: RANKS[role]))
    ]
    assert may == sorted(may)


@pytest.mark.parametrize(
    ("kind", "role", "permission", "may"),
    [
        ("group", "member", "send", True),
        ("group", "reader", "send", False),
        ("group", None, "read", False),
        ("group", "member", "remove", False),
        ("group", "owner", "join", False),
        ("direct", "member", "send", True),
        ("direct", "member", "invite", False),
        ("direct", "owner", "update", False),
        ("broadcast", "reader", "read", True),
        ("broadcast", "reader", "react", True),
        ("broadcast", "member", "send", False),
        ("broadcast", "moderator", "send", True),
        ("topic", None, "read", True),
        ("topic", None, "join", True),
        ("topic", None, "send", False),
        ("topic", "member", "mention_all", False),
    ],
)
def test_what_kinds_allow(
    kind: ConversationKind, role: Role | None, permission: Permission, may: bool
) -> None:
    assert allowed(kind, permission, role, {}) is may


def test_a_conversation_s_own_permissions_come_first() -> None:
    assert not allowed("group", "send", "member", {"send": "moderator"})
    assert allowed("group", "send", "moderator", {"send": "moderator"})
    assert not allowed("group", "send", "owner", {"send": "nobody"})
    assert needed("topic", "join", {"join": "nobody"}) == "nobody"
    assert allowed("group", "react", "member", {"send": "nobody"})


def test_guests_see_topics_that_they_may_read() -> None:
    assert [kind for kind in KINDS if visible_to_guests(kind, {})] == ["topic"]
    assert not visible_to_guests("topic", {"read": "reader"})
    assert not visible_to_guests("group", {"read": "guest"})


def test_nobody_gives_as_much_as_it_has_but_owners() -> None:
    for giver, target, role in product(ROLES, (None, *ROLES), ROLES):
        above = RANKS[giver] > RANKS[role] and RANKS[giver] > RANKS[target or "guest"]
        assert may_give(giver, target, role) is (giver == "owner" or above)
    assert not may_give("admin", "admin", "member")
    assert not may_give("admin", None, "admin")
    assert may_give("owner", "owner", "reader")
