"""The Socket.IO server as an application sees it: `app.socketio`. Names are python-socketio's."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, overload

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session, is_id
from hubbub.protocols.socketio import Parser
from hubbub.socketio.connection import Answer, NamespaceConnection
from hubbub.socketio.emitting import Emitter
from hubbub.socketio.handlers import NamespaceName
from hubbub.socketio.nodes import Nodes
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import Sockets
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.socketio")
F = TypeVar("F", bound=Callable[..., Any])
Sid = str | Socket
To = Sid | Sequence[Sid] | None
"""A room, a sid, a socket, or several of them; None is everybody in the namespace."""


class Answers(NamedTuple):
    """What the sockets that were asked have answered, and how many have not in time."""

    values: tuple[Any, ...]
    missing: int


class SocketIo:
    """Register handlers, emit events, and manage rooms. Everything but the handlers may be called from anywhere in
    the process once the server has been started."""

    def __init__(self, hub: Hub, parser: Parser) -> None:
        self._hub = hub
        self.sockets = Sockets(hub, parser, self)
        self._emitter = Emitter(self.sockets)
        self._nodes = Nodes(hub)

    # --- handlers -----------------------------------------------------------------------------------------

    @overload
    def on(self, event: str, handler: F, namespace: NamespaceName = ..., *, concurrent: bool = ...) -> F: ...

    @overload
    def on(
        self, event: str, handler: None = ..., namespace: NamespaceName = ..., *, concurrent: bool = ...
    ) -> Callable[[F], F]: ...

    def on(
        self,
        event: str,
        handler: F | None = None,
        namespace: NamespaceName = "/",
        *,
        concurrent: bool = False,
    ) -> F | Callable[[F], F]:
        """Register a handler: `async def handler(socket, *arguments)`; what it returns is the acknowledgement.

        `connect` handlers take (socket), (socket, environ) or (socket, environ, auth) and refuse by ConnectionRefused
        or by returning False; `disconnect` ones take (socket) or (socket, reason). `*` is every event that has no
        handler of its own: (event, socket, *arguments). `namespace` may be a compiled pattern, or a function of (name,
        auth) that says whether there is such a namespace; with `*` handlers get (namespace, socket, *arguments).
        Events of one client are handled one after the other, in the order in which they were sent, unless
        `concurrent`. Annotated parameters are validated. Raises TypeError for a handler that could never be called.
        """

        def register(function: F) -> F:
            self.sockets.namespaces.add(event, function, namespace, concurrent=concurrent)
            self.sockets.concurrent = self.sockets.concurrent or concurrent
            return function

        return register if handler is None else register(handler)

    @overload
    def event(self, function: F) -> F: ...

    @overload
    def event(self, *, namespace: NamespaceName = ..., concurrent: bool = ...) -> Callable[[F], F]: ...

    def event(
        self, function: F | None = None, *, namespace: NamespaceName = "/", concurrent: bool = False
    ) -> F | Callable[[F], F]:
        """Register a handler of the event that the function is named after."""

        def register(function: F) -> F:
            self.on(function.__name__, function, namespace, concurrent=concurrent)
            return function

        return register if function is None else register(function)

    def register_namespace(self, handlers: Namespace) -> None:
        """Register the methods `on_...` of a class-based namespace."""
        handlers.server = self
        for name in dir(type(handlers)):
            if name.startswith("on_"):
                method = getattr(handlers, name)
                self.on(name.removeprefix("on_"), method, handlers.namespace, concurrent=handlers.concurrent)

    def on_server_event(self, event: str) -> Callable[[F], F]:
        """Register a handler of what another node tells by `server_emit`: `async def handler(*arguments)`."""

        def register(function: F) -> F:
            self._nodes.add(event, function)
            return function

        return register

    # --- events -------------------------------------------------------------------------------------------

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: To = None,
        room: To = None,
        skip_sid: Sid | Sequence[Sid] | None = None,
        namespace: str = "/",
        callback: Callable[..., Any] | None = None,
        *,
        unless: str | Sequence[str] | None = None,
        user: str | None = None,
        volatile: bool = False,
    ) -> None:
        """Emit to everybody in `namespace`, to rooms or sids, or to all sessions of a `user`.

        A tuple is several arguments; bytes may be anywhere in them. `skip_sid` and `unless` (rooms) leave sockets
        out; `volatile` events are dropped where they could not be written at once. `callback` is for one sid: it is
        called with what the client answers. Raises BAD_REQUEST, INVALID_DATA, MESSAGE_TOO_LARGE, INVALID_CHANNEL.
        """
        packed = self._emitter.pack(event, data)
        skipped = [str(each) for each in _several(skip_sid)]
        if user is not None:
            if not all(each is None for each in (to, room, unless, callback)) or volatile:
                raise HubbubError(
                    ErrorCode.BAD_REQUEST,
                    "user: all its sessions get it, but skip_sid; nothing else chooses",
                    field="user",
                )
            self._emitter.to_user(user, event, packed, namespace, skipped)
            return
        sockets, channels = self._targets(to if to is not None else room, namespace)
        if callback is not None:
            if len(sockets) != 1 or channels:
                raise HubbubError(ErrorCode.BAD_REQUEST, "callback: only for one sid", field="callback")
            self._emitter.asking(sockets, event, packed, [self._calling(callback)])
            return
        rooms = [self.sockets.names.room(namespace, name) for name in _several(unless)]
        alone = skipped[0] if len(skipped) == 1 else None
        others = () if alone is not None else tuple(f"session:{sid}" for sid in skipped)
        passed_over = (*rooms, *others, *(f"session:{each.id}" for each in sockets))
        if channels:
            await self._emitter.to_channels(
                channels, event, packed, exclude=alone, unless=passed_over, volatile=volatile
            )
        if sockets:
            inside = set(rooms)
            chosen = [
                each
                for each in sockets
                if each.id not in skipped and not (inside and inside & _channels(each.socket.session))
            ]
            self._emitter.to_sockets(chosen, event, packed, volatile=volatile)

    async def server_emit(self, event: str, *arguments: Any) -> None:
        """Tell all other nodes; clients hear nothing of it."""
        await self._nodes.emit(event, arguments)

    async def send(self, data: Any, to: To = None, **options: Any) -> None:
        """Emit a `message`."""
        await self.emit("message", data, to, **options)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: Sid | None = None,
        sid: Sid | None = None,
        namespace: str = "/",
        timeout: float = 60.0,
    ) -> Any:
        """Emit to one client and return what it answers: None, a value, or a tuple of several.

        Raises TimeoutError after `timeout` seconds, NOT_FOUND for a sid that is not there, SESSION_GONE if the client
        leaves for good before it answers.
        """
        wanted = to if to is not None else sid
        connection = self._find(wanted, namespace) if wanted is not None else None
        if connection is None and isinstance(wanted, Socket):
            raise HubbubError(ErrorCode.SESSION_GONE, "the client has left")
        if connection is None:
            raise HubbubError(ErrorCode.NOT_FOUND, f"no socket {wanted} in {namespace}", field="to")
        packed = self._emitter.pack(event, data)
        (answer,) = await self._emitter.answers([connection], event, packed, timeout)
        if answer is not None:
            return _value(answer)
        if connection.socket.session.closed:
            raise HubbubError(ErrorCode.SESSION_GONE, "the client left before it answered")
        raise TimeoutError(f"no answer to {event} within {timeout:g} s")

    async def call_all(
        self,
        event: str,
        data: Any = None,
        to: To = None,
        namespace: str = "/",
        timeout: float = 10.0,
        *,
        skip_sid: Sid | Sequence[Sid] | None = None,
    ) -> Answers:
        """Emit to all in `to` whose clients are there, and return what they answer within `timeout` seconds."""
        packed = self._emitter.pack(event, data)
        skipped = {str(each) for each in _several(skip_sid)}
        members = self._members(*self._targets(to, namespace), namespace)
        asked = [each for each in members if each.id not in skipped]
        answers = await self._emitter.answers(asked, event, packed, timeout)
        values = tuple(_value(answer) for answer in answers if answer is not None)
        return Answers(values, len(answers) - len(values))

    # --- rooms --------------------------------------------------------------------------------------------

    async def enter_room(self, sid: Sid, room: str, namespace: str | None = None) -> None:
        """Put a client into a room. Raises NOT_FOUND, LIMIT_EXCEEDED above `limits.subscriptions`, INVALID_CHANNEL."""
        connection = self._required(sid, namespace)
        assert connection.session is not None
        await self._hub.enter(connection.session, self.sockets.names.room(connection.namespace, room))

    async def leave_room(self, sid: Sid, room: str, namespace: str | None = None) -> None:
        """Take a client out of a room; nothing happens if it is not in it. Raises NOT_FOUND."""
        connection = self._required(sid, namespace)
        assert connection.session is not None
        channel = self.sockets.names.room(connection.namespace, room)
        await self._hub.server_unsubscribe(connection.session, channel)

    async def close_room(self, room: str, namespace: str = "/") -> None:
        """Take everybody out of a room, those too who are away and may recover."""
        channel = self.sockets.names.room(namespace, room)
        for connection in self._members([], [channel], namespace, away=True):
            await self._hub.server_unsubscribe(connection.socket.session, channel)

    def rooms(self, sid: Sid, namespace: str | None = None) -> frozenset[str]:
        """The rooms that a client is in, the one named after its sid among them."""
        socket = self.socket(sid, namespace)
        found = {socket.sid}
        for channel in _channels(socket.session):
            room = self.sockets.names.room_of(socket.namespace, channel)
            if room is not None:
                found.add(room)
        return frozenset(found)

    def members(self, room: str | None = None, namespace: str = "/") -> list[Socket]:
        """The sockets of this node in a room, or in the whole namespace."""
        return [each.socket for each in self._members(*self._targets(room, namespace), namespace)]

    # --- single clients -----------------------------------------------------------------------------------

    def socket(self, sid: Sid, namespace: str | None = None) -> Socket:
        """Raises NOT_FOUND."""
        return sid if isinstance(sid, Socket) else self._required(sid, namespace).socket

    async def disconnect(self, sid: Sid, namespace: str | None = None, *, close: bool = False) -> None:
        """End a client's socket; with `close` those in its other namespaces, too, and its connection. Stock clients do
        not come back by themselves after that."""
        connection = self._find(sid, namespace)
        if connection is not None:
            self.sockets.disconnect(connection, close=close)

    async def disconnect_all(self, to: To = None, namespace: str = "/") -> int:
        """End all sockets in a room, or in the namespace, those too who are away. Returns how many."""
        found = self._members(*self._targets(to, namespace), namespace, away=True)
        for connection in found:
            self.sockets.disconnect(connection)
        return len(found)

    async def get_session(self, sid: Sid, namespace: str | None = None) -> dict[str, Any]:
        """The application's own data of a client (`socket.data`). Raises NOT_FOUND."""
        return self.socket(sid, namespace).data

    async def save_session(self, sid: Sid, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replace the application's own data of a client. Raises NOT_FOUND."""
        data = self.socket(sid, namespace).data
        if data is not session:
            data.clear()
            data.update(session)

    @contextlib.asynccontextmanager
    async def session(self, sid: Sid, namespace: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """`async with sio.session(sid) as session: session["seen"] = 1`. Raises NOT_FOUND."""
        yield self.socket(sid, namespace).data

    # --- who is meant -------------------------------------------------------------------------------------

    def _find(self, sid: Sid, namespace: str | None) -> NamespaceConnection | None:
        """`sid` within `namespace`; a Socket is where it is."""
        connection = self.sockets.by_id.get(str(sid))
        if connection is None or isinstance(sid, Socket) or namespace in (None, connection.namespace):
            return connection
        return None

    def _required(self, sid: Sid, namespace: str | None) -> NamespaceConnection:
        connection = self._find(sid, namespace)
        if connection is None or connection.session is None:
            raise HubbubError(ErrorCode.NOT_FOUND, f"no socket {sid}", field="sid")
        return connection

    def _targets(self, to: To, namespace: str) -> tuple[list[NamespaceConnection], list[str]]:
        """Sockets and channels that are meant, each once. A sid that is not in `namespace`, or no more, is nobody; any
        other name is a room."""
        if to is None:
            return [], [self.sockets.names.everyone(namespace)]
        sockets: list[NamespaceConnection] = []
        channels: list[str] = []
        for each in _several(to):
            connection = self._find(each, namespace)
            if connection is not None:
                sockets.append(connection)
            elif isinstance(each, str) and not is_id(each):
                channels.append(self.sockets.names.room(namespace, each))
        return list(dict.fromkeys(sockets)), list(dict.fromkeys(channels))

    def _members(
        self,
        sockets: Sequence[NamespaceConnection],
        channels: Sequence[str],
        namespace: str,
        *,
        away: bool = False,
    ) -> list[NamespaceConnection]:
        """`sockets`, and those of this node in `channels`, each once; with `away` those too who may recover."""
        by_id, hub = self.sockets.by_id, self._hub
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

    def _calling(self, callback: Callable[..., Any]) -> Answer:
        """Call the application's function with an answer, in the background; nothing if none comes."""

        async def call(arguments: list[Any]) -> None:
            result = callback(*arguments)
            if inspect.isawaitable(result):
                await result

        async def called(arguments: list[Any]) -> None:
            try:
                await eager.in_task(call, arguments)
            except Exception as error:
                self._hub.metrics.handler_errors += 1
                log.error("callback failed", exc_info=error)

        return lambda arguments: None if arguments is None else self._hub.spawn(called(arguments))


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

    async def disconnect(self, sid: Sid, *, close: bool = False) -> None:
        await self.server.disconnect(sid, close=close)

    async def disconnect_all(self, to: To = None) -> int:
        return await self.server.disconnect_all(to, self._name)

    async def get_session(self, sid: Sid) -> dict[str, Any]:
        return await self.server.get_session(sid)

    async def save_session(self, sid: Sid, session: dict[str, Any]) -> None:
        await self.server.save_session(sid, session)

    def session(self, sid: Sid) -> contextlib.AbstractAsyncContextManager[dict[str, Any]]:
        return self.server.session(sid)


def _several(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str | Socket) else value


def _channels(session: Session) -> set[str]:
    return set(session.subscriptions or session.away)


def _value(answer: list[Any]) -> Any:
    return None if not answer else answer[0] if len(answer) == 1 else tuple(answer)
