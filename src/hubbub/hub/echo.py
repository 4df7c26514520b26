"""Publishing by the server itself, so that what it writes to its own sessions afterwards comes after it.

Among several nodes a publication comes back from the broker, perhaps later than the broker's answer: an application
that emits to a room and then to one of those in it would be heard in the wrong order.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hubbub.broker.base import Accepted
from hubbub.model import NO_RETENTION, Envelope, Publication, Retention

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

PATIENCE = 0.25
"""Seconds for which an echo is waited for: that is longer than it takes, unless this node is deaf."""


class Echoes:
    """`waiting` are the publications of this node that have not come back, by their ids."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._numbers = itertools.count(1)
        self.waiting: dict[str, asyncio.Future[None]] = {}

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        """As the broker's; and this node's own sessions have been written to when it returns, as where it is alone."""
        hub, push = self._hub, envelope.push
        channel = hub.channels.get(push.channel)
        if (
            not hub.node_id
            or channel is None
            or not channel.subscribed
            or not isinstance(push, Publication)
            or not hub.broker.condition.up
        ):
            return await hub.broker.publish(envelope, retention, key=key)
        id = f"{hub.node_id}{next(self._numbers):x}"
        echo = self.waiting[id] = asyncio.get_running_loop().create_future()
        try:
            sent = replace(envelope, push=replace(push, id=id))
            accepted = await hub.broker.publish(sent, retention, key=key)
            if not echo.done() and not accepted.duplicate:
                timer = hub.clock.call_later(PATIENCE, lambda: self.heard(id))
                await echo
                timer.cancel()
            return accepted
        finally:
            self.waiting.pop(id, None)

    def heard(self, id: str) -> None:
        """A publication has been written to this node's sessions, or is waited for no longer."""
        echo = self.waiting.pop(id, None)
        if echo is not None and not echo.done():
            echo.set_result(None)
