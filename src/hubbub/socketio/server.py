"""The Socket.IO server as an application sees it: `app.socketio`. Names are python-socketio's."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from hubbub.cluster.bus import Bus
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.hub.hub import Hub
from hubbub.protocols.socketio import Parser
from hubbub.socketio.connection import Answer
from hubbub.socketio.elsewhere import Answers, RemoteSocket, Whom
from hubbub.socketio.emitting import Emitter, Packed
from hubbub.socketio.handlers import NamespaceName
from hubbub.socketio.namespace import Namespace
from hubbub.socketio.nodes import Nodes, value
from hubbub.socketio.socket import Socket
from hubbub.socketio.sockets import Sockets
from hubbub.socketio.who import Sid, Targets, To, Who, channels_of, several
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.socketio")
CALLBACK = 60.0
"""Seconds for which a callback waits for a client of another node."""
F = TypeVar("F", bound=Callable[..., Any])


class SocketIo:
    """Register handlers, emit events, and manage rooms. Everything but the handlers may be called from anywhere in
    the process once the server has been started, and means the sockets of all nodes where it does not say otherwise."""

    def __init__(self, hub: Hub, parser: Parser) -> None:
        self._hub = hub
        self.sockets = Sockets(hub, parser, self)
        self._emitter = Emitter(self.sockets)
        self._who = Who(self.sockets)
        self._nodes = Nodes(self.sockets, self._emitter, self._who)

    def join(self, bus: Bus) -> None:
        """There are other nodes; to be called before the start."""
        self._nodes.join(bus)

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
        """Register a handler of what another node tells by `server_emit`, or asks by `server_call`: `async def
        handler(*arguments)`; what it returns is the answer."""

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
        called with what the client answers, on another node within 60 s. Raises BAD_REQUEST, INVALID_DATA,
        MESSAGE_TOO_LARGE, INVALID_CHANNEL.
        """
        packed = self._emitter.pack(event, data)
        skipped = [str(each) for each in several(skip_sid)]
        if user is not None:
            if not all(each is None for each in (to, room, unless, callback)) or volatile:
                raise HubbubError(
                    ErrorCode.BAD_REQUEST,
                    "user: all its sessions get it, but skip_sid; nothing else chooses",
                    field="user",
                )
            self._emitter.to_user(user, event, packed, namespace, skipped)
            self._nodes.emit(Whom(namespace, skipped=tuple(skipped), user=user), event, packed)
            return
        targets = self._who.targets(to if to is not None else room, namespace)
        sockets, channels, elsewhere = targets
        if callback is not None:
            self._ask_one(targets, namespace, event, packed, self._calling(callback))
            return
        rooms = [self.sockets.names.room(namespace, name) for name in several(unless)]
        alone = skipped[0] if len(skipped) == 1 else None
        others = () if alone is not None else tuple(f"session:{sid}" for sid in skipped)
        alone_too = (*(each.id for each in sockets), *elsewhere)
        passed_over = (*rooms, *others, *(f"session:{sid}" for sid in alone_too))
        if channels:
            await self._emitter.to_channels(
                channels, event, packed, exclude=alone, unless=passed_over, volatile=volatile
            )
        if sockets:
            inside = set(rooms)
            chosen = [
                each
                for each in sockets
                if each.id not in skipped and not (inside and inside & channels_of(each.socket.session))
            ]
            self._emitter.to_sockets(chosen, event, packed, volatile=volatile)
        if elsewhere:
            whom = Whom(namespace, tuple(elsewhere), skipped=tuple(skipped))
            self._nodes.emit(whom, event, packed, unless=rooms, volatile=volatile)

    def _ask_one(self, targets: Targets, namespace: str, event: str, packed: Packed, answer: Answer) -> None:
        """Ask for an acknowledgement, of whose coming nobody is told if it does not. Raises BAD_REQUEST."""
        sockets, channels, elsewhere = targets
        if not self._nodes.together:
            elsewhere = []
        if len(sockets) + len(elsewhere) != 1 or channels:
            raise HubbubError(ErrorCode.BAD_REQUEST, "callback: only for one sid", field="callback")
        if sockets:
            self._emitter.asking(sockets, event, packed, [answer])
            return

        async def ask() -> None:
            with contextlib.suppress(HubbubError, TimeoutError):
                answer(await self._nodes.call(elsewhere[0], namespace, event, packed, CALLBACK))

        self._hub.spawn(ask())

    async def server_emit(self, event: str, *arguments: Any, node: str | None = None) -> None:
        """Tell all other nodes, or the one with the id `node`; clients hear nothing of it. Raises INVALID_DATA."""
        await self._nodes.tell(event, arguments, node)

    async def server_call(
        self, event: str, *arguments: Any, node: str | None = None, timeout: float = 5.0
    ) -> Answers:
        """Ask all other nodes, or the one with the id `node`, and return what their handlers return within `timeout`
        seconds. Raises INVALID_DATA."""
        return await self._nodes.ask(event, arguments, timeout, node)

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
        connection = self._who.find(wanted, namespace) if wanted is not None else None
        if connection is None and isinstance(wanted, Socket):
            raise HubbubError(ErrorCode.SESSION_GONE, "the client has left")
        packed = self._emitter.pack(event, data)
        if connection is None and wanted is not None and self._nodes.together:
            return value(await self._nodes.call(str(wanted), namespace, event, packed, timeout))
        if connection is None:
            raise HubbubError(ErrorCode.NOT_FOUND, f"no socket {wanted} in {namespace}", field="to")
        (answer,) = await self._emitter.answers([connection], event, packed, timeout)
        if answer is not None:
            return value(answer)
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
        skipped = {str(each) for each in several(skip_sid)}
        targets = self._who.targets(to, namespace)
        members = self._who.members(targets.sockets, targets.channels, namespace)
        asked = [each for each in members if each.id not in skipped]
        whom = self._whom(targets, namespace, skipped)
        answers, others = await asyncio.gather(
            self._emitter.answers(asked, event, packed, timeout),
            self._nodes.call_all(whom, event, packed, timeout),
        )
        values = tuple(value(answer) for answer in answers if answer is not None)
        return Answers((*values, *others.values), len(answers) - len(values) + others.missing)

    def _whom(self, targets: Targets, namespace: str, skipped: Iterable[str] = ()) -> Whom:
        """The same for other nodes."""
        return Whom(namespace, tuple(targets.elsewhere), tuple(targets.channels), tuple(skipped))

    # --- rooms --------------------------------------------------------------------------------------------

    async def enter_room(self, sid: Sid, room: str, namespace: str | None = None) -> None:
        """Put a client into a room. Raises NOT_FOUND, LIMIT_EXCEEDED above `limits.subscriptions`, INVALID_CHANNEL."""
        if self._is_elsewhere(sid, namespace):
            await self._nodes.move_one(str(sid), namespace, self._room(room), leave=False)
            return
        connection = self._who.required(sid, namespace)
        assert connection.session is not None
        await self._hub.enter(connection.session, self.sockets.names.room(connection.namespace, room))

    def _is_elsewhere(self, sid: Sid, namespace: str | None) -> bool:
        """Whether other nodes may have what is not here."""
        return self._nodes.together and not isinstance(sid, Socket) and self._who.find(sid, namespace) is None

    def _room(self, room: str) -> Callable[[str], str]:
        return lambda namespace: self.sockets.names.room(namespace, room)

    async def leave_room(self, sid: Sid, room: str, namespace: str | None = None) -> None:
        """Take a client out of a room; nothing happens if it is not in it. Raises NOT_FOUND."""
        if self._is_elsewhere(sid, namespace):
            await self._nodes.move_one(str(sid), namespace, self._room(room), leave=True)
            return
        connection = self._who.required(sid, namespace)
        assert connection.session is not None
        channel = self.sockets.names.room(connection.namespace, room)
        await self._hub.server_unsubscribe(connection.session, channel)

    async def close_room(self, room: str, namespace: str = "/") -> None:
        """Take everybody out of a room, those too who are away and may recover."""
        channel = self.sockets.names.room(namespace, room)
        await self._leave(Targets([], [channel], []), [channel], namespace)

    async def sockets_join(self, rooms: str | Sequence[str], to: To = None, namespace: str = "/") -> int:
        """Put all in `to` into rooms. Returns how many there are. Raises INVALID_CHANNEL."""
        targets = self._who.targets(to, namespace)
        channels = [self.sockets.names.room(namespace, room) for room in several(rooms)]
        found = self._who.members(targets.sockets, targets.channels, namespace)
        for connection in found:
            for channel in channels:
                if connection.session is not None:
                    await self._hub.enter(connection.session, channel)
        return len(found) + await self._nodes.move(self._whom(targets, namespace), channels, leave=False)

    async def sockets_leave(self, rooms: str | Sequence[str], to: To = None, namespace: str = "/") -> int:
        """Take all in `to` out of rooms. Returns how many there are."""
        channels = [self.sockets.names.room(namespace, room) for room in several(rooms)]
        return await self._leave(self._who.targets(to, namespace), channels, namespace)

    async def _leave(self, targets: Targets, channels: Sequence[str], namespace: str) -> int:
        found = self._who.members(targets.sockets, targets.channels, namespace, away=True)
        for connection in found:
            for channel in channels:
                await self._hub.server_unsubscribe(connection.socket.session, channel)
        return len(found) + await self._nodes.move(self._whom(targets, namespace), channels, leave=True)

    def rooms(self, sid: Sid, namespace: str | None = None) -> frozenset[str]:
        """The rooms that a client of this node is in, the one named after its sid among them."""
        return self._who.rooms(self.socket(sid, namespace))

    def members(self, room: str | None = None, namespace: str = "/") -> list[Socket]:
        """The sockets of this node in a room, or in the whole namespace."""
        targets = self._who.targets(room, namespace)
        return [each.socket for each in self._who.members(targets.sockets, targets.channels, namespace)]

    async def fetch_sockets(self, to: To = None, namespace: str = "/") -> list[RemoteSocket]:
        """The sockets of all nodes in `to`, those too who are away and may recover. Raises NODE_UNAVAILABLE if a node
        does not answer, naming it."""
        targets = self._who.targets(to, namespace)
        found = self._who.members(targets.sockets, targets.channels, namespace, away=True)
        here = [(self._hub.node_id, self._nodes.describe(each)) for each in found]
        others = await self._nodes.fetch(self._whom(targets, namespace))
        return [RemoteSocket(self, node, info) for node, info in (*here, *others)]

    # --- single clients -----------------------------------------------------------------------------------

    def socket(self, sid: Sid, namespace: str | None = None) -> Socket:
        """A socket of this node. Raises NOT_FOUND."""
        return sid if isinstance(sid, Socket) else self._who.required(sid, namespace).socket

    async def disconnect(self, sid: Sid, namespace: str | None = None, *, close: bool = False) -> None:
        """End a client's socket; with `close` those in its other namespaces, too, and its connection. Stock clients do
        not come back by themselves after that."""
        connection = self._who.find(sid, namespace)
        if connection is not None:
            self.sockets.disconnect(connection, close=close)
        elif not isinstance(sid, Socket):
            await self._nodes.drop(Whom(namespace, (str(sid),)), close=close)

    async def disconnect_all(self, to: To = None, namespace: str = "/", *, close: bool = False) -> int:
        """End all sockets in a room, or in the namespace, those too who are away; with `close` their connections, too.
        Returns how many."""
        targets = self._who.targets(to, namespace)
        found = self._who.members(targets.sockets, targets.channels, namespace, away=True)
        for connection in found:
            self.sockets.disconnect(connection, close=close)
        return len(found) + await self._nodes.drop(self._whom(targets, namespace), close=close)

    async def get_session(self, sid: Sid, namespace: str | None = None) -> dict[str, Any]:
        """The application's own data of a client of this node (`socket.data`). Raises NOT_FOUND."""
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
