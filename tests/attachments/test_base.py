from __future__ import annotations

from hubbub.attachments.base import unavailable
from hubbub.errors import ErrorCode


def test_a_store_that_does_not_answer_is_a_temporary_error() -> None:
    assert unavailable().code == ErrorCode.STORE_UNAVAILABLE
    assert unavailable().info.temporary
    assert unavailable("it is closed").message.endswith(": it is closed")
