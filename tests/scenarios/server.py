"""The server under test: a process of its own with SQLite in a folder of its own, which is killed and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from hubbub.auth.api_keys import new_key
from hubbub.auth.tokens import mint
from hubbub.errors import ERRORS, ErrorCode
from hubbub.loadgen.target import serve, settings
from hubbub.testing.processes import ServerProcess

KEPT, FEW = "log", "short"
"""Namespaces whose channels keep a long log, and one of a few publications."""
FEW_KEPT = 20
STOP = 30.0
_NO_ANSWER = (OSError, http.client.HTTPException)


class HubbubProcess(ServerProcess):
    """A Hubbub on loopback. `settings` by their names (`sessions.resume_window`) are added to what scenarios need."""

    name: ClassVar[str] = "Hubbub"

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._settings = dict(settings or {})
        self._secret = secrets.token_hex(32)
        self._key, self._digest = new_key()
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self.restarting = asyncio.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, user: str, ttl: float = 600.0) -> str:
        """A token that the server accepts."""
        return mint(self._secret, user, now=time.time(), ttl=ttl, token_id=secrets.token_hex(8))

    async def call(
        self, method: str, path: str, body: Any = None, *, user: str | None = None, key: str | None = None
    ) -> Any:
        """The server API's answer, in the place of `user` if one is given, with an idempotency `key`. Asked again while
        there is no server; raises RuntimeError for a refusal."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if user is not None:
            headers["Hubbub-User"] = user
        if key is not None:
            headers["Idempotency-Key"] = key
        payload = None if body is None else json.dumps(body).encode()
        while True:
            try:
                status, data = await asyncio.to_thread(self._request, method, f"/v1{path}", payload, headers)
            except _NO_ANSWER:
                status, data = 503, b""
            if status < 300:
                return json.loads(data) if data else None
            if status not in (429, 503):
                raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
            await asyncio.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait for its end. Raises RuntimeError if it does not come."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"Hubbub did not end after SIGTERM:\n{self.log()[-2_000:]}") from error
        self._ended()

    async def publish(self, channel: str, text: str, key: str) -> dict[str, Any]:
        """Publish as others do; accepted once, however often it is sent. The answer is its position."""
        body = {"channel": channel, "event": "message", "data": {"text": text}, "key": key}
        return dict((await self.call("POST", "/publish", body))["position"])

    async def say(self, user: str, conversation: str, text: str, key: str) -> int:
        """Send a message in the place of `user`, in the same way. The answer is its seq."""
        body = {"parts": [{"type": "text", "text": text}]}
        sent = await self.call("POST", f"/conversations/{conversation}/messages", body, user=user, key=key)
        return int(sent["message"]["seq"])

    async def say_all(
        self, user: str, conversation: str, texts: Sequence[tuple[str, str]]
    ) -> AsyncIterator[tuple[str, int]]:
        """Send many messages (key and text of each), one behind the other on a session of `user`'s, without waiting for
        answers in between; gives each text with its seq. What a server that ends has left is sent to the next."""
        left = dict(texts)
        while left:
            with contextlib.suppress(OSError, WebSocketException):
                async with connect(f"ws://127.0.0.1:{self.port}/v1/ws", max_size=None) as socket:
                    calls = [
                        json.dumps(
                            {
                                "type": "call",
                                "id": number,
                                "method": "chat.messages.send",
                                "params": {
                                    "conversation": conversation,
                                    "parts": [{"type": "text", "text": text}],
                                },
                                "key": key,
                            }
                        )
                        for number, (key, text) in enumerate(left.items(), 1)
                    ]
                    keys = list(left)
                    await socket.send(json.dumps({"type": "connect", "id": 0, "token": self.token(user)}))
                    sending = asyncio.create_task(_send_all(socket, calls))
                    try:
                        while left:
                            for line in (await socket.recv()).splitlines():
                                told = json.loads(line)
                                if told["type"] == "result":
                                    yield left.pop(keys[told["id"] - 1]), told["result"]["message"]["seq"]
                                elif told["type"] == "error":
                                    if ERRORS[ErrorCode(told["code"])].temporary:
                                        raise ConnectionError(told["message"])  # and then again
                                    raise RuntimeError(f"refused: {told}")
                    finally:
                        sending.cancel()
                        await asyncio.gather(sending, return_exceptions=True)
            if left:
                await asyncio.sleep(0.05)

    async def converse(self, members: Sequence[str]) -> str:
        """Make users, and a group of them; its id."""
        for user in members:
            await self.call("PUT", f"/users/{user}", {"name": user})
        body = {"kind": "group", "name": "room", "members": [{"user": user} for user in members]}
        return str((await self.call("POST", "/conversations", body))["conversation"]["id"])

    async def history(self, channel: str) -> dict[str, Any]:
        """A channel's log, all that is kept."""
        return dict(await self.call("GET", f"/channels/{quote(channel, safe='')}/history?limit=1000"))

    async def present(self, channel: str) -> tuple[str, ...]:
        """Who is in a channel: the user of each session."""
        there = await self.call("GET", f"/channels/{quote(channel, safe='')}/presence")
        return tuple(sorted({each["user"] for each in there["members"]}))

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        """What was said in a conversation, page by page."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = await self.call("GET", f"/conversations/{conversation}/messages?after={after}&limit=200")
            found += page["messages"]
            if not page.get("more_after"):
                return found
            after = found[-1]["seq"]

    def _request(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30
            )
            self._connections.append(connection)
        try:
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except _NO_ANSWER:
            connection.close()
            raise

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        super().close()

    def _command(self) -> list[str]:
        return [
            "env",
            *(f"{name}={value}" for name, value in self._environment().items()),
            *serve(self.port),
        ]

    def _environment(self) -> dict[str, str]:
        logs = {
            "subscribe": "authenticated",
            "publish": "authenticated",
            "history": "authenticated",
            "ttl": "600",
        }
        asked = {
            **{f"namespaces.{KEPT}.{name}": value for name, value in logs.items()},
            **{f"namespaces.{FEW}.{name}": value for name, value in logs.items()},
            f"namespaces.{KEPT}.retention": 1_000,
            f"namespaces.{KEPT}.presence": "full",
            f"namespaces.{KEPT}.join_leave": True,
            f"namespaces.{FEW}.retention": FEW_KEPT,
            "auth.api_keys": json.dumps([self._digest]),
            "auth.leeway": 0,
            "chat.enabled": True,
            "storage.url": f"sqlite:///{self.folder / 'chat.db'}",
            "attachments.url": f"file:{self.folder / 'files'}",
            "server.drain_window": 0.3,
            **self._settings,
        }
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")},
            **settings(self._secret),
            **{f"HUBBUB_{name.upper().replace('.', '__')}": _text(value) for name, value in asked.items()},
        }

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except _NO_ANSWER:
            return False
        finally:
            connection.close()


async def _send_all(socket: ClientConnection, calls: Sequence[str]) -> None:
    for call in calls:
        await socket.send(call)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
