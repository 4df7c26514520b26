"""The server API as one ASGI application."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide

from hubbub.api import access, channels, chat, connections, deadletters, nodes, pages, placement, publishing
from hubbub.api.body import StrictBody
from hubbub.api.chat_callers import Callers
from hubbub.api.context import ApiContext, provided
from hubbub.api.errors import handle
from hubbub.api.files import FileServer
from hubbub.api.paths import route_path
from hubbub.api.previews import PreviewImages
from hubbub.api.security import require_api_key
from hubbub.chat.directory import OPERATIONS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Headers of every answer that says nothing else."""


def routers() -> tuple[Router, ...]:
    """The routes of the API that are written by hand, in groups by who may call them. Those of the chat are made from
    its operations."""
    guarded = (
        *publishing.ROUTES,
        *channels.ROUTES,
        *connections.ROUTES,
        *deadletters.ROUTES,
        *access.ROUTES,
        *nodes.ROUTES,
        *placement.ROUTES,
    )
    return (
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
    )


@lru_cache(maxsize=4)
def _routes(body_bytes: int, with_chat: bool) -> Litestar:
    """The routes, which hold nothing of any server: each request brings its context along."""
    described = routers()
    operations = tuple(OPERATIONS.values()) if with_chat else ()
    return Litestar(
        route_handlers=[*described, Router("/v1", route_handlers=chat.routes(operations)), *pages.ROUTES],
        dependencies={"api": Provide(provided, sync_to_thread=False)},
        exception_handlers={Exception: handle},
        request_max_body_size=body_bytes,
        openapi_config=None,
        logging_config=None,
        state=State({"routers": described, "operations": operations}, deep_copy=False),
    )


def build_api(context: ApiContext) -> AsgiApp:
    """The application for every path that no transport has taken."""
    routes = _routes(context.hub.config.limits.body_bytes, context.chat is not None)
    callers = None if context.chat is None else Callers(context, context.chat)
    files = None if callers is None else FileServer(context, callers)
    images = None if context.chat is None else PreviewImages(context.chat)
    requests = context.hub.metrics.http_requests

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request_id = secrets.token_hex(8)
        root = scope.get("root_path", "").rstrip("/")
        inner = {
            **scope,
            "state": {"context": context, "callers": callers, "request_id": request_id, "mounted": root},
            "root_path": "",
            "path": _path(scope, root),
        }

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                requests[f"{message['status'] // 100}xx"] += 1
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers.append((b"x-request-id", request_id.encode()))
                headers += [pair for pair in ALWAYS if pair[0] not in given]
                message["headers"] = headers
            await send(message)

        if files is not None and files.takes(inner["path"]):
            await files(inner, receive, answer)
        elif images is not None and images.takes(inner["path"]):
            await images(inner, receive, answer)
        else:
            await routes(inner, receive, answer)  # type: ignore[arg-type]

    return app


def _path(scope: Scope, root: str) -> str:
    """The path to route by, below where the application is mounted."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    return route_path(path)
