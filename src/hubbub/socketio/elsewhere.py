"""Sockets of other nodes: what nodes say of them to each other, and what an application sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

from hubbub.cluster.bus import Request
from hubbub.protocols.socketio import extract, revive

if TYPE_CHECKING:
    from hubbub.socketio.server import SocketIo


class Values(Struct, frozen=True, array_like=True):
    """Python values with a JSON form, and bytes, as an event has them. `spread`: see Publication."""

    data: bytes
    attachments: tuple[bytes, ...] = ()
    spread: bool = True

    @classmethod
    def of(cls, values: Sequence[Any]) -> Values:
        """Raises TypeError and ValueError for values that have no JSON form."""
        data, attachments = extract(values)
        return cls(bytes(data), attachments)

    def read(self) -> list[Any]:
        values: list[Any] = revive(msgspec.json.decode(self.data), self.attachments)
        return values


class Whom(Struct, frozen=True):
    """Sockets in a namespace: those named, and those in one of the channels."""

    namespace: str | None
    sids: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    user: str = ""

    @property
    def others(self) -> bool:
        """Whether other nodes may have any of them."""
        return bool(self.sids or self.channels)


class Emit(Struct, frozen=True):
    """An event for single sockets that are in none of the channels `unless`, or for all sessions of a user."""

    whom: Whom
    event: str
    values: Values
    unless: tuple[str, ...] = ()
    volatile: bool = False


class Ask(Struct, frozen=True):
    """An event that asks for acknowledgements within `timeout` seconds."""

    whom: Whom
    event: str
    values: Values
    timeout: float


class Answered(Struct, frozen=True):
    """How many sockets were asked, what they answered, and how many of them left before they did."""

    asked: int
    answers: list[Values]
    gone: int = 0


class Move(Struct, frozen=True):
    """Into the channels `rooms`, or out of them."""

    whom: Whom
    rooms: tuple[str, ...]
    leave: bool = False


class Drop(Struct, frozen=True):
    """The sockets end; with `close` their clients' other ones, too."""

    whom: Whom
    close: bool = False


class Fetch(Struct, frozen=True):
    whom: Whom


class ServerEvent(Struct, frozen=True):
    """What `server_emit` tells, and `server_call` asks."""

    event: str
    values: Values


class Count(Struct, frozen=True):
    count: int


class Sids(Struct, frozen=True):
    """The sockets that were found."""

    sids: tuple[str, ...]


class SocketInfo(Struct, frozen=True):
    """What a node tells of a socket. `data` is an object of those of the application's values that have a JSON form."""

    sid: str
    namespace: str
    user: str
    rooms: tuple[str, ...]
    data: Values
    transport: str
    address: str
    user_agent: str
    connected: bool


class Infos(Struct, frozen=True):
    sockets: list[SocketInfo]


EMIT = Request("socketio.emit", Emit, Sids)
ASK = Request("socketio.ask", Ask, Answered)
MOVE = Request("socketio.move", Move, Count)
DROP = Request("socketio.drop", Drop, Count)
FETCH = Request("socketio.fetch", Fetch, Infos)
SERVER_EVENT = Request("socketio.event", ServerEvent, Values)


class Answers(NamedTuple):
    """What those that were asked have answered, and how many have not in time. Of a node that does not answer it is not
    known how many of its sockets there are to ask: it counts as one."""

    values: tuple[Any, ...]
    missing: int


class RemoteSocket:
    """A socket on whatever node, as it was when it was fetched. It may stand wherever the server's methods take a
    `sid`; what its methods do reaches it where it is by then."""

    __slots__ = (
        "_server",
        "address",
        "connected",
        "data",
        "namespace",
        "node",
        "rooms",
        "sid",
        "transport",
        "user",
        "user_agent",
    )

    def __init__(self, server: SocketIo, node: str, info: SocketInfo) -> None:
        self._server = server
        self.node = node
        """The id of the node that it is on."""
        self.sid = info.sid
        self.namespace = info.namespace
        self.user = info.user
        """The user id of its token; empty for an anonymous client."""
        self.rooms = frozenset(info.rooms)
        """The rooms it is in, its own, named `sid`, among them."""
        self.data: dict[str, Any] = info.data.read()[0]
        """A copy of the application's own; what is changed in it stays here."""
        self.transport = info.transport
        self.address = info.address
        self.user_agent = info.user_agent
        self.connected = info.connected
        """Whether its client is there, and not away within its recovery window."""

    def __repr__(self) -> str:
        return f"<RemoteSocket {self.sid} in {self.namespace}>"

    def __str__(self) -> str:
        return self.sid

    async def emit(self, event: str, data: Any = None, *, volatile: bool = False) -> None:
        """Send an event to this client."""
        await self._server.emit(event, data, to=self, namespace=self.namespace, volatile=volatile)

    async def call(self, event: str, data: Any = None, *, timeout: float = 60.0) -> Any:
        """Send an event and return what the client answers. Raises TimeoutError."""
        return await self._server.call(event, data, to=self, namespace=self.namespace, timeout=timeout)

    async def join(self, room: str) -> None:
        """Enter a room. Raises NOT_FOUND if the client has left for good."""
        await self._server.enter_room(self, room, self.namespace)

    async def leave(self, room: str) -> None:
        await self._server.leave_room(self, room, self.namespace)

    async def disconnect(self, *, close: bool = False) -> None:
        """End this socket; with `close` the client's other ones and its connection, too."""
        await self._server.disconnect(self, self.namespace, close=close)
