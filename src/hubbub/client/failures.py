"""How a connection fails, and what that means: try again, or tell the user."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import InvalidStatus

from hubbub import model
from hubbub.client import wire
from hubbub.client.events import ClientError, Disconnected
from hubbub.errors import ErrorCode, HubbubError, reason


class LostError(ClientError):
    """The connection went while an answer was awaited."""


class UnreachableError(ClientError):
    """No session could be had. `again` says whether another attempt may succeed, `retry_after` in how many seconds, if
    the server told."""

    def __init__(self, message: str, again: bool, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.retry_after = retry_after


class EndedError(Disconnected):
    """The server said `disconnect`."""


def endpoint(url: str) -> str:
    """The WebSocket's address for a server's: `http` and `https` are understood, the path is added.

    Raises ClientError for another scheme or a missing host.
    """
    parts = urlsplit(url if "//" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ClientError(f"{url} is not the address of a server, such as ws://127.0.0.1:8000")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") or wire.PATH, parts.query, ""))


def refusal(reply: model.ErrorReply) -> HubbubError:
    try:
        code = ErrorCode(reply.code)
    except ValueError:  # a later server's code
        code = ErrorCode.INTERNAL if reply.temporary else ErrorCode.BAD_REQUEST
    return HubbubError(code, reply.message, field=reply.field, retry_after=reply.retry_after)


def ended_by(push: model.DisconnectPush) -> EndedError:
    return EndedError(replace(reason(push.code), text=push.reason), push.reason)


def refused(error: InvalidStatus) -> str:
    body = (error.response.body or b"").decode("utf-8", "replace").strip().splitlines()
    said = f": {body[0][:200]}" if body else ""
    return f"the server refused the connection with HTTP {error.response.status_code}{said}"


def told_to_wait(error: InvalidStatus) -> float:
    """The seconds in `Retry-After` (RFC 9110, section 10.2.3); 0.0 for none, and for a date."""
    text = error.response.headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def why(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
