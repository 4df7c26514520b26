"""The server's REST API as plain requests with JSON: refusals as errors, repeats where they are safe."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hubbub.client.backoff import delay
from hubbub.client.chat.calling import Operation
from hubbub.client.events import ClientError
from hubbub.client.failures import LostError, UnreachableError, refusal, refused, refused_with
from hubbub.client.http import Http
from hubbub.errors import ErrorCode, HubbubError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WITH_BODY = ("POST", "PUT", "PATCH")


class Rest:
    """Requests with one API key. `attempts` is how often one is made that is safe to repeat, while the server cannot be
    reached or refuses for the moment."""

    def __init__(self, url: str, api_key: str, *, ssl: SSLContext | None = None, attempts: int = 5) -> None:
        self.http = Http(url, ssl)
        self._api_key = api_key
        self._attempts = attempts

    async def ask(
        self,
        method: str,
        path: str,
        result: Any,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        user: str | None = None,
        again: bool = False,
    ) -> Any:
        """Make a request; `path` is below `/v1`. With a `key`, or if it may be made `again`, it is safe to repeat.

        Raises HubbubError for a refusal, ClientError if the server cannot be reached.
        """
        if query:
            path += "?" + urlencode(_told(query))
        headers = {"Authorization": f"Bearer {self._api_key}"}
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        if key is not None:
            headers["Idempotency-Key"] = key
        if user is not None:
            headers["Hubbub-User"] = quote(user, safe="")
        attempts = self._attempts if again or key is not None else 1
        for attempt in range(1, attempts + 1):
            pause = delay(attempt)
            try:
                answer = await self.http.request(method, f"/v1{path}", headers=headers, body=content)
            except (LostError, UnreachableError):
                if attempt == attempts:
                    raise
            else:
                if answer.status < 300:
                    return msgspec.json.decode(answer.body, type=result) if answer.body else None
                error = _error(answer.status, answer.body)
                if attempt == attempts or not isinstance(error, HubbubError) or not error.info.temporary:
                    raise error
                pause = max(pause, error.retry_after or 0.0)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def operate(
        self, operation: Operation, params: Mapping[str, Any], result: Any, key: str | None, user: str | None
    ) -> Any:
        """An operation of the chat; its params go where REST has them."""
        given = operation.given(params)
        names = _PLACEHOLDER.findall(operation.path)
        missing = [name for name in names if name not in given]
        if missing:
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED, f"missing required field `{missing[0]}`", field=missing[0]
            )
        path = _PLACEHOLDER.sub(lambda found: segment(str(given[found[1]])), operation.path)
        rest = {name: value for name, value in given.items() if name not in names}
        with_body = operation.method in _WITH_BODY
        if operation.keyed and key is None:
            key = secrets.token_urlsafe(16)
        return await self.ask(
            operation.method,
            path,
            result,
            body=rest if with_body else None,
            query=None if with_body else rest,
            key=key if operation.keyed else None,
            user=user,
            again=operation.kind == "read",
        )


def segment(name: str) -> str:
    """A name as a segment of a path."""
    return quote(name, safe="")


def _told(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        values = value if isinstance(value, tuple | list) else (value,)
        pairs += [(name, _text(each)) for each in values if each is not None]
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _error(status: int, body: bytes) -> HubbubError | ClientError:
    known = refused_with(body)
    return ClientError(refused(status, body)) if known is None else refusal(known)
