"""What this node has done by the others, and does for them: the hub's port `Remote`, and its other end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from hubbub import errors
from hubbub.auth.revocation import Revocations, Revoked
from hubbub.auth.revocation_log import RevocationLog
from hubbub.cluster.bus import Bus, Replies, Request
from hubbub.cluster.nodes import Nodes
from hubbub.errors import Disconnect, ErrorCode, HubbubError, reason
from hubbub.hub import operations
from hubbub.hub.base import Tally
from hubbub.hub.hub import Hub
from hubbub.hub.operations import SessionInfo
from hubbub.hub.session import node_of
from hubbub.model import Publication, Raw
from hubbub.state.base import NodeInfo
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")
Q = TypeVar("Q")


class Count(Struct, frozen=True):
    count: int


class Direct(Struct, frozen=True):
    """A publication for a session or all of a user's, whatever channels they are in."""

    channel: str
    event: str
    data: bytes
    time: float
    session: str = ""
    user: str = ""
    attachments: tuple[bytes, ...] = ()
    spread: bool = False

    @property
    def publication(self) -> Publication:
        return Publication(
            self.channel,
            self.event,
            Raw(self.data),
            time=self.time,
            attachments=self.attachments,
            spread=self.spread,
        )


class Place(Struct, frozen=True):
    """The sessions of a user go into a channel, or out of it."""

    user: str
    channel: str
    leave: bool = False


class End(Struct, frozen=True):
    """The sessions of a user end, or one of them."""

    user: str | None
    session: str | None
    code: int


class Revoke(Struct, frozen=True):
    """What was revoked, and whose sessions end for it."""

    user: str | None
    token_id: str | None
    revoked: tuple[Revoked, ...]


class Which(Struct, frozen=True):
    """One session."""

    session: str


class Found(Struct, frozen=True):
    sessions: list[SessionInfo]


class SessionsAfter(Struct, frozen=True):
    user: str | None
    after: str
    limit: int


class ChannelsFrom(Struct, frozen=True):
    prefix: str
    limit: int


class Sizes(Struct, frozen=True):
    channels: dict[str, int]


class OneChannel(Struct, frozen=True):
    channel: str


class Nothing(Struct, frozen=True):
    """A question that says it all by its name."""


class AllRevoked(Struct, frozen=True):
    revoked: tuple[Revoked, ...]


DIRECT = Request("direct", Direct, Count)
PLACE = Request("place", Place, Count)
END = Request("end", End, Count)
REVOKE = Request("revoke", Revoke, Count)
REVOKED = Request("revoked", Nothing, AllRevoked)
SESSION = Request("session", Which, Found)
SESSIONS = Request("sessions", SessionsAfter, Found)
CHANNELS = Request("channels", ChannelsFrom, Sizes)
SUBSCRIBERS = Request("subscribers", OneChannel, Count)


class RemoteNodes:
    """The port. `revocations` is what this node's policy refuses by, None with one that keeps none; `log` keeps them
    for the time when no node lives."""

    def __init__(
        self,
        hub: Hub,
        nodes: Nodes,
        bus: Bus,
        revocations: Revocations | None = None,
        log: RevocationLog | None = None,
    ) -> None:
        self._hub = hub
        self._nodes = nodes
        self._bus = bus
        self._revocations = revocations
        self._log = log
        self._untold: dict[str, list[Revoke]] = {}
        self._telling = False
        self._behind = True  # this node may not know of all that was revoked elsewhere
        bus.on(DIRECT, self._direct)
        bus.on(PLACE, self._place)
        bus.on(END, self._end)
        bus.on(REVOKE, self._revoke)
        bus.on(REVOKED, self._revoked)
        bus.on(SESSION, self._session)
        bus.on(SESSIONS, self._sessions)
        bus.on(CHANNELS, self._channels)
        bus.on(SUBSCRIBERS, self._subscribers)
        nodes.left.append(lambda node: self._untold.pop(node.id, None))
        nodes.lapsed.append(self._may_be_behind)
        nodes.joined.append(lambda node: self._may_be_behind())
        nodes.beaten.append(self._beaten)

    # --- asking -------------------------------------------------------------------------------------------

    async def to_session(self, session: str, publication: Publication) -> Tally:
        return await self._at_owner(session, DIRECT, _directed(publication, session=session))

    async def to_user(self, user: str, publication: Publication) -> Tally:
        return _sum(await self._bus.ask_all(DIRECT, _directed(publication, user=user)))

    async def subscribe_user(self, user: str, channel: str) -> Tally:
        return _sum(await self._bus.ask_all(PLACE, Place(user, channel)))

    async def unsubscribe_user(self, user: str, channel: str) -> Tally:
        return _sum(await self._bus.ask_all(PLACE, Place(user, channel, leave=True)))

    async def disconnect(self, user: str | None, session: str | None, reason: Disconnect) -> Tally:
        message = End(user, session, reason.code)
        if session is not None:
            return await self._at_owner(session, END, message)
        return _sum(await self._bus.ask_all(END, message))

    async def revoke(self, user: str | None, token_id: str | None) -> Tally:
        if self._revocations is None:
            return Tally(0)
        message = Revoke(user, token_id, tuple(self._revocations.known(user, token_id)))
        replies = await self._bus.ask_all(REVOKE, message)
        for node in replies.missing:
            if node in self._nodes:
                self._untold.setdefault(node, []).append(message)
        if self._log is not None:
            try:
                await self._log.save(message.revoked)
            except HubbubError as error:
                log.warning("what was revoked is not written down yet", error=error.message)
                self._behind = True
        return _sum(replies)

    async def session(self, id: str) -> tuple[SessionInfo | None, tuple[str, ...]]:
        found = await self._bus.ask_whoever(
            node_of(id), SESSION, Which(id), lambda answer: bool(answer.sessions)
        )
        return (found.answer.sessions[0], ()) if found.answer is not None else (None, found.missing)

    async def sessions(
        self, user: str | None, after: str, limit: int
    ) -> tuple[list[SessionInfo], tuple[str, ...]]:
        replies = await self._bus.ask_all(SESSIONS, SessionsAfter(user, after, limit))
        return [each for found in replies.answers.values() for each in found.sessions], replies.missing

    async def channels(self, prefix: str, limit: int) -> tuple[dict[str, int], tuple[str, ...]]:
        replies = await self._bus.ask_all(CHANNELS, ChannelsFrom(prefix, limit))
        sizes: dict[str, int] = {}
        for answer in replies.answers.values():
            for name, size in answer.channels.items():
                sizes[name] = sizes.get(name, 0) + size
        return sizes, replies.missing

    async def subscribers(self, channel: str) -> Tally:
        return _sum(await self._bus.ask_all(SUBSCRIBERS, OneChannel(channel)))

    def nodes(self) -> list[NodeInfo]:
        return self._nodes.all

    async def _at_owner(self, session: str, request: Request[Q, Count], message: Q) -> Tally:
        """What became of it where the session is: most likely with the node in its id, else with any."""
        found = await self._bus.ask_whoever(
            node_of(session), request, message, lambda answer: answer.count > 0
        )
        return Tally(0 if found.answer is None else found.answer.count, found.missing)

    # --- answering ----------------------------------------------------------------------------------------

    def _direct(self, node: str, message: Direct) -> Count:
        publication = message.publication
        if message.session:
            return Count(int(operations.to_session_here(self._hub, message.session, publication)))
        return Count(operations.to_user_here(self._hub, message.user, publication))

    async def _place(self, node: str, message: Place) -> Count:
        place = operations.unsubscribe_user_here if message.leave else operations.subscribe_user_here
        return Count(await place(self._hub, message.user, message.channel))

    def _end(self, node: str, message: End) -> Count:
        if message.user is None and message.session is None:
            raise HubbubError(ErrorCode.BAD_REQUEST, "whose sessions are to end?")
        return Count(
            operations.disconnect_here(
                self._hub, user=message.user, session=message.session, reason=reason(message.code)
            )
        )

    def _session(self, node: str, message: Which) -> Found:
        found = operations.sessions_here(self._hub, session=message.session)
        return Found([operations.describe(each) for each in found])

    def _sessions(self, node: str, message: SessionsAfter) -> Found:
        return Found(operations.sessions_page(self._hub, message.user, message.after, message.limit))

    def _channels(self, node: str, message: ChannelsFrom) -> Sizes:
        return Sizes(operations.channels_here(self._hub, message.prefix, message.limit))

    def _subscribers(self, node: str, message: OneChannel) -> Count:
        channel = self._hub.channels.get(message.channel)
        return Count(0 if channel is None else channel.size)

    # --- revocations --------------------------------------------------------------------------------------

    def _revoke(self, node: str, message: Revoke) -> Count:
        self._learn(message.revoked)
        return Count(operations.end_revoked_here(self._hub, user=message.user, token_id=message.token_id))

    def _revoked(self, node: str, message: Nothing) -> AllRevoked:
        return AllRevoked(tuple(self._revocations.known()) if self._revocations is not None else ())

    def _learn(self, revoked: Iterable[Revoked]) -> None:
        if self._revocations is not None:
            for each in revoked:
                self._revocations.learn(each)

    async def catch_up(self) -> None:
        """Learn of all that the other nodes know to be revoked, and end who stands on it. If one of them does not
        answer, again later."""
        self._behind = False
        replies = await self._bus.ask_all(REVOKED, Nothing())
        self._behind = bool(replies.missing)
        for answer in replies.answers.values():
            self._learn(answer.revoked)
        if self._log is not None:
            try:
                await self._log.load()
            except HubbubError as error:
                log.warning("what was revoked before cannot be read yet", error=error.message)
                self._behind = True
        if self._revocations is not None:
            for session in list(self._hub.sessions.values()):
                who = session.principal
                if self._revocations.revoked(who.user, who.token_id, who.issued):
                    self._hub.end(session, errors.REVOKED)

    def _may_be_behind(self) -> None:
        self._behind = True

    def _beaten(self) -> None:
        if (self._untold or self._behind) and not self._telling:
            self._telling = True
            self._hub.spawn(self._tell())

    async def _tell(self) -> None:
        """Tell what was revoked to those who did not hear it, and ask what this node may not have heard."""
        try:
            if self._behind:
                await self.catch_up()
            for node, messages in list(self._untold.items()):
                await self._tell_one(node, messages)
        finally:
            self._telling = False

    async def _tell_one(self, node: str, messages: list[Revoke]) -> None:
        try:
            while messages:
                await self._bus.ask(node, REVOKE, messages[0])
                del messages[0]
            self._untold.pop(node, None)
        except HubbubError as error:
            log.warning("a node does not know yet what was revoked", node=node, error=error.message)


def _directed(publication: Publication, *, session: str = "", user: str = "") -> Direct:
    return Direct(
        publication.channel,
        publication.event,
        bytes(publication.data),
        publication.time,
        session,
        user,
        publication.attachments,
        publication.spread,
    )


def _sum(replies: Replies[Count]) -> Tally:
    return Tally(sum(each.count for each in replies.answers.values()), replies.missing)
