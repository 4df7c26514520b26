"""Channel names, hostile and good, and patterns against an obviously correct reference."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hubbub.auth.channels import check_channel, is_pattern, matches, permits, reserved
from hubbub.errors import ERRORS, ErrorCode, HubbubError
from hubbub.model import OPERATIONS, Operation, Permission

GOOD = [
    "a",
    "orders",
    "orders:eu",
    "orders:eu:1",
    "a::b",
    "user:ada@example.com",
    "conversation:0190-abc",
    "a/b",
    "/a",
    "a/",
    "a//b",
    "a..b",
    "a/..b",
    "a/b../c",
    ".a",
    "...",
    "a.",
    "-",
    "_",
    "k=v,w+x~y",
    "A:a",
    "session",
    "sessions:1",
]

HOSTILE = [
    "",
    "*",
    "user.*",
    "room:?",
    "[a-z]",
    "{a,b}",
    "#victim",
    "room\n",
    "\nroom",
    "room\0",
    "room\r\nSUBSCRIBE other",
    "room ",
    " room",
    "a b",
    "a\tb",
    "../",
    "..",
    ".",
    "../admin",
    "a/../b",
    "a/./b",
    "a/..",
    "./a",
    "%2e%2e",
    "a%00",
    "a\\b",
    "a'b",
    'a"b',
    "a;b",
    "a|b",
    "a$b",
    "a&b",
    "a?b",
    "a<b>",
    "a^b",
    "a`b",
    "a!b",
    "a(b)",
    ":",
    ":a",
    "a:",
    "::",
    "é",
    unicodedata.normalize("NFD", "é"),
    "ａ",
    "а",
    "a\u200bb",
    "a\u202eb",
    "\ufeffa",
    "İ",
    "ﬁ",
    "٣",
    "a\ud800",
    "a\x7f",
    "a\x80",
    "😀",
    "a" + "\u0301" * 100,
]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    check_channel(name, 255)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names(name: str) -> None:
    with pytest.raises(HubbubError) as caught:
        check_channel(name, 255)
    assert caught.value.code is ErrorCode.INVALID_CHANNEL
    assert caught.value.field == "channel"
    assert caught.value.message.startswith("invalid channel name: ")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("a b", "only ASCII letters"),
        ("a*", "only ASCII letters"),
        (":a", "colon"),
        ("a:", "colon"),
        ("a/../b", "between slashes"),
        ("a" * 11, "longer than 10"),
    ],
)
def test_the_fault_is_named(name: str, why: str) -> None:
    with pytest.raises(HubbubError, match=why):
        check_channel(name, 10)


def test_length_is_exact() -> None:
    check_channel("a" * 255, 255)
    for length in (256, 10_240, 1_000_000):
        with pytest.raises(HubbubError, match="longer than 255"):
            check_channel("a" * length, 255)


def test_the_characters_are_those_that_the_error_table_advises() -> None:
    advised = re.search("`(_[^`]+)`", ERRORS[ErrorCode.INVALID_CHANNEL].advice)
    assert advised is not None
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + advised[1])
    for point in range(0x500):
        char = chr(point)
        try:
            check_channel(f"a{char}b", 255)
        except HubbubError:
            assert char not in allowed
        else:
            assert char in allowed


def test_mixed_case_makes_other_channels() -> None:
    assert not matches("orders:EU", "orders:eu")
    assert not permits((Permission("Orders", OPERATIONS),), "subscribe", "orders")


# --- patterns -------------------------------------------------------------------------------------------------


def reference(pattern: str, name: str) -> bool:
    """By the definition: a star is any run of characters."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(reference(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
    return bool(name) and name[0] == pattern[0] and reference(pattern[1:], name[1:])


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from(["*", "*", "a", "b", "ab", ":"]), max_size=8).map("".join),
    st.text(alphabet="ab:", max_size=9),
)
@example("*a*a*", "a")
@example("*", "")
@example("**", "a")
@example("a*a", "a")
@example("ab*ba", "aba")
@example("a*b*a", "aba")
@example("*ab*ab*", "abab")
@example("", "")
def test_a_pattern_matches_what_it_means(pattern: str, name: str) -> None:
    assert matches(pattern, name) == reference(pattern, name)


@given(
    st.text(alphabet="abc:/", max_size=20),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=4),
)
def test_a_name_with_runs_starred_out_matches_itself(name: str, runs: list[tuple[int, int]]) -> None:
    pattern = list(name)
    for start, length in runs:
        pattern[start : start + length] = ["*"]
    assert matches("".join(pattern), name)


@pytest.mark.parametrize("glob", ["room:?", "[a-z]", "room:.", "r..m:1", "room:\\*", "(room:1|x)"])
def test_only_the_star_is_special(glob: str) -> None:
    assert not matches(glob, "room:1")
    assert matches(glob, glob)


def test_matching_is_linear() -> None:
    """A backtracking matcher would need more steps here than there are atoms; the verdict is that it ends."""
    name = "a" * 20_000
    assert not matches("a*" * 5_000 + "b", name)
    assert not matches("*a" * 5_000 + "*b*", name)
    assert matches("a*" * 5_000, name)


@pytest.mark.parametrize("pattern", ["*", "a", "orders:*", "*:*:x", ":", "a*" * 100])
def test_patterns(pattern: str) -> None:
    assert is_pattern(pattern, 255)


@pytest.mark.parametrize("pattern", ["", "a b", "?", "[a]", "a\n", "é", "a" * 256])
def test_strings_that_are_no_patterns(pattern: str) -> None:
    assert not is_pattern(pattern, 255)


# --- permissions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_permission_is_for_its_operations_only(operation: Operation) -> None:
    permissions = (Permission("orders:*", (operation,)), Permission("news", ()))
    for asked in OPERATIONS:
        assert permits(permissions, asked, "orders:eu") is (asked == operation)
        assert not permits(permissions, asked, "orders")
        assert not permits(permissions, asked, "news")
    assert not permits((), operation, "orders:eu")


def test_any_of_the_permissions_is_enough() -> None:
    permissions = (
        Permission("a", ("publish",)),
        Permission("*b", ("subscribe",)),
        Permission("b", ("publish",)),
    )
    assert permits(permissions, "publish", "b")
    assert permits(permissions, "subscribe", "ab")
    assert not permits(permissions, "publish", "ab")


@pytest.mark.parametrize("pattern", ["*", "session:*", "session:1", "s*"])
def test_the_servers_channels_are_permitted_to_nobody(pattern: str) -> None:
    assert reserved("session:1")
    assert not reserved("session")
    assert not permits((Permission(pattern, OPERATIONS),), "subscribe", "session:1")
