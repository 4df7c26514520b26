from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import MutableMapping
from typing import Any

import pytest
from tests.transports.httpclient import client

from hubbub.app import Hubbub
from hubbub.config import Config, development
from hubbub.testing.server import running_server
from hubbub.transports.http import Exchange
from hubbub.transports.root import Root

pytestmark = pytest.mark.anyio


class Life:
    """A server whose beginning or end may fail."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.started = False
        self.fault = fault

    async def start(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.started = True

    async def stop(self) -> None:
        self.started = False


class Broken:
    """An endpoint with a bug."""

    def takes(self, method: str, path: str) -> bool:
        return path == "/broken"

    async def answer(self, exchange: Exchange) -> None:
        raise ZeroDivisionError("s3cr3t")

    async def stop(self) -> None: ...


async def api(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"api"})


def root(life: Life) -> Root:
    node = Hubbub(development(Config(), secrets.token_urlsafe(32))).node
    return Root(node, life, endpoints=[Broken()], websocket=api, api=api)


async def lifespan(application: Root, *types: str) -> list[str]:
    messages, sent = deque({"type": f"lifespan.{name}"} for name in types), []

    async def receive() -> MutableMapping[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.popleft()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(application({"type": "lifespan"}, receive, send), 0.05)
    return sent


async def get(application: Root, path: str) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"token=s3cr3t"}
    await application(scope, receive, send)
    return sent


async def test_as_the_outermost_application_it_starts_and_stops_the_server() -> None:
    life = Life()
    application = root(life)
    assert await lifespan(application, "startup") == ["lifespan.startup.complete"]
    assert life.started
    assert await lifespan(application, "shutdown") == ["lifespan.shutdown.complete"]
    assert not life.started


async def test_a_failed_start_is_reported() -> None:
    assert await lifespan(root(Life(OSError("no"))), "startup") == ["lifespan.startup.failed"]


async def test_what_no_endpoint_takes_goes_to_the_api() -> None:
    sent = await get(root(Life()), "/anything")
    assert sent[0]["status"] == 418


async def test_a_bug_is_answered_in_numbers_and_without_the_query(capsys: pytest.CaptureFixture[str]) -> None:
    life = Life()
    life.started = True
    sent = await get(root(life), "/broken")
    assert sent[0]["status"] == 500
    assert b"s3cr3t" not in sent[1]["body"]
    assert "token=s3cr3t" not in "".join(capsys.readouterr())


async def test_what_is_no_scope_of_ours_is_an_error() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(RuntimeError):
        await root(Life())({"type": "telepathy"}, never, never)


async def test_paths_of_sessions_with_other_methods_go_to_the_api() -> None:
    async with running_server() as server, client(server) as http:
        for method, path in (("GET", "/v1/sessions"), ("PUT", "/v1/sessions/x/events"), ("POST", "/v1/sse")):
            answer = await http.request(method, path)
            assert answer.status_code in (401, 404, 405)
