"""Entering and leaving a channel: the log and the live stream joined without a gap, for commands and for the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from hubbub import model
from hubbub.auth.channels import check_channel
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.channel import Channel
from hubbub.hub.journal import Trail
from hubbub.hub.recovery import Recovery, fit, merge
from hubbub.hub.session import Session
from hubbub.model import History, Position, Publication, Subscribed

READS = 5
"""How often the log is read for one subscription before it is given up because the broker contradicts itself."""


class Entry(NamedTuple):
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


async def begin(session: Session, name: str, since: Position | None, *, back: bool = False) -> Entry:
    """Start buffering, then read the log. The caller releases the channel and buffer, whatever happens.

    `back`: the session was in the channel, and has been taken out if it may be there no more. Otherwise reading the
    log of a channel with an owner is being let in: it raises what the owner refuses with. (One that keeps no log is
    asked.)
    """
    hub = session.hub
    buffer: list[Publication] = []
    channel = await hub.hold(name, buffer)
    if not channel.retention.size:
        if channel.owner is not None and not back:
            try:
                await channel.owner.authorize(session.principal, "subscribe", name)
            except BaseException:
                hub.release(channel, buffer)
                raise
        return Entry(channel, buffer, since, None)
    limit = hub.config.limits.history if since is not None else 0
    try:
        for _ in range(READS):
            if back and since is not None and since == channel.position and _knows_all(channel):
                return Entry(
                    channel, buffer, since, History(since)
                )  # as for most who come back: nothing was missed
            history = await hub.read_log(name, since, limit, reader=session.user)
            history = fit(history, hub.config.limits.history_bytes)
            await hub.live.catch_up(channel, history.position)
            entry = Entry(channel, buffer, since, history)
            if entry.level:
                return entry
        raise HubbubError(ErrorCode.INTERNAL, f"{name}: the log and the live stream disagree; try again")
    except BaseException:
        hub.release(channel, buffer)
        raise


def _knows_all(channel: Channel) -> bool:
    """Whether the live stream on this node is known to stand where the log does, and is still listened to."""
    return (
        channel.owner is not None
        and channel.owner.lossless
        and bool(channel.size)
        and channel.healing is None
    )


def enter(session: Session, entry: Entry, recovery: Recovery | None) -> None:
    connection, channel = session.connection, entry.channel
    assert connection is not None
    if recovery is not None and channel.position is None:
        channel.position = recovery.position
    channel.enter(connection.codec.encoding(channel.name), connection, session.id)
    session.subscriptions[channel.name] = channel
    if session.trail is not None:
        follow(session.trail, channel)
    changed(session)


def enter_away(session: Session, entry: Entry) -> None:
    """The client has gone meanwhile: it finds itself in the channel when it comes back."""
    channel = entry.channel
    session.away = (*session.away, channel.name)
    if session.trail is not None:
        channel.flush()
        channel.kept += 1
        follow(session.trail, channel)
    changed(session)


def changed(session: Session) -> None:
    """Other nodes may have to know of the channels that the session is in."""
    if (claims := session.hub.claims) is not None:
        claims.changed(session)


def follow(trail: Trail, channel: Channel) -> None:
    """From here on the journal has what the session must get."""
    channel.journal = trail.journal
    trail.has_joined(channel.name)


def subscribed_of(id: int, entry: Entry, recovery: Recovery | None) -> Subscribed:
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


def join(session: Session, name: str) -> None:
    """`name` is on its way into the session's channels, until `joined`; `leave` takes it back."""
    if session.joining is None:
        session.joining = set()
    session.joining.add(name)


def joined(session: Session, name: str) -> None:
    if session.joining is not None:
        session.joining.discard(name)
        if not session.joining:
            session.joining = None


def hide(session: Session, name: str) -> None:
    if session.hidden is None:
        session.hidden = set()
    session.hidden.add(name)


def check_free(session: Session, name: str) -> None:
    """Raises ALREADY_SUBSCRIBED, and LIMIT_EXCEEDED above `limits.subscriptions`, for which channels that belong to a
    part of the server do not count."""
    joining = session.joining or ()
    if name in session.subscriptions or name in joining:
        raise HubbubError(ErrorCode.ALREADY_SUBSCRIBED, f"already subscribed to {name}", field="channel")
    limit, owned = session.hub.config.limits.subscriptions, session.hub.owned
    count = len(session.subscriptions) + len(session.away) + len(joining)
    if count >= limit and owned:
        if name.startswith(owned):
            return
        names = (*session.subscriptions, *session.away, *joining)
        count = sum(not each.startswith(owned) for each in names)
    if count >= limit:
        session.hub.metrics.rejected["subscriptions"] += 1
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED, f"limits.subscriptions = {limit} channels", field="channel"
        )


async def leave(session: Session, name: str) -> bool:
    hub = session.hub
    if session.closed:
        return False
    channel = session.subscriptions.pop(name, None)
    if channel is None:
        if name not in session.away:
            joining = name in (session.joining or ())
            joined(session, name)
            return joining
        session.away = tuple(other for other in session.away if other != name)
        if session.entered is not None:
            session.entered.pop(name, None)
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
    changed(session)
    await hub.attendance.settle(session, channel)
    return True


async def subscribe_by_server(
    session: Session, name: str, *, checked: bool = True, since: Position | None = None
) -> None:
    """Put a session into a channel without asking it; a session that is in it already stays there. With `since`, what
    was published after that is pushed first.

    Names not to be `checked` are those of the server's own channels, into which no client comes by saying their names.
    """
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
    check_free(session, name)
    if session.connection is None and session.trail is None:
        session.away = (*session.away, name)
        if since is not None:
            session.entered = {**(session.entered or {}), name: since}
        changed(session)
        await hub.attendance.settle(session, hub.channel(name))
        return
    join(session, name)
    try:
        entry = await begin(session, name, since)
        try:
            if session.closed or name not in (session.joining or ()):
                return
            if session.connection is None:
                enter_away(session, entry)
            else:
                admit(session, entry)
        finally:
            hub.release(entry.channel, entry.buffer)
    finally:
        joined(session, name)
    await hub.attendance.settle(session, entry.channel)


def admit(session: Session, entry: Entry) -> None:
    """Tell the session's client that it is in the channel from here on, give it what it missed, and enter."""
    recovery = entry.finish()
    position = recovery.position if recovery else None
    missed: tuple[Publication, ...] = ()
    if recovery is not None and recovery.recovered and recovery.publications:
        assert entry.since is not None
        position, missed = entry.since, recovery.publications
    session.push(
        model.ServerSubscribed(entry.channel.name, position=position, recoverable=recovery is not None)
    )
    for publication in missed:
        session.direct(publication)
    enter(session, entry, recovery)


async def follow_all(
    session: Session, names: Iterable[str], read: Callable[[], Awaitable[dict[str, Position]]]
) -> None:
    """Put a session into many channels of an owner's at once, each from where `read` says that its log stands.

    `read` is called when everything published from then on is being kept for the session, and looks at one snapshot
    of them all; what it tells the client is the past, and the pushes are what comes after: no gap, nothing twice.
    Channels that the session is in are left alone; those that `read` does not name are not entered.
    """
    hub = session.hub
    held: dict[str, tuple[Channel, list[Publication]]] = {}
    try:
        for name in names:
            if name in session.subscriptions or name in (session.joining or ()):
                continue
            join(session, name)
            buffer: list[Publication] = []
            held[name] = await hub.hold(name, buffer), buffer
        positions = await read()
        for name, (channel, buffer) in held.items():
            if (position := positions.get(name)) is None or session.connection is None or session.closed:
                continue
            if name not in (session.joining or ()):
                continue  # it was taken out again meanwhile
            entry = Entry(channel, buffer, position, History(position))
            if channel.position is not None and not entry.level:
                continue  # the stream is behind: below
            admit(session, entry)
        for name, position in positions.items():
            if name in held and name not in session.subscriptions and name in (session.joining or ()):
                joined(session, name)
                await subscribe_by_server(session, name, checked=False, since=position)
    finally:
        for name, (channel, buffer) in held.items():
            joined(session, name)
            hub.release(channel, buffer)


async def unsubscribe_by_server(session: Session, name: str) -> bool:
    if not await leave(session, name):
        return False
    code = ErrorCode.PERMISSION_DENIED
    session.push(model.ServerUnsubscribed(name, int(code), "unsubscribed by the server"))
    return True
