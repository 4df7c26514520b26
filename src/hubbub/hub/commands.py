"""What each command of a client does. Limits and permissions first, effects after the last of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from hubbub import __version__, model
from hubbub.auth.channels import check_channel, matches
from hubbub.errors import AUTH_FAILED, ErrorCode, HubbubError
from hubbub.hub import eager, handover
from hubbub.hub.channel import Channel
from hubbub.hub.entering import (
    Entry,
    begin,
    changed,
    check_free,
    enter,
    hide,
    join,
    joined,
    leave,
    subscribe_by_server,
    subscribed_of,
)
from hubbub.hub.session import Execute, Session
from hubbub.model import Envelope, Operation, Publication, Subscribed
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.session")

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
    hub.noticed(session)
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
        time=session.hub.clock.now(),
    )


async def _resume(fresh: Session, command: model.Connect, proof: model.Resume) -> None:
    """Give the connection its old session back, with everything its channels have published since."""
    hub = fresh.hub
    session = await handover.resume(hub, proof.session, proof.secret)
    entries: dict[str, Entry] = {}
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
                try:
                    since = proof.positions.get(name) or (session.entered or {}).get(name)
                    entries[name] = await begin(session, name, since, back=True)
                except HubbubError as error:
                    if hub.owner(name) is None or error.info.temporary:
                        raise  # to be tried again: the session waits
                    await leave(session, name)  # it may be there no more
                    session.push(
                        model.ServerUnsubscribed(name, int(ErrorCode.PERMISSION_DENIED), "no access")
                    )
        connection = fresh.connection
        if connection is None or session.closed:
            raise HubbubError(ErrorCode.SESSION_GONE)
        hub.attach(session, connection, replace(fresh.info, headers=()))
        names, session.away, session.entered = session.away, (), None
        subscribed: list[Subscribed] = []
        channels: list[Channel] = []
        for name in names:
            entry = entries[name]
            recovery = entry.finish()
            subscribed.append(subscribed_of(0, entry, recovery))
            enter(session, entry, recovery)
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
        hub.noticed(session)
        for channel in channels:
            await hub.attendance.settle(session, channel)


# --- subscribe --------------------------------------------------------------------------------------------


async def subscribe(session: Session, command: model.Subscribe) -> None:
    hub, name = session.hub, command.channel
    check_channel(name, hub.config.limits.channel_length)
    session.subscribe_tat = hub.take(session.subscribe_tat, hub.subscribe_rate, "subscribe_rate")
    check_free(session, name)
    join(session, name)
    try:
        if hub.owner(name) is None:  # an owner is asked with the log
            await authorize(session, "subscribe", name, command.token)
        entry = await begin(session, name, command.since)
        try:
            if not session.asked:
                return  # gone meanwhile; the client does not know of this subscription, so it is not kept
            if name not in (session.joining or ()):
                raise HubbubError(ErrorCode.PERMISSION_DENIED, "unsubscribed by the server", field="channel")
            if not command.presence:
                hide(session, name)
            recovery = entry.finish()
            session.reply(subscribed_of(command.id, entry, recovery))
            enter(session, entry, recovery)
        finally:
            hub.release(entry.channel, entry.buffer)
    finally:
        joined(session, name)
    await hub.attendance.settle(session, entry.channel)


async def unsubscribe(session: Session, command: model.Unsubscribe) -> model.Result:
    if not await leave(session, command.channel):
        raise HubbubError(ErrorCode.NOT_SUBSCRIBED, f"not subscribed to {command.channel}", field="channel")
    return model.Result(command.id, model.Empty())


# --- publish, history, presence ---------------------------------------------------------------------------


async def authorize(session: Session, operation: Operation, channel: str, token: str | None = None) -> None:
    """The owner of the channel, if it has one; else the application's rules in the order in which they were registered,
    and then the policy."""
    hub = session.hub
    if channel.startswith("session:"):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "session: is the server's own namespace", field="channel"
        )
    if (owner := hub.owner(channel)) is not None:
        await owner.authorize(session.principal, operation, channel)
        return
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
    if hub.handlers.rules or name.startswith(hub.guarded):
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
    if name not in session.subscriptions and hub.owner(name) is None:
        await authorize(session, "history", name)
    return model.Result(
        command.id,
        await hub.history(name, command.since, command.limit, command.reverse, reader=session.user),
    )


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
        return await own(session, command, session.reply)
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
    changed(session)
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
