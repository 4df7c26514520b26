"""Who is meant by a sid, a room, a socket, or several of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session, is_id
from hubbub.socketio.connection import NamespaceConnection
from hubbub.socketio.elsewhere import RemoteSocket
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import Sockets

Sid = str | Socket | RemoteSocket
To = Sid | Sequence[Sid] | None
"""A room, a sid, a socket, or several of them; None is everybody in the namespace."""


class Targets(NamedTuple):
    """Sockets that are here, channels, and sids that are not here: of other nodes, if of any. Each once."""

    sockets: list[NamespaceConnection]
    channels: list[str]
    elsewhere: list[str]


class Who:
    """This node's sockets, by what an application calls them."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def find(self, sid: Sid, namespace: str | None) -> NamespaceConnection | None:
        """`sid` within `namespace`; a Socket is where it is."""
        connection = self._sockets.by_id.get(str(sid))
        if connection is None or isinstance(sid, Socket) or namespace in (None, connection.namespace):
            return connection
        return None

    def required(self, sid: Sid, namespace: str | None) -> NamespaceConnection:
        """Raises NOT_FOUND."""
        connection = self.find(sid, namespace)
        if connection is None or connection.session is None:
            raise HubbubError(ErrorCode.NOT_FOUND, f"no socket {sid}", field="sid")
        return connection

    def targets(self, to: To, namespace: str) -> Targets:
        """A sid that is in no namespace, or in another, is nobody's; any other name is a room."""
        if to is None:
            return Targets([], [self._sockets.names.everyone(namespace)], [])
        sockets: list[NamespaceConnection] = []
        channels: list[str] = []
        elsewhere: list[str] = []
        for each in several(to):
            connection = self.find(each, namespace)
            if connection is not None:
                sockets.append(connection)
            elif isinstance(each, RemoteSocket) or (isinstance(each, str) and is_id(each)):
                elsewhere.append(str(each))
            elif isinstance(each, str):
                channels.append(self._sockets.names.room(namespace, each))
        return Targets(once(sockets), once(channels), once(elsewhere))

    def members(
        self,
        sockets: Iterable[NamespaceConnection],
        channels: Iterable[str],
        namespace: str,
        *,
        away: bool = False,
    ) -> list[NamespaceConnection]:
        """`sockets`, and those of this node in `channels`, each once; with `away` those too who may recover."""
        by_id, hub = self._sockets.by_id, self._sockets.hub
        found = {each.id: each for each in sockets}
        for name in channels:
            channel = hub.channels.get(name)
            ids = [] if channel is None else [id for each in channel.groups.values() for id in each.values()]
            if away:
                ids += [session.id for session in hub.detached.values() if name in session.away]
            for id in ids:
                if (connection := by_id.get(id)) is not None and connection.namespace == namespace:
                    found[id] = connection
        return list(found.values())

    def rooms(self, socket: Socket) -> frozenset[str]:
        """The rooms that a socket is in, the one named after its sid among them."""
        names = (self._sockets.names.room_of(socket.namespace, each) for each in channels_of(socket.session))
        return frozenset((socket.sid, *(name for name in names if name is not None)))


def channels_of(session: Session) -> set[str]:
    return set(session.subscriptions or session.away)


def several(value: Any) -> Iterable[Any]:
    """`value` as several of what it may be one of."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str | Socket | RemoteSocket) else value


def once(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
