"""The HTTP application of one server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubbub.app import Hubbub


def build_asgi(server: Hubbub) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body = (200, b"ok\n") if scope["path"].startswith("/health/") else (404, b"not found\n")
        if scope["path"] == "/metrics":
            status, body = 200, server.metrics.exposition()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": body})

    return app
