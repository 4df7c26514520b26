"""All sockets of this node: how they enter a namespace and recover, and how their events reach the handlers."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec
from msgspec import Raw

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import AUTH_FAILED, FORCED, REPLACED, ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.hub.hub import Hub
from hubbub.hub.journal import Entry, Trail
from hubbub.hub.session import Session, is_id
from hubbub.model import Acknowledged, Event, Principal, Publication, Reply
from hubbub.protocols.socketio import Parser, extract
from hubbub.protocols.socketio_encoding import OWN, NamespaceCodec
from hubbub.socketio.client import SocketIoClient
from hubbub.socketio.commands import run as run_command
from hubbub.socketio.commands import run_method
from hubbub.socketio.connection import NamespaceConnection
from hubbub.socketio.environ import environ, speaks_javascript
from hubbub.socketio.handlers import EventHandler, Namespace, Namespaces, event_handler
from hubbub.socketio.link import Link
from hubbub.socketio.names import Names
from hubbub.socketio.socket import Socket
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.socketio.server import SocketIo

log = get_logger("hubbub.socketio")

OVERDUE_CHECK = 1.0
NOTHING = Raw(b"[]")
INVALID_NAMESPACE = "Invalid namespace"


class ConnectionRefused(Exception):
    """Raise it in a `connect` handler: the client's `connect_error` gets the message, and `data` if there is any."""

    def __init__(self, message: str = "Connection rejected by server", data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Sockets:
    """`by_id` finds a socket by its `sid`, whether its client is there or within its recovery window."""

    def __init__(self, hub: Hub, parser: Parser, server: SocketIo) -> None:
        self.hub = hub
        self.server = server
        self.parser = parser
        self.names = Names(hub.config.socketio, hub.config.limits.channel_length)
        self.namespaces = Namespaces()
        self.by_id: dict[str, NamespaceConnection] = {}
        self.concurrent = False
        """Whether any handler runs beside the order of events."""
        self._codecs: WeakValueDictionary[tuple[str, bool], NamespaceCodec] = WeakValueDictionary()
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._watching = False
        self._acks = 0
        hub.commands[Event] = self._handle
        hub.ended.append(self._ended)

    def accept(self, link: Link) -> SocketIoClient:
        """A link has opened."""
        return SocketIoClient(self, link)

    def wants_offsets(self, info: ConnectionInfo) -> bool:
        """Whether a client's events carry an offset, so that it can recover."""
        config = self.hub.config.socketio
        if config.recovery == "never" or not config.recovery_window:
            return False
        return config.recovery == "always" or speaks_javascript(info)

    def codec(self, namespace: str, offsets: bool) -> NamespaceCodec:
        """One object for all that understand the same, so that one encoding serves them."""
        key = (namespace, offsets)
        codec = self._codecs.get(key)
        if codec is None:
            epoch = self.hub.journal.epoch if offsets else None
            spread = self.hub.config.socketio.arguments == "spread"
            codec = self._codecs[key] = NamespaceCodec(namespace, self.parser, epoch, spread=spread)
        return codec

    def next_ack(self) -> int:
        if not self._acks and self.hub.node_id:
            # What a client answers late, it may answer on another node, where that id must be nobody's.
            self._acks = secrets.randbelow(2**40)
        self._acks += 1
        return self._acks

    # --- entering -----------------------------------------------------------------------------------------

    async def connect(self, client: SocketIoClient, namespace: str, auth: dict[str, Any]) -> None:
        """Answer a CONNECT. Raises HubbubError to refuse it."""
        hub = self.hub
        if hub.draining:
            raise HubbubError(ErrorCode.DRAINING, retry_after=1.0)
        if self.namespaces.patterns:  # they may ask the application
            timeout = hub.config.limits.call_timeout
            handlers = await eager.in_task(self._handlers, namespace, auth, within=timeout)
        else:
            await asyncio.sleep(0)  # into a task; and what came with the CONNECT came too early, as for Node
            handlers = await self._handlers(namespace, auth)
        if handlers is None:
            client.reject(namespace, INVALID_NAMESPACE)
            return
        token = auth.get("token")
        principal = await hub.policy.authenticate(token if isinstance(token, str) else None, client.link.info)
        client.admitted = True
        if client.closed:
            return
        if client.offsets:
            await self._fetch(client, namespace, auth, principal, handlers)
            if client.closed or self._recover(client, namespace, auth, principal, handlers):
                return
        await self._welcome(client, namespace, auth, principal, handlers)

    async def _handlers(self, namespace: str, auth: Any) -> tuple[Namespace, ...] | None:
        found = await self.namespaces.of(namespace, auth)
        return () if found is None and self.names.mapped(namespace) else found

    async def _welcome(
        self,
        client: SocketIoClient,
        namespace: str,
        auth: dict[str, Any],
        principal: Principal,
        handlers: tuple[Namespace, ...],
    ) -> None:
        """A new socket. Its client may go, and the server may end it, while this waits."""
        hub, link = self.hub, client.link
        connection = NamespaceConnection(client, namespace, self.codec(namespace, client.offsets), handlers)
        session = hub.open(connection, link.info)
        if client.offsets:
            session.trail = Trail(hub.journal)
        hub.admit(session, principal)
        connection.id = session.id
        connection.socket = Socket(self, connection)
        self.by_id[session.id] = client.entering[namespace] = connection
        connection.hold()
        session.absent = True  # from presence, until it has been let in
        try:
            await hub.enter(session, self.names.everyone(namespace))
            for name in principal.subscribe:
                await hub.server_subscribe(session, name)
            await self._ask_hooks(session)
            if not session.closed:
                await self._ask_handlers(connection, link.info, auth)
        except BaseException as error:
            hub.end(session, None)
            if isinstance(error, ConnectionRefused):
                data = None if error.data is None else msgspec.json.encode(error.data)
                client.reject(namespace, error.message, data)
                return
            raise
        if session.closed:
            self.dropped(connection, client.closed or "server namespace disconnect")
            raise HubbubError(ErrorCode.SESSION_GONE)
        session.info = self._without_headers(link)
        pid = f"{session.id}.{session.secret}" if session.trail is not None else None
        client.entered(connection)
        client.write(connection.dialect.connected(session.id, pid))
        connection.release()
        if session.trail is not None:
            session.trail.begin()
        session.absent = False
        hub.noticed(session)
        for channel in list(session.subscriptions.values()):
            await hub.attendance.settle(session, channel)

    async def _ask_hooks(self, session: Session) -> None:
        for hook in self.hub.handlers.connected:
            await eager.in_task(hook, session, within=self.hub.config.limits.call_timeout)

    async def _ask_handlers(
        self, connection: NamespaceConnection, info: ConnectionInfo, auth: dict[str, Any]
    ) -> None:
        """Run the namespace's `connect` handler. Raises ConnectionRefused, and what the handler raises."""
        handler = next((each.connect for each in connection.handlers if each.connect is not None), None)
        if handler is None:
            connection.inside = True
            return
        connection.environ = environ(info)
        values = handler.arguments([connection.environ, auth or None][: handler.most])
        within = self.hub.config.limits.call_timeout
        try:
            verdict = await eager.in_task(self._run, connection, handler, values, within=within)
        except TimeoutError:
            raise HubbubError(ErrorCode.TIMEOUT, "the handler of 'connect' took too long") from None
        finally:
            connection.environ = None
        if verdict is False:
            raise ConnectionRefused
        connection.inside = True

    # --- recovering ---------------------------------------------------------------------------------------

    async def _fetch(
        self,
        client: SocketIoClient,
        namespace: str,
        auth: dict[str, Any],
        principal: Principal,
        handlers: tuple[Namespace, ...],
    ) -> None:
        """Bring the client's old socket here if another node has it; it is recovered like any other then."""
        hub, pid, offset = self.hub, auth.get("pid"), auth.get("offset")
        if hub.claims is None or not isinstance(pid, str) or not isinstance(offset, str | None):
            return
        id, _, secret = pid.partition(".")
        if id in hub.sessions or not is_id(id):
            return
        try:
            session = await hub.claims.claim_journaled(
                id, secret, principal.user, offset, self.names.everyone(namespace)
            )
        except HubbubError as error:
            log.info("socket is not recovered", reason=error.message)
            return
        connection = NamespaceConnection(client, namespace, self.codec(namespace, client.offsets), handlers)
        connection.id = id
        connection.session = session
        connection.socket = Socket(self, connection)
        self.by_id[id] = connection

    def _recover(
        self,
        client: SocketIoClient,
        namespace: str,
        auth: dict[str, Any],
        principal: Principal,
        handlers: tuple[Namespace, ...],
    ) -> bool:
        """Give the client its old socket back, with all that it missed; False if that cannot be, and then the old
        one ends. Nothing waits in here, so nothing is published meanwhile."""
        pid, offset = auth.get("pid"), auth.get("offset")
        if not isinstance(pid, str):
            return False
        hub = self.hub
        id, _, secret = pid.partition(".")
        connection = self.by_id.get(id)
        if connection is None or connection.namespace != namespace:
            hub.metrics.resumes["gone"] += 1
            return False
        try:
            session = hub.resume(id, secret)
        except HubbubError:
            return False
        if session.user != principal.user or session.trail is None:
            return False
        if session.connection is not None:  # the old link is not known to be dead yet
            old = connection.client
            old.left(connection, "transport close")
            hub.detach(session)
            if not old.connections and not old.entering:
                old.link.close(REPLACED)
        missed = None
        since = session.trail.number(offset) if isinstance(offset, str | None) else None
        if since is not None and not session.closed:
            hub.flush(session)
            missed = session.trail.missed(session.id, session.away, since)
        if missed is None:
            hub.metrics.resumes["incomplete"] += 1
            hub.end(session, None)
            return False
        hub.metrics.resumes["recovered"] += 1
        connection.stand_on(client)
        connection.handlers = handlers
        connection.recovered = True
        hub.identify(session, principal)
        info = client.link.info
        hub.attach(session, connection, self._without_headers(client.link))
        client.entered(connection)
        client.write(connection.dialect.connected(session.id, pid))
        for entry in missed:
            self._replay(connection, entry)
        session.trail.begin()
        hub.reenter(session)
        session.release()
        session.in_turn(partial(self._returned, session, connection, info, auth))
        return True

    def _replay(self, connection: NamespaceConnection, entry: Entry) -> None:
        push = entry.envelope.push
        if entry.ack >= 0 and isinstance(push, Publication):
            payloads = connection.dialect.events.event(
                push.event,
                inner(push),
                push.attachments,
                sequence=entry.sequence,
                ack=entry.ack,
            )
        else:
            payloads = tuple(connection.dialect.events.encode(push, entry.sequence))
        connection.write(connection.framing(payloads))

    async def _returned(
        self, session: Session, connection: NamespaceConnection, info: ConnectionInfo, auth: dict[str, Any]
    ) -> None:
        """The client is back; its events wait until the handlers of `connect` know."""
        if session.absent and not session.closed:
            session.absent = False
            self.hub.noticed(session)
            for channel in list(session.subscriptions.values()):
                await self.hub.attendance.settle(session, channel)
        try:
            await self._ask_handlers(connection, info, auth)
        except Exception as error:
            if not isinstance(error, ConnectionRefused | HubbubError):
                self.hub.metrics.handler_errors += 1
                log.error("connect failed", namespace=connection.namespace, exc_info=error)
            self.hub.end(session, AUTH_FAILED)

    # --- events -------------------------------------------------------------------------------------------

    async def _handle(self, session: Session, event: Event) -> Acknowledged | Reply | None:
        """The hub's command for events: whatever is returned becomes the acknowledgement."""
        connection: Any = session.asker
        handler = event_handler(connection.handlers, event.name)
        if handler is None or (handler.names_event and self._is_command(event)):
            return await self._without_handler(session, event)
        result = await self._guarded(connection, handler, event)
        if event.id < 0:
            return None
        if result is None:
            return Acknowledged(event.id, NOTHING)
        values = list(result) if type(result) is tuple else [result]
        try:
            data, attachments = extract(values)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"the handler of {event.name} returned what cannot be sent: {error}") from error
        return Acknowledged(event.id, data, attachments)

    async def _without_handler(self, session: Session, event: Event) -> Acknowledged | Reply | None:
        if self._is_command(event):
            return await run_command(session, event)
        if event.name in self.hub.handlers.methods or event.name in self.hub.handlers.own:
            return await run_method(session, event)
        if event.id < 0:
            return None  # as the reference: nobody listens
        raise HubbubError(ErrorCode.METHOD_NOT_FOUND, f"no handler of the event {event.name[:64]!r}")

    def _is_command(self, event: Event) -> bool:
        return event.name.startswith(OWN) and self.hub.config.socketio.commands

    async def _guarded(self, connection: NamespaceConnection, handler: EventHandler, event: Event) -> Any:
        """Run the handler, for `limits.call_timeout` at the most if it does not end at once."""
        result = self._call(connection, handler, event.name, handler.arguments(event.arguments))
        if handler.awaits:
            try:
                waiting = result.send(None)
            except StopIteration as stop:
                return stop.value
            return await self._in_time(eager.rest(result, waiting), event.name)
        return await self._in_time(result, event.name) if inspect.isawaitable(result) else result

    async def _in_time(self, result: Awaitable[Any], event: str) -> Any:
        """Without a timer for each handler: a look once a second at those that still run is enough."""
        task = asyncio.current_task()
        assert task is not None
        self._deadlines[task] = self.hub.clock.monotonic() + self.hub.config.limits.call_timeout
        if not self._watching:
            self._watching = True
            self.hub.clock.call_later(OVERDUE_CHECK, self._end_overdue)
        try:
            return await result
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            raise HubbubError(ErrorCode.TIMEOUT, f"the handler of {event} took too long") from None
        finally:
            del self._deadlines[task]
            if task in self._overdue:
                self._overdue.discard(task)
                task.uncancel()
                self.hub.metrics.rejected["call_timeout"] += 1

    def _end_overdue(self) -> None:
        now = self.hub.clock.monotonic()
        for task, deadline in self._deadlines.items():
            if deadline <= now and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._watching = bool(self._deadlines)
        if self._watching:
            self.hub.clock.call_later(OVERDUE_CHECK, self._end_overdue)

    async def _run(
        self, connection: NamespaceConnection, handler: EventHandler, values: Sequence[Any]
    ) -> Any:
        """Run a `connect` or `disconnect` handler."""
        result = self._call(connection, handler, "", values)
        return await result if inspect.isawaitable(result) else result

    def _call(
        self, connection: NamespaceConnection, handler: EventHandler, event: str, values: Sequence[Any]
    ) -> Any:
        socket = connection.socket
        if not handler.names_event and not handler.names_namespace:
            return handler.function(socket, *values)
        names = (event,) * handler.names_event + (connection.namespace,) * handler.names_namespace
        return handler.function(*names, socket, *values)

    def run_apart(self, connection: NamespaceConnection, event: Event) -> bool:
        """Run the event's handler beside the order of events, if it wants that and not too many do already."""
        handler = event_handler(connection.handlers, event.name)
        session = connection.session
        if handler is None or not handler.concurrent or session is None:
            return False
        if connection.apart >= self.hub.config.limits.pending_commands:
            return False  # it takes its turn, and so holds up the rest
        connection.apart += 1

        async def apart() -> None:
            try:
                await session.handle_apart(event, connection)
            finally:
                connection.apart -= 1

        self.hub.spawn(eager.in_task(apart))
        return True

    # --- leaving ------------------------------------------------------------------------------------------

    def dropped(self, connection: NamespaceConnection, why: str) -> None:
        """The client is away, for now or for good: tell the handlers of `disconnect`, after its last event."""
        handler = next((each.disconnect for each in connection.handlers if each.disconnect is not None), None)
        if handler is not None:
            connection.socket.session.in_turn(partial(self._tell, connection, handler, why))

    async def _tell(self, connection: NamespaceConnection, handler: EventHandler, why: str) -> None:
        if not connection.inside:
            return  # `connect` did not let it in
        connection.inside = False
        values = [why][: handler.most]
        within = self.hub.config.limits.call_timeout
        try:
            await eager.in_task(self._run, connection, handler, values, within=within)
        except Exception as error:
            self.hub.metrics.handler_errors += 1
            log.error("disconnect handler failed", namespace=connection.namespace, exc_info=error)

    def _ended(self, session: Session) -> None:
        connection = self.by_id.pop(session.id, None)
        if connection is not None:
            connection.drop_acks()
            connection.drop_held()

    def _without_headers(self, link: Link) -> ConnectionInfo:
        """They are for the Policy and the handlers of `connect` only; ten thousand copies would weigh."""
        info = link.info
        if info.headers:
            info = replace(info, headers=())
            if not self.namespaces.several and not self.names.any_mapped:
                link.info = info  # there is no other namespace that its client could enter
        return info

    def disconnect(self, connection: NamespaceConnection, *, close: bool = False) -> None:
        """The server ends this socket, or with `close` all that its client has."""
        client = connection.client
        others = [each for each in client.connections.values() if close and each is not connection]
        for each in (connection, *others):
            if each.session is not None and not each.session.closed:
                self.hub.end(each.session, FORCED)
        if close:
            client.link.close(FORCED)


def inner(push: Publication) -> bytes:
    """A publication's arguments as JSON with commas between them."""
    return bytes(push.data)[1:-1] if push.spread else bytes(push.data)
