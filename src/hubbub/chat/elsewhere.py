"""Users of other nodes: each node says of its own who is there, and hears it of the others'.

What a node says is numbered, and with each beat it says where it stands; who has missed something asks for all. A node
that is gone takes its users along, `chat.presence_grace` seconds later: by then they may be on another.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from msgspec import Struct

from hubbub.chat.model import Availability
from hubbub.clock import Clock, Timer
from hubbub.cluster.bus import Bus, Request
from hubbub.cluster.nodes import Nodes
from hubbub.cluster.rendezvous import owner
from hubbub.errors import HubbubError
from hubbub.state.base import NodeInfo
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.chat")

GATHER = 0.02
"""Seconds for which changes are gathered, so that a thousand who come at once are one message."""


class Change(Struct, frozen=True, array_like=True):
    """How a user is on the node that says so, since when (Unix seconds), and whether it has kept that time as
    `last_seen`."""

    availability: Availability
    time: float
    noted: bool = False


class Changes(Struct, frozen=True):
    """What has changed; nobody has if `number` is that of the last one."""

    number: int
    users: dict[str, Change] = {}


class Everybody(Struct, frozen=True):
    """All users of a node, as they are after its changes up to `number`."""

    number: int
    users: dict[str, Availability]


class Who(Struct, frozen=True):
    """Everybody is asked for."""


class Away(Struct, frozen=True):
    """All sessions of a user are away, or back."""

    user: str
    away: bool


CHANGES = Request("chat.presence", Changes, type(None))
EVERYBODY = Request("chat.presence.all", Who, Everybody)
AWAY = Request("chat.presence.away", Away, type(None))


class _Peer:
    """What another node has said. `missed` gathers what comes while it is asked for all, else None."""

    __slots__ = ("missed", "number", "users")

    def __init__(self) -> None:
        self.number = -1
        self.users: dict[str, Availability] = {}
        self.missed: list[Changes] | None = None


class Elsewhere:
    """`here` gives this node's users; `changed(user, time, note)` is called when a user may be seen as something else
    now, with `note` on the one node that is to keep it as `last_seen` if that is offline."""

    def __init__(
        self,
        bus: Bus,
        nodes: Nodes,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        grace: float,
        *,
        here: Callable[[], Mapping[str, Availability]],
        changed: Callable[[str, float, bool], object],
        away: Callable[[str, bool], object],
    ) -> None:
        self._bus, self._nodes, self._clock, self._spawn = bus, nodes, clock, spawn
        self._grace = grace
        self._here = here
        self._changed = changed
        self._away = away
        self._peers: dict[str, _Peer] = {}
        self._ghosts: dict[str, Timer] = {}
        self._number = 0
        self._untold: dict[str, Change] = {}
        self._timer: Timer | None = None
        bus.on(CHANGES, self._heard)
        bus.on(EVERYBODY, self._all)
        bus.on(AWAY, self._set_away)
        nodes.joined.append(self._joined)
        nodes.left.append(self._left)
        nodes.beaten.append(self._beaten)

    def of(self, user: str) -> Iterator[Availability]:
        """What the other nodes say of `user`."""
        for peer in self._peers.values():
            if (said := peer.users.get(user)) is not None:
                yield said

    def tell(self, user: str, change: Change) -> None:
        """`user` has changed on this node."""
        self._untold[user] = change
        if self._timer is None:
            self._timer = self._clock.call_later(GATHER, self._flush)

    async def set_away(self, user: str, away: bool) -> None:
        await self._bus.tell_all(AWAY, Away(user, away))

    def stop(self) -> None:
        for timer in (self._timer, *self._ghosts.values()):
            if timer is not None:
                timer.cancel()
        self._timer = None
        self._ghosts.clear()

    def _set_away(self, node: str, message: Away) -> None:
        self._away(message.user, message.away)

    # --- saying -------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        untold, self._untold, self._timer = self._untold, {}, None
        self._number += 1
        self._say(Changes(self._number, untold))

    def _all(self, node: str, message: Who) -> Everybody:
        return Everybody(self._number, dict(self._here()))

    def _beaten(self) -> None:
        self._say(Changes(self._number))

    def _say(self, changes: Changes) -> None:
        async def say() -> None:
            await self._bus.tell_all(CHANGES, changes)

        self._spawn(say())

    # --- hearing ------------------------------------------------------------------------------------------

    def _heard(self, node: str, changes: Changes) -> None:
        peer = self._peers.get(node)
        if node not in self._nodes.others:
            return  # it is held dead, or not known yet: all of it is asked for when it is
        if peer is None:
            self._ask(node)
        elif peer.missed is not None:
            peer.missed.append(changes)
        else:
            self._take(node, peer, changes)

    def _take(self, node: str, peer: _Peer, changes: Changes) -> None:
        if changes.number > peer.number + bool(changes.users):
            self._ask(node)
        elif changes.number > peer.number:
            peer.number = changes.number
            for user, change in changes.users.items():
                if change.availability == "offline":
                    peer.users.pop(user, None)
                else:
                    peer.users[user] = change.availability
                self._changed(user, change.time, not change.noted and self._mine(user))

    def _ask(self, node: str) -> None:
        peer = self._peers.setdefault(node, _Peer())
        if peer.missed is None:
            peer.missed = []
            self._spawn(self._fetch(node, peer))

    async def _fetch(self, node: str, peer: _Peer) -> None:
        try:
            everybody = await self._bus.ask(node, EVERYBODY, Who())
        except HubbubError as error:
            log.warning("a node's users are not known", node=node, error=error.message)
            peer.missed = None  # it is asked again when it says where it stands
            return
        missed, peer.missed = peer.missed or [], None
        before, peer.users, peer.number = peer.users, everybody.users, everybody.number
        now = self._clock.now()
        for user in before.keys() | everybody.users.keys():
            if before.get(user) != everybody.users.get(user):
                self._changed(user, now, False)
        for changes in missed:
            self._heard(node, changes)

    def _joined(self, node: NodeInfo) -> None:
        if (timer := self._ghosts.pop(node.id, None)) is not None:
            timer.cancel()
        self._ask(node.id)

    def _left(self, node: NodeInfo) -> None:
        if node.id in self._peers:
            self._ghosts[node.id] = self._clock.call_later(self._grace, lambda: self._forget(node.id))

    def _forget(self, node: str) -> None:
        self._ghosts.pop(node, None)
        now = self._clock.now()
        for user in self._peers.pop(node).users:
            self._changed(user, now, self._mine(user))

    def _mine(self, user: str) -> bool:
        """Whether of all nodes it is this one's to write down what all of them see."""
        return owner(user, {node.id: 1.0 for node in self._nodes.all}) == self._nodes.id
