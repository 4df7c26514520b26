from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import pytest

from hubbub.errors import ErrorCode, HubbubError
from hubbub.transports.http import Exchange, Gone, route_path

pytestmark = pytest.mark.anyio


class Fake:
    """The server's side of ASGI: `messages` come in, `sent` goes out; then the client is silent."""

    def __init__(self, *messages: dict[str, Any], **scope: Any) -> None:
        self.messages = list(messages)
        self.sent: list[MutableMapping[str, Any]] = []
        self.requests: Counter[str] = Counter()
        base: dict[str, Any] = {"method": "POST", "path": "/x", "headers": [], "query_string": b""}
        self.exchange = Exchange(base | scope, self._receive, self._send, self.requests)

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/v1/sse", "", "/v1/sse"),
        ("/rt/v1/sse", "/rt", "/v1/sse"),
        ("/rt/v1/sse", "/rt/", "/v1/sse"),
        ("/v1/sse", "/rt", "/v1/sse"),  # a host that has stripped it
        ("/rt", "/rt", "/"),
        ("/rtx/v1", "/rt", "/rtx/v1"),
    ],
)
def test_paths_are_relative_to_the_mount_point(path: str, root: str, below: str) -> None:
    assert route_path({"path": path, "root_path": root}) == below


async def test_a_body_comes_in_parts() -> None:
    assert await Fake(part(b"ab", more=True), part(b"c")).exchange.body(3, 1) == b"abc"


async def test_a_body_over_the_limit_is_refused_before_it_has_come() -> None:
    for fake in (
        Fake(part(b"ab", more=True), part(b"cd", more=True)),
        Fake(headers=[(b"content-length", b"4")]),
        Fake(headers=[(b"content-length", b"9" * 5_000)]),
    ):
        with pytest.raises(HubbubError) as refused:
            await fake.exchange.body(3, 1)
        assert refused.value.code is ErrorCode.MESSAGE_TOO_LARGE


async def test_a_body_that_trickles_is_given_up_with_408() -> None:
    fake = Fake(part(b"a", more=True))
    with pytest.raises(HubbubError) as refused:
        await fake.exchange.body(9, 0.01)
    await fake.exchange.refuse(refused.value)
    assert fake.sent[0]["status"] == 408
    assert fake.headers[b"connection"] == b"close"


async def test_a_client_that_leaves_within_its_body_is_gone() -> None:
    with pytest.raises(Gone):
        await Fake(part(b"a", more=True), {"type": "http.disconnect"}).exchange.body(9, 1)


async def test_a_refusal_is_a_row_of_the_error_table() -> None:
    fake = Fake(method="GET")
    error = HubbubError(ErrorCode.RATE_LIMITED, "slowly", field="channel", retry_after=0.2)
    await fake.exchange.refuse(error)
    assert fake.sent[0]["status"] == 429
    assert fake.headers[b"retry-after"] == b"1"
    assert fake.headers[b"cache-control"] == b"no-store"
    assert json.loads(fake.sent[1]["body"]) == {
        "code": 116,
        "name": "rate_limited",
        "message": "slowly",
        "temporary": True,
        "field": "channel",
        "retry_after": 0.2,
    }
    assert fake.requests == {"4xx": 1}


@pytest.mark.parametrize("value", ["Basic abc", "Bearer", "Bearer ", "token", ""])
def test_only_a_bearer_with_a_token_authorizes(value: str) -> None:
    with pytest.raises(HubbubError) as refused:
        Fake(headers=[(b"authorization", value.encode())]).exchange.bearer()
    assert refused.value.code is ErrorCode.UNAUTHENTICATED


def test_the_scheme_is_read_in_any_case() -> None:
    assert Fake(headers=[(b"Authorization", b"bEARER  abc ")]).exchange.bearer() == "abc"


def test_what_may_be_there_once_may_not_be_there_twice() -> None:
    fake = Fake(headers=[(b"authorization", b"Bearer a")] * 2, query_string=b"token=a&token=b")
    for read in (fake.exchange.bearer, lambda: fake.exchange.query("token")):
        with pytest.raises(HubbubError) as refused:
            read()
        assert refused.value.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("query", [b"a=%ff", b"a=%ed%a0%80", b"&".join([b"a=1"] * 1_001)])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(HubbubError) as refused:
        Fake(query_string=query).exchange.query_all("a")
    assert refused.value.code is ErrorCode.BAD_REQUEST
