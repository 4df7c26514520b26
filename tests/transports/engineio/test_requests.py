"""What a query says, and what refusals look like."""

from __future__ import annotations

import json

import pytest

from hubbub.transports.engineio.requests import MESSAGES, Refused, parse_query, refusal


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", {"": ""}),
        (b"EIO=4&transport=polling&sid=a-_b", {"EIO": "4", "transport": "polling", "sid": "a-_b"}),
        (b"EIO=3&EIO=4", {"EIO": "4"}),
        (b"sid", {"sid": ""}),
        (b"sid=a=b", {"sid": "a=b"}),
        (b"a=%34+x&b=%26%3D", {"a": "4 x", "b": "&="}),
        (b"a=%ff&b=%", {"a": "\ufffd", "b": "%"}),
        (b"a=%C3%A9", {"a": "é"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"__proto__=x&constructor=y", {"__proto__": "x", "constructor": "y"}),
    ],
)
def test_queries(raw: bytes, fields: dict[str, str]) -> None:
    assert parse_query(raw) == fields


@pytest.mark.parametrize("code", range(6))
def test_refusals(code: int) -> None:
    refused = Refused(code)
    assert json.loads(refused.body) == {"code": code, "message": MESSAGES[code]}
    assert refusal(refused).head == b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"


def test_a_refusal_for_now() -> None:
    answer = refusal(Refused(4, "too many", status=503, retry_after=5))
    assert answer.head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 5\r\n" in answer.head
