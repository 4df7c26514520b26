"""Sessions on any node: who has one gives it to the node to which its client has come.

A node that lives is asked over the bus. For a dead one's sessions there are records in State, which one node wins by
`swap`; they are written when a session begins, and some time after its channels have changed. A node that was stopped
for longer than its lease looks into them before it goes on (`fence`), and ends what others have taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hmac import compare_digest

import msgspec
from msgspec import Struct

from hubbub.auth.revocation import Revocations
from hubbub.clock import Timer
from hubbub.cluster.bus import Bus, Request
from hubbub.cluster.nodes import BEAT, Nodes
from hubbub.cluster.records import Record, Records, shown
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import handover
from hubbub.hub.channel import Channel
from hubbub.hub.entering import follow
from hubbub.hub.handover import VERSION, Handover
from hubbub.hub.hub import Hub
from hubbub.hub.journal import Trail
from hubbub.hub.session import Session, is_id, node_of
from hubbub.model import Leave, Principal, Publication
from hubbub.state.base import State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

REPEATABLE = 10.0
"""Seconds for which it gives the same again to a node that did not hear the first answer."""
PRESENCE = 2.0
"""Seconds after which it forgets that the session was present in its channels."""
KNOWN = 10_000
"""Sessions that have moved of which a node remembers where they are."""
HOPS = 4
ROUNDS = 5
"""How often the channels of a session may change while it is on its way."""


class Ask(Struct, frozen=True, omit_defaults=True):
    """Give me this session, whose client has shown me its secret. With `channel`, `user` and `since`: one that resumes
    by a journal; its channels are `held` here already."""

    id: str
    proof: bytes
    channel: str = ""
    user: str = ""
    since: str | None = None
    held: tuple[str, ...] = ()


class Given(Struct, frozen=True, omit_defaults=True):
    """The session; or the channels to be held before it can be given; or the node to which it has gone; or nothing:
    there is none."""

    handover: bytes = b""
    channels: tuple[str, ...] | None = None
    node: str = ""


ASK = Request("session.claim", Ask, Given)


class _Gone(Struct, frozen=True):
    """A session that was given away."""

    node: str
    proof: bytes
    at: float
    handover: bytes


class Claims:
    """To be made before the hub starts. See `hubbub.hub.base.Claims`."""

    def __init__(
        self, hub: Hub, nodes: Nodes, bus: Bus, state: State, revocations: Revocations | None = None
    ) -> None:
        """`revocations`: what may have been revoked while nobody had a session."""
        self._hub = hub
        self._nodes = nodes
        self._bus = bus
        self._state = state
        self._records = Records(hub, nodes.id, state, nodes.lease, self.learn)
        self._revocations = revocations
        self._interval = min(BEAT, nodes.lease / 4)
        self._running = False
        self._timer: Timer | None = None
        self._gone: dict[str, _Gone] = {}
        self._known: dict[str, str] = {}  # where sessions are that have moved, the oldest knowledge first
        self._claiming: dict[str, asyncio.Future[None]] = {}
        self._lapsed = False
        self._beats = 0
        self._confirming: asyncio.Task[None] | None = None
        self._unsure = False  # that has been logged
        self.fence = float("inf")
        bus.on(ASK, self._asked)
        nodes.lapsed.append(self._has_lapsed)
        nodes.beaten.append(self._beaten)
        self.changed = self._records.changed
        hub.appearances.append(self.changed)
        hub.ended.append(self._records.ended)
        hub.claims = self

    async def start(self) -> None:
        self._running = self._records.running = True
        self._tick(first=True)

    async def stop(self) -> None:
        """To be called before the sessions end: others may claim them by what is written here last."""
        if not self._running:
            return
        await self._records.flush()
        self._running = self._records.running = False
        if self._timer is not None:
            self._timer.cancel()

    @property
    def doubtful(self) -> bool:
        """Whether others may have taken sessions that are here: the lease had run out, and it was not looked up yet."""
        return self._lapsed or self._confirming is not None

    # --- where a session is ---------------------------------------------------------------------------------

    def node(self, id: str) -> str:
        """The node that probably has the session; empty if that is told by nothing."""
        return self._known.get(id) or node_of(id)

    def learn(self, id: str, node: str) -> None:
        """That node has it."""
        self._known.pop(id, None)
        if node != node_of(id):
            self._known[id] = node
            if len(self._known) > KNOWN:
                del self._known[next(iter(self._known))]

    async def look_up(self, id: str) -> str:
        """The node that has the session by its record; empty if there is none. Raises BROKER_UNAVAILABLE."""
        record, _ = await self._records.get(id)
        return record.node if record is not None else ""

    # --- claiming -----------------------------------------------------------------------------------------

    async def claim(self, id: str, secret: str) -> Session:
        while (other := self._claiming.get(id)) is not None:
            await other
        if id in self._hub.sessions:
            return self._hub.resume(id, secret)
        with self._turn(id):
            ask = Ask(id, handover.proof(id, secret))
            given = await self._find(ask)
            if given is None:
                raise self._none()
            if isinstance(given, Record):
                if self._revoked(given.principal):
                    self._records.touch(id)  # nobody shall find it again
                    raise self._none()
                return self._adopt(_revived(id, given, self._hub), secret)
            return self._adopt(handover.decode(given.handover), secret)

    async def claim_journaled(
        self, id: str, secret: str, user: str, since: str | None, channel: str
    ) -> Session:
        hub = self._hub
        if id in self._claiming or not is_id(id):
            raise HubbubError(ErrorCode.SESSION_GONE)
        probe = Trail(hub.journal)
        held: dict[str, tuple[Channel, list[Publication]]] = {}
        with self._turn(id):
            try:
                given = await self._hold(
                    Ask(id, handover.proof(id, secret), channel, user, since), probe, held
                )
                found = handover.decode(given.handover)
                heard = probe.missed(id, found.channels, 0)
                if found.journaled is None or heard is None or not held.keys() >= set(found.channels):
                    raise HubbubError(ErrorCode.SESSION_GONE)
                session = self._adopt(found, secret)
                handover.continue_journal(session, found.journaled, [entry.envelope for entry in heard])
                for name in found.channels:
                    held[name][0].kept += 1
                return session
            finally:
                for held_channel, buffer in held.values():
                    held_channel.kept -= 1
                    hub.release(held_channel, buffer)

    async def _hold(
        self, ask: Ask, probe: Trail, held: dict[str, tuple[Channel, list[Publication]]]
    ) -> Given:
        """Listen to the session's channels, and be given it then: what is published between the two is heard twice, and
        not lost."""
        hub = self._hub
        for _ in range(ROUNDS):
            given = await self._find(msgspec.structs.replace(ask, held=tuple(held)))
            if not isinstance(given, Given):
                break
            if given.handover:
                return given
            for name in given.channels or ():
                if name not in held:
                    buffer: list[Publication] = []
                    channel = await hub.hold(name, buffer)
                    channel.flush()
                    channel.kept += 1
                    held[name] = channel, buffer
                    follow(probe, channel)
        raise HubbubError(ErrorCode.SESSION_GONE)

    @contextmanager
    def _turn(self, id: str) -> Iterator[None]:
        mine = self._claiming[id] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._claiming[id]
            mine.set_result(None)

    async def _find(self, ask: Ask) -> Given | Record | None:
        """Ask from node to node; of a dead one's sessions the record is taken. Raises NODE_UNAVAILABLE if one that is
        alive does not answer."""
        node, answered = self.node(ask.id), {self._nodes.id, ""}
        for _ in range(HOPS):
            if node not in answered and (given := await self._ask(node, ask)) is not None:
                answered.add(node)
                if given.handover or given.channels is not None:
                    self._records.origins[ask.id] = node
                    return given
                node = given.node  # to which it has gone
                if node not in answered:
                    continue
            record, raw = await self._records.get(ask.id)
            if record is None or not shown(record, ask.proof) or record.node in answered:
                return None
            node = record.node
            if node in {each.id for each in await self._state.nodes()}:
                if node in self._nodes.others:
                    continue
                raise HubbubError(ErrorCode.NODE_UNAVAILABLE, retry_after=1.0)
            if ask.channel:
                return None  # nobody knows what it has missed
            if (mine := await self._records.take(ask.id, record, raw)) is not None:
                return mine
        return None

    async def _ask(self, node: str, ask: Ask) -> Given | None:
        """None if it is dead."""
        for attempt in (1, 2):
            try:
                return await self._bus.ask(node, ASK, ask)
            except HubbubError as error:
                if error.code is not ErrorCode.NODE_UNAVAILABLE:
                    raise
                if node not in self._nodes.others:
                    return None
                if attempt == 2:
                    raise HubbubError(ErrorCode.NODE_UNAVAILABLE, retry_after=1.0) from None
        return None

    def _adopt(self, found: Handover, secret: str) -> Session:
        session = handover.adopt(self._hub, found, secret)
        self._gone.pop(session.id, None)
        self.learn(session.id, self._nodes.id)
        self._hub.noticed(session)
        if not session.absent:
            self._hub.spawn(self._appear(session))
        log.info(
            "session came from another node", session=session.id, node=self._records.origins.get(session.id)
        )
        return session

    async def _appear(self, session: Session) -> None:
        for name in session.away:
            await self._hub.attendance.settle(session, self._hub.channel(name))

    def _revoked(self, who: Principal) -> bool:
        known = self._revocations
        return known is not None and known.revoked(who.user, who.token_id, who.issued)

    def _none(self) -> HubbubError:
        self._hub.metrics.resumes["gone"] += 1
        return HubbubError(ErrorCode.SESSION_GONE)

    # --- giving -------------------------------------------------------------------------------------------

    def _asked(self, node: str, ask: Ask) -> Given:
        hub = self._hub
        if not self._running or not self._nodes.sure:
            raise HubbubError(ErrorCode.NODE_UNAVAILABLE)
        session = hub.sessions.get(ask.id)
        if session is None:
            gone = self._gone.get(ask.id)
            if gone is None or not compare_digest(gone.proof, ask.proof):
                return Given()  # State may know where it is
            return Given(gone.handover) if gone.node == node else Given(node=gone.node)
        if session.closed or not handover.proves(session, ask.proof):
            return Given()
        if (session.trail is not None) is not bool(ask.channel):
            return Given()
        journaled = None
        if ask.channel:
            if session.user != ask.user or ask.channel not in (*session.away, *session.subscriptions):
                return Given()
            handover.interrupt(session)
            if session.closed:
                return Given()
            if not set(session.away) <= set(ask.held):
                return Given(channels=session.away)
            journaled = handover.missed(session, ask.since)
            if journaled is None:
                hub.metrics.resumes["incomplete"] += 1
                hub.end(session, None)
                return Given()
        given = handover.encode(handover.export(session, journaled))
        channels = (*session.away, *session.subscriptions)
        handover.part(session)
        self.learn(ask.id, node)
        self._gone[ask.id] = _Gone(node, ask.proof, hub.clock.monotonic(), given)
        hub.clock.call_later(PRESENCE, lambda: hub.spawn(self._disappear(ask.id, channels)))
        return Given(given)

    async def _disappear(self, id: str, channels: tuple[str, ...]) -> None:
        """What this node holds of the session's presence ends. The store knows whether the other's has begun: if not,
        somebody has left."""
        for name in channels:
            channel = self._hub.channel(name)
            if id in self._hub.sessions or channel.options.presence == "off":
                continue
            if (member := await self._hub.presence.remove(name, id)) is not None:
                await self._hub.announce(channel, Leave(name, member))

    # --- who was stopped for a while ----------------------------------------------------------------------

    def _tick(self, *, first: bool = False) -> None:
        if not self._running:
            return
        self._timer = self._hub.clock.call_later(self._interval, self._tick)
        now = self._hub.clock.monotonic()
        if first or now <= self.fence:
            self.fence = now + self._nodes.lease - 2 * self._interval
        else:
            self._hub.spawn(self._try_to_confirm())
        self._records.refresh()
        for id, gone in list(self._gone.items()):
            if now - gone.at >= REPEATABLE:
                del self._gone[id]

    def _has_lapsed(self) -> None:
        self._lapsed = True

    def _beaten(self) -> None:
        self._beats += 1
        if self._lapsed and self._confirming is None:
            self._hub.spawn(self._try_to_confirm())
        self._records.wake()

    async def _try_to_confirm(self) -> None:
        try:
            await self.confirm()
        except HubbubError as error:
            if not self._unsure:
                log.warning("it is not known which sessions others have taken", error=error.message)
            self._unsure = True
        else:
            self._unsure = False

    async def confirm(self) -> None:
        if self._confirming is None:
            self._confirming = asyncio.get_running_loop().create_task(self._confirm())
        await asyncio.shield(self._confirming)

    async def _confirm(self) -> None:
        try:
            beats = self._beats
            await self._nodes.look()
            if self._beats == beats:
                raise HubbubError(ErrorCode.BROKER_UNAVAILABLE, "the shared state does not answer")
            if self._lapsed:
                self._lapsed = False
                try:
                    await self._records.verify()
                except BaseException:
                    self._lapsed = True
                    raise
            self.fence = self._hub.clock.monotonic() + self._nodes.lease - 2 * self._interval
        finally:
            self._confirming = None


def _revived(id: str, record: Record, hub: Hub) -> Handover:
    return Handover(
        VERSION,
        id,
        record.principal,
        hub.config.sessions.resume_window,
        record.channels,
        record.entered,
        record.hidden,
        idle=record.idle,
    )
