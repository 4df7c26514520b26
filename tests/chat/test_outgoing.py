from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from hubbub.chat import rules
from hubbub.chat.model import ConversationKind, Permission, Role
from hubbub.chat.outgoing import Conversation


@pytest.mark.parametrize("kind", get_args(ConversationKind))
@pytest.mark.parametrize("overrides", ["{}", '{"send":"admin","read":"member"}'])
def test_permissions_are_those_of_the_rules(kind: ConversationKind, overrides: str) -> None:
    conversation = Conversation("c", kind, None, overrides, False, 0, 0)
    found = {} if overrides == "{}" else {"send": "admin", "read": "member"}
    roles: tuple[Role | None, ...] = (*get_args(Role), None)
    for permission, role in product(get_args(Permission), roles):
        expected = rules.allowed(kind, permission, role, found)  # type: ignore[arg-type]
        for _ in range(2):
            assert conversation.allows(permission, role) is expected
        assert conversation.needs(permission) == rules.needed(kind, permission, found)  # type: ignore[arg-type]


def test_the_other_one() -> None:
    direct = Conversation("c", "direct", "ada\nbob", "{}", False, 0, 0)
    assert (direct.peer_of("ada"), direct.peer_of("bob")) == ("bob", "ada")
    assert Conversation("c", "direct", "ada\nada", "{}", False, 0, 0).peer_of("ada") == "ada"
    assert Conversation("c", "group", None, "{}", False, 0, 0).peer_of("ada") is None


def test_conversations_of_one_batch_do_not_share_what_is_allowed() -> None:
    one = Conversation("c", "group", None, "{}", False, 0, 0)
    other = Conversation("d", "group", None, '{"send":"owner"}', False, 0, 0)
    assert one.allows("send", "member")
    assert not other.allows("send", "member")
