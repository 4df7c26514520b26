from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hubbub.client import ClientError, HubbubError
from hubbub.client.chat.operations.table import TABLE
from hubbub.client.failures import root
from hubbub.client.rest import Rest, segment
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
BUSY = b'{"code":133,"name":"overloaded","message":"busy","temporary":true,"retry_after":0.01}'
DENIED = b'{"code":104,"name":"permission_denied","message":"no","temporary":false}'


class Scripted:
    """Answers requests with what it is given, and remembers them."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        self._answers = list(answers)
        self.heads: list[str] = []

    async def __aenter__(self) -> Rest:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.rest = Rest(root(f"127.0.0.1:{port}"), "hbk_1", attempts=3)
        return self.rest

    async def __aexit__(self, *exception: object) -> None:
        self.rest.http.close()
        self._server.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = self._answers.pop(0)
        if answer is not None:
            status, body = answer
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


async def test_what_is_safe_to_repeat_is_repeated() -> None:
    scripted = Scripted(None, (503, BUSY), (200, b"[1]"))
    async with scripted as rest:
        assert await rest.ask("POST", "/publish", list[int], body={}, key="k") == [1]
    assert len(scripted.heads) == 3
    assert all("Idempotency-Key: k\r\n" in head for head in scripted.heads)


@pytest.mark.parametrize(
    ("answers", "options", "error"),
    [
        ((None,), {}, ClientError),
        (((503, BUSY),), {}, HubbubError),
        (((403, DENIED),), {"again": True}, HubbubError),
        (((503, BUSY), (503, BUSY), (503, BUSY)), {"again": True}, HubbubError),
        (((502, b"<html>"),), {}, ClientError),
    ],
)
async def test_what_is_raised(answers: Any, options: Any, error: type[Exception]) -> None:
    scripted = Scripted(*answers)
    async with scripted as rest:
        with pytest.raises(error):
            await rest.ask("GET", "/x", Any, **options)
    assert len(scripted.heads) == len(answers)


async def test_operations_are_put_where_rest_has_them() -> None:
    scripted = Scripted((200, b"{}"), (200, b"{}"), (200, b"{}"))
    params = {"conversation": "a/b", "message": 7, "name": "👍", "limit": None}
    async with scripted as rest:
        await rest.operate(TABLE["reactions.add"], params, Any, None, "ada")
        given = {"conversation": "c", "thread": 3, "limit": None, "cursor": None}
        await rest.operate(TABLE["messages.list"], given, Any, None, None)
        await rest.operate(TABLE["users.upsert"], {"user": "ada", "avatar": None}, Any, "k", None)
        with pytest.raises(HubbubError) as missing:
            await rest.operate(TABLE["users.get"], {}, Any, None, None)
    assert (missing.value.code, missing.value.field) == (ErrorCode.VALIDATION_FAILED, "user")
    lines = [head.split("\r\n")[0] for head in scripted.heads]
    assert lines == [
        "PUT /v1/conversations/a%2Fb/messages/7/reactions/%F0%9F%91%8D HTTP/1.1",
        "GET /v1/conversations/c/messages?thread=3 HTTP/1.1",
        "PUT /v1/users/ada HTTP/1.1",
    ]
    assert "Hubbub-User: ada\r\n" in scripted.heads[0]
    assert "Idempotency-Key: " in scripted.heads[0]
    assert "Idempotency-Key: k\r\n" in scripted.heads[2]
    assert "Hubbub-User" not in scripted.heads[2]


def test_names_are_one_segment() -> None:
    assert segment("a/b c:ä") == "a%2Fb%20c%3A%C3%A4"
