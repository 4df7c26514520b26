"""What each command of a client does. Limits and permissions first, effects after the last of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

from hubbub import __version__, model
from hubbub.auth.channels import check_channel, matches
from hubbub.errors import AUTH_FAILED, ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.hub.channel import Channel
from hubbub.hub.journal import Trail
from hubbub.hub.recovery import Recovery, fit, merge
from hubbub.hub.session import Execute, Session
from hubbub.model import Envelope, History, Operation, Position, Publication, Subscribed
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.session")

READS = 5
"""How often the log is read for one subscription before it is given up because the broker contradicts itself."""

# --- connect ----------------------------------------------------------------------------------------------


async def connect(session: Session, command: model.Connect) -> None:
    hub = session.hub
    if session.id:
        raise HubbubError(ErrorCode.ALREADY_CONNECTED)
    if hub.draining:
        raise HubbubError(ErrorCode.DRAINING, retry_after=1.0)
    if command.resume is not None:
        await _resume(session, command, command.resume)
        return
    await welcome(session, await hub.policy.authenticate(command.token, session.info), command.id)


async def welcome(session: Session, principal: model.Principal, id: int = 0) -> None:
    """Give a new session its principal: what follows upon a token, or upon a ticket. Reply: `connected`."""
    hub = session.hub
    connection = session.connection
    if connection is None:
        return  # gone while we asked
    hub.admit(session, principal)
    session.info = replace(session.info, headers=())  # for the policy only; ten thousand copies would weigh
    if hub.handlers.connected:
        session.absent = True  # from presence, until the hooks have let it in
        refusal = await _ask_hooks(session)
        session.absent = False
        if connection.session is not session:
            hub.end(session, None)
            return
        session.connection = connection
        if refusal is not None:
            session.refuse(id, refusal)
            hub.end(session, AUTH_FAILED)
            return
    session.reply(_connected(session, id))
    session.release()
    names, session.away = session.away, ()
    for name in (*principal.subscribe, *names):
        try:
            await subscribe_by_server(session, name)
        except HubbubError as error:  # `connect` has been answered already
            session.push(model.ServerUnsubscribed(name, int(error.code), error.message))


async def _ask_hooks(session: Session) -> HubbubError | None:
    """Run the `on_connect` hooks; what they push and subscribe waits until the client knows of its session."""
    connection, session.connection = session.connection, None
    if connection is not None:
        connection.pause()  # until `connect` has been handled: what waits would not be bounded
    try:
        for hook in session.hub.handlers.connected:
            await eager.in_task(hook, session, within=session.hub.config.limits.call_timeout)
    except HubbubError as error:
        return error
    except Exception as error:
        session.hub.metrics.handler_errors += 1
        log.error("on_connect failed", session=session.id, exc_info=error)
        return HubbubError(ErrorCode.INTERNAL)
    return None


def _connected(
    session: Session, id: int, *, resumed: bool = False, subscriptions: tuple[Subscribed, ...] = ()
) -> model.Connected:
    config = session.hub.config
    return model.Connected(
        id,
        session.id,
        session.secret,
        session.user,
        config.heartbeat.ping_interval,
        config.heartbeat.ping_timeout,
        config.sessions.resume_window,
        version=__version__,
        expires=session.expires,
        resumed=resumed,
        recovered=resumed and all(each.recovered for each in subscriptions if each.recoverable),
        subscriptions=subscriptions,
    )


async def _resume(fresh: Session, command: model.Connect, proof: model.Resume) -> None:
    """Give the connection its old session back, with everything its channels have published since."""
    hub = fresh.hub
    session = hub.resume(proof.session, proof.secret)
    entries: dict[str, _Entry] = {}
    try:
        # Others may subscribe or unsubscribe this session while we read the logs, and a log may move on unheard,
        # so look again after each round.
        while missing := [
            name
            for name in (*session.subscriptions, *session.away)
            if name not in entries or not entries[name].level
        ]:
            for name in missing:
                if (stale := entries.pop(name, None)) is not None:
                    hub.release(stale.channel, stale.buffer)
                entries[name] = await _begin(session, name, proof.positions.get(name))
        connection = fresh.connection
        if connection is None or session.closed:
            raise HubbubError(ErrorCode.SESSION_GONE)
        hub.attach(session, connection, replace(fresh.info, headers=()))
        names, session.away = session.away, ()
        subscribed: list[Subscribed] = []
        channels: list[Channel] = []
        for name in names:
            entry = entries[name]
            recovery = entry.finish()
            subscribed.append(_subscribed(0, entry, recovery))
            _enter(session, entry, recovery)
            channels.append(entry.channel)
        reply = _connected(session, command.id, resumed=True, subscriptions=tuple(subscribed))
        hub.metrics.resumes["recovered" if reply.recovered else "incomplete"] += 1
        session.reply(reply)
        session.release()
    finally:
        for entry in entries.values():
            hub.release(entry.channel, entry.buffer)
    if session.absent:
        session.absent = False
        for channel in channels:
            await hub.attendance.settle(session, channel)


# --- subscribe --------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """A subscription being made: what was read of the log, and what has been published since that began."""

    channel: Channel
    buffer: list[Publication]
    since: Position | None
    history: History | None

    def finish(self) -> Recovery | None:
        return None if self.history is None else merge(self.since, self.history, self.buffer)

    @property
    def level(self) -> bool:
        """Whether what the subscriber is told now ends where the live stream goes on: nothing twice, no hole."""
        recovery = self.finish()
        return recovery is None or (recovery.joined and self.channel.position in (None, recovery.position))


async def _begin(session: Session, name: str, since: Position | None) -> _Entry:
    """Start buffering, then read the log. The caller releases the channel and buffer, whatever happens."""
    hub = session.hub
    buffer: list[Publication] = []
    channel = await hub.hold(name, buffer)
    if not channel.retention.size:
        return _Entry(channel, buffer, since, None)
    limit = hub.config.limits.history if since is not None else 0
    try:
        for _ in range(READS):
            history = await hub.broker.history(name, channel.retention, since=since, limit=limit)
            history = fit(history, hub.config.limits.history_bytes)
            await hub.live.catch_up(channel, history.position)
            entry = _Entry(channel, buffer, since, history)
            if entry.level:
                return entry
        raise HubbubError(ErrorCode.INTERNAL, f"{name}: the log and the live stream disagree; try again")
    except BaseException:
        hub.release(channel, buffer)
        raise


def _enter(session: Session, entry: _Entry, recovery: Recovery | None) -> None:
    connection, channel = session.connection, entry.channel
    assert connection is not None
    if recovery is not None and channel.position is None:
        channel.position = recovery.position
    channel.enter(connection.codec.encoding(channel.name), connection, session.id)
    session.subscriptions[channel.name] = channel
    if session.trail is not None:
        _follow(session.trail, channel)


def _enter_away(session: Session, entry: _Entry) -> None:
    """The client has gone meanwhile: it finds itself in the channel when it comes back."""
    channel = entry.channel
    session.away = (*session.away, channel.name)
    if session.trail is not None:
        channel.flush()
        channel.kept += 1
        _follow(session.trail, channel)


def _follow(trail: Trail, channel: Channel) -> None:
    """From here on the journal has what the session must get."""
    channel.journal = trail.journal
    trail.has_joined(channel.name)


def _subscribed(id: int, entry: _Entry, recovery: Recovery | None) -> Subscribed:
    if recovery is None:
        return Subscribed(id, entry.channel.name)
    if entry.since is not None:
        entry.channel.metrics.recoveries["recovered" if recovery.recovered else "lost"] += 1
    return Subscribed(
        id,
        entry.channel.name,
        position=recovery.position,
        recoverable=True,
        recovered=recovery.recovered,
        publications=recovery.publications,
    )


async def subscribe(session: Session, command: model.Subscribe) -> None:
    hub, name = session.hub, command.channel
    check_channel(name, hub.config.limits.channel_length)
    session.subscribe_tat = hub.take(session.subscribe_tat, hub.subscribe_rate, "subscribe_rate")
    _check_free(session, name)
    _join(session, name)
    try:
        await authorize(session, "subscribe", name, command.token)
        entry = await _begin(session, name, command.since)
        try:
            if not session.asked:
                return  # gone meanwhile; the client does not know of this subscription, so it is not kept
            if name not in (session.joining or ()):
                raise HubbubError(ErrorCode.PERMISSION_DENIED, "unsubscribed by the server", field="channel")
            if not command.presence:
                _hide(session, name)
            recovery = entry.finish()
            session.reply(_subscribed(command.id, entry, recovery))
            _enter(session, entry, recovery)
        finally:
            hub.release(entry.channel, entry.buffer)
    finally:
        _joined(session, name)
    await hub.attendance.settle(session, entry.channel)


def _join(session: Session, name: str) -> None:
    """`name` is on its way into the session's channels, until `_joined`; `_leave` takes it back."""
    if session.joining is None:
        session.joining = set()
    session.joining.add(name)


def _joined(session: Session, name: str) -> None:
    if session.joining is not None:
        session.joining.discard(name)
        if not session.joining:
            session.joining = None


def _hide(session: Session, name: str) -> None:
    if session.hidden is None:
        session.hidden = set()
    session.hidden.add(name)


def _check_free(session: Session, name: str) -> None:
    joining = session.joining or ()
    if name in session.subscriptions or name in joining:
        raise HubbubError(ErrorCode.ALREADY_SUBSCRIBED, f"already subscribed to {name}", field="channel")
    limit = session.hub.config.limits.subscriptions
    if len(session.subscriptions) + len(session.away) + len(joining) >= limit:
        session.hub.metrics.rejected["subscriptions"] += 1
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED, f"limits.subscriptions = {limit} channels", field="channel"
        )


async def unsubscribe(session: Session, command: model.Unsubscribe) -> model.Result:
    if not await _leave(session, command.channel):
        raise HubbubError(ErrorCode.NOT_SUBSCRIBED, f"not subscribed to {command.channel}", field="channel")
    return model.Result(command.id, model.Empty())


async def _leave(session: Session, name: str) -> bool:
    hub = session.hub
    if session.closed:
        return False
    channel = session.subscriptions.pop(name, None)
    if channel is None:
        if name not in session.away:
            joining = name in (session.joining or ())
            _joined(session, name)
            return joining
        session.away = tuple(other for other in session.away if other != name)
        channel = hub.channel(name)
        if session.trail is not None:
            hub.forsake(name)
    elif session.connection is not None:
        channel.leave(session.connection.codec.encoding(name), session.connection)
        hub.release(channel)
    if session.trail is not None:
        session.trail.has_left(name)
    if session.hidden is not None:
        session.hidden.discard(name)
    await hub.attendance.settle(session, channel)
    return True


async def subscribe_by_server(session: Session, name: str, *, checked: bool = True) -> None:
    """Put a session into a channel without asking it; a session that is in it already stays there. Names not to be
    `checked` are those of the server's own channels, which no client can say."""
    hub = session.hub
    if checked:
        check_channel(name, hub.config.limits.channel_length)
    if (
        session.closed
        or name in session.subscriptions
        or name in session.away
        or name in (session.joining or ())
    ):
        return
    _check_free(session, name)
    if session.connection is None and session.trail is None:
        session.away = (*session.away, name)
        await hub.attendance.settle(session, hub.channel(name))
        return
    _join(session, name)
    try:
        entry = await _begin(session, name, None)
        try:
            if session.closed or name not in (session.joining or ()):
                return
            if session.connection is None:
                _enter_away(session, entry)
            else:
                recovery = entry.finish()
                position = recovery.position if recovery else None
                session.push(
                    model.ServerSubscribed(name, position=position, recoverable=recovery is not None)
                )
                _enter(session, entry, recovery)
        finally:
            hub.release(entry.channel, entry.buffer)
    finally:
        _joined(session, name)
    await hub.attendance.settle(session, entry.channel)


async def unsubscribe_by_server(session: Session, name: str) -> bool:
    if not await _leave(session, name):
        return False
    code = ErrorCode.PERMISSION_DENIED
    session.push(model.ServerUnsubscribed(name, int(code), "unsubscribed by the server"))
    return True


# --- publish, history, presence ---------------------------------------------------------------------------


async def authorize(session: Session, operation: Operation, channel: str, token: str | None = None) -> None:
    """The application's rules first, in the order in which they were registered; then the policy."""
    hub = session.hub
    if channel.startswith("session:"):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "session: is the server's own namespace", field="channel"
        )
    for rule in hub.handlers.rules:
        if rule.operation == operation and matches(rule.pattern, channel):
            timeout = hub.config.limits.call_timeout
            if not await eager.in_task(rule.function, session, channel, within=timeout):
                raise HubbubError(
                    ErrorCode.PERMISSION_DENIED, f"may not {operation} {channel}", field="channel"
                )
            return
    await hub.policy.authorize(session.principal, operation, channel, token)


def check_name(value: str | None, limit: int, field: str) -> None:
    """Event names and keys: printable and not longer than `limits.key_length`."""
    if value is not None and (len(value) > limit or not value.isprintable() or not value):
        raise HubbubError(
            ErrorCode.BAD_REQUEST,
            f"{field} must be 1 to limits.key_length = {limit} printable characters",
            field=field,
        )


async def publish(session: Session, command: model.Publish) -> model.Published:
    hub, name, limit = session.hub, command.channel, session.hub.config.limits.key_length
    check_channel(name, hub.config.limits.channel_length)
    if command.event != "message":
        check_name(command.event, limit, "event")
    if command.key is not None:
        check_name(command.key, limit, "key")
    if command.conflation_key is not None:
        check_name(command.conflation_key, limit, "conflation_key")
    session.publish_tat = hub.take(session.publish_tat, hub.publish_rate, "publish_rate")
    if hub.handlers.rules or name.startswith("session:"):
        await authorize(session, "publish", name)
    else:  # the same, one call less
        await hub.policy.authorize(session.principal, "publish", name)
    user = session.principal.user
    publication = Publication(
        name,
        command.event,
        command.data,
        sender=user or None,
        time=int(hub.clock.now() * 1000) / 1000,
        conflation_key=command.conflation_key,
    )
    envelope = Envelope(publication, None if command.echo else session.id, hub.clock.monotonic())
    key = f"{user or session.id}\0{command.key}" if command.key is not None else None
    hub.metrics.publications += 1
    accepted = await hub.broker.publish(envelope, hub.retention(name), key=key)
    return model.Published(command.id, accepted.position, accepted.id)


async def history(session: Session, command: model.HistoryQuery) -> model.Result:
    hub, name = session.hub, command.channel
    check_channel(name, hub.config.limits.channel_length)
    if name not in session.subscriptions:
        await authorize(session, "history", name)
    return model.Result(command.id, await hub.history(name, command.since, command.limit, command.reverse))


async def presence(session: Session, command: model.PresenceQuery) -> model.Result:
    hub, name = session.hub, command.channel
    check_channel(name, hub.config.limits.channel_length)
    if name not in session.subscriptions:
        await authorize(session, "presence", name)
    return model.Result(command.id, await hub.who(name))


# --- call, refresh, ping ----------------------------------------------------------------------------------


async def call(session: Session, command: model.Call) -> model.Result | None:
    hub = session.hub
    if (own := hub.handlers.own.get(command.method)) is not None:
        return await own(session, command)
    handler = hub.handlers.methods.get(command.method)
    if handler is None:
        raise HubbubError(
            ErrorCode.METHOD_NOT_FOUND, f"no such method: {command.method[:64]}", field="method"
        )
    check_name(command.key, hub.config.limits.key_length, "key")
    params = bytes(command.params)

    async def run() -> bytes:
        try:
            return await eager.in_task(handler, session, params, within=hub.config.limits.call_timeout)
        except TimeoutError:
            hub.metrics.rejected["call_timeout"] += 1
            raise HubbubError(ErrorCode.TIMEOUT, f"{command.method} took too long") from None

    if command.key is None:
        result = await run()
    else:
        body = hashlib.sha256(command.method.encode() + b"\0" + params).digest()
        result = await hub.results.once(f"{session.user or session.id}\0{command.key}", body, run)
    return model.Result(command.id, model.Raw(result))


async def refresh(session: Session, command: model.Refresh) -> model.Result:
    hub = session.hub
    principal = await hub.policy.authenticate(command.token, session.info)
    if principal.user != session.user:
        raise HubbubError(ErrorCode.INVALID_TOKEN, "the token is another user's", field="token")
    hub.identify(session, principal)
    return model.Result(command.id, model.Refreshed(principal.expires))


async def ping(session: Session, command: model.Ping) -> model.Result:
    return model.Result(command.id, model.Empty())


TABLE: dict[type, Execute] = {
    model.Connect: connect,
    model.Subscribe: subscribe,
    model.Unsubscribe: unsubscribe,
    model.Publish: publish,
    model.HistoryQuery: history,
    model.PresenceQuery: presence,
    model.Call: call,
    model.Refresh: refresh,
    model.Ping: ping,
}
