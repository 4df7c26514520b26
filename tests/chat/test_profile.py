from __future__ import annotations

import pytest
from msgspec import UNSET, Raw

from hubbub.chat import profile
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError

CONFIG = Config(limits={"name_length": 5, "topic_length": 6, "custom_bytes": 7})


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a.png",
        "HTTP://example.org",
        "/avatars/1",
        "https://example.org/?a=b#c",
        "https://\u00e4.de/x",
    ],
)
def test_an_avatar_is_the_address_of_a_picture(address: str) -> None:
    assert profile.avatar(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "x.png",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        " https://example.org",
        "https://",
        "https:///x",
        "https:\\\\example.org",
        "//example.org/x",
        "/\\example.org",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://example.org/\ud800",
    ],
)
def test_an_avatar_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(HubbubError) as failure:
        profile.avatar(address)
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, "avatar")


@pytest.mark.parametrize(
    ("value", "fits"), [("abcd", True), ("\U0001f600" * 5, True), ("e\u0301" * 5, True), ("abcdef", False)]
)
def test_a_name_has_a_length_in_code_points_after_normalisation(value: str, fits: bool) -> None:
    if fits:
        assert len(profile.name(CONFIG, value)) <= 5
        return
    with pytest.raises(HubbubError) as failure:
        profile.name(CONFIG, value)
    assert failure.value.code == ErrorCode.LIMIT_EXCEEDED
    assert "limits.name_length = 5" in failure.value.message


@pytest.mark.parametrize(("value", "fits"), [("a\nbc", True), ("abcdef", True), ("abcdefg", False)])
def test_a_topic_may_have_lines_and_has_a_length(value: str, fits: bool) -> None:
    if fits:
        assert profile.topic(CONFIG, value) == value
        return
    with pytest.raises(HubbubError) as failure:
        profile.topic(CONFIG, value)
    assert failure.value.code == ErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (b'{ "a" : 1\n}', '{"a":1}'),
        (b"[1, 2, 3]", "[1,2,3]"),
        (b'"\\u00e4 b"', None),
        (b'{"a":12}', None),
        (b"null", ""),
        (b" null ", ""),
    ],
)
def test_custom_json_is_kept_without_spaces_and_has_a_size(value: bytes, kept: str | None) -> None:
    if kept is not None:
        assert profile.custom(CONFIG, Raw(value)) == (kept or None)
        return
    with pytest.raises(HubbubError) as failure:
        profile.custom(CONFIG, Raw(value))
    assert failure.value.code == ErrorCode.MESSAGE_TOO_LARGE


def test_custom_json_of_a_row() -> None:
    assert profile.raw(None) is UNSET
    assert profile.raw("[1]") == Raw(b"[1]")


@pytest.mark.parametrize("id", ["a\nb", "\x00", "a\ud800", "\x9f"])
def test_an_id_is_one_that_a_token_can_name(id: str) -> None:
    profile.check_id("\u00e4 b/c")
    with pytest.raises(HubbubError) as failure:
        profile.check_id(id)
    assert failure.value.field == "user"
