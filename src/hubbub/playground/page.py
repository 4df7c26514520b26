"""The playground at `/` in `--dev`: a page's files, served from the package by a small ASGI application.

The page is plain ES modules; nothing is built, and nothing comes from or goes to another origin: the
Content-Security-Policy sees to it, and `require-trusted-types-for` to it that no string ever becomes markup.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib.resources import files
from typing import Any, Final, NamedTuple

from hubbub.config import Config

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

INDEX: Final = "/"
BESIDE: Final = "/playground"
"""The page, too: where it is found when the web app is at `/`. (Without a slash, so that its links lead there.)"""

PREFIX: Final = "/playground/"
"""Where the page's other files are; everything below belongs to this application."""

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class File(NamedTuple):
    """One file of the page. `etag` is a strong validator of `body` (RFC 9110, section 8.8.3), quotes included."""

    body: bytes
    content_type: str
    etag: str


def playground_app(config: Config) -> ASGIApp:
    """The application for what `takes` says; all it answers is 404 while `server.playground` is off.

    The files are read once, in a thread, when the first is asked for. Browsers keep them but ask each time whether
    they have changed.
    """
    pages: dict[str, File] | None = None if config.server.playground else {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal pages
        if pages is None:
            pages = await asyncio.to_thread(read_files)
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
        file = pages.get(INDEX if path == BESIDE else path)
        status, headers, body = _answer(file, scope["method"], dict(scope["headers"]))
        headers.append((b"content-length", b"%d" % len(body)))
        if scope["method"] == "HEAD":
            body = b""
        elif status == 304:
            headers.pop()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def takes(path: str) -> bool:
    """Whether `path`, below where the server is mounted, belongs to the playground."""
    return path in (INDEX, BESIDE) or path.startswith(PREFIX)


def read_files() -> dict[str, File]:
    """The page's files by URL path; `index.html` is `/`."""
    found = {}
    for entry in files(__package__).iterdir():
        dot = entry.name.rfind(".")
        content_type = CONTENT_TYPES.get(entry.name[dot:])
        if content_type is not None:
            body = entry.read_bytes()
            path = INDEX if entry.name == "index.html" else PREFIX + entry.name
            found[path] = File(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
    return found


def _answer(
    file: File | None, method: str, request: Mapping[bytes, bytes]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for a request."""
    plain = [(b"content-type", b"text/plain; charset=utf-8"), *SECURITY_HEADERS]
    if file is None:
        return 404, plain, b"not found\n"
    if method not in ("GET", "HEAD"):
        return 405, [(b"allow", b"GET, HEAD"), *plain], b"method not allowed\n"
    headers = [(b"etag", file.etag.encode()), (b"cache-control", b"no-cache"), *SECURITY_HEADERS]
    if _matches(request.get(b"if-none-match", b"").decode("latin-1"), file.etag):
        return 304, headers, b""
    return 200, [(b"content-type", file.content_type.encode()), *headers], file.body


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison with each tag of If-None-Match (RFC 9110, section 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (etag, "*") for tag in tags)
