"""Ways into a server, each as raw as it can be: here the native protocol and Socket.IO on WebSockets; `stream` and
`polling` have those of HTTP.

A wire is one connection, or what goes for one. It tells its `Listener` at once, and in the order of the bytes, what it
was told; so what is written down is in that order, too.
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

PATIENCE = 6.0
"""Seconds after which an answer is given up, and the connection with it."""
BEAT = 2.0
"""Seconds between pings, by which a client finds out that nobody is there any more."""
SESSION_GONE = 119
CONVERSATION = "conversation:"


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

    def address(self) -> str:
        """`host:port` of any node."""

    @property
    def channels(self) -> Sequence[str]:
        """In which it wants to be: `conversation:<id>`, or others that keep a log."""

    def position(self, channel: str) -> Position | None:
        """The last that it was handed."""

    def attached(self, channel: str, reply: dict[str, Any]) -> None:
        """A `subscribed`: the stream begins, or goes on after `position`."""

    def published(self, publication: dict[str, Any]) -> None:
        """Something was published in a channel; without `offset` it is a signal."""


class Page(NamedTuple):
    """Messages of a log, oldest first: (seq, text). `epoch` where it is known."""

    epoch: str
    messages: list[tuple[int, str]]


class Wire(Protocol):
    async def open(self) -> None:
        """Connect, and attach to all channels. Raises Lost and Refused."""

    async def listen(self) -> None:
        """Until the connection is gone: raises Lost."""

    async def send(self, channel: str, text: str, key: str) -> Position:
        """The place of the message, when it is acknowledged. Raises Lost and Refused."""

    async def read(self, channel: str) -> Page:
        """The newest page of messages. Raises Lost and Refused."""

    async def mark(self, channel: str, seq: int) -> None:
        """Say that it has read so far. Raises Lost and Refused."""

    async def leave(self, channel: str, at_once: Callable[[], None]) -> None:
        """Leave a channel; `at_once` is called before anything behind the answer is read."""

    async def enter(self, channel: str) -> None:
        """Attach to a channel that was left."""

    def cut(self) -> None:
        """Drop the connection without a word."""


def text_of(publication: dict[str, Any]) -> str | None:
    """What a message says; None if it is none."""
    data = publication["data"]
    if publication["channel"].startswith(CONVERSATION):
        return part_of(data["message"]) if publication["event"] == "message.created" else None
    return str(data.get("text", ""))


def part_of(message: dict[str, Any]) -> str:
    """The text of a message of the chat."""
    try:
        return str(message["parts"][0]["text"])
    except (KeyError, IndexError, TypeError):
        return ""


def page_of(channel: str, answer: dict[str, Any]) -> Page:
    """What `chat.messages.list`, or `history`, has answered."""
    if channel.startswith(CONVERSATION):
        return Page("", [(each["seq"], part_of(each)) for each in answer["messages"]])
    found = [(each["offset"], str(each["data"].get("text", ""))) for each in answer["publications"]]
    return Page(answer["position"]["epoch"], sorted(found))


def sending(channel: str, text: str, key: str) -> tuple[str, dict[str, Any]]:
    """The command that sends."""
    if not channel.startswith(CONVERSATION):
        return "publish", {"channel": channel, "data": {"text": text}, "key": key}
    params = {
        "conversation": channel.removeprefix(CONVERSATION),
        "parts": [{"type": "text", "text": text}],
    }
    return "call", {"method": "chat.messages.send", "key": key, "params": params}


def place_of(reply: dict[str, Any]) -> Position:
    """Where a message is, by the answer to the command that has sent it."""
    if "result" in reply:
        return Position("", int(reply["result"]["message"]["seq"]))
    return Position(**reply["position"])


def reading(channel: str) -> tuple[str, dict[str, Any]]:
    """The command that reads the newest messages."""
    if not channel.startswith(CONVERSATION):
        return "history", {"channel": channel, "limit": 50, "reverse": True}
    params = {"conversation": channel.removeprefix(CONVERSATION)}
    return "call", {"method": "chat.messages.list", "params": params}


def marking(channel: str, seq: int) -> tuple[str, dict[str, Any]]:
    """The command that says how far one has read."""
    mark = {"conversation": channel.removeprefix(CONVERSATION), "read": seq}
    return "call", {"method": "chat.receipts.mark", "params": {"marks": [mark]}}


class Calls:
    """What both kinds of WebSocket have in common: commands with ids, whose replies come in between other things."""

    path = ""
    subprotocols: Sequence[str] | None = None

    def __init__(self, address: str, listener: Listener) -> None:
        self.listener = listener
        self._url = f"ws://{address}{self.path}"
        self._socket: ClientConnection | None = None
        self._ids = itertools.count(10)
        self._waiting: dict[int, tuple[asyncio.Future[dict[str, Any]], Callable[[dict[str, Any]], None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

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
        self._tasks.append(asyncio.create_task(self._read_all(self._socket)))
        for channel in self.listener.channels:
            if channel not in attached:
                await self.enter(channel)
        self._tasks.append(asyncio.create_task(self._beat()))

    async def enter(self, channel: str) -> None:
        since = self.listener.position(channel)
        command: dict[str, Any] = {"channel": channel}
        if since is not None:
            command["since"] = since.wire()
        await self.ask("subscribe", command, lambda reply: self.listener.attached(channel, reply))

    async def leave(self, channel: str, at_once: Callable[[], None]) -> None:
        await self.ask("unsubscribe", {"channel": channel}, lambda reply: at_once())

    async def greet(self, socket: ClientConnection) -> set[str]:
        """Say who we are; gives the channels that are attached to by that. Raises Lost."""
        raise NotImplementedError

    async def listen(self) -> None:
        await asyncio.wait((self._tasks[0],))
        raise Lost("the connection is closed")

    async def send(self, channel: str, text: str, key: str) -> Position:
        return place_of(await self.ask(*sending(channel, text, key)))

    async def read(self, channel: str) -> Page:
        return page_of(channel, (await self.ask(*reading(channel)))["result"])

    async def mark(self, channel: str, seq: int) -> None:
        await self.ask(*marking(channel, seq))

    async def _beat(self) -> None:
        with contextlib.suppress(Lost, Refused):
            while True:
                await asyncio.sleep(BEAT)
                await self.ask("ping", {})

    async def ask(
        self,
        kind: str,
        command: dict[str, Any],
        at_once: Callable[[dict[str, Any]], None] = lambda reply: None,
    ) -> dict[str, Any]:
        """The reply to a command. `at_once` is called with it before anything behind it is read. Raises Lost and
        Refused."""
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
        for task in self._tasks[1:]:
            task.cancel()
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(Lost("the connection is closed"))
                future.exception()  # whoever waits gets it; nobody has to


class Native(Calls):
    """`hubbub.v1.json`. It resumes its session if there is one, and else each channel from where it was."""

    path = "/v1/ws"
    subprotocols = ("hubbub.v1.json",)

    def __init__(self, address: str, listener: Listener, before: Native | None = None) -> None:
        super().__init__(address, listener)
        self._session: dict[str, str] | None = before._session if before is not None else None

    async def greet(self, socket: ClientConnection) -> set[str]:
        if self._session is not None:
            resume = {**self._session, "positions": positions_of(self.listener)}
            reply = await self._connect(socket, {"resume": resume})
            if reply["type"] == "connected":
                resumed = {each["channel"]: each for each in reply["subscriptions"]}
                for channel, subscribed in resumed.items():
                    self.listener.attached(channel, subscribed)
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
            elif message["type"] == "publication":
                self.listener.published(message)
            elif message["type"] == "unsubscribed":
                self.cut()  # and enter again from where it was
        return None


def positions_of(listener: Listener) -> dict[str, Any]:
    """For a resume."""
    found = {channel: listener.position(channel) for channel in listener.channels}
    return {channel: position.wire() for channel, position in found.items() if position is not None}


class SocketIO(Calls):
    """Socket.IO 5 over Engine.IO 4, with the `hubbub:` commands: a new socket each time, and `since`. Its events do
    not say where they are in a log, but for those of conversations, whose data does."""

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
                [data] = arguments
                channel = CONVERSATION + data["conversation"]
                self.listener.published(
                    {"channel": channel, "event": name, "offset": data["seq"], "data": data}
                )
        return None
