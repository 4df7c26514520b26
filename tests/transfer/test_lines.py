"""What is a line of the format, and what is none."""

from __future__ import annotations

import pytest

from hubbub.transfer.lines import Fault, MessageLine, UserLine, Workspace, decode, encode, tag_of


def test_what_is_written_is_read() -> None:
    for line in (Workspace(1, "a1", 5.0), UserLine("ada", name="Ada"), MessageLine("c", "1", "ada", 2.5)):
        assert decode(encode(line)) == line
        assert encode(line).startswith(b'{"type":"%s"' % tag_of(line).encode())


def test_fields_of_later_versions_are_passed_over() -> None:
    assert decode(b'{"type":"user","id":"ada","shoe":39}') == UserLine("ada")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"id":"ada"}',
        b'{"type":"spaceship","id":"ada"}',
        b'{"type":"workspace","version":2,"source":"a","created":1}',
        b'{"type":"user","id":""}',
        b'{"type":"user","id":"a\\u0000b"}',
        b'{"type":"user","id":"\xff"}',
        b'{"type":"user","id":"ada","custom":{"x":"\xff"}}',
        b'{"type":"user","id":"ada","created":-1}',
        b'{"type":"user","id":"ada","created":1e400}',
        b'{"type":"user","id":"ada","custom":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":"message","conversation":"c","id":"1","sender":"a","created":1,"parts":{}}',
    ],
)
def test_what_is_no_line_is_a_fault(raw: bytes) -> None:
    found = decode(raw)
    assert isinstance(found, Fault)
    assert found.why


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (
            b'{"type":"workspace","version":1,"source":"a b","created":1}',
            "source: Expected a text of A-Z, a-z, 0-9, ., _ and -",
        ),
        (
            b'{"type":"message","conversation":"c","id":"a\\nb","sender":"a","created":1}',
            "id: Expected a text without control characters such as line breaks, and not empty",
        ),
        (
            b'{"type":"message","conversation":"c","id":"1","sender":"a","created":1,'
            b'"reactions":[{"name":"a\\tb","users":[]}]}',
            "reactions[0].name: Expected a text without control characters such as line breaks, and not empty",
        ),
        (b'{"type":"user","id":"ada","created":"now"}', "created: Expected `float | null`, got `str`"),
        (b'{"type":"user"}', "Object missing required field `id`"),
    ],
)
def test_what_is_wrong_is_said_in_words(raw: bytes, why: str) -> None:
    assert decode(raw) == Fault(why)


def test_every_pattern_of_a_line_has_words() -> None:
    lines = (
        {"type": "user", "id": "a\nb"},
        {"type": "conversation", "id": "a\nb", "kind": "group", "created": 1},
        {"type": "member", "conversation": "c", "user": "a\nb"},
        {"type": "cursor", "conversation": "a\nb", "user": "ada"},
        {"type": "message", "conversation": "c", "id": "1", "sender": "a", "created": 1, "thread": "a\nb"},
    )
    for line in lines:
        found = decode(encode(line))
        assert isinstance(found, Fault)
        assert "Expected a text" in found.why
        assert "that matches" not in found.why
        assert "regex" not in found.why
