"""What the transports of one process share: the hub, the registry of protocols, the flush and the heartbeat."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from weakref import ref

from hubbub.clock import Clock, Timer
from hubbub.config import Config
from hubbub.errors import Disconnect
from hubbub.hub import eager
from hubbub.hub.handlers import Hook
from hubbub.hub.hub import Hub
from hubbub.hub.limits import Rate
from hubbub.protocols.base import ProtocolEntry
from hubbub.telemetry.levels import SHEDDING
from hubbub.telemetry.load import Load, LoadChange
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics
from hubbub.transports.door import Door
from hubbub.transports.guards import Admission, Origins, Proxies

if TYPE_CHECKING:
    from hubbub.transports.direct import DirectEndpoint
    from hubbub.transports.forwarding import Forwarder
    from hubbub.transports.upgrade import Endpoint

log = get_logger("hubbub.node")

TICK = 0.025  # seconds: fine, so that the pings of ten thousand connections do not come in one burst
STALL = 1.0
FLUSH_SLICE = 1_100
"""Connections flushed in one turn of the loop: a millisecond for every two hundred or so."""


class Flushable(Protocol):
    def flush(self) -> None: ...


class WebSocket(Protocol):
    """What the end of the server needs of an open WebSocket."""

    def close(self, reason: Disconnect) -> None: ...

    def cut(self) -> None:
        """Drop the link at once."""


class Newcomer(Protocol):
    @property
    def anonymous(self) -> bool:
        """Whether the peer has not yet said who it is; once False, it stays so."""


class Newcomers:
    """The open connections whose peers have not said who they are.

    Connections come in when they open and go out when they end. Nobody tells when one of them is let in, on which the
    hub may have to wait: they are asked, when there are so many that it matters.
    """

    def __init__(self) -> None:
        self._open: set[Newcomer] = set()

    def add(self, connection: Newcomer) -> None:
        self._open.add(connection)

    def discard(self, connection: Newcomer) -> None:
        self._open.discard(connection)

    def __len__(self) -> int:
        """Asks each of them."""
        self._open = {each for each in self._open if each.anonymous}
        return len(self._open)

    def reach(self, limit: int) -> bool:
        """Whether there are `limit` of them or more."""
        return len(self._open) >= limit and len(self) >= limit


class Beating(Protocol):
    def beat(self, now: float) -> float | None:
        """Look after deadlines; when to be called again (monotonic seconds), or None for never."""


class Weakly:
    """What the wheel calls as long as somebody else needs it: an HTTP connection is nothing more once its socket is a
    WebSocket's, and ten thousand of them would weigh until their deadlines."""

    __slots__ = ("_member",)

    def __init__(self, member: Beating) -> None:
        self._member = ref(member)

    def beat(self, now: float) -> float | None:
        member = self._member()
        return member.beat(now) if member is not None else None


class Node:
    """One per process; every connection holds it."""

    def __init__(
        self, config: Config, clock: Clock, hub: Hub, protocols: Mapping[str, ProtocolEntry]
    ) -> None:
        self.config = config
        self.clock = clock
        self.hub = hub
        self.metrics: Metrics = hub.metrics
        self.protocols = protocols
        self.by_subprotocol = {entry.subprotocol: entry for entry in protocols.values()}
        self.origins = Origins(config.server.allowed_origins)
        self.proxies = Proxies(config.server.trusted_proxies)
        self.admission = Admission(config, self.metrics)
        self.door = Door(config, clock, hub)
        self.wheel = Wheel(clock, self.metrics)
        self.control_rate = Rate(config.limits.control_rate, config.limits.control_burst)
        self.queued_bytes = 0
        self.load = Load(config.load, clock, self.metrics, self.wheel.take_lag, lambda: self.queued_bytes)
        self.load.changed.append(self._shed)
        self.websockets: set[WebSocket] = set()
        self.upgrades: dict[
            bytes, Endpoint
        ] = {}  # where WebSockets are opened; a slash at the end: all below too
        self.direct: dict[str, DirectEndpoint] = {}
        """Who answers below a path, which ends in a slash, without ASGI where the server is ours."""
        self.forwarder: Forwarder | None = None
        """Who hands on what is for sessions of other nodes, where there are any."""
        self.newcomers = Newcomers()
        self._dirty: list[Flushable] = []
        self._flushing: list[Flushable] = []  # the last first
        self._flush_due = self._postponed = False
        self.metrics.gauges["queue_bytes"] = lambda: self.queued_bytes

    def crowded(self) -> bool:
        """Whether there are too many already who have not said who they are, to take in another. Counts the refusal."""
        if not self.newcomers.reach(self.config.limits.unauthenticated):
            return False
        self.metrics.rejected["unauthenticated"] += 1
        return True

    def dirty(self, connection: Flushable) -> None:
        """`connection` has frames to write: flush it at the end of this turn of the loop."""
        if not self._flush_due:
            self._flush_due = True
            self.clock.call_later(0, self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        """Flush all that was dirty, a thousand or so in a turn of the loop, before what has become so since.

        Events that have been read already are handled first: what they write goes out in the same flush.
        """
        if self.hub.pump.waiting and not self._postponed:
            self._postponed = True
            self.clock.call_later(0, self._flush)
            return
        self._postponed = False
        if not self._flushing:
            self._flushing, self._dirty = self._dirty, []
            self._flushing.reverse()
        flushing = self._flushing
        for _ in range(min(len(flushing), FLUSH_SLICE)):
            try:
                flushing.pop().flush()
            except Exception as error:  # the others must not wait for ever because of one
                log.error("flush failed", exc_info=error)
        if not flushing:
            self.metrics.flushed(self.clock.monotonic())
        self._flush_due = bool(flushing or self._dirty)
        if self._flush_due:
            self.clock.call_later(0, self._flush)

    def _shed(self, change: LoadChange) -> None:
        self.hub.shedding = SHEDDING[self.load.level]
        for hook in self.hub.handlers.loaded:
            self.hub.spawn(self._tell(hook, change))

    async def _tell(self, hook: Hook, change: LoadChange) -> None:
        try:
            await eager.in_task(hook, change, within=self.config.limits.call_timeout)
        except Exception as error:
            self.metrics.handler_errors += 1
            log.error("on_load failed", exc_info=error)

    def start(self) -> None:
        self.wheel.start()
        self.load.start()

    def stop(self) -> None:
        self.load.stop()
        self.wheel.stop()


class Wheel:
    """One timer for all deadlines of all connections, to a fortieth of a second.

    When the loop itself was late by more than `STALL`, nobody is judged for the time it lost: everything that is due is
    put off once by the delay.
    """

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._slots: dict[int, list[Beating]] = {}
        self._last = 0.0
        self._slot = 0
        self._timer: Timer | None = None
        self.late = 0.0
        self._lateness = self._measured = 0.0  # the sum of how late the loop was, and for how long

    def take_lag(self) -> float:
        """How late the loop was since this was asked last, in seconds, averaged over the time: what happens at any
        moment waits about as long."""
        lag = self._lateness / self._measured if self._measured else 0.0
        self._lateness = self._measured = 0.0
        return lag

    def add(self, member: Beating, at: float) -> None:
        """Call `member.beat` at the monotonic time `at`."""
        slot = max(int(at / TICK) + 1, self._slot + 1)
        self._slots.setdefault(slot, []).append(member)

    def start(self) -> None:
        self._last = self._clock.monotonic()
        self._slot = int(self._last / TICK)
        self._timer = self._clock.call_later(TICK, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._slots.clear()

    def _tick(self) -> None:
        now = self._clock.monotonic()
        took = now - self._last
        self.late = max(0.0, took - TICK)
        self._metrics.lag(self.late)
        self._lateness += self.late * took
        self._measured += took
        self._last = now
        self._timer = self._clock.call_later(TICK, self._tick)
        due, self._slot = self._slot + 1, int(now / TICK)
        for slot in range(due, self._slot + 1):
            for member in self._slots.pop(slot, ()):
                if self.late > STALL:
                    self.add(member, now + self.late)
                    continue
                try:
                    again = member.beat(now)
                except Exception as error:  # the others' deadlines hold all the same
                    log.error("beat failed", exc_info=error)
                    continue
                if again is not None:
                    self.add(member, again)


def jittered(seconds: float) -> float:
    """`seconds`, less up to a tenth: so that timers which began together do not stay together."""
    return seconds * (1 - random.random() / 10)
