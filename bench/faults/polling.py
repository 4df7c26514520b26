"""The native protocol over plain HTTP: a session of POSTs and long-polls, each of which goes to any node."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from bench.faults.stream import connect, head, head_of, whole
from bench.faults.wires import (
    PATIENCE,
    SESSION_GONE,
    Listener,
    Lost,
    Page,
    Position,
    Refused,
    marking,
    page_of,
    place_of,
    positions_of,
    reading,
    sending,
)

HOLD = 2.0
"""Seconds that the server may hold a poll; the harness sets it so."""
ATTEMPTS = 4
"""At other nodes, when one does not answer."""
GONE = 410


class Polling:
    """What comes by a poll may be ahead of the answer that it follows: it waits for that."""

    def __init__(self, listener: Listener, before: Polling | None = None) -> None:
        self._listener = listener
        self._session: dict[str, str] | None = before._session if before is not None else None
        self._ids = itertools.count(10)
        self._attached: set[str] = set()
        self._early: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._acked = 0
        self._polls: asyncio.Task[None] | None = None

    async def open(self) -> None:
        listener = self._listener
        body: dict[str, Any] = {"token": listener.token}
        if self._session is not None:
            body = {"resume": {**self._session, "positions": positions_of(listener)}}
        status, answer = await self._ask("POST", "/v1/sessions", body)
        if status >= 400:
            if answer.get("code") == SESSION_GONE or status == GONE:
                self._session = None
            raise Lost(f"status {status}: {answer}")
        if not answer.get("resumed"):
            self._session = {"session": answer["session"], "secret": answer["secret"]}
        for subscribed in answer.get("subscriptions", ()):
            self._attach(subscribed)
        self._polls = asyncio.create_task(self._poll())
        for channel in listener.channels:
            if channel not in self._attached:
                await self.enter(channel)

    async def enter(self, channel: str) -> None:
        since = self._listener.position(channel)
        command: dict[str, Any] = {"channel": channel}
        if since is not None:
            command["since"] = since.wire()
        self._attach(await self._command("subscribe", command))

    def _attach(self, subscribed: dict[str, Any]) -> None:
        channel = subscribed["channel"]
        self._listener.attached(channel, subscribed)
        self._attached.add(channel)
        early = self._early.pop(channel, ())
        for publication in early:
            at = publication.get("offset")
            if at is None or at > subscribed["position"]["offset"]:
                self._listener.published(publication)

    async def listen(self) -> None:
        assert self._polls is not None
        await asyncio.wait((self._polls,))
        raise Lost(str(self._polls.exception()) if not self._polls.cancelled() else "cut")

    async def _poll(self) -> None:
        """Raises Lost, at last."""
        while True:
            assert self._session is not None
            path = f"/v1/sessions/{self._session['session']}/events?ack={self._acked}"
            status, lines, next_number = await self._request("GET", path, b"", HOLD + PATIENCE)
            if status == GONE:
                raise Lost("the session is gone")
            if status >= 400:
                raise Lost(f"status {status}: {lines}")
            self._acked = next_number or self._acked
            for message in lines:
                if message["type"] == "disconnect":
                    raise Lost(f"disconnected: {message}")
                if message["type"] == "publication":
                    if message["channel"] in self._attached:
                        self._listener.published(message)
                    else:
                        self._early[message["channel"]].append(message)

    async def send(self, channel: str, text: str, key: str) -> Position:
        return place_of(await self._command(*sending(channel, text, key)))

    async def read(self, channel: str) -> Page:
        return page_of(channel, (await self._command(*reading(channel)))["result"])

    async def mark(self, channel: str, seq: int) -> None:
        await self._command(*marking(channel, seq))

    async def leave(self, channel: str, at_once: Callable[[], None]) -> None:
        raise NotImplementedError

    async def _command(self, kind: str, command: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            raise Lost("closed")
        path = f"/v1/sessions/{self._session['session']}/commands"
        status, answer = await self._ask("POST", path, {"type": kind, "id": next(self._ids), **command}, 1)
        if status == GONE:
            self.cut()
            raise Lost("the session is gone")
        if status >= 400 or answer.get("type") == "error":
            raise Refused(answer)
        return answer

    async def _ask(
        self, method: str, path: str, body: dict[str, Any], attempts: int = ATTEMPTS
    ) -> tuple[int, dict[str, Any]]:
        status, lines, _ = await self._request(method, path, msgspec.json.encode(body), PATIENCE, attempts)
        if not lines:
            raise Lost(f"status {status}, and no answer")
        return status, lines[0]

    async def _request(
        self, method: str, path: str, body: bytes, patience: float, attempts: int = ATTEMPTS
    ) -> tuple[int, list[dict[str, Any]], int | None]:
        """Status, lines and the number of the last push. Raises Lost when nobody answers."""
        for attempt in range(1, attempts + 1):
            writer: asyncio.StreamWriter | None = None
            try:
                async with asyncio.timeout(patience):
                    reader, writer = await connect(self._listener.address())
                    fields = {"Connection": "close", "Content-Length": str(len(body))}
                    if self._session is not None:
                        fields["Hubbub-Session-Secret"] = self._session["secret"]
                    writer.write(head(method, path, self._listener.token, fields) + body)
                    status, found = await head_of(reader)
                    lines = [msgspec.json.decode(line) for line in (await whole(reader, found)).splitlines()]
                number = found.get("hubbub-next")
                if status < 500 or attempt == attempts:
                    return status, lines, None if number is None else int(number)
            except (OSError, EOFError, TimeoutError, ValueError, msgspec.DecodeError) as error:
                if attempt == attempts:
                    raise Lost(repr(error)) from error
            finally:
                if writer is not None:
                    writer.transport.abort()
            await asyncio.sleep(0.1 * attempt)
        raise Lost("nobody answers")

    def cut(self) -> None:
        if self._polls is not None:
            self._polls.cancel()
