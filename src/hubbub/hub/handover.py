"""A session on its way from one node to another: what it is made of, how it leaves and how it comes.

Its secret does not travel: the client shows it to the node to which it came, and nodes compare digests.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hubbub import model
from hubbub.auth.base import ConnectionInfo
from hubbub.errors import ABNORMAL, REPLACED, ErrorCode, HubbubError
from hubbub.hub.journal import Trail
from hubbub.hub.session import Session, is_id
from hubbub.model import Envelope, Position, Principal, Push
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

log = get_logger("hubbub.hub")

VERSION = 1
KNOWN = 200
"""Publications of a channel that a session is known to have had, by which a node tells what it must not give again."""

Kept = (
    model.Publication
    | model.ServerSubscribed
    | model.ServerUnsubscribed
    | model.Advice
    | model.DisconnectPush
)


class Journaled(Struct, frozen=True):
    """What a session that resumes by a journal takes along: where its client stood (an offset in the old node's
    journal), what it has missed since, in order, each with the id of the acknowledgement that it asks for (-1: none),
    and the ids of what else its channels have had of late."""

    since: str | None
    missed: tuple[tuple[Push, int], ...]
    known: tuple[str, ...]


class Handover(Struct, frozen=True, omit_defaults=True):
    """A session as one node gives it to another. `left` is how many seconds its client may still take to come back,
    `state` the application's own, each value as MessagePack."""

    version: int
    id: str
    principal: Principal
    left: float
    channels: tuple[str, ...] = ()
    entered: dict[str, Position] = {}
    hidden: tuple[str, ...] = ()
    pending: tuple[Kept, ...] = ()
    absent: bool = False
    state: dict[str, bytes] = {}
    journaled: Journaled | None = None
    idle: bool = False

    def __repr__(self) -> str:
        return f"Handover({self.id!r})"  # the rest is its user's


_encoder = msgspec.json.Encoder()  # as the data of publications is JSON
_decoder = msgspec.json.Decoder(Handover)


def encode(handover: Handover) -> bytes:
    return _encoder.encode(handover)


def decode(data: bytes) -> Handover:
    """Raises SESSION_GONE for what a later version wrote differently."""
    try:
        handover = _decoder.decode(data)
    except msgspec.MsgspecError:
        raise HubbubError(ErrorCode.SESSION_GONE) from None
    if handover.version != VERSION:
        raise HubbubError(ErrorCode.SESSION_GONE)
    return handover


def proof(id: str, secret: str) -> bytes:
    """What nodes know of a session's secret."""
    return blake2b(f"{id}.{secret}".encode(), digest_size=16, person=b"hubbub.claim").digest()


def proves(session: Session, shown: bytes) -> bool:
    return compare_digest(proof(session.id, session.secret), shown)


async def resume(hub: Hub, id: str, secret: str) -> Session:
    """The session with that id, brought here if another node has it. Raises SESSION_GONE, for a wrong secret too;
    NODE_UNAVAILABLE and BROKER_UNAVAILABLE if it cannot be known now where it is."""
    if hub.claims is not None and id not in hub.sessions and is_id(id):
        return await hub.claims.claim(id, secret)
    return hub.resume(id, secret)


# --- leaving ----------------------------------------------------------------------------------------------------


def interrupt(session: Session) -> None:
    """The client of a journaled session has come to another node: its connection here is a dead one."""
    if session.connection is not None:
        session.connection.abort(ABNORMAL)


def export(session: Session, journaled: Journaled | None = None) -> Handover:
    """The session as it stands; one that is `journaled` must be away."""
    hub = session.hub
    left = hub.window(session)
    if session.deadline is not None:
        left = max(0.0, session.deadline - hub.clock.monotonic())
    return Handover(
        VERSION,
        session.id,
        session.principal,
        left,
        (*session.away, *session.subscriptions),
        dict(session.entered or {}),
        tuple(session.hidden or ()),
        tuple(push for push in session.pending or () if isinstance(push, Kept)),
        session.absent,
        _state(session),
        journaled,
        session.idle,
    )


def missed(session: Session, since: str | None) -> Journaled | None:
    """What a journaled session that is away has missed; None if there may be more than is known."""
    trail = session.trail
    if trail is None or (number := trail.number(since)) is None:
        return None
    session.hub.flush(session)
    entries = trail.missed(session.id, session.away, number)
    if entries is None:
        return None
    known = [
        push.id
        for name in session.away
        for push in trail.journal.last(name, KNOWN)
        if isinstance(push, model.Publication) and push.id
    ]
    return Journaled(since, tuple((entry.envelope.push, entry.ack) for entry in entries), tuple(known))


def part(session: Session) -> None:
    """End it here. It goes on elsewhere: no hooks are told, and nobody that it left a channel."""
    session.moved = session.absent = True
    session.hub.end(session, REPLACED)


def _state(session: Session) -> dict[str, bytes]:
    """What can be written of the application's own."""
    found: dict[str, bytes] = {}
    for name, value in session.state.items() if session.stateful else ():
        try:
            found[name] = msgspec.msgpack.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
            session.hub.metrics.handler_errors += 1
            log.warning("state is not taken along to another node", session=session.id, name=name)
    return found


# --- coming -----------------------------------------------------------------------------------------------------


def adopt(hub: Hub, handover: Handover, secret: str) -> Session:
    """The session is this node's from now on. Its client is away."""
    session = Session(hub, None, ConnectionInfo())
    session.id = handover.id
    session.secret = secret
    hub.identify(session, handover.principal)
    session.absent = handover.absent
    session.idle = handover.idle
    session.away = handover.channels
    session.entered = dict(handover.entered) or None
    session.hidden = set(handover.hidden) or None
    if handover.state:
        session.state.update({name: msgspec.msgpack.decode(data) for name, data in handover.state.items()})
    session.deadline = hub.clock.monotonic() + handover.left
    hub.sessions[session.id] = hub.detached[session.id] = session
    if session.user:
        hub.users[session.user] = (*hub.users.get(session.user, ()), session)
    for push in handover.pending:
        session.keep(push, len(push.data) + 128 if isinstance(push, model.Publication) else 128)
    return session


def continue_journal(session: Session, journaled: Journaled, heard: Sequence[Envelope]) -> None:
    """Give a session that has just been adopted a place in this node's journal: what it missed on the other node, and
    behind that what was `heard` here since before the other was asked."""
    journal = session.hub.journal
    session.trail = trail = Trail(journal)
    missed = [push for push, _ in journaled.missed]
    known = {*journaled.known, *(push.id for push in missed if isinstance(push, model.Publication))}
    trail.brought = (journaled.since, trail.confirmed)
    key = f"session:{session.id}"
    for push, ack in journaled.missed:
        journal.record(key, Envelope(push), ack)
    for envelope in heard:
        push = envelope.push
        if push.id not in known if isinstance(push, model.Publication) else push not in missed:
            journal.record(key, Envelope(push))
