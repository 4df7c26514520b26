"""Who the nodes are: this one's signs of life, and the others as the shared State knows them."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable, Coroutine
from typing import Any

from hubbub.clock import Clock, Timer
from hubbub.errors import HubbubError
from hubbub.state.base import NodeInfo, State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

BEAT = 1.0
"""Seconds between two signs of life, at the most."""
ID_LENGTH = 6
ALPHABET = string.digits + string.ascii_letters


def new_node_id() -> str:
    """A new one for each process, so that nothing of an earlier one's is taken for its own."""
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


class Nodes:
    """This node and the others.

    A node is held dead when State no longer lists it while this node's own lease stands there: so neither a State that
    was emptied nor one that does not answer kills anybody. After either, all have `lease` seconds to show themselves.
    """

    def __init__(
        self,
        state: State,
        clock: Clock,
        lease: float,
        describe: Callable[[str], NodeInfo],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        *,
        id: str | None = None,
    ) -> None:
        """`describe` gives what this node, of that id, tells of itself; `spawn` runs in the background."""
        self.id = id or new_node_id()
        self.lease = lease
        self.others: dict[str, NodeInfo] = {}
        self.joined: list[Callable[[NodeInfo], object]] = []
        """Told of each node that is new here."""
        self.left: list[Callable[[NodeInfo], object]] = []
        """Told of each node that has ended, or shows no sign of life any more."""
        self.lapsed: list[Callable[[], object]] = []
        """Told when this node's own lease had run out: the others may have held it dead, and taken what was its."""
        self.beaten: list[Callable[[], object]] = []
        """Told after each look at the others that succeeded."""
        self._state = state
        self._clock = clock
        self._describe = describe
        self._spawn = spawn
        self._interval = min(BEAT, lease / 4)
        self._timer: Timer | None = None
        self._running = False
        self._looking = False
        self._again = False
        self._next: asyncio.Future[None] | None = None  # of those who wait for the next look
        self._lost = False  # own lease: already told that it has run out
        self._held_until: float | None = None  # by this clock; None: it never was held
        self._believe_from = 0.0
        self._down = False

    @property
    def all(self) -> list[NodeInfo]:
        """This node and the others, in the order of their ids."""
        return sorted((self.me, *self.others.values()), key=lambda node: node.id)

    @property
    def me(self) -> NodeInfo:
        return self._describe(self.id)

    def __contains__(self, id: str) -> bool:
        return id == self.id or id in self.others

    @property
    def sure(self) -> bool:
        """Whether this node's lease holds, as far as can be known here: nobody has taken what is its."""
        return self._held_until is not None and self._clock.monotonic() < self._held_until

    async def start(self) -> None:
        """Show this node and see the others; if State does not answer, that is tried again, like all later beats."""
        self._running = True
        await self.look()
        self._schedule()

    async def stop(self) -> None:
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._state.retire(self.id)
        except HubbubError as error:
            log.warning("the others learn of this node's end by its lease only", error=error.message)

    async def look(self) -> None:
        """Beat, and see who is there. Returns when that has been done once after the call, or has failed."""
        if self._looking:
            self._again = True
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)
            return
        self._looking = True
        waiting: asyncio.Future[None] | None = None
        try:
            self._again = True
            while self._again and self._running:
                self._again = False
                waiting, self._next = self._next, None
                await self._look()
                _done(waiting)
        finally:
            self._looking = False
            _done(waiting)
            _done(self._next)
            self._next = None

    def forget(self, id: str) -> None:
        """A node has said that it ends."""
        if (node := self.others.pop(id, None)) is not None:
            log.info("node left", node=id, name=node.name)
            for told in self.left:
                told(node)

    def _schedule(self) -> None:
        if self._running:
            self._timer = self._clock.call_later(self._interval, self._tick)

    def _tick(self) -> None:
        self._schedule()
        if self._held_until is not None and not self.sure:
            self._lapse()
        if not self._looking:
            self._spawn(self.look())

    async def _look(self) -> None:
        sent = self._clock.monotonic()
        try:
            held = await self._state.beat(self.me, self.lease)
            found = await self._state.nodes()
        except Exception as error:
            # Whatever it is, this node must go on to show itself.
            if not self._down:
                log.warning("the shared state does not answer", error=str(error))
            self._down = True
            self._doubt()
            return
        if not self._running:
            return
        if self._down:
            log.info("the shared state answers again")
            self._down = False
            self._doubt()
        if not held and self._held_until is not None:
            self._lapse()
        self._lost = False
        self._held_until = sent + self.lease
        self._take({node.id: node for node in found})
        for told in self.beaten:
            told()

    def _lapse(self) -> None:
        """This node's lease has run out."""
        self._doubt()
        if not self._lost:
            self._lost = True
            log.warning("the lease of this node had run out")
            for told in self.lapsed:
                told()

    def _doubt(self) -> None:
        self._believe_from = self._clock.monotonic() + self.lease

    def _take(self, found: dict[str, NodeInfo]) -> None:
        believed = self.id in found and self._clock.monotonic() >= self._believe_from
        found.pop(self.id, None)
        if believed:
            for id in self.others.keys() - found.keys():
                self.forget(id)
        for id, node in found.items():
            new = id not in self.others
            self.others[id] = node
            if new:
                log.info("node joined", node=id, name=node.name)
                for told in self.joined:
                    told(node)


def _done(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
