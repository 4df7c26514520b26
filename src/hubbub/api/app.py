"""The server API as one ASGI application."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide

from hubbub.api import access, channels, connections, publishing
from hubbub.api.body import StrictBody
from hubbub.api.context import ApiContext
from hubbub.api.errors import handle
from hubbub.api.paths import route_path
from hubbub.api.security import require_api_key

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def routers() -> list[Router]:
    """All routes of the API, in three groups by who may call them."""
    guarded = (*publishing.ROUTES, *channels.ROUTES, *connections.ROUTES, *access.ROUTES)
    return [
        Router(
            "/v1",
            route_handlers=guarded,
            guards=[require_api_key],
            security=[{"apiKey": []}],
            dto=StrictBody,
            return_dto=None,
        ),
        Router("/v1", route_handlers=access.PUBLIC_ROUTES, dto=StrictBody, return_dto=None),
        Router("/", route_handlers=[access.dev_token], dto=StrictBody, return_dto=None),
    ]


def build_api(context: ApiContext) -> AsgiApp:
    """The application for every path that no transport has taken."""
    litestar = Litestar(
        route_handlers=routers(),
        dependencies={"api": Provide(lambda: context, sync_to_thread=False)},
        exception_handlers={Exception: handle},
        request_max_body_size=context.config.limits.body_bytes,
        openapi_config=None,
        logging_config=None,
        state=State({"context": context}, deep_copy=False),
    )
    metrics = context.hub.metrics

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request_id = secrets.token_hex(8)
        inner = {**scope, "state": {"request_id": request_id}, "root_path": "", "path": _path(scope)}

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                metrics.http_requests[f"{message['status'] // 100}xx"] += 1
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await litestar(inner, receive, answer)  # type: ignore[arg-type]

    return app


def _path(scope: Scope) -> str:
    """The path to route by, below where the application is mounted."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    root = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    return route_path(path)
