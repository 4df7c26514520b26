"""Accepting and refusing tokens, with each kind of key."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from tests.auth.signers import NOW, signer

from hubbub.auth.tokens import (
    Key,
    KeySet,
    TokenRules,
    verify,
)
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Principal

RULES = TokenRules()
HS = signer("HS256")


def refusal(
    token: str, keys: KeySet, rules: TokenRules = RULES, now: float = NOW, check: Callable[..., Any] = verify
) -> HubbubError:
    """The error that the token meets, which never repeats any of it."""
    with pytest.raises(HubbubError) as caught:
        check(token, keys, rules, now)
    said = (
        "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.__dict__)
    )
    for part in token.split("."):
        words = part.replace(" ", "").isalpha() or len(set(part)) < 4  # as any message and traceback has them
        assert len(part) < 8 or words or part not in said
    assert caught.value.code in (ErrorCode.INVALID_TOKEN, ErrorCode.TOKEN_EXPIRED)
    return caught.value


def invalid(token: str, *keys: Key, why: str, rules: TokenRules = RULES, now: float = NOW) -> None:
    error = refusal(token, KeySet(keys or (HS.key,)), rules, now)
    assert error.code is ErrorCode.INVALID_TOKEN
    assert why in error.message


def accept(token: str, *keys: Key, rules: TokenRules = RULES, now: float = NOW) -> Principal:
    return verify(token, KeySet(keys or (HS.key,)), rules, now)
