"""Handlers of a namespace as the methods of a class."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hubbub.socketio.handlers import NamespaceName
from hubbub.socketio.socket import Socket

if TYPE_CHECKING:
    from hubbub.socketio.elsewhere import Answers, RemoteSocket
    from hubbub.socketio.server import SocketIo
    from hubbub.socketio.who import Sid, To


class Namespace:
    """Handlers of a namespace as the methods of a class: `on_connect`, `on_message`, ... Its methods of the server's
    names are the server's, in this namespace."""

    server: SocketIo

    def __init__(self, namespace: NamespaceName = "/", *, concurrent: bool = False) -> None:
        self.namespace = namespace
        self.concurrent = concurrent

    @property
    def _name(self) -> str:
        if not isinstance(self.namespace, str):
            raise TypeError("a dynamic namespace has no one name: use the socket's methods")
        return self.namespace

    async def emit(self, event: str, data: Any = None, to: To = None, **options: Any) -> None:
        await self.server.emit(event, data, to, namespace=self._name, **options)

    async def send(self, data: Any, to: To = None, **options: Any) -> None:
        await self.server.emit("message", data, to, namespace=self._name, **options)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: Sid | None = None,
        sid: Sid | None = None,
        *,
        timeout: float = 60.0,
    ) -> Any:
        return await self.server.call(event, data, to, sid, self._name, timeout)

    async def call_all(self, event: str, data: Any = None, to: To = None, **options: Any) -> Answers:
        return await self.server.call_all(event, data, to, self._name, **options)

    async def enter_room(self, sid: Sid, room: str) -> None:
        await self.server.enter_room(sid, room)

    async def leave_room(self, sid: Sid, room: str) -> None:
        await self.server.leave_room(sid, room)

    async def close_room(self, room: str) -> None:
        await self.server.close_room(room, self._name)

    def rooms(self, sid: Sid) -> frozenset[str]:
        return self.server.rooms(sid)

    def members(self, room: str | None = None) -> list[Socket]:
        return self.server.members(room, self._name)

    def socket(self, sid: Sid) -> Socket:
        return self.server.socket(sid)

    async def fetch_sockets(self, to: To = None) -> list[RemoteSocket]:
        return await self.server.fetch_sockets(to, self._name)

    async def sockets_join(self, rooms: str | Sequence[str], to: To = None) -> int:
        return await self.server.sockets_join(rooms, to, self._name)

    async def sockets_leave(self, rooms: str | Sequence[str], to: To = None) -> int:
        return await self.server.sockets_leave(rooms, to, self._name)

    async def disconnect(self, sid: Sid, *, close: bool = False) -> None:
        await self.server.disconnect(sid, close=close)

    async def disconnect_all(self, to: To = None, *, close: bool = False) -> int:
        return await self.server.disconnect_all(to, self._name, close=close)

    async def get_session(self, sid: Sid) -> dict[str, Any]:
        return await self.server.get_session(sid)

    async def save_session(self, sid: Sid, session: dict[str, Any]) -> None:
        await self.server.save_session(sid, session)

    def session(self, sid: Sid) -> contextlib.AbstractAsyncContextManager[dict[str, Any]]:
        return self.server.session(sid)
