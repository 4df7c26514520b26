"""The end of a server: everybody is sent away, a few at a time, and told when to come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from hubbub.errors import DRAIN
from hubbub.hub.session import Session
from hubbub.model import Advice
from hubbub.transports.node import Node

log = structlog.get_logger("hubbub.drain")

PATIENCE = 5.0
"""Seconds after the window for which a command under way is waited for."""


async def drain(node: Node, window: float, sleep: Callable[[float], Awaitable[object]]) -> None:
    """Send everybody away: advice first, then closings spread over `window` seconds in equal slices.

    A session whose command is being handled is closed after the answer, or `PATIENCE` seconds after the window.
    """
    hub = node.hub
    hub.draining = True
    sessions = [session for session in hub.sessions.values() if session.connection is not None]
    for session in sessions:
        session.push(Advice(reconnect_after=0.0, spread=window))
    log.info("draining", sessions=len(sessions), window=window)
    slices = 20
    size = max(1, -(-len(sessions) // slices))
    busy: list[Session] = []
    for at in range(0, len(sessions), size):
        await sleep(window / slices)
        busy += [session for session in sessions[at : at + size] if not _send_away(session)]
    until = node.clock.monotonic() + PATIENCE
    while busy and node.clock.monotonic() < until:
        await sleep(0.05)
        busy = [session for session in busy if not _send_away(session)]


def _send_away(session: Session) -> bool:
    """Close the session's connection; False if a command has to be answered first."""
    if session.busy:
        return False
    if session.connection is not None:
        session.connection.close(DRAIN)
    return True
