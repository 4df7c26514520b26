"""The end of a server: everybody is sent away, a few at a time, and told when to come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hubbub.errors import DRAIN
from hubbub.hub.session import Session
from hubbub.model import Advice
from hubbub.telemetry.logging import get_logger
from hubbub.transports.node import Node

log = get_logger("hubbub.drain")

STEP = 0.05
"""Seconds between two closings, at the least."""
PATIENCE = 5.0
"""Seconds after the window for which a command under way is waited for."""
CLAIMING = 3.0
"""Seconds after that in which other nodes may ask for the sessions that were sent away."""
STOPPING = 10.0
"""Seconds in which all that is behind the connections must have been put away."""


class Drain:
    """Send everybody away: advice first, then closings spread evenly over `window` seconds.

    A session whose command is being handled is closed after the answer, or `PATIENCE` seconds after the window. Where
    there are other nodes, this one stays until they have taken over the sessions of those that it has sent away.
    """

    def __init__(self, node: Node, window: float) -> None:
        self._node = node
        self._window = window
        self._woken = asyncio.Event()
        self._hurried = False

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._hurried = True
        self._woken.set()

    async def run(self) -> None:
        hub = self._node.hub
        hub.draining = True  # from here on the node is not ready, and lets nobody in
        sessions = [session for session in hub.sessions.values() if session.connection is not None]
        for session in sessions:
            session.push(Advice(reconnect_after=0.0, spread=self._window))
        log.info("draining", sessions=len(sessions), window=self._window)
        busy: list[Session] = []
        steps = min(len(sessions), max(1, int(self._window / STEP)))
        sent, began = 0, self._node.clock.monotonic()
        for step in range(1, steps + 1):
            await self._pause(began + self._window * (step - 1) / steps - self._node.clock.monotonic())
            upto = len(sessions) * step // steps
            busy += [session for session in sessions[sent:upto] if not _send_away(session)]
            sent = upto

        def answered() -> bool:
            busy[:] = [session for session in busy if not _send_away(session)]
            return not busy

        await self._until(answered, PATIENCE)
        if hub.claims is not None:
            await self._until(lambda: all(session.closed for session in sessions), CLAIMING)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        until = self._node.clock.monotonic() + seconds
        while not done() and not self._hurried and self._node.clock.monotonic() < until:
            await self._pause(STEP)

    async def _pause(self, seconds: float) -> None:
        if self._hurried:
            return
        self._woken.clear()
        timer = self._node.clock.call_later(seconds, self._woken.set)
        await self._woken.wait()
        timer.cancel()


def _send_away(session: Session) -> bool:
    """Close the session's connection; False if a command has to be answered first."""
    if session.connection is None:
        return True
    if session.busy:
        return False
    session.connection.close(DRAIN)
    return True


async def in_time(stopping: Awaitable[object], seconds: float = STOPPING) -> None:
    """Wait for `stopping`, but not for ever: who ends this process does not wait for ever either."""
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except TimeoutError:
        log.error("not all could be put away in time", seconds=seconds)
