from __future__ import annotations

import pytest

from hubbub.state.base import KEY_CHARACTERS, VALUE_BYTES, check


def test_what_a_state_keeps() -> None:
    check("k" * KEY_CHARACTERS, b"v" * VALUE_BYTES)
    check("ü" * KEY_CHARACTERS)


@pytest.mark.parametrize(
    ("key", "value"),
    [("", b""), ("k" * (KEY_CHARACTERS + 1), b""), ("k", b"v" * (VALUE_BYTES + 1)), ("\ud800", b"")],
)
def test_what_no_state_keeps(key: str, value: bytes) -> None:
    with pytest.raises(ValueError):
        check(key, value)
