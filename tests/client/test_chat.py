from __future__ import annotations

import pytest

from hubbub.client import chat


def test_all_that_is_public_can_be_imported() -> None:
    assert {getattr(chat, name).__name__ for name in chat.__all__} == set(chat.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = chat.nothing
