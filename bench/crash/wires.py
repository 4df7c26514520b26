"""Three ways into a server, each as raw as it can be: the native protocol and Socket.IO on WebSockets, and an event
stream with POSTs beside it.

A wire is one connection. It tells its `Listener` at once, and in the order of the bytes, what it was told; so what is
written down is in that order, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

PATIENCE = 10.0
"""Seconds after which an answer is given up, and the connection with it."""
SESSION_GONE = 119
CHANNEL = "conversation:"


class Lost(Exception):
    """The connection is gone: what was asked and not answered may have been done or not."""


class Refused(Exception):
    """The server has answered with an error. `unwritten`: and says that nothing has come of it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.code = int(error.get("code", 0))
        self.temporary = bool(error.get("temporary"))
        self.unwritten = not self.temporary or "nothing was written" in str(error.get("message"))


class Position(NamedTuple):
    epoch: str
    offset: int

    def wire(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "offset": self.offset}


class Listener(Protocol):
    """Who is on the wire."""

    token: str
    conversations: Sequence[str]

    def position(self, conversation: str) -> Position | None:
        """The last that it was handed."""

    def attached(self, conversation: str, reply: dict[str, Any]) -> None:
        """A `subscribed`: the stream begins, or goes on after `position`."""

    def published(self, data: dict[str, Any]) -> None:
        """An event of a conversation's log."""


class Wire(Protocol):
    async def open(self) -> None:
        """Connect, and attach to all conversations. Raises Lost."""

    async def listen(self) -> None:
        """Until the connection is gone: raises Lost."""

    async def send(self, conversation: str, text: str, key: str) -> int:
        """The seq of the message, when it is acknowledged. Raises Lost and Refused."""

    async def read(self, conversation: str) -> list[dict[str, Any]]:
        """The newest page of messages, oldest first. Raises Lost and Refused."""

    def cut(self) -> None:
        """Drop the connection without a word."""


class Calls:
    """What both kinds of WebSocket have in common: commands with ids, whose replies come in between other things."""

    path = ""
    subprotocols: Sequence[str] | None = None

    def __init__(self, port: int, listener: Listener) -> None:
        self.listener = listener
        self._url = f"ws://127.0.0.1:{port}{self.path}"
        self._socket: ClientConnection | None = None
        self._ids = itertools.count(10)
        self._waiting: dict[int, tuple[asyncio.Future[dict[str, Any]], Callable[[dict[str, Any]], None]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        try:
            self._socket = await connect(
                self._url,
                subprotocols=[Subprotocol(each) for each in self.subprotocols or ()] or None,
                compression=None,
                ping_interval=None,
                open_timeout=PATIENCE,
                close_timeout=0.1,
                max_size=2**24,
                proxy=None,
            )
            async with asyncio.timeout(PATIENCE):
                attached = await self.greet(self._socket)
        except (OSError, EOFError, TimeoutError, WebSocketException, InvalidHandshake) as error:
            self.cut()
            raise Lost(repr(error)) from error
        self._reading = asyncio.create_task(self._read_all(self._socket))
        for conversation in self.listener.conversations:
            if conversation not in attached:
                await self._subscribe(conversation)

    async def _subscribe(self, conversation: str) -> None:
        since = self.listener.position(conversation)
        command: dict[str, Any] = {"channel": CHANNEL + conversation}
        if since is not None:
            command["since"] = since.wire()
        await self.ask("subscribe", command, lambda reply: self.listener.attached(conversation, reply))

    async def greet(self, socket: ClientConnection) -> set[str]:
        """Say who we are; gives the conversations that are attached to by that. Raises Lost."""
        raise NotImplementedError

    async def listen(self) -> None:
        assert self._reading is not None
        await asyncio.wait((self._reading,))
        raise Lost("the connection is closed")

    async def send(self, conversation: str, text: str, key: str) -> int:
        params = {"conversation": conversation, "parts": [{"type": "text", "text": text}]}
        reply = await self.ask("call", {"method": "chat.messages.send", "key": key, "params": params})
        return int(reply["result"]["message"]["seq"])

    async def read(self, conversation: str) -> list[dict[str, Any]]:
        params = {"conversation": conversation}
        reply = await self.ask("call", {"method": "chat.messages.list", "params": params})
        found: list[dict[str, Any]] = reply["result"]["messages"]
        return found

    async def ask(
        self,
        kind: str,
        command: dict[str, Any],
        at_once: Callable[[dict[str, Any]], None] = lambda reply: None,
    ) -> dict[str, Any]:
        """The reply to a command. `at_once` is called with it before anything behind it is read."""
        id = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[id] = (future, at_once)
        try:
            if self._socket is None:
                raise Lost("closed")
            async with asyncio.timeout(PATIENCE):
                await self._socket.send(self.frame(id, kind, command))
                reply = await future
        except (OSError, EOFError, TimeoutError, WebSocketException) as error:
            self.cut()
            raise Lost(repr(error)) from error
        finally:
            self._waiting.pop(id, None)
        if reply.get("type") == "error":
            raise Refused(reply)
        return reply

    def frame(self, id: int, kind: str, command: dict[str, Any]) -> str:
        raise NotImplementedError

    def take(self, text: str) -> str | None:
        """Deal with what has come; gives what is to be sent back."""
        raise NotImplementedError

    def answer(self, id: int, reply: dict[str, Any]) -> None:
        future, at_once = self._waiting.get(id, (None, None))
        if future is not None and at_once is not None and not future.done():
            if reply.get("type") != "error":
                at_once(reply)
            future.set_result(reply)

    async def _read_all(self, socket: ClientConnection) -> None:
        with contextlib.suppress(OSError, EOFError, WebSocketException):
            async for frame in socket:
                assert isinstance(frame, str)
                if (back := self.take(frame)) is not None:
                    await socket.send(back)
        self.cut()

    def cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(Lost("the connection is closed"))
                future.exception()  # whoever waits gets it; nobody has to


class Native(Calls):
    """`hubbub.v1.json`. It resumes its session if there is one, and else each conversation from where it was."""

    path = "/v1/ws"
    subprotocols = ("hubbub.v1.json",)

    def __init__(self, port: int, listener: Listener, before: Native | None = None) -> None:
        super().__init__(port, listener)
        self._session: dict[str, str] | None = before._session if before is not None else None

    async def greet(self, socket: ClientConnection) -> set[str]:
        if self._session is not None:
            positions = {
                CHANNEL + each: position.wire()
                for each in self.listener.conversations
                if (position := self.listener.position(each)) is not None
            }
            resume = {**self._session, "positions": positions}
            reply = await self._connect(socket, {"resume": resume})
            if reply["type"] == "connected":
                resumed = {each["channel"].removeprefix(CHANNEL): each for each in reply["subscriptions"]}
                for conversation, subscribed in resumed.items():
                    self.listener.attached(conversation, subscribed)
                return set(resumed)
            if reply["code"] != SESSION_GONE:
                raise Lost(f"resume: {reply}")
        reply = await self._connect(socket, {"token": self.listener.token})
        if reply["type"] != "connected":
            raise Lost(f"connect: {reply}")
        self._session = {"session": reply["session"], "secret": reply["secret"]}
        return set()

    async def _connect(self, socket: ClientConnection, fields: dict[str, Any]) -> dict[str, Any]:
        await socket.send(msgspec.json.encode({"type": "connect", "id": 1, **fields}).decode())
        while True:
            first, _, rest = str(await socket.recv()).partition("\n")
            reply: dict[str, Any] = msgspec.json.decode(first)
            if reply.get("id") == 1:
                self._after = rest
                return reply

    _after = ""

    def frame(self, id: int, kind: str, command: dict[str, Any]) -> str:
        return msgspec.json.encode({"type": kind, "id": id, **command}).decode()

    def take(self, text: str) -> str | None:
        after, self._after = self._after, ""
        for line in (*after.splitlines(), *text.splitlines()):
            message = msgspec.json.decode(line)
            if "id" in message and message["type"] != "publication":
                self.answer(message["id"], message)
            elif message["type"] == "publication" and message["channel"].startswith(CHANNEL):
                self.listener.published(message["data"])
            elif message["type"] == "unsubscribed":
                self.cut()  # and enter again from where it was
        return None


class SocketIO(Calls):
    """Socket.IO 5 over Engine.IO 4, with the `hubbub:` commands: a new socket each time, and `since`."""

    path = "/socket.io/?EIO=4&transport=websocket"

    async def greet(self, socket: ClientConnection) -> set[str]:
        await socket.recv()
        await socket.send("40" + msgspec.json.encode({"token": self.listener.token}).decode())
        answer = str(await socket.recv())
        if not answer.startswith("40"):
            raise Lost(answer)
        return set()

    def frame(self, id: int, kind: str, command: dict[str, Any]) -> str:
        return f"42{id}" + msgspec.json.encode([f"hubbub:{kind}", command]).decode()

    def take(self, text: str) -> str | None:
        if text == "2":
            return "3"
        if text.startswith("43"):
            start = text.index("[")
            [reply] = msgspec.json.decode(text[start:])
            error = reply.get("error")
            self.answer(int(text[2:start]), reply if error is None else {"type": "error", **error})
        elif text.startswith("42["):
            name, *arguments = msgspec.json.decode(text[2:])
            if name == "message.created":
                self.listener.published(arguments[0])
        return None
