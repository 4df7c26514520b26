from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hubbub.chat.model import Message
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of, pair_of, user_of


def row(**values: object) -> ConversationRow:
    fields: dict[str, Any] = dict.fromkeys(ConversationRow.__struct_fields__) | {
        "id": "c",
        "kind": "direct",
        "permissions": "{}",
        "history": "".join(("a", "ll")),
        "closed": 0,
        "head": 3,
        "messages": 1,
        "members": 2,
        "last_activity": 0.0,
        "created": 0.0,
    }
    return ConversationRow(**(fields | values))


@pytest.mark.parametrize(("one", "other"), [("ada", "bob"), ("bob", "ada"), ("ada", "ada")])
def test_a_pair_is_the_same_from_both_sides(one: str, other: str) -> None:
    pair = pair_of(one, other)
    assert pair == pair_of(other, one)
    assert row(pair=pair).peer_of(one) == other
    assert row(pair=pair).peer_of(other) == one


def test_what_is_no_pair_has_no_peer() -> None:
    assert row(kind="group").peer_of("ada") is None


def test_what_is_as_usual_is_left_out() -> None:
    """Though the database gives other objects."""
    assert b"history" not in msgspec.json.encode(row().public())
    assert b'"permissions":{"send":"admin"}' in msgspec.json.encode(
        row(permissions='{"send":"admin"}').public()
    )
    values = dict.fromkeys(each.name for each in MESSAGE) | {
        "conversation": "c",
        "seq": 1,
        "sender": "ada",
        "created": 1.0,
        "parts": '[{"type":"x","n":1.0}]',
        "kind": "".join(("us", "er")),
        "version": 1,
        "replies": 0,
    }
    message = message_of(tuple(values[each.name] for each in MESSAGE))
    assert msgspec.json.encode(message) == (
        b'{"conversation":"c","seq":1,"sender":"ada","created":1.0,"parts":[{"type":"x","n":1.0}]}'
    )
    assert tuple(each.name for each in MESSAGE) == Message.__struct_fields__


def test_custom_json_is_given_as_it_was_kept() -> None:
    user = user_of(("ada", "person", "Ada", None, '{"a": 1}', 1.0, 2.0), 3.0)
    assert b'"custom":{"a": 1}' in msgspec.json.encode(user)
    assert user.last_seen == 3.0
