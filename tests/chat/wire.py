"""A real server with conversations, and clients of it by a WebSocket that keep all that they are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.ledger import Actor
from hubbub.chat.operations import Caller
from hubbub.testing.raw import RawClient
from hubbub.testing.server import RunningServer, running_server

WITHIN = 20.0


class RefusedError(AssertionError):
    """What the server refused with."""

    def __init__(self, reply: dict[str, Any]) -> None:
        super().__init__(reply)
        self.code: int = reply["code"]
        self.field: str | None = reply.get("field")


class Wire:
    """One session. `pushes` has everything that came unasked, in order."""

    def __init__(self, raw: RawClient, connected: dict[str, Any]) -> None:
        self.raw = raw
        self.connected = connected
        self.pushes: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        """Replies and pushes, in the order in which they came."""
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = 100
        self._heard = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, server: RunningServer, user: str, *, token: str | None = None, **resume: Any
    ) -> AsyncIterator[Wire]:
        """Connect as `user` ("" is nobody), or by `token`; with `resume`, take a session up again."""
        raw = await RawClient.open(server.host, server.port)
        await raw.upgrade()
        first: dict[str, Any] = {"type": "connect", "id": 1}
        if resume:
            first["resume"] = resume
        elif token or user:
            first["token"] = token or server.token(user)
        await raw.send_json(first)
        wire = cls(raw, await raw.read_json())
        try:
            assert wire.connected["type"] == "connected", wire.connected
            yield wire
        finally:
            await wire.close()

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self.raw.close()

    @property
    def proof(self) -> dict[str, Any]:
        """What resumes the session."""
        return {"session": self.connected["session"], "secret": self.connected["secret"]}

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command; its reply. Raises RefusedError."""
        reply = await self.begin(**command)
        if reply["type"] == "error":
            raise RefusedError(reply)
        return reply

    def begin(self, **command: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a command, and do not wait."""
        self._ids += 1
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[self._ids] = reply
        sending = asyncio.ensure_future(self.raw.send_json({"id": self._ids, **command}))
        reply.add_done_callback(lambda _: sending.cancel())
        return reply

    async def call(self, method: str, *, key: str | None = None, **params: Any) -> Any:
        """The result of a method of the chat."""
        command: dict[str, Any] = {"type": "call", "method": f"chat.{method}", "params": params}
        if key is not None:
            command["key"] = key
        async with asyncio.timeout(WITHIN):
            return (await self.ask(**command))["result"]

    async def subscribe(self, channel: str, **options: Any) -> dict[str, Any]:
        return await self.ask(type="subscribe", channel=channel, **options)

    async def until(self, wanted: Callable[[Wire], Any]) -> Any:
        """Wait until `wanted` is true of what was heard; what it gives."""
        async with asyncio.timeout(WITHIN):
            while not (found := wanted(self)):
                self._heard.clear()
                await self._heard.wait()
        return found

    async def heard(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first publication of `event` whose data has `fields`, waited for."""
        found: dict[str, Any] = await self.until(lambda wire: next(iter(wire.events(event, **fields)), None))
        return found

    def events(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Data of all publications of `event` so far."""
        return [
            push["data"]
            for push in self.pushes
            if push["type"] == "publication"
            and push["event"] == event
            and fields.items() <= push["data"].items()
        ]

    def told(self, kind: str) -> list[str]:
        """Channels of all pushes of this kind (`subscribed`, `unsubscribed`)."""
        return [push["channel"] for push in self.pushes if push["type"] == kind]

    def offsets(self, channel: str) -> list[int]:
        return [
            push["offset"]
            for push in self.pushes
            if push["type"] == "publication" and push["channel"] == channel and "offset" in push
        ]

    async def _read(self) -> None:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                message = await self.raw.read_json(within=3600.0)
                self.log.append(message)
                if (reply := self._replies.pop(message.get("id", 0) or 0, None)) is not None and message[
                    "type"
                ] != "publication":
                    reply.set_result(message)
                else:
                    self.pushes.append(message)
                self._heard.set()


async def do(server: RunningServer, operation: str, actor: str, /, **params: Any) -> Any:
    """The result of an operation, by Python; `actor` "" is the server."""
    chat, found = server.app.chat, OPERATIONS[operation]
    decoded = chat.decode(found, msgspec.json.encode(params))
    return await chat.perform(found, Caller(Actor(actor)), decoded)


async def group(server: RunningServer, owner: str, *others: str, kind: str = "group", **params: Any) -> str:
    """Make the users, and a conversation of them; its id."""
    for user in (owner, *others):
        await do(server, "users.upsert", "", user=user)
    made = await do(
        server,
        "conversations.create",
        owner,
        kind=kind,
        members=[{"user": each} for each in others],
        **params,
    )
    id: str = made.conversation.id
    return id


def text(words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": words}]


@contextlib.asynccontextmanager
async def chat_server(url: str, **sections: Any) -> AsyncIterator[RunningServer]:
    """A server on the database `url`."""
    sections.setdefault("chat", {})
    sections["chat"] = {"enabled": True, **sections["chat"]}
    storage = {"url": url, "timeout": 60.0, **sections.pop("storage", {})}
    async with running_server(storage=storage, **sections) as server:
        yield server
