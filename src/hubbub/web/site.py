"""The web app as a small ASGI application: the page, with what it must know written into it, and its files.

Nothing comes from or goes to another origin but what the settings name: the Content-Security-Policy sees to it, and
`require-trusted-types-for` to it that no string ever becomes markup.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from hubbub.web.files import CONTENT_TYPES, INDEX, File, file_of, read_static

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from hubbub.config import Config

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

ROOT: Final = "/"
PLAYGROUND: Final = "/playground"
"""Leads to the developer's page, where there is one."""
PREFIXES: Final = ("/assets/", "/web/")
"""Where the app's other files are: those in `assets` are named by what is in them, and never change."""

FOREVER: Final = b"public, max-age=31536000, immutable"
PLACE: Final = '<meta name="hubbub" content="{}">'
"""What `web/index.html` has where the page is told what it must know."""

NOT_BUILT: Final = b"""The web app has not been built.

From a source checkout: `scripts/serve` builds it where Node 20 or later is installed. By hand:

    cd web && npm ci --ignore-scripts && npm run build

and start the server again. Packages have it built in. To serve without it: web.enabled = false.
"""


class PageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the page must know before it has a connection."""

    title: str
    version: str
    text_length: int
    """`limits.text_length`: who writes is to see it coming."""
    dev: bool = False
    playground: bool = False
    chat: bool = True
    token_url: str | None = None


def takes(path: str) -> bool:
    """Whether `path`, below where the server is mounted, belongs to the web app."""
    return path in (ROOT, PLAYGROUND) or path.startswith(PREFIXES)


def web_app(config: Config, version: str, root: Traversable | None = None) -> ASGIApp:
    """The application for what `takes` says. Without built files `/` says what is to be done, with status 503.

    The files (of `root`, by default the package's own) are read once, in a thread, when the first is asked for.
    """
    site: dict[str, File] | None = None
    security = security_headers(config)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal site
        if site is None:
            site = await asyncio.to_thread(_site, config, version, root)
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
        if path == PLAYGROUND and config.server.playground:
            # Relative, since the server may be mounted below a path: where that is, proxies may not tell.
            headers: Headers = [(b"location", b"./#/developer")]
            status, body = 307, b""
        else:
            status, headers, body = _answer(site, path, scope["method"], dict(scope["headers"]))
        headers += security
        if status != 304:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def security_headers(config: Config) -> Headers:
    """The policy: the server's own origin, the places of `web.image_sources`, and the origin of `web.token_url`."""
    web = config.web
    images = " ".join(("'self'", "blob:", *web.image_sources))
    token = urlsplit(web.token_url or "")
    connect = " ".join(("'self'", f"{token.scheme}://{token.netloc}") if token.netloc else ("'self'",))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; manifest-src 'self'; "
        f"img-src {images}; media-src 'self' blob:; connect-src {connect}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]


def index_of(page: str, config: PageConfig) -> str:
    """`web/index.html` with its title and configuration. Raises ValueError if there is no place for them."""
    if page.count(PLACE) != 1:
        raise ValueError(f"web/index.html must have {PLACE} once")
    content = escape(msgspec.json.encode(config).decode())
    return page.replace(PLACE, PLACE.replace("{}", content)).replace(
        "<title>Hubbub</title>", f"<title>{escape(config.title)}</title>"
    )


def _site(config: Config, version: str, root: Traversable | None) -> dict[str, File]:
    """The files by URL path."""
    found = read_static(root)
    index = found.pop(INDEX, None)
    if index is None:
        return {}
    web = config.web
    page = PageConfig(
        title=web.title,
        version=version,
        text_length=config.limits.text_length,
        dev=config.dev,
        playground=config.server.playground,
        chat=config.chat.enabled,
        token_url=web.token_url,
    )
    html = index_of(index.bodies["identity"].data.decode(), page)
    return {ROOT: file_of(CONTENT_TYPES[".html"], html.encode())} | {
        f"/{path}": file for path, file in found.items()
    }


def _answer(
    site: Mapping[str, File], path: str, method: str, request: Mapping[bytes, bytes]
) -> tuple[int, Headers, bytes]:
    """Status, headers and body for a request."""
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    file = site.get(path)
    if file is None:
        return (503, plain, NOT_BUILT) if path == ROOT and not site else (404, plain, b"not found\n")
    if method not in ("GET", "HEAD"):
        return 405, [(b"allow", b"GET, HEAD"), *plain], b"method not allowed\n"
    coding = accepted(request.get(b"accept-encoding", b"").decode("latin-1"), file)
    body = file.bodies[coding]
    lasting = path.startswith("/assets/")
    headers = [
        (b"etag", body.etag.encode()),
        (b"cache-control", FOREVER if lasting else b"no-cache"),
        (b"vary", b"accept-encoding"),
    ]
    if _matches(request.get(b"if-none-match", b"").decode("latin-1"), body.etag):
        return 304, headers, b""
    headers.append((b"content-type", file.content_type.encode()))
    if coding != "identity":
        headers.append((b"content-encoding", coding.encode()))
    return 200, headers, body.data


def accepted(accept_encoding: str, file: File) -> str:
    """The first of the file's codings that the client takes (RFC 9110, section 12.5.3); `identity` always is."""
    refused: set[str] = set()
    taken: set[str] = set()
    for element in accept_encoding.lower().split(","):
        coding, _, parameter = element.partition(";")
        name, _, weight = parameter.strip().partition("=")
        zero = name.strip() == "q" and not weight.strip().strip("0.")
        (refused if zero else taken).add(coding.strip())
    for coding in file.bodies:
        if coding == "identity" or (coding not in refused and (coding in taken or "*" in taken)):
            return coding
    return "identity"


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison with each tag of If-None-Match (RFC 9110, section 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (etag, "*") for tag in tags)
