"""A server's files over HTTP: routes, hub and store, no sockets."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from tests.api.chat_server import ChatServer

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


class FileClient:
    """One user of a server, or the server itself with its API key (`""`)."""

    def __init__(self, server: ChatServer, user: str) -> None:
        self.server = server
        self.user = user

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, content: Any = b""
    ) -> Any:
        given = {**self.server.credentials(self.user), **(headers or {})}
        return await self.server.http.request(method, path, headers=given, content=content)

    async def begin(self, size: int, name: str = "a.bin") -> str:
        """Begin an upload; its path."""
        said = "filename " + base64.b64encode(name.encode()).decode()
        answer = await self.ask(
            "POST", "/v1/uploads", {**TUS, "Upload-Length": str(size), "Upload-Metadata": said}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    async def patch(
        self, path: str, offset: int, content: bytes, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        given = {**PATCH, "Upload-Offset": str(offset), **(headers or {})}
        answer: httpx2.Response = await self.ask("PATCH", path, given, content)
        return answer

    async def take(self, content: bytes, name: str = "a.bin") -> str:
        """Upload in one request; the file's id."""
        answer = await self.ask("POST", f"/v1/uploads?name={name}", None, content)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def cut(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each
