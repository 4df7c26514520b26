"""How many sessions users have on other nodes, for `limits.connections_per_user`.

Nodes tell each other beforehand, so that nobody who connects waits for it; and only of users who may come near the
limit: of whom a node has a sixteenth of it, all nodes tell how many they have. As long as nobody is told of, sixteen
nodes together have less than the limit.

Two nodes may let in the last one at the same moment. Who is too many after that is ended: nodes keep theirs in the
order of their ids, and each ends its newest ones once there have been too many for a while.
"""

from __future__ import annotations

from msgspec import Struct

from hubbub.cluster.bus import Bus, Request
from hubbub.cluster.nodes import Nodes
from hubbub.errors import USER_LIMIT, HubbubError
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.state.base import NodeInfo
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

SHARE = 16
"""A user with this part of the limit on one node is told of."""
GATHER = 0.02
"""Seconds for which changes are gathered."""
SETTLED = 2.0
"""Seconds for which a user must have had too many before the newest are ended: a session that moves is counted twice
for a moment."""


class Count(Struct, frozen=True, array_like=True):
    """A user's sessions on a node, and of how many of them the client is away."""

    sessions: int
    away: int = 0


NONE = Count(0)
"""None, or no more to be told of."""


class Counts(Struct, frozen=True):
    """What has changed, in the message of that number; nothing has if it is that of the last one."""

    number: int
    users: dict[str, Count] = {}


class All(Struct, frozen=True):
    """All that a node tells of is asked for."""


class Room(Struct, frozen=True):
    """A session of the user's whose client is away is to end."""

    user: str


COUNTS = Request("sessions.counts", Counts, type(None))
ALL = Request("sessions.counts.all", All, Counts)
ROOM = Request("sessions.room", Room, type(None))


class _Peer:
    """What another node has said, and when (monotonic). `missed` gathers what comes while it is asked for all."""

    __slots__ = ("heard", "missed", "number", "users")

    def __init__(self) -> None:
        self.number = -1
        self.heard = 0.0
        self.users: dict[str, Count] = {}
        self.missed: list[Counts] | None = None


class Headcounts:
    """`hub.limits.Elsewhere`. To be made before the hub starts. Nothing of a node that was silent for the time of a
    lease is counted."""

    def __init__(self, hub: Hub, nodes: Nodes, bus: Bus) -> None:
        self._hub, self._nodes, self._bus = hub, nodes, bus
        self._limit = hub.config.limits.connections_per_user
        self._worth = max(1, self._limit // SHARE)
        self._peers: dict[str, _Peer] = {}
        self._number = 0
        self._told: dict[str, Count] = {}
        self._doubted: set[str] = set()
        self._due = False
        self._over: dict[str, float] = {}  # users who have too many, and since when
        hub.elsewhere = self
        hub.appearances.append(self._changed)
        hub.ended.append(self._changed)
        bus.on(COUNTS, self._heard)
        bus.on(ALL, self._all)
        bus.on(ROOM, self._make_room)
        nodes.left.append(self._left)
        nodes.beaten.append(self._beaten)

    def count(self, user: str) -> int:
        return sum(count.sessions for count in self._counts(user).values())

    def make_room(self, user: str) -> bool:
        for node, count in self._counts(user).items():
            if count.away:
                self._peers[node].users[user] = Count(count.sessions - 1, count.away - 1)
                self._hub.spawn(self._ask_for_room(node, user))
                return True
        return False

    def _counts(self, user: str) -> dict[str, Count]:
        """What is to be believed, by nodes."""
        since = self._hub.clock.monotonic() - self._nodes.lease
        return {
            node: count
            for node, peer in self._peers.items()
            if (count := peer.users.get(user)) is not None and peer.heard >= since
        }

    async def _ask_for_room(self, node: str, user: str) -> None:
        try:
            await self._bus.ask(node, ROOM, Room(user))
        except HubbubError:
            self._ask(node)  # it may not have heard: what it has is asked for

    # --- saying -------------------------------------------------------------------------------------------

    def _changed(self, session: Session) -> None:
        if session.user:
            self._look(session.user)

    def _look(self, user: str) -> None:
        """What is told of `user` may have changed."""
        self._doubted.add(user)
        if not self._due:
            self._due = True
            self._hub.clock.call_later(GATHER, self._flush)

    def _flush(self) -> None:
        doubted, self._doubted, self._due = self._doubted, set(), False
        changed = {user: now for user in doubted if (now := self._here(user)) != self._told.get(user, NONE)}
        if not changed:
            return
        for user, now in changed.items():
            if now.sessions:
                self._told[user] = now
            else:
                del self._told[user]
        self._number += 1
        self._tell(Counts(self._number, changed))

    def _here(self, user: str) -> Count:
        """What is worth telling of `user`."""
        sessions = self._hub.users.get(user, ())
        here = len(sessions)
        if not here or (here < self._worth and not self._told_elsewhere(user)):
            return NONE
        return Count(here, sum(session.absent and session.id in self._hub.detached for session in sessions))

    def _told_elsewhere(self, user: str) -> bool:
        """Whether another node has enough of them for all to tell."""
        return any(count.sessions >= self._worth for count in self._counts(user).values())

    def _beaten(self) -> None:
        if self._told:  # else there is nothing that others would forget
            self._tell(Counts(self._number))
        for user in [*self._told.keys() | self._over.keys()]:
            self._judge(user)

    def _tell(self, counts: Counts) -> None:
        async def tell() -> None:
            await self._bus.tell_all(COUNTS, counts)

        if not self._hub.stopped:
            self._hub.spawn(tell())

    # --- hearing ------------------------------------------------------------------------------------------

    def _all(self, node: str, message: All) -> Counts:
        return Counts(self._number, dict(self._told))

    def _heard(self, node: str, counts: Counts) -> None:
        peer = self._peers.get(node)
        if node not in self._nodes.others:
            return  # it is held dead, or not known yet; it says where it stands with each beat
        if peer is None:
            self._ask(node)
        elif peer.missed is not None:
            peer.missed.append(counts)
        elif counts.number > peer.number + bool(counts.users):
            self._ask(node)
        else:
            peer.heard = self._hub.clock.monotonic()
            if counts.number > peer.number:
                self._take(peer, counts)

    def _take(self, peer: _Peer, counts: Counts) -> None:
        peer.number = counts.number
        for user, count in counts.users.items():
            if count.sessions:
                peer.users[user] = count
            else:
                peer.users.pop(user, None)
            self._look(user)

    def _ask(self, node: str) -> None:
        peer = self._peers.setdefault(node, _Peer())
        if peer.missed is None:
            peer.missed = []
            self._hub.spawn(self._fetch(node, peer))

    async def _fetch(self, node: str, peer: _Peer) -> None:
        try:
            found = await self._bus.ask(node, ALL, All())
        except HubbubError as error:
            log.warning("a node's users are not known", node=node, error=error.message)
            peer.missed = None  # it is asked again when it says where it stands
            return
        missed, peer.missed = peer.missed or [], None
        peer.heard = self._hub.clock.monotonic()
        gone = dict.fromkeys(peer.users.keys() - found.users.keys(), NONE)
        self._take(peer, Counts(found.number, gone | found.users))
        for counts in missed:
            self._heard(node, counts)

    def _left(self, node: NodeInfo) -> None:
        peer = self._peers.pop(node.id, None)
        for user in peer.users if peer is not None else ():
            self._look(user)

    def _make_room(self, node: str, message: Room) -> None:
        hub, user = self._hub, message.user
        away = next((session for session in hub.users.get(user, ()) if session.id in hub.detached), None)
        if away is not None:
            hub.end(away, None)

    # --- who is too many ----------------------------------------------------------------------------------

    def _judge(self, user: str) -> None:
        counts = self._counts(user)
        here = len(self._hub.users.get(user, ()))
        now = self._hub.clock.monotonic()
        if here + sum(count.sessions for count in counts.values()) <= self._limit:
            self._over.pop(user, None)
        elif now - self._over.setdefault(user, now) >= SETTLED:
            del self._over[user]
            before = sum(count.sessions for node, count in counts.items() if node < self._bus.id)
            self._end(user, here - max(0, self._limit - before))

    def _end(self, user: str, excess: int) -> None:
        """The newest, of those whose client is here after all others."""
        if excess <= 0:
            return
        hub = self._hub
        newest = reversed(hub.users.get(user, ()))
        for session in sorted(newest, key=lambda session: session.id not in hub.detached)[:excess]:
            hub.metrics.rejected["connections_per_user"] += 1
            hub.end(session, USER_LIMIT)
