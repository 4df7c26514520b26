"""This process's sessions and channels, and the way of a push from the broker to the sockets."""

from __future__ import annotations

import asyncio
import hmac
import random
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from hubbub import model
from hubbub.auth.base import ConnectionInfo, Policy
from hubbub.broker.base import Broker
from hubbub.clock import Clock
from hubbub.config import Config, NamespaceConfig
from hubbub.errors import REPLACED, Disconnect, ErrorCode, HubbubError
from hubbub.hub import commands, eager, entering
from hubbub.hub.base import ChannelOwner, Claims, Connection, Remote
from hubbub.hub.channel import Channel
from hubbub.hub.gathering import Joins
from hubbub.hub.handlers import Handlers, Hook
from hubbub.hub.idempotency import Results
from hubbub.hub.journal import Journal
from hubbub.hub.limits import Buckets, Elsewhere, Rate, make_room
from hubbub.hub.live import Live
from hubbub.hub.presence import Attendance
from hubbub.hub.recovery import fit
from hubbub.hub.session import Execute, Session, new_id
from hubbub.hub.upkeep import Upkeep
from hubbub.model import NO_RETENTION, Envelope, Position, Principal, Publication, Retention
from hubbub.presence.base import PresenceStore
from hubbub.telemetry.levels import NOTHING, Shedding, lowered
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.hub")

UNLIMITED = Retention(2**62, float("inf"))
"""Of logs that are kept elsewhere."""
PLAIN = NamespaceConfig()
"""Options of channels that have an owner: no presence, no conflation; the rest is the owner's."""


class Hub:
    """Synchronous but for commands and the server's operations. One per process."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        broker: Broker,
        presence: PresenceStore,
        policy: Policy,
        handlers: Handlers,
        metrics: Metrics,
        *,
        presence_lease: float = float("inf"),
    ) -> None:
        self.config = config
        self.clock = clock
        self.broker = broker
        self.presence = presence
        self.attendance = Attendance(presence, presence_lease, self.announce, clock)
        self.policy = policy
        self.handlers = handlers
        self.metrics = metrics
        self.sessions: dict[str, Session] = {}
        self.users: dict[str, tuple[Session, ...]] = {}
        self.channels: dict[str, Channel] = {}
        self.live = Live(self)
        self._deliver = self.live.broadcast
        self.pump = eager.Pump()
        self.detached: dict[str, Session] = {}
        self.draining = False
        self.shedding: Shedding = NOTHING
        """What is given up just now, because there is too much load."""
        self.node_id = ""
        """This node's id among several, with which the ids of its sessions begin; empty where it is alone. Set before
        the start, as the next two are."""
        self.remote: Remote | None = None
        """The other nodes."""
        self.claims: Claims | None = None
        """The sessions of the other nodes."""
        self.elsewhere: Elsewhere | None = None
        """How many of them users have."""
        self.listeners: dict[str, Callable[[Envelope], object]] = {}
        """Channels that this process itself listens to from the start, and what hears them."""
        self.owners: dict[str, ChannelOwner] = {}
        """Namespaces whose channels belong to a part of the server, and to which; set before the start."""
        self.owned: tuple[str, ...] = ()
        """The prefixes of their channels."""
        self.guarded: tuple[str, ...] = ("session:",)
        """The prefixes of channels to which no client publishes as to others."""
        self.ended: list[Callable[[Session], object]] = []
        """Told at once of each session that has ended for good."""
        self.appearances: list[Callable[[Session], object]] = []
        """Told of each session that is there now, or (its client being away for long enough) no more."""
        self.commands: dict[type, Execute] = dict(commands.TABLE)
        limits = config.limits
        socketio = config.socketio
        unnoticed = socketio.ping_interval + socketio.ping_timeout  # for which a link may have been dead
        self.journal = Journal(clock, socketio.recovery_window + unnoticed, limits.recovery_bytes)
        self.command_rate = Rate(limits.command_rate, limits.command_burst)
        self.publish_rate = Rate(limits.publish_rate, limits.publish_burst)
        self.subscribe_rate = Rate(limits.subscribe_rate, limits.subscribe_burst)
        self.calls = Buckets("command_rate", self.command_rate, clock, metrics, self.spawn)
        """What users spend by REST."""
        self.user_rate: Buckets | None = None
        """What all sessions of a user spend together, if there is a limit."""
        if limits.user_command_rate:
            rate = Rate(limits.user_command_rate, limits.user_command_burst)
            self.user_rate = Buckets("user_command_rate", rate, clock, metrics, self.spawn)
        self.results = Results(
            clock,
            config.broker.idempotency_ttl,
            config.broker.idempotency_keys,
            longest=limits.call_timeout,
        )
        self._default_retention = _retention(config.default)
        self._retentions = {name: _retention(options) for name, options in config.namespaces.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: dict[str, asyncio.Event] = {}  # channels that the broker is being told to leave
        self.stopped = False
        self._upkeep = Upkeep(self)
        self._joins = Joins(self)
        metrics.gauges.update(
            sessions=lambda: len(self.sessions),
            sessions_detached=lambda: len(self.detached),
            users=lambda: len(self.users),
            channels=lambda: len(self.channels),
            journal_bytes=lambda: self.journal.bytes,
            subscriptions=lambda: sum(channel.size for channel in self.channels.values()),
        )

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.stopped = self.draining = False
        await self.broker.start(self.live.on_push, self.live.missed)
        for channel in self.listeners:
            await self._listen(channel)
        self._upkeep.start()

    async def stop(self) -> None:
        """Forget everything; connections have been closed by their transports."""
        self.stopped = True
        self._upkeep.stop()
        self._joins.stop()
        for session in list(self.sessions.values()):
            self.end(session, None)
        await self.pump.stop()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.broker.stop()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run in the background, keeping a reference and logging what goes wrong."""
        task = eager.start(_logged(coroutine))
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def window(self, session: Session) -> float:
        """Seconds in which `session` can be resumed."""
        config = self.config
        return config.sessions.resume_window if session.trail is None else config.socketio.recovery_window

    # --- sessions -----------------------------------------------------------------------------------------

    def open(self, connection: Connection, info: ConnectionInfo) -> Session:
        """A connection has come up; its session is nobody's until it sends `connect`."""
        session = Session(self, connection, info)
        connection.session = session
        return session

    def admit(self, session: Session, principal: Principal) -> None:
        """Give `session` its identity. Raises LIMIT_EXCEEDED above `connections_per_user`, OVERLOADED."""
        if self.shedding.anonymous and not principal.user:
            self.metrics.rejected["overloaded"] += 1
            raise HubbubError(ErrorCode.OVERLOADED, retry_after=5.0 + 10.0 * random.random())
        if principal.user:
            make_room(self, principal.user)
        session.id = new_id(self.node_id)
        session.secret = secrets.token_urlsafe(18)
        self.identify(session, principal)
        self.sessions[session.id] = session
        if principal.user:
            self.users[principal.user] = (*self.users.get(principal.user, ()), session)

    def identify(self, session: Session, principal: Principal) -> None:
        session.principal = principal
        session.expires = principal.expires

    def resume(self, id: str, secret: str) -> Session:
        """The session with that id. Raises SESSION_GONE, for a wrong secret too."""
        session = self.sessions.get(id)
        if (
            session is None
            or session.closed
            or not hmac.compare_digest(session.secret.encode(), secret.encode())
        ):
            self.metrics.resumes["gone"] += 1
            raise HubbubError(ErrorCode.SESSION_GONE)
        return session

    def noticed(self, session: Session) -> None:
        """To be called when a session has been let in, and whenever its `absent` has changed after that."""
        for appeared in self.appearances:
            appeared(session)

    def attach(self, session: Session, connection: Connection, info: ConnectionInfo) -> None:
        """Move a session to a new connection; the old one, if it still stands, is ended."""
        if (old := session.connection) is not None:
            self._leave_channels(session, old)
            old.session = None
            old.close(REPLACED)
        self.detached.pop(session.id, None)
        session.deadline = None
        session.asker = None
        session.connection = connection
        session.info = info
        connection.session = session

    def detach(self, session: Session, *, resumable: bool = True) -> None:
        """The connection is down. Keep the session for the resume window, unless it was never admitted."""
        connection = session.connection
        if connection is None or session.closed:
            return
        window = self.window(session)
        if not session.id or not resumable or window <= 0 or self.stopped:
            self.end(session, None)
            return
        self._leave_channels(session, connection, keep=session.trail is not None)
        session.connection = session.asker = None
        session.deadline = self.clock.monotonic() + window
        self.detached[session.id] = session

    def _leave_channels(self, session: Session, connection: Connection, *, keep: bool = False) -> None:
        """Take a session out of its channels, remembering their names in `away`; `keep` the node listening to them."""
        channels, session.subscriptions = session.subscriptions, {}
        session.away = (*session.away, *channels)
        for name, channel in channels.items():
            channel.leave(connection.codec.encoding(name), connection)
            if keep:
                channel.kept += 1
            self.release(channel)

    def flush(self, session: Session) -> None:
        """All that waits in the channels of a session that is away reaches the journal."""
        for name in session.away:
            self.channels[name].flush()

    def reenter(self, session: Session) -> None:
        """A journaled session is back: put it into its channels again. What it missed is in the journal."""
        connection = session.connection
        assert connection is not None
        names, session.away = session.away, ()
        for name in names:
            channel = self.channels[name]
            channel.kept -= 1
            channel.enter(connection.codec.encoding(name), connection, session.id)
            session.subscriptions[name] = channel

    def forsake(self, name: str) -> None:
        """A journaled session that is away leaves the channel for good."""
        channel = self.channels[name]
        channel.kept -= 1
        self.release(channel)

    def end(self, session: Session, reason: Disconnect | None) -> None:
        """End a session for good, and its connection with `reason` if it has one; None: the client is gone."""
        if session.closed:
            return
        connection = session.connection
        if connection is None and session.trail is not None:
            for name in session.away:
                self.forsake(name)
        if connection is not None:
            self._leave_channels(session, connection)
            connection.session = None
            if reason is not None:
                session.connection = None
                connection.close(reason)
        session.closed = True
        session.dismiss(events=reason is not None or self.stopped)
        session.connection = session.asker = None
        self.detached.pop(session.id, None)
        self.sessions.pop(session.id, None)
        if session.user:
            rest = tuple(other for other in self.users.get(session.user, ()) if other is not session)
            if rest:
                self.users[session.user] = rest
            else:
                self.users.pop(session.user, None)
        if session.away and not session.absent:
            self.spawn(self.settle(session, session.away))
        if session.id:
            for ended in self.ended:
                ended(session)
            for hook in () if session.moved else self.handlers.disconnected:
                self.spawn(self._run_hook(hook, session))

    async def _run_hook(self, hook: Hook, session: Session) -> None:
        try:
            await eager.in_task(hook, session, within=self.config.limits.call_timeout)
        except Exception as error:
            self.metrics.handler_errors += 1
            log.error("on_disconnect failed", session=session.id, exc_info=error)

    # --- channels -----------------------------------------------------------------------------------------

    def channel(self, name: str) -> Channel:
        """The channel as it stands here; made, but not yet entered, if it is new."""
        channel = self.channels.get(name)
        if channel is None:
            owner = self.owner(name)
            options = self.config.namespace(name) if owner is None else PLAIN
            retention, schedule = self.retention(name), self.clock.call_later
            channel = Channel(name, options, retention, self.metrics, schedule, self._deliver)
            channel.owner = owner
        return channel

    def own(self, namespace: str, owner: ChannelOwner, *, logged: bool = True) -> None:
        """From now on the channels `<namespace>:...` are the owner's, who keeps their logs if they are `logged`; to be
        called before the start."""
        self.owners[namespace] = owner
        self.owned = (*self.owned, f"{namespace}:")
        self.guarded = (*self.guarded, f"{namespace}:")
        self._retentions[namespace] = UNLIMITED if logged else NO_RETENTION

    def owner(self, name: str) -> ChannelOwner | None:
        return self.owners[name.partition(":")[0]] if name.startswith(self.owned) else None

    def retention(self, name: str) -> Retention:
        """How much of the channel's log is kept, as its namespace says."""
        namespace, colon, _ = name.partition(":")
        found = self._retentions.get(namespace) if colon else None
        return found if found is not None else self._default_retention

    async def hold(self, name: str, buffer: list[Publication]) -> Channel:
        """Begin to enter a channel: from when this returns, `buffer` receives what is published in it, and the
        channel stays until `release` is called with the buffer taken out."""
        channel = self.channels.get(name)
        if channel is None:
            if len(self.channels) >= self.config.limits.channels:
                self.metrics.rejected["channels"] += 1
                raise HubbubError(
                    ErrorCode.LIMIT_EXCEEDED, f"limits.channels = {self.config.limits.channels} on this node"
                )
            channel = self.channels[name] = self.channel(name)
        if channel.buffers is None:
            channel.buffers = []
        channel.buffers.append(buffer)
        if not channel.subscribed:
            try:
                while (left := self._leaving.get(name)) is not None:
                    await left.wait()  # lest the broker hears us in the wrong order
                await self._listen(name)
            except BaseException:
                self.release(channel, buffer)
                raise
            channel.subscribed = True
        return channel

    async def _listen(self, name: str) -> None:
        """A broker that is cut off remembers the name, and says `missed` once it hears again: until then there is what
        this node publishes, and what is in logs that can be read."""
        try:
            await self.broker.subscribe(name)
        except HubbubError as error:
            if error.code is not ErrorCode.BROKER_UNAVAILABLE:
                raise

    def release(self, channel: Channel, buffer: list[Publication] | None = None) -> None:
        """Take `buffer` out; forget the channel if nobody is in it or is entering it."""
        if channel.buffers is not None and buffer is not None:
            channel.buffers = [other for other in channel.buffers if other is not buffer] or None
        if channel.journal is not None and not channel.kept and not channel.journaled:
            channel.journal = None
        if channel.size or channel.kept or channel.buffers or self.channels.get(channel.name) is not channel:
            return
        del self.channels[channel.name]
        self.spawn(self._unsubscribe(channel.name))

    async def _unsubscribe(self, name: str) -> None:
        if name in self._leaving:
            return
        left = self._leaving[name] = asyncio.Event()
        try:
            await self.broker.unsubscribe(name)
        finally:
            del self._leaving[name]
            left.set()

    # --- shared by commands and operations ----------------------------------------------------------------

    def take(self, state: float, rate: Rate, limit: str) -> float:
        """Spend from a token bucket. Raises RATE_LIMITED, saying when to try again."""
        if not rate.interval:
            return state
        after = rate.take(state, self.clock.monotonic())
        if after < 0:
            self.metrics.rejected[limit] += 1
            raise HubbubError(
                ErrorCode.RATE_LIMITED, f"more than limits.{limit}", retry_after=round(-after, 3)
            )
        return after

    async def announce(self, channel: Channel, push: model.Join | model.Leave) -> None:
        """Send a join or leave, where the namespace wants them and the channel is not too large for them."""
        options = channel.options
        if not options.join_leave or options.presence != "full" or channel.size > options.presence_limit:
            return
        if self.remote is None or not await self.attendance.crowded(channel):
            if self._joins:
                self._joins.put(push)
            else:
                await self.broker.publish(Envelope(push))

    async def settle(self, session: Session, names: tuple[str, ...]) -> None:
        for name in names:
            await self.attendance.settle(session, self.channel(name))

    async def server_subscribe(self, session: Session, channel: str) -> None:
        await entering.subscribe_by_server(session, channel)

    async def enter(self, session: Session, channel: str, since: Position | None = None) -> None:
        """Put a session into a channel that may be one of the server's own; `since`: push what came after that."""
        await entering.subscribe_by_server(session, channel, checked=False, since=since)

    async def server_unsubscribe(self, session: Session, channel: str) -> bool:
        return await entering.unsubscribe_by_server(session, channel)

    async def history(
        self,
        name: str,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
        reader: str | None = None,
    ) -> model.History:
        """Raises NOT_AVAILABLE where the namespace keeps no log, LIMIT_EXCEEDED above `limits.history`."""
        retention = self.retention(name)
        if not retention.size:
            raise HubbubError(
                ErrorCode.NOT_AVAILABLE, f"{name}: the namespace keeps no history", field="channel"
            )
        if not 0 <= limit <= self.config.limits.history:
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED,
                f"limit is 0 to limits.history = {self.config.limits.history}",
                field="limit",
            )
        if limit > (most := lowered(self.config.limits.history, self.shedding.history)):
            self.metrics.shed["history"] += 1
            limit = most
        found = await self.read_log(name, since, limit, reverse=reverse, reader=reader)
        return fit(found, self.config.limits.history_bytes)

    async def read_log(
        self,
        name: str,
        since: Position | None,
        limit: int,
        *,
        reverse: bool = False,
        reader: str | None = None,
    ) -> model.History:
        """A channel's log, wherever it is kept, as far as the user `reader` may see it; None: all of it."""
        if (owner := self.owner(name)) is not None:
            return await owner.history(name, since=since, limit=limit, reverse=reverse, reader=reader)
        return await self.broker.history(
            name, self.retention(name), since=since, limit=limit, reverse=reverse
        )

    async def who(self, name: str) -> model.Presence:
        """Raises NOT_AVAILABLE where the namespace keeps no presence."""
        options = self.config.namespace(name) if self.owner(name) is None else PLAIN
        if options.presence == "off":
            raise HubbubError(
                ErrorCode.NOT_AVAILABLE, f"{name}: the namespace keeps no presence", field="channel"
            )
        return await self.presence.members(name, options.presence_limit if options.presence == "full" else 0)


def _retention(options: NamespaceConfig) -> Retention:
    return Retention(options.retention, options.ttl, options.conflate)


async def _logged(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        await coroutine
    except Exception as error:
        log.error("background work failed", exc_info=error)
