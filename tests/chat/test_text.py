from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat import text
from hubbub.errors import ErrorCode, HubbubError

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("hello", "hello"),
        (" two\n\tlines\r\n ", " two\n\tlines\r\n "),
        ("e\u0301", "\u00e9"),
        ("\u212b", "\u00c5"),
        ("\uff21", "\uff21"),  # NFC leaves what is only compatible
        ("adm\u200bin", "adm\u200bin"),
        (FAMILY, FAMILY),
        ("\U0001f600" * 3, "\U0001f600" * 3),
    ],
)
def test_a_text_is_kept_in_nfc(given: str, kept: str) -> None:
    assert text.text(given, "text") == kept


@pytest.mark.parametrize(
    "value", ["", " ", "\n\t ", "\u2003", "a\x00b", "\x1b[31m", "a\x7f", "\x85", "\ud800", "x\udfffy"]
)
def test_a_text_that_is_blank_or_holds_what_is_no_text_is_refused(value: str) -> None:
    with pytest.raises(HubbubError) as failure:
        text.text(value, "parts[0].text")
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, "parts[0].text")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("admin", "admin"),
        ("\uff21\uff24\uff2d\uff29\uff2e", "ADMIN"),  # fullwidth
        ("\ufb01sh", "fish"),
        ("  Ada \u00a0\n", "Ada"),
        ("ADM\u0130N", "ADM\u0130N"),
        ("\u0430dmin", "\u0430dmin"),  # Cyrillic: another name, which clients may mark
        ("Zoe\u0308", "Zo\u00eb"),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        (FAMILY, FAMILY),
        (ENGLAND, ENGLAND),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("\U0001f600", "\U0001f600"),
        ("\u674e\u5c0f\u9f8d", "\u674e\u5c0f\u9f8d"),
    ],
)
def test_a_name_is_kept_in_nfkc_without_spaces_around(given: str, kept: str) -> None:
    assert text.name(given, "name") == kept


@pytest.mark.parametrize(
    "value",
    [
        "",
        "   ",
        "\u3000",
        "\u3164",  # Hangul filler
        "\u2800",  # blank Braille
        "\u200b",
        "\u200d",
        "\u0301",  # a mark on nothing
        "adm\u200bin",
        "admin\u202e",
        "\u2066admin",
        "ad\u00admin",
        "ad\ufeffmin",
        "ad\nmin",
        "a\x00",
        "a\x1b[0m",
        "line\u2028end",
        "\ue000",
        "\U000e0001a",
        "\ud83d",
        "a" + "\u0301" * 10_000,
        "z" + "\u0488" * 9,
        "a\u200d",
        "\u200ca",
    ],
)
def test_a_name_of_which_something_cannot_be_seen_is_refused(value: str) -> None:
    with pytest.raises(HubbubError) as failure:
        text.name(value, "name")
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, "name")
    assert value not in failure.value.message or not value.strip()


@given(st.text())
def test_what_was_taken_is_taken_again_as_it_is(value: str) -> None:
    for check, form in ((text.text, "NFC"), (text.name, "NFKC")):
        try:
            kept = check(value, "name")
        except HubbubError:
            continue
        assert unicodedata.is_normalized(form, kept)  # type: ignore[arg-type]
        assert check(kept, "name") == kept


@pytest.mark.parametrize(("value", "bytes"), [("", 0), ("abc", 3), ("\u00e9", 2), ("\U0001f600", 4)])
def test_size_is_bytes_of_utf_8(value: str, bytes: int) -> None:
    assert text.size(value) == bytes
