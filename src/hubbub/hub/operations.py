"""What the server itself may do, past all policies: for the REST API and for the application's own code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hubbub.auth.channels import check_channel
from hubbub.broker.base import Accepted
from hubbub.errors import FORCED, REVOKED, Disconnect, ErrorCode, HubbubError
from hubbub.hub.commands import check_name
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.model import Envelope, Position, Presence, Publication, Raw


class ChannelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel as this node sees it. `position` is its log's head; absent where none is kept."""

    name: str
    subscribers: int
    position: Position | None = None
    presence: Presence | None = None


class SessionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session for operators. `detached` means that its client is away and may resume it."""

    session: str
    user: str
    transport: str
    protocol: str
    address: str
    user_agent: str
    channels: tuple[str, ...]
    detached: bool = False
    expires: float | None = None


def encode(data: Any) -> Raw:
    """JSON of any value that msgspec can write; raises INVALID_DATA for what it cannot."""
    try:
        return data if isinstance(data, Raw) else Raw(msgspec.json.encode(data))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise HubbubError(ErrorCode.INVALID_DATA, f"data: {error}", field="data") from None


async def publish(
    hub: Hub,
    channel: str,
    event: str,
    data: Any,
    *,
    key: str | None = None,
    sender: str | None = None,
    exclude: str | None = None,
    conflation_key: str | None = None,
    scope: str = "",
) -> Accepted:
    """Publish as the server. Raises INVALID_CHANNEL, BAD_REQUEST, INVALID_DATA, IDEMPOTENCY_CONFLICT.

    Keys of different `scope`s are different keys.
    """
    limits = hub.config.limits
    check_channel(channel, limits.channel_length)
    check_name(event, limits.key_length, "event")
    check_name(key, limits.key_length, "key")
    check_name(conflation_key, limits.key_length, "conflation_key")
    if hub.owner(channel) is not None:
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED,
            f"{channel}: what is in it comes from the chat alone",
            field="channel",
        )
    raw = encode(data)
    if len(raw) > limits.message_bytes:
        hub.metrics.rejected["message_bytes"] += 1
        raise HubbubError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"data: more than limits.message_bytes = {limits.message_bytes}",
            field="data",
        )
    publication = Publication(
        channel, event, raw, sender=sender, time=round(hub.clock.now(), 3), conflation_key=conflation_key
    )
    envelope = Envelope(publication, exclude, hub.clock.monotonic())
    hub.metrics.publications += 1
    return await hub.broker.publish(
        envelope, hub.retention(channel), key=None if key is None else f"\0{scope}\0{key}"
    )


async def broadcast(
    hub: Hub, channels: Sequence[str], event: str, data: Any, *, key: str | None = None
) -> list[Accepted | HubbubError]:
    """The same publication in many channels: an outcome for each, in order."""
    check_batch(hub, len(channels), "channels")
    raw = encode(data)
    outcomes: list[Accepted | HubbubError] = []
    for channel in channels:
        try:
            outcomes.append(await publish(hub, channel, event, raw, key=key, scope=channel))
        except HubbubError as error:
            outcomes.append(error)
    return outcomes


def check_batch(hub: Hub, size: int, field: str) -> None:
    if size > hub.config.limits.batch:
        hub.metrics.rejected["batch"] += 1
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED,
            f"{field}: more than limits.batch = {hub.config.limits.batch}",
            field=field,
        )


def to_session(hub: Hub, session_id: str, event: str, data: Any) -> bool:
    """Unicast. Waits with a detached session for its client. False if there is no such session."""
    session = hub.sessions.get(session_id)
    if session is None:
        return False
    session.direct(_direct(hub, f"session:{session_id}", event, data))
    return True


def to_user(hub: Hub, user: str, event: str, data: Any) -> int:
    """Multicast to all sessions of a user. Returns how many."""
    sessions = hub.users.get(user, ())
    if sessions:
        publication = _direct(hub, f"user:{user}", event, data)
        for session in sessions:
            session.direct(publication)
    return len(sessions)


def _direct(hub: Hub, channel: str, event: str, data: Any) -> Publication:
    check_name(event, hub.config.limits.key_length, "event")
    raw = encode(data)
    if len(raw) > hub.config.limits.message_bytes:
        raise HubbubError(ErrorCode.MESSAGE_TOO_LARGE, "data: more than limits.message_bytes", field="data")
    hub.metrics.publications += 1
    return Publication(channel, event, raw, time=round(hub.clock.now(), 3))


async def subscribe_user(hub: Hub, user: str, channel: str) -> int:
    """Put all sessions of a user into a channel. Returns how many there are."""
    check_channel(channel, hub.config.limits.channel_length)
    sessions = hub.users.get(user, ())
    for session in sessions:
        await hub.server_subscribe(session, channel)
    return len(sessions)


async def unsubscribe_user(hub: Hub, user: str, channel: str) -> int:
    """Take all sessions of a user out of a channel. Returns how many were in it."""
    count = 0
    for session in hub.users.get(user, ()):
        count += await hub.server_unsubscribe(session, channel)
    return count


def disconnect(
    hub: Hub, *, user: str | None = None, session: str | None = None, reason: Disconnect = FORCED
) -> int:
    """End the sessions of a user, or one of them. Returns how many."""
    victims = sessions_of(hub, user, session)
    for victim in victims:
        hub.end(victim, reason)
    return len(victims)


def end_revoked(hub: Hub, *, user: str | None = None, token_id: str | None = None) -> int:
    """End every session that stands on a revoked token; to be called after the policy has learnt of it."""
    victims = [
        session
        for session in (list(hub.sessions.values()) if user is None else hub.users.get(user, ()))
        if token_id is None or session.principal.token_id == token_id
    ]
    for victim in victims:
        hub.end(victim, REVOKED)
    return len(victims)


def sessions_of(hub: Hub, user: str | None = None, session: str | None = None) -> list[Session]:
    if session is not None:
        found = hub.sessions.get(session)
        return [found] if found is not None and user in (None, found.user) else []
    return list(hub.users.get(user, ())) if user is not None else list(hub.sessions.values())


def describe(session: Session) -> SessionInfo:
    return SessionInfo(
        session.id,
        session.user,
        session.info.transport,
        session.info.protocol,
        session.info.address,
        session.info.user_agent,
        tuple(session.subscriptions) or session.away,
        detached=session.connection is None,
        expires=session.expires,
    )


async def channel_info(hub: Hub, name: str) -> ChannelInfo:
    check_channel(name, hub.config.limits.channel_length)
    channel = hub.channel(name)
    position = None
    if channel.retention.size:
        position = (await hub.read_log(name, None, 0)).position
    who = await hub.who(name) if channel.options.presence != "off" else None
    return ChannelInfo(name, channel.size, position, who)


async def channel_list(hub: Hub, prefix: str = "", limit: int = 1000) -> list[ChannelInfo]:
    """Channels of this node with subscribers or a log, in order of their names."""
    names = set(await hub.broker.channels(prefix, limit))
    names.update(name for name in hub.channels if name.startswith(prefix))
    return [ChannelInfo(name, hub.channel(name).size) for name in sorted(names)[:limit]]
