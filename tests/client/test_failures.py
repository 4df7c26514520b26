from __future__ import annotations

import pytest

from hubbub.client.events import ClientError, Disconnected
from hubbub.client.failures import ended_by, endpoint, refusal, told_to_wait, why
from hubbub.errors import ErrorCode
from hubbub.model import DisconnectPush, ErrorReply


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://h:1", "ws://h:1/v1/ws"),
        ("http://h:1/", "ws://h:1/v1/ws"),
        ("https://h", "wss://h/v1/ws"),
        ("h:8000", "ws://h:8000/v1/ws"),
        ("wss://h/chat/v1/ws", "wss://h/chat/v1/ws"),
        ("ws://[::1]:8000", "ws://[::1]:8000/v1/ws"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert endpoint(url) == address


@pytest.mark.parametrize("url", ["", "ftp://h", "ws://", "://x", "//"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ClientError, match="is not the address"):
        endpoint(url)


def test_refusals_keep_what_the_server_said() -> None:
    error = refusal(ErrorReply(1, int(ErrorCode.RATE_LIMITED), "slow down", retry_after=2.0, field="x"))
    assert (error.code, error.message, error.retry_after, error.field) == (
        ErrorCode.RATE_LIMITED,
        "slow down",
        2.0,
        "x",
    )


@pytest.mark.parametrize("temporary", [True, False])
def test_codes_of_later_servers(temporary: bool) -> None:
    assert refusal(ErrorReply(1, 999, "new", temporary=temporary)).info.temporary is temporary


def test_a_disconnect_says_its_number() -> None:
    ended = ended_by(DisconnectPush(3503, "access was revoked by ada", False))
    assert isinstance(ended, Disconnected)
    assert str(ended) == "access was revoked by ada (revoked, 3503)"
    assert not ended.reason.reconnect


def test_reasons_are_in_words() -> None:
    assert why(ConnectionRefusedError(111, "x")) == "connection refused"
    assert why(TimeoutError()) == "it does not answer"
    assert why(OSError(5, "Input/output error")) == "Input/output error"
    assert why(EOFError()) == "EOFError"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("", 0.0),
        ("-1", 0.0),
        ("1.5", 0.0),
        ("99999999", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        (None, 0.0),
    ],
)
def test_how_long_a_server_asks_to_wait(text: str | None, seconds: float) -> None:
    assert told_to_wait(text) == seconds
