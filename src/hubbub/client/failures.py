"""How a connection fails, and what that means: try again, or tell the user."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import msgspec

from hubbub import model
from hubbub.client import wire
from hubbub.client.events import ClientError, Disconnected
from hubbub.errors import Disconnect, ErrorCode, HubbubError, reason

RETRYABLE_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))
_NO_NETWORK = frozenset((errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL))


class LostError(ClientError):
    """The connection went while an answer was awaited."""


class UnreachableError(ClientError):
    """No session could be had. `again` says whether another attempt may succeed, `retry_after` in how many seconds, if
    the server told. `other` says whether another transport may do better, `offline` whether it is this machine that has
    no network."""

    def __init__(
        self,
        message: str,
        again: bool,
        retry_after: float = 0.0,
        *,
        other: bool = False,
        offline: bool = False,
    ) -> None:
        super().__init__(message)
        self.again = again
        self.retry_after = retry_after
        self.other = other
        self.offline = offline


class EndedError(Disconnected):
    """The connection has ended: the server said `disconnect`, or it broke. `again` says whether to come back,
    `retry_after` in how many seconds at least."""

    def __init__(
        self, reason: Disconnect, text: str = "", *, again: bool | None = None, retry_after: float = 0.0
    ) -> None:
        super().__init__(reason, text)
        self.again = reason.reconnect if again is None else again
        self.retry_after = retry_after


class ErrorBody(msgspec.Struct):
    """The body of a refusal over HTTP; it is named by its `code` and `name`."""

    code: int
    name: str
    message: str = ""
    temporary: bool = False
    field: str | None = None
    retry_after: float | None = None


_error_body = msgspec.json.Decoder(ErrorBody).decode


def root(url: str) -> str:
    """The address of a server without a path of the protocol: `ws` and `wss` are understood, and a path that a proxy
    has put before it is kept.

    Raises ClientError for another scheme or a missing host.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    try:
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        port_is_good = False
    if scheme not in ("http", "https") or not parts.hostname or not port_is_good:
        raise ClientError(f"{url} is not the address of a server, such as http://127.0.0.1:8000")
    path = parts.path.rstrip("/").removesuffix(wire.PATH)
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def endpoint(url: str) -> str:
    """The WebSocket's address for a server's: `http` and `https` are understood, the path is added.

    Raises ClientError for another scheme or a missing host.
    """
    parts = urlsplit(url if "//" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ClientError(f"{url} is not the address of a server, such as ws://127.0.0.1:8000")
    path = parts.path.rstrip("/")
    if not path.endswith(wire.PATH):
        path += wire.PATH
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def refusal(reply: model.ErrorReply | ErrorBody) -> HubbubError:
    try:
        code = ErrorCode(reply.code)
    except ValueError:  # a later server's code
        code = ErrorCode.INTERNAL if reply.temporary else ErrorCode.BAD_REQUEST
    return HubbubError(code, reply.message, field=reply.field, retry_after=reply.retry_after)


def refused_with(body: bytes) -> ErrorBody | None:
    """The refusal that the body of an answer is; None if it is somebody else's (a proxy's page)."""
    try:
        return _error_body(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def ended_by(push: model.DisconnectPush) -> EndedError:
    """What the server says of it counts where the table knows nothing: of applications' own codes, and later ones."""
    row = reason(push.code)
    again = push.reconnect if row.name == "custom" else row.reconnect
    return EndedError(
        replace(row, text=push.reason), push.reason, again=again, retry_after=push.retry_after or 0.0
    )


def refused(status: int, body: bytes) -> str:
    """A refusal with an HTTP status in words."""
    known = refused_with(body)
    first = (
        known.message if known is not None else next(iter(body.decode("utf-8", "replace").split("\n")), "")
    )
    said = f": {first.strip()[:200]}" if first.strip() else ""
    return f"the server refused the connection with HTTP {status}{said}"


def told_to_wait(text: str | None) -> float:
    """The seconds in `Retry-After` (RFC 9110, section 10.2.3); 0.0 for none, and for a date."""
    text = (text or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def no_network(error: BaseException) -> bool:
    """Whether it is this machine that reaches nobody."""
    return isinstance(error, socket.gaierror) or getattr(error, "errno", None) in _NO_NETWORK


def nobody_there(error: BaseException) -> bool:
    """Whether no transport would do better: there is no way to the machine, or nothing listens there."""
    return isinstance(error, ConnectionRefusedError) or no_network(error)


def why(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
