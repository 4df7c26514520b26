"""Socket.IO on the hub: namespaces, rooms, acknowledgements, handlers. Names are those of Socket.IO, here only.

A socket is a Session whose Connection shares its client's link with the client's other namespaces; a room is a
channel (decision 8). Engine.IO, which carries it all, is in `transports/engineio/`.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["Answers", "ConnectionRefused", "Namespace", "RemoteSocket", "Socket", "SocketIo"]

if TYPE_CHECKING:
    from hubbub.socketio.elsewhere import Answers, RemoteSocket
    from hubbub.socketio.namespace import Namespace
    from hubbub.socketio.server import SocketIo
    from hubbub.socketio.socket import Socket
    from hubbub.socketio.sockets import ConnectionRefused

_HOMES = {
    "Answers": "elsewhere",
    "ConnectionRefused": "sockets",
    "Namespace": "namespace",
    "RemoteSocket": "elsewhere",
    "Socket": "socket",
    "SocketIo": "server",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the pure parts of the package need not know the rest.
    if name not in _HOMES:
        raise AttributeError(f"module 'hubbub.socketio' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hubbub.socketio.{_HOMES[name]}"), name)
