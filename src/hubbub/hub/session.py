"""One client's logical presence: its identity, its subscriptions, and the commands it sends, handled in order."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from hubbub import model
from hubbub.auth.base import ConnectionInfo
from hubbub.errors import (
    AUTH_FAILED,
    BAD_COMMAND,
    ERRORS,
    FLOOD,
    USER_LIMIT,
    Disconnect,
    ErrorCode,
    HubbubError,
)
from hubbub.hub import eager
from hubbub.hub.base import Connection
from hubbub.hub.journal import Trail
from hubbub.model import (
    Acknowledged,
    Command,
    ErrorReply,
    Event,
    Invalid,
    Position,
    Principal,
    Reply,
    SessionPush,
)
from hubbub.protocols.base import Payload
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.channel import Channel
    from hubbub.hub.hub import Hub

log = get_logger("hubbub.session")

NOBODY = Principal(user="")
ERROR_WINDOW = 10.0
UNEARNED = frozenset((ErrorCode.INTERNAL, ErrorCode.TIMEOUT))
"""Errors that are the server's own faults: no client is ended for them."""
FATAL_CONNECT = {
    ErrorCode.INVALID_TOKEN: AUTH_FAILED,
    ErrorCode.TOKEN_EXPIRED: AUTH_FAILED,
    ErrorCode.UNAUTHENTICATED: AUTH_FAILED,
    ErrorCode.PERMISSION_DENIED: AUTH_FAILED,
    ErrorCode.LIMIT_EXCEEDED: USER_LIMIT,
}
"""Refusals of a `connect` after which the connection is ended too."""


class Session:
    """Before `connect` it is anonymous and unknown to the hub; afterwards it outlives its connection.

    Attributes that a handler may use: `id`, `user`, `principal`, `info`, `state` (a dict of the application's own),
    `subscriptions` (channels by name), `connected`.
    """

    __slots__ = (
        "__weakref__",
        "_errors_seen",
        "_errors_since",
        "_queue",
        "_running",
        "_state",
        "absent",
        "asker",
        "away",
        "barred",
        "closed",
        "command_tat",
        "connection",
        "deadline",
        "entered",
        "expires",
        "hidden",
        "hub",
        "id",
        "idle",
        "info",
        "joining",
        "moved",
        "pending",
        "pending_bytes",
        "principal",
        "publish_tat",
        "secret",
        "subscribe_tat",
        "subscriptions",
        "trail",
    )

    def __init__(self, hub: Hub, connection: Connection | None, info: ConnectionInfo) -> None:
        self.hub = hub
        self.connection = connection
        self.info = info
        self.id = ""
        self.secret = ""
        self.principal = NOBODY
        self.expires: float | None = None
        self.subscriptions: dict[str, Channel] = {}
        self.joining: set[str] | None = None
        self.hidden: set[str] | None = None  # channels in which it does not want to be seen
        self.pending: list[SessionPush | model.Push] | None = None
        self.pending_bytes = 0
        self.asker: Connection | None = None  # where the command being handled came from
        self.deadline: float | None = None
        self.trail: Trail | None = None  # by which it resumes, if not by Positions
        self.closed = False
        self.barred = False  # ended by the server: nothing more of its client's is handled
        self.moved = False  # ended here only: it goes on at another node
        self.away: tuple[str, ...] = ()  # the channels of a detached session
        self.entered: dict[str, Position] | None = None  # where it was put into those while it was away
        self.absent = False  # detached, and out of presence too
        self.idle = False  # its user has said not to be at the device
        self.command_tat = self.publish_tat = self.subscribe_tat = 0.0
        self._errors_since = 0.0
        self._errors_seen = 0
        self._queue: deque[tuple[Item, Connection | None]] | None = None
        self._running: object = None  # something, while a command is being handled
        self._state: dict[str, Any] | None = None

    # --- what handlers see --------------------------------------------------------------------------------

    @property
    def user(self) -> str:
        return self.principal.user

    @property
    def state(self) -> dict[str, Any]:
        """A dictionary of the application's own; it lives as long as the session."""
        if self._state is None:
            self._state = {}
        return self._state

    @property
    def stateful(self) -> bool:
        """Whether the application keeps anything in `state`."""
        return bool(self._state)

    def present_in(self, channel: str) -> bool:
        """Whether presence should show this session in `channel`."""
        if self.closed or self.absent or (self.hidden is not None and channel in self.hidden):
            return False
        return channel in self.subscriptions or channel in self.away

    @property
    def connected(self) -> bool:
        return self.connection is not None and not self.closed

    @property
    def busy(self) -> bool:
        """Whether a command is being handled."""
        return self._running is not None

    @property
    def waiting(self) -> int:
        """How many commands wait behind the one being handled."""
        return len(self._queue) if self._queue is not None else 0

    async def send(self, event: str, data: Any) -> None:
        """Push one event to this session alone."""
        self.direct(
            model.Publication(
                f"session:{self.id}",
                event,
                model.Raw(msgspec.json.encode(data)),
                time=round(self.hub.clock.now(), 3),
            )
        )

    async def subscribe(self, channel: str) -> None:
        """Put this session into a channel; the client is told by a `subscribed` push."""
        await self.hub.server_subscribe(self, channel)

    async def unsubscribe(self, channel: str) -> None:
        """Take this session out of a channel; the client is told by an `unsubscribed` push."""
        await self.hub.server_unsubscribe(self, channel)

    def disconnect(self, reason: Disconnect) -> None:
        """End the session and its connection."""
        self.hub.end(self, reason)

    # --- commands -----------------------------------------------------------------------------------------

    def accept(self, item: Command | Event | Invalid) -> None:
        """Handle `item` now, or after those before it that are still being handled.

        The answer goes to the connection that asked, or nowhere: on a later one its id may stand for another command.
        """
        if not self.closed:
            self._accept(item, self.connection)

    def in_turn(self, work: Work) -> None:
        """Do `work` after all that was accepted before it, even when the session has ended by then."""
        self._accept(work, None)

    def dismiss(self, *, events: bool) -> None:
        """The session ends: forget the commands that wait. Events are not, unless `events`: a client may send some
        and leave at once."""
        self.barred = events
        if self._queue:
            self._queue = deque(
                each for each in self._queue if callable(each[0]) or (type(each[0]) is Event and not events)
            )

    def _accept(self, item: Item, asker: Connection | None) -> None:
        if self._running is not None:
            if self._queue is None:
                self._queue = deque()
            self._queue.append((item, asker))
            if len(self._queue) >= self.hub.config.limits.pending_commands and self.connection is not None:
                self.hub.metrics.rejected["pending_commands"] += 1
                self.connection.pause()
            return
        if type(item) is Event:
            # What an application handles must find itself in a task (decision 4).
            self._running = self
            self.hub.pump.run(self._handle_event(item, asker))
            return
        if callable(item):
            self._running = self
            self.hub.spawn(self._do(item))
            return
        task = eager.start(self._handle(item, asker))
        if task is not None:
            self._running = task
            task.add_done_callback(self._handled)

    async def _handle_event(self, event: Event, asker: Connection | None) -> None:
        """What waits behind it is given to the pump, which takes it in the same turn of the loop: what came in one read
        is answered in one write."""
        try:
            await self._handle(event, asker)
        except GeneratorExit:
            raise  # the loop has ended, and nothing goes on
        except BaseException:
            self._go_on()
            raise
        self._go_on()

    async def _do(self, work: Work) -> None:
        try:
            await work()
        except GeneratorExit:
            raise
        except BaseException:
            self._go_on()
            raise
        self._go_on()

    async def handle_apart(self, event: Event, asker: Connection) -> None:
        """Handle an event beside the order of the others. Never raises."""
        await self._handle(event, asker)

    def _handled(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("command failed", session=self.id, exc_info=error)
        self._go_on()

    def _go_on(self) -> None:
        """A command has been handled: take the next."""
        self._running = None
        connection = self.connection
        # A resume has moved the connection to the older session: what is left belongs there.
        heir = connection.session if connection is not None and connection.session is not None else self
        while self._queue and (heir is not self or self._running is None):
            item, asker = self._queue.popleft()
            heir._accept(item, asker)
        if connection is not None and not self._queue:
            connection.resume()

    async def _handle(self, item: Command | Event | Invalid, asker: Connection | None) -> None:
        self.asker = asker
        hub = self.hub
        kind = type(item)
        try:
            if isinstance(item, Invalid):
                raise HubbubError(ErrorCode(item.code), item.message, field=item.field)
            if not self.id and kind is not model.Connect:
                raise HubbubError(ErrorCode.UNAUTHENTICATED, "send `connect` first")
            if hub.claims is not None and hub.clock.monotonic() > hub.claims.fence:
                await hub.claims.confirm()
                if self.moved:
                    return  # it is another node's now
            if kind is Event:
                await self._in_pace()
                if self.barred:
                    return
                self.asker = asker  # others may have been handled meanwhile
            else:
                after = hub.take(self.command_tat, hub.command_rate, "command_rate")
                if hub.user_rate is not None and self.principal.user:
                    hub.user_rate.spend(self.principal.user)
                self.command_tat = after
            hub.metrics.commands[NAMES[kind]] += 1
            reply = await hub.commands[kind](self, item)
        except Exception as error:
            if not isinstance(error, HubbubError):
                hub.metrics.handler_errors += 1
                log.error("command failed", session=self.id, command=kind.__name__, exc_info=error)
                error = HubbubError(ErrorCode.INTERNAL)
            if not self.asked:
                hub.metrics.errors[int(error.code)] += 1
                return
            self.refuse(item.id, error)
            if (
                kind is model.Connect
                and (end := FATAL_CONNECT.get(error.code))
                and self.connection is not None
            ):
                self.connection.close(end)
        else:
            if reply is not None and self.asked:
                self.reply(reply)

    async def _in_pace(self) -> None:
        """Spend from the token bucket of commands. Events above the rate are not refused, for most ask for no answer
        and would be lost without a word, but wait; and when too many do, reading is paused."""
        hub = self.hub
        if hub.command_rate.interval:
            while (after := hub.command_rate.take(self.command_tat, hub.clock.monotonic())) < 0:
                hub.metrics.rejected["command_rate"] += 1
                await self._sleep(-after)
            self.command_tat = after
        if hub.user_rate is not None and self.principal.user:
            while wait := hub.user_rate.take(self.principal.user):
                hub.metrics.rejected[hub.user_rate.name] += 1
                await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        slept = asyncio.Event()
        self.hub.clock.call_later(seconds, slept.set)
        await slept.wait()

    @property
    def asked(self) -> bool:
        """Whether the command being handled came from the connection that the session has now."""
        return self.connection is not None and self.connection is self.asker

    def count_error(self, code: int) -> None:
        """Count a refusal; a client that earns too many of them is ended."""
        self.hub.metrics.errors[code] += 1
        if code in UNEARNED:
            return
        now = self.hub.clock.monotonic()
        if now - self._errors_since > ERROR_WINDOW:
            self._errors_since, self._errors_seen = now, 0
        self._errors_seen += 1
        if self._errors_seen > self.hub.config.limits.error_burst and self.connection is not None:
            self.hub.metrics.rejected["error_burst"] += 1
            self.connection.close(FLOOD)

    def refuse(self, id: int, error: HubbubError) -> None:
        info = ERRORS[error.code]
        self.reply(
            ErrorReply(
                id,
                int(error.code),
                error.message,
                name=info.name,
                temporary=info.temporary,
                retry_after=error.retry_after,
                field=error.field,
            )
        )
        self.count_error(int(error.code))

    # --- writing ------------------------------------------------------------------------------------------

    def reply(self, reply: Reply | Acknowledged) -> None:
        if (connection := self.connection) is not None:
            self._write(connection, connection.codec.reply(reply))

    def push(self, push: SessionPush) -> None:
        """Send what is for this session alone; kept for a detached session until it is back."""
        if (connection := self.connection) is not None:
            self._write(connection, connection.codec.push(push))
        elif not self.closed:
            self.keep(push, 128)

    def direct(self, push: model.Publication) -> None:
        """Send a publication to this session, whatever channels it is in."""
        sequence = 0
        if self.trail is not None and not self.closed:
            sequence = self.trail.journal.record(f"session:{self.id}", model.Envelope(push))
        if (connection := self.connection) is not None:
            self._write(connection, connection.codec.encoding(push.channel).encode(push, sequence))
        elif not self.closed and not sequence:
            self.keep(push, len(push.data) + 128)

    def keep(self, push: SessionPush | model.Push, size: int) -> None:
        if self.pending is None:
            self.pending = []
        self.pending_bytes += size
        if self.pending_bytes > self.hub.config.sessions.pending_bytes:
            self.hub.metrics.rejected["pending_bytes"] += 1
            self.hub.end(self, FLOOD)
            return
        self.pending.append(push)

    def release(self) -> None:
        """Send what was kept while the client was away."""
        kept, self.pending, self.pending_bytes = self.pending, None, 0
        for push in kept or ():
            if isinstance(push, model.Publication):
                self.direct(push)
            elif not isinstance(push, model.Join | model.Leave):
                self.push(push)

    def _write(self, connection: Connection, payloads: Sequence[Payload]) -> None:
        if not payloads:
            return  # what this protocol does not say
        frame = connection.framing(payloads)
        metrics = self.hub.metrics
        metrics.messages_out += len(payloads)
        metrics.bytes_out += len(frame)
        connection.write(frame)

    def fail(self, error: HubbubError) -> None:
        """The peer broke its protocol: say what was wrong, then end the connection."""
        self.refuse(0, error)
        if self.connection is not None:
            self.connection.close(BAD_COMMAND)


NAMES: dict[type, str] = {
    model.Event: "event",
    model.Connect: "connect",
    model.Subscribe: "subscribe",
    model.Unsubscribe: "unsubscribe",
    model.Publish: "publish",
    model.HistoryQuery: "history",
    model.PresenceQuery: "presence",
    model.Call: "call",
    model.Refresh: "refresh",
    model.Ping: "ping",
}

Work = Callable[[], Coroutine[Any, Any, None]]
Item = Command | Event | Invalid | Work
Execute = Callable[[Session, Any], Awaitable[Reply | Acknowledged | None]]


NODE = 6
"""Characters of a node's id, with which the ids of its sessions begin."""
LENGTH = 20
"""Characters of a session's id, but for the node's."""


def new_id(node: str = "") -> str:
    """The node's id, where there are several, and twenty characters of base64url: twelve at random, and eight from
    which `is_id` knows them."""
    id = node + secrets.token_urlsafe(9)
    return id + _mark(id)


def is_id(text: str) -> bool:
    """Whether this is the id of a session, perhaps one that has ended or is another server's."""
    return len(text) in (LENGTH, NODE + LENGTH) and text.isascii() and text[-8:] == _mark(text[:-8])


def node_of(id: str) -> str:
    """The node on which the session began, or the link of an Engine.IO client (whose ids are as long); empty where
    there was one alone."""
    return id[:NODE] if len(id) == NODE + LENGTH else ""


def _mark(id: str) -> str:
    digest = blake2b(id.encode(), digest_size=6, person=b"hubbub.session")
    return base64.urlsafe_b64encode(digest.digest()).decode()
