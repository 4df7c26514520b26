from __future__ import annotations

from hubbub.client import ClientError, Disconnected
from hubbub.errors import REVOKED


def test_a_disconnect_is_a_client_error_with_its_row() -> None:
    error = Disconnected(REVOKED)
    assert isinstance(error, ClientError)
    assert error.reason is REVOKED
    assert str(error) == "access was revoked (revoked, 3503)"


def test_what_the_server_said_is_repeated() -> None:
    assert str(Disconnected(REVOKED, "by ada")) == "by ada (revoked, 3503)"
