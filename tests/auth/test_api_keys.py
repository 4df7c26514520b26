"""API keys: made, hashed and checked."""

from __future__ import annotations

import hashlib

import pytest

from hubbub.auth.api_keys import PREFIX, ApiKeys, hash_key, new_key
from hubbub.errors import ConfigError, ErrorCode, HubbubError


def test_a_new_key_has_256_bits_and_its_hash_does_not_give_it_away() -> None:
    key, hashed = new_key()
    assert key.startswith(PREFIX)
    assert len(key) == len(PREFIX) + 43
    assert hashed == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    assert key[len(PREFIX) :] not in hashed
    assert len({new_key()[0] for _ in range(100)}) == 100


def test_any_of_several_keys_is_accepted_and_named() -> None:
    pairs = [new_key() for _ in range(3)]
    keys = ApiKeys(hashed for _, hashed in pairs)
    assert len(keys) == 3
    for key, hashed in pairs:
        assert keys.check(key) == hashed.removeprefix("sha256:")[:8]


@pytest.mark.parametrize(
    "change", [str.upper, str.strip, lambda k: k[:-1], lambda k: k + "a", lambda k: k[1:]]
)
def test_other_keys_are_refused_without_being_repeated(change: object) -> None:
    key, hashed = new_key()
    keys = ApiKeys([hashed])
    assert callable(change)
    wrong = change(key)
    if wrong == key:
        keys.check(wrong)
        return
    with pytest.raises(HubbubError) as caught:
        keys.check(wrong)
    assert caught.value.code is ErrorCode.UNAUTHENTICATED
    assert wrong not in str(caught.value)


@pytest.mark.parametrize("key", [None, "", "hubbub_", "é", "\ud800", "x" * 100_000])
def test_what_is_no_key(key: str | None) -> None:
    for keys in (ApiKeys([]), ApiKeys([new_key()[1]])):
        with pytest.raises(HubbubError, match="valid API key"):
            keys.check(key)


def test_the_hash_itself_and_the_hash_of_nothing_are_no_keys() -> None:
    _, hashed = new_key()
    with pytest.raises(HubbubError):
        ApiKeys([hashed]).check(hashed)
    with pytest.raises(HubbubError):
        ApiKeys([hash_key("")]).check("")


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 64, "a" * 64]
)
def test_a_hash_that_is_none_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ConfigError, match=r"auth\.api_keys\[1\].*hubbub token --api-key"):
        ApiKeys([new_key()[1], text])


def test_a_key_in_place_of_its_hash_is_not_repeated() -> None:
    key, _ = new_key()
    with pytest.raises(ConfigError) as caught:
        ApiKeys([key])
    assert key not in str(caught.value)
