from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.engines.resp import ProtocolBroken, Push, Reader, RedisRefused, pack

TABLE: list[tuple[bytes, Any]] = [
    (b"+OK\r\n", b"OK"),
    (b":-7\r\n", -7),
    (b"(3492890328409238509324850943850943825024385\r\n", 3492890328409238509324850943850943825024385),
    (b",1.5\r\n", 1.5),
    (b",-inf\r\n", -math.inf),
    (b"#t\r\n", True),
    (b"#f\r\n", False),
    (b"_\r\n", None),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
    (b"=8\r\ntxt:some\r\n", b"some"),
    (b"*0\r\n", []),
    (b"%0\r\n", {}),
    (b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", [[1], b"x"]),
    (b"~2\r\n:1\r\n:2\r\n", [1, 2]),
    (b"%2\r\n$1\r\na\r\n:1\r\n*1\r\n:2\r\n_\r\n", {b"a": 1, "[2]": None}),
    (b"|1\r\n+ttl\r\n:3\r\n:5\r\n", 5),
    (b"*2\r\n:1\r\n|1\r\n+ttl\r\n:3\r\n:5\r\n", [1, 5]),
    (b">3\r\n+message\r\n$1\r\nc\r\n$1\r\nm\r\n", Push([b"message", b"c", b"m"])),
]


@pytest.mark.parametrize(("data", "value"), TABLE)
def test_replies_are_read_however_they_are_cut(data: bytes, value: Any) -> None:
    for cut in range(len(data) + 1):
        reader = Reader()
        replies = [*reader.feed(data[:cut]), *reader.feed(data[cut:] + data)]
        assert replies == [value, value]
        assert all(type(reply) is type(value) for reply in replies)
    reader = Reader()
    assert [reply for byte in data * 2 for reply in reader.feed(bytes([byte]))] == [value, value]


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"-ERR unknown command\r\n", "ERR", "unknown command"),
        (b"-LOADING\r\n", "LOADING", ""),
        (b"!21\r\nSYNTAX invalid syntax\r\n", "SYNTAX", "invalid syntax"),
        (b"-READONLY You can't. script: 1, on @x:1.\r\n", "READONLY", "You can't. script: 1, on @x:1."),
        (
            b"-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write.\r\n",
            "READONLY",
            "You can't write.",
        ),
        (
            b"-ERR Error running script (call to f_1): @user_script:1: user_script:1: oops: -a\r\n",
            "ERR",
            "Error running script (call to f_1): @user_script:1: user_script:1: oops: -a",
        ),
    ],
)  # fmt: skip
def test_errors_tell_their_code(data: bytes, code: str, message: str) -> None:
    [inside, error] = Reader().feed(b"*1\r\n" + data + data)
    assert isinstance(error, RedisRefused)
    assert isinstance(inside[0], RedisRefused)
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad\r\n", b":x\r\n", b"$x\r\n", b"$?\r\n", b"\r\n"])
def test_what_is_no_resp_is_not_read_on(data: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        Reader().feed(data)


def test_a_large_reply_is_joined_once() -> None:
    size, piece = 40_000_000, b"x" * 65_536
    reader = Reader()
    assert reader.feed(b"$%d\r\n" % size) == []
    for _ in range(size // len(piece)):
        assert reader.feed(piece) == []
    [reply] = reader.feed(piece[: size % len(piece)] + b"\r\n")
    assert len(reply) == size


VALUES = st.recursive(
    st.binary() | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


def said(value: Any) -> bytes:
    match value:
        case None:
            return b"_\r\n"
        case bool():
            return b"#t\r\n" if value else b"#f\r\n"
        case int():
            return b":%d\r\n" % value
        case float():
            return f",{value!r}\r\n".encode()
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(map(said, value))


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_any_replies_cut_anywhere(values: list[Any], cuts: list[int]) -> None:
    data = b"".join(map(said, values))
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader = Reader()
    got = [reply for a, b in pairwise(bounds) for reply in reader.feed(data[a:b])]
    assert got == values


@given(st.lists(st.text() | st.binary() | st.integers() | st.floats(allow_nan=False), min_size=1))
def test_commands_are_arrays_of_bytes(parts: list[Any]) -> None:
    [array] = Reader().feed(pack(parts))
    told = [
        type(part)(got.decode()) if not isinstance(part, bytes) else got
        for part, got in zip(parts, array, strict=True)
    ]
    assert told == parts  # fmt: skip


def test_what_is_no_part_of_a_command_is_not_sent() -> None:
    for wrong in (None, True, ["x"], b"x".hex):
        with pytest.raises(TypeError):
            pack(("SET", "x", wrong))  # type: ignore[arg-type]
