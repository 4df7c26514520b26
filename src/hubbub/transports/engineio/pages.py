"""Which pages may use Engine.IO, and what their browsers are told (Fetch, section 3.2). The rules are those of
`transports.cors` for an API; the words of the answers are Engine.IO's."""

from __future__ import annotations

from hubbub.transports.cors import MAX_AGE, VARY, allowed
from hubbub.transports.direct import Answer, Lines, Request
from hubbub.transports.guards import Origins

FOREIGN = Lines(VARY)
"""What pages are told that may not come in: nothing, but caches are."""
METHODS = b"GET, POST"
REMEMBERED = 1024


class Pages:
    """Judges origins, and remembers what it came to."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._known: dict[tuple[bytes, str, bytes | None], Lines | None] = {}
        self._no_page = Lines() if origins.any else FOREIGN

    def headers(self, request: Request) -> Lines | None:
        """What any answer to `request` tells the browser; None if it is from a page that may not come in."""
        origin = request.header(b"origin")
        if origin is None:
            return self._no_page
        scheme, host = request.scheme, request.header(b"host")
        key = (origin, scheme, host)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            name = host.decode("latin-1") if host is not None else None
            permitted = self._origins.permits(origin.decode("latin-1"), scheme, name)
            self._known[key] = Lines(*allowed(self._origins, origin)) if permitted else None
        return self._known[key]


def preflight(request: Request) -> Answer | None:
    """The answer to a browser that asks before a page of a permitted origin sends headers of its own: all that it asks
    for, since they mean nothing but to the application's handlers. None if it does not ask that."""
    if request.method != "OPTIONS" or request.header(b"access-control-request-method") is None:
        return None
    headers = [(b"access-control-allow-methods", METHODS), (b"access-control-max-age", MAX_AGE)]
    requested = request.header(b"access-control-request-headers")
    if requested is not None:
        headers.append((b"access-control-allow-headers", requested))
    return Answer(204, *headers)
