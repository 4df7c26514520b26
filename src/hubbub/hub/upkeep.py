"""What the hub looks after by time: sessions and tokens that run out, presence, heads of logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import Timer
from hubbub.errors import EXPIRED

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub
    from hubbub.hub.session import Session

SWEEP = 1.0
ALONE = 0.4
"""Seconds between looks into logs while nothing is heard of other nodes."""


class Upkeep:
    """One timer for the hub, and one while it is cut off from the other nodes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._timer: Timer | None = None
        self._catching_up: Timer | None = None

    def start(self) -> None:
        self._tick()

    def stop(self) -> None:
        for timer in (self._timer, self._catching_up):
            if timer is not None:
                timer.cancel()

    def _tick(self) -> None:
        hub = self._hub
        if hub.stopped:
            return
        self._timer = hub.clock.call_later(SWEEP, self._tick)
        self._end_those_due(hub.clock.monotonic(), hub.clock.now())
        hub.journal.trim()
        hub.spawn(self._sweep_presence())
        if not hub.broker.lossless or not all(owner.lossless for owner in hub.owners.values()):
            hub.spawn(hub.live.check_heads())
        if not hub.broker.condition.up:
            self._alone()

    def _end_those_due(self, now: float, wall: float) -> None:
        """Sessions whose window or token has run out; those away for long enough leave presence."""
        hub = self._hub
        for session in list(hub.detached.values()):
            if session.deadline is not None and session.deadline <= now:
                hub.end(session, None)
            elif not session.absent and self._away(session, now) >= hub.config.sessions.presence_grace:
                session.absent = True
                hub.noticed(session)
                hub.spawn(hub.settle(session, session.away))
        grace = hub.config.auth.expiry_grace
        for session in list(hub.sessions.values()):
            if session.expires is not None and session.expires + grace <= wall:
                hub.end(session, EXPIRED)

    def _away(self, session: Session, now: float) -> float:
        """Seconds since the client of a detached session went."""
        assert session.deadline is not None
        return now + self._hub.window(session) - session.deadline

    async def _sweep_presence(self) -> None:
        hub = self._hub
        for push in await hub.presence.sweep():
            await hub.announce(hub.channel(push.channel), push)

    def _alone(self) -> None:
        """What other nodes publish is not heard. What they write is in the logs of owners: look often."""
        hub = self._hub
        if hub.stopped or hub.broker.condition.up:
            return
        hub.spawn(hub.live.check_heads(at_once=True))
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._catching_up = hub.clock.call_later(ALONE, self._alone)
