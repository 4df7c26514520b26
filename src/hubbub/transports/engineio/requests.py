"""What a long-polling request asks for, and what it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from hubbub.transports.direct import Answer

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


UNKNOWN = Refused(UNKNOWN_SID)
GONE_UPGRADE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-type: text/html\r\nContent-Length: 18\r\nConnection: close\r\n\r\n"
    + MESSAGES[UNKNOWN_SID].encode()
)
"""What an upgrade is told, as it goes out, whose session was on a node that is gone."""

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


def parse_query(raw: bytes) -> Query:
    """The fields of a query as the reference reads them (WHATWG URL): of equal names the last counts."""
    text = raw.decode("latin-1")
    if "%" in text or "+" in text:
        return dict(parse_qsl(text, keep_blank_values=True))
    return {name: value for name, _, value in [part.partition("=") for part in text.split("&")]}
