"""What an application's handlers see of a client in a namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hubbub.hub.session import Session

if TYPE_CHECKING:
    from hubbub.socketio.connection import NamespaceConnection
    from hubbub.socketio.server import SocketIo
    from hubbub.socketio.sockets import Sockets


class Socket:
    """One client in one namespace; the same object for as long as its state lasts, recoveries included.

    It may stand wherever the server's methods take a `sid`: `await sio.emit("news", to=socket)`.
    """

    __slots__ = ("_connection", "_server", "session", "sid")

    def __init__(self, sockets: Sockets, connection: NamespaceConnection) -> None:
        assert connection.session is not None
        self._connection = connection
        self._server: SocketIo = sockets.server
        self.session: Session = connection.session
        """The hub's view of it: `user`, `principal`, `info`, `state`."""
        self.sid = connection.id

    def __repr__(self) -> str:
        return f"<Socket {self.sid} in {self.namespace}>"

    def __str__(self) -> str:
        return self.sid

    @property
    def namespace(self) -> str:
        return self._connection.namespace

    @property
    def user(self) -> str:
        """The user id of its token; empty for an anonymous client."""
        return self.session.user

    @property
    def data(self) -> dict[str, Any]:
        """The application's own; recovered with the socket."""
        return self.session.state

    @property
    def recovered(self) -> bool:
        """Whether its client came back and has missed nothing."""
        return self._connection.recovered

    @property
    def connected(self) -> bool:
        return self.session.connected

    @property
    def transport(self) -> str:
        """`polling` or `websocket`."""
        return self._connection.transport

    @property
    def environ(self) -> dict[str, Any]:
        """The opening request as WSGI has it; only while `connect` is handled, empty afterwards."""
        return self._connection.environ or {}

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms it is in, its own, named `sid`, among them; after a disconnect those it was in."""
        return self._server.rooms(self)

    async def emit(self, event: str, data: Any = None, *, volatile: bool = False) -> None:
        """Send an event to this client."""
        await self._server.emit(event, data, to=self, namespace=self.namespace, volatile=volatile)

    async def call(self, event: str, data: Any = None, *, timeout: float = 60.0) -> Any:
        """Send an event and return what the client answers. Raises TimeoutError."""
        return await self._server.call(event, data, to=self, namespace=self.namespace, timeout=timeout)

    async def broadcast(
        self, event: str, data: Any = None, *, to: str | Sequence[str] | None = None, volatile: bool = False
    ) -> None:
        """Send an event to everybody in the namespace, or in the rooms `to`, but this client."""
        await self._server.emit(
            event, data, to=to, skip_sid=self, namespace=self.namespace, volatile=volatile
        )

    async def join(self, room: str) -> None:
        """Enter a room; nothing happens if the client has left for good."""
        if not self.session.closed:
            await self._server.enter_room(self, room)

    async def leave(self, room: str) -> None:
        if not self.session.closed:
            await self._server.leave_room(self, room)

    async def disconnect(self, *, close: bool = False) -> None:
        """End this socket; with `close` the client's other ones and its connection, too. Stock clients do not reconnect
        by themselves then."""
        await self._server.disconnect(self, close=close)
