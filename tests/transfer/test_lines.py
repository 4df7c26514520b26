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
