"""The server API as commands call it: one connection, JSON, the error table's words."""

from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from hubbub.cli.output import Problem
from hubbub.errors import ERRORS, ErrorCode

TIMEOUT = 15.0


class Api:
    """A server's API at `url` (`http`, `https`; `ws` and `wss` mean the same places)."""

    def __init__(
        self, url: str, api_key: str | None = None, *, timeout: float = TIMEOUT, acting_for: str | None = None
    ) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        secure = {"http": False, "ws": False, "https": True, "wss": True}.get(parts.scheme)
        if secure is None or not parts.hostname:
            raise Problem(f"{url} is not the address of a server.", "say --url http://127.0.0.1:8000")
        self.url = f"http{'s' if secure else ''}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        if acting_for is not None:
            self._headers["Hubbub-User"] = quote(acting_for, safe="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer's JSON. Raises Problem with what the server said."""
        return self.ask("POST", path, body)

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """As `post`, by any method; `key` is the idempotency key."""
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        status, _, content = self.request(method, path, raw, key=key)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Problem(f"{self.url}{path} answered {status}, which is not Hubbub's API.", "check --url.")
        if status >= 300:
            raise _refusal(status, answer)
        return answer

    def request(
        self, method: str, path: str, body: bytes | None = None, *, key: str | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body. A kept connection that the server has closed meanwhile is opened again."""
        headers = dict(self._headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            try:
                return self._exchange(method, path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._connection.close()
                return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Problem(
                f"cannot reach {self.url}: {why[:1].lower()}{why[1:]}.",
                "is the server running? start it with `hubbub serve`, or say where it is with --url.",
            ) from error

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        self._connection.request(method, self._prefix + path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()


def _refusal(status: int, answer: dict[str, Any]) -> Problem:
    message = str(answer.get("message", f"HTTP {status}"))
    field = answer.get("field")
    if isinstance(field, str) and f"{field}:" not in message and f"`{field}`" not in message:
        message = f"{field}: {message}"
    try:
        info = ERRORS[ErrorCode(answer.get("code", 0))]
    except ValueError:
        return Problem(f"the server refused: {message}.")
    return Problem(f"the server refused: {message} ({info.name}, {answer['code']}).", info.advice)
