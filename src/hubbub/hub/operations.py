"""What the server itself may do, past all policies: for the REST API and for the application's own code."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from hubbub import __version__
from hubbub.auth.channels import check_channel
from hubbub.broker.base import Accepted
from hubbub.errors import FORCED, REVOKED, Disconnect, ErrorCode, HubbubError
from hubbub.hub.base import Tally
from hubbub.hub.commands import check_name
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.model import Envelope, Position, Presence, Publication, Raw
from hubbub.state.base import NodeInfo

OWN = ("nodes:##", "node:##", "socketio:##")
"""What the names of channels begin with in which nodes speak to each other."""


class ChannelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel, with its subscribers on all nodes. `position` is its log's head; absent where none is kept.
    `incomplete` names the nodes that did not answer, whose subscribers are not counted."""

    name: str
    subscribers: int
    position: Position | None = None
    presence: Presence | None = None
    incomplete: tuple[str, ...] = ()


class SessionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session for operators. `detached` means that its client is away and may resume it; `node` is the node that it
    is on, where there are several."""

    session: str
    user: str
    transport: str
    protocol: str
    address: str
    user_agent: str
    channels: tuple[str, ...]
    detached: bool = False
    expires: float | None = None
    node: str = ""


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
    return await hub.live.echoes.publish(
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


async def to_session(hub: Hub, session_id: str, event: str, data: Any) -> Tally:
    """Unicast, on whatever node the session is. Waits with a detached session for its client."""
    publication = _direct(hub, f"session:{session_id}", event, data)
    if to_session_here(hub, session_id, publication):
        return Tally(1)
    return Tally(0) if hub.remote is None else await hub.remote.to_session(session_id, publication)


async def to_user(hub: Hub, user: str, event: str, data: Any) -> Tally:
    """Multicast to all sessions of a user, on all nodes."""
    publication = _direct(hub, f"user:{user}", event, data)
    here = to_user_here(hub, user, publication)
    return _sum(here, None if hub.remote is None else await hub.remote.to_user(user, publication))


def to_session_here(hub: Hub, session_id: str, publication: Publication) -> bool:
    session = hub.sessions.get(session_id)
    if session is None:
        return False
    session.direct(publication)
    return True


def to_user_here(hub: Hub, user: str, publication: Publication) -> int:
    sessions = hub.users.get(user, ())
    for session in sessions:
        session.direct(publication)
    return len(sessions)


def _sum(here: int, elsewhere: Tally | None) -> Tally:
    return Tally(here) if elsewhere is None else Tally(here + elsewhere.count, elsewhere.incomplete)


def _direct(hub: Hub, channel: str, event: str, data: Any) -> Publication:
    check_name(event, hub.config.limits.key_length, "event")
    raw = encode(data)
    if len(raw) > hub.config.limits.message_bytes:
        raise HubbubError(ErrorCode.MESSAGE_TOO_LARGE, "data: more than limits.message_bytes", field="data")
    hub.metrics.publications += 1
    return Publication(channel, event, raw, time=round(hub.clock.now(), 3))


async def subscribe_user(hub: Hub, user: str, channel: str) -> Tally:
    """Put all sessions of a user into a channel. How many there are."""
    check_channel(channel, hub.config.limits.channel_length)
    here = await subscribe_user_here(hub, user, channel)
    return _sum(here, None if hub.remote is None else await hub.remote.subscribe_user(user, channel))


async def unsubscribe_user(hub: Hub, user: str, channel: str) -> Tally:
    """Take all sessions of a user out of a channel. How many were in it."""
    here = await unsubscribe_user_here(hub, user, channel)
    return _sum(here, None if hub.remote is None else await hub.remote.unsubscribe_user(user, channel))


async def subscribe_user_here(hub: Hub, user: str, channel: str) -> int:
    sessions = hub.users.get(user, ())
    for session in sessions:
        await hub.server_subscribe(session, channel)
    return len(sessions)


async def unsubscribe_user_here(hub: Hub, user: str, channel: str) -> int:
    count = 0
    for session in hub.users.get(user, ()):
        count += await hub.server_unsubscribe(session, channel)
    return count


async def disconnect(
    hub: Hub, *, user: str | None = None, session: str | None = None, reason: Disconnect = FORCED
) -> Tally:
    """End the sessions of a user, or one of them. How many."""
    here = disconnect_here(hub, user=user, session=session, reason=reason)
    if hub.remote is None or (session is not None and here):
        return Tally(here)
    return _sum(here, await hub.remote.disconnect(user, session, reason))


def disconnect_here(
    hub: Hub, *, user: str | None = None, session: str | None = None, reason: Disconnect = FORCED
) -> int:
    victims = sessions_here(hub, user, session)
    for victim in victims:
        hub.end(victim, reason)
    return len(victims)


async def end_revoked(hub: Hub, *, user: str | None = None, token_id: str | None = None) -> Tally:
    """End every session that stands on a revoked token; to be called after the policy has learnt of it. The other nodes
    learn of it by this, those too that do not answer now."""
    here = end_revoked_here(hub, user=user, token_id=token_id)
    return _sum(here, None if hub.remote is None else await hub.remote.revoke(user, token_id))


def end_revoked_here(hub: Hub, *, user: str | None = None, token_id: str | None = None) -> int:
    victims = [
        session
        for session in (list(hub.sessions.values()) if user is None else hub.users.get(user, ()))
        if token_id is None or session.principal.token_id == token_id
    ]
    for victim in victims:
        hub.end(victim, REVOKED)
    return len(victims)


def sessions_here(hub: Hub, user: str | None = None, session: str | None = None) -> list[Session]:
    if session is not None:
        found = hub.sessions.get(session)
        return [found] if found is not None and user in (None, found.user) else []
    return list(hub.users.get(user, ())) if user is not None else list(hub.sessions.values())


async def find_session(hub: Hub, id: str) -> SessionInfo:
    """Raises NOT_FOUND; NODE_UNAVAILABLE if it may be on a node that does not answer."""
    if (session := hub.sessions.get(id)) is not None:
        return describe(session)
    if hub.remote is not None:
        found, incomplete = await hub.remote.session(id)
        if found is not None:
            return found
        raise _no_session(incomplete)
    raise _no_session(())


def require(tally: Tally) -> Tally:
    """For what is about one session. Raises NOT_FOUND; NODE_UNAVAILABLE if it may be on a node that does not answer."""
    if not tally.count:
        raise _no_session(tally.incomplete)
    return tally


def _no_session(incomplete: tuple[str, ...]) -> HubbubError:
    if incomplete:
        return HubbubError(
            ErrorCode.NODE_UNAVAILABLE,
            f"it may be on a node that does not answer: {', '.join(incomplete)}",
            field="session",
        )
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such session", field="session")


async def session_list(
    hub: Hub, user: str | None = None, after: str = "", limit: int = 100
) -> tuple[list[SessionInfo], tuple[str, ...]]:
    """Sessions of all nodes (of a user) in the order of their ids, the first `limit` that come behind `after`; and the
    nodes that did not answer."""
    found = sessions_page(hub, user, after, limit)
    if hub.remote is None:
        return found, ()
    others, incomplete = await hub.remote.sessions(user, after, limit)
    # One that is just being handed over may be seen twice.
    both = {each.session: each for each in (*others, *found)}
    return [both[id] for id in heapq.nsmallest(limit, both)], incomplete


def sessions_page(hub: Hub, user: str | None, after: str, limit: int) -> list[SessionInfo]:
    """This node's part of a `session_list`."""
    behind = (session for session in sessions_here(hub, user) if session.id > after)
    return [describe(each) for each in heapq.nsmallest(limit, behind, key=lambda each: each.id)]


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
        node=session.hub.node_id,
    )


async def channel_info(hub: Hub, name: str) -> ChannelInfo:
    check_channel(name, hub.config.limits.channel_length)
    channel = hub.channel(name)
    position = None
    if channel.retention.size:
        position = (await hub.read_log(name, None, 0)).position
    who = await hub.who(name) if channel.options.presence != "off" else None
    size = _sum(channel.size, None if hub.remote is None else await hub.remote.subscribers(name))
    return ChannelInfo(name, size.count, position, who, size.incomplete)


async def channel_list(
    hub: Hub, prefix: str = "", limit: int = 1000
) -> tuple[list[ChannelInfo], tuple[str, ...]]:
    """Channels with subscribers or a log, in the order of their names, the first `limit`; and the nodes that did not
    answer, whose subscribers are not counted."""
    sizes = Counter(channels_here(hub, prefix, limit))
    incomplete: tuple[str, ...] = ()
    if hub.remote is not None:
        others, incomplete = await hub.remote.channels(prefix, limit)
        sizes.update(others)
    own = len(hub.listeners) + len(nodes(hub))
    names = {name for name in await hub.broker.channels(prefix, limit + own) if not name.startswith(OWN)}
    found = heapq.nsmallest(limit, names.union(sizes))
    return [ChannelInfo(name, sizes[name]) for name in found], incomplete


def channels_here(hub: Hub, prefix: str, limit: int) -> dict[str, int]:
    """This node's part of a `channel_list`."""
    names = heapq.nsmallest(limit, (name for name in hub.channels if name.startswith(prefix)))
    return {name: hub.channels[name].size for name in names}


def nodes(hub: Hub) -> list[NodeInfo]:
    """All nodes, in the order of their ids; this one alone where there are no others."""
    if hub.remote is not None:
        return hub.remote.nodes()
    return [NodeInfo(hub.node_id, version=__version__, sessions=len(hub.sessions), draining=hub.draining)]
