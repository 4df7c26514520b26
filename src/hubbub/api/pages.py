"""What people and tools read about the API: an index, the documents, the reference page. All comes from here."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import FromPath

from hubbub import __version__
from hubbub.api.asyncapi import asyncapi_document
from hubbub.api.context import Context
from hubbub.api.documents import openapi_document
from hubbub.chat.operations import Operation
from hubbub.errors import ErrorCode, HubbubError

STATIC = files("hubbub.api") / "static"
Operations = tuple[Operation[Any, Any], ...]
MEDIA_TYPES = {
    "rapidoc.js": "text/javascript",
    "docs.js": "text/javascript",
    "docs.css": "text/css",
}
SECURITY_HEADERS = {
    # RapiDoc writes style attributes; scripts and connections are this server's only.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hubbub server API</title>
<link rel="stylesheet" href="docs/docs.css">
<script type="module" src="docs/docs.js"></script>
</head>
<body>
<noscript>This page needs JavaScript. The same is in <a href="openapi.json">openapi.json</a>.</noscript>
<rapi-doc spec-url="openapi.json" load-fonts="false" render-style="read" show-header="false"
 allow-server-selection="false" allow-spec-url-load="false" allow-spec-file-load="false"
 show-method-in-nav-bar="as-colored-text" schema-description-expanded="true" persist-auth="false"
 sort-tags="false" use-path-in-nav-bar="false"></rapi-doc>
</body>
</html>
"""


@get("/", include_in_schema=False)
async def index() -> dict[str, Any]:
    """Where to go from here."""
    return {
        "name": "hubbub",
        "version": __version__,
        "links": {
            "reference": "/docs",
            "openapi": "/openapi.json",
            "asyncapi": "/asyncapi.json",
            "websocket": "/v1/ws",
            "health": "/health/ready",
        },
    }


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI 3.1 document of this API."""
    return _json(
        await asyncio.to_thread(
            _openapi, request.app.state.routers, _root(request), request.app.state.operations
        )
    )


@get("/asyncapi.json", include_in_schema=False)
async def asyncapi(api: Context, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The AsyncAPI 3.0 document of the native protocol, as the application's handlers have extended it."""
    document = asyncapi_document(
        api.hub.handlers.methods,
        operations=request.app.state.operations,
        host=request.headers.get("host", "localhost"),
        secure=request.scope["scheme"] in ("https", "wss"),
        root=_root(request),
    )
    return _json(msgspec.json.encode(document))


@get("/docs", include_in_schema=False)
async def docs(api: Context) -> Response[str]:
    """The reference page."""
    _shown(api)
    return Response(PAGE, media_type="text/html", headers=SECURITY_HEADERS)


@get("/docs/{name:str}", include_in_schema=False)
async def static(api: Context, request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A file of the reference page, compressed for those who take it so."""
    _shown(api)
    if name not in MEDIA_TYPES:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")
    plain, small = await asyncio.to_thread(_file, name)
    headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(plain, media_type=MEDIA_TYPES[name], headers=headers)
    return Response(small, media_type=MEDIA_TYPES[name], headers=headers | {"Content-Encoding": "gzip"})


def _shown(api: Context) -> None:
    if not api.hub.config.server.docs:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")


def _root(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["state"]["mounted"])


def _json(body: bytes) -> Response[bytes]:
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=8)
def _openapi(routers: tuple[Router, ...], root: str, operations: Operations) -> bytes:
    return msgspec.json.encode(openapi_document(routers, root, operations))


@lru_cache(maxsize=len(MEDIA_TYPES))
def _file(name: str) -> tuple[bytes, bytes]:
    """A static file, as it is and compressed."""
    plain = (STATIC / name).read_bytes()
    return plain, gzip.compress(plain, 6, mtime=0)


ROUTES = (index, openapi, asyncapi, docs, static)
