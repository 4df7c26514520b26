"""Which pages may call: CORS (Fetch, section 3.2), and a refusal of what foreign pages send unasked (CSRF)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from hubbub.errors import ErrorCode, HubbubError
from hubbub.transports.guards import Origins
from hubbub.transports.http import AsgiApp, Exchange, Message, Receive, Scope, Send, header_values, route_path

ALLOW_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOW_HEADERS = (
    b"Authorization, Content-Type, Cache-Control, Last-Event-ID, Hubbub-Session-Secret, Idempotency-Key, Range, "
    b"Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, "
    b"X-Requested-With"
)
EXPOSE_HEADERS = (
    b"Hubbub-Next, Retry-After, WWW-Authenticate, X-Request-Id, Accept-Ranges, Content-Range, ETag, Location, "
    b"Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, "
    b"Upload-Metadata, Upload-Offset"
)
MAX_AGE = b"7200"  # the longest that Chromium keeps
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
VARY = (b"vary", b"Origin")


class Cors:
    """An ASGI application around another.

    Pages of a permitted origin may call with credentials, and are named exactly; with `*` every page may, without
    credentials. From other pages nothing below `/v1/` is served (an event stream is taken over, a ticket used up by
    a mere GET) and nothing that is not a GET; public pages are, but unreadable to them. Requests without an Origin
    are not from a page and need their token all the same.
    """

    def __init__(
        self, app: AsgiApp, origins: Origins, requests: Counter[str], apart: Collection[str] = ()
    ) -> None:
        """What is below the paths in `apart` keeps the same rules by itself."""
        self._app = app
        self._apart = apart
        self._requests = requests
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._apart and route_path(scope).startswith(tuple(self._apart)):
            await self._app(scope, receive, send)
            return
        origins = header_values(scope, b"origin")
        if not origins:
            await self._app(scope, receive, _adding(send, [] if self._origins.any else [VARY]))
            return
        exchange = Exchange(scope, receive, send, self._requests)
        if len(origins) > 1 or not self._permits(scope, origins[0]):
            if exchange.method in SAFE_METHODS and not exchange.path.startswith("/v1/"):
                await self._app(scope, receive, _adding(send, [VARY]))
            else:
                await exchange.refuse(HubbubError(ErrorCode.ORIGIN_REFUSED), [VARY])
            return
        headers = allowed(self._origins, origins[0].encode("latin-1"))
        if exchange.method == "OPTIONS" and header_values(scope, b"access-control-request-method"):
            headers += [
                (b"access-control-allow-methods", ALLOW_METHODS),
                (b"access-control-allow-headers", ALLOW_HEADERS),
                (b"access-control-max-age", MAX_AGE),
            ]
            await exchange.start(204, headers)
            await exchange.write(b"", more=False)
            return
        headers.append((b"access-control-expose-headers", EXPOSE_HEADERS))
        await self._app(scope, receive, _adding(send, headers))

    def _permits(self, scope: Scope, origin: str) -> bool:
        hosts = header_values(scope, b"host")
        host = hosts[0] if len(hosts) == 1 else None
        return self._origins.permits(origin, scope.get("scheme", "http"), host)


def allowed(origins: Origins, origin: bytes) -> list[tuple[bytes, bytes]]:
    """What the browser of a page of `origin`, which is permitted, wants to read in every answer."""
    if origins.any:
        return [(b"access-control-allow-origin", b"*")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        VARY,
    ]


def _adding(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return adding
