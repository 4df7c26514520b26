"""Socket.IO among several nodes: what is asked of the others' sockets, and done to this one's for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from hubbub.cluster.bus import Bus
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.hub.hub import Hub
from hubbub.hub.session import node_of
from hubbub.model import Raw
from hubbub.socketio import elsewhere
from hubbub.socketio.connection import NamespaceConnection
from hubbub.socketio.elsewhere import (
    Answered,
    Answers,
    Ask,
    Count,
    Drop,
    Emit,
    Fetch,
    Infos,
    Move,
    ServerEvent,
    Sids,
    SocketInfo,
    Values,
    Whom,
)
from hubbub.socketio.emitting import Emitter, Packed
from hubbub.socketio.sockets import Sockets
from hubbub.socketio.who import Who, channels_of
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.socketio")


class Nodes:
    """`together` once there is a bus to the others; alone, there is nobody to ask, and nothing is found."""

    def __init__(self, sockets: Sockets, emitter: Emitter, who: Who) -> None:
        self._sockets = sockets
        self._hub: Hub = sockets.hub
        self._emitter = emitter
        self._who = who
        self._bus: Bus | None = None
        self._handlers: dict[str, Callable[..., Any]] = {}

    @property
    def together(self) -> bool:
        return self._bus is not None

    def join(self, bus: Bus) -> None:
        """From now on there are others; to be called before the start."""
        self._bus = bus
        bus.on(elsewhere.EMIT, self._emit)
        bus.on(elsewhere.ASK, self._ask)
        bus.on(elsewhere.MOVE, self._move)
        bus.on(elsewhere.DROP, self._drop)
        bus.on(elsewhere.FETCH, self._fetch)
        bus.on(elsewhere.SERVER_EVENT, self._server_event)

    def add(self, event: str, function: Callable[..., Any]) -> None:
        """Raises TypeError for a second handler of `event`."""
        if event in self._handlers:
            raise TypeError(f"there is a handler of {event!r} between servers already")
        self._handlers[event] = function

    # --- asking -------------------------------------------------------------------------------------------

    def emit(
        self, whom: Whom, event: str, packed: Packed, *, unless: Sequence[str] = (), volatile: bool = False
    ) -> None:
        """Send to single sockets, or a user's, on other nodes. Nobody waits for that."""
        if self._bus is not None:
            message = Emit(whom, event, _values(packed), tuple(unless), volatile)
            self._hub.spawn(self._send(self._bus, message))

    async def _send(self, bus: Bus, message: Emit) -> None:
        """To the nodes in the sids, and what they do not have to all."""
        rest: list[str] = []
        for node, group in groupby(sorted(message.whom.sids), node_of):
            sids = tuple(group)
            try:
                found = await bus.ask(node, elsewhere.EMIT, _for(message, sids))
                rest += (sid for sid in sids if sid not in found.sids)
            except HubbubError:
                rest += sids
        if rest or message.whom.user:
            await bus.tell_all(elsewhere.EMIT, _for(message, tuple(rest)))

    async def call(self, sid: str, namespace: str, event: str, packed: Packed, timeout: float) -> list[Any]:
        """What a client of another node answers. Raises as SocketIo.call does, and NODE_UNAVAILABLE."""
        node, _ = await self._locate(sid, namespace)
        assert self._bus is not None
        message = Ask(Whom(namespace, (sid,)), event, _values(packed), timeout)
        within = timeout + self._hub.config.cluster.request_timeout
        answered = await self._bus.ask(node, elsewhere.ASK, message, within)
        if answered.answers:
            return answered.answers[0].read()
        if answered.gone or not answered.asked:
            raise HubbubError(ErrorCode.SESSION_GONE, "the client left before it answered")
        raise TimeoutError(f"no answer to {event} within {timeout:g} s")

    async def _locate(self, sid: str, namespace: str | None) -> tuple[str, SocketInfo]:
        """The node that has the socket, and what it says of it. Raises NOT_FOUND, NODE_UNAVAILABLE."""
        if self._bus is None:
            raise _no_socket(sid)
        found = await self._bus.ask_whoever(
            node_of(sid),
            elsewhere.FETCH,
            Fetch(Whom(namespace, (sid,))),
            lambda infos: bool(infos.sockets),
        )
        if found.answer is None:
            raise _no_socket(sid, found.missing)
        (info,) = found.answer.sockets
        return found.node, info

    async def call_all(self, whom: Whom, event: str, packed: Packed, timeout: float) -> Answers:
        """What the clients of all other nodes answer."""
        if self._bus is None or not whom.others:
            return Answers((), 0)
        within = timeout + self._hub.config.cluster.request_timeout
        replies = await self._bus.ask_all(elsewhere.ASK, Ask(whom, event, _values(packed), timeout), within)
        values = [value(each.read()) for answer in replies.answers.values() for each in answer.answers]
        asked = sum(answer.asked for answer in replies.answers.values())
        return Answers(tuple(values), asked - len(values) + len(replies.missing))

    async def move(self, whom: Whom, rooms: Sequence[str], *, leave: bool) -> int:
        """Into channels or out of them, on all other nodes. How many sockets."""
        if self._bus is None or not whom.others:
            return 0
        replies = await self._bus.ask_all(elsewhere.MOVE, Move(whom, tuple(rooms), leave))
        return sum(answer.count for answer in replies.answers.values())

    async def move_one(
        self, sid: str, namespace: str | None, channel: Callable[[str], str], *, leave: bool
    ) -> None:
        """One socket of another node, into the channel that its namespace has. Raises NOT_FOUND, NODE_UNAVAILABLE, and
        what entering raises."""
        node, info = await self._locate(sid, namespace)
        assert self._bus is not None
        message = Move(Whom(info.namespace, (sid,)), (channel(info.namespace),), leave)
        await self._bus.ask(node, elsewhere.MOVE, message)

    async def drop(self, whom: Whom, *, close: bool = False) -> int:
        """End sockets on all other nodes. How many."""
        if self._bus is None or not whom.others:
            return 0
        if len(whom.sids) == 1 and not whom.channels:
            found = await self._bus.ask_whoever(
                node_of(whom.sids[0]), elsewhere.DROP, Drop(whom, close), lambda count: count.count > 0
            )
            return 0 if found.answer is None else found.answer.count
        replies = await self._bus.ask_all(elsewhere.DROP, Drop(whom, close))
        return sum(answer.count for answer in replies.answers.values())

    async def fetch(self, whom: Whom) -> list[tuple[str, SocketInfo]]:
        """The sockets of the other nodes, with their nodes' ids. Raises NODE_UNAVAILABLE if one does not answer."""
        if self._bus is None or not whom.others:
            return []
        replies = await self._bus.ask_all(elsewhere.FETCH, Fetch(whom))
        if replies.missing:
            missing = ", ".join(replies.missing)
            raise HubbubError(ErrorCode.NODE_UNAVAILABLE, f"nodes that do not answer: {missing}")
        return [(node, info) for node, infos in replies.answers.items() for info in infos.sockets]

    async def tell(self, event: str, arguments: Sequence[Any], node: str | None) -> None:
        """Raises INVALID_DATA."""
        message = ServerEvent(event, _packed_values(arguments))
        if self._bus is None:
            return
        if node is None:
            await self._bus.tell_all(elsewhere.SERVER_EVENT, message)
        else:
            await self._bus.tell(node, elsewhere.SERVER_EVENT, message)

    async def ask(self, event: str, arguments: Sequence[Any], timeout: float, node: str | None) -> Answers:
        """Raises INVALID_DATA."""
        message = ServerEvent(event, _packed_values(arguments))
        if self._bus is None:
            return Answers((), 0 if node is None else 1)
        if node is not None:
            try:
                answer = await self._bus.ask(node, elsewhere.SERVER_EVENT, message, timeout)
            except HubbubError:
                return Answers((), 1)
            return Answers((value(answer.read()),), 0)
        replies = await self._bus.ask_all(elsewhere.SERVER_EVENT, message, timeout)
        return Answers(tuple(value(each.read()) for each in replies.answers.values()), len(replies.missing))

    # --- answering ----------------------------------------------------------------------------------------

    def _found(self, whom: Whom, *, away: bool = False) -> list[NamespaceConnection]:
        """This node's sockets that are meant."""
        sockets = (self._who.find(sid, whom.namespace) for sid in whom.sids)
        named = [each for each in sockets if each is not None]
        members = self._who.members(named, whom.channels, whom.namespace or "/", away=away)
        return [each for each in members if each.id not in whom.skipped]

    def _emit(self, node: str, message: Emit) -> Sids:
        whom, packed = message.whom, _packed(message.values)
        if whom.user:
            self._emitter.to_user(whom.user, message.event, packed, whom.namespace or "/", whom.skipped)
        found = self._found(whom)
        unless = set(message.unless)
        chosen = [each for each in found if not (unless and unless & channels_of(each.socket.session))]
        if chosen:
            self._emitter.to_sockets(chosen, message.event, packed, volatile=message.volatile)
        return Sids(tuple(each.id for each in found))

    async def _ask(self, node: str, message: Ask) -> Answered:
        found = self._found(message.whom)
        answers = await self._emitter.answers(found, message.event, _packed(message.values), message.timeout)
        gone = sum(
            answer is None and each.socket.session.closed for each, answer in zip(found, answers, strict=True)
        )
        return Answered(len(found), [Values.of(answer) for answer in answers if answer is not None], gone)

    async def _move(self, node: str, message: Move) -> Count:
        found = self._found(message.whom, away=message.leave)
        for connection in found:
            for channel in message.rooms:
                if message.leave:
                    await self._hub.server_unsubscribe(connection.socket.session, channel)
                elif connection.session is not None:
                    await self._hub.enter(connection.session, channel)
        return Count(len(found))

    def _drop(self, node: str, message: Drop) -> Count:
        found = self._found(message.whom, away=True)
        for connection in found:
            self._sockets.disconnect(connection, close=message.close)
        return Count(len(found))

    def _fetch(self, node: str, message: Fetch) -> Infos:
        return Infos([self.describe(each) for each in self._found(message.whom, away=True)])

    def describe(self, connection: NamespaceConnection) -> SocketInfo:
        """What other nodes may know of a socket of this one's."""
        socket = connection.socket
        info = socket.session.info
        return SocketInfo(
            connection.id,
            connection.namespace,
            socket.user,
            tuple(self._who.rooms(socket)),
            _data(socket.data),
            connection.transport,
            info.address,
            info.user_agent,
            socket.connected,
        )

    async def _server_event(self, node: str, message: ServerEvent) -> Values:
        handler = self._handlers.get(message.event)
        if handler is None:
            raise HubbubError(ErrorCode.NOT_AVAILABLE, f"no handler of {message.event!r} between servers")
        within = self._hub.config.limits.call_timeout
        try:
            result = await eager.in_task(_call, handler, message.values.read(), within=within)
            return Values.of(list(result) if type(result) is tuple else [] if result is None else [result])
        except Exception as error:
            self._hub.metrics.handler_errors += 1
            log.error("handler of an event between servers failed", event_name=message.event, exc_info=error)
            raise HubbubError(ErrorCode.INTERNAL) from None


async def _call(handler: Callable[..., Any], arguments: list[Any]) -> Any:
    result = handler(*arguments)
    return await result if inspect.isawaitable(result) else result


def value(answer: list[Any]) -> Any:
    """An acknowledgement as an application gets it: None, a value, or a tuple of several."""
    return None if not answer else answer[0] if len(answer) == 1 else tuple(answer)


def _for(message: Emit, sids: tuple[str, ...]) -> Emit:
    whom = message.whom
    return Emit(
        Whom(whom.namespace, sids, skipped=whom.skipped, user=whom.user),
        message.event,
        message.values,
        message.unless,
        message.volatile,
    )


def _values(packed: Packed) -> Values:
    return Values(bytes(packed.data), packed.attachments, packed.spread)


def _packed(values: Values) -> Packed:
    return Packed(Raw(values.data), values.attachments, values.spread)


def _packed_values(arguments: Sequence[Any]) -> Values:
    try:
        return Values.of(arguments)
    except (TypeError, ValueError, RecursionError) as error:
        raise HubbubError(ErrorCode.INVALID_DATA, f"data: {error}", field="data") from None


def _data(data: dict[str, Any]) -> Values:
    """What of it has a JSON form."""
    try:
        return Values.of([data])
    except (TypeError, ValueError, RecursionError):
        return Values.of([{key: each for key, each in data.items() if _has_form(key, each)}])


def _has_form(key: Any, each: Any) -> bool:
    try:
        Values.of([{key: each}])
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _no_socket(sid: str, missing: tuple[str, ...] = ()) -> HubbubError:
    if missing:
        message = f"{sid} may be on a node that does not answer: {', '.join(missing)}"
        return HubbubError(ErrorCode.NODE_UNAVAILABLE, message, field="sid")
    return HubbubError(ErrorCode.NOT_FOUND, f"no socket {sid}", field="sid")
