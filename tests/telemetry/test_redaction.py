from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.auth.api_keys import new_key
from hubbub.auth.tokens import mint
from hubbub.model import Connect, Resume
from hubbub.telemetry.metrics import TABLE
from hubbub.telemetry.redaction import REDACTED, clean, escape, is_sensitive, scrub

TOKEN = mint("s" * 32, "ada", now=1_700_000_000, ttl=60)
API_KEY = new_key()[0]
SECRET = "correct-horse_battery.staple"


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"invalid token {TOKEN} from ada",
        f"wss://host/v1/ws?token={TOKEN}&x=1",
        f"eyJhbGciOiJub25lIn0.{'x' * 20}.",
        f"Authorization: Bearer {TOKEN}",
        TOKEN.replace(".", "%2E"),
    ],
)
def test_tokens_are_known_by_their_looks(text: str) -> None:
    scrubbed = scrub(text)
    assert REDACTED in scrubbed
    assert not any(part in scrubbed for part in TOKEN.split("."))
    assert "x" * 20 not in scrubbed


@pytest.mark.parametrize("before", ["", "key ", "('", "x=", "Bearer ", "/v1/"])
def test_api_keys_are_known_by_their_looks(before: str) -> None:
    assert API_KEY.removeprefix("hubbub_") not in scrub(f"{before}{API_KEY} and more")


@pytest.mark.parametrize(
    "text",
    [
        f"/v1/sse?channel=a&ticket={SECRET}",
        f"/v1/ws?token={SECRET}",
        f"https://idp/keys?client_secret={SECRET}&x=1",
        f"?Token={SECRET}#top",
        f"next=%2Fv1%2Fsse%3Fticket%3D{SECRET}",
        f'{{"token": "{SECRET}", "id": 1}}',
        f'{{"secret":"{SECRET}"}}',
        f"{{'api_key': '{SECRET}'}}",
        f"Settings(hmac_secret='{SECRET}', port=1)",
        f'Settings(password="{SECRET}")',
        f"Cookie: session={SECRET}; other=1",
        f"set-cookie: a={SECRET}",
        f"Authorization: Basic {SECRET}",
        f"X-Api-Key: {SECRET}",
        f"authorization': b'{SECRET}'",
        f"sent Bearer {SECRET} twice",
        f'a string in JSON in JSON: "{{\\"token\\": \\"{SECRET}\\"}}"',
    ],
)
def test_secrets_are_known_by_the_name_before_them(text: str) -> None:
    assert SECRET not in scrub(text)
    assert REDACTED in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "invalid token: its signature does not match",
        "auth.hmac_secret is not set, so no token could be verified.",
        "auth.token_bytes=8192",
        "token expired: exp has passed",
        "a ticket is one-use",
        "/v1/tickets?channel=lobby",
        "the basic idea",
        "hubbub_delivery_seconds_bucket",
        *(f"hubbub_{name}_total" for name in TABLE),
    ],
)
def test_words_about_secrets_stay(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "Authorization",
        "X-Api-Key",
        "apiKey",
        "clientSecret",
        "hmac_secret",
        "Cookie",
        "api_keys",
        "ticket",
    ],
)
def test_sensitive_names(name: str) -> None:
    assert is_sensitive(name)
    assert clean({name: SECRET}) == {name: REDACTED}
    assert clean({name: [SECRET]}) == {name: REDACTED}


@pytest.mark.parametrize(
    "name", ["token_bytes", "token_id", "key", "user", "tickets_made", "secretary", "stoken"]
)
def test_harmless_names(name: str) -> None:
    assert not is_sensitive(name)
    assert clean({name: "x"}) == {name: "x"}


def test_numbers_and_absence_may_be_said_even_of_secrets() -> None:
    assert clean({"token": None, "tokens": 3, "secret": True}) == {"token": None, "tokens": 3, "secret": True}


class Pair(NamedTuple):
    name: str
    token: str


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": [{"token": SECRET}]}},
        [("Authorization", SECRET), ("Host", "x")],
        ((b"cookie", SECRET.encode()),),
        Connect(1, token=SECRET, resume=Resume("s", SECRET)),
        Pair("ada", SECRET),
        f"?secret={SECRET}".encode(),
        ValueError(f"token='{SECRET}'"),
        {f"?token={SECRET}": 1},
        {frozenset({f"?token={SECRET}"})},
        Broken(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secrets_are_found_inside_of_values(value: Any) -> None:
    assert SECRET not in repr(clean(value))


def test_depth_is_bounded_and_what_is_below_is_still_scrubbed() -> None:
    value: Any = {"token": SECRET}
    for _ in range(100):
        value = {"inner": value}
    assert SECRET not in repr(clean(value))


def test_a_list_that_holds_itself_ends() -> None:
    value: list[Any] = [f"token={SECRET}"]
    value.append(value)
    assert SECRET not in repr(clean(value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\n2026-01-01 error", "a\\r\\n2026-01-01 error"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("grüße 👋", "grüße 👋"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert clean({"x": text}) == {"x": shown}
    assert clean({text: 1}) == {shown: 1}


def test_line_breaks_can_be_kept() -> None:
    assert escape("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@given(st.text())
def test_cleaned_text_is_printable_and_can_be_encoded(text: str) -> None:
    cleaned = clean(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in cleaned)
    cleaned.encode()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30), st.text(max_size=30))
def test_a_token_is_found_in_any_company(before: str, after: str) -> None:
    token = mint("s" * 32, secrets.token_hex(4), now=1_700_000_000, ttl=60)
    shown = clean(f"{before}{token} {after}")
    assert token.split(".")[2] not in shown
    assert token.split(".")[1] not in shown
