"""A long-polling request as the engine sees it, whoever reads it from the network, and the answers to it."""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from hubbub.auth.base import ConnectionInfo

if TYPE_CHECKING:
    from hubbub.transports.engineio.session import Owner

Query = Mapping[str, str]

UNKNOWN_TRANSPORT = 0
UNKNOWN_SID = 1
BAD_METHOD = 2
BAD_REQUEST = 3
FORBIDDEN = 4
UNSUPPORTED_VERSION = 5
MESSAGES = (
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
)


class Refused(Exception):
    """A request that the engine turns down: one of the reference's codes, and its sentence unless there is a better
    one. `retry_after` is in seconds."""

    def __init__(self, code: int, message: str = "", *, status: int = 400, retry_after: int = 0) -> None:
        self.code = code
        self.message = message or MESSAGES[code]
        self.status = status
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def body(self) -> bytes:
        return b'{"code":%d,"message":"%b"}' % (self.code, self.message.encode())


class Answer:
    """An answer but for its body: made once, sent many times. `head` is status line and headers as they are sent."""

    __slots__ = ("head", "headers", "status")

    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers
        line = b"HTTP/1.1 %d %b\r\n" % (status, http.HTTPStatus(status).phrase.encode())
        self.head = line + b"".join([b"%b: %b\r\n" % header for header in headers])


_NO_STORE = (b"cache-control", b"no-store")
_TEXT = (b"Content-Type", b"text/plain; charset=UTF-8")
POLL = Answer(200, _TEXT, _NO_STORE)
POLL_ENCODED = {
    name: Answer(200, _TEXT, (b"Content-Encoding", name.encode()), _NO_STORE) for name in ("gzip", "deflate")
}
TAKEN = Answer(200, (b"Content-Type", b"text/html"), _NO_STORE)
BROKEN = Answer(400)
TOO_LARGE = Answer(413)
NO_SUCH_METHOD = Answer(500)


def refusal(refused: Refused) -> Answer:
    """The answer to a request that was refused."""
    headers = [(b"Content-Type", b"application/json")]
    if refused.retry_after:
        headers.append((b"Retry-After", b"%d" % refused.retry_after))
    return Answer(refused.status, *headers)


class Taker(Protocol):
    """Who waits for the rest of a request."""

    def taken(self, request: PollRequest, body: bytes) -> None:
        """The body is whole."""

    def oversized(self, request: PollRequest) -> None:
        """The body is larger than `limits.packet_bytes`; the rest of it is read and dropped."""

    def lost(self, request: PollRequest) -> None:
        """The client has left before the answer."""


class PollRequest(Protocol):
    """A GET or POST, from when its headers are there. Exactly one of `respond` and `abort` is called, once, unless the
    client has left."""

    method: str
    query: Query
    owner: Owner
    taker: Taker | None
    """Set by the engine for as long as it wants to be told."""

    def header(self, name: bytes) -> bytes | None:
        """The last header of that name, which is given in lower case."""

    def info(self) -> ConnectionInfo:
        """What is known of the client."""

    def admit(self) -> str | None:
        """Take a place for a session among the connections: the address to be given back at its end, None where the
        request's own socket has a place already. Raises Refused."""

    def respond(self, answer: Answer, body: bytes = b"") -> None: ...

    def abort(self) -> None:
        """End the TCP connection without an answer."""


def parse_query(raw: bytes) -> Query:
    """The fields of a query as the reference reads them (WHATWG URL): of equal names the last counts."""
    text = raw.decode("latin-1")
    if "%" in text or "+" in text:
        return dict(parse_qsl(text, keep_blank_values=True))
    return {name: value for name, _, value in [part.partition("=") for part in text.split("&")]}
